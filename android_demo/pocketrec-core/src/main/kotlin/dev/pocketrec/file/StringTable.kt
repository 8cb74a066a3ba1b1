package dev.pocketrec.file

import dev.pocketrec.PackageException
import java.nio.ByteBuffer
import java.nio.charset.CharacterCodingException
import java.nio.charset.CodingErrorAction

/**
 * Strings by row, and rows by string; nothing is parsed.
 *
 * Row r is `text[offset[r] : offset[r + 1]]`. The hash table has a power-of-two number of slots; a string starts at
 * `crc32(bytes) & (slots - 1)` and moves on by one until it meets itself or an empty slot.
 */
public open class StringTable internal constructor(
    internal val offset: NumberArray,
    internal val text: NumberArray,
    private val slot: NumberArray? = null,
) {
    private val empty = if (slot == null) -1 else emptySlot(slot)

    /** How many rows there are. */
    @JvmField
    public val size: Int = offset.size - 1

    /**
     * The string of one row.
     *
     * @throws PackageException the bytes are not UTF-8.
     */
    public operator fun get(row: Int): String {
        val bytes = bytes(row)
        if (bytes.all { it >= 0 }) return String(bytes, Charsets.ISO_8859_1) // ASCII, as most are
        try {
            return Charsets.UTF_8.newDecoder().onMalformedInput(CodingErrorAction.REPORT).decode(ByteBuffer.wrap(bytes)).toString()
        } catch (error: CharacterCodingException) {
            throw PackageException("row $row of a string table is not UTF-8")
        }
    }

    /** The row of a string, or -1 when the table does not hold it. */
    public open fun find(key: String): Int {
        if (key.hasLoneSurrogates()) return -1 // no UTF-8 has them
        val bytes = key.toByteArray()
        return find(bytes, 0, bytes.size, Crc32.of(bytes))
    }

    /** The row of [size] bytes of [key] from [from] on, whose CRC-32 is [crc], or -1. */
    internal fun find(key: ByteArray, from: Int, size: Int, crc: Int): Int {
        val slots = slot ?: throw PackageException("this string table has no lookup; only its rows can be read")
        val mask = slots.size - 1
        var at = crc and mask
        repeat(slots.size) { // a hostile table without an empty slot must still end
            val row = slots.int(at)
            if (row == empty) return -1
            if (holds(row, key, from, size)) return row
            at = (at + 1) and mask
        }
        return -1
    }

    private fun holds(row: Int, key: ByteArray, from: Int, size: Int): Boolean {
        val first = offset.int(row)
        if (offset.int(row + 1) - first != size) return false
        for (at in 0 until size) if (text.bytes.get(first + at) != key[from + at]) return false
        return true
    }

    /** The bytes of one row. */
    internal fun bytes(row: Int): ByteArray {
        val first = offset.int(row)
        return ByteArray(offset.int(row + 1) - first) { text.bytes.get(first + it) }
    }

    internal companion object {
        /** Value of a hash slot that holds no row: the largest of its dtype. */
        fun emptySlot(slot: NumberArray): Int = if (slot.dtype == DType.UINT16) 0xFFFF else -1
    }
}

/** Strings in the order of their bytes, so that a search finds them, and all that begin alike, without a hash table. */
internal class SortedStrings(offset: NumberArray, text: NumberArray) : StringTable(offset, text) {
    /** The first row that is not before [key]; with [beyond] the first after all that begin with it. */
    fun first(key: ByteArray, beyond: Boolean = false): Int {
        var low = 0
        var high = size
        while (low < high) { // a hostile table in another order ends as soon, with an answer of no use
            val middle = (low + high) ushr 1
            val order = compare(middle, key, beyond)
            if (order < 0 || (beyond && order == 0)) low = middle + 1 else high = middle
        }
        return low
    }

    override fun find(key: String): Int {
        val wanted = key.toByteArray()
        val row = first(wanted)
        return if (row < size && compare(row, wanted, false) == 0) row else -1
    }

    /** The bytes of a row, of them the first as many as [key] has if [cut], compared with [key] as unsigned numbers. */
    private fun compare(row: Int, key: ByteArray, cut: Boolean): Int {
        val start = offset.int(row)
        val length = (offset.int(row + 1) - start).let { if (cut) minOf(it, key.size) else it }
        for (at in 0 until minOf(length, key.size)) {
            val difference = (text.bytes.get(start + at).toInt() and 0xFF) - (key[at].toInt() and 0xFF)
            if (difference != 0) return difference
        }
        return length - key.size
    }
}

/** CRC-32 as in ZIP, one byte at a time, so that all beginnings of a word are hashed in one pass. */
internal object Crc32 {
    const val START = -1
    private val TABLE = IntArray(256) { byte ->
        var crc = byte
        repeat(8) { crc = if (crc and 1 != 0) (crc ushr 1) xor 0xEDB88320.toInt() else crc ushr 1 }
        crc
    }

    /** The state after one more byte; [finish] makes the sum of it. */
    fun next(state: Int, byte: Byte): Int = (state ushr 8) xor TABLE[(state xor byte.toInt()) and 0xFF]

    fun finish(state: Int): Int = state.inv()

    fun of(bytes: ByteArray): Int = finish(bytes.fold(START, ::next))
}
