package dev.pocketrec.added

import dev.pocketrec.AddedItem
import dev.pocketrec.file.PackageFile
import dev.pocketrec.text.Folding

/** Places items and makes overlays of one package. Threads may share it. */
internal class OverlayBuilder(private val file: PackageFile, private val placer: Placer) {
    private val folded = Folding.of(file)
    private val sources by lazy { if (file.has("neighbours/value")) Sources(file) else null }

    /** An overlay of items and where they stand; null of none. */
    fun overlay(items: List<AddedItem>, placed: List<Placed>): Overlay? =
        if (items.isEmpty()) null else Overlay(items, placed, file)

    /** Where an item stands; with its [vector] if the package's encoder has already read it. */
    fun place(item: AddedItem, vector: FloatArray? = null): Placed {
        val text = item.encoderText(folded)
        val encoded = vector ?: placer.encode(text)
        val near = placer.near(encoded, text)
        val (source, strength) = sources?.of(near, placer.info.neighbours.toFloat()) ?: (IntArray(0) to FloatArray(0))
        return Placed(encoded, near, placer.factors(encoded, near), source, strength)
    }

    /** The overlay without some ids and with new items at its end, which replace those of the same id; null if empty. */
    fun changed(before: Overlay?, new: List<AddedItem>, removed: Collection<String>): Overlay? {
        val gone = removed.toSet() + new.map { it.item }
        val kept = before?.items.orEmpty().indices.filter { before!!.items[it].item !in gone }
        return overlay(kept.map { before!!.items[it] } + new, kept.map { before!!.placed[it] } + new.map { place(it) })
    }

    /** The neighbour table by target: where each item's entries start, their sources and values. */
    private class Sources(file: PackageFile) {
        private val items = file.manifest.catalogue.items
        private val first = IntArray(items + 1)
        private val source: IntArray
        private val value: FloatArray

        init {
            val start = file.array("neighbours/start")
            val index = file.array("neighbours/index")
            val codes = file.array("neighbours/value")
            val scale = file.array("neighbours/scale")
            val width = index.shape[1].toInt()
            for (at in 0 until codes.size) if (codes.int(at) != 0) first[index.int(at) + 1]++
            for (item in 0 until items) first[item + 1] += first[item]
            source = IntArray(first[items])
            value = FloatArray(first[items])
            val next = first.copyOf()
            for (row in 0 until items) for (at in start.int(row) * width until start.int(row + 1) * width) {
                val code = codes.int(at)
                if (code == 0) continue
                val place = next[index.int(at)]++
                source[place] = row
                value[place] = code * scale.float(row)
            }
        }

        /** The strongest [KEEP] of sum_k w_k S_jk over the near items k. */
        fun of(near: Near, factor: Float): Pair<IntArray, FloatArray> {
            val total = DoubleArray(items)
            for (k in near.index.indices) for (at in first[near.index[k]] until first[near.index[k] + 1]) {
                total[source[at]] += (value[at] * (near.weight[k] * factor)).toDouble()
            }
            var held = total.indices.filter { total[it] != 0.0 }
            if (held.size > KEEP) held = held.sortedByDescending { Math.abs(total[it]) }.take(KEEP).sorted()
            return held.toIntArray() to FloatArray(held.size) { total[held[it]].toFloat() }
        }
    }

    private companion object {
        /** Sources kept of each item's neighbours, the strongest. */
        const val KEEP = 100
    }
}
