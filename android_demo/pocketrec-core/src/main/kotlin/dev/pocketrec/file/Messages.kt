package dev.pocketrec.file

import dev.pocketrec.text.Decimals
import java.math.BigDecimal
import java.math.MathContext
import java.util.Locale

/** How values are shown in messages, the same way as in the Python runtime, so that one search finds both. */
internal object Messages {
    /** A text in quotes, its first [limit] characters, with what does not print as escapes. */
    fun quoted(text: String, limit: Int = 80): String {
        val out = StringBuilder("'")
        for (letter in text.take(limit)) {
            when {
                letter == '\\' || letter == '\'' -> out.append('\\').append(letter)
                letter in "\n\r\t" -> out.append('\\').append("nrt"["\n\r\t".indexOf(letter)])
                letter < ' ' || letter == '\u007f' -> out.append("\\x").append(hex(letter.code, 2))
                letter.isSurrogate() -> out.append("\\u").append(hex(letter.code, 4))
                else -> out.append(letter)
            }
        }
        return out.append('\'').toString()
    }

    /** Any value that a caller gave: a text in quotes, others as they print. */
    fun shown(value: Any?): String = if (value is String) quoted(value) else value.toString().take(80)

    /** A number with at most six digits: 0, 1e-06, 1.04858e+06, 10. */
    fun general(value: Double): String {
        if (value.isNaN() || value.isInfinite()) return if (value.isNaN()) "nan" else if (value > 0) "inf" else "-inf"
        if (value == 0.0) return "0"
        val rounded = BigDecimal(value).round(MathContext(6)).stripTrailingZeros()
        val exponent = rounded.precision() - rounded.scale() - 1
        if (exponent in -4..5) return rounded.toPlainString()
        val sign = if (exponent < 0) '-' else '+'
        return "${rounded.movePointLeft(exponent).toPlainString()}e$sign${String.format(Locale.ROOT, "%02d", Math.abs(exponent))}"
    }

    /** A JSON value: short ones as they stand, long ones by their type. */
    fun json(value: Any?): String = when (value) {
        is Map<*, *> -> "an object"
        is List<*> -> "a list"
        is Double -> Decimals.text(value)
        is Number -> value.toString().let { if (it.length > 40) "a huge integer" else it }
        is String -> escaped(value).let { if (it.length <= 80) it else "a long string" }
        else -> value.toString() // null, true, false
    }

    private fun escaped(text: String): String {
        val out = StringBuilder("\"")
        for (letter in text.take(81)) {
            when {
                letter == '"' || letter == '\\' -> out.append('\\').append(letter)
                letter < ' ' || letter > '~' -> out.append("\\u").append(hex(letter.code, 4))
                else -> out.append(letter)
            }
        }
        return out.append('"').toString()
    }

    private fun hex(code: Int, digits: Int): String = Integer.toHexString(code).padStart(digits, '0')
}
