package dev.pocketrec.bench

import dev.pocketrec.AddedItem
import dev.pocketrec.Display
import dev.pocketrec.History
import dev.pocketrec.Options
import dev.pocketrec.Pocketrec
import dev.pocketrec.Profile
import dev.pocketrec.Source
import dev.pocketrec.file.Verify
import dev.pocketrec.text.WordPiece
import java.io.File
import java.util.Locale
import java.util.Random

/**
 * Milliseconds of single calls on one thread, as one JSON object: medians and 95th percentiles after warming up.
 *
 * Arguments: a package with histories and texts, and one of 100,000 items whose only signal is texts of 256 numbers.
 */
public object CoreBenchmark {
    private const val CALLS = 300
    private const val WARM_UP = 1500
    private const val HISTORY = 30
    private val figures = LinkedHashMap<String, Double>()

    @JvmStatic
    public fun main(arguments: Array<String>) {
        val (films, large) = arguments.map { Source.file(File(it)) }
        for (verify in Verify.values()) {
            measure("open_${verify.name.lowercase(Locale.ROOT)}", 30, 20) { Pocketrec.open(films, verify).close() }
        }
        Pocketrec.open(films).use { verbs("films", it) }
        Pocketrec.open(large).use { measure("search_100k_256", 200, CALLS) { i -> it.search(TEXTS[i % TEXTS.size], k = 10) } }
        println(figures.entries.joinToString(", ", "{", "}") { (name, value) -> "\"$name\": ${String.format(Locale.ROOT, "%.5f", value)}" })
    }

    private fun verbs(name: String, films: Pocketrec) {
        val random = Random(0)
        val size = films.catalogue.size
        val histories = List(CALLS) { History.of(List(HISTORY) { films.catalogue.id(random.nextInt(minOf(size, 3000))) }.distinct()) }
        val titles = List(CALLS) { films.catalogue.title(random.nextInt(size)) }
        measure("${name}_recommend", WARM_UP, CALLS) { films.recommend(histories[it % CALLS], k = 10) }
        measure("${name}_search", WARM_UP, CALLS) { films.search(titles[it % CALLS], k = 10) }
        measure("${name}_similar", WARM_UP, CALLS) { films.similar(films.catalogue.id(it % size), k = 10) }
        // A slip in every word: each is compared with all words of the package, if it has a table of words.
        measure("${name}_search_misspelled", WARM_UP / 5, CALLS) { films.search(titles[it % CALLS].replace(LETTER, "$1q"), k = 10) }
        wishes(name, films, histories)
        tokenizing(films, titles, random)
    }

    /** What reasons, diversity, a full profile and added items cost on top. */
    private fun wishes(name: String, films: Pocketrec, histories: List<History>) {
        val file = File.createTempFile("bench", ".profile").also { it.delete() }
        Profile.open(file).use { me ->
            repeat(Profile.MAX_EVENTS) { me.add(films.catalogue.id(it % films.catalogue.size), time = 86_400.0 * it / 50) }
            val wishes = mapOf(
                "explained" to Options(explain = true),
                "diverse" to Options(display = Display(diversity = 0.5, distinct = true)),
                "profile_10k" to Options(profile = me, now = 86_400.0 * 250),
            )
            for ((wish, options) in wishes) {
                measure("${name}_recommend_$wish", WARM_UP / 3, CALLS) { films.recommend(histories[it % CALLS], k = 10, options = options) }
            }
        }
        listOf("", ".lock").forEach { File(file.path + it).delete() }
        val items = List(1000) { AddedItem("added-$it", films.catalogue.title(it % films.catalogue.size), "a film about ${films.catalogue.title(7 * it % films.catalogue.size)}") }
        measure("${name}_add_1000", 2, 5) { films.addItems(items) }
        measure("${name}_recommend_1000_added", WARM_UP / 3, CALLS) { films.recommend(histories[it % CALLS], k = 10) }
        films.removeItems(items.map { it.item })
    }

    private fun tokenizing(films: Pocketrec, titles: List<String>, random: Random) {
        val tokenizer = WordPiece(films.file::array, films.file.manifest.encoder!!.unknown)
        val words = titles.flatMap { it.split(" ") }.distinct()
        val known = List(CALLS) { List(12) { words[random.nextInt(words.size)] }.joinToString(" ") }
        measure("tokenize_12_words", 20 * WARM_UP, CALLS) { tokenizer.tokenize(known[it % CALLS]) }
        // No word comes twice, so that every one is taken apart.
        val new = List(10 * WARM_UP + CALLS) { call -> List(12) { words[random.nextInt(words.size)] + Integer.toString(12 * call + it, 36) }.joinToString(" ") }
        measure("tokenize_12_new_words", 10 * WARM_UP, CALLS) { tokenizer.tokenize(new[it]) }
    }

    private fun measure(name: String, warmUp: Int, calls: Int, call: (Int) -> Any?) {
        for (i in 0 until warmUp) call(i)
        val times = DoubleArray(calls) {
            val started = System.nanoTime()
            call(warmUp + it)
            (System.nanoTime() - started) / 1e6
        }
        times.sort()
        figures["${name}_p50_ms"] = times[calls / 2]
        figures["${name}_p95_ms"] = times[calls * 95 / 100]
    }

    private val LETTER = Regex("([a-z])(?=[a-z]+)(?<![a-z][a-z])")
    private val TEXTS = List(50) { "w${it * 7} w${it * 3 + 1} w${it + 100}" }
}
