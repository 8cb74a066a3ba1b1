package dev.pocketrec.why

import dev.pocketrec.Reason
import dev.pocketrec.file.NumberArray
import dev.pocketrec.history.Blocks

/** K rows of C numbers: what each of C causes adds to each of K items. */
internal typealias Parts = Array<DoubleArray>

/** What the user did or said: C of them, in the order of the columns of every split. */
internal class Cause(val kind: String, val id: String, val text: String)

/** The parts of one signal, over history items or over the words of the query. */
internal class Split(val byWord: Boolean, val parts: Parts)

/**
 * Why an item is in the list: each signal's contribution split over its causes.
 *
 * Every signal is linear in its causes, so the split is exact: neighbours, content and attributes over the history items,
 * semantic over the words of the query, and factors over the history items with the fold-in matrix held fixed (Hu, Koren
 * and Volinsky 2008, equation 7). What the 8-bit query rounds away is spread in proportion to the absolute parts, so that
 * the causes of a signal sum to the signal.
 */
internal object Reasons {
    /**
     * K x H parts of the factor signal: v_i . M k_j v_j, M the inverse of the fold-in matrix. An item that the user
     * dislikes shapes M but causes nothing.
     *
     * @param shown K rows of [dim], factors of the items shown.
     * @param rows H rows, factors of the history items.
     * @param weight H history weights.
     * @param alpha confidence of one unit of weight.
     */
    fun splitFactors(shown: FloatArray, rows: FloatArray, dim: Int, weight: FloatArray, alpha: Double): Parts {
        val confidence = DoubleArray(weight.size) { alpha * Math.abs(weight[it].toDouble()) }
        val system = Array(dim) { DoubleArray(dim).also { row -> row[it] = 1.0 } }
        for (j in weight.indices) for (a in 0 until dim) {
            val left = (confidence[j] - 1.0) * rows[j * dim + a]
            for (b in 0 until dim) system[a][b] += left * rows[j * dim + b]
        }
        val inverse = LinearSystem(system)
        val parts = Array(shown.size / maxOf(dim, 1)) { DoubleArray(weight.size) }
        for (j in weight.indices) {
            if (weight[j] <= 0) continue
            val solved = inverse.solve(DoubleArray(dim) { confidence[j] * rows[j * dim + it] })
            for (k in parts.indices) for (d in 0 until dim) parts[k][j] += shown[k * dim + d] * solved[d]
        }
        return parts
    }

    /**
     * K x [size] parts of the neighbour signal, c_j S_ji, or of words.
     *
     * @param shown catalogue positions of the K items shown.
     * @param blocks of the call.
     * @param targets target items of all blocks of the table.
     * @param values their values.
     * @param size the number of causes.
     */
    fun splitNeighbours(shown: IntArray, blocks: Blocks, targets: NumberArray, values: NumberArray, size: Int): Parts {
        val parts = Array(shown.size) { DoubleArray(size) }
        val row = HashMap<Int, Int>()
        shown.forEachIndexed { k, item -> row[item] = k }
        val width = targets.shape[1].toInt()
        for (n in blocks.index.indices) for (column in 0 until width) {
            val at = blocks.index[n] * width + column
            val value = values.int(at)
            val k = if (value == 0) null else row[targets.int(at)]
            if (k != null) parts[k][blocks.owner[n]] += blocks.weight[n].toDouble() * value
        }
        return parts
    }

    /** K x C parts of a text signal: the inner product of each of K rows shown and each of C vectors of causes. */
    fun splitText(shown: FloatArray, vectors: FloatArray, dim: Int): Parts {
        if (dim == 0) return emptyArray()
        return Array(shown.size / dim) { k ->
            DoubleArray(vectors.size / dim) { c ->
                var sum = 0.0
                for (d in 0 until dim) sum += shown[k * dim + d].toDouble() * vectors[c * dim + d]
                sum
            }
        }
    }

    /** Multiplies the parts with the signal's weight, and spreads what is missing so that each row sums to the signal. */
    fun settle(parts: Parts, weight: Float, signal: FloatArray): Parts = Array(parts.size) { k ->
        val weighted = DoubleArray(parts[k].size) { parts[k][it] * weight }
        val total = weighted.sumOf { Math.abs(it) }
        val rest = signal[k] - weighted.sum()
        if (total > 0) for (c in weighted.indices) weighted[c] += rest * (Math.abs(weighted[c]) / total)
        weighted
    }

    /** The parts of causes that stand for the same one of [count] things, added up. */
    fun together(parts: Parts, column: IntArray, count: Int): Parts = Array(parts.size) { k ->
        DoubleArray(count).also { sum -> for (h in column.indices) sum[column[h]] += parts[k][h] }
    }

    /**
     * Reasons of each of K shown items, strongest first.
     *
     * @param items what the user did or said.
     * @param words the words of the query.
     * @param splits signal to its weighted parts.
     * @param priors signal to K contributions, of those that are no one's doing.
     */
    fun assemble(
        items: List<Cause>,
        words: List<String>,
        splits: Map<String, Split>,
        priors: Map<String, FloatArray>,
    ): List<List<Reason>> {
        val count = maxOf(splits.values.maxOfOrNull { it.parts.size } ?: 0, priors.values.maxOfOrNull { it.size } ?: 0)
        val axes = listOf(false to items, true to words.map { Cause("word", it, it) })
        return List(count) { k ->
            val found = ArrayList<Reason>()
            for ((byWord, causes) in axes) causes.forEachIndexed { column, cause ->
                val signals = LinkedHashMap<String, Double>()
                for ((name, split) in splits) if (split.byWord == byWord) {
                    val part = split.parts[k][column]
                    if (part != 0.0) signals[name] = part
                }
                if (signals.isNotEmpty()) found.add(Reason(cause.kind, cause.id, cause.text, signals.values.sum(), signals))
            }
            for ((name, prior) in priors) {
                val part = prior[k].toDouble()
                if (part != 0.0) found.add(Reason(name, "", "", part, mapOf(name to part)))
            }
            found.sortedByDescending { Math.abs(it.contribution) } // stable
        }
    }
}
