package dev.pocketrec.engine

/** Selection of the largest scores. */
internal object Best {
    /**
     * Indices of the [n] largest eligible scores, best first, ties by lower index; NaN counts as larger than all, so that
     * a broken table cannot hide.
     *
     * A heap of the best so far, the worst of them at the top, costs one comparison for most items.
     */
    fun of(score: FloatArray, mask: BooleanArray, n: Int): IntArray {
        val heap = IntArray(n)
        var size = 0
        for (item in score.indices) {
            if (!mask[item]) continue
            if (size < n) {
                heap[size] = item
                up(heap, size++, score)
            } else if (!(score[item] <= score[heap[0]])) { // a later item with the same score is worse
                heap[0] = item
                down(heap, size, score)
            }
        }
        val best = IntArray(size)
        while (size > 0) {
            best[--size] = heap[0]
            heap[0] = heap[size]
            down(heap, size, score)
        }
        return best
    }

    private fun worse(a: Int, b: Int, score: FloatArray): Boolean = score[a] < score[b] || (score[a] == score[b] && a > b)

    private fun up(heap: IntArray, start: Int, score: FloatArray) {
        var at = start
        while (at > 0 && worse(heap[at], heap[(at - 1) / 2], score)) {
            swap(heap, at, (at - 1) / 2)
            at = (at - 1) / 2
        }
    }

    private fun down(heap: IntArray, size: Int, score: FloatArray) {
        var at = 0
        while (true) {
            var worst = at
            if (2 * at + 1 < size && worse(heap[2 * at + 1], heap[worst], score)) worst = 2 * at + 1
            if (2 * at + 2 < size && worse(heap[2 * at + 2], heap[worst], score)) worst = 2 * at + 2
            if (worst == at) return
            swap(heap, at, worst)
            at = worst
        }
    }

    private fun swap(heap: IntArray, a: Int, b: Int) {
        val kept = heap[a]
        heap[a] = heap[b]
        heap[b] = kept
    }
}
