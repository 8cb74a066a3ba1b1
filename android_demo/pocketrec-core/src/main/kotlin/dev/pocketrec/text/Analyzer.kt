package dev.pocketrec.text

import dev.pocketrec.file.NumberArray

/**
 * The words of a text, for search by words: the analyzer `words-1`. Threads may share it.
 *
 * 1. The text is cut to its first [Tokenizer.MAX_CHARACTERS] code points, or taken whole.
 * 2. Each code point becomes: an apostrophe the mark `'`; a symbol a space; any other what [Replacements] makes of it
 *    (lower case, accents off), where punctuation is a space and letters that no accent rule reaches are spelled out.
 * 3. What stands between spaces is split at `'`. A part of one or two characters after the first joins the part before
 *    it, a longer one begins a word: "ender's" is "enders", "l'avventura" is "l avventura".
 * 4. A run of characters of scripts that are written without spaces is cut out and becomes its overlapping pairs of
 *    characters, or its one character.
 * 5. Words longer than 64 code points are left out.
 */
internal class Analyzer(array: (String) -> NumberArray) {
    private val characters = Characters(array)

    /** The words of a text in order, repeats included; [whole]: read beyond the first code points. */
    fun words(text: String, whole: Boolean = false): List<String> {
        val words = ArrayList<String>()
        parts(if (whole) text else text.takeCodePoints(Tokenizer.MAX_CHARACTERS)) { codes, from, to -> split(codes, from, to, words) }
        return words
    }

    /**
     * The text in the letters of its words, apostrophes left out, with single spaces: equal for texts that differ only in
     * case, accents, punctuation and spacing.
     */
    fun folded(text: String): String {
        val letters = CodePoints(text.length + 16)
        characters.translate(text, letters)
        val out = CodePoints(letters.size)
        for (at in 0 until letters.size) {
            val code = letters.codes[at]
            if (code != APOSTROPHE && !(code == SPACE && (out.size == 0 || out.codes[out.size - 1] == SPACE))) out.add(code)
        }
        if (out.size > 0 && out.codes[out.size - 1] == SPACE) out.size--
        return out.text()
    }

    private inline fun parts(text: String, part: (IntArray, Int, Int) -> Unit) {
        val letters = CodePoints(text.length + 16)
        characters.translate(text, letters)
        var start = 0
        while (start < letters.size) {
            var end = start
            while (end < letters.size && letters.codes[end] != SPACE) end++
            if (end > start) part(letters.codes, start, end)
            start = end + 1
        }
    }

    /** Adds the words of a text without spaces. */
    private fun split(codes: IntArray, from: Int, to: Int, words: MutableList<String>) {
        val pieces = ArrayList<IntArray>()
        var start = from
        while (start <= to) {
            var end = start
            while (end < to && codes[end] != APOSTROPHE) end++
            val piece = codes.copyOfRange(start, end)
            if (pieces.isNotEmpty() && piece.size <= 2) pieces[pieces.size - 1] += piece else if (piece.isNotEmpty()) pieces.add(piece)
            start = end + 1
        }
        for (piece in pieces) runs(piece, words)
    }

    /** Adds the runs of a word: of scripts with spaces as they stand, of others in pairs. */
    private fun runs(word: IntArray, words: MutableList<String>) {
        var start = 0
        while (start < word.size) {
            val unspaced = isUnspaced(word[start])
            var end = start + 1
            while (end < word.size && isUnspaced(word[end]) == unspaced) end++
            if (!unspaced || end - start == 1) {
                if (end - start <= MAX_WORD) words.add(String(word, start, end - start))
            } else {
                for (at in start until end - 1) words.add(String(word, at, 2))
            }
            start = end
        }
    }

    /** What becomes of a code point, by rule 2. */
    private class Characters(array: (String) -> NumberArray) : Replacements(array) {
        override fun replace(code: Int): IntArray {
            if (code in APOSTROPHES) return MARK
            if (within(code, SYMBOLS)) return ONE_SPACE
            val text = super.replace(code)
            if (text.isEmpty() || text[0] != SPACE) return spelled(text)
            // A word of its own for the tokenizer: punctuation, or an ideograph.
            val first = text.indexOfFirst { it != SPACE }
            if (first < 0) return ONE_SPACE
            val alone = text.copyOfRange(first, text.indexOfLast { it != SPACE } + 1)
            return if (alone.all(::isUnspaced)) alone else ONE_SPACE
        }

        private fun spelled(text: IntArray): IntArray {
            if (text.none { it in SPELLED }) return text
            return text.flatMap { SPELLED[it]?.asList() ?: listOf(it) }.toIntArray()
        }
    }

    private companion object {
        const val SPACE = ' '.code
        const val APOSTROPHE = '\''.code
        const val MAX_WORD = 64
        val MARK = intArrayOf(APOSTROPHE)
        val APOSTROPHES = setOf(0x27, 0x60, 0xB4, 0x2B9, 0x2BB, 0x2BC, 0x2018, 0x2019, 0x201B, 0xFF07)
        val SPELLED = mapOf(
            "ß" to "ss", "æ" to "ae", "œ" to "oe", "ø" to "o", "ł" to "l", "đ" to "d", "ð" to "d", "þ" to "th", "ı" to "i", "ς" to "σ",
        ).entries.associate { (letter, spelled) -> letter[0].code to spelled.toCodePoints() }

        /** First and last code point of signs, currencies, arrows, mathematics, drawings and pictographs. */
        val SYMBOLS = intArrayOf(
            0xA2, 0xA9, 0xAC, 0xAC, 0xAE, 0xB1, 0xB4, 0xB4, 0xB6, 0xB8, 0xD7, 0xD7, 0xF7, 0xF7,
            0x20A0, 0x20CF, 0x2100, 0x214F, 0x2190, 0x245F, 0x2500, 0x2BFF, 0x3000, 0x3004,
            0xFFE0, 0xFFEE, 0xFFFD, 0xFFFD, 0x1F000, 0x1FAFF,
        )

        /** Thai and Lao, Burmese, Khmer; kana and their marks; ideographs. */
        val UNSPACED = intArrayOf(
            0x0E00, 0x0EFF, 0x1000, 0x109F, 0x1780, 0x17FF,
            0x3005, 0x3007, 0x3040, 0x30FF, 0x31F0, 0x31FF, 0xFF66, 0xFF9F,
            0x3400, 0x4DBF, 0x4E00, 0x9FFF, 0xF900, 0xFAFF, 0x20000, 0x2FA1F,
        )

        fun within(code: Int, ranges: IntArray): Boolean {
            for (at in ranges.indices step 2) if (code >= ranges[at] && code <= ranges[at + 1]) return true
            return false
        }

        fun isUnspaced(code: Int): Boolean = code >= UNSPACED[0] && within(code, UNSPACED)
    }
}
