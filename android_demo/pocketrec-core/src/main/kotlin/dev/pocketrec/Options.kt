package dev.pocketrec

/**
 * What a call may ask for beyond its history or text; the default asks for nothing.
 *
 * In Kotlin `Options(explain = true)`, in Java `Options.builder().explain(true).build()`.
 *
 * @property exclude ids that must not appear; unknown ids are ignored.
 * @property weights signal to weight, in place of the package's own.
 * @property strict an unknown history id is an error instead of a note in [Results.unknown].
 * @property filter what may appear, by attributes of the catalogue.
 * @property profile the user's profile, whose items count as if they came before those of the history. Similar items only
 *     leave out what it dislikes.
 * @property interests what the user says interests them, for recommendations: each counts as one item in the history,
 *     spread over the items that it is most like.
 * @property explain also work out the reasons.
 * @property display what the list should look like: diversity, no duplicates, quotas, floors.
 * @property now seconds since 1970, at which items are published or expired and the profile is read; null for the device's
 *     clock.
 */
public class Options public constructor(
    public val exclude: Collection<String> = emptyList(),
    public val weights: Map<String, Double> = emptyMap(),
    public val strict: Boolean = false,
    public val filter: Filter = Filter.NONE,
    public val profile: Profile? = null,
    public val interests: List<String> = emptyList(),
    public val explain: Boolean = false,
    public val display: Display = Display.PLAIN,
    public val now: Double? = null,
) {
    /** Options one by one, for Java. */
    public class Builder internal constructor() {
        private var exclude: Collection<String> = emptyList()
        private var weights: Map<String, Double> = emptyMap()
        private var strict = false
        private var filter = Filter.NONE
        private var profile: Profile? = null
        private var interests: List<String> = emptyList()
        private var explain = false
        private var display = Display.PLAIN
        private var now: Double? = null

        public fun exclude(ids: Collection<String>): Builder = apply { exclude = ids }

        public fun weights(weights: Map<String, Double>): Builder = apply { this.weights = weights }

        public fun strict(strict: Boolean): Builder = apply { this.strict = strict }

        public fun filter(filter: Filter): Builder = apply { this.filter = filter }

        public fun profile(profile: Profile?): Builder = apply { this.profile = profile }

        public fun interests(phrases: List<String>): Builder = apply { interests = phrases }

        public fun explain(explain: Boolean): Builder = apply { this.explain = explain }

        public fun display(display: Display): Builder = apply { this.display = display }

        public fun now(seconds: Double?): Builder = apply { now = seconds }

        public fun build(): Options = Options(exclude, weights, strict, filter, profile, interests, explain, display, now)
    }

    public companion object {
        /** Nothing beyond the history or the text. */
        @JvmField
        public val NONE: Options = Options()

        @JvmStatic
        public fun builder(): Builder = Builder()
    }
}
