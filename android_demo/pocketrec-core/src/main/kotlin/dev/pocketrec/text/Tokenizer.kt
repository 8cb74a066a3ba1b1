package dev.pocketrec.text

import dev.pocketrec.PackageException
import dev.pocketrec.file.Messages
import dev.pocketrec.file.NumberArray
import dev.pocketrec.file.PackageFile
import dev.pocketrec.file.StringTable
import java.util.concurrent.ConcurrentHashMap

/**
 * Token ids of a text: its characters are replaced one by one, and each word between spaces is split into pieces of
 * `tokenizer/vocab.*`. [WordPiece] and [Unigram] are the two ways to split. Threads may share it.
 *
 * @param array gives the package's array of a name.
 * @param unknown the piece that stands for what cannot be split.
 * @throws PackageException the tokenizer arrays contradict each other, or the unknown piece is missing.
 */
internal abstract class Tokenizer(array: (String) -> NumberArray, unknown: String) {
    protected val vocab: StringTable = StringTable(array("tokenizer/vocab.offset"), array("tokenizer/vocab.text"), array("tokenizer/vocab.slot"))

    /** Bytes of the longest piece: UTF-8 bytes are never fewer than code points, so no longer slice can be a piece. */
    protected val longest: Int = (0 until vocab.size).maxOfOrNull { vocab.offset.int(it + 1) - vocab.offset.int(it) } ?: 0
    protected val unknownId: Int = vocab.find(unknown)
    private val words = ConcurrentHashMap<String, IntArray>()

    init {
        if (unknownId < 0) throw PackageException("tokenizer/vocab: expected the piece ${Messages.quoted(unknown)}, found none")
    }

    /**
     * Ids of the text's pieces in order, the first [maxTokens] of them; no special tokens are added.
     *
     * Every text is accepted, also one with NUL or lone surrogates; a text of spaces gives none.
     */
    fun tokenize(text: String, maxTokens: Int = Int.MAX_VALUE): IntArray {
        val letters = CodePoints(text.length + 16)
        replace(text.takeCodePoints(MAX_CHARACTERS), letters)
        val ids = CodePoints(32)
        var start = 0
        while (start < letters.size && ids.size < maxTokens) {
            var end = start
            while (end < letters.size && letters.codes[end] != ' '.code) end++
            if (end > start) ids.addAll(remembered(letters.text(start, end)))
            start = end + 1
        }
        return ids.codes.copyOf(minOf(ids.size, maxTokens))
    }

    /** The words that token ids spell, in order, and for each id the position of its word. */
    abstract fun words(ids: IntArray): Pair<List<String>, IntArray>

    /** Adds what stands for each code point of a text. */
    protected abstract fun replace(text: String, into: CodePoints)

    /** The pieces of a word without spaces. */
    protected abstract fun split(word: String): IntArray

    private fun remembered(word: String): IntArray {
        words[word]?.let { return it }
        val ids = split(word)
        if (words.size >= MAX_REMEMBERED) words.clear()
        words[word] = ids
        return ids
    }

    companion object {
        /** Code points of a text that are looked at: a bound for the time that a hostile one can take. */
        const val MAX_CHARACTERS = 4096
        private const val MAX_REMEMBERED = 8192

        /** The tokenizer of the package's encoder; null where it has none. */
        fun of(file: PackageFile): Tokenizer? {
            val encoder = file.manifest.encoder ?: return null
            return if (encoder.tokenizer == "unigram") Unigram(file::array, encoder.unknown) else WordPiece(file::array, encoder.unknown)
        }
    }
}
