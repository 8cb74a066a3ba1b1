package dev.pocketrec.rank

import dev.pocketrec.Answer
import dev.pocketrec.Catalogue
import dev.pocketrec.PackageException
import dev.pocketrec.Results
import dev.pocketrec.file.PackageFile

/**
 * The answer to a question, with the probability that it is the right one, or none. Threads may share it.
 *
 * The items of an answers package are questions that were asked before; `answers/item` says which of `answers/text` each was
 * answered with. An answer's score is the largest of its items' in a search. Its confidence is 1 / (1 + exp(-z)),
 * z = bias + score * s + margin * (s - t), s the best answer's score and t the second's, 0 where there is none.
 */
internal class Answers(file: PackageFile, private val catalogue: Catalogue) {
    private val settings = file.manifest.answers
        ?: throw PackageException("this package holds no answers; make one that does with `pocketrec build-answers`")
    private val texts = file.strings("answers/text")
    private val answerOf = file.array("answers/item")

    /** Items of a search that are looked at. */
    val pool: Int get() = settings.pool

    /** What a search amounts to; [threshold] is in place of the package's own. */
    fun best(found: Results, threshold: Double?): Answer {
        val places = LinkedHashMap<String, Int>() // of the best item of each answer
        for ((place, item) in found.withIndex()) {
            val row = catalogue.index(item.item)
            if (row >= 0) places.getOrPut(texts[answerOf.int(row)]) { place } // added items have no answer
        }
        val ranked = places.entries.sortedWith(compareBy({ -found[it.value].score }, { it.value }))
        val best = ranked.firstOrNull() ?: return Answer(null, 0.0, "", "", "", 0.0, 0.0)
        val near = found[best.value]
        val score = near.score.toDouble()
        val margin = score - (ranked.getOrNull(1)?.let { found[it.value].score.toDouble() } ?: 0.0)
        val z = settings.bias + settings.score * score + settings.margin * margin
        val confidence = if (z > -700) 1 / (1 + Math.exp(-z)) else 0.0
        val sure = confidence >= (threshold ?: settings.threshold)
        return Answer(if (sure) best.key else null, confidence, best.key, near.title, near.item, score, margin)
    }
}
