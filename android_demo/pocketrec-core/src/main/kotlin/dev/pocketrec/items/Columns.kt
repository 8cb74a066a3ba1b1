package dev.pocketrec.items

import dev.pocketrec.file.AttributeInfo
import dev.pocketrec.file.NumberArray
import dev.pocketrec.file.PackageFile
import dev.pocketrec.file.StringTable

/** Where the columns of a catalogue come from: a package, or items that were added to it. */
internal interface Columns {
    /** The attributes, in order. */
    val attributes: List<AttributeInfo>

    /** A column of texts. */
    fun strings(prefix: String): StringTable

    /** A column of numbers. */
    fun array(name: String): NumberArray
}

/** The columns of a package. */
internal class PackageColumns(private val file: PackageFile) : Columns {
    override val attributes: List<AttributeInfo> get() = file.manifest.catalogue.attributes

    override fun strings(prefix: String): StringTable = file.strings(prefix)

    override fun array(name: String): NumberArray = file.array(name)
}
