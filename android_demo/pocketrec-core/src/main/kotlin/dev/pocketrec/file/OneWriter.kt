package dev.pocketrec.file

import dev.pocketrec.BusyException
import java.io.File
import java.io.IOException
import java.io.RandomAccessFile
import java.nio.channels.OverlappingFileLockException

/**
 * One writer at a time: a lock that the system drops when its process ends, however it ends.
 *
 * The lock is on an empty file, which stays: to delete it would race with the next writer. What this process holds is
 * known by path too, before the file is opened: closing a second handle would let go of the first one's lock.
 *
 * @throws BusyException somebody holds it, this process included.
 * @throws dev.pocketrec.DataException the file cannot be made.
 */
internal class OneWriter(private val file: File) : AutoCloseable {
    private val name = OwnFiles.typed("$file", "written") { file.canonicalPath }
    private var handle: RandomAccessFile? = null
    private var holds = synchronized(HELD) { HELD.add(name) }

    init {
        if (!holds) throw busy(null)
        try {
            handle = OwnFiles.typed("$file", "written") {
                OwnFiles.create(file)
                RandomAccessFile(file, "rw")
            }
            take()
        } catch (error: Throwable) {
            close()
            throw error
        }
    }

    private fun take() {
        val lock = try {
            handle!!.channel.tryLock()
        } catch (error: OverlappingFileLockException) {
            throw busy(error)
        } catch (error: IOException) {
            throw busy(error)
        }
        if (lock == null) throw busy(null)
    }

    private fun busy(cause: Throwable?) =
        BusyException("$file is locked: another writer is open; close it, or open for reading", cause)

    /** Lets the next writer in. Closing twice does nothing. */
    override fun close() = synchronized(HELD) {
        if (holds) {
            holds = false
            handle?.close()
            HELD.remove(name)
        }
    }

    private companion object {
        val HELD = HashSet<String>()
    }
}
