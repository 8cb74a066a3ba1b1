package dev.pocketrec.demo

import dev.pocketrec.DataException
import dev.pocketrec.PackageException
import dev.pocketrec.Source
import dev.pocketrec.demo.Films.Opinion
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import java.io.File

class FilmsTest {
    @get:Rule
    val folder: TemporaryFolder = TemporaryFolder()

    private val sample = generateSequence(File(".").absoluteFile) { it.parentFile }
        .map { File(it, "runtime/pocketrec/sample.pocketrec") }.first { it.exists() }
    private val profile by lazy { File(folder.root, "me.profile") }

    private fun open(source: Source = Source.file(sample)) = Films(source, engineFactory, profile)

    @Test
    fun aLikeChangesWhatIsRecommendedAndIsTheReason() {
        val films = open()
        assertFalse(films.personal)
        val before = films.recommend(0.0).map { it.item }
        val robots = films.search("robots", 0.0)[0]
        films.say(robots.item, Opinion.LIKE)
        val after = films.recommend(0.0)
        assertTrue(films.personal)
        assertNotEquals(before, after.map { it.item })
        assertEquals(robots.title, after[0].mainReasons()[0].text)
        assertTrue(after.none { it.item == robots.item })
        assertNotEquals(after.map { it.item }, films.recommend(0.9).map { it.item })
    }

    @Test
    fun anOpinionCanBeTakenBack() {
        val films = open()
        val item = films.search("robots", 0.0)[0].item
        val expected = films.search("war", 0.0).map { it.item to it.score }
        assertEquals(Opinion.NONE, films.opinion(item))
        films.say(item, Opinion.LIKE)
        films.say(item, Opinion.LIKE)
        assertEquals(Opinion.LIKE, films.opinion(item))
        assertNotEquals(expected, films.search("war", 0.0).map { it.item to it.score })
        films.say(item, Opinion.DISLIKE)
        assertEquals(Opinion.DISLIKE, films.opinion(item))
        films.say(item, Opinion.NONE)
        assertEquals(Opinion.NONE, films.opinion(item))
        assertEquals(expected, films.search("war", 0.0).map { it.item to it.score })
    }

    @Test
    fun whatIsErasedIsGone() {
        val films = open()
        val item = films.search("robots", 0.0)[0].item
        films.say(item, Opinion.DISLIKE)
        assertEquals(1, films.facts().events)
        assertTrue(profile.readText().contains(item))
        films.erase()
        assertEquals(0, films.facts().events)
        assertFalse(profile.readText().contains(item))
        assertEquals(Opinion.NONE, films.opinion(item))
    }

    @Test
    fun diagnosticsTellWhatIsThere() {
        val films = open()
        films.search("robots", 0.0)
        films.similar(films.search("war", 0.0)[0].item)
        val facts = films.facts()
        assertEquals(64, facts.id.length)
        assertEquals(sample.length(), facts.packageBytes.toLong())
        assertEquals(1000, facts.items)
        assertEquals(listOf(Films.SEARCH to 2, Films.SIMILAR to 1), facts.timings.map { it.kind to it.count })
        assertTrue(facts.timings.all { it.typicalMs > 0 && it.slowMs >= it.typicalMs })
    }

    @Test
    fun anItemHasDetails() {
        val films = open()
        assertTrue(films.details(films.search("robots", 0.0)[0].item).isNotEmpty())
        assertEquals("", films.details("no such film"))
    }

    @Test
    fun aPackageThatCannotBeOpenedIsASentence() {
        val bytes = sample.readBytes()
        val newer = bytes.decodeToString(0, 4000, throwOnInvalidSequence = false).indexOf("\"format\":")
        val bad = mapOf(
            "cut short" to bytes.copyOf(bytes.size / 2),
            "empty" to ByteArray(0),
            "foreign" to "<html>not found</html>".toByteArray(),
            "damaged" to bytes.copyOf().also { it[bytes.size / 2]++ },
            "changed" to bytes.copyOf().also { it[maxOf(newer, 100) + 10]++ },
        )
        for ((what, content) in bad) {
            val error = assertThrows(what, PackageException::class.java) { open(Source.bytes(content)) }
            assertTrue("$what: ${error.message}", error.message!!.length > 20)
        }
        open() // the profile was left alone, and a good package opens
    }

    @Test
    fun aProfileThatCannotBeWrittenIsASentenceAndTheNextAttemptBeginsAnew() {
        profile.mkdir() // where the file should be
        val error = assertThrows(DataException::class.java) { open() }
        assertTrue(error.message!!.contains(profile.name))
        profile.delete()
        open()
    }
}
