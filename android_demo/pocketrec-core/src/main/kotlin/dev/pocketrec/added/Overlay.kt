package dev.pocketrec.added

import dev.pocketrec.AddedItem
import dev.pocketrec.Catalogue
import dev.pocketrec.file.Crc32
import dev.pocketrec.file.PackageFile
import dev.pocketrec.history.Resolved

/**
 * N items added on the device, ready to be ranked in host code by the formula of the package.
 *
 * Their indices follow the package's own, so that histories, filters and lists hold both kinds. An overlay is a value:
 * adding makes another one, and whoever ranks goes on with the one that they began with.
 *
 * @property items as they were added.
 * @property placed where each stands.
 */
internal class Overlay(val items: List<AddedItem>, val placed: List<Placed>, private val file: PackageFile) {
    /** Their ids, titles and attributes; row 0 is the first added item. */
    val catalogue = Catalogue(AddedColumns(items, file.manifest.catalogue.attributes))

    /** Of their ids. */
    val checksum: Int = Crc32.of(items.joinToString("\u0000") { it.item }.toByteArray())

    /** Their words, null where the package has no word table. */
    val words: AddedWords? by lazy { if (file.manifest.signals.lexical != null) AddedWords(file, items) else null }

    /** Source to the added items that it speaks for, and how much. */
    private val bySource: Map<Int, List<Pair<Int, Float>>> = HashMap<Int, MutableList<Pair<Int, Float>>>().also { all ->
        placed.forEachIndexed { row, item ->
            for (at in item.source.indices) if (item.strength[at] != 0f) all.getOrPut(item.source[at]) { ArrayList() }.add(row to item.strength[at])
        }
    }

    val size: Int get() = items.size

    /** A row of `text` or `factors`; null of another table. */
    fun row(table: String, row: Int): FloatArray? = when (table) {
        "text" -> placed[row].vector
        "factors" -> placed[row].factors
        else -> null
    }

    /** x(i) = sum_j c_j S_ji of each added item. */
    fun neighbours(history: Resolved): FloatArray {
        val sum = DoubleArray(size)
        for (j in history.index.indices) for ((row, strength) in bySource[history.index[j]].orEmpty()) {
            sum[row] += (strength * history.weight[j]).toDouble()
        }
        return FloatArray(size) { sum[it].toFloat() }
    }

    /** What each history item adds to the neighbours of one item. */
    fun neighbourParts(row: Int, history: Resolved): DoubleArray = DoubleArray(history.index.size) { j ->
        bySource[history.index[j]].orEmpty().filter { it.first == row }.sumOf { it.second.toDouble() * history.weight[j] }
    }
}
