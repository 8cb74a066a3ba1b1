package dev.pocketrec.rank

import dev.pocketrec.Catalogue
import dev.pocketrec.History
import dev.pocketrec.Options
import dev.pocketrec.PackageException
import dev.pocketrec.Results
import dev.pocketrec.engine.Engine
import dev.pocketrec.file.PackageFile
import dev.pocketrec.history.Histories
import dev.pocketrec.text.Lexicon
import dev.pocketrec.text.WordPiece
import dev.pocketrec.text.codePointCount
import dev.pocketrec.history.History as Known

/** From the arguments of a verb to results: history, query, what may be shown. Threads may share it. */
internal class Answerer(private val file: PackageFile, engine: Engine, private val catalogue: Catalogue) {
    private val manifest = file.manifest
    private val tokenizer = manifest.encoder?.let { WordPiece(file::array, it.unknown) }
    private val lexicon = manifest.signals.lexical?.let { Lexicon(file) }
    private val ranker = Ranker(file, engine, catalogue, lexicon)

    fun recommend(history: History, k: Int, options: Options): Results {
        val known = resolve(history, options.strict)
        return ranker.rank(Task("recommend", known, null, mask(options, known.seen), k, options.weights))
    }

    fun search(text: String, history: History, k: Int, options: Options): Results {
        val known = resolve(history, options.strict)
        val query = query(text)
        val mask = mask(options, IntArray(0))
        if (query.isEmpty) {
            Ranker.checkK(k)
            return Results(emptyList(), known.unknown, query.truncated)
        }
        return ranker.rank(Task("search", known, query, mask, k, options.weights))
    }

    fun similar(item: String, k: Int, options: Options): Results {
        val known = resolve(History.of(item), strict = true)
        return ranker.rank(Task("similar", known, null, mask(options, known.seen), k, options.weights))
    }

    /** The text as encoder and word table read it. */
    fun query(text: String): Query {
        val encoder = manifest.encoder
        if (encoder == null && lexicon == null) {
            throw PackageException("this package holds no texts; build it with an items table to search")
        }
        var tokens = IntArray(0)
        var cut = text.codePointCount() > WordPiece.MAX_CHARACTERS
        if (tokenizer != null && encoder != null) {
            tokens = tokenizer.tokenize(text, encoder.maxTokens + 1)
            cut = cut || tokens.size > encoder.maxTokens
            if (tokens.size > encoder.maxTokens) tokens = tokens.copyOf(encoder.maxTokens)
        }
        val matches = lexicon?.match(text)
        return Query(tokens, matches, cut || matches?.truncated == true)
    }

    private fun resolve(history: History, strict: Boolean): Known = Histories.resolve(
        history.entries, catalogue::index, manifest.history.maxItems, manifest.history.maxWeight, strict,
    )

    private fun mask(options: Options, seen: IntArray): BooleanArray {
        val mask = BooleanArray(catalogue.size) { true }
        for (index in seen) mask[index] = false
        for (id in options.exclude) catalogue.index(id).let { if (it >= 0) mask[it] = false }
        return mask
    }
}
