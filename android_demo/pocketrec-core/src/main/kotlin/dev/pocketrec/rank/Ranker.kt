package dev.pocketrec.rank

import dev.pocketrec.PackageException
import dev.pocketrec.Reason
import dev.pocketrec.Recommendation
import dev.pocketrec.Results
import dev.pocketrec.UsageException
import dev.pocketrec.added.OverlayRanking
import dev.pocketrec.engine.Engine
import dev.pocketrec.engine.RankerOutput
import dev.pocketrec.file.Manifest
import dev.pocketrec.file.PackageFile
import dev.pocketrec.history.Blocks
import dev.pocketrec.history.Histories
import dev.pocketrec.show.Candidates
import dev.pocketrec.show.Rerank
import dev.pocketrec.text.Folding
import dev.pocketrec.text.Lexicon
import dev.pocketrec.text.Matches
import dev.pocketrec.text.WordInput
import dev.pocketrec.text.Tokenizer
import dev.pocketrec.why.Explainer

/** One ranking: from a history and a query to weights, the engine's call and the list that is shown. Threads may share it. */
internal class Ranker(
    private val file: PackageFile,
    private val engine: Engine,
    tokenizer: Tokenizer?,
    private val lexicon: Lexicon?,
) {
    private val signals = file.manifest.signals.names
    private val folded = Folding.of(file)
    private val explainer = Explainer(file, tokenizer)

    /**
     * The items to show: prepare, pool, arrange, present. min(k, eligible) of them unless constraints allow fewer.
     *
     * @throws UsageException k or a weight outside its range, or an unknown signal.
     * @throws PackageException the package's scores are not finite.
     */
    fun rank(task: Task): Results {
        checkK(task.k)
        val call = prepare(task)
        val n = minOf(task.k, call.eligible)
        val items = if (n > 0) present(arranged(call, n), call) else emptyList()
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
                val reached = reached(lexicon, query.matches, words, task)
                mask = BooleanArray(mask.size) { mask[it] && reached[it] }
            }
        }
        val encodes = query != null && query.tokens.isNotEmpty() && task.k > 0 && mask.any { it }
        val vector = if (encodes) engine.encode(query.tokens) else FloatArray(0)
        val truncated = task.history.truncated || blocks.truncated || words.blocks.truncated || query?.truncated == true
        return Call(task, mask, blocks, vector, words, weights, truncated)
    }

    /** Which items a query finds by its words. */
    private fun reached(lexicon: Lexicon, matches: Matches, words: WordInput, task: Task): BooleanArray {
        val own = lexicon.reached(words)
        val overlay = task.view.overlay ?: return own
        val scores = overlay.words?.scores(matches, 0.0) ?: return own + BooleanArray(overlay.size)
        return own + BooleanArray(overlay.size) { scores[it] > 0 }
    }

    /** At most n items of a pool, in the order in which they are shown; the pool grows while they are too few. */
    private fun arranged(call: Call, n: Int): RankerOutput {
        val display = call.task.display
        if (display.plain) return pool(call, n)
        if (n > Rerank.MAX_K) {
            throw UsageException("k is $n; a list that is rearranged holds at most ${Rerank.MAX_K}, pages go on from there")
        }
        val before = candidates(call, call.task.before, FloatArray(call.task.before.size))
        val most = minOf(call.eligible, Rerank.MAX_POOL)
        var size = minOf(Rerank.poolSize(n), most)
        while (true) {
            val pool = pool(call, size)
            val places = Rerank.choose(candidates(call, pool.index, pool.score), n, display, before, last = size == most)
            if (size == most || places.size == n) return pick(pool, places)
            size = minOf(size * Rerank.POOL_FACTOR, most)
        }
    }

    /** What arranging needs to know of items: vectors of their texts, or of their factors where there are none. */
    private fun candidates(call: Call, index: IntArray, score: FloatArray): Candidates {
        val display = call.task.display
        val view = call.task.view
        val table = listOf("text", "factors").find { file.has("$it/value") }
        if (table == null && display.diversity > 0) {
            throw PackageException("this package holds neither texts nor factors, so diversity has nothing to compare")
        }
        val dim = if (table == null || !display.compares) 0 else view.dim(table)
        val vectors = if (dim == 0) DoubleArray(0) else Candidates.unit(view.rows(table!!, index), dim)
        val titles = if (display.distinct) index.map { folded(view.title(it)) } else emptyList()
        return Candidates(score, vectors, dim, titles, display.attributes.associateWith { key -> index.map { view.labels(it, key) } })
    }

    private fun pick(pool: RankerOutput, places: IntArray) = RankerOutput(
        Histories.pick(pool.index, places),
        Histories.pick(pool.score, places),
        Array(pool.signals.size) { Histories.pick(pool.signals[it], places) },
    )

    /** The n best items by score: the engine's and, where there are any, added ones. */
    private fun pool(call: Call, n: Int): RankerOutput {
        val overlay = call.task.view.overlay ?: return ranked(call, n)
        val own = minOf(n, call.eligibleOwn)
        val ranked = if (own > 0) ranked(call, own) else RankerOutput(IntArray(0), FloatArray(0), Array(signals.size) { FloatArray(0) })
        return OverlayRanking.merged(file, overlay, call, ranked, n).also { refuseOverflow(it, call) }
    }

    /** The n best items of the package, by the engine. */
    private fun ranked(call: Call, n: Int): RankerOutput {
        val output = engine.rank(call.input(n))
        refuseOverflow(output, call)
        if (output.index.size != n) throw PackageException("the engine ranked ${output.index.size} of $n items: the package's scores overflow")
        return output
    }

    private fun refuseOverflow(output: RankerOutput, call: Call) {
        if (output.score.all(Float::isFinite) && output.signals.all { part -> part.all(Float::isFinite) }) return
        if (call.task.weights.isNotEmpty()) throw UsageException("with weights ${call.task.weights} the scores overflow; use smaller ones")
        throw PackageException("the scores of this package overflow: its tables and weights are too large to be used")
    }

    /** Arrays as the values that callers see, with reasons where they were asked for. */
    private fun present(shown: RankerOutput, call: Call): List<Recommendation> {
        val why = if (call.task.explain) explainer.reasons(shown, call) else List(shown.index.size) { emptyList<Reason>() }
        val view = call.task.view
        return shown.index.indices.map { row ->
            val parts = LinkedHashMap<String, Float>(2 * signals.size)
            for ((s, signal) in signals.withIndex()) parts[signal] = shown.signals[s][row]
            Recommendation(view.id(shown.index[row]), view.title(shown.index[row]), shown.score[row], parts, why[row])
        }
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
