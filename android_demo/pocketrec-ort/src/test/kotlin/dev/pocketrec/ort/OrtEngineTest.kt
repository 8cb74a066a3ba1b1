package dev.pocketrec.ort

import dev.pocketrec.EngineException
import dev.pocketrec.History
import dev.pocketrec.Pocketrec
import dev.pocketrec.Pocketrec.EngineFactory
import dev.pocketrec.Results
import dev.pocketrec.Source
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import java.io.File
import java.nio.ByteBuffer
import java.util.Collections

/** The real graphs of the sample package, through the Java classes and the JNI library that an app ships. */
class OrtEngineTest {
    private val sample = generateSequence(File(".").absoluteFile) { it.parentFile }
        .map { File(it, "runtime/pocketrec/sample.pocketrec") }.first { it.exists() }
    private val onnx = EngineFactory(::OrtEngine)

    @Test
    fun answersAsTheRawEngine() {
        Pocketrec.open(Source.file(sample), engine = onnx).use { fast ->
            Pocketrec.open(Source.file(sample)).use { raw ->
                assertEquals("onnx", fast.engine.name)
                for (text in listOf("space adventure with robots", "a heist that goes wrong", "", "zzz")) {
                    assertAlike(raw.search(text, 20), fast.search(text, 20))
                }
                val history = raw.search("robots", 5).map { it.item }
                assertAlike(raw.recommend(history, 20), fast.recommend(history, 20))
                assertAlike(raw.recommend(History.EMPTY, 20), fast.recommend(History.EMPTY, 20))
                assertAlike(raw.similar(history[0], 20), fast.similar(history[0], 20))
            }
        }
    }

    @Test
    fun aPackageInTheHeapIsBoundToo() {
        val here = Source.buffer(ByteBuffer.wrap(sample.readBytes()))
        Pocketrec.open(here, engine = onnx).use { heap ->
            Pocketrec.open(Source.file(sample), engine = onnx).use { mapped ->
                assertEquals(mapped.search("robots").map { it.item to it.score }, heap.search("robots").map { it.item to it.score })
            }
        }
    }

    @Test
    fun threadsShareOneEngine() {
        Pocketrec.open(Source.file(sample), engine = onnx).use { films ->
            val texts = listOf("robots", "war", "love in paris", "a heist")
            val expected = texts.map { text -> films.search(text).map { it.item to it.score } }
            val failures = Collections.synchronizedList(ArrayList<Throwable>())
            val threads = List(4) {
                Thread {
                    try {
                        repeat(50) { for ((text, answer) in texts.zip(expected)) assertEquals(answer, films.search(text).map { it.item to it.score }) }
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

    @Test
    fun whatIsClosedSaysSo() {
        val file = Source.file(sample).openFile()
        val engine = OrtEngine(file)
        engine.close()
        engine.close()
        assertEquals("the engine was closed", assertThrows(EngineException::class.java) { engine.encode(intArrayOf(5)) }.message)
    }

    @Test
    fun versionsThatMayNotRunAreRefused() {
        OrtEngine.checkVersion("1.26.0", "1.25")
        OrtEngine.checkVersion("1.28.9+cpu", "1.25")
        OrtEngine.checkVersion("1.25", "1.25")
        val old = assertThrows(EngineException::class.java) { OrtEngine.checkVersion("1.9.1", "1.25") }
        assertTrue(old.message, old.message!!.startsWith("this package needs onnxruntime 1.25 or newer, found 1.9.1"))
        for (version in listOf("1.29.0", "1.29", "2.0.0")) {
            val new = assertThrows(EngineException::class.java) { OrtEngine.checkVersion(version, "1.25") }
            assertTrue(new.message, new.message!!.contains("telemetry"))
        }
    }

    /** The sums are the same, in another order: equal to about 1 part in 100,000, and items that differ by more in order. */
    private fun assertAlike(expected: Results, found: Results) {
        assertEquals(expected.size, found.size)
        val scores = expected.associate { it.item to it.score }
        for ((a, b) in expected.zip(found)) {
            assertEquals(a.score, b.score, 2e-5f)
            assertEquals(a.item, a.score, scores[b.item] ?: b.score, 2e-5f)
        }
    }
}
