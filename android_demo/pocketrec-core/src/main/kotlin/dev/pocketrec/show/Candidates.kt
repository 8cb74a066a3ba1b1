package dev.pocketrec.show

/**
 * A pool of items, best first.
 *
 * @property score of each, not increasing.
 * @property vectors rows of [dim] numbers, of unit length or zero; [dim] may be 0 where nothing is compared.
 * @property titles folded titles; empty where they do not matter.
 * @property labels attribute to the values of each item.
 */
internal class Candidates(
    val score: FloatArray,
    val vectors: DoubleArray,
    val dim: Int,
    val titles: List<String> = emptyList(),
    val labels: Map<String, List<List<String>>> = emptyMap(),
) {
    val size: Int get() = score.size

    /** The cosine of every item and one row of [others]. */
    fun near(others: Candidates, row: Int): DoubleArray = DoubleArray(size) { item ->
        var sum = 0.0
        for (d in 0 until dim) sum += vectors[item * dim + d] * others.vectors[row * dim + d]
        sum
    }

    companion object {
        /** Rows of [dim] numbers as rows of length 1; a zero row stays zero. */
        fun unit(rows: FloatArray, dim: Int): DoubleArray {
            val wide = DoubleArray(rows.size) { rows[it].toDouble() }
            for (start in wide.indices step maxOf(dim, 1)) {
                var square = 0.0
                for (at in start until start + dim) square += wide[at] * wide[at]
                val length = Math.sqrt(square)
                if (length > 0) for (at in start until start + dim) wide[at] /= length
            }
            return wide
        }
    }
}
