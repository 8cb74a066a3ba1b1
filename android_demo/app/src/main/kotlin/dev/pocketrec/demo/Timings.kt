package dev.pocketrec.demo

/** How long the last [KEPT] calls of each kind took. Threads may share it. */
internal class Timings(private val nanoTime: () -> Long = System::nanoTime) {
    private val calls = LinkedHashMap<String, ArrayDeque<Long>>()

    /** What [call] returns, its time counted under [kind]; a call that fails counts too. */
    fun <T> measure(kind: String, call: () -> T): T {
        val start = nanoTime()
        try {
            return call()
        } finally {
            add(kind, nanoTime() - start)
        }
    }

    private fun add(kind: String, nanos: Long) {
        synchronized(calls) {
            val kept = calls.getOrPut(kind) { ArrayDeque() }
            if (kept.size == KEPT) kept.removeFirst()
            kept.addLast(nanos)
        }
    }

    /** One summary for each kind that was called, in the order of their first calls. */
    fun summaries(): List<Summary> = synchronized(calls) {
        calls.map { (kind, nanos) ->
            val sorted = nanos.sorted()
            Summary(kind, sorted.size, percentile(sorted, 50), percentile(sorted, 95))
        }
    }

    /** @property typicalMs half of the calls took no longer; @property slowMs nineteen of twenty did not. */
    data class Summary(val kind: String, val count: Int, val typicalMs: Double, val slowMs: Double)

    companion object {
        const val KEPT: Int = 100

        /** The nearest rank: the least value that [percent] % of all do not exceed. */
        private fun percentile(sorted: List<Long>, percent: Int): Double =
            sorted[(percent * sorted.size + 99) / 100 - 1] / 1e6
    }
}
