package dev.pocketrec.added

import dev.pocketrec.engine.Best
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
        val names = file.manifest.signals.names
        val added = signals(file, overlay, call).let { parts -> names.map { name -> parts[name] ?: FloatArray(overlay.size) } }
        val scores = FloatArray(overlay.size) { row -> added.fold(0f) { sum, part -> sum + part[row] } }
        val best = Best.of(scores, call.mask.copyOfRange(first, first + overlay.size), minOf(n, overlay.size))
        // Both lists are sorted, and of equal scores the package's own come first; -1 - row stands for an added one.
        val places = IntArray(minOf(n, own.index.size + best.size))
        var mine = 0
        var theirs = 0
        for (at in places.indices) {
            val takesOwn = mine < own.index.size && (theirs == best.size || own.score[mine] >= scores[best[theirs]])
            places[at] = if (takesOwn) mine++ else -1 - best[theirs++]
        }
        return RankerOutput(
            IntArray(places.size) { places[it].let { at -> if (at >= 0) own.index[at] else first - 1 - at } },
            FloatArray(places.size) { places[it].let { at -> if (at >= 0) own.score[at] else scores[-1 - at] } },
            Array(names.size) { s ->
                FloatArray(places.size) { places[it].let { at -> if (at >= 0) own.signals[s][at] else added[s][-1 - at] } }
            },
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
                scaled("content", Products.of(overlay.placed.map { it.vector }, sum))
            }
            if ("neighbours" in weight) scaled("neighbours", overlay.neighbours(history))
            val settings = file.manifest.signals.factors
            if (settings != null && "factors" in weight) {
                val user = userFactors(file.dense("factors").rows(history.index), settings.dim, history.weight, settings.alpha)
                scaled("factors", Products.of(overlay.placed.map { it.factors }, user))
            }
        }
        if (call.vector.isNotEmpty() && "semantic" in weight) scaled("semantic", Products.of(overlay.placed.map { it.vector }, call.vector))
        val matches = call.task.query?.matches
        val words = overlay.words
        if (matches != null && words != null && "lexical" in weight) scaled("lexical", words.scores(matches, call.lexicalPower(file)))
        return found
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
