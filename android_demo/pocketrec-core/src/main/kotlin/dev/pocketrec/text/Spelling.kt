package dev.pocketrec.text

import dev.pocketrec.file.SortedStrings

/** A known word that an unknown one may have been meant for: its row, and what it counts for. */
internal class Meant(val row: Int, val weight: Double)

/**
 * The known words that an unknown one may have been meant for: one or two slips away, completed, or run together.
 * Threads may share it.
 *
 * Nothing is stored in the package: the first unknown word makes a 64-bit signature of each word, the set of its pairs of
 * neighbouring bytes. A slip changes few pairs, so the words whose signature differs least are few, and only they are
 * compared letter by letter. The work is bounded whatever the vocabulary holds.
 *
 * @param words in order.
 * @param frequency for each row a measure of how many items the word is in.
 */
internal class Spelling(private val words: SortedStrings, private val frequency: (Int) -> Int) {
    private val signatures by lazy { LongArray(words.size) { signature(words.bytes(it)) } }

    /**
     * Known words and their weights, the likeliest first; none where nothing is near.
     *
     * @param word one that the vocabulary does not hold.
     * @param unfinished whether it may be the beginning of a word.
     */
    fun meant(word: String, unfinished: Boolean): List<Meant> {
        val letters = word.toCodePoints()
        if (letters.size < SHORTEST) return emptyList()
        val near = LinkedHashMap<Int, Int>() // row to slips
        if (unfinished) completed(word).forEach { near[it] = 1 }
        val changed = changed(word)
        near.putAll(slipped(word, letters, 1, changed))
        if (near.isEmpty()) {
            val halves = divided(letters)
            if (halves.isNotEmpty()) return halves.distinct().map { Meant(it, SLIP_WEIGHT[1]) } // both halves were meant
        }
        if (near.isEmpty() && letters.size >= LONG) near.putAll(slipped(word, letters, 2, changed))
        val order = compareBy<Int>({ near.getValue(it) }, { -often(it) }, { it })
        val rows = near.keys.sortedWith(order).take(MAX_MEANT)
        val most = rows.maxOfOrNull(::often)?.toDouble() ?: return emptyList()
        return rows.map { Meant(it, SLIP_WEIGHT[near.getValue(it)] * Math.sqrt(often(it) / most)) }
    }

    private fun often(row: Int): Int = maxOf(1, frequency(row))

    private fun length(row: Int): Int = words.offset.int(row + 1) - words.offset.int(row)

    /** Rows at that distance or nearer, with it; [changed] as of [changed]. */
    private fun slipped(word: String, letters: IntArray, slips: Int, changed: IntArray): Map<Int, Int> {
        val size = word.toByteArray().size
        val bytesChanged = if (letters.all { it < 128 }) slips else 4 * slips
        val likely = likeliest(COMPARED / slips, changed) { row ->
            changed[row] <= PAIRS_CHANGED * bytesChanged && Math.abs(length(row) - size) <= bytesChanged
        }
        val found = LinkedHashMap<Int, Int>()
        for (row in likely) {
            val apart = distance(letters, words[row].toCodePoints(), slips)
            if (apart <= slips) found[row] = apart
        }
        return found
    }

    /** Of the rows that are [near], those with the fewest changed pairs, of equal ones the most frequent, then the first. */
    private inline fun likeliest(most: Int, changed: IntArray, near: (Int) -> Boolean): IntArray {
        val rows = IntArray(most)
        val keys = LongArray(most) // ascending
        var count = 0
        for (row in changed.indices) {
            if (!near(row)) continue
            val key = changed[row] * (1L shl 32) - often(row)
            if (count == most && key >= keys[most - 1]) continue
            var at = if (count < most) count++ else most - 1
            while (at > 0 && keys[at - 1] > key) {
                keys[at] = keys[at - 1]
                rows[at] = rows[--at]
            }
            keys[at] = key
            rows[at] = row
        }
        return rows.copyOf(count)
    }

    /** How many pairs of bytes each word has that this one has not, or the other way round. */
    private fun changed(word: String): IntArray {
        val own = signature(word.toByteArray())
        val all = signatures
        return IntArray(all.size) { java.lang.Long.bitCount(all[it] xor own) }
    }

    /** Rows of the most frequent words that begin with it. */
    private fun completed(word: String): List<Int> {
        val key = word.toByteArray()
        val first = words.first(key)
        val last = minOf(words.first(key, beyond = true), first + COMPLETED)
        return (first until last).sortedWith(compareBy({ -often(it) }, { it })).take(MAX_MEANT)
    }

    /** Two rows that stand in it without a space; of several pairs the one whose rarer half is most frequent. */
    private fun divided(letters: IntArray): List<Int> {
        var best = 0
        var chosen = emptyList<Int>()
        for (at in 2 until minOf(letters.size, 24) - 1) {
            val left = words.find(String(letters, 0, at))
            val right = if (left >= 0) words.find(String(letters, at, letters.size - at)) else -1
            if (right >= 0 && minOf(often(left), often(right)) > best) {
                best = minOf(often(left), often(right))
                chosen = listOf(left, right)
            }
        }
        return chosen
    }

    companion object {
        /** What a word counts for by the number of slips; a completed or divided one counts as with one slip. */
        private val SLIP_WEIGHT = doubleArrayOf(1.0, 0.8, 0.5)
        private const val MAX_MEANT = 4

        /** Words with fewer letters are left alone; longer ones may have two slips. */
        private const val SHORTEST = 3
        private const val LONG = 8

        /** Words that are compared letter by letter for one slip; half as many for two, which take longer. */
        private const val COMPARED = 32

        /** Words with the same beginning that are looked at. */
        private const val COMPLETED = 512

        /** The most pairs of bytes that one slip takes away and adds, in ASCII: two letters in turned order. */
        private const val PAIRS_CHANGED = 6

        /** A bit for each pair of neighbouring bytes of a word, the ends counting as byte 0. */
        fun signature(word: ByteArray): Long {
            if (word.isEmpty()) return 0
            var bits = 0L
            var before = 0
            for (at in 0..word.size) {
                val byte = if (at < word.size) word[at].toInt() and 0xFF else 0
                val mixed = (before * 257 + byte) * -0x61c88647 // 0x9E3779B1: Fibonacci hashing
                bits = bits or (1L shl (mixed ushr 26))
                before = byte
            }
            return bits
        }

        /**
         * Slips between two words: letters added, missing, changed, or two turned around; beyond [limit] it is limit + 1.
         *
         * Source: Damerau 1964, restricted to edits that do not overlap (optimal string alignment).
         */
        fun distance(one: IntArray, other: IntArray, limit: Int): Int {
            if (Math.abs(one.size - other.size) > limit) return limit + 1
            var first = 0
            while (first < one.size && first < other.size && one[first] == other[first]) first++
            var last = 0
            while (last < minOf(one.size, other.size) - first && one[one.size - 1 - last] == other[other.size - 1 - last]) last++
            val a = one.copyOfRange(first, one.size - last)
            val b = other.copyOfRange(first, other.size - last)
            if (a.isEmpty() || b.isEmpty()) return a.size + b.size
            if (limit == 1 && maxOf(a.size, b.size) > 2) return limit + 1
            var twoAbove = IntArray(0)
            var above = IntArray(0)
            var row = IntArray(b.size + 1) { it }
            for (i in 1..a.size) {
                twoAbove = above
                above = row
                row = IntArray(b.size + 1)
                row[0] = i
                for (j in 1..b.size) {
                    var cost = minOf(above[j] + 1, row[j - 1] + 1, above[j - 1] + if (a[i - 1] != b[j - 1]) 1 else 0)
                    if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) cost = minOf(cost, twoAbove[j - 2] + 1)
                    row[j] = cost
                }
                if (row.min() > limit && above.min() >= limit) return limit + 1
            }
            return minOf(row[b.size], limit + 1)
        }
    }
}
