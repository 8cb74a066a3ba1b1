package dev.pocketrec.rank

import dev.pocketrec.Display
import dev.pocketrec.Filter
import dev.pocketrec.Options

/**
 * What a verb was asked for, apart from what is known of the user.
 *
 * @property verb `recommend`, `search` or `similar`.
 * @property subject the query or the item; empty for recommend.
 * @property k how many.
 * @property now seconds since 1970, or null for the clock.
 * @property shown ids on the pages before, in order.
 * @property interests what the user says interests them.
 */
internal data class Request(
    val verb: String,
    val subject: String,
    val k: Int,
    val filter: Filter,
    val exclude: List<String>,
    val weights: Map<String, Double>,
    val explain: Boolean,
    val now: Double?,
    val display: Display,
    val shown: List<String> = emptyList(),
    val interests: List<String> = emptyList(),
) {
    constructor(verb: String, subject: String, k: Int, options: Options) : this(
        verb, subject, k, options.filter, options.exclude.toList(), options.weights, options.explain, options.now, options.display,
        interests = options.interests,
    )

    companion object {
        val VERBS = listOf("recommend", "search", "similar")
    }
}
