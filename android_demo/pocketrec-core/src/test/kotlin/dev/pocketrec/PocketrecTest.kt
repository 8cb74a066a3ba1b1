package dev.pocketrec

import dev.pocketrec.file.Verify
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.async
import kotlinx.coroutines.runBlocking
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class PocketrecTest {
    private val source = Source.file(Tests.SAMPLE)

    @Test
    fun answersInTwoLines() {
        val results = Pocketrec.open(source).use { it.search("space adventure with robots", k = 5) }
        assertEquals(5, results.size)
        assertTrue(results.zipWithNext().all { (a, b) -> a.score >= b.score })
        assertEquals(5, results.map { it.item }.toSet().size)
        for (result in results) assertEquals(result.score, result.signals.values.fold(0f, Float::plus))
    }

    @Test
    fun lazyAnswersAsFull() {
        val answers = Verify.values().map { verify -> Pocketrec.open(source, verify).use { films -> films.search("a heist", 20).map { it.item } } }
        assertEquals(answers[0], answers[1])
    }

    @Test
    fun kIsBoundedByWhatThereIs() : Unit = Pocketrec.open(source).use { films ->
        assertEquals(0, films.search("robots", k = 0).size)
        assertEquals(films.catalogue.size, films.search("robots", k = 5000).size)
        assertEquals("k is -1; expected 0 or more", assertThrows(UsageException::class.java) { films.search("robots", k = -1) }.message)
        assertEquals(0, films.search("  \u3000").size)
    }

    @Test
    fun similarLeavesOutTheItemAndWhatIsExcluded() : Unit = Pocketrec.open(source).use { films ->
        val item = films.search("robots", k = 1)[0].item
        val near = films.similar(item, k = 3)
        assertTrue(near.none { it.item == item })
        val rest = films.similar(item, k = 3, options = Options(exclude = listOf(near[0].item, "unknown")))
        assertEquals(near.drop(1).map { it.item }, rest.take(2).map { it.item })
        assertThrows(UsageException::class.java) { films.similar("no such item") }
    }

    @Test
    fun anUnknownIdIsReportedOrRefused() : Unit = Pocketrec.open(source).use { films ->
        assertEquals(listOf("nobody"), films.recommend(listOf("nobody")).unknown)
        val refused = assertThrows(UsageException::class.java) { films.recommend(listOf("nobody"), options = Options(strict = true)) }
        assertEquals("1 history ids are not in the catalogue: 'nobody'; pass strict=false to ignore", refused.message)
        assertThrows(UsageException::class.java) { films.recommend(mapOf("nobody" to Double.NaN)) }
        assertThrows(UsageException::class.java) { films.search("robots", options = Options(weights = mapOf("magic" to 1.0))) }
    }

    @Test
    fun whatIsClosedSaysSo() {
        val films = Pocketrec.open(source)
        films.close()
        films.close()
        assertEquals("this package is closed; open it again", assertThrows(PackageException::class.java) { films.search("robots") }.message)
    }

    @Test
    fun suspendingAnswersAlikeAndCanBeCancelled() : Unit = Pocketrec.open(source).use { films ->
        runBlocking {
            assertEquals(films.search("robots").map { it.item }, films.suspending.search("robots").map { it.item })
            val first = async(start = CoroutineStart.LAZY) { films.suspending.search("rob") }
            first.cancel() // the next key was pressed
            assertTrue(runCatching { first.await() }.exceptionOrNull() is CancellationException)
        }
    }

    @Test
    fun threadsShareOnePackage() : Unit = Pocketrec.open(source).use { films ->
        val queries = listOf("robots", "a heist", "love in paris", "war", "gren mil")
        val expected = queries.map { query -> films.search(query).map { it.item to it.score } }
        val failures = java.util.Collections.synchronizedList(ArrayList<Throwable>())
        val threads = List(4) {
            Thread {
                try {
                    repeat(25) { for ((query, answer) in queries.zip(expected)) assertEquals(answer, films.search(query).map { it.item to it.score }) }
                } catch (error: Throwable) {
                    failures.add(error)
                }
            }
        }
        threads.forEach(Thread::start)
        threads.forEach(Thread::join)
        assertEquals(emptyList<Throwable>(), failures)
    }
}
