package dev.pocketrec.text

import dev.pocketrec.history.Blocks
import dev.pocketrec.file.PackageFile
import dev.pocketrec.file.SortedStrings

/**
 * What a query finds by its words.
 *
 * @property words W different words, in order.
 * @property row rows of the word table.
 * @property weight of each row, 1, or less for a word that was guessed.
 * @property owner the position in [words] that a row stands for.
 * @property size sum over the words of the largest impact that each can have; 1 where none has a row.
 * @property title the query as the words of a title.
 * @property titleIndex items whose title the query is.
 * @property titleGrade of each of them, 1, or less if only an article differs.
 * @property truncated whether words were left out.
 */
internal class Matches(
    val words: List<String>,
    val row: IntArray,
    val weight: FloatArray,
    val owner: IntArray,
    val size: Double,
    val title: List<String>,
    val titleIndex: IntArray,
    val titleGrade: FloatArray,
    val truncated: Boolean,
) {
    /** Whether no item is found. */
    val isEmpty: Boolean get() = row.isEmpty() && titleIndex.isEmpty()
}

/** What the engine reads of a query's words: [blocks] of the word table, and items by title with what that adds. */
internal class WordInput(val blocks: Blocks, val titleIndex: IntArray, val titleWeight: FloatArray) {
    companion object {
        val NONE = WordInput(Blocks.NONE, IntArray(0), FloatArray(0))
    }
}

/** The words of a package: rows of the word table, known words for unknown ones, items by their title. Threads may share it. */
internal class Lexicon(private val file: PackageFile) {
    private val analyzer = Analyzer(file::array)
    private val titles = Titles { analyzer.words(it) }
    private val table = SortedStrings(file.array("lexical/word.offset"), file.array("lexical/word.text"))
    private val settings = checkNotNull(file.manifest.signals.lexical) { "the manifest has the settings of every signal it names" }
    private val start = file.array("lexical/start")
    private val scale = file.array("lexical/scale")
    private val spelling = Spelling(table) { start.int(it + 1) - start.int(it) }
    private val names = file.strings("catalogue/title")
    private val hash = file.array("lexical/title.hash")
    private val item = file.array("lexical/title.item")

    /** What a text finds; its last word may be unfinished if it ends the text. */
    fun match(text: String): Matches {
        val every = analyzer.words(text).distinct()
        val words = every.take(MAX_WORDS)
        val ends = words.isNotEmpty() && every.size == words.size && !isSpace(text.codePointBefore(text.length))
        val found = ArrayList<Pair<Int, Meant>>() // owner, what it means
        var guessed = 0
        for ((owner, word) in words.withIndex()) {
            val row = table.find(word)
            if (row >= 0) {
                found.add(owner to Meant(row, 1.0))
            } else if (guessed++ < MAX_GUESSED) {
                spelling.meant(word, unfinished = ends && owner == words.size - 1).forEach { found.add(owner to it) }
            }
        }
        val row = IntArray(found.size) { found[it].second.row }
        val weight = FloatArray(found.size) { found[it].second.weight.toFloat() }
        val owner = IntArray(found.size) { found[it].first }
        val form = titles.spelling(text)
        val titled = titled(form)
        return Matches(
            words, row, weight, owner, size(words.size, row, weight, owner), form,
            titled.keys.toIntArray(), titled.values.toFloatArray(), every.size > words.size,
        )
    }

    private fun size(words: Int, row: IntArray, weight: FloatArray, owner: IntArray): Double {
        val largest = FloatArray(words)
        for (at in row.indices) largest[owner[at]] = maxOf(largest[owner[at]], weight[at] * (LARGEST_CODE * scale.float(row[at])))
        return largest.sumOf { it.toDouble() }.let { if (it == 0.0) 1.0 else it }
    }

    /**
     * What the engine reads.
     *
     * @param power of the signal in the blend. A title is worth the same share of the score in every query, so what is
     *     divided by that power of the query's size is multiplied by it here.
     */
    fun gather(matches: Matches, power: Double): WordInput {
        val blocks = Blocks.gather(matches.row, matches.weight, start, scale, settings.budget)
        val bonus = (settings.title * Math.pow(matches.size, power)).toFloat()
        return WordInput(blocks, matches.titleIndex, FloatArray(matches.titleIndex.size) { matches.titleGrade[it] * bonus })
    }

    /** Which items a query finds. */
    fun reached(words: WordInput): BooleanArray {
        val mask = BooleanArray(names.size)
        val index = file.array("lexical/index")
        val value = file.array("lexical/value")
        for (block in words.blocks.index) {
            for (at in block * settings.block until (block + 1) * settings.block) if (value.long(at) != 0L) mask[index.int(at)] = true
        }
        for (titled in words.titleIndex) mask[titled] = true
        return mask
    }

    /** Items that are called so, and how exactly. */
    private fun titled(form: List<String>): Map<Int, Float> {
        val grades = LinkedHashMap<Int, Float>()
        if (form.isEmpty()) return grades
        for (key in Titles.queryKeys(form)) {
            val wanted = key.toLong() and 0xFFFFFFFFL
            val first = firstHash(wanted)
            for (at in first until minOf(first.toLong() + MAX_TITLES, hash.size.toLong()).toInt()) {
                if (hash.long(at) != wanted || grades.size == MAX_TITLES) break
                val known = titles.spellings(names[item.int(at)])
                if (form in known) {
                    grades[item.int(at)] = 1f
                } else if (Titles.withoutArticle(form) in known.map(Titles::withoutArticle)) {
                    grades[item.int(at)] = SAME_BUT_ARTICLE
                }
            }
        }
        return grades
    }

    private fun firstHash(wanted: Long): Int {
        var low = 0
        var high = hash.size
        while (low < high) {
            val middle = (low + high) ushr 1
            if (hash.long(middle) < wanted) low = middle + 1 else high = middle
        }
        return low
    }

    companion object {
        /** Different words of a query that are looked up, and unknown ones among them for which known words are sought. */
        private const val MAX_WORDS = 32
        private const val MAX_GUESSED = 8

        /** Items of one title that are told apart from the rest. */
        private const val MAX_TITLES = 32

        /** What a title counts for if only a leading article differs. */
        private const val SAME_BUT_ARTICLE = 0.9f
        private const val LARGEST_CODE = 127f
    }
}
