package dev.pocketrec.added

import dev.pocketrec.AddedItem
import dev.pocketrec.Catalogue
import dev.pocketrec.PackageException
import dev.pocketrec.UsageException
import dev.pocketrec.file.Messages
import dev.pocketrec.file.OneWriter
import dev.pocketrec.file.OwnFiles
import dev.pocketrec.file.PackageFile
import dev.pocketrec.rank.View
import java.io.File
import java.io.IOException
import java.nio.file.Files
import java.nio.file.attribute.BasicFileAttributes

/**
 * The added items of an open package: one overlay at a time, its file, and its one writer. Readers take [view] once a call;
 * a change puts another in its place.
 *
 * @param builder makes overlays; null where the package has no text encoder, so that nothing can be added.
 * @param path where the items are kept; null keeps them until the package is closed.
 * @throws dev.pocketrec.DataException the file is damaged, or cannot be read.
 */
internal class Additions(
    private val file: PackageFile,
    private val catalogue: Catalogue,
    private val builder: OverlayBuilder?,
    private val path: File?,
) {
    private val kinds = catalogue.attributes.associate { it.name to it.kind }
    private var mark: Any? = null

    /** The items of now. */
    @Volatile
    var view = View(file, catalogue, null)
        private set

    /** Ids that the file had and the package now has itself. */
    @Volatile
    var dropped: List<String> = emptyList()
        private set

    init {
        if (path != null) refresh(path)
    }

    /** Adds items; one with the id of an added one takes its place. How many are added now. */
    fun add(items: Iterable<AddedItem>): Int {
        val new = items.map { it.checked(kinds) }
        val seen = HashSet<String>()
        for (item in new) {
            val name = Messages.quoted(item.item)
            if (!seen.add(item.item)) throw UsageException("item $name is there twice in one call; give it once")
            if (catalogue.index(item.item) >= 0) throw UsageException("item $name is in the package already; only new ids can be added")
        }
        return change(new, emptyList())
    }

    /** Removes added items; an id that is none is passed over. How many are added then. */
    fun remove(ids: Iterable<String>): Int = change(emptyList(), ids.toList())

    @Synchronized
    private fun change(new: List<AddedItem>, removed: List<String>): Int {
        val builder = builder
            ?: throw PackageException("this package holds no text encoder, so nothing can be added; build it with item texts")
        val lock = path?.let { OneWriter(OwnFiles.beside(it, ".lock")) }
        try {
            if (path != null && marked(path) != mark) refresh(path)
            val overlay = builder.changed(view.overlay, new, removed)
            val count = overlay?.size ?: 0
            if (count > OverlayFile.MAX_ITEMS) {
                throw UsageException("$count added items; at most ${OverlayFile.MAX_ITEMS} fit, so build a package of them")
            }
            if (path != null) {
                OverlayFile(encoder(), overlay?.items.orEmpty(), overlay?.placed?.map { it.vector }).write(path)
                mark = marked(path)
            }
            view = View(file, catalogue, overlay)
            return count
        } finally {
            lock?.close()
        }
    }

    /** Takes what the file holds. */
    private fun refresh(path: File) {
        mark = marked(path)
        val stored = OverlayFile.read(path, kinds)
        if (stored == null || stored.items.isEmpty()) {
            view = View(file, catalogue, null)
            return
        }
        val builder = builder ?: throw PackageException("this package holds no text encoder, so it cannot take an overlay")
        val (fresh, own) = stored.items.indices.partition { catalogue.index(stored.items[it].item) < 0 }
        dropped = own.map { stored.items[it].item }
        val vectors = stored.vectors?.takeIf { stored.encoder == encoder() && it[0].size == file.textDim }
        val placed = fresh.map { builder.place(stored.items[it], vectors?.get(it)) }
        view = View(file, catalogue, builder.overlay(fresh.map { stored.items[it] }, placed))
    }

    /** What vectors depend on. */
    private fun encoder(): String = "${file.manifest.encoder?.fingerprint.orEmpty()}/${file.manifest.cold?.tokens ?: ""}"

    /** Changes when the file does. */
    private fun marked(path: File): Any? = try {
        val status = Files.readAttributes(path.toPath(), BasicFileAttributes::class.java)
        listOf(status.fileKey(), status.lastModifiedTime(), status.size())
    } catch (_: IOException) {
        null
    }
}
