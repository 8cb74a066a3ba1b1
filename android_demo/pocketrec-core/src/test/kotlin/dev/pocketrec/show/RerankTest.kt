package dev.pocketrec.show

import dev.pocketrec.Display
import dev.pocketrec.Tests
import dev.pocketrec.UsageException
import dev.pocketrec.ints
import dev.pocketrec.list
import dev.pocketrec.map
import dev.pocketrec.texts
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/** The list that is shown, by the golden file that Python reads, too. */
class RerankTest {
    private fun doubles(value: Any?) = value.map().mapValues { (it.value as Number).toDouble() }

    private fun candidates(case: Map<String, Any?>, labels: Any?): Candidates {
        val codes = case["codes"].list().map { it.ints() }
        val dim = codes.firstOrNull()?.size ?: 0
        val rows = FloatArray(codes.size * dim) { codes[it / dim][it % dim].toFloat() }
        val score = case["score"]?.list()?.map { (it as Number).toFloat() } ?: List(codes.size) { 0f }
        val values = labels?.map().orEmpty().mapValues { (_, all) -> all.list().map { it.texts() } }
        return Candidates(score.toFloatArray(), Candidates.unit(rows, dim), dim, case["titles"].texts(), values)
    }

    @Test
    fun goldenPlaces() {
        val cases = Tests.golden("rerank.json")["cases"].list().map { it.map() }
        assertTrue(cases.size >= 12)
        for (case in cases) {
            val wish = case["display"].map()
            val display = Display(
                (wish["diversity"] as Number).toDouble(),
                wish["distinct"] as Boolean,
                wish["max_per"].map().mapValues { (it.value as Number).toInt() },
                wish["min_share"].map().mapValues { doubles(it.value) },
            )
            val before = candidates(case["before"].map(), null)
            val places = Rerank.choose(candidates(case, case["labels"]), (case["k"] as Number).toInt(), display, before.takeIf { it.size > 0 })
            assertEquals("${case["name"]}", case["places"].ints(), places.toList())
        }
    }

    @Test
    fun diversityByHand() {
        // Two alike and best, one at a right angle: relevance 1, 0.5, 0; the second place costs the twin 1/9 of a half.
        val pool = Candidates(floatArrayOf(2f, 1.1f, 1f, 0f), Candidates.unit(floatArrayOf(1f, 0f, 1f, 0f, 0f, 1f, 0f, 0f), 2), 2)
        assertEquals(listOf(0, 1, 2, 3), Rerank.choose(pool, 4, Display()).toList())
        assertEquals(listOf(0, 2, 1), Rerank.choose(pool, 3, Display(0.5)).toList())
    }

    @Test
    fun aFloorThatLacksItsItemsEndsTheListUntilThePoolIsAll() {
        val pool = Candidates(floatArrayOf(2f, 1f), DoubleArray(0), 0, labels = mapOf("c" to listOf(listOf("a"), listOf("a"))))
        val display = Display(minShare = mapOf("c" to mapOf("b" to 0.5)))
        assertEquals(listOf(0), Rerank.choose(pool, 2, display, last = false).toList())
        assertEquals(listOf(0, 1), Rerank.choose(pool, 2, display).toList())
    }

    @Test
    fun wishesThatCannotBe() {
        val refused = mapOf<String, () -> Unit>(
            "diversity is 1.5; expected 0 to 1" to { Display(1.5) },
            "diversity is nan" to { Display(Double.NaN) },
            "maxPer['c'] is 0" to { Display(maxPer = mapOf("c" to 0)) },
            "expected value -> share from 0 to 1" to { Display(minShare = mapOf("c" to mapOf("a" to -0.1))) },
            "add up to more than 1" to { Display(minShare = mapOf("c" to mapOf("a" to 0.6), "d" to mapOf("a" to 0.6))) },
        )
        for ((said, call) in refused) {
            val message = assertThrows(said, UsageException::class.java) { call() }.message!!
            assertTrue(message, said in message)
        }
        assertTrue(Display().plain && !Display(distinct = true).plain)
    }
}
