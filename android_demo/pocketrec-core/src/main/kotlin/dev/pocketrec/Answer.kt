package dev.pocketrec

/**
 * The best answer to a question.
 *
 * @property text the answer, or the intent; null where nothing is sure enough.
 * @property confidence 0 to 1, the probability that [best] is right; 0 where no item was found.
 * @property best the best answer even if it is not sure enough; "" where no item was found.
 * @property question the known question that is nearest to this one.
 * @property item its id.
 * @property score of the best answer.
 * @property margin its distance to the second.
 */
public class Answer internal constructor(
    public val text: String?,
    public val confidence: Double,
    public val best: String,
    public val question: String,
    public val item: String,
    public val score: Double,
    public val margin: Double,
) {
    override fun toString(): String = "Answer($text, $confidence)"
}
