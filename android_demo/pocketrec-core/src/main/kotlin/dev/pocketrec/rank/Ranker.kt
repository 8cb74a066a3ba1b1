package dev.pocketrec.rank

import dev.pocketrec.Catalogue
import dev.pocketrec.PackageException
import dev.pocketrec.Recommendation
import dev.pocketrec.Results
import dev.pocketrec.UsageException
import dev.pocketrec.engine.Engine
import dev.pocketrec.engine.RankerOutput
import dev.pocketrec.file.Manifest
import dev.pocketrec.file.PackageFile
import dev.pocketrec.history.Blocks
import dev.pocketrec.text.Lexicon
import dev.pocketrec.text.WordInput

/** One ranking: from a history and a query to weights, the engine's call and the list that is shown. Threads may share it. */
internal class Ranker(
    private val file: PackageFile,
    private val engine: Engine,
    private val catalogue: Catalogue,
    private val lexicon: Lexicon?,
) {
    private val signals = file.manifest.signals.names

    /**
     * The items to show: min(k, eligible) of them.
     *
     * @throws UsageException k or a weight outside its range, or an unknown signal.
     * @throws PackageException the package's scores are not finite.
     */
    fun rank(task: Task): Results {
        checkK(task.k)
        val call = prepare(task)
        val n = minOf(task.k, call.eligible)
        val items = if (n > 0) present(ranked(call, n)) else emptyList()
        return Results(items, task.history.unknown, call.truncated)
    }

    /** What the engine needs to know besides n. */
    private fun prepare(task: Task): Call {
        val query = task.query
        val weights = weights(task)
        val blocks = blocks(task)
        var mask = task.mask
        var words = WordInput.NONE
        if (lexicon != null && query?.matches != null) {
            words = lexicon.gather(query.matches, file.manifest.blend.getValue(task.mode)["lexical"]?.power ?: 0.0)
            if (query.tokens.isEmpty()) { // nothing else tells items apart: what no word leads to is no answer
                val reached = lexicon.reached(words)
                mask = BooleanArray(mask.size) { mask[it] && reached[it] }
            }
        }
        val encodes = query != null && query.tokens.isNotEmpty() && task.k > 0 && mask.any { it }
        val vector = if (encodes) engine.encode(query.tokens) else FloatArray(0)
        val truncated = task.history.truncated || blocks.truncated || words.blocks.truncated || query?.truncated == true
        return Call(task, mask, blocks, vector, words, weights, truncated)
    }

    /** The n best items of the package, by the engine. */
    private fun ranked(call: Call, n: Int): RankerOutput {
        val output = engine.rank(call.input(n))
        val finite = output.score.all(Float::isFinite) && output.signals.all { part -> part.all(Float::isFinite) }
        if (!finite && call.task.weights.isNotEmpty()) {
            throw UsageException("with weights ${call.task.weights} the scores overflow; use smaller ones")
        }
        if (!finite || output.index.size != n) {
            throw PackageException("the scores of this package overflow: its tables and weights are too large to be used")
        }
        return output
    }

    /** Arrays as the values that callers see. */
    private fun present(shown: RankerOutput): List<Recommendation> = shown.index.indices.map { row ->
        val parts = LinkedHashMap<String, Float>(2 * signals.size)
        for ((s, signal) in signals.withIndex()) parts[signal] = shown.signals[s][row]
        Recommendation(catalogue.id(shown.index[row]), catalogue.title(shown.index[row]), shown.score[row], parts)
    }

    /** The weight of each signal times its power of the size of the history or of the query's words. */
    private fun weights(task: Task): FloatArray {
        val unknown = task.weights.keys.find { it !in signals }
        if (unknown != null) throw UsageException("unknown signal '$unknown'; this package has ${signals.joinToString()}")
        val history = task.history.weight
        val historySize = if (history.isEmpty()) 1.0 else maxOf(history.sumOf { Math.abs(it).toDouble() }, SMALLEST_HISTORY)
        val terms = file.manifest.blend.getValue(task.mode)
        return FloatArray(signals.size) {
            val signal = signals[it]
            val term = terms[signal]
            val weight = task.weights[signal]?.let { own -> checked(signal, own) } ?: term?.weight ?: 0.0
            val size = when (signal) {
                in Manifest.HISTORY_SIGNALS -> historySize
                "lexical" -> task.query?.matches?.size ?: 1.0
                else -> 1.0
            }
            maxOf(-LARGEST_WEIGHT, minOf(LARGEST_WEIGHT, weight * Math.pow(size, -(term?.power ?: 0.0)))).toFloat()
        }
    }

    private fun checked(signal: String, weight: Double): Double {
        if (!(Math.abs(weight) <= LARGEST_WEIGHT)) {
            throw UsageException("the weight of signal '$signal' is $weight; expected a finite number of float32")
        }
        return weight
    }

    private fun blocks(task: Task): Blocks {
        val settings = file.manifest.signals.neighbours
        if (settings == null || task.history.index.isEmpty()) return Blocks.NONE
        val history = task.history
        return Blocks.gather(history.index, history.weight, file.array("neighbours/start"), file.array("neighbours/scale"), settings.budget)
    }

    companion object {
        /** Histories that weigh less are taken to weigh this, so that no power of their weight overflows. */
        private const val SMALLEST_HISTORY = 1e-30
        private const val LARGEST_WEIGHT = Float.MAX_VALUE.toDouble()

        /** Refuses what is no number of items. */
        fun checkK(k: Int) {
            if (k < 0) throw UsageException("k is $k; expected 0 or more")
        }
    }
}
