package dev.pocketrec

import dev.pocketrec.profile.Records
import java.io.File
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull

/** Calls of golden files, made again and compared: the answers are Python's, scores within a [tolerance]. */
internal class GoldenCalls(private val films: Pocketrec, private val folder: File, private val tolerance: Float) {
    /** Makes one call, and reads as many pages as the golden file has. */
    fun check(case: Map<String, Any?>) {
        val name = "${case["verb"]} ${case["subject"]} ${case["options"]}"
        var page = first(case)
        val expected = case["results"].list()
        assertEquals(name, case["unknown"].list(), page.unknown)
        for ((number, items) in expected.withIndex()) {
            if (number > 0) page = films.more(page.next!!)
            assertPage("$name page $number", items.list(), page)
        }
        if (expected.size < (case["pages"] as Number).toInt()) assertNull(name, page.next)
    }

    private fun numbers(value: Any?) = value?.map().orEmpty().mapValues { (it.value as Number).toDouble() }

    private fun options(values: Map<String, Any?>) = Options(
        exclude = values["exclude"]?.texts().orEmpty(),
        weights = numbers(values["weights"]),
        filter = Filter.parse(values["filter"]?.texts().orEmpty()),
        profile = values["profile"]?.let { profile(it.list()) },
        interests = values["interests"]?.texts().orEmpty(),
        explain = values["explain"] == true,
        display = Display(
            (values["diversity"] as Number?)?.toDouble() ?: 0.0,
            values["distinct"] == true,
            numbers(values["max_per"]).mapValues { it.value.toInt() },
            values["min_share"]?.map().orEmpty().mapValues { numbers(it.value) },
        ),
        now = (values["now"] as Number?)?.toDouble(),
    )

    private fun profile(events: List<Any?>): Profile {
        val file = File(folder, "me.profile")
        val records = events.map { it.list() }.map { Records.encode(Event(it[0] as String, it[1] as String, (it[2] as Number).toDouble())) }
        file.writeBytes("PKTRPRF1".toByteArray() + records.fold(ByteArray(0), ByteArray::plus))
        return Profile.open(file, write = false)
    }

    fun first(case: Map<String, Any?>): Results {
        val history = History.ofPairs(case["history"].list().map { it.list() }.map { it[0] as String to it[1] as Number })
        val options = options(case["options"].map())
        val k = (case["k"] as Number).toInt()
        val subject = case["subject"] as String
        return when (case["verb"]) {
            "recommend" -> films.recommend(history, k, options)
            "search" -> films.search(subject, k, history, options)
            else -> films.similar(subject, k, options)
        }
    }

    fun assertPage(name: String, expected: List<Any?>, page: Results) {
        assertEquals(name, expected.map { it.list()[0] }, page.map { it.item })
        for ((theirs, ours) in expected.map { it.list() }.zip(page)) {
            assertEquals(name, theirs[1], ours.title)
            assertEquals("$name: ${ours.item}", (theirs[2] as Number).toFloat(), ours.score, tolerance)
            val why = theirs[3].list().map { it.list() }
            assertEquals("$name: ${ours.item}", why.map { it.subList(0, 3) }, ours.reasons.map { listOf(it.kind, it.id, it.text) })
            for ((reason, mine) in why.zip(ours.reasons)) {
                assertEquals(name, (reason[3] as Number).toDouble(), mine.contribution, 1e-6 + tolerance)
                assertEquals(name, reason[4].map().keys.toList(), mine.signals.keys.toList())
                for ((signal, part) in mine.signals) assertEquals(name, (reason[4].map()[signal] as Number).toDouble(), part, 1e-6 + tolerance)
            }
        }
    }
}
