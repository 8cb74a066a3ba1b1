package dev.pocketrec.rank

import dev.pocketrec.Catalogue
import dev.pocketrec.Filter
import dev.pocketrec.added.Overlay
import dev.pocketrec.file.PackageFile
import dev.pocketrec.history.Lookup

/**
 * The items of one moment: item `i` is row i of the package, or row `i - own` of the overlay.
 *
 * @property catalogue the package's items.
 * @property overlay the added ones, null if there are none.
 */
internal class View(private val file: PackageFile, val catalogue: Catalogue, val overlay: Overlay?) : Lookup {
    /** How many items the package has. */
    val own: Int = catalogue.size

    val size: Int get() = own + (overlay?.size ?: 0)

    /** The index of an item by its id, or -1. */
    override fun index(id: String): Int {
        val row = catalogue.index(id)
        if (row >= 0 || overlay == null) return row
        return overlay.catalogue.index(id).let { if (it < 0) it else own + it }
    }

    fun id(index: Int): String = of(index) { catalogue, row -> catalogue.id(row) }

    fun title(index: Int): String = of(index) { catalogue, row -> catalogue.title(row) }

    fun labels(index: Int, attribute: String): List<String> = of(index) { catalogue, row -> catalogue.labels(row, attribute) }

    /** Which items pass a filter and, given the time, are published and not expired. */
    fun eligible(filter: Filter, now: Double?): BooleanArray {
        val mask = catalogue.eligible(filter, now)
        return if (overlay == null) mask else mask + overlay.catalogue.eligible(filter, now)
    }

    /** Rows of a dense table, one after another; an added item has some for texts and factors, and zeros elsewhere. */
    fun rows(table: String, index: IntArray): FloatArray {
        val dense = file.dense(table)
        if (overlay == null || index.all { it < own }) return dense.rows(index)
        val rows = FloatArray(index.size * dense.dim)
        for ((place, item) in index.withIndex()) {
            if (item < own) dense.row(item, rows, place * dense.dim) else overlay.row(table, item - own)?.copyInto(rows, place * dense.dim)
        }
        return rows
    }

    /** Width of a dense table. */
    fun dim(table: String): Int = file.dense(table).dim

    private inline fun <T> of(index: Int, read: (Catalogue, Int) -> T): T =
        if (index < own || overlay == null) read(catalogue, index) else read(overlay.catalogue, index - own)
}
