package dev.pocketrec.history

import dev.pocketrec.Tests
import dev.pocketrec.UsageException
import dev.pocketrec.file.DType
import dev.pocketrec.file.NumberArray
import dev.pocketrec.ints
import dev.pocketrec.list
import dev.pocketrec.map
import java.nio.ByteBuffer
import java.nio.ByteOrder
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/** From histories to what the ranker reads: the golden file is Python's, too. */
class HistoriesTest {
    private val golden = Tests.golden("history.json")
    private val catalogue = Lookup { id -> if (id.startsWith("i") && id.drop(1).toInt() < 40) id.drop(1).toInt() else -1 }

    private fun doubles(value: Any?) = value.list().map { (it as Number).toDouble() }

    private fun floats(value: Any?) = doubles(value).map { it.toFloat() }

    @Test
    fun goldenHistories() {
        val cases = golden["histories"].list().map { it.map() }
        assertTrue(cases.size > 30)
        for (case in cases) {
            val pairs = case["history"].list().map { it.list() }.map { it[0] as String to (it[1] as Number).toDouble() }
            val (index, weight) = case["known"].list().map { it.list() }.run { map { (it[0] as Long).toInt() } to map { (it[1] as Number).toDouble() } }
            val known = Known(index.toIntArray(), weight.toDoubleArray(), index.indices.filter { index[it] < 0 }.map { "k$it" })
            val found = Histories.resolve(pairs, catalogue, (case["max_items"] as Long).toInt(), case["max_weight"] as Double, known = known)
            assertEquals(case["index"].ints(), found.index.toList())
            assertEquals(floats(case["weight"]), found.weight.toList())
            assertEquals(case["seen"].ints(), found.seen.toList())
            assertEquals(case["unknown"], found.unknown)
            assertEquals(case["truncated"], found.truncated)
        }
    }

    @Test
    fun goldenBlocks() {
        for (case in golden["blocks"].list().map { it.map() }) {
            val start = numbers(DType.UINT32, case["start"].ints()) { putInt(it) }
            val scale = numbers(DType.FLOAT32, floats(case["scale"])) { putFloat(it) }
            val weights = floats(case["weights"]).toFloatArray()
            val found = Blocks.gather(case["rows"].ints().toIntArray(), weights, start, scale, case["budget"] as Long)
            assertEquals(case["index"].ints(), found.index.toList())
            assertEquals(floats(case["weight"]), found.weight.toList())
            assertEquals(case["owner"].ints(), found.owner.toList())
            assertEquals(case["truncated"], found.truncated)
        }
    }

    @Test
    fun whatIsNoWeightIsRefused() {
        for (weight in listOf(Double.NaN, Double.NEGATIVE_INFINITY)) {
            assertThrows(UsageException::class.java) { Histories.resolve(listOf("i1" to weight), catalogue, 9, 8.0) }
        }
    }

    private fun <T> numbers(type: DType, values: List<T>, put: ByteBuffer.(T) -> Unit): NumberArray {
        val bytes = ByteBuffer.allocate(4 * values.size).order(ByteOrder.LITTLE_ENDIAN)
        values.forEach { bytes.put(it) }
        return NumberArray(type, longArrayOf(values.size.toLong()), bytes.also { it.position(0) })
    }
}
