package dev.pocketrec.added

import dev.pocketrec.file.PackageFile
import dev.pocketrec.file.SortedStrings
import dev.pocketrec.text.Analyzer

/** How alike a text and an item are in their words: the cosine of their impacts in the package's word table. */
internal class WordLikeness(file: PackageFile, private val items: Int) {
    private val analyzer = Analyzer(file::array)
    private val words = SortedStrings(file.array("lexical/word.offset"), file.array("lexical/word.text"))
    private val start = file.array("lexical/start")
    private val scale = file.array("lexical/scale")
    private val index = file.array("lexical/index")
    private val value = file.array("lexical/value")
    private val block = checkNotNull(file.manifest.signals.lexical).block

    /** The root of the sum of each item's squared impacts. */
    private val length by lazy {
        val square = DoubleArray(items)
        for (word in 0 until words.size) entries(word) { item, code -> (code * scale.float(word)).let { square[item] += (it * it).toDouble() } }
        FloatArray(items) { Math.sqrt(square[it]).toFloat() }
    }

    /** The cosine of a text and each of the first [count] items; 0 without a common word. */
    fun of(text: String, count: Int): FloatArray {
        val rows = analyzer.words(text).distinct().map(words::find).filter { it >= 0 }.take(MAX_WORDS)
        val dots = DoubleArray(count)
        var square = 0.0
        for (word in rows) {
            val weight = LARGEST_CODE * scale.float(word) // the largest impact that the table knows of it
            square += (weight * weight).toDouble()
            val strength = weight * scale.float(word)
            entries(word) { item, code -> if (item < count) dots[item] += (code * strength).toDouble() }
        }
        val own = if (square > 0) (1 / Math.sqrt(square)).toFloat() else 0f
        return FloatArray(count) { if (length[it] > 0) dots[it].toFloat() * own * (1 / length[it]) else 0f }
    }

    private inline fun entries(word: Int, each: (Int, Int) -> Unit) {
        for (at in start.int(word) * block until start.int(word + 1) * block) value.int(at).let { if (it != 0) each(index.int(at), it) }
    }

    private companion object {
        /** Different known words of a text that count, the first ones. */
        const val MAX_WORDS = 64
        const val LARGEST_CODE = 127f
    }
}
