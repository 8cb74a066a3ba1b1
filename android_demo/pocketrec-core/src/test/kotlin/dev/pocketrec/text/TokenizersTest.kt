package dev.pocketrec.text

import dev.pocketrec.Source
import dev.pocketrec.Tests
import dev.pocketrec.file.Crc32
import dev.pocketrec.file.DType
import dev.pocketrec.file.NumberArray
import dev.pocketrec.ints
import dev.pocketrec.list
import dev.pocketrec.map
import dev.pocketrec.texts
import java.nio.ByteBuffer
import java.nio.ByteOrder
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

/** The tokenizer gives the ids of HF `tokenizers`, and the analyzer the words of Python, for every golden string. */
class TokenizersTest {
    private val sample = Source.file(Tests.SAMPLE).openFile()
    private val golden = Tests.golden("wordpiece.json")
    private val pieces = vocabulary((golden["vocabulary"] as String).split(" "))
    private val tokenizer = WordPiece({ pieces[it] ?: sample.array(it) }, "[UNK]")
    private val analyzer = Analyzer(sample::array)

    @Test
    fun tokenIdsOfHostileStrings() {
        val cases = golden["cases"].list() + golden["lone_surrogates"].list()
        assertTrue(cases.size >= 1500)
        repeat(2) { // by the rules, then from memory
            for (case in cases) {
                val (text, ids) = case.list()
                assertArrayEquals(text as String, ids.ints().toIntArray(), tokenizer.tokenize(text))
                assertArrayEquals(text, ids.ints().take(3).toIntArray(), tokenizer.tokenize(text, 3))
            }
        }
    }

    @Test
    fun unigramIdsOfHostileStrings() {
        val golden = Tests.golden("unigram.json")
        val rows = golden["normal"].list().flatMap { row ->
            val (code, text) = row.list()
            (text as String).ifEmpty { "\u0000" }.toCodePoints().map { (code as Long).toInt() to it }
        }.sortedBy { it.first }
        val arrays = vocabulary(golden["pieces"].texts()) + mapOf(
            "tokenizer/score" to float32(golden["scores"].list().map { (it as Number).toFloat() }),
            "tokenizer/normal.code" to uint32(rows.map { it.first }.toIntArray()),
            "tokenizer/normal.text" to uint32(rows.map { it.second }.toIntArray()),
        )
        val unigram = Unigram(arrays::getValue, "<unk>")
        val cases = golden["cases"].list()
        assertTrue(cases.size >= 1500)
        for (case in cases) {
            val (text, ids) = case.list()
            assertArrayEquals(text as String, ids.ints().toIntArray(), unigram.tokenize(text))
        }
        for (text in golden["lone_surrogates"].texts()) unigram.tokenize(text)
        assertArrayEquals(unigram.tokenize("space robots"), unigram.tokenize("space\ud83d robots"))
    }

    @Test
    fun aTextIsCutToItsFirstCharacters() {
        val long = "ab ".repeat(5000)
        assertArrayEquals(tokenizer.tokenize(long.take(Tokenizer.MAX_CHARACTERS)), tokenizer.tokenize(long))
        val rare = "\ud83d\ude00".repeat(Tokenizer.MAX_CHARACTERS) // two halves each, one character each
        assertArrayEquals(tokenizer.tokenize(rare), tokenizer.tokenize("$rare space"))
        assertArrayEquals(tokenizer.tokenize(rare.drop(12) + " space").takeLast(1).toIntArray(), tokenizer.tokenize("space"))
    }

    @Test
    fun wordsOfHostileStrings() {
        val golden = Tests.golden("analyzer.json")
        for (case in golden["texts"].list()) assertEquals(case.map()["words"].texts(), analyzer.words(case.map()["text"] as String))
        val texts = this.golden["cases"].list().map { it.list()[0] as String }
        val expected = golden["hostile"].texts()
        assertEquals(texts.size, expected.size)
        for ((text, words) in texts.zip(expected)) assertEquals(text, words, analyzer.words(text).joinToString(" "))
    }

    @Test
    fun spellingsAndHashesOfTitles() {
        val titles = Titles { analyzer.words(it) }
        for (case in Tests.golden("analyzer.json")["titles"].list()) {
            val title = case.map()["title"] as String
            val query = case.map()["query"].texts()
            assertEquals(case.map()["spellings"].list().map { it.texts() }, titles.spellings(title))
            assertEquals(query, titles.spelling(title))
            val keys = case.map()["query_keys"].list().map { (it as Long).toInt() }
            if (query.isNotEmpty()) assertEquals(keys, Titles.queryKeys(query))
        }
    }

    /** The arrays of a vocabulary, as `pocketrec_export.writer.string_table` makes them. */
    private fun vocabulary(pieces: List<String>): Map<String, NumberArray> {
        val bytes = pieces.map { it.toByteArray() }
        val offset = bytes.scan(0) { sum, piece -> sum + piece.size }
        val slots = Integer.highestOneBit(2 * pieces.size) * 2
        val slot = IntArray(slots) { -1 }
        for ((row, piece) in bytes.withIndex()) {
            var at = Crc32.of(piece) and (slots - 1)
            while (slot[at] >= 0) at = (at + 1) and (slots - 1)
            slot[at] = row
        }
        return mapOf(
            "tokenizer/vocab.offset" to uint32(offset.toIntArray()),
            "tokenizer/vocab.text" to NumberArray(DType.UINT8, longArrayOf(offset.last().toLong()), ByteBuffer.wrap(bytes.reduce(ByteArray::plus))),
            "tokenizer/vocab.slot" to uint32(slot),
        )
    }

    private fun float32(numbers: List<Float>): NumberArray {
        val bytes = ByteBuffer.allocate(4 * numbers.size).order(ByteOrder.LITTLE_ENDIAN)
        numbers.forEach { bytes.putFloat(it) }
        bytes.rewind()
        return NumberArray(DType.FLOAT32, longArrayOf(numbers.size.toLong()), bytes)
    }

    private fun uint32(numbers: IntArray): NumberArray {
        val bytes = ByteBuffer.allocate(4 * numbers.size).order(ByteOrder.LITTLE_ENDIAN)
        numbers.forEach { bytes.putInt(it) }
        bytes.rewind()
        return NumberArray(DType.UINT32, longArrayOf(numbers.size.toLong()), bytes)
    }
}
