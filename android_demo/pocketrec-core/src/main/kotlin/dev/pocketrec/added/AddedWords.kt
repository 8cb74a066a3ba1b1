package dev.pocketrec.added

import dev.pocketrec.AddedItem
import dev.pocketrec.file.PackageFile
import dev.pocketrec.file.SortedStrings
import dev.pocketrec.text.Analyzer
import dev.pocketrec.text.Matches
import dev.pocketrec.text.Titles

/**
 * The words of added items: what a query finds among them, on the scale of the package's word table.
 *
 * A word counts as much as the largest impact that the table knows of it if the title has it, and [IN_TEXT] times that if
 * only the text or a category has it; a word that the table does not know counts like its rarest words.
 */
internal class AddedWords(file: PackageFile, private val items: List<AddedItem>) {
    private val analyzer = Analyzer(file::array)
    private val spelled = Titles { analyzer.words(it) }
    private val table = SortedStrings(file.array("lexical/word.offset"), file.array("lexical/word.text"))
    private val scale = file.array("lexical/scale")
    private val bonus = checkNotNull(file.manifest.signals.lexical).title
    private val unknown = LARGEST_CODE * ((0 until scale.size).maxOfOrNull { scale.float(it) } ?: 0f)
    private val found = HashMap<String, MutableList<Pair<Int, Double>>>()
    private val titles = HashMap<List<String>, MutableList<Int>>()

    init {
        items.forEachIndexed(::add)
    }

    private fun add(row: Int, item: AddedItem) {
        val title = analyzer.words(item.title).toSet()
        val rest = analyzer.words("${item.text} ${item.categories.joinToString(" ")}")
        for (word in title + rest) {
            found.getOrPut(word) { ArrayList() }.add(row to impact(word) * (if (word in title) 1.0 else IN_TEXT))
        }
        for (form in spelled.spellings(item.title)) titles.getOrPut(Titles.withoutArticle(form)) { ArrayList() }.add(row)
    }

    private fun impact(word: String): Double = table.find(word).let { if (it < 0) unknown else LARGEST_CODE * scale.float(it) }

    /** The lexical signal of each item before its weight. */
    fun scores(matches: Matches, power: Double): FloatArray {
        val total = FloatArray(items.size)
        for (parts in byWord(matches, power)) for ((row, value) in parts) total[row] += value.toFloat()
        return total
    }

    /** What each word of a query adds to which items; a title that the query is, is shared by its words. */
    fun byWord(matches: Matches, power: Double): List<Map<Int, Double>> {
        val parts = matches.words.mapIndexed { owner, word ->
            val meant = if (word in found) listOf(word to 1.0) else guesses(matches, owner)
            val best = LinkedHashMap<Int, Double>()
            for ((known, share) in meant) for ((row, impact) in found[known].orEmpty()) {
                best[row] = maxOf(best[row] ?: 0.0, share * impact)
            }
            best
        }
        val whole = bonus * Math.pow(matches.size, power)
        val form = Titles.withoutArticle(matches.title)
        if (form.isNotEmpty()) for (row in titles[form].orEmpty()) for (part in parts) part[row] = (part[row] ?: 0.0) + whole / parts.size
        return parts
    }

    /** What an unknown word may have been meant to be. */
    private fun guesses(matches: Matches, owner: Int): List<Pair<String, Double>> =
        matches.row.indices.filter { matches.owner[it] == owner }.map { table[matches.row[it]] to matches.weight[it].toDouble() }

    private companion object {
        /** A title counts three times in BM25F; saturated that is 1.57 against 1. */
        const val IN_TEXT = 0.6
        const val LARGEST_CODE = 127.0
    }
}
