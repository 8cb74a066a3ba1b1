package dev.pocketrec.text

import dev.pocketrec.PackageException
import dev.pocketrec.file.Crc32
import dev.pocketrec.file.NumberArray

/**
 * Token ids of a text by a unigram language model of pieces, as SentencePiece and XLM-R have it.
 *
 * Each code point is replaced by the rows of `tokenizer/normal.*` that have it; a row's text 0 is nothing, and lone
 * surrogates vanish. Each word begins with [MARK] and is split into the pieces whose scores in `tokenizer/score` have the
 * largest sum, in float64 from left to right; of equal sums the one whose last piece is longest. A character without a
 * piece costs the lowest score less 10; neighboring ones are one unknown token.
 *
 * Source: Kudo 2018, "Subword regularization", section 3.2 (Viterbi over a unigram language model).
 */
internal class Unigram(array: (String) -> NumberArray, unknown: String) : Tokenizer(array, unknown) {
    private val scores = array("tokenizer/score").let { array -> DoubleArray(array.size) { array.float(it).toDouble() } }
    private val unknownScore = minOf(0.0, scores.minOrNull() ?: 0.0) - PENALTY
    private val code = Replacements.ints(array("tokenizer/normal.code"))
    private val text = Replacements.ints(array("tokenizer/normal.text"))

    init {
        if (code.size != text.size || (1 until code.size).any { code[it] < code[it - 1] }) {
            throw PackageException("tokenizer/normal: expected one text for each code, codes in order")
        }
        if (text.any { it >= 0x110000 || it in 0xD800..0xDFFF }) {
            throw PackageException("tokenizer/normal.text: expected Unicode characters, found other numbers")
        }
    }

    override fun replace(text: String, into: CodePoints) {
        for (letter in text.toCodePoints()) {
            if (letter in 0xD800..0xDFFF) continue
            val end = Replacements.after(code, letter)
            val first = Replacements.after(code, letter - 1)
            if (first == end) into.add(letter)
            for (row in first until end) if (this.text[row] != 0) into.add(this.text[row])
        }
    }

    override fun words(ids: IntArray): Pair<List<String>, IntArray> {
        val words = ArrayList<String>()
        val owner = IntArray(ids.size) {
            val piece = vocab[ids[it]]
            if (words.isNotEmpty() && !piece.startsWith(MARK)) words[words.size - 1] += piece else words.add(piece.removePrefix(MARK))
            words.size - 1
        }
        return words to owner
    }

    override fun split(word: String): IntArray {
        val bytes = (MARK + word).toByteArray()
        // Where each code point begins, and the end of the last.
        val places = (0..bytes.size).filter { it == bytes.size || bytes[it].toInt() and 0xC0 != 0x80 }.toIntArray()
        val size = places.size - 1
        val sums = DoubleArray(size + 1) { Double.NEGATIVE_INFINITY }
        val from = IntArray(size + 1) // where the best piece that ends here begins, and which it is
        val piece = IntArray(size + 1) { unknownId }
        sums[0] = 0.0
        for (start in 0 until size) {
            var single = false
            var state = Crc32.START
            for (end in start + 1..minOf(size, start + minOf(longest, MAX_PIECE))) {
                for (at in places[end - 1] until places[end]) state = Crc32.next(state, bytes[at])
                val id = vocab.find(bytes, places[start], places[end] - places[start], Crc32.finish(state))
                if (id < 0 || id == unknownId) continue
                single = single || end == start + 1
                if (sums[start] + scores[id] > sums[end]) {
                    sums[end] = sums[start] + scores[id]
                    from[end] = start
                    piece[end] = id
                }
            }
            if (!single && sums[start] + unknownScore > sums[start + 1]) {
                sums[start + 1] = sums[start] + unknownScore
                from[start + 1] = start
                piece[start + 1] = unknownId
            }
        }
        return path(from, piece, size)
    }

    /** The pieces that lead to the end; neighboring unknown ones count once. */
    private fun path(from: IntArray, piece: IntArray, size: Int): IntArray {
        val ids = CodePoints(size)
        var end = size
        while (end > 0) {
            if (piece[end] != unknownId || ids.size == 0 || ids.codes[ids.size - 1] != unknownId) ids.add(piece[end])
            end = from[end]
        }
        return IntArray(ids.size) { ids.codes[ids.size - 1 - it] }
    }

    private companion object {
        /** Begins each word, in place of the space before it. */
        const val MARK = "\u2581"
        const val PENALTY = 10.0

        /** Code points of a piece that is looked for: a bound for the time that a hostile vocabulary can take. */
        const val MAX_PIECE = 64
    }
}
