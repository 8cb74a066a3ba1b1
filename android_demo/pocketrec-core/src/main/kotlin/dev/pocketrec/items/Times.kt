package dev.pocketrec.items

import dev.pocketrec.UsageException
import dev.pocketrec.file.Messages
import dev.pocketrec.text.stripped
import java.time.DateTimeException
import java.time.LocalDate

/** Times that callers write, as whole seconds since 1970 UTC: a year, a month, a day, an instant. */
internal object Times {
    /** Bound of the absolute seconds of a time; the year 9999 lies inside, milliseconds of today do not. */
    const val LARGEST = 1L shl 38
    private const val DAY = 86_400L

    // [0-9], not \d, which means the digits of all scripts on Android.
    private val CALENDAR = Regex("([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?")
    private val SECONDS = Regex("-?[0-9]{5,12}(\\.[0-9]*)?")
    private val INSTANT = Regex(
        "([0-9]{4})-?([0-9]{2})-?([0-9]{2})[Tt ]" +
            "([0-9]{2})(?::?([0-9]{2})(?::?([0-9]{2})(?:[.,][0-9]{1,9})?)?)?" +
            "(?:[Zz]|([+-])([0-9]{2})(?::?([0-9]{2}))?)?",
    )

    /**
     * The seconds of a time: "2026", "2026-05" and "2026-05-31" last a whole year, month or day; an ISO 8601 text with a
     * time of day and a number of seconds since 1970 last one second. What has no zone is UTC.
     *
     * @throws UsageException it is none of these.
     */
    fun period(value: Any): LongRange {
        val found = try {
            when (value) {
                is String -> ofText(value.stripped())
                is Number -> second(value.toDouble())
                else -> null
            }
        } catch (_: DateTimeException) {
            null
        }
        return found ?: throw UsageException(
            "${Messages.shown(value)} is no time; expected for example 2026, 2026-05-31, 2026-05-31T18:00:00Z or seconds since 1970",
        )
    }

    /** ISO 8601 in UTC: only the day where the time is midnight. */
    fun text(seconds: Long): String {
        if (seconds !in -62_135_596_800..253_402_300_799) return "$seconds s" // beyond four digits of a year
        val date = LocalDate.ofEpochDay(Math.floorDiv(seconds, DAY))
        val day = "${digits(date.year, 4)}-${digits(date.monthValue, 2)}-${digits(date.dayOfMonth, 2)}"
        val clock = Math.floorMod(seconds, DAY).toInt()
        if (clock == 0) return day
        return "${day}T${digits(clock / 3600, 2)}:${digits(clock / 60 % 60, 2)}:${digits(clock % 60, 2)}Z"
    }

    private fun ofText(text: String): LongRange? {
        CALENDAR.matchEntire(text)?.let { found -> return calendar(found.groupValues.drop(1)) }
        if (SECONDS.matches(text)) return second(text.toDouble())
        return INSTANT.matchEntire(text)?.let { instant(it.groupValues.drop(1)) }
    }

    /** Year, month and day, of which the last may be missing. */
    private fun calendar(parts: List<String>): LongRange {
        val (year, month, day) = parts.map { if (it.isEmpty()) 1 else it.toInt() }
        if (year == 0) throw DateTimeException("there is no year 0")
        val first = LocalDate.of(year, month, day)
        val days = if (parts[2].isNotEmpty()) 1 else if (parts[1].isNotEmpty()) first.lengthOfMonth() else first.lengthOfYear()
        val start = first.toEpochDay() * DAY
        return start until start + days * DAY
    }

    private fun instant(parts: List<String>): LongRange? {
        val (hour, minute, second) = parts.subList(3, 6).map { if (it.isEmpty()) 0 else it.toInt() }
        val (hours, minutes) = parts.subList(7, 9).map { if (it.isEmpty()) 0 else it.toInt() }
        if (hour > 23 || minute > 59 || second > 59 || hours > 23 || minutes > 59) return null
        val zone = 60L * (60 * hours + minutes)
        val start = calendar(parts.take(3)).first + 3600 * hour + 60 * minute + second + if (parts[6] == "-") zone else -zone
        return start..start
    }

    private fun second(seconds: Double): LongRange? {
        if (!(Math.abs(seconds) <= LARGEST)) return null // NaN too
        val start = Math.floor(seconds).toLong()
        return start..start
    }

    private fun digits(number: Int, count: Int): String = number.toString().padStart(count, '0')
}
