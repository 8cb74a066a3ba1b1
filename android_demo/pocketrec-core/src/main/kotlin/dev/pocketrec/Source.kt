package dev.pocketrec

import dev.pocketrec.file.PackageFile
import dev.pocketrec.file.Verify
import java.io.File
import java.io.IOException
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.channels.FileChannel
import java.nio.file.StandardOpenOption

/**
 * Where a package lies: a file, a part of a file such as an asset inside an APK, or memory.
 *
 * Files are mapped, never read into memory as a whole; they may be replaced while open (write a new one, then rename),
 * and must not be changed in place.
 */
public class Source private constructor(private val where: String, private val map: () -> ByteBuffer) {
    /**
     * Opens the package file alone, for engines and tools; apps use [Pocketrec.open].
     *
     * @throws PackageException it is missing, cut short, compressed, damaged, hostile or of a newer format.
     */
    @JvmOverloads
    public fun openFile(verify: Verify = Verify.FULL): PackageFile = PackageFile(map(), where, verify)

    override fun toString(): String = where

    public companion object {
        /** A `.pocketrec` file. */
        @JvmStatic
        public fun file(file: File): Source = Source(file.path) {
            if (!file.isFile) {
                throw PackageException("${file.path}: " + if (file.exists()) "expected a package file, found a directory" else "no such file")
            }
            readable(file.path) {
                FileChannel.open(file.toPath(), StandardOpenOption.READ).use { map(it, 0, it.size(), file.path) }
            }
        }

        /**
         * A part of an open file, mapped at once and in place; the channel may be closed as soon as this returns.
         *
         * An Android asset that is stored uncompressed (see `noCompress`) is `channel(descriptor.createInputStream().channel,
         * descriptor.startOffset, descriptor.length, name)`, from `AssetManager.openFd`.
         *
         * @throws PackageException the file does not have this part, or cannot be mapped.
         */
        @JvmStatic
        @JvmOverloads
        public fun channel(channel: FileChannel, offset: Long, length: Long, where: String = "package in a file"): Source {
            val bytes = readable(where) { map(channel, offset, length, where) }
            return Source(where) { bytes }
        }

        /** The bytes of a whole package between the buffer's position and limit; they must not change while it is open. */
        @JvmStatic
        @JvmOverloads
        public fun buffer(buffer: ByteBuffer, where: String = "package in memory"): Source {
            val view = buffer.duplicate()
            return Source(where) { view }
        }

        /** The bytes of a whole package; they must not change while it is open. */
        @JvmStatic
        public fun bytes(bytes: ByteArray): Source = buffer(ByteBuffer.wrap(bytes))

        private fun map(channel: FileChannel, offset: Long, length: Long, where: String): ByteBuffer {
            val size = channel.size()
            if (offset < 0 || length < 0 || offset > size - length) {
                throw PackageException("$where: expected bytes $offset to ${offset + length}, but the file has $size; is it cut short?")
            }
            if (length == 0L) throw PackageException("$where: expected a package file, found an empty one")
            if (length > Int.MAX_VALUE) throw PackageException("$where: has $length bytes, this runtime maps at most ${Int.MAX_VALUE}")
            return channel.map(FileChannel.MapMode.READ_ONLY, offset, length).order(ByteOrder.LITTLE_ENDIAN)
        }

        private fun <T> readable(where: String, read: () -> T): T = try {
            read()
        } catch (error: IOException) {
            throw PackageException("$where: cannot be read: ${error.message}", error)
        }
    }
}
