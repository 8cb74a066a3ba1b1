package dev.pocketrec.file

import dev.pocketrec.engine.RawEngine
import dev.pocketrec.PackageException
import dev.pocketrec.Pocketrec
import dev.pocketrec.Source
import dev.pocketrec.Tests
import java.io.File
import java.nio.channels.FileChannel
import java.nio.file.StandardOpenOption
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class PackageFileTest {
    @Test
    fun everyRowIsFoundByItsStringAndNothingElse() {
        val file = Source.file(Tests.SAMPLE).openFile()
        for (prefix in listOf("catalogue/id", "tokenizer/vocab")) {
            val table = file.strings(prefix)
            for (row in 0 until table.size) assertEquals(row, table.find(table[row]))
            for (missing in listOf("no such string", "", "\ud800", "x".repeat(5000))) assertEquals(-1, table.find(missing))
        }
        val words = SortedStrings(file.array("lexical/word.offset"), file.array("lexical/word.text"))
        for (row in 0 until words.size) assertEquals(row, words.find(words[row]))
        assertEquals(-1, words.find("zzzzzz"))
    }

    @Test
    fun aPackageInsideAnotherFileIsMappedInPlace() {
        val host = File.createTempFile("host", ".apk")
        val inside = Tests.SAMPLE.readBytes()
        host.writeBytes(ByteArray(4097) + inside + ByteArray(55))
        FileChannel.open(host.toPath(), StandardOpenOption.READ).use { channel ->
            val source = Source.channel(channel, 4097, inside.size.toLong())
            channel.close() // it was mapped at once
            val file = source.openFile()
            assertEquals(Source.file(Tests.SAMPLE).openFile().id, file.id)
            assertTrue(file.blob("text/value").isDirect)
            val answers = listOf(file, Source.file(Tests.SAMPLE).openFile()).map { package_ ->
                Pocketrec(package_, RawEngine(package_)).search("love in paris").map { it.item to it.score }
            }
            assertEquals(answers[1], answers[0]) // also where numbers lie at odd positions
        }
        FileChannel.open(host.toPath(), StandardOpenOption.READ).use { channel ->
            val beyond = assertThrows(PackageException::class.java) { Source.channel(channel, 4097, inside.size + 56L) }
            assertTrue(beyond.message!!.contains("is it cut short?"))
        }
        host.delete()
    }

    @Test
    fun whatIsNoPackageFileIsNamed() {
        val missing = assertThrows(PackageException::class.java) { Source.file(File("no/such.pocketrec")).openFile() }
        assertEquals("no/such.pocketrec: no such file", missing.message)
        assertThrows(PackageException::class.java) { Source.file(File(".")).openFile() }
    }

    @Test
    fun aClosedPackageGivesNothingMore() {
        val file = Source.file(Tests.SAMPLE).openFile(Verify.LAZY)
        file.array("text/value")
        file.close()
        assertThrows(PackageException::class.java) { file.array("text/value") }
    }
}
