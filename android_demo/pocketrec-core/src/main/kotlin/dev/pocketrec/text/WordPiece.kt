package dev.pocketrec.text

import dev.pocketrec.PackageException
import dev.pocketrec.file.Crc32
import dev.pocketrec.file.NumberArray
import dev.pocketrec.file.StringTable
import java.util.concurrent.ConcurrentHashMap

/**
 * Token ids of a text, as BERT's uncased WordPiece gives them. Threads may share it.
 *
 * 1. The text is cut to its first [MAX_CHARACTERS] code points.
 * 2. Each code point is replaced on its own, see [Replacements].
 * 3. Words are what stands between spaces. A word longer than 100 code points is unknown.
 * 4. A word is split greedily into the longest pieces of `tokenizer/vocab.*`; pieces after the first carry the prefix
 *    `##`. If any part has no piece, the whole word is the one unknown token.
 *
 * Source: Devlin et al. 2019, https://github.com/google-research/bert/blob/master/tokenization.py
 *
 * @param array gives the package's array of a name.
 * @param unknown the piece that stands for a word which cannot be split.
 * @throws PackageException the tokenizer arrays contradict each other, or the unknown piece is missing.
 */
public class WordPiece internal constructor(array: (String) -> NumberArray, unknown: String) {
    private val vocab = StringTable(array("tokenizer/vocab.offset"), array("tokenizer/vocab.text"), array("tokenizer/vocab.slot"))
    private val replacements = Replacements(array)

    /** Bytes of the longest piece: UTF-8 bytes are never fewer than code points, so no longer slice can be a piece. */
    private val longest = (0 until vocab.size).maxOfOrNull { vocab.offset.int(it + 1) - vocab.offset.int(it) } ?: 0
    private val unknownId = vocab.find(unknown)
    private val words = ConcurrentHashMap<String, IntArray>()

    init {
        if (unknownId < 0) throw PackageException("tokenizer/vocab: expected the piece '$unknown', found none")
    }

    /**
     * Ids of the text's pieces in order, the first [maxTokens] of them; no special tokens are added.
     *
     * Every text is accepted, also one with NUL or lone surrogates; a text of spaces gives none.
     */
    @JvmOverloads
    public fun tokenize(text: String, maxTokens: Int = Int.MAX_VALUE): IntArray {
        val letters = CodePoints(text.length + 16)
        replacements.translate(text.takeCodePoints(MAX_CHARACTERS), letters)
        val ids = CodePoints(32)
        var start = 0
        while (start < letters.size && ids.size < maxTokens) {
            var end = start
            while (end < letters.size && letters.codes[end] != ' '.code) end++
            if (end > start) ids.addAll(split(letters.text(start, end)))
            start = end + 1
        }
        return ids.codes.copyOf(minOf(ids.size, maxTokens))
    }

    /** The words that token ids spell, in order, and for each id the position of its word. */
    internal fun words(ids: IntArray): Pair<List<String>, IntArray> {
        val words = ArrayList<String>()
        val owner = IntArray(ids.size) {
            val piece = vocab[ids[it]]
            if (piece.startsWith("##") && words.isNotEmpty()) words[words.size - 1] += piece.substring(2) else words.add(piece)
            words.size - 1
        }
        return words to owner
    }

    private fun split(word: String): IntArray {
        words[word]?.let { return it }
        val ids = greedy(word)
        if (words.size >= MAX_REMEMBERED) words.clear()
        words[word] = ids
        return ids
    }

    private fun greedy(word: String): IntArray {
        if (word.codePointCount() > MAX_WORD) return intArrayOf(unknownId)
        val bytes = word.toByteArray()
        val ids = CodePoints(8)
        var start = 0
        while (start < bytes.size) {
            val end = piece(bytes, start, ids)
            if (end < 0) return intArrayOf(unknownId)
            start = end
        }
        return ids.codes.copyOf(ids.size)
    }

    /** Adds the longest piece that begins at byte [start]; returns where it ends, or -1 if there is none. */
    private fun piece(bytes: ByteArray, start: Int, ids: CodePoints): Int {
        val prefix = if (start > 0) PREFIX else NO_PREFIX
        val most = minOf(bytes.size - start, longest)
        val key = prefix + bytes.copyOfRange(start, start + most)
        val states = IntArray(key.size + 1) // of the checksum, after each byte
        states[0] = Crc32.START
        for (at in key.indices) states[at + 1] = Crc32.next(states[at], key[at])
        for (size in key.size downTo prefix.size + 1) {
            val inside = start + size - prefix.size
            if (inside < bytes.size && bytes[inside].toInt() and 0xC0 == 0x80) continue // in the middle of a code point
            val id = vocab.find(key, size, Crc32.finish(states[size]))
            if (id >= 0) {
                ids.add(id)
                return inside
            }
        }
        return -1
    }

    public companion object {
        /** Code points of a text that are looked at: a bound for the time that a hostile one can take. */
        public const val MAX_CHARACTERS: Int = 4096
        private const val MAX_WORD = 100
        private const val MAX_REMEMBERED = 8192
        private val PREFIX = "##".toByteArray()
        private val NO_PREFIX = ByteArray(0)
    }
}
