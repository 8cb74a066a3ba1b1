package dev.pocketrec.file

/**
 * A quantized table: a byte for each code, or two codes of 4 bits in each byte. Threads may share it.
 *
 * @property rows R.
 * @property dim D.
 */
public class DenseTable internal constructor(internal val value: NumberArray, internal val scale: NumberArray, private val bits: Int) {
    @JvmField
    public val rows: Int = value.rows

    @JvmField
    public val dim: Int = value.shape[1].toInt() * 8 / bits

    /** R rows of D numbers, one after another: (code - zero point) * scale of the row, in float32. */
    public fun rows(index: IntArray): FloatArray {
        val out = FloatArray(index.size * dim)
        for (place in index.indices) row(index[place], out, place * dim)
        return out
    }

    /** Writes one row from [at] on. */
    internal fun row(row: Int, out: FloatArray, at: Int) {
        val factor = scale.float(row)
        val codes = value.bytes
        if (bits == 8) {
            for (d in 0 until dim) out[at + d] = ((codes.get(row * dim + d).toInt() and 0xFF) - 128) * factor
        } else { // column 2k is the low half of byte k, column 2k + 1 the high half
            for (k in 0 until dim / 2) {
                val pair = codes.get(row * dim / 2 + k).toInt() and 0xFF
                out[at + 2 * k] = ((pair and 15) - 8) * factor
                out[at + 2 * k + 1] = ((pair ushr 4) - 8) * factor
            }
        }
    }
}
