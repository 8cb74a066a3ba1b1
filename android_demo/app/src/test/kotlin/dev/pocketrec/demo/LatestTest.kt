package dev.pocketrec.demo

import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import java.util.concurrent.Executor

class LatestTest {
    /** Runs nothing until it is told to. */
    private class Queue : Executor {
        private val waiting = ArrayDeque<Runnable>()

        override fun execute(work: Runnable) {
            waiting.addLast(work)
        }

        fun runAll() {
            while (waiting.isNotEmpty()) waiting.removeFirst().run()
        }
    }

    private val worker = Queue()
    private val screen = Queue()
    private val latest = Latest(worker, screen)
    private val worked = ArrayList<String>()
    private val shown = ArrayList<String>()

    private fun type(text: String) = latest.ask({ text.also(worked::add) }) { shown.add(it.getOrThrow()) }

    @Test
    fun aNewKeystrokeCancelsWhatWaits() {
        type("r")
        type("ro")
        type("rob")
        worker.runAll()
        screen.runAll()
        assertEquals(listOf("rob"), worked)
        assertEquals(listOf("rob"), shown)
    }

    @Test
    fun anAnswerThatWasOvertakenAtWorkIsNotShown() {
        type("r")
        worker.runAll()
        type("ro")
        screen.runAll()
        assertEquals(emptyList<String>(), shown)
        worker.runAll()
        screen.runAll()
        assertEquals(listOf("ro"), shown)
    }

    @Test
    fun aScreenThatIsGoneIsShownNothing() {
        type("r")
        worker.runAll()
        latest.cancel()
        screen.runAll()
        assertEquals(emptyList<String>(), shown)
    }

    @Test
    fun whatWentWrongArrivesOnTheScreen() {
        var seen: Throwable? = null
        latest.ask({ error("broken") }) { seen = it.exceptionOrNull() }
        worker.runAll()
        screen.runAll()
        assertTrue(seen is IllegalStateException)
    }
}
