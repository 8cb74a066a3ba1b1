package dev.pocketrec.text

import dev.pocketrec.file.Crc32
import java.util.regex.Pattern

/**
 * When a query is the title of an item: the spellings under which a title is known, and their hash.
 *
 * "Matrix, The (1999)" is typed as "the matrix", "matrix 1999" or "The Matrix (1999)". A title has several spellings, a
 * query one; both are lists of words by the package's analyzer. They are compared without a leading English article, and
 * found by the CRC-32 of their words in a sorted table of the package; then the words themselves are compared.
 */
internal class Titles(private val words: (String) -> List<String>) {
    /**
     * Word lists under which a title is known, none empty, none twice: the whole; without what stands in parentheses at
     * its end; that by itself; each without and with the year that ends the title in parentheses. An article behind a
     * comma comes first.
     */
    fun spellings(title: String): List<List<String>> {
        val (name, year) = withoutYear(title.takeCodePoints(MAX_TITLE))
        val names = arrayListOf(name)
        val groups = ArrayList<String>()
        while (groups.size < MAX_GROUPS) {
            val found = GROUP.matcher(names.last())
            if (!found.find() || found.start() == 0) break
            groups.add(found.group(1).removePrefix("a.k.a. "))
            names.add(names.last().substring(0, found.start()))
        }
        val forms = (names + groups).map { words(articleFirst(it)) }.filter { it.isNotEmpty() }.distinct()
        return if (year.isEmpty()) forms else forms + forms.map { it + year }
    }

    /** The words of a query as those of a title; none for a text too long to be one. */
    fun spelling(query: String): List<String> {
        if (query.codePointCount() > MAX_TITLE) return emptyList()
        val (name, year) = withoutYear(query.stripped())
        val form = words(articleFirst(name))
        return if (form.isNotEmpty() && year.isNotEmpty()) form + year else form
    }

    companion object {
        /** Code points of the longest text that may be a title. */
        private const val MAX_TITLE = 1000
        private const val MAX_GROUPS = 3
        private const val ARTICLES = "the|an?|les?|la|il|lo|gli|i|el|los|las|der|die|das|den|det|en|ett?|une?|un"
        private val DROPPED = setOf("the", "a", "an")

        // UNIX_LINES: "." and "$" treat line ends as Python's do.
        private val YEAR = Pattern.compile(" *\\(([0-9]{4})\\) *$", Pattern.UNIX_LINES)
        private val GROUP = Pattern.compile(" *\\(([^()]*)\\) *$", Pattern.UNIX_LINES)
        private val MOVED =
            Pattern.compile("^(.*), ($ARTICLES|l')$", Pattern.UNIX_LINES or Pattern.CASE_INSENSITIVE or Pattern.UNICODE_CASE)

        /** The hashes under which the table may have what a query spells: as it is, and without a year at its end. */
        fun queryKeys(form: List<String>): List<Int> {
            val last = form.last().toCodePoints()
            val dated = form.size > 1 && last.size == 4 && last.all(Character::isDigit)
            return if (dated) listOf(hash(form), hash(form.dropLast(1))) else listOf(hash(form))
        }

        /** The words after a leading "the", "a" or "an", if there are any. */
        fun withoutArticle(form: List<String>): List<String> = if (form.size > 1 && form[0] in DROPPED) form.drop(1) else form

        /** CRC-32 of a spelling without its leading article, words separated by a space, in UTF-8. */
        private fun hash(form: List<String>): Int = Crc32.of(withoutArticle(form).joinToString(" ").toByteArray())

        private fun withoutYear(text: String): Pair<String, String> {
            val found = YEAR.matcher(text)
            return if (found.find() && found.start() > 0) text.substring(0, found.start()) to found.group(1) else text to ""
        }

        private fun articleFirst(text: String): String {
            val found = MOVED.matcher(text.stripped())
            return if (found.find()) "${found.group(2)} ${found.group(1)}" else text
        }
    }
}
