package dev.pocketrec.ort

import ai.onnxruntime.OnnxJavaType
import ai.onnxruntime.OnnxTensor
import ai.onnxruntime.OrtEnvironment
import dev.pocketrec.PackageException
import dev.pocketrec.file.NumberArray
import dev.pocketrec.file.PackageFile
import java.nio.ByteBuffer
import java.nio.ByteOrder

/** Hands the package's mapped arrays to ONNX Runtime, without a copy wherever Java has a tensor of that type. */
internal class Tables(private val file: PackageFile, private val environment: OrtEnvironment) {
    /** Whether a graph may ask for this: an entry as stored, or with `|blocks` in blocks of 64 columns. */
    fun has(name: String): Boolean = file.has(name.removeSuffix(BLOCKS))

    /**
     * The tensor that a graph calls [name].
     *
     * Java has no tensors of unsigned 16 and 32 bits, so those become int32, which holds every position that a package may
     * have; [graph], the model's bytes, is changed to expect that.
     *
     * @throws PackageException the graph expects another table than the package holds.
     */
    fun bind(name: String, expected: ExternalTable, graph: ByteArray): OnnxTensor {
        val stored = name.removeSuffix(BLOCKS)
        val array = file.array(stored)
        val shape = if (stored == name) array.shape.toList() else blockShape(name, stored)
        if (!expected.fits(array.dtype.name.lowercase(), shape)) {
            throw PackageException("the graph expects $name as $expected, the package holds ${array.dtype.name.lowercase()}$shape")
        }
        val repeat = if (stored != name && stored.endsWith("/scale")) shape[1].toInt() else 1
        val (bytes, type) = when (expected.dtype) {
            "uint8" -> array.buffer() to OnnxJavaType.UINT8
            "int8" -> array.buffer() to OnnxJavaType.INT8
            "float32" -> (if (repeat == 1) array.buffer() else repeated(array, repeat)) to OnnxJavaType.FLOAT
            "int64" -> array.buffer() to OnnxJavaType.INT64
            "uint32" -> array.buffer() to OnnxJavaType.INT32
            "uint16" -> widened(array) to OnnxJavaType.INT32
            else -> throw PackageException("the graph expects $name as $expected, which no table has")
        }
        if (type == OnnxJavaType.INT32) graph[expected.typeAt] = INT32
        return OnnxTensor.createTensor(environment, direct(bytes), shape.toLongArray(), type)
    }

    private fun blockShape(name: String, stored: String): List<Long> {
        val table = stored.substringBeforeLast('/')
        val part = stored.substringAfterLast('/')
        if (table !in DENSE || part !in PARTS) throw PackageException("the graph expects $name, but $stored is not part of a dense table")
        val (rows, bytes) = file.array("$table/value").shape
        val bits = if (table == "tokens") file.manifest.encoder?.bits ?: 8 else 8
        if (bits != 8 && part == "value") throw PackageException("the graph expects $name, but $stored has codes of $bits bits")
        val width = bytes * 8 / bits
        if (width % BLOCK != 0L) throw PackageException("the graph expects $name, but $table/value has $width columns, no multiple of $BLOCK")
        return if (part == "scale") listOf(rows, width / BLOCK) else listOf(rows, width / BLOCK, BLOCK)
    }

    private fun repeated(array: NumberArray, times: Int): ByteBuffer {
        val out = room(array.size.toLong() * times)
        for (at in 0 until array.size) repeat(times) { out.putFloat(array.float(at)) }
        return flipped(out)
    }

    private fun widened(array: NumberArray): ByteBuffer {
        val out = room(array.size.toLong())
        for (at in 0 until array.size) out.putInt(array.int(at))
        return flipped(out)
    }

    /** Native memory, which the tensor keeps: of a package in the heap, a copy. */
    private fun direct(bytes: ByteBuffer): ByteBuffer {
        if (bytes.isDirect) return bytes
        val out = ByteBuffer.allocateDirect(bytes.remaining()).order(ByteOrder.LITTLE_ENDIAN)
        out.put(bytes)
        return flipped(out)
    }

    private fun room(numbers: Long): ByteBuffer {
        if (numbers > Int.MAX_VALUE / 4) throw PackageException("a table of $numbers numbers is more than this runtime can bind")
        return ByteBuffer.allocateDirect(4 * numbers.toInt()).order(ByteOrder.LITTLE_ENDIAN)
    }

    private fun flipped(buffer: ByteBuffer): ByteBuffer = buffer.also { it.flip() }

    private companion object {
        const val BLOCKS = "|blocks"
        const val BLOCK = 64L
        const val INT32: Byte = 6 // TensorProto.DataType
        val DENSE = setOf("factors", "text", "attributes", "tokens")
        val PARTS = setOf("value", "scale")
    }
}
