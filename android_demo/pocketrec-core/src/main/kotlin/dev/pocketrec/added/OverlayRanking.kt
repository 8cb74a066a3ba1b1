package dev.pocketrec.added

import dev.pocketrec.engine.RankerOutput
import dev.pocketrec.file.PackageFile
import dev.pocketrec.rank.Call
import dev.pocketrec.why.LinearSystem

/**
 * Ranks added items: every signal in host code, as the engine computes it for the package's own.
 *
 * An added item has no popularity, boost or attribute vector; its other signals are products and sums in float64, rounded
 * to float32; the score is their float32 sum in signal order.
 */
internal object OverlayRanking {
    /** The n best of the package's [own], which are ranked, and of the eligible added ones; ties by index. */
    fun merged(file: PackageFile, overlay: Overlay, call: Call, own: RankerOutput, n: Int): RankerOutput {
        val first = file.manifest.catalogue.items
        val rows = (0 until overlay.size).filter { call.mask[first + it] }
        val names = file.manifest.signals.names
        val added = signals(file, overlay, call).let { parts -> names.map { name -> parts[name] ?: FloatArray(overlay.size) } }
        val scores = FloatArray(rows.size) { at -> added.fold(0f) { sum, part -> sum + part[rows[at]] } }
        val all = own.index.size + rows.size
        fun score(at: Int) = if (at < own.index.size) own.score[at] else scores[at - own.index.size]
        val order = (0 until all).sortedWith(compareByDescending<Int> { score(it) }).take(n) // stable
        fun <T> each(mine: (Int) -> T, theirs: (Int) -> T) = order.map { if (it < own.index.size) mine(it) else theirs(rows[it - own.index.size]) }
        return RankerOutput(
            each({ own.index[it] }, { first + it }).toIntArray(),
            order.map(::score).toFloatArray(),
            Array(names.size) { s -> each({ own.signals[s][it] }, { added[s][it] }).toFloatArray() },
        )
    }

    /** Signal to its weighted contribution to each added item. */
    private fun signals(file: PackageFile, overlay: Overlay, call: Call): Map<String, FloatArray> {
        val names = file.manifest.signals.names
        val weight = names.withIndex().associate { (at, name) -> name to call.weights[at] }.filterValues { it != 0f }
        val history = call.task.history
        val found = HashMap<String, FloatArray>()
        fun scaled(name: String, values: FloatArray) {
            found[name] = FloatArray(values.size) { values[it] * weight.getValue(name) }
        }
        if (history.index.isNotEmpty()) {
            if ("content" in weight) {
                val table = file.dense("text")
                val rows = table.rows(history.index)
                val sum = FloatArray(table.dim) { d -> history.weight.indices.sumOf { history.weight[it].toDouble() * rows[it * table.dim + d] }.toFloat() }
                scaled("content", products(overlay.placed.map { it.vector }, sum))
            }
            if ("neighbours" in weight) scaled("neighbours", overlay.neighbours(history))
            val settings = file.manifest.signals.factors
            if (settings != null && "factors" in weight) {
                val user = userFactors(file.dense("factors").rows(history.index), settings.dim, history.weight, settings.alpha)
                scaled("factors", products(overlay.placed.map { it.factors }, user))
            }
        }
        if (call.vector.isNotEmpty() && "semantic" in weight) scaled("semantic", products(overlay.placed.map { it.vector }, call.vector))
        val matches = call.task.query?.matches
        val words = overlay.words
        if (matches != null && words != null && "lexical" in weight) scaled("lexical", words.scores(matches, call.lexicalPower(file)))
        return found
    }

    private fun products(rows: List<FloatArray>, vector: FloatArray) = FloatArray(rows.size) { row ->
        rows[row].indices.sumOf { rows[row][it].toDouble() * vector[it] }.toFloat()
    }

    /** The user's factors, solved exactly where engines take steps towards it: (I + V^T (K - I) V) u = V^T k. */
    private fun userFactors(rows: FloatArray, dim: Int, weight: FloatArray, alpha: Double): FloatArray {
        val system = Array(dim) { DoubleArray(dim).also { row -> row[it] = 1.0 } }
        val right = DoubleArray(dim)
        for (j in weight.indices) {
            val confidence = alpha * Math.abs(weight[j])
            for (a in 0 until dim) {
                if (weight[j] > 0) right[a] += confidence * rows[j * dim + a]
                val left = (confidence - 1) * rows[j * dim + a]
                for (b in 0 until dim) system[a][b] += left * rows[j * dim + b]
            }
        }
        return LinearSystem(system).solve(right).let { u -> FloatArray(dim) { u[it].toFloat() } }
    }
}
