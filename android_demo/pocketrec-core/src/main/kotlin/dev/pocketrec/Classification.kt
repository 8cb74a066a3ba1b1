package dev.pocketrec

/**
 * The most probable label of one head.
 *
 * @property label its name.
 * @property probability 0 to 1; of texts with 0.9, about nine in ten have this label.
 * @property probabilities label to probability of all labels of the head, in the package's order; they sum to 1.
 */
public class Label internal constructor(
    public val label: String,
    public val probability: Double,
    public val probabilities: Map<String, Double>,
) {
    override fun toString(): String = "Label('$label', $probability)"
}

/**
 * A label whose probability is watched.
 *
 * @property label the label's name.
 * @property threshold 0 to 1; the alert fires above it.
 * @property head the head's name, or null where only one head has the label.
 */
public data class Alert @JvmOverloads constructor(
    public val label: String,
    public val threshold: Double,
    public val head: String? = null,
) {
    init {
        if (!(threshold >= 0 && threshold <= 1)) throw UsageException("the threshold of an alert is $threshold; expected 0 to 1")
    }

    override fun toString(): String = (if (head == null) "" else "$head=") + "$label>$threshold"
}

/**
 * What each head says of one text.
 *
 * @property labels head to label; empty for a text that the encoder cannot read.
 * @property alerts those that fired, in the order in which they were given.
 * @property truncated whether the text was longer than the package reads.
 */
public class Classification internal constructor(
    public val labels: Map<String, Label>,
    public val alerts: List<Alert>,
    public val truncated: Boolean,
) {
    /** The label of one head, or null where the text has none. */
    public operator fun get(head: String): Label? = labels[head]

    override fun toString(): String = "Classification($labels)"
}
