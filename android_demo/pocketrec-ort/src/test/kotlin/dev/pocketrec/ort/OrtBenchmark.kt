package dev.pocketrec.ort

import dev.pocketrec.History
import dev.pocketrec.Pocketrec
import dev.pocketrec.Pocketrec.EngineFactory
import dev.pocketrec.Source
import java.io.File
import java.util.Locale
import java.util.Random

/** Milliseconds of single calls on one thread, as one JSON object: medians and 95th percentiles after warming up. */
internal object OrtBenchmark {
    private const val CALLS = 500
    private const val WARM_UP = 1500
    private const val HISTORY = 30
    private val figures = LinkedHashMap<String, Double>()

    @JvmStatic
    fun main(words: Array<String>) {
        val source = Source.file(File(words[0]))
        val factory = EngineFactory(::OrtEngine)
        measure("ort_open", 20, 20) { Pocketrec.open(source, engine = factory).close() }
        Pocketrec.open(source, engine = factory).use { films ->
            val random = Random(0)
            val ids = films.catalogue.size
            val histories = List(CALLS) { History.of(List(HISTORY) { films.catalogue.id(random.nextInt(minOf(ids, 3000))) }.distinct()) }
            val titles = List(CALLS) { films.catalogue.title(random.nextInt(ids)) }
            measure("ort_recommend", WARM_UP, CALLS) { films.recommend(histories[it % CALLS], k = 10) }
            measure("ort_search", WARM_UP, CALLS) { films.search(titles[it % CALLS], k = 10) }
            measure("ort_similar", WARM_UP, CALLS) { films.similar(films.catalogue.id(it % ids), k = 10) }
            Pocketrec.open(source).use { raw ->
                val same = histories.count { one -> raw.recommend(one, k = 10).map { it.item } == films.recommend(one, k = 10).map { it.item } }
                figures["recommend_lists_as_raw"] = same.toDouble() / CALLS
            }
        }
        println(figures.entries.joinToString(", ", "{", "}") { (name, value) -> "\"$name\": ${String.format(Locale.ROOT, "%.5f", value)}" })
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
}
