package dev.pocketrec.ort

import dev.pocketrec.PackageException
import java.nio.ByteBuffer
import java.nio.charset.CharacterCodingException

/** A part of a serialized protobuf message: the bytes [start] until [end] of [data]. */
internal class Span(val data: ByteBuffer, val start: Int, val end: Int) {
    val size: Int get() = end - start

    /** @throws PackageException the bytes are not UTF-8. */
    fun text(): String {
        val view = data.duplicate()
        view.limit(end)
        view.position(start)
        return try {
            Charsets.UTF_8.newDecoder().decode(view).toString()
        } catch (error: CharacterCodingException) {
            throw PackageException("ONNX graph: a name is not UTF-8", error)
        }
    }
}

/** What a message may hold under one field number: [wire] is 0 for numbers, 2 for bytes, 5 for four bytes. */
internal class Field(val name: String, val wire: Int, val repeats: Boolean = false)

/** One value of a field: a number, or the bytes it spans; [at] is where it begins. */
internal class Value(val number: Long, val span: Span?, val at: Int)

/**
 * A message's fields by name, every byte looked at; what [fields] does not list is refused.
 *
 * Source: [protobuf encoding](https://protobuf.dev/programming-guides/encoding/)
 */
internal class Message(span: Span, fields: Map<Int, Field>, private val where: String) {
    private val found = HashMap<String, MutableList<Value>>()
    private val data = span.data
    private val end = span.end
    private var at = span.start

    init {
        while (at < end) {
            val key = varint()
            val (number, wire) = Pair(key shr 3, (key and 7).toInt())
            val value = value(wire)
            val field = if (number <= Int.MAX_VALUE) fields[number.toInt()] else null
            if (field?.wire != wire) throw refused("$where holds field $number of wire type $wire, which we do not use")
            val values = found.getOrPut(field.name) { ArrayList() }
            if (values.isNotEmpty() && !field.repeats) throw refused("$where gives its ${field.name} twice")
            values.add(value)
        }
    }

    /** All values of a field, in order. */
    fun all(name: String): List<Value> = found[name].orEmpty()

    /** The parts of a field of messages or texts, in order. */
    fun spans(name: String): List<Span> = all(name).map { it.span!! }

    /** A text; an absent one is empty, as in protobuf. */
    fun text(name: String): String = all(name).firstOrNull()?.span?.text().orEmpty()

    /** The value of a field that must be there. */
    fun one(name: String): Value = all(name).singleOrNull() ?: throw refused("$where: expected one $name, found ${all(name).size}")

    private fun value(wire: Int): Value {
        if (wire == 0) return at.let { Value(varint(), null, it) }
        val size = when (wire) {
            2 -> varint()
            5 -> 4L
            else -> throw refused("wire type $wire is not one that we use")
        }
        if (size > end - at) throw refused("a field of $size bytes has only ${end - at} left")
        val span = Span(data, at, at + size.toInt())
        at = span.end
        return Value(0, span, span.start)
    }

    /** A little-endian base-128 number below 2^63. */
    private fun varint(): Long {
        var value = 0L
        for (shift in 0 until 63 step 7) {
            if (at >= end) break
            val byte = data.get(at++).toLong()
            value = value or ((byte and 127) shl shift)
            if (byte >= 0) return value
        }
        throw refused("a number is cut off or too long")
    }
}

internal fun refused(message: String): PackageException = PackageException("ONNX graph: $message")
