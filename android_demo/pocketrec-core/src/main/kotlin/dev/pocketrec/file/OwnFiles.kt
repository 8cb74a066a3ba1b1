package dev.pocketrec.file

import dev.pocketrec.DataException
import java.io.BufferedOutputStream
import java.io.File
import java.io.FileOutputStream
import java.io.IOException
import java.io.OutputStream
import java.io.RandomAccessFile
import java.nio.file.FileAlreadyExistsException
import java.nio.file.Files
import java.nio.file.NoSuchFileException
import java.nio.file.Path
import java.nio.file.StandardCopyOption
import java.nio.file.attribute.FileAttribute
import java.nio.file.attribute.PosixFilePermissions

/**
 * Whole files of the app: read with a bound, replaced by rename, readable by their owner alone.
 *
 * Streams and `RandomAccessFile`, not channels: interrupting a thread closes a channel, and an app interrupts threads.
 */
internal object OwnFiles {
    /** The file of this ending beside another. */
    fun beside(file: File, ending: String): File = File(file.parentFile, file.name + ending)

    /** What a file holds, at most [limit] + 1 bytes of it; null where there is none. */
    fun read(file: File, limit: Int): ByteArray? {
        if (!file.exists()) return null
        return RandomAccessFile(file, "r").use { source ->
            ByteArray(minOf(source.length(), limit + 1L).toInt()).also(source::readFully)
        }
    }

    /** Makes a file that only its owner reads, or leaves the one that is there. */
    fun create(file: File) {
        try {
            Files.createFile(file.toPath(), *ownerOnly(file.toPath()))
        } catch (_: FileAlreadyExistsException) {
            if (!file.isFile) throw IOException("it is no file")
        }
    }

    /** Puts a whole file in the place of the old one: beside, on the disk, renamed; a crash leaves one of the two. */
    fun replace(file: File, beside: File, write: (OutputStream) -> Unit) {
        try {
            Files.deleteIfExists(beside.toPath()) // one name: what a crash left goes now
            create(beside)
            FileOutputStream(beside).use { out ->
                BufferedOutputStream(out).also(write).flush()
                out.fd.sync()
            }
            Files.move(beside.toPath(), file.toPath(), StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING)
        } catch (error: Throwable) {
            beside.delete()
            throw error
        }
    }

    /** What an error of the system means in words. */
    fun why(error: IOException): String = when (error) {
        is NoSuchFileException -> "No such file or directory"
        else -> error.message ?: error.javaClass.simpleName
    }

    /** Runs [block]; errors of the system become ours. */
    inline fun <T> typed(what: String, verb: String, block: () -> T): T = try {
        block()
    } catch (error: IOException) {
        throw DataException("$what cannot be $verb: ${why(error)}", error)
    }

    private fun ownerOnly(path: Path): Array<FileAttribute<*>> =
        if ("posix" !in path.fileSystem.supportedFileAttributeViews()) emptyArray()
        else arrayOf(PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")))
}
