package dev.pocketrec.file

import java.nio.ByteBuffer
import java.nio.ByteOrder

/** The dtypes an array may have. */
public enum class DType(internal val label: String, internal val size: Int) {
    UINT8("uint8", 1),
    INT8("int8", 1),
    UINT16("uint16", 2),
    UINT32("uint32", 4),
    FLOAT32("float32", 4),
    INT64("int64", 8),
    FLOAT64("float64", 8);

    internal companion object {
        val names: List<String> = values().map { it.label }

        fun named(label: String): DType = values().first { it.label == label }
    }
}

/**
 * The numbers of one array, read in place from the mapped file.
 *
 * @property dtype of each number.
 * @property shape the lengths, row-major.
 * @property bytes little-endian, read-only; its position and limit are never moved.
 */
public class NumberArray internal constructor(
    public val dtype: DType,
    public val shape: LongArray,
    internal val bytes: ByteBuffer,
) {
    /** How many numbers there are. */
    @JvmField
    public val size: Int = bytes.limit() / dtype.size

    /** Rows of a table. */
    public val rows: Int get() = shape[0].toInt()

    /** The bytes, for engines that bind them: a view with a position of its own, little-endian. */
    public fun buffer(): ByteBuffer = bytes.duplicate().order(ByteOrder.LITTLE_ENDIAN)

    /** A number of an integer type; unsigned types give 0 and more. */
    public fun long(at: Int): Long = when (dtype) {
        DType.UINT8 -> bytes.get(at).toLong() and 0xFF
        DType.INT8 -> bytes.get(at).toLong()
        DType.UINT16 -> bytes.getShort(2 * at).toLong() and 0xFFFF
        DType.UINT32 -> bytes.getInt(4 * at).toLong() and 0xFFFFFFFFL
        DType.INT64 -> bytes.getLong(8 * at)
        else -> throw IllegalStateException("${dtype.label} is no integer type")
    }

    /** As [long], of what is known to fit: positions of the file, the catalogue or a table. */
    public fun int(at: Int): Int = when (dtype) {
        DType.UINT32 -> bytes.getInt(4 * at)
        DType.UINT16 -> bytes.getShort(2 * at).toInt() and 0xFFFF
        else -> long(at).toInt()
    }

    /** A number of a float32 array. */
    public fun float(at: Int): Float = bytes.getFloat(4 * at)

    /** A number of a float array of either width. */
    public fun double(at: Int): Double = if (dtype == DType.FLOAT64) bytes.getDouble(8 * at) else bytes.getFloat(4 * at).toDouble()

    /** A copy of a float32 array. */
    public fun floats(): FloatArray = FloatArray(size).also { bytes.asReadOnlyBuffer().order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(it) }
}
