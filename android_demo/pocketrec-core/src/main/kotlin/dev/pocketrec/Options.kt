package dev.pocketrec

/**
 * What a call may ask for beyond its history or text; the default asks for nothing.
 *
 * In Kotlin `Options(explain = true)`, in Java `Options.builder().explain(true).build()`.
 *
 * @property exclude ids that must not appear; unknown ids are ignored.
 * @property weights signal to weight, in place of the package's own.
 * @property strict an unknown history id is an error instead of a note in [Results.unknown].
 */
public class Options public constructor(
    public val exclude: Collection<String> = emptyList(),
    public val weights: Map<String, Double> = emptyMap(),
    public val strict: Boolean = false,
) {
    /** Options one by one, for Java. */
    public class Builder internal constructor() {
        private var exclude: Collection<String> = emptyList()
        private var weights: Map<String, Double> = emptyMap()
        private var strict = false

        public fun exclude(ids: Collection<String>): Builder = apply { exclude = ids }

        public fun weights(weights: Map<String, Double>): Builder = apply { this.weights = weights }

        public fun strict(strict: Boolean): Builder = apply { this.strict = strict }

        public fun build(): Options = Options(exclude, weights, strict)
    }

    public companion object {
        /** Nothing beyond the history or the text. */
        @JvmField
        public val NONE: Options = Options()

        @JvmStatic
        public fun builder(): Builder = Builder()
    }
}
