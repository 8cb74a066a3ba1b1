package dev.pocketrec

import dev.pocketrec.file.Messages
import dev.pocketrec.text.stripped

/**
 * What a list may hold, by attributes of the catalogue; a value that is built up and never changes.
 *
 * ```
 * Filter().equal("category", "Comedy", "Drama").where("price", "<", 20).equal("in_stock", true)
 * ```
 *
 * Equal values of one key are alternatives; comparisons of one key must all hold; and all keys must. Values are texts,
 * numbers, booleans and, for dates, texts such as "2026", "2026-05-31" and "2026-05-31T18:00:00Z" or seconds since 1970.
 */
public class Filter private constructor(internal val wishes: Map<String, List<Wish>>) {
    /** Everything passes. */
    public constructor() : this(emptyMap())

    internal class Wish(val sign: String, val value: Any)

    /** And the value of [key] is one of [values]; without values, nothing is left. */
    public fun equal(key: String, vararg values: Any): Filter = and(key, values.map { Wish("=", it) })

    /** And the value of [key] compares with [value] as [sign] says: `=`, `<`, `<=`, `>` or `>=`. */
    public fun where(key: String, sign: String, value: Any): Filter {
        if (sign !in SIGNS) throw UsageException("${Messages.quoted(sign)} is no sign; expected ${SIGNS.joinToString(" ")}")
        return and(key, listOf(Wish(sign, value)))
    }

    internal fun and(key: String, more: List<Wish>) = Filter(wishes + (key to (wishes[key].orEmpty() + more)))

    override fun toString(): String =
        wishes.entries.joinToString(", ", "Filter(", ")") { (key, all) -> all.joinToString(", ") { "$key${it.sign}${it.value}" } }

    public companion object {
        /** How a value may be compared; all but the first need an order. */
        @JvmField
        public val SIGNS: List<String> = listOf("=", "<", "<=", ">", ">=")

        /** Everything passes. */
        @JvmField
        public val NONE: Filter = Filter()

        /**
         * Words such as "price<20" and "category=Comedy"; the key ends at the first sign.
         *
         * @throws UsageException a word without a sign, or with nothing before it.
         */
        @JvmStatic
        public fun parse(words: Iterable<String>): Filter = words.fold(NONE) { filter, word ->
            val at = word.indexOfAny(charArrayOf('<', '>', '='))
            val key = word.take(maxOf(at, 0)).stripped()
            if (key.isEmpty()) {
                throw UsageException("filter ${Messages.quoted(word)}: expected KEY=VALUE or KEY<VALUE (also <=, >, >=), such as category=Comedy")
            }
            val sign = SIGNS.last { word.startsWith(it, at) } // the longer one
            filter.where(key, sign, word.substring(at + sign.length).stripped())
        }
    }
}
