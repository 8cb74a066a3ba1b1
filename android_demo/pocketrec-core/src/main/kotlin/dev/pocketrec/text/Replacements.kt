package dev.pocketrec.text

import dev.pocketrec.PackageException
import dev.pocketrec.file.NumberArray

/**
 * What becomes of each code point: lower case, accents off, spaces and punctuation told apart, by frozen tables.
 *
 * The tables come with the package, never from the device: Android releases and Python versions disagree about what is a
 * letter, and a text must be read alike everywhere. `tokenizer/class.*` gives the class of every code point,
 * `tokenizer/map.*` its replacement.
 *
 * @throws PackageException the arrays contradict each other.
 */
internal open class Replacements(array: (String) -> NumberArray) {
    private val start = ints(array("tokenizer/class.start"))
    private val kind = ints(array("tokenizer/class.value"))
    private val code = ints(array("tokenizer/map.code"))
    private val text = ints(array("tokenizer/map.text"))
    private val common: Array<IntArray>

    init {
        check(start, kind, code, text)
        common = Array(COMMON) { replace(it) }
    }

    /** What stands for one code point; by itself, between two spaces, where it is a word of its own. */
    fun of(code: Int): IntArray = if (code < COMMON) common[code] else replace(code)

    /** The text with every code point replaced. */
    fun translate(text: String, into: CodePoints) {
        var at = 0
        while (at < text.length) {
            val code = text.codePointAt(at)
            at += Character.charCount(code)
            into.addAll(of(code))
        }
    }

    protected open fun replace(code: Int): IntArray {
        if (code in 0xD800..0xDFFF) return NOTHING
        if (code in HANGUL until HANGUL + 11172) return jamo(code - HANGUL)
        val replaced = when (kind[after(start, code) - 1]) {
            DROP -> return NOTHING
            SPACE -> return ONE_SPACE
            else -> mapped(code)
        }
        return if (kind[after(start, code) - 1] == ALONE) ONE_SPACE + replaced + ONE_SPACE else replaced
    }

    private fun mapped(wanted: Int): IntArray {
        val end = after(code, wanted)
        val first = after(code, wanted - 1)
        return if (first == end) intArrayOf(wanted) else text.copyOfRange(first, end)
    }

    companion object {
        private const val DROP = 1
        private const val SPACE = 2
        private const val ALONE = 3
        private const val HANGUL = 0xAC00

        /** Code points whose answer is worked out when a package is opened. */
        private const val COMMON = 0x250
        val NOTHING = IntArray(0)
        val ONE_SPACE = intArrayOf(' '.code)

        /**
         * A Hangul syllable's leading consonant, vowel and, if it has one, trailing consonant.
         *
         * Source: The Unicode Standard, section 3.12 (21 vowels, 27 trailing consonants or none).
         */
        private fun jamo(syllable: Int): IntArray {
            val leading = 0x1100 + syllable / (21 * 28)
            val vowel = 0x1161 + syllable / 28 % 21
            val trailing = syllable % 28
            return if (trailing == 0) intArrayOf(leading, vowel) else intArrayOf(leading, vowel, 0x11A7 + trailing)
        }

        /** How many of the ascending numbers are at most [wanted]. */
        fun after(numbers: IntArray, wanted: Int): Int {
            var low = 0
            var high = numbers.size
            while (low < high) {
                val middle = (low + high) ushr 1
                if (numbers[middle] <= wanted) low = middle + 1 else high = middle
            }
            return low
        }

        /** Numbers up to 2^31; larger ones, which no code point is, become the largest. */
        fun ints(array: NumberArray) = IntArray(array.size) { minOf(array.long(it), Int.MAX_VALUE.toLong()).toInt() }

        private fun check(start: IntArray, kind: IntArray, code: IntArray, text: IntArray) {
            if (start.size != kind.size || start.isEmpty() || start[0] != 0) {
                throw PackageException("tokenizer/class: expected one value for each start, the first start being 0")
            }
            if ((1 until start.size).any { start[it] <= start[it - 1] } || kind.any { it > ALONE }) {
                throw PackageException("tokenizer/class: expected rising starts and classes 0 to 3")
            }
            if (code.size != text.size || (1 until code.size).any { code[it] < code[it - 1] }) {
                throw PackageException("tokenizer/map: expected one text for each code, codes in order")
            }
            if (text.any { it >= 0x110000 || it in 0xD800..0xDFFF }) {
                throw PackageException("tokenizer/map.text: expected Unicode characters, found other numbers")
            }
        }
    }
}
