package dev.pocketrec.history

import dev.pocketrec.file.NumberArray

/**
 * The blocks of a sparse table that a history or a query touches, in its order.
 *
 * @property index N rows of the block table.
 * @property weight N, the weight of the history item or word, times the scale of its row.
 * @property owner N, the position in the history or query that a block belongs to.
 * @property truncated whether the budget left blocks out.
 */
internal class Blocks(val index: IntArray, val weight: FloatArray, val owner: IntArray, val truncated: Boolean) {
    companion object {
        val NONE = Blocks(IntArray(0), FloatArray(0), IntArray(0), false)

        /**
         * The blocks of some rows of a sparse table; beyond [budget] the weakest rows lose theirs first, of equal ones the
         * least recent, and inside a row the last ones, which are the weakest.
         *
         * @param index H rows: the history items, or the words of a query.
         * @param weight of each of them.
         * @param start R + 1, the first block of each row.
         * @param scale R, the scale of each row.
         */
        fun gather(index: IntArray, weight: FloatArray, start: NumberArray, scale: NumberArray, budget: Long): Blocks {
            val count = IntArray(index.size) { start.int(index[it] + 1) - start.int(index[it]) }
            val truncated = count.sumOf(Int::toLong) > budget
            if (truncated) cut(count, weight, budget)
            val total = count.sum()
            val block = IntArray(total)
            val owner = IntArray(total)
            val strength = FloatArray(total)
            var at = 0
            for (row in index.indices) {
                val factor = weight[row] * scale.float(index[row])
                repeat(count[row]) {
                    block[at] = start.int(index[row]) + it
                    owner[at] = row
                    strength[at++] = factor
                }
            }
            return Blocks(block, strength, owner, truncated)
        }

        private fun cut(count: IntArray, weight: FloatArray, budget: Long) {
            var left = budget
            val strongest = count.indices.sortedWith(compareByDescending<Int> { Math.abs(weight[it]) }.thenByDescending { it })
            for (row in strongest) {
                count[row] = minOf(count[row].toLong(), left).toInt()
                left -= count[row]
            }
        }
    }
}
