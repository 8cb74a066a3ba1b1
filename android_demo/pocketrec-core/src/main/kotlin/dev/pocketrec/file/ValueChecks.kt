package dev.pocketrec.file

import dev.pocketrec.file.Messages.general

/** Checks of the values of an array, by name. */
internal object ValueChecks {
    /** Largest scale of a row: far beyond what data needs, and far from where float32 sums overflow. */
    private const val MAX_SCALE = (1 shl 20).toDouble()
    const val NO_BOOLEAN = 2
    const val NO_TIME = Long.MIN_VALUE
    const val LARGEST_TIME = 1L shl 38

    /** What is wrong with the array, or null. [length] is that of the symbol that the check is about. */
    fun problem(check: String, array: NumberArray, length: Long): String? = when (check) {
        "ascending" -> ascending(array, length)
        "below" -> below(array, length)
        "slots" -> slots(array, length)
        "prior" -> between(array, -MAX_SCALE, MAX_SCALE, 0, array.size)
        "scale" -> between(array, 0.0, MAX_SCALE, 0, array.size)
        "spread" -> between(array, 0.0, MAX_SCALE, 0, array.size / 2) ?: between(array, -MAX_SCALE, MAX_SCALE, array.size / 2, array.size)
        "dense" -> dense(array)
        "halves" -> halves(array)
        "number" -> if ((0 until array.size).any { array.double(it).isInfinite() }) "holds an infinite number" else null
        "boolean" -> below(array, NO_BOOLEAN + 1L)
        "time" -> time(array)
        else -> null
    }

    private fun ascending(array: NumberArray, total: Long): String? {
        val last = array.long(array.size - 1)
        if (array.long(0) != 0L || last != total) return "goes from ${array.long(0)} to $last, expected 0 to $total"
        for (at in 1 until array.size) if (array.long(at) < array.long(at - 1)) return "must not decrease"
        return null
    }

    private fun below(array: NumberArray, limit: Long, skip: Long = -1): String? {
        var largest = -1L
        for (at in 0 until array.size) array.long(at).let { if (it > largest && it != skip) largest = it }
        return if (largest >= limit) "holds $largest, expected less than $limit" else null
    }

    private fun slots(array: NumberArray, rows: Long): String? {
        if (array.size < maxOf(2, 2 * rows) || array.size and (array.size - 1) != 0) {
            return "has ${array.size} slots for $rows rows, expected a power of two, at least twice as many"
        }
        return below(array, rows, skip = StringTable.emptySlot(array).toLong() and 0xFFFFFFFFL)
    }

    private fun between(array: NumberArray, low: Double, high: Double, first: Int, end: Int): String? {
        for (at in first until end) {
            val value = array.float(at)
            if (!(value >= low && value <= high)) { // also true for NaN
                return "holds ${shown(value)}, expected ${general(low)} to ${general(high)}"
            }
        }
        return null
    }

    /** Symmetric codes keep |code| * |code| * 64 <= 127 * 127 * 64, exact in a float32 sum. */
    private fun dense(array: NumberArray): String? {
        val bytes = array.bytes
        val words = array.size / 8
        for (word in 0 until words) { // eight codes at a time: the high bit of a zero byte, and of none before it
            val codes = bytes.getLong(8 * word)
            if ((codes - LOW_BITS) and codes.inv() and HIGH_BITS != 0L) return CODE_ZERO
        }
        for (at in 8 * words until array.size) if (bytes.get(at) == 0.toByte()) return CODE_ZERO
        return null
    }

    private fun halves(array: NumberArray): String? {
        val zero = (0 until array.size).any { array.int(it).let { pair -> pair and 15 == 0 || pair < 16 } }
        return if (zero) "holds code 0 in half a byte, expected 1 to 15" else null
    }

    private fun time(array: NumberArray): String? {
        for (at in 0 until array.size) {
            val seconds = array.long(at)
            if (seconds !in -LARGEST_TIME..LARGEST_TIME && seconds != NO_TIME) return "holds $seconds, expected seconds within 2^38"
        }
        return null
    }

    private fun shown(value: Float): String = if (value.isNaN()) "nan" else if (value.isInfinite()) general(value.toDouble()) else "$value"

    private const val LOW_BITS = 0x0101010101010101L
    private const val HIGH_BITS = LOW_BITS shl 7
    private const val CODE_ZERO = "holds code 0, expected 1 to 255"
}
