package dev.pocketrec.show

import dev.pocketrec.Display

/**
 * From a ranked pool to the list that is shown: diversity, quotas, floors, no duplicates.
 *
 * One greedy pass. Each place goes to the candidate with the largest
 *
 *     (1 - diversity) * relevance  -  diversity * (similarity to the places before it)
 *
 * among those that the constraints allow. Relevance is the score, 1 for the best and 0 for the last of the first pool.
 * Similarity is the sum of the cosines to the last nine places over nine (Borodin, Lee and Ye 2012).
 */
internal object Rerank {
    /** The first pool holds max(POOL, POOL_FACTOR * k) items. While the list is not full, it grows by that factor. */
    private const val POOL = 100
    const val POOL_FACTOR = 4

    /** A pool grows up to this many items; what lies deeper is never shown in place of a better one. */
    const val MAX_POOL = 10_000

    /** The longest list that is reranked: the work grows with its square. */
    const val MAX_K = 1_000

    /** How many places back similarity looks. */
    const val WINDOW = 9

    /** Texts with a cosine of at least this are one text. */
    const val SAME_TEXT = 0.98

    fun poolSize(k: Int): Int = maxOf(POOL, POOL_FACTOR * k)

    /**
     * Places of the candidates to show, in order; fewer than [k] where the constraints allow no more.
     *
     * @param before what earlier pages showed, in order: it counts for diversity and duplicates, not for quotas.
     * @param last whether the pool is all there is. Otherwise the list ends where a floor lacks its items.
     */
    fun choose(pool: Candidates, k: Int, display: Display, before: Candidates? = null, last: Boolean = true): IntArray {
        val relevance = relevance(pool.score, poolSize(k))
        val state = Places(pool, display)
        if (before != null) state.openWith(before)
        val places = ArrayList<Int>()
        while (places.size < k) {
            val allowed = state.allowed(places.size + 1, last)
            val alike = state.similarity()
            var best = -1
            var most = Double.NEGATIVE_INFINITY
            for (item in relevance.indices) {
                if (!allowed[item]) continue
                val value = (1 - display.diversity) * relevance[item] - display.diversity / WINDOW * alike[item]
                if (best < 0 || value > most) {
                    best = item
                    most = value
                }
            }
            if (best < 0) break
            places.add(best)
            state.take(best)
        }
        return places.toIntArray()
    }

    /** 1 for the best, 0 for the last of the first pool, below 0 beyond it. */
    private fun relevance(score: FloatArray, pool: Int): DoubleArray {
        if (score.isEmpty()) return DoubleArray(0)
        val low = score[minOf(score.size, pool) - 1].toDouble()
        val spread = (score[0] - low).let { if (it > 0) it else 1.0 }
        return DoubleArray(score.size) { (score[it] - low) / spread }
    }
}

/** What the places taken so far leave open. */
private class Places(private val pool: Candidates, private val display: Display) {
    private val free = BooleanArray(pool.size) { true }
    private val taken = HashMap<Pair<String, String>, Int>()
    private val window = ArrayDeque<DoubleArray>()
    private val floors = display.minShare.flatMap { (key, shares) -> shares.map { (value, share) -> Floor(key, value, share) } }

    private inner class Floor(val key: String, val value: String, val share: Double) {
        val members = BooleanArray(pool.size) { value in pool.labels.getValue(key)[it] }
    }

    /** Takes what earlier pages showed into account. */
    fun openWith(before: Candidates) {
        for (row in before.titles.indices) if (display.distinct) leaveOutTitle(before.titles[row])
        if (pool.dim == 0) return
        for (row in 0 until before.size) {
            val recent = row >= before.size - Rerank.WINDOW
            if (!display.distinct && !recent) continue
            val near = pool.near(before, row)
            if (display.distinct) leaveOutTwins(near)
            if (display.diversity > 0 && recent) window.addLast(near)
        }
    }

    /** What may get this place, counted from 1. */
    fun allowed(place: Int, last: Boolean): BooleanArray {
        for (floor in floors) {
            if ((taken[floor.key to floor.value] ?: 0) >= (floor.share * place + 1e-9).toInt()) continue
            val owed = BooleanArray(free.size) { free[it] && floor.members[it] }
            if (!last || owed.any { it }) return owed
        }
        return free
    }

    /** The cosines of each item to the places of the window, summed. */
    fun similarity(): DoubleArray {
        val sum = DoubleArray(pool.size)
        for (near in window) for (item in sum.indices) sum[item] += near[item]
        return sum
    }

    /** Gives a place to a candidate. */
    fun take(place: Int) {
        free[place] = false
        for (key in display.attributes) for (value in pool.labels.getValue(key)[place]) {
            val count = (taken[key to value] ?: 0) + 1
            taken[key to value] = count
            if (count == display.maxPer[key]) leaveOut { value in pool.labels.getValue(key)[it] }
        }
        if (!display.compares) return
        if (display.distinct) leaveOutTitle(pool.titles[place])
        if (pool.dim == 0) return
        val near = pool.near(pool, place)
        if (display.distinct) leaveOutTwins(near)
        if (display.diversity > 0) {
            window.addLast(near)
            if (window.size > Rerank.WINDOW) window.removeAt(0)
        }
    }

    private fun leaveOutTitle(title: String) {
        if (title.isNotEmpty()) leaveOut { pool.titles[it] == title }
    }

    private fun leaveOutTwins(near: DoubleArray) = leaveOut { near[it] >= Rerank.SAME_TEXT }

    private inline fun leaveOut(which: (Int) -> Boolean) {
        for (item in free.indices) if (free[item] && which(item)) free[item] = false
    }
}
