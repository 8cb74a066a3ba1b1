package dev.pocketrec.history

import dev.pocketrec.UsageException
import dev.pocketrec.file.Messages

/** Where ids are looked up. */
internal fun interface Lookup {
    /** The index of an item, or -1. */
    fun index(id: String): Int
}

/**
 * What one call knows of its user: a history as catalogue positions and weights.
 *
 * @property index H distinct catalogue positions, in order of first appearance.
 * @property weight H weights, finite, never zero.
 * @property seen every known item, also one whose weight is zero or that was cut: it is not recommended.
 * @property unknown ids that the catalogue does not hold, in order of appearance.
 * @property truncated whether items or neighbor blocks were left out to stay within the package's budget.
 * @property cause what each item stands for: an item, or -1 - p for phrase p; null: for itself.
 * @property phrases what the user said in words.
 */
internal class Resolved(
    val index: IntArray,
    val weight: FloatArray,
    val seen: IntArray,
    val unknown: List<String> = emptyList(),
    val truncated: Boolean = false,
    val cause: IntArray? = null,
    val phrases: List<String> = emptyList(),
) {
    companion object {
        /** What is known of nobody. */
        val NONE = Resolved(IntArray(0), FloatArray(0), IntArray(0))
    }
}

/**
 * Items with weights that are looked up already, for example by a profile; each item once.
 *
 * @property index catalogue positions, -1 where the catalogue lacks the item.
 * @property weight of each, finite.
 * @property unknown ids of the items that it lacks.
 */
internal class Known(val index: IntArray, val weight: DoubleArray, val unknown: List<String> = emptyList()) {
    companion object {
        val NOTHING = Known(IntArray(0), DoubleArray(0))
    }
}

/** From ids and weights to the arrays that the ranker reads; the rules are those of every engine. */
internal object Histories {
    /**
     * The history as catalogue positions and weights: repeated ids add up, sums are clipped, zero removes, and a long
     * history keeps the largest absolute weights, then the most recent.
     *
     * @param known what comes before the history; weights of the same item add up.
     * @param strict refuse an unknown id instead of reporting it.
     * @throws UsageException a weight that is not finite, or an unknown id while [strict].
     */
    fun resolve(
        history: Iterable<Pair<String, Double>>,
        catalogue: Lookup,
        maxItems: Int,
        maxWeight: Double,
        strict: Boolean = false,
        known: Known = Known.NOTHING,
    ): Resolved {
        val sums = LinkedHashMap<Int, Double>()
        val unknown = LinkedHashSet(known.unknown)
        known.index.forEachIndexed { at, index -> if (index >= 0) sums[index] = known.weight[at] }
        history.forEachIndexed { position, (id, weight) ->
            if (weight.isNaN() || weight.isInfinite()) {
                throw UsageException("the weight of history[$position] is ${Messages.general(weight)}; expected a finite number")
            }
            val index = catalogue.index(id)
            if (index < 0) unknown.add(id) else sums[index] = (sums[index] ?: 0.0) + weight
        }
        if (strict && unknown.isNotEmpty()) {
            val listed = unknown.take(5).joinToString { Messages.quoted(it) }
            throw UsageException("${unknown.size} history ids are not in the catalogue: $listed; pass strict=false to ignore")
        }
        val seen = sums.keys.toIntArray()
        val weight = FloatArray(seen.size)
        sums.values.forEachIndexed { at, sum -> weight[at] = sum.coerceIn(-maxWeight, maxWeight).toFloat() }
        var kept = seen.indices.filter { weight[it] != 0f }.toIntArray()
        val truncated = kept.size > maxItems
        if (truncated) kept = strongest(kept, weight, maxItems)
        return Resolved(pick(seen, kept), pick(weight, kept), seen, unknown.toList(), truncated)
    }

    /** Those of the ascending [places] with the [n] largest absolute weights, ascending; of equal ones the later. */
    fun strongest(places: IntArray, weight: FloatArray, n: Int): IntArray {
        val order = places.sortedWith(compareByDescending<Int> { Math.abs(weight[it]) }.thenByDescending { it })
        return order.take(n).toIntArray().also(IntArray::sort)
    }

    fun pick(values: IntArray, places: IntArray) = IntArray(places.size) { values[places[it]] }

    fun pick(values: FloatArray, places: IntArray) = FloatArray(places.size) { values[places[it]] }
}
