package dev.pocketrec.items

import dev.pocketrec.UsageException
import dev.pocketrec.file.AttributeInfo
import dev.pocketrec.file.DType
import dev.pocketrec.file.Messages
import dev.pocketrec.text.Decimals
import dev.pocketrec.text.stripped

/** One typed attribute of all items. An item without a value never matches. */
internal interface Column {
    /** The values of one item as texts, one for each category; empty where it has none. */
    fun labels(index: Int): List<String>

    /** The value of one item: a list of texts, a number, a boolean or a time as text; null where it has none. */
    fun value(index: Int): Any?

    /** Whether each item has one of the values; refuses what is no value of this kind. */
    fun oneOf(wanted: List<Any>): (Int) -> Boolean

    /** Whether each item's value compares with one as the sign says; refuses a kind that has no order. */
    fun compares(sign: String, wanted: Any): (Int) -> Boolean

    companion object {
        /** How each kind of attribute is read. */
        fun of(columns: Columns, info: AttributeInfo): Column = when (info.kind) {
            "category" -> Categories(columns, info)
            "number" -> Numbers(columns, info)
            "boolean" -> Booleans(columns, info)
            else -> Dates(columns, info)
        }
    }
}

/** A set of names for each item, which have no order. */
internal class Categories(columns: Columns, private val info: AttributeInfo) : Column {
    private val names = columns.strings("${info.prefix}_name")
    private val start = columns.array("${info.prefix}.start")
    private val rows = columns.array("${info.prefix}.index")

    override fun labels(index: Int): List<String> = (start.int(index) until start.int(index + 1)).map { names[rows.int(it)] }

    override fun value(index: Int): Any = labels(index)

    override fun oneOf(wanted: List<Any>): (Int) -> Boolean {
        val chosen = BooleanArray(names.size)
        for (name in wanted) {
            val row = names.find(name as? String ?: throw noValue(info, "a text", name))
            if (row >= 0) chosen[row] = true
        }
        return { index -> (start.int(index) until start.int(index + 1)).any { chosen[rows.int(it)] } }
    }

    override fun compares(sign: String, wanted: Any) = throw noOrder(info, sign)
}

/** One number for each item, NaN where there is none; compared in the precision in which they are stored. */
internal class Numbers(columns: Columns, private val info: AttributeInfo) : Column {
    private val numbers = columns.array("${info.prefix}.value")
    private val narrow = numbers.dtype == DType.FLOAT32

    override fun value(index: Int): Double? {
        val number = numbers.double(index)
        return if (number.isNaN()) null else if (narrow) Decimals.widened(number.toFloat()) else number
    }

    override fun labels(index: Int): List<String> = listOfNotNull(value(index)?.let(Decimals::text))

    override fun oneOf(wanted: List<Any>): (Int) -> Boolean {
        val stored = wanted.map(::stored)
        return { index -> numbers.double(index).let { mine -> stored.any { it == mine } } }
    }

    override fun compares(sign: String, wanted: Any): (Int) -> Boolean {
        val other = stored(wanted)
        return when (sign) {
            "<" -> { index -> numbers.double(index) < other }
            "<=" -> { index -> numbers.double(index) <= other }
            ">" -> { index -> numbers.double(index) > other }
            else -> { index -> numbers.double(index) >= other }
        }
    }

    private fun stored(wanted: Any): Double {
        val number = when (wanted) {
            is Number -> wanted.toDouble()
            is String -> if (NUMBER.matches(wanted)) wanted.stripped().toDouble() else Double.NaN
            else -> Double.NaN
        }
        if (number.isNaN() || number.isInfinite()) throw noValue(info, "a finite number", wanted)
        return if (narrow) number.toFloat().toDouble() else number // beyond float32 it is infinite, and compares as it should
    }

    private companion object {
        val NUMBER = Regex("[\\t-\\r\\x1c- ]*[+-]?([0-9]+\\.?[0-9]*|\\.[0-9]+)([eE][+-]?[0-9]+)?[\\t-\\r\\x1c- ]*")
    }
}

/** True, false or nothing for each item. */
internal class Booleans(columns: Columns, private val info: AttributeInfo) : Column {
    private val codes = columns.array("${info.prefix}.value")

    override fun value(index: Int): Boolean? = codes.int(index).let { if (it == NONE) null else it == 1 }

    override fun labels(index: Int): List<String> = listOfNotNull(value(index)?.let { if (it) "True" else "False" })

    override fun oneOf(wanted: List<Any>): (Int) -> Boolean {
        val chosen = wanted.map { word ->
            when (lower(word.toString()).stripped()) {
                "true", "yes", "1" -> 1
                "false", "no", "0" -> 0
                else -> throw noValue(info, "true or false", word)
            }
        }
        return { index -> codes.int(index) in chosen }
    }

    override fun compares(sign: String, wanted: Any) = throw noOrder(info, sign)

    private fun lower(text: String) = String(CharArray(text.length) { text[it].let { c -> if (c in 'A'..'Z') c + 32 else c } })

    companion object {
        /** What says that an item has none. */
        const val NONE = 2
    }
}

/** Seconds since 1970 UTC for each item; a wanted year, month or day stands for all of its seconds. */
internal class Dates(columns: Columns, private val info: AttributeInfo) : Column {
    private val times = columns.array("${info.prefix}.value")

    override fun value(index: Int): String? = times.long(index).let { if (it == NONE) null else Times.text(it) }

    override fun labels(index: Int): List<String> = listOfNotNull(value(index))

    override fun oneOf(wanted: List<Any>): (Int) -> Boolean {
        val periods = wanted.map(::period)
        return { index -> times.long(index).let { time -> periods.any { time in it } } }
    }

    override fun compares(sign: String, wanted: Any): (Int) -> Boolean {
        val period = period(wanted)
        // "<" means before it begins, "<=" before it has ended, and so on.
        return when (sign) {
            "<" -> { index -> times.long(index).let { it < period.first && it != NONE } }
            "<=" -> { index -> times.long(index).let { it <= period.last && it != NONE } }
            ">" -> { index -> times.long(index) > period.last }
            else -> { index -> times.long(index) >= period.first }
        }
    }

    /** Whether an item's time has come, or it has none. */
    fun since(index: Int, now: Long): Boolean = times.long(index) <= now // NONE lies before all times

    /** Whether an item's time has not come, or it has none. */
    fun until(index: Int, now: Long): Boolean = times.long(index).let { it > now || it == NONE }

    private fun period(wanted: Any): LongRange = try {
        Times.period(wanted)
    } catch (error: UsageException) {
        throw UsageException("filter ${Messages.quoted(info.name)}: ${error.message}")
    }

    companion object {
        /** What says that an item has none. */
        const val NONE = Long.MIN_VALUE
    }
}

private fun noValue(info: AttributeInfo, expected: String, found: Any) =
    UsageException("filter ${Messages.quoted(info.name)} must be $expected, found ${Messages.shown(found)}")

private fun noOrder(info: AttributeInfo, sign: String) =
    UsageException("filter ${Messages.quoted(info.name)} is a ${info.kind} and has no order; expected ${info.name}=VALUE, found $sign")
