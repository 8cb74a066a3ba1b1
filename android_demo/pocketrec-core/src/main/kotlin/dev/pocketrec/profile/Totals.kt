package dev.pocketrec.profile

import dev.pocketrec.Event
import dev.pocketrec.history.Lookup
import java.lang.ref.WeakReference

/** Events as columns, with each item's ids and catalogue positions looked up once. */
internal class Totals(events: List<Event>, private val weights: Map<String, Double>) {
    /** The items, in order of first appearance. */
    val ids = ArrayList<String>()
    private val place = HashMap<String, Int>()
    private val entries = ArrayList<Entry>()
    private var found: Pair<WeakReference<Lookup>, IntArray>? = null

    private class Entry(val position: Int, val weight: Double, val time: Double)

    init {
        events.forEach(::append)
    }

    /** Takes in one more event. */
    fun append(event: Event) {
        val position = place.getOrPut(event.item) { ids.add(event.item); ids.size - 1 }
        entries.add(Entry(position, weights[event.event] ?: 0.0, event.time))
    }

    /**
     * The weight of each item at a time: sum over its events of weight * 2^(-age / half-life), in the order of the
     * events. An event after [now] has age 0.
     */
    fun at(now: Double, halfLifeDays: Double): DoubleArray {
        val total = DoubleArray(ids.size)
        for (entry in entries) {
            val age = maxOf(0.0, now - entry.time)
            total[entry.position] += entry.weight * Math.pow(2.0, -age / (halfLifeDays * DAY))
        }
        return total
    }

    /** The position of each item in a catalogue, -1 where it lacks the id; each id is looked up once. */
    fun index(catalogue: Lookup): IntArray {
        val before = found?.takeIf { it.first.get() === catalogue }?.second ?: IntArray(0)
        if (before.size == ids.size) return before
        val all = IntArray(ids.size) { if (it < before.size) before[it] else catalogue.index(ids[it]) }
        found = WeakReference(catalogue) to all
        return all
    }

    private companion object {
        const val DAY = 86_400.0
    }
}
