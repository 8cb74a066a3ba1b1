package dev.pocketrec

/**
 * One cause of a recommendation.
 *
 * @property kind `item` (of the history), `interest` (said in words), `word` (of the query), `popularity` or `boost`.
 * @property id the history item's id, the word, or "".
 * @property text the item's title, the word, or "".
 * @property contribution how much of the score it brings; the contributions of all causes sum to the score.
 * @property signals the same, by signal.
 */
public class Reason public constructor(
    public val kind: String,
    public val id: String,
    public val text: String,
    public val contribution: Double,
    public val signals: Map<String, Double>,
) {
    override fun toString(): String = "Reason($kind, '$text', $contribution)"
}

/**
 * One ranked item.
 *
 * @property item external id.
 * @property title the title, or the id where there is none.
 * @property score bigger is better; comparable within one call.
 * @property signals what each signal adds to the score.
 * @property reasons causes, strongest first; empty unless asked for.
 */
public class Recommendation public constructor(
    public val item: String,
    public val title: String,
    public val score: Float,
    public val signals: Map<String, Float>,
    public val reasons: List<Reason> = emptyList(),
) {
    /** The reasons worth saying, strongest first: at most [limit], each at least 1 % as strong as the first. */
    @JvmOverloads
    public fun mainReasons(limit: Int = 3): List<Reason> =
        reasons.take(limit).filter { Math.abs(it.contribution) >= WORTH_SAYING * Math.abs(reasons[0].contribution) }

    override fun toString(): String = "Recommendation('$item', '$title', $score)"

    private companion object {
        /** Least strength of a reason that is told, beside the strongest. */
        const val WORTH_SAYING = 0.01
    }
}

/**
 * A ranked list, best first; with diversity or floors in the order in which it is shown.
 *
 * @property unknown history ids that the catalogue does not hold; they were ignored.
 * @property truncated whether the history or the query was cut to the package's limits.
 */
public class Results internal constructor(
    private val items: List<Recommendation>,
    public val unknown: List<String> = emptyList(),
    public val truncated: Boolean = false,
    private val cursor: (() -> String)? = null,
) : AbstractList<Recommendation>() {
    /**
     * The cursor of the next page, for [Pocketrec.more]; null after the last page.
     *
     * It holds the user's history: keep it on their device.
     */
    public val next: String? by lazy { cursor?.invoke() }

    override val size: Int get() = items.size

    override fun get(index: Int): Recommendation = items[index]
}
