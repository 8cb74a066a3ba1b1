package dev.pocketrec.engine

import dev.pocketrec.file.DenseTable

/**
 * A vector in int8 steps, to be multiplied with every row of a table of bytes by the quantization rule.
 *
 * In blocks of 64: round half to even of q * (127 / max|q|), scale max|q| / 127. A block of zeros has scale 0, and so has
 * one so small that 127 / max|q| is not finite: it would add less than 1e-30. This is what MatMulNBits with
 * accuracy_level 4 computes.
 */
internal class QuantizedQuery(vector: FloatArray) {
    private val blocks = vector.size / BLOCK
    private val scale = FloatArray(blocks)

    /** 128 times the sum of each block: what the zero point of the table adds to its products. */
    private val offset = IntArray(blocks)

    /** Pairs of steps 4 columns apart in the halves of a long, in the order in which [product] meets them. */
    private val pairs = LongArray(vector.size / 2)

    init {
        for (block in 0 until blocks) quantize(vector, block)
    }

    private fun quantize(vector: FloatArray, block: Int) {
        val first = block * BLOCK
        var largest = 0f
        for (at in first until first + BLOCK) largest = maxOf(largest, Math.abs(vector[at])) // NaN stays NaN
        if (largest < SMALLEST) return
        val inverse = 127f / largest
        val steps = LongArray(BLOCK) { Math.rint((vector[first + it] * inverse).toDouble()).toLong() }
        scale[block] = largest / 127f
        offset[block] = 128 * steps.sum().toInt()
        for (word in 0 until BLOCK / 8) {
            for (k in 0 until 4) pairs[first / 2 + 4 * word + k] = steps[8 * word + 4 + k] + (steps[8 * word + k] shl 32)
        }
    }

    /**
     * The product with every row of a table: for each block, in order, float(integer product) * (query scale * row scale).
     */
    fun dot(table: DenseTable): FloatArray {
        val out = FloatArray(table.rows)
        val words = table.dim / 8
        val piece = LongArray(words * PIECE)
        val codes = table.value.bytes.asLongBuffer()
        val scales = table.scale.bytes.asFloatBuffer()
        val scale = FloatArray(PIECE)
        var start = 0
        while (start < table.rows) { // what is copied into an array piece by piece is read twice as fast
            val rows = minOf(PIECE, table.rows - start)
            codes.get(piece, 0, rows * words)
            scales.get(scale, 0, rows)
            for (row in 0 until rows) out[start + row] = product(piece, row * words, scale[row])
            start += rows
        }
        return out
    }

    private fun product(codes: LongArray, first: Int, rowScale: Float): Float {
        var sum = 0f
        var at = first
        for (block in 0 until blocks) {
            if (scale[block] != 0f) sum += (dot64(codes, at, block * (BLOCK / 2)) - offset[block]).toFloat() * (scale[block] * rowScale)
            at += BLOCK / 8
        }
        return sum
    }

    /**
     * The integer product of 64 codes, eight in each long, with a block of the query.
     *
     * A multiplication of longs does two of bytes: (a + b 2^32)(x + y 2^32) = a x + (a y + b x) 2^32 modulo 2^64, where
     * a and b are codes four columns apart and y and x the query's steps of those columns. The sum of all a x is less than
     * 2^31, so that the lower half says what to take off before the upper half is read.
     */
    private fun dot64(codes: LongArray, first: Int, firstPair: Int): Int {
        var sum = 0L
        var pair = firstPair
        for (at in first until first + BLOCK / 8) {
            val word = codes[at]
            sum += (word and LANES) * pairs[pair] + ((word ushr 8) and LANES) * pairs[pair + 1] +
                ((word ushr 16) and LANES) * pairs[pair + 2] + ((word ushr 24) and LANES) * pairs[pair + 3]
            pair += 4
        }
        return ((sum - sum.toInt()) shr 32).toInt()
    }

    private companion object {
        const val BLOCK = 64

        /** Rows that are copied at once. */
        const val PIECE = 128
        const val SMALLEST = 1e-36f
        const val LANES = 0x000000FF000000FFL
    }
}
