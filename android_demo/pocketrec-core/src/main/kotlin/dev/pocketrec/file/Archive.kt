package dev.pocketrec.file

import dev.pocketrec.PackageException
import java.nio.ByteBuffer

/** Where an entry's bytes lie in the file. */
internal class ArchiveEntry(val name: String, val offset: Int, val size: Int, val crc: Int)

/**
 * The outer frame of a package: a ZIP reduced to what can be checked completely.
 *
 * Entries are stored, lie back to back in directory order from the first byte to the directory, and the end record
 * closes the file. So every byte has exactly one meaning, nothing can overlap or hide, and nothing is allocated from a
 * number that was not compared with the size of the file first.
 *
 * Source: PKWARE APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16.
 */
internal class Archive private constructor(private val data: ByteBuffer) {
    private val end = data.limit() - END_SIZE
    private var at = 0L // in the directory
    private var position = 0L // in the entries' data

    private fun entries(): List<ArchiveEntry> {
        if (end < 0 || u32(end) != END_MARK) {
            val kind = if (data.limit() >= 4 && u32(0) == LOCAL_MARK) "cut short or has bytes after its end" else "not a package"
            throw PackageException("the file is $kind: no ZIP end record in its last $END_SIZE of ${data.limit()} bytes")
        }
        val count = u16(end + 10)
        if (u16(end + 4) != 0 || u16(end + 6) != 0 || u16(end + 8) != count || u16(end + 20) != 0) {
            throw PackageException("the ZIP end record has several disks or a comment; a package has neither")
        }
        if (count !in 1..MAX_ENTRIES) throw PackageException("the ZIP has $count entries, expected 1 to $MAX_ENTRIES")
        val size = u32(end + 12)
        val directory = u32(end + 16)
        if (directory + size != end.toLong()) {
            throw PackageException("the ZIP directory covers bytes $directory to ${directory + size}, expected $end")
        }
        at = directory
        val names = HashSet<String>()
        val entries = List(count) { entry(directory).also { if (!names.add(it.name)) throw twice(it.name) } }
        if (at != end.toLong() || position != directory) {
            throw PackageException("bytes $position to $directory and $at to $end belong to no entry")
        }
        if (entries[0].name != MANIFEST_NAME) {
            throw PackageException("the first entry is ${Messages.quoted(entries[0].name)}, expected '$MANIFEST_NAME'")
        }
        return entries
    }

    /** The entry described at byte [at] of the directory and lying at [position]; moves both on. */
    private fun entry(directory: Long): ArchiveEntry {
        if (at + CENTRAL_SIZE > end) throw PackageException("the ZIP directory is cut short at byte $at")
        val central = at.toInt()
        val nameSize = u16(central + 28)
        if (u32(central) != CENTRAL_MARK || at + CENTRAL_SIZE + nameSize > end) {
            throw PackageException("the ZIP directory is damaged at byte $at")
        }
        val name = checkName(latin(central + CENTRAL_SIZE, nameSize))
        at += CENTRAL_SIZE + nameSize + u16(central + 30) + u16(central + 32)
        val method = u16(central + 10)
        val size = u32(central + 24)
        val shown = Messages.quoted(name)
        if (method != 0 || u32(central + 20) != size) {
            throw PackageException("entry $shown is compressed (method $method); entries must be stored")
        }
        val flags = u16(central + 8)
        val disk = u16(central + 34)
        if (flags != 0 || disk != 0 || u16(central + 32) != 0) {
            throw PackageException("entry $shown has flags 0x${Integer.toHexString(flags)}, disk $disk or a comment; expected none")
        }
        val offset = u32(central + 42)
        if (offset != position) {
            throw PackageException("entry $shown starts at byte $offset, expected $position: no gap, no overlap")
        }
        if (position + LOCAL_SIZE + nameSize > directory) throw PackageException("entry $shown starts past the end of the data")
        val local = position.toInt()
        if (!agree(local, central, size, nameSize, name)) throw PackageException("the two ZIP headers of entry $shown disagree")
        val start = position + LOCAL_SIZE + nameSize + u16(local + 28)
        if (size > directory - start) {
            throw PackageException("entry $shown declares $size bytes, but only ${maxOf(0, directory - start)} follow")
        }
        if (start % ALIGNMENT != 0L) {
            throw PackageException("the data of entry $shown starts at byte $start, not a multiple of $ALIGNMENT")
        }
        position = start + size
        return ArchiveEntry(name, start.toInt(), size.toInt(), data.getInt(central + 16))
    }

    private fun agree(local: Int, central: Int, size: Long, nameSize: Int, name: String): Boolean =
        u32(local) == LOCAL_MARK && u16(local + 6) == 0 && u16(local + 8) == 0 && u32(local + 14) == u32(central + 16) &&
            u32(local + 18) == size && u32(local + 22) == size && u16(local + 26) == nameSize &&
            latin(local + LOCAL_SIZE, nameSize) == name

    private fun u16(at: Int): Int = data.getShort(at).toInt() and 0xFFFF

    private fun u32(at: Int): Long = data.getInt(at).toLong() and 0xFFFFFFFFL

    private fun latin(at: Int, size: Int): String = String(CharArray(size) { (data.get(at + it).toInt() and 0xFF).toChar() })

    private fun twice(name: String) = PackageException("entry ${Messages.quoted(name)} appears twice")

    companion object {
        const val MANIFEST_NAME = "manifest.json"
        const val MAX_ENTRIES = 4096

        /** Entry data starts at a multiple of this: a cache line, and the widest vector register. */
        private const val ALIGNMENT = 64
        private const val LOCAL_SIZE = 30
        private const val CENTRAL_SIZE = 46
        private const val END_SIZE = 22
        private const val LOCAL_MARK = 0x04034B50L
        private const val CENTRAL_MARK = 0x02014B50L
        private const val END_MARK = 0x06054B50L

        // No leading dot or slash, no backslash, colon, NUL or non-ASCII: safe as a path on every system.
        private val NAME = Regex("[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")

        /**
         * The entries of a package file in file order, `manifest.json` first.
         *
         * @param data the whole file from byte 0 to its limit, little-endian.
         * @throws PackageException the file is not a ZIP, or uses anything the format does not allow.
         */
        fun read(data: ByteBuffer): List<ArchiveEntry> = Archive(data).entries()

        /** Returns [name] if it may name an entry. */
        fun checkName(name: String): String {
            if (name.length > 255 || !NAME.matches(name)) {
                throw PackageException("entry name ${Messages.quoted(name)} is not allowed: use plain relative paths of [A-Za-z0-9_.-]")
            }
            return name
        }
    }
}
