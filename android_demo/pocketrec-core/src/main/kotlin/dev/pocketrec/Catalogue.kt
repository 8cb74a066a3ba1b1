package dev.pocketrec

import dev.pocketrec.file.AttributeInfo
import dev.pocketrec.file.PackageFile

/**
 * The items of a package; an item's index is its row in every table. Threads may share it.
 *
 * @property attributes the typed columns, in the order of the package.
 * @property timed whether items may be not yet published or expired, so that it matters what time it is.
 */
public class Catalogue internal constructor(internal val file: PackageFile) {
    private val ids = file.strings("catalogue/id")
    private val titles = file.strings("catalogue/title")

    public val attributes: List<AttributeInfo> = file.manifest.catalogue.attributes
    public val timed: Boolean = attributes.any { it.name == "published" || it.name == "expires" }

    /** How many items there are. */
    public val size: Int get() = ids.size

    /** The external id of an item. */
    public fun id(index: Int): String = ids[index]

    /** The title of an item, or its id when it has none. */
    public fun title(index: Int): String = titles[index].ifEmpty { ids[index] }

    /** The index of an item by its id, or -1 when the catalogue does not have it. */
    public fun index(id: String): Int = ids.find(id)
}
