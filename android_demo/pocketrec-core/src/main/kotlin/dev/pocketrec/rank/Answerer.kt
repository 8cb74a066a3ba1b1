package dev.pocketrec.rank

import dev.pocketrec.Catalogue
import dev.pocketrec.History
import dev.pocketrec.Options
import dev.pocketrec.PackageException
import dev.pocketrec.Results
import dev.pocketrec.UsageException
import dev.pocketrec.added.Additions
import dev.pocketrec.added.OverlayBuilder
import dev.pocketrec.added.Placer
import dev.pocketrec.added.WordLikeness
import dev.pocketrec.engine.Engine
import dev.pocketrec.file.Messages
import dev.pocketrec.file.PackageFile
import dev.pocketrec.history.Histories
import dev.pocketrec.history.Known
import dev.pocketrec.history.Resolved
import dev.pocketrec.history.StandIns
import dev.pocketrec.text.Lexicon
import dev.pocketrec.text.Tokenizer
import dev.pocketrec.text.codePointCount
import dev.pocketrec.text.stripped
import java.io.File

/** From the arguments of a verb to a page of results: history, query, what may be shown. Threads may share it. */
internal class Answerer(
    private val file: PackageFile,
    engine: Engine,
    private val catalogue: Catalogue,
    overlay: File?,
    private val clock: () -> Double = { System.currentTimeMillis() / 1000.0 },
) {
    private val manifest = file.manifest
    private val tokenizer = Tokenizer.of(file)
    private val lexicon = manifest.signals.lexical?.let { Lexicon(file) }
    private val ranker = Ranker(file, engine, tokenizer, lexicon)
    private val placer = tokenizer?.takeIf { file.has("text/value") }?.let {
        Placer(file, engine, it, lexicon?.let { WordLikeness(file, catalogue.size) })
    }

    /** What was added on this device. */
    val additions = Additions(file, catalogue, placer?.let { OverlayBuilder(file, it) }, overlay)

    fun recommend(history: History, k: Int, options: Options): Results {
        val view = additions.view
        val request = Request("recommend", "", k, options).run { copy(interests = phrases(interests)) }
        return answer(request, resolve(view, history, options), view)
    }

    fun search(text: String, history: History, k: Int, options: Options): Results {
        val view = additions.view
        refuseInterests(options)
        return answer(Request("search", text, k, options), resolve(view, history, options), view)
    }

    fun similar(item: String, k: Int, options: Options): Results {
        val view = additions.view
        if (view.index(item) < 0) throw UsageException("item ${Messages.quoted(item)} is not in the catalogue of ${view.size} items")
        refuseInterests(options)
        val disliked = options.profile?.known(view, time(options.now))?.run {
            index.indices.filter { index[it] >= 0 && weight[it] < 0 }.map { view.id(index[it]) }
        }
        val request = Request("similar", item, k, options).run { copy(exclude = exclude + disliked.orEmpty()) }
        return answer(request, resolve(view, History.of(item), Options(strict = true)), view)
    }

    /** The page after the one that gave the cursor. */
    fun more(text: String): Results {
        val view = additions.view
        val cursor = Cursor.read(text)
        if (cursor.state != state(view)) {
            throw UsageException("this page is of another package, or items were added since; start again from the first")
        }
        return answer(cursor.request, resolve(view, History.ofPairs(cursor.history), Options.NONE), view)
    }

    private fun answer(asked: Request, known: Resolved, view: View): Results {
        if (catalogue.size == 0) throw PackageException("this package has no items, so it cannot ${asked.verb}; it labels texts: classify")
        val request = if (catalogue.timed) asked.copy(now = time(asked.now)) else asked
        val query = if (request.verb == "search") query(request.subject) else null
        val mask = mask(view, request, if (query == null) known.seen else IntArray(0))
        Ranker.checkK(request.k)
        if (query != null && query.isEmpty) return Results(emptyList(), known.unknown, query.truncated)
        val before = IntArray(request.shown.size) { view.index(request.shown[it]) }
        val results = ranker.rank(
            Task(request.verb, standingIn(known, view, request.interests), query, mask, request.k, request.weights, request.explain, request.display, before, view),
        )
        if (results.isEmpty() || results.size < request.k) return results
        return Results(results, results.unknown, results.truncated) { cursor(request, known, results, view) }
    }

    private fun cursor(request: Request, known: Resolved, results: Results, view: View): String {
        val ranked = known.index.toHashSet()
        val history = known.index.indices.map { view.id(known.index[it]) to known.weight[it].toDouble() }
        val rest = known.seen.filter { it !in ranked }.map { view.id(it) to 0.0 }
        return Cursor(state(view), history + rest, request.copy(shown = request.shown + results.map { it.item })).write()
    }

    /** What a cursor goes with. */
    private fun state(view: View): String =
        file.id.take(32) + (view.overlay?.let { "+" + Integer.toHexString(it.checksum).padStart(8, '0') } ?: "")

    /** The history and what is said of interests, in items that the engine knows. */
    private fun standingIn(known: Resolved, view: View, phrases: List<String>): Resolved {
        val near = if (phrases.isEmpty()) emptyList() else {
            val placer = placer ?: throw PackageException("this package holds no text encoder, so it cannot read interests")
            phrases.map { placer.near(placer.encode(it), it) }
        }
        val limits = manifest.history
        return StandIns.standIn(known, view.own, view.overlay, phrases, near, limits.maxItems, limits.maxWeight)
    }

    /** What a user says, each phrase once. */
    private fun phrases(said: List<String>): List<String> {
        val phrases = said.map { it.stripped() }.filter { it.isNotEmpty() }.distinct()
        if (phrases.size > MAX_PHRASES || phrases.any { it.codePointCount() > MAX_PHRASE }) {
            throw UsageException("expected at most $MAX_PHRASES interests of at most $MAX_PHRASE characters each")
        }
        return phrases
    }

    private fun time(now: Double?): Double = now ?: clock()

    private fun refuseInterests(options: Options) {
        if (options.interests.isNotEmpty()) throw UsageException("interests count for recommendations; put the words into the search")
    }

    /** The text as encoder and word table read it. */
    fun query(text: String): Query {
        val encoder = manifest.encoder
        if (encoder == null && lexicon == null) {
            throw PackageException("this package holds no texts; build it with an items table to search")
        }
        var tokens = IntArray(0)
        var cut = text.codePointCount() > Tokenizer.MAX_CHARACTERS
        if (tokenizer != null && encoder != null) {
            tokens = tokenizer.tokenize(text, encoder.maxTokens + 1)
            cut = cut || tokens.size > encoder.maxTokens
            if (tokens.size > encoder.maxTokens) tokens = tokens.copyOf(encoder.maxTokens)
        }
        val matches = lexicon?.match(text)
        return Query(tokens, matches, cut || matches?.truncated == true)
    }

    private fun resolve(view: View, history: History, options: Options): Resolved = Histories.resolve(
        history.entries, view, manifest.history.maxItems, manifest.history.maxWeight, options.strict,
        options.profile?.known(view, time(options.now)) ?: Known.NOTHING,
    )

    private fun mask(view: View, request: Request, seen: IntArray): BooleanArray {
        val mask = view.eligible(request.filter, request.now)
        for (index in seen) mask[index] = false
        for (id in request.exclude + request.shown) view.index(id).let { if (it >= 0) mask[it] = false }
        return mask
    }

    private companion object {
        /** Interests of one call, and characters of each. */
        const val MAX_PHRASES = 32
        const val MAX_PHRASE = 1_000
    }
}
