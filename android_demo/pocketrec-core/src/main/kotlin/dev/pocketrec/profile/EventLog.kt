package dev.pocketrec.profile

import dev.pocketrec.DataException
import dev.pocketrec.Event
import dev.pocketrec.UsageException
import dev.pocketrec.file.OneWriter
import dev.pocketrec.file.OwnFiles
import java.io.File
import java.io.OutputStream
import java.io.RandomAccessFile

/**
 * An open profile file: events, oldest first, each with its length and CRC-32; one writer. `docs/PROFILE.md` states the
 * layout. Records are only appended, so a crash tears at most the tail; a new file takes the old one's place by rename.
 */
internal class EventLog(private val file: File, write: Boolean, private val durable: Boolean) : AutoCloseable {
    private val lock = if (write) OneWriter(OwnFiles.beside(file, ".lock")) else null
    private var sink: RandomAccessFile? = null
    private var closed = false

    /** What the file holds, in the order in which it was added. */
    val events: MutableList<Event> = ArrayList()

    /** How many bytes of a torn tail were dropped when it was opened. */
    var lostBytes: Int = 0
        private set

    init {
        try {
            val data = read(write)
            val (found, whole) = Records.decode(data, MAGIC.size)
            events.addAll(found)
            lostBytes = maxOf(0, data.size - whole)
            if (write) openForWriting(data, whole)
        } catch (error: Throwable) {
            close()
            throw error
        }
    }

    private fun read(missingIsEmpty: Boolean): ByteArray {
        val data = OwnFiles.typed("profile $file", "read") { OwnFiles.read(file, MAX_BYTES) }
            ?: if (missingIsEmpty) return ByteArray(0) else throw DataException("profile $file cannot be read: No such file or directory")
        val start = data.copyOf(minOf(data.size, MAGIC.size))
        if (data.size > MAX_BYTES || !start.contentEquals(MAGIC.copyOf(start.size))) {
            throw DataException("$file is not a profile: expected it to begin with ${String(MAGIC, Charsets.US_ASCII)}; it was left as it is")
        }
        return data
    }

    private fun openForWriting(data: ByteArray, whole: Int) {
        if (lostBytes > Records.MAX_RECORD) { // more than a torn record: keep it for whoever can read it
            put(OwnFiles.beside(file, ".damaged")) { it.write(data, whole, data.size - whole) }
        }
        if (data.size < MAGIC.size) return replace(emptyList())
        OwnFiles.typed("profile $file", "written") {
            sink = RandomAccessFile(file, "rw").also { if (lostBytes > 0) it.setLength(whole.toLong()) }
        }
    }

    /**
     * Adds one event, whole or not at all.
     *
     * @throws DataException it cannot be written: no space, a folder that refuses.
     * @throws UsageException an event that cannot be, or a profile that was opened for reading or closed.
     */
    fun append(event: Event) {
        val record = Records.encode(event)
        val sink = writable()
        OwnFiles.typed("profile $file", "written") {
            val size = sink.length()
            try {
                sink.seek(size)
                sink.write(record) // a disk that fills takes part of it, then refuses
                if (durable) sink.fd.sync()
            } catch (error: Throwable) {
                sink.setLength(size)
                throw error
            }
        }
        events.add(event)
    }

    /**
     * Holds exactly these events: written beside, made durable, renamed; a crash leaves the old or the new file.
     *
     * @throws DataException it cannot be written; the old file stands.
     */
    fun replace(kept: List<Event>) {
        val copy = ArrayList(kept)
        if (sink != null) writable().close()
        try {
            put(file) { out ->
                out.write(MAGIC)
                copy.forEach { out.write(Records.encode(it)) }
            }
            events.clear()
            events.addAll(copy)
        } finally {
            OwnFiles.typed("profile $file", "written") { sink = RandomAccessFile(file, "rw") }
        }
    }

    /** Holds nothing, here and in what an earlier recovery kept. */
    fun erase() {
        replace(emptyList())
        OwnFiles.beside(file, ".damaged").delete()
    }

    /** Lets go of the file and of the lock. */
    override fun close() {
        sink?.close()
        closed = true
        lock?.close()
    }

    private fun put(target: File, write: (OutputStream) -> Unit) = OwnFiles.typed("profile $target", "written") {
        OwnFiles.replace(target, OwnFiles.beside(target, ".new"), write)
    }

    private fun writable(): RandomAccessFile = sink?.takeIf { !closed } ?: throw UsageException(
        "profile $file is ${if (lock != null) "closed" else "open for reading only"}; open it for writing to change it",
    )

    companion object {
        val MAGIC: ByteArray = "PKTRPRF1".toByteArray(Charsets.US_ASCII)

        /** A larger file is no profile. */
        const val MAX_BYTES: Int = 256 shl 20
    }
}
