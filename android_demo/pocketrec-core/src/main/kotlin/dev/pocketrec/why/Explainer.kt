package dev.pocketrec.why

import dev.pocketrec.Reason
import dev.pocketrec.engine.RankerOutput
import dev.pocketrec.file.Manifest
import dev.pocketrec.file.PackageFile
import dev.pocketrec.history.Blocks
import dev.pocketrec.history.Resolved
import dev.pocketrec.rank.Call
import dev.pocketrec.rank.Query
import dev.pocketrec.text.Tokenizer

/** From one ranking to its reasons: which rows of the tables each signal's split needs. Threads may share it. */
internal class Explainer(private val file: PackageFile, private val tokenizer: Tokenizer?) {
    private val signals = file.manifest.signals

    /** Reasons of each of the items shown, strongest first. */
    fun reasons(shown: RankerOutput, call: Call): List<List<Reason>> {
        val history = call.task.history
        val raw = byItem(shown.index, call)
        val words = ArrayList<String>()
        call.task.query?.let { raw.putAll(byWord(shown.index, it, call, words)) }
        val (causes, column) = causes(history, call)
        val splits = LinkedHashMap<String, Split>()
        for ((name, split) in raw) {
            val at = signals.names.indexOf(name)
            val settled = Reasons.settle(split.parts, call.weights[at], shown.signals[at])
            splits[name] = Split(split.byWord, if (split.byWord) settled else Reasons.together(settled, column, causes.size))
        }
        val priors = Manifest.PRIORS.filter { it in signals.names }.associateWith { shown.signals[signals.names.indexOf(it)] }
        return Reasons.assemble(causes, words, splits, priors)
    }

    /** What each history item adds, unweighted, by signal. */
    private fun byItem(shown: IntArray, call: Call): LinkedHashMap<String, Split> {
        val history = call.task.history
        val view = call.task.view
        val raw = LinkedHashMap<String, Split>()
        signals.factors?.let {
            val dim = view.dim("factors")
            val parts = Reasons.splitFactors(view.rows("factors", shown), view.rows("factors", history.index), dim, history.weight, it.alpha)
            raw["factors"] = Split(false, parts)
        }
        if (signals.neighbours != null) {
            val parts = table("neighbours", shown, call.blocks, history.index.size)
            for ((row, item) in shown.withIndex()) if (item >= view.own) parts[row] = view.overlay!!.neighbourParts(item - view.own, history)
            raw["neighbours"] = Split(false, parts)
        }
        for ((signal, table) in Manifest.PROFILES) if (signal in signals.names) {
            val dim = view.dim(table)
            val rows = view.rows(table, history.index)
            for (at in rows.indices) rows[at] *= history.weight[at / dim]
            raw[signal] = Split(false, Reasons.splitText(view.rows(table, shown), rows, dim))
        }
        return raw
    }

    /** What each word of the query adds, unweighted; one that the encoder and the word table both know is one cause. */
    private fun byWord(shown: IntArray, query: Query, call: Call, words: MutableList<String>): Map<String, Split> {
        val parts = LinkedHashMap<String, Parts>()
        if (tokenizer != null && query.tokens.isNotEmpty()) parts["semantic"] = semantic(shown, query.tokens, call, words)
        val matches = query.matches
        if (matches != null && matches.words.isNotEmpty()) {
            for (word in matches.words) if (word !in words) words.add(word)
            val place = IntArray(matches.words.size) { words.indexOf(matches.words[it]) }
            val found = call.words.blocks
            val owned = Blocks(found.index, found.weight, IntArray(found.owner.size) { place[matches.owner[found.owner[it]]] }, false)
            val lexical = table("lexical", shown, owned, words.size)
            for ((row, item) in shown.withIndex()) { // a title is all its words
                val at = call.words.titleIndex.indexOf(item)
                if (at >= 0) for (column in place) lexical[row][column] += call.words.titleWeight[at].toDouble() / place.size
            }
            val view = call.task.view
            view.overlay?.words?.byWord(matches, call.lexicalPower(file))?.forEachIndexed { word, impacts ->
                for ((row, item) in shown.withIndex()) lexical[row][place[word]] += impacts[item - view.own] ?: 0.0
            }
            parts["lexical"] = lexical
        }
        return parts.filterKeys { it in signals.names }.mapValues { (_, part) -> Split(true, Array(part.size) { part[it].copyOf(words.size) }) }
    }

    private fun semantic(shown: IntArray, tokens: IntArray, call: Call, words: MutableList<String>): Parts {
        val (spelled, owner) = tokenizer!!.words(tokens)
        words.addAll(spelled)
        val table = file.dense("tokens")
        val rows = table.rows(tokens)
        val vectors = FloatArray(spelled.size * table.dim)
        val sum = DoubleArray(table.dim)
        for (t in tokens.indices) for (d in 0 until table.dim) {
            vectors[owner[t] * table.dim + d] += rows[t * table.dim + d]
            sum[d] += rows[t * table.dim + d].toDouble()
        }
        val length = Math.sqrt(sum.sumOf { it * it }).toFloat().let { if (it == 0f) 1f else it }
        for (at in vectors.indices) vectors[at] /= length
        return Reasons.splitText(call.task.view.rows("text", shown), vectors, table.dim)
    }

    private fun table(name: String, shown: IntArray, blocks: Blocks, size: Int): Parts =
        Reasons.splitNeighbours(shown, blocks, file.array("$name/index"), file.array("$name/value"), size)

    /** What the user did or said, in order of appearance, and which of it each history item stands for. */
    private fun causes(history: Resolved, call: Call): Pair<List<Cause>, IntArray> {
        val of = history.cause ?: history.index
        val distinct = of.distinct()
        val place = distinct.withIndex().associate { (at, cause) -> cause to at }
        val view = call.task.view
        val causes = distinct.map {
            if (it >= 0) Cause("item", view.id(it), view.title(it)) else Cause("interest", "", history.phrases[-1 - it])
        }
        return causes to IntArray(of.size) { place.getValue(of[it]) }
    }
}
