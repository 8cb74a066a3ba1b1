package dev.pocketrec.text

import dev.pocketrec.file.Crc32
import dev.pocketrec.file.NumberArray

/**
 * Token ids of a text, as BERT's uncased WordPiece gives them.
 *
 * Each code point is replaced on its own, see [Replacements]. A word longer than 100 code points is unknown, any other is
 * split greedily into the longest pieces; pieces after the first carry the prefix `##`. If any part has no piece, the whole
 * word is the one unknown token.
 *
 * Source: Devlin et al. 2019, https://github.com/google-research/bert/blob/master/tokenization.py
 */
internal class WordPiece(array: (String) -> NumberArray, unknown: String) : Tokenizer(array, unknown) {
    private val replacements = Replacements(array)

    override fun replace(text: String, into: CodePoints): Unit = replacements.translate(text, into)

    override fun words(ids: IntArray): Pair<List<String>, IntArray> {
        val words = ArrayList<String>()
        val owner = IntArray(ids.size) {
            val piece = vocab[ids[it]]
            if (piece.startsWith("##") && words.isNotEmpty()) words[words.size - 1] += piece.substring(2) else words.add(piece)
            words.size - 1
        }
        return words to owner
    }

    override fun split(word: String): IntArray {
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
            val id = vocab.find(key, 0, size, Crc32.finish(states[size]))
            if (id >= 0) {
                ids.add(id)
                return inside
            }
        }
        return -1
    }

    private companion object {
        const val MAX_WORD = 100
        val PREFIX = "##".toByteArray()
        val NO_PREFIX = ByteArray(0)
    }
}
