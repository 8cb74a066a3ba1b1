package dev.pocketrec.file

import dev.pocketrec.Catalogue
import dev.pocketrec.PackageException
import dev.pocketrec.Pocketrec
import dev.pocketrec.Source
import dev.pocketrec.Tests
import dev.pocketrec.ints
import dev.pocketrec.list
import java.io.ByteArrayOutputStream
import java.util.Base64
import java.util.zip.Inflater
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Assert.fail
import org.junit.Test

/** The packages that lie to Python lie to Kotlin, too, see `tests/make_hostile_golden.py`. */
class HostileTest {
    private val good = Tests.TINY.readBytes()

    @Test
    fun everyLieIsRefusedInTheWordsOfPython() {
        val cases = Tests.golden("hostile.json")["cases"].list()
        val wrong = ArrayList<String>()
        for (case in cases) {
            val (name, said, parts) = case.list()
            val answer = try {
                Source.bytes(file(parts.list())).openFile()
                "nothing"
            } catch (error: PackageException) {
                error.message!!.removePrefix("package in memory: ")
            }
            if (plain(said as String) != plain(answer)) wrong.add("$name: Python says: $said\n  Kotlin says: $answer")
        }
        assertEquals("", wrong.joinToString("\n"))
        assertTrue(cases.size > 500)
    }

    /** Messages without what the languages print differently on purpose: details of a JSON parser, and of a float. */
    private fun plain(message: String): String {
        if ("manifest.json is not valid JSON" in message) return "manifest.json is not valid JSON"
        return message.replace(Regex("holds [0-9.eE+]+, expected"), "holds a number, expected")
    }

    @Test
    fun aFlippedByteIsAnErrorOrChangesNothing() {
        val frame = good.size - 22 - 60 * 46 // the directory and the end; of what is before, every 29th byte
        val expected = everything(good)
        var refused = 0
        for (at in good.indices) {
            if (at < frame && at % 29 != 0) continue
            val data = good.copyOf().also { it[at] = (it[at].toInt() xor 0xFF).toByte() }
            try {
                assertEquals("byte $at", expected, everything(data))
            } catch (error: PackageException) {
                refused++
            }
        }
        assertTrue(refused > 1000)
    }

    @Test
    fun lazyGivesAFlippedEntryToNobody() {
        for (entry in Archive.read(Source.bytes(good).openFile().let { java.nio.ByteBuffer.wrap(good).order(java.nio.ByteOrder.LITTLE_ENDIAN) }).drop(1)) {
            if (entry.size == 0) continue
            val data = good.copyOf().also { it[entry.offset + entry.size / 2] = (it[entry.offset + entry.size / 2].toInt() xor 0x10).toByte() }
            val file = Source.bytes(data).openFile(Verify.LAZY)
            val error = assertThrows(PackageException::class.java) { file.blob(entry.name) }
            assertTrue(error.message!!.contains("entry '${entry.name}' is damaged"))
        }
    }

    @Test
    fun everyTruncationIsRefused() {
        for (size in 0 until good.size step 97) {
            try {
                Source.bytes(good.copyOf(size)).openFile()
                fail("$size bytes were opened")
            } catch (error: PackageException) {
                assertTrue(error.message!!.contains("no ZIP end record"))
            }
        }
    }

    @Test
    fun theUntouchedPackageAnswersEveryVerb(): Unit = Pocketrec.open(Source.bytes(good)).use { tiny ->
        assertEquals(4, tiny.recommend(listOf("tea")).size)
        assertEquals(5, tiny.search("green tea mug", history = dev.pocketrec.History.of("pot")).size)
        assertEquals(4, tiny.similar("tea").size)
        assertEquals(2, tiny.predict(mapOf("tea" to 5), listOf("mug", "nothing")).size)
        val catalogue = Catalogue(tiny.file)
        assertEquals("café", catalogue.id(4))
        assertEquals("pot", catalogue.title(2))
    }

    private fun everything(data: ByteArray): Map<String, Int> {
        val file = Source.bytes(data).openFile()
        return file.sizes().mapValues { (name, _) -> if (name == "manifest.json") 0 else file.blob(name).hashCode() } + (file.id to 0)
    }

    private fun file(parts: List<Any?>): ByteArray {
        val out = ByteArrayOutputStream()
        for (part in parts) {
            if (part is String) out.write(inflated(part)) else part.ints().let { (start, length) -> out.write(good, start, length) }
        }
        return out.toByteArray()
    }

    private fun inflated(text: String): ByteArray {
        val inflater = Inflater(true)
        inflater.setDictionary(good.copyOf(END) + good.copyOfRange(good.size - END, good.size))
        inflater.setInput(Base64.getDecoder().decode(text) + 0)
        val out = ByteArrayOutputStream()
        val piece = ByteArray(1 shl 16)
        while (!inflater.finished()) out.write(piece, 0, inflater.inflate(piece))
        inflater.end()
        return out.toByteArray()
    }

    private companion object {
        const val END = 12_288
    }
}
