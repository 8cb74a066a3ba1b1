package dev.pocketrec

import dev.pocketrec.file.SortedStrings
import dev.pocketrec.text.Spelling
import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.Base64
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/** Kotlin answers as the numpy engine does, to the last bit of every score; see `tests/make_core_golden.py`. */
class GoldenTest {
    private val golden = Tests.golden("core.json")

    @Test
    fun thePackagesAreThoseOfTheAnswers() {
        val ids = golden["provenance"].map()["packages"].map()
        for ((name, id) in ids) assertEquals(id, Source.file(packageFile(name)).openFile().id)
    }

    @Test
    fun vectorsOfTexts(): Unit = Pocketrec.open(Source.file(Tests.SAMPLE)).use { films ->
        val encoder = golden["encoder"].map()
        val vectors = ByteBuffer.wrap(Base64.getDecoder().decode(encoder["vectors"] as String)).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer()
        for (text in encoder["texts"].texts()) {
            val expected = FloatArray(films.file.textDim).also(vectors::get)
            assertArrayEquals(text, expected, films.encode(text), 0f)
        }
        assertEquals(0, vectors.remaining())
    }

    @Test
    fun knownWordsForUnknownOnes() {
        val file = Source.file(Tests.SAMPLE).openFile()
        val words = SortedStrings(file.array("lexical/word.offset"), file.array("lexical/word.text"))
        val start = file.array("lexical/start")
        val spelling = Spelling(words) { start.int(it + 1) - start.int(it) }
        for (case in golden["spelling"].list()) {
            val (word, unfinished, expected) = case.list()
            val meant = spelling.meant(word as String, unfinished as Boolean).map { listOf(it.row.toLong(), it.weight) }
            assertEquals(word, expected.list(), meant)
        }
    }

    @Test
    fun searches(): Unit = Pocketrec.open(Source.file(Tests.SAMPLE)).use { films ->
        val cases = golden["searches"].list()
        assertTrue(cases.size > 300)
        for (case in cases) {
            val text = case.map()["text"] as String
            assertAnswer(text, case.map(), films.search(text, k = 5))
        }
    }

    @Test
    fun rankings(): Unit = Pocketrec.open(Source.file(packageFile("world.pocketrec"))).use { world ->
        val cases = golden["rankings"].list().map { it.map() }
        assertTrue(cases.size > 100)
        for ((place, case) in cases.withIndex()) {
            val k = (case["k"] as Long).toInt()
            val results = if (case["verb"] == "similar") {
                world.similar(case["item"] as String, k)
            } else {
                val history = History.ofPairs(case["history"].list().map { it.list()[0] as String to it.list()[1] as Double })
                val weights = case["weights"].map().mapValues { it.value as Double }
                val options = Options(exclude = case["exclude"].texts(), weights = weights)
                if (case["verb"] == "search") world.search(case["text"] as String, k, history, options) else world.recommend(history, k, options)
            }
            assertAnswer("${case["verb"]} $place", case, results)
        }
    }

    @Test
    fun ratings(): Unit = Pocketrec.open(Source.file(Tests.TINY)).use { tiny ->
        for (case in golden["predictions"].list().map { it.map() }) {
            val history = case["history"].map().mapValues { it.value as Double }
            for ((expected, found) in case["ratings"].list().zip(tiny.predict(history, case["items"].texts()))) {
                if (expected == null) assertEquals(null, found) else assertEquals(expected as Double, found!!, 1e-12)
            }
        }
    }

    @Test
    fun labels(): Unit = Pocketrec.open(Source.file(packageFile("labels.pocketrec"))).use { labeller ->
        val golden = Tests.golden("labels.json")
        val alerts = listOf(Alert("negative", 0.3), Alert("positive", 0.2, "topic"), Alert("positive", 0.5, "mood"), Alert("loan", 0.0))
        for (case in golden["cases"].list().map { it.map() }) {
            val found = labeller.classify(case["text"] as String, alerts)
            val expected = case["labels"].map()
            assertEquals(expected.keys.toList(), found.labels.keys.toList())
            for ((head, label) in expected) {
                assertEquals(label.map()["label"], found[head]!!.label)
                val probabilities = label.map()["probabilities"].map()
                assertEquals(probabilities.keys.toList(), found[head]!!.probabilities.keys.toList())
                for ((name, value) in probabilities) assertEquals(value as Double, found[head]!!.probabilities.getValue(name), 1e-12)
            }
            val fired = case["alerts"].texts().map { said -> alerts[golden["alerts"].texts().indexOfFirst { it.substringBefore('>') == said.substringBefore('>') }] }
            assertEquals(fired, found.alerts)
            assertEquals(case["truncated"], found.truncated)
        }
        for (wrong in listOf(Alert("positive", 0.1), Alert("nothing", 0.1), Alert("loan", 0.1, "mood"), Alert("loan", 0.1, "nobody"))) {
            assertThrows(UsageException::class.java) { labeller.classify("ab", listOf(wrong)) }
        }
        val nothing = assertThrows(PackageException::class.java) { labeller.recommend() }
        assertEquals("this package has no items, so it cannot recommend; it labels texts: classify", nothing.message)
    }

    @Test
    fun answersToQuestions(): Unit = Pocketrec.open(Source.file(packageFile("answers.pocketrec"))).use { known ->
        for (case in Tests.golden("answers.json")["cases"].list().map { it.map() }) {
            val found = known.answer(case["text"] as String, case["threshold"] as Double?, case["exclude"].texts())
            assertEquals(case["answer"], found.text)
            assertEquals(case["best"], found.best)
            assertEquals(case["item"], found.item)
            assertEquals(case["question"], found.question)
            assertEquals(case["confidence"] as Double, found.confidence, 1e-12)
        }
        assertThrows(UsageException::class.java) { known.answer("tea", 2.0) }
        Pocketrec.open(Source.file(Tests.SAMPLE)).use { films -> assertThrows(PackageException::class.java) { films.answer("robots") } }
    }

    private fun assertAnswer(name: String, expected: Map<String, Any?>, found: Results) {
        assertEquals(name, expected["items"].texts(), found.map { it.item })
        val scores = expected["scores"].list().map { (it as Double).toFloat() }
        assertEquals(name, scores, found.take(scores.size).map { it.score })
        for ((signal, parts) in expected["signals"].map()) {
            for ((part, item) in parts.list().zip(found)) assertEquals("$name $signal", (part as Double).toFloat(), item.signals[signal]!!, 0f)
        }
        assertEquals(name, expected["unknown"].texts(), found.unknown)
        assertEquals(name, expected["truncated"], found.truncated)
    }

    private fun packageFile(name: String): File = if (name == Tests.SAMPLE.name) Tests.SAMPLE else File(Tests.ROOT, "tests/golden/$name")
}
