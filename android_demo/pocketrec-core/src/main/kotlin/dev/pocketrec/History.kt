package dev.pocketrec

/** What a user did: ids with weights; a negative weight is a dislike, repeated ids add up. */
public class History private constructor(internal val entries: List<Pair<String, Double>>) {
    /** This history, then another item. */
    @JvmOverloads
    public fun plus(id: String, weight: Double = 1.0): History = History(entries + (id to weight))

    override fun toString(): String = "History(${entries.size} items)" // what a user did is nobody's business in a log

    public companion object {
        /** Nothing known: popular items come first. */
        @JvmField
        public val EMPTY: History = History(emptyList())

        /** Items that weigh 1 each. */
        @JvmStatic
        public fun of(ids: Iterable<String>): History = History(ids.map { it to 1.0 })

        /** Items that weigh 1 each. */
        @JvmStatic
        public fun of(vararg ids: String): History = of(ids.asIterable())

        /** Weights by id, in the order of the map. */
        @JvmStatic
        public fun of(weights: Map<String, Number>): History = History(weights.map { (id, weight) -> id to weight.toDouble() })

        /** Ids with weights, in order; an id may be repeated. */
        @JvmStatic
        public fun ofPairs(pairs: Iterable<Pair<String, Number>>): History = History(pairs.map { (id, weight) -> id to weight.toDouble() })
    }
}
