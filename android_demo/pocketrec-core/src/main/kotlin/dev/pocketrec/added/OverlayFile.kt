package dev.pocketrec.added

import dev.pocketrec.AddedItem
import dev.pocketrec.DataException
import dev.pocketrec.UsageException
import dev.pocketrec.file.Json
import dev.pocketrec.file.JsonText
import dev.pocketrec.file.OwnFiles
import dev.pocketrec.file.Utf8
import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.zip.CRC32

/**
 * What an overlay's file holds: what was added, and the vectors that one encoder made of it.
 *
 * Layout, little-endian: the 8 bytes `PKTROVL1`; uint32 length and uint32 CRC-32 of a JSON object; the JSON; uint32 CRC-32
 * of the vectors; the vectors, float32 [N, D]. A change writes a new file, which takes the old one's place by rename.
 * Nothing in a file is trusted: lengths are compared with it before anything is read, items are checked like those of a
 * caller, vectors must be finite and short.
 *
 * @property encoder who made the vectors.
 * @property vectors one for each item; null where they cannot be used.
 */
internal class OverlayFile(val encoder: String, val items: List<AddedItem>, val vectors: List<FloatArray>?) {
    /**
     * Writes the file; a crash leaves the old one or the new one.
     *
     * @throws DataException it cannot be written; the old file stands.
     */
    fun write(file: File): Unit = OwnFiles.typed("overlay $file", "written") {
        OwnFiles.replace(file, File(file.parentFile, ".${file.name}.new")) { out -> out.write(bytes()) }
    }

    internal fun bytes(): ByteArray {
        val listed = items.map { linkedMapOf("item" to it.item, "title" to it.title, "text" to it.text) + it.attributes }
        val dim = vectors?.firstOrNull()?.size ?: 0
        val header = linkedMapOf("encoder" to encoder, "dim" to dim, "items" to listed)
        val text = JsonText.of(header, ascii = false).toByteArray()
        val body = ByteBuffer.allocate(4 * dim * items.size).order(ByteOrder.LITTLE_ENDIAN)
        for (vector in vectors.orEmpty()) vector.forEach { body.putFloat(it) }
        val all = ByteBuffer.allocate(HEAD + text.size + 4 + body.capacity()).order(ByteOrder.LITTLE_ENDIAN)
        all.put(MAGIC).putInt(text.size).putInt(crc(text, 0)).put(text).putInt(crc(body.array(), 0)).put(body.array())
        return all.array()
    }

    companion object {
        private val MAGIC = "PKTROVL1".toByteArray(Charsets.US_ASCII)
        private const val HEAD = 16
        private const val MAX_BYTES = 512 shl 20

        /** Items that can be added in all. */
        const val MAX_ITEMS = 10_000

        private class Damaged(message: String) : Exception(message)

        /**
         * What a file holds; null where there is none.
         *
         * @param kinds attribute to kind of the package; what it does not know, or knows as another kind, is left out.
         * @throws DataException it is no such file, damaged, or larger than one may be. It is left as it is.
         */
        fun read(file: File, kinds: Map<String, String>): OverlayFile? {
            val data = OwnFiles.typed("overlay $file", "read") { OwnFiles.read(file, MAX_BYTES) } ?: return null
            val why = try {
                return parse(data, kinds)
            } catch (error: Damaged) {
                error.message
            } catch (error: Json.Malformed) {
                error.message
            } catch (_: Json.TooDeep) {
                "it is nested too deeply"
            } catch (error: UsageException) {
                error.message
            }
            throw DataException("$file is no overlay, or it is damaged ($why); it was left as it is: remove it to start anew")
        }

        private fun parse(data: ByteArray, kinds: Map<String, String>): OverlayFile {
            if (data.size > MAX_BYTES) throw Damaged("it has more than $MAX_BYTES bytes")
            if (data.size < HEAD || !data.copyOf(MAGIC.size).contentEquals(MAGIC)) throw Damaged("it does not begin with PKTROVL1")
            val bytes = ByteBuffer.wrap(data).order(ByteOrder.LITTLE_ENDIAN)
            val size = bytes.getInt(8)
            if (size < 0 || size > data.size - HEAD || crc(data, HEAD, size) != bytes.getInt(12)) {
                throw Damaged("its items have another length or checksum")
            }
            val text = Utf8.decode(ByteBuffer.wrap(data, HEAD, size)) ?: throw Damaged("it is not UTF-8")
            val header = Json.parse(text) as? Map<*, *> ?: throw Damaged("expected an object")
            val listed = header["items"] as? List<*>
            val encoder = header["encoder"] as? String
            if (listed == null || listed.size > MAX_ITEMS || encoder == null) throw Damaged("expected a list of at most $MAX_ITEMS items")
            val items = listed.map { item(it, kinds) }
            if (items.distinctBy { it.item }.size != items.size) throw Damaged("an id is there twice")
            return OverlayFile(encoder, items, vectors(bytes, HEAD + size, items.size, header["dim"]))
        }

        /** An item without attributes that the package does not know or knows as another kind. */
        private fun item(entry: Any?, kinds: Map<String, String>): AddedItem {
            val values = entry as? Map<*, *> ?: throw Damaged("an item is no object")
            val known = LinkedHashMap<String, Any>()
            for ((key, value) in values) {
                if (key in TEXTS || value == null) continue
                try {
                    AddedItem("x", attributes = mapOf(key as String to value)).checked(kinds)
                    known[key] = value
                } catch (_: UsageException) {
                    continue
                }
            }
            val (item, title, text) = TEXTS.map { values[it] as? String ?: if (values[it] == null && it != "item") "" else throw Damaged("the $it of an item is no text") }
            return AddedItem(item, title, text, known).checked(kinds)
        }

        /** The vectors, or null if there are none that an encoder could have made: they are made again. */
        private fun vectors(bytes: ByteBuffer, at: Int, count: Int, dim: Any?): List<FloatArray>? {
            val rest = bytes.capacity() - at
            if (dim !is Long || dim < 1 || dim > MAX_BYTES || rest.toLong() != 4 + 4L * count * dim) return null
            if (crc(bytes.array(), at + 4, rest - 4) != bytes.getInt(at)) return null
            val width = dim.toInt()
            val rows = List(count) { row -> FloatArray(width) { bytes.getFloat(at + 4 + 4 * (row * width + it)) } }
            return rows.takeIf { rows.all { row -> row.sumOf { it.toDouble() * it } <= 1.001 } } // false for NaN
        }

        private fun crc(bytes: ByteArray, from: Int, size: Int = bytes.size - from) = CRC32().apply { update(bytes, from, size) }.value.toInt()

        private val TEXTS = listOf("item", "title", "text")
    }
}
