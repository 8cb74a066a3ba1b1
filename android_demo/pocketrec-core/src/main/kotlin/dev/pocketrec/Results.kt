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
    /**
     * The reasons worth saying, strongest first: at most [limit], each at least 1 % as strong as the first. Of what the
     * user did or said, only what speaks against the item, or brings no less than an even share of what all of it brings.
     */
    @JvmOverloads
    public fun mainReasons(limit: Int = 3): List<Reason> {
        val own = reasons.filter { it.kind in USERS_OWN }.map { it.contribution }
        val even = if (own.isEmpty()) 0.0 else own.sum() / own.size * (1 - 1e-9)
        return reasons.take(limit).filter {
            Math.abs(it.contribution) >= WORTH_SAYING * Math.abs(reasons[0].contribution) &&
                !(it.kind in USERS_OWN && it.contribution >= 0 && it.contribution < even)
        }
    }

    override fun toString(): String = "Recommendation('$item', '$title', $score)"

    private companion object {
        /** Least strength of a reason that is told, beside the strongest. */
        const val WORTH_SAYING = 0.01

        /** Kinds of what the user did or said; the more of it there is, the less each counts. */
        val USERS_OWN = setOf("item", "interest")
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
