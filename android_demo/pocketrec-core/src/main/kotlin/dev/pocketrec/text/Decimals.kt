package dev.pocketrec.text

import java.math.BigDecimal
import java.math.MathContext
import java.math.RoundingMode

/**
 * Floating-point numbers as the shortest decimals that read back as the same number, written as Python writes them.
 *
 * The library's own texts are not the shortest ones on every version of the JVM and of Android.
 */
internal object Decimals {
    /** `repr` of a double: 19.99, 20.0, 1e-07, 1e+16, nan, inf. */
    fun text(value: Double): String {
        if (value.isNaN() || value.isInfinite()) return if (value.isNaN()) "nan" else if (value > 0) "inf" else "-inf"
        if (value == 0.0) return if (1 / value < 0) "-0.0" else "0.0"
        return written(shortest(BigDecimal(value), 17) { it.toDouble() == value })
    }

    /** The double that the shortest decimal of a float reads as: 19.99, not what a float makes of it. */
    fun widened(value: Float): Double =
        if (value.isNaN() || value.isInfinite() || value == 0f) value.toDouble()
        else shortest(BigDecimal(value.toDouble()), 9) { it.toFloat() == value }.toDouble()

    /** Of the decimals with the fewest digits that read back, the one nearest to the number. */
    private fun shortest(exact: BigDecimal, most: Int, readsBack: (BigDecimal) -> Boolean): BigDecimal {
        for (digits in 1 until most) {
            // Near a power of two the nearest decimal may read back as a neighbor while the other one does not.
            listOf(RoundingMode.HALF_EVEN, RoundingMode.DOWN, RoundingMode.UP)
                .map { exact.round(MathContext(digits, it)) }
                .filter(readsBack)
                .minByOrNull { (it - exact).abs() }
                ?.let { return it }
        }
        return exact.round(MathContext(most, RoundingMode.HALF_EVEN))
    }

    private fun written(value: BigDecimal): String {
        val sign = if (value.signum() < 0) "-" else ""
        val plain = value.abs().stripTrailingZeros()
        val digits = plain.unscaledValue().toString()
        val point = digits.length - plain.scale() // where the point stands in the digits
        return sign + when {
            point !in -3..16 -> scientific(digits, point - 1)
            point <= 0 -> "0." + "0".repeat(-point) + digits
            point >= digits.length -> digits + "0".repeat(point - digits.length) + ".0"
            else -> digits.substring(0, point) + "." + digits.substring(point)
        }
    }

    private fun scientific(digits: String, exponent: Int): String {
        val mantissa = if (digits.length == 1) digits else "${digits[0]}.${digits.substring(1)}"
        val size = Math.abs(exponent).toString().padStart(2, '0')
        return "${mantissa}e${if (exponent < 0) "-" else "+"}$size"
    }
}
