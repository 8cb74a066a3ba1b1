package dev.pocketrec

import dev.pocketrec.file.AttributeInfo
import dev.pocketrec.file.Messages
import dev.pocketrec.file.PackageFile
import dev.pocketrec.items.Column
import dev.pocketrec.items.Columns
import dev.pocketrec.items.Dates
import dev.pocketrec.items.PackageColumns
import dev.pocketrec.items.Times
import dev.pocketrec.text.Decimals
import java.util.concurrent.ConcurrentHashMap

/**
 * The items of a package, or those added to it; an item's index is its row in every table. Threads may share it.
 *
 * @property attributes the typed columns, in the order of the package.
 * @property timed whether items may be not yet published or expired, so that it matters what time it is.
 */
public class Catalogue internal constructor(private val columns: Columns) {
    internal constructor(file: PackageFile) : this(PackageColumns(file))

    private val ids = columns.strings("catalogue/id")
    private val titles = columns.strings("catalogue/title")
    private val read = ConcurrentHashMap<String, Column>()

    public val attributes: List<AttributeInfo> = columns.attributes
    public val timed: Boolean = attributes.any { it.name == PUBLISHED || it.name == EXPIRES }

    /** How many items there are. */
    public val size: Int get() = ids.size

    /** The external id of an item. */
    public fun id(index: Int): String = ids[index]

    /** The title of an item, or its id when it has none. */
    public fun title(index: Int): String = titles[index].ifEmpty { ids[index] }

    /** The index of an item by its id, or -1 when the catalogue does not have it. */
    public fun index(id: String): Int = ids.find(id)

    /**
     * What one item has of an attribute: a list of category names, a number, a boolean, or a date as text such as
     * 2026-05-31; null where it has nothing.
     *
     * @throws UsageException there is no such attribute.
     */
    public fun value(index: Int, attribute: String): Any? = column(attribute).value(index)

    /** [value] as texts, one for each category or other value; empty where it has nothing. */
    public fun labels(index: Int, attribute: String): List<String> = column(attribute).labels(index)

    /**
     * Which items pass a filter and, given the time, are published and not expired.
     *
     * @param now seconds since 1970 UTC; null leaves times out.
     * @return one value for each item; the caller may change it.
     * @throws UsageException the catalogue has no such attribute, a value that is none of its kind, or [now] is no time.
     */
    internal fun eligible(filter: Filter, now: Double?): BooleanArray {
        val mask = BooleanArray(size) { true }
        for ((key, wishes) in filter.wishes) {
            val column = column(key)
            val (equal, others) = wishes.partition { it.sign == "=" }
            if (equal.isNotEmpty() || others.isEmpty()) keep(mask, column.oneOf(equal.map { it.value }))
            for (wish in others) keep(mask, column.compares(wish.sign, wish.value))
        }
        if (now != null) {
            if (!(Math.abs(now) <= Times.LARGEST)) throw UsageException("now is ${Decimals.text(now)}; expected seconds since 1970")
            val time = Math.floor(now).toLong()
            date(PUBLISHED)?.let { column -> keep(mask) { column.since(it, time) } }
            date(EXPIRES)?.let { column -> keep(mask) { column.until(it, time) } }
        }
        return mask
    }

    private inline fun keep(mask: BooleanArray, passes: (Int) -> Boolean) {
        for (index in mask.indices) if (mask[index] && !passes(index)) mask[index] = false
    }

    private fun date(name: String): Dates? = if (attributes.any { it.name == name }) column(name) as Dates else null

    private fun column(name: String): Column = read[name] ?: run {
        val info = attributes.find { it.name == name } ?: throw UsageException(
            "cannot filter by ${Messages.quoted(name)}; this package has: " +
                attributes.joinToString { "${it.name} (${it.kind})" }.ifEmpty { "none" },
        )
        Column.of(columns, info).also { read[name] = it }
    }

    private companion object {
        const val PUBLISHED = "published"
        const val EXPIRES = "expires"
    }
}
