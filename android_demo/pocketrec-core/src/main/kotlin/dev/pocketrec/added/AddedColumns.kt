package dev.pocketrec.added

import dev.pocketrec.AddedItem
import dev.pocketrec.file.AttributeInfo
import dev.pocketrec.file.Crc32
import dev.pocketrec.file.DType
import dev.pocketrec.file.NumberArray
import dev.pocketrec.file.StringTable
import dev.pocketrec.items.Booleans
import dev.pocketrec.items.Columns
import dev.pocketrec.items.Dates
import java.nio.ByteBuffer
import java.nio.ByteOrder

/** The catalogue columns of added items, by the names and in the form that a package gives its own. */
internal class AddedColumns(items: List<AddedItem>, override val attributes: List<AttributeInfo>) : Columns {
    private val texts = hashMapOf(
        "catalogue/id" to strings(items.map { it.item }, lookup = true),
        "catalogue/title" to strings(items.map { it.title }, lookup = false),
    )
    private val numbers = HashMap<String, NumberArray>()

    init {
        for (info in attributes) add(info, items.map { it.attributes[info.name] })
    }

    override fun strings(prefix: String): StringTable = texts.getValue(prefix)

    override fun array(name: String): NumberArray = numbers.getValue(name)

    private fun add(info: AttributeInfo, values: List<Any?>) {
        val name = "${info.prefix}.value"
        when (info.kind) {
            "category" -> categories(info.prefix, values.map { value -> (value as List<*>?).orEmpty().map { it as String } })
            "number" -> numbers[name] = array(DType.FLOAT64, values) { putDouble(it as Double? ?: Double.NaN) }
            "boolean" -> numbers[name] = array(DType.UINT8, values) { put((if (it == null) Booleans.NONE else if (it as Boolean) 1 else 0).toByte()) }
            else -> numbers[name] = array(DType.INT64, values) { putLong(it as Long? ?: Dates.NONE) }
        }
    }

    private fun categories(prefix: String, lists: List<List<String>>) {
        val names = lists.flatten().distinct()
        val row = names.withIndex().associate { (at, name) -> name to at }
        texts["${prefix}_name"] = strings(names, lookup = true)
        numbers["$prefix.start"] = array(DType.UINT32, lists.runningFold(0) { sum, list -> sum + list.size }) { putInt(it) }
        numbers["$prefix.index"] = array(DType.UINT32, lists.flatten()) { putInt(row.getValue(it)) }
    }

    private companion object {
        /** The largest number of 32 bits. */
        const val EMPTY = -1

        fun <T> array(type: DType, values: List<T>, put: ByteBuffer.(T) -> Unit): NumberArray {
            val bytes = ByteBuffer.allocate(type.size * values.size).order(ByteOrder.LITTLE_ENDIAN)
            values.forEach { bytes.put(it) }
            bytes.position(0)
            return NumberArray(type, longArrayOf(values.size.toLong()), bytes)
        }

        fun strings(texts: List<String>, lookup: Boolean): StringTable {
            val bytes = texts.map { it.toByteArray() }
            val offset = array(DType.UINT32, bytes.runningFold(0) { sum, text -> sum + text.size }) { putInt(it) }
            val blob = ByteBuffer.allocate(bytes.sumOf { it.size }).order(ByteOrder.LITTLE_ENDIAN)
            bytes.forEach { blob.put(it) }
            blob.position(0)
            val slots = if (lookup) slots(bytes) else null
            return StringTable(offset, NumberArray(DType.UINT8, longArrayOf(blob.limit().toLong()), blob), slots)
        }

        /** The hash table of a string table: see `docs/FORMAT.md`. */
        fun slots(texts: List<ByteArray>): NumberArray {
            var count = 2
            while (count < 2 * texts.size) count *= 2
            val slots = IntArray(count) { EMPTY }
            for ((row, text) in texts.withIndex()) {
                var at = Crc32.of(text) and (count - 1)
                while (slots[at] != EMPTY) at = (at + 1) and (count - 1)
                slots[at] = row
            }
            return array(DType.UINT32, slots.asList()) { putInt(it) }
        }
    }
}
