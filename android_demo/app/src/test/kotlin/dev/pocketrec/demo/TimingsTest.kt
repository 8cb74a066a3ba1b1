package dev.pocketrec.demo

import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Test

class TimingsTest {
    private var now = 0L
    private val timings = Timings { now }

    private fun take(millis: Int) = timings.measure("search") { now += millis * 1_000_000L }

    @Test
    fun percentilesAreValuesThatWereMeasured() {
        for (millis in (1..20).shuffled()) take(millis)
        assertEquals(listOf(Timings.Summary("search", 20, 10.0, 19.0)), timings.summaries())
    }

    @Test
    fun oneCallIsBothTypicalAndSlow() {
        take(7)
        assertEquals(listOf(Timings.Summary("search", 1, 7.0, 7.0)), timings.summaries())
    }

    @Test
    fun onlyTheLastHundredCount() {
        repeat(50) { take(1000) }
        repeat(Timings.KEPT) { take(2) }
        assertEquals(listOf(Timings.Summary("search", 100, 2.0, 2.0)), timings.summaries())
    }

    @Test
    fun aCallThatFailsCountsToo() {
        assertThrows(IllegalStateException::class.java) { timings.measure("similar") { error("broken") } }
        assertEquals(listOf("similar"), timings.summaries().map { it.kind })
    }
}
