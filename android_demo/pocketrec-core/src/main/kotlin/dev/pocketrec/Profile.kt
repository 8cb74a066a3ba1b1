package dev.pocketrec

import dev.pocketrec.file.JsonText
import dev.pocketrec.file.Messages
import dev.pocketrec.history.Known
import dev.pocketrec.history.Lookup
import dev.pocketrec.profile.EventLog
import dev.pocketrec.profile.Records
import dev.pocketrec.profile.Totals
import java.io.File

/**
 * A user's events in one file on their device. Threads may share it; one process at a time writes it.
 *
 * Items are kept by external id, so that the profile outlives a package: what a package does not hold is ignored in its
 * rankings, reported as unknown and kept in the file. Other runtimes read the same file.
 *
 * ```
 * Profile.open(File(context.filesDir, "me.profile")).use { me ->
 *     me.like("tea-1")
 *     recommender.recommend(profile = me)
 * }
 * ```
 *
 * @property file the profile's file.
 * @property weights what an event of each type weighs.
 * @property halfLifeDays after how many days an event weighs half; infinite for ever.
 */
public class Profile private constructor(
    public val file: File,
    public val weights: Map<String, Double>,
    public val halfLifeDays: Double,
    private val maxEvents: Int,
    private val log: EventLog,
) : AutoCloseable {
    private var totals = Totals(log.events, weights)

    /** How many bytes of a torn tail were dropped on opening; 0 after a clean end. */
    public val lostBytes: Int = log.lostBytes

    /** How many events it holds. */
    public val size: Int
        @Synchronized get() = log.events.size

    /**
     * Records that the user did something with an item; the next call of a recommender knows it.
     *
     * @param item an external id, whether or not a package holds it.
     * @param event a key of [weights].
     * @param time seconds since 1970, in any order.
     * @throws UsageException an unknown event, an id or time that cannot be, or a profile open for reading.
     * @throws DataException it could not be written; file and profile are as before.
     */
    @JvmOverloads
    @Synchronized
    public fun add(item: String, event: String = "click", time: Double = clock()) {
        if (event !in weights) {
            throw UsageException("unknown event ${Messages.quoted(event)}; this profile knows ${weights.keys.joinToString()}")
        }
        val entry = Event(item, event, time)
        Records.encode(entry) // what cannot be is refused before room is made for it
        if (log.events.size >= maxEvents) dropOldest()
        log.append(entry)
        totals.append(entry)
    }

    /** [add] with the event `like`. */
    @JvmOverloads
    public fun like(item: String, time: Double = clock()): Unit = add(item, "like", time)

    /** [add] with the event `dislike`, whose weight is negative. */
    @JvmOverloads
    public fun dislike(item: String, time: Double = clock()): Unit = add(item, "dislike", time)

    /** Forgets everything; an empty profile stays. Flash memory may keep old blocks until it reuses them. */
    @Synchronized
    public fun erase() {
        log.erase()
        totals = Totals(emptyList(), weights)
    }

    /** The weight of every item at a time, in order of first appearance; events after [now] count as new. */
    @JvmOverloads
    @Synchronized
    public fun history(now: Double = clock()): Map<String, Double> {
        val at = totals.at(checked(now), halfLifeDays)
        return totals.ids.withIndex().associateTo(LinkedHashMap()) { (row, id) -> id to at[row] }
    }

    /** [history] as the ranker reads it. */
    @Synchronized
    internal fun known(catalogue: Lookup, now: Double): Known {
        val index = totals.index(catalogue)
        return Known(index, totals.at(checked(now), halfLifeDays), index.indices.filter { index[it] < 0 }.map { totals.ids[it] })
    }

    /** Everything the profile holds, oldest first, as the JSON text that `pocketrec profile export` prints on one line. */
    @Synchronized
    public fun export(): String = log.events.joinToString(", ", "{\"format\": \"pocketrec profile 1\", \"events\": [", "]}") {
        "{\"item\": ${JsonText.of(it.item)}, \"event\": ${JsonText.of(it.event)}, \"when\": ${JsonText.of(it.time)}}"
    }

    /** Everything the profile holds, oldest first. */
    @Synchronized
    public fun events(): List<Event> = log.events.toList()

    /** Lets go of the file and lets the next writer in; reading goes on. */
    @Synchronized
    override fun close(): Unit = log.close()

    override fun toString(): String = "<Profile $file: $size events>"

    /** Makes room for a tenth more: what was added first goes, whatever its clock said. */
    private fun dropOldest() {
        val room = maxOf(1, maxEvents / 10)
        log.replace(log.events.takeLast(maxEvents - room))
        totals = Totals(log.events, weights)
    }

    public companion object {
        /** What one event of each type weighs when it happens. Judgment: an app knows better, see [open]. */
        @JvmField
        public val WEIGHTS: Map<String, Double> = linkedMapOf(
            "view" to 0.5, "click" to 1.0, "cart" to 2.0, "purchase" to 3.0, "like" to 3.0, "skip" to -0.5, "dislike" to -3.0,
        )
        public const val HALF_LIFE_DAYS: Double = 90.0
        public const val MAX_EVENTS: Int = 10_000

        /**
         * Opens a profile; a new one where there is none and [write] is set.
         *
         * @param file the file; one named `NAME.lock` beside it keeps a second writer out.
         * @param write false to read what it holds now, beside any writer.
         * @param weights event type to weight, laid over [WEIGHTS]; a name that is new there is a new type.
         * @param halfLifeDays positive; infinite for no decay.
         * @param maxEvents when the file holds as many, the oldest tenth goes.
         * @param durable wait for the disk after every event.
         * @throws BusyException another writer has it open.
         * @throws DataException the file is no profile, or cannot be read or written.
         * @throws UsageException a weight or limit outside its range.
         */
        @JvmStatic
        @JvmOverloads
        public fun open(
            file: File,
            write: Boolean = true,
            weights: Map<String, Double> = emptyMap(),
            halfLifeDays: Double = HALF_LIFE_DAYS,
            maxEvents: Int = MAX_EVENTS,
            durable: Boolean = false,
        ): Profile {
            if (!(halfLifeDays > 0)) {
                throw UsageException("halfLifeDays is ${Messages.general(halfLifeDays)}; expected more than 0")
            }
            if (maxEvents < 1) throw UsageException("maxEvents is $maxEvents; expected 1 or more")
            val table = WEIGHTS + weights
            for ((name, weight) in table) if (weight.isNaN() || weight.isInfinite()) {
                throw UsageException("the weight of event ${Messages.quoted(name)} is ${Messages.general(weight)}; expected a finite number")
            }
            return Profile(file, table, halfLifeDays, maxEvents, EventLog(file, write, durable))
        }

        private fun clock(): Double = System.currentTimeMillis() / 1000.0

        private fun checked(now: Double): Double =
            if (!now.isNaN() && !now.isInfinite()) now
            else throw UsageException("now is ${Messages.general(now)}; expected seconds since 1970")
    }
}
