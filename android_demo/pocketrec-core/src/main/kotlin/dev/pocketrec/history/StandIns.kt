package dev.pocketrec.history

import dev.pocketrec.added.Near
import dev.pocketrec.added.Overlay

/**
 * Stand-ins: what the package does not hold counts in a history as the items that it is most like.
 *
 * An added item of weight c becomes its near items k with weights c w_k; so does a text of which a user says that it
 * interests them. The engine then reads a history of items that it knows. Weights of one item add up, so that an item is
 * in a history once; its cause is what named it first.
 */
internal object StandIns {
    /**
     * The history in items of the package alone.
     *
     * @param own how many items the package has.
     * @param phrases what a user says in words; the cause of phrase p is -1 - p.
     * @param near the items that each phrase is most like.
     */
    fun standIn(
        history: Resolved,
        own: Int,
        overlay: Overlay?,
        phrases: List<String>,
        near: List<Near>,
        maxItems: Int,
        maxWeight: Double,
    ): Resolved {
        if (phrases.isEmpty() && history.index.all { it < own }) return history
        val total = LinkedHashMap<Int, Double>()
        val cause = HashMap<Int, Int>()
        fun add(item: Int, weight: Float, why: Int) {
            total[item] = (total[item] ?: 0.0) + weight
            if (item !in cause) cause[item] = why
        }
        for (j in history.index.indices) if (history.index[j] < own) add(history.index[j], history.weight[j], history.index[j])
        for (j in history.index.indices) if (history.index[j] >= own) {
            val like = overlay!!.placed[history.index[j] - own].near
            for (k in like.index.indices) add(like.index[k], like.weight[k] * history.weight[j], history.index[j])
        }
        for ((p, like) in near.withIndex()) for (k in like.index.indices) add(like.index[k], like.weight[k], -1 - p)
        val items = total.keys.toIntArray()
        val weight = total.values.map { it.coerceIn(-maxWeight, maxWeight).toFloat() }.toFloatArray()
        var kept = items.indices.filter { weight[it] != 0f }.toIntArray()
        val truncated = kept.size > maxItems
        if (truncated) kept = Histories.strongest(kept, weight, maxItems)
        return Resolved(
            Histories.pick(items, kept), Histories.pick(weight, kept), history.seen, history.unknown, history.truncated || truncated,
            IntArray(kept.size) { cause.getValue(items[kept[it]]) }, phrases,
        )
    }
}
