package dev.pocketrec.profile

import dev.pocketrec.Event
import dev.pocketrec.UsageException
import dev.pocketrec.file.Messages
import dev.pocketrec.file.Utf8
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.zip.CRC32

/** Records of a profile's file: `uint32 length, uint32 crc32(payload), payload`, little-endian. */
internal object Records {
    const val MAX_EVENT_BYTES = 64
    const val MAX_ITEM_BYTES = 4096

    /** Times lie within this many seconds of 1970: more than that are milliseconds. */
    const val LATEST = 1e11
    private const val HEAD = 8
    private const val FIXED = 9

    /** Bytes of the longest record. */
    const val MAX_RECORD = HEAD + FIXED + MAX_EVENT_BYTES + MAX_ITEM_BYTES

    /**
     * The record of an event.
     *
     * @throws UsageException a name or id that is empty or too long, or a time that is none.
     */
    fun encode(event: Event): ByteArray {
        val name = bounded("event", event.event, MAX_EVENT_BYTES)
        val id = bounded("item", event.item, MAX_ITEM_BYTES)
        val time = event.time
        if (!(Math.abs(time) <= LATEST)) {
            throw UsageException("when is ${Messages.general(time)}; expected seconds since 1970, at most 1e+11")
        }
        val length = FIXED + name.size + id.size
        val record = ByteBuffer.allocate(HEAD + length).order(ByteOrder.LITTLE_ENDIAN)
        record.putInt(length).putInt(0).putDouble(time).put(name.size.toByte()).put(name).put(id)
        return record.putInt(4, crc(record.array(), HEAD, length)).array()
    }

    /** The events of a file's bytes from [start], and where the whole ones end. */
    fun decode(data: ByteArray, start: Int): Pair<List<Event>, Int> {
        val bytes = ByteBuffer.wrap(data).order(ByteOrder.LITTLE_ENDIAN)
        val events = ArrayList<Event>()
        var at = start
        while (at + HEAD <= data.size) {
            val length = bytes.getInt(at)
            if (length < FIXED || length > MAX_RECORD || length > data.size - at - HEAD) break
            if (crc(data, at + HEAD, length) != bytes.getInt(at + 4)) break
            events.add(of(bytes, at + HEAD, length) ?: break)
            at += HEAD + length
        }
        return events to at
    }

    /** The event of a payload; null where [encode] would not have written it. */
    private fun of(bytes: ByteBuffer, at: Int, length: Int): Event? {
        val time = bytes.getDouble(at)
        val size = bytes.get(at + 8).toInt() and 0xFF
        val rest = length - FIXED - size
        if (size !in 1..MAX_EVENT_BYTES || rest !in 1..MAX_ITEM_BYTES || !(Math.abs(time) <= LATEST)) return null
        val name = text(bytes, at + FIXED, size) ?: return null
        return Event(text(bytes, at + FIXED + size, rest) ?: return null, name, time)
    }

    private fun text(bytes: ByteBuffer, at: Int, size: Int): String? =
        Utf8.decode(ByteBuffer.wrap(bytes.array(), at, size))

    private fun crc(data: ByteArray, at: Int, size: Int): Int =
        CRC32().apply { update(data, at, size) }.value.toInt()

    private fun bounded(what: String, value: String, limit: Int): ByteArray {
        val bytes = Utf8.encode(value) ?: throw UsageException("$what ${Messages.quoted(value)} is not valid Unicode")
        if (bytes.size !in 1..limit) {
            throw UsageException("$what ${Messages.quoted(value)} has ${bytes.size} bytes; expected 1 to $limit")
        }
        return bytes
    }
}
