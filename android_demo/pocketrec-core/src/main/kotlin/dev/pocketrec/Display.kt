package dev.pocketrec

import dev.pocketrec.file.Messages
import dev.pocketrec.text.Decimals

/**
 * What a list should look like; the default is the ranking itself. `docs/DISPLAY.md` says what each wish does.
 *
 * @property diversity 0 to 1: how much it counts that an item is unlike those before it; 0.5 is a good start.
 * @property distinct leave out items with the title or the text of an earlier one.
 * @property maxPer attribute to how many items of one value a list may hold.
 * @property minShare attribute to value to the least share of the places: of the first r at least floor(share * r).
 * @throws UsageException a value outside its range.
 */
public class Display @JvmOverloads constructor(
    public val diversity: Double = 0.0,
    public val distinct: Boolean = false,
    public val maxPer: Map<String, Int> = emptyMap(),
    public val minShare: Map<String, Map<String, Double>> = emptyMap(),
) {
    init {
        if (!(diversity >= 0 && diversity <= 1)) throw UsageException("diversity is ${Decimals.text(diversity)}; expected 0 to 1")
        for ((key, limit) in maxPer) if (limit < 1) {
            throw UsageException("maxPer[${Messages.quoted(key)}] is $limit; expected an integer of 1 or more")
        }
        for ((key, shares) in minShare) if (!shares.values.all { it >= 0 && it <= 1 }) {
            throw UsageException("minShare[${Messages.quoted(key)}] is $shares; expected value -> share from 0 to 1")
        }
        if (minShare.values.sumOf { it.values.sum() } > 1) throw UsageException("the shares of minShare add up to more than 1")
    }

    /** Whether the list is the ranking itself. */
    internal val plain get() = diversity == 0.0 && !distinct && maxPer.isEmpty() && minShare.isEmpty()

    /** Whether items are compared with each other, so that their vectors are needed. */
    internal val compares get() = diversity > 0 || distinct

    /** The attributes whose values are needed. */
    internal val attributes get() = maxPer.keys + minShare.keys

    public companion object {
        /** The ranking itself. */
        @JvmField
        public val PLAIN: Display = Display()
    }
}
