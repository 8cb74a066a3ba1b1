package dev.pocketrec

import dev.pocketrec.items.Times
import dev.pocketrec.rank.Cursor
import dev.pocketrec.text.Decimals
import dev.pocketrec.text.Folding
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/** Times, numbers as text, words of filters, cursors and folded titles: the golden files are Python's, too. */
class ValuesTest {
    private val golden = Tests.golden("values.json")

    private fun pairs(name: String) = golden[name].list().map { it.list() }.also { assertTrue(name, it.isNotEmpty()) }

    private fun <T> orNull(read: () -> T): T? = try {
        read()
    } catch (_: UsageException) {
        null
    }

    @Test
    fun times() {
        for ((value, expected) in pairs("times")) {
            val found = orNull { Times.period(value!!) }?.let { listOf(it.first, it.last + 1) }
            assertEquals("$value", expected?.list(), found)
        }
        for ((seconds, text) in pairs("texts")) assertEquals(text, Times.text(seconds as Long))
        for (value in listOf(true, emptyList<Int>())) assertThrows(UsageException::class.java) { Times.period(value) }
    }

    @Test
    fun filters() {
        for ((word, expected) in pairs("filters")) {
            val found = orNull { Filter.parse(listOf(word as String)) }?.wishes?.entries?.single()
            assertEquals("$word", expected, found?.let { (key, wishes) -> listOf(key, wishes.map { listOf(it.sign, it.value) }.single()) })
        }
    }

    @Test
    fun numbersAsText() {
        for ((bits, text) in pairs("doubles")) {
            assertEquals(text, Decimals.text(java.lang.Double.longBitsToDouble(java.lang.Long.parseUnsignedLong(bits as String, 16))))
        }
        for ((bits, text) in pairs("floats")) {
            assertEquals(text, Decimals.text(Decimals.widened(java.lang.Float.intBitsToFloat(Integer.parseUnsignedInt(bits as String, 16)))))
        }
    }

    @Test
    fun cursors() {
        val cursors = golden["cursors"].list().map { it.map() }
        for (case in cursors) assertEquals(case["json"], Cursor.unfold(case["cursor"] as String))
        for (plain in listOf(cursors[0], cursors[2])) { // what they hold is written as Python wrote it
            assertEquals(plain["json"], Cursor.unfold(Cursor.read(plain["cursor"] as String).write()))
        }
        val wide = Cursor.read(cursors[1]["cursor"] as String)
        assertEquals(listOf("a" to 1.0, "b" to -0.1, "c" to 0.0), wide.history)
        val request = wide.request
        assertEquals(listOf("search", "naïve \ud800 \ud83e\udd16", 7, true, 1.8e9), request.run { listOf(verb, subject, k, explain, now) })
        assertEquals(listOf("1", "two"), request.exclude)
        assertEquals(mapOf("factors" to -0.25), request.weights)
        assertEquals(listOf("a", "b") to listOf("noir"), request.shown to request.interests)
        val wishes = request.filter.wishes.mapValues { (_, all) -> all.joinToString { "${it.sign}${it.value}" } }
        assertEquals(mapOf("category" to "=A, =B", "price" to ">=1.5", "in stock" to "=true", "none" to "", "tuple" to "=red, =blue"), wishes)
        assertEquals(listOf(0.3, true, mapOf("category" to 2), mapOf("maker" to mapOf("Acme" to 0.2))), request.display.run { listOf(diversity, distinct, maxPer, minShare) })
    }

    @Test
    fun badCursors() {
        val bad = golden["bad_cursors"].map()
        assertTrue(bad.size > 15)
        for ((name, text) in bad) {
            val said = assertThrows(name, UsageException::class.java) { Cursor.read(text as String) }.message!!
            assertTrue("$name: $said", "is no cursor of a page" in said)
        }
        assertThrows(UsageException::class.java) { Cursor.read("A".repeat(Cursor.MAX_CURSOR + 1)) }
    }

    @Test
    fun sentences() {
        assertEquals(golden["phrases"], Phrases.LANGUAGES)
        for ((kind, text, contribution, language, sentence) in pairs("said")) {
            val reason = Reason(kind as String, "", text as String, contribution as Double, emptyMap())
            assertEquals(sentence, Phrases.describe(reason, language as String))
        }
        val alien = Reason("item", "i7", "Alien", 1.0, emptyMap())
        assertEquals("weil Alien", Phrases.describe(alien, mapOf("item+" to "weil {text}")))
        assertEquals("boosted", Phrases.describe(Reason("boost", "", "", 1.0, emptyMap()), mapOf("item+" to "weil {text}")))
        val said = assertThrows(UsageException::class.java) { Phrases.describe(alien, "tlh") }.message!!
        assertTrue(said, said.startsWith("no language 'tlh'; there are en, zh"))
    }

    @Test
    fun foldedTitles() {
        val folded = Folding.of(Source.file(Tests.SAMPLE).openFile())
        for (case in Tests.golden("folding.json")["texts"].list().map { it.map() }) {
            assertEquals(case["folded"], folded(case["text"] as String))
            assertEquals(case["ascii"], Folding.ascii(case["text"] as String))
        }
    }
}
