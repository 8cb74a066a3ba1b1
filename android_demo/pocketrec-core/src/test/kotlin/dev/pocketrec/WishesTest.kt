package dev.pocketrec

import dev.pocketrec.rank.Cursor
import java.io.File
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

/** Whole calls with filters, profile, display, reasons and pages: the answers are Python's. */
class WishesTest {
    @get:Rule
    val folder = TemporaryFolder()
    private val films = Pocketrec.open(Source.file(File(Tests.ROOT, "tests/golden/wishes.pocketrec")))
    private val cases = Tests.golden("wishes.json")["cases"].list().map { it.map() }
    private val calls by lazy { GoldenCalls(films, folder.root, tolerance = 0f) }

    @Test
    fun goldenCalls() {
        assertTrue(cases.size > 50)
        cases.forEach(calls::check)
    }

    @Test
    fun aCursorOfPythonLeadsOnAndOursSaysTheSame() {
        var led = 0
        for (case in cases) {
            val theirs = case["next"] as String? ?: continue
            val ours = calls.first(case).next!!
            val pages = case["results"].list()
            if (pages.size > 1) {
                led++
                calls.assertPage("$theirs", pages[1].list(), films.more(theirs))
                calls.assertPage("$ours", pages[1].list(), films.more(ours))
            }
            // A history that was cut in float32 is written alike; what similar items leave out is a tuple there.
            if (case["verb"] != "similar") assertEquals(Cursor.unfold(theirs), Cursor.unfold(ours))
        }
        assertTrue(led > 15)
    }

    @Test
    fun aCursorGoesWithItsPackage() {
        val cursor = films.recommend(k = 3).next!!
        Pocketrec.open(Source.file(Tests.SAMPLE)).use { other ->
            val said = assertThrows(UsageException::class.java) { other.more(cursor) }.message!!
            assertTrue(said, "of another package" in said)
        }
    }

    @Test
    fun wishesThatCannotBe() {
        val refused = mapOf<String, () -> Results>(
            "cannot filter by 'size'; this package has: category (category), price (number)" to { films.recommend(options = Options(filter = Filter().equal("size", 3))) },
            "filter 'price' must be a finite number, found 'cheap'" to { films.recommend(options = Options(filter = Filter().equal("price", "cheap"))) },
            "filter 'price' must be a finite number, found '1_000'" to { films.recommend(options = Options(filter = Filter().equal("price", "1_000"))) },
            "filter 'price' must be a finite number, found true" to { films.recommend(options = Options(filter = Filter().equal("price", true))) },
            "filter 'in stock' must be true or false, found 'maybe'" to { films.recommend(options = Options(filter = Filter().equal("in stock", "maybe"))) },
            "filter 'in stock' is a boolean and has no order" to { films.recommend(options = Options(filter = Filter().where("in stock", ">", true))) },
            "filter 'category' must be a text" to { films.recommend(options = Options(filter = Filter().equal("category", 3))) },
            "filter 'published': 'soon' is no time" to { films.recommend(options = Options(filter = Filter().equal("published", "soon"))) },
            "'~' is no sign" to { films.recommend(options = Options(filter = Filter().where("price", "~", 3))) },
            "cannot filter by 'size'" to { films.recommend(options = Options(display = Display(maxPer = mapOf("size" to 1)))) },
            "now is nan; expected seconds since 1970" to { films.recommend(options = Options(now = Double.NaN)) },
            "interests count for recommendations" to { films.search("w1", options = Options(interests = listOf("noir"))) },
        )
        for ((said, call) in refused) {
            val message = assertThrows(said, UsageException::class.java) { call() }.message!!
            assertTrue("$message says $said", said in message)
        }
        assertEquals(emptyList<String>(), films.recommend(options = Options(filter = Filter().equal("price"))).map { it.item })
        assertEquals(5, films.recommend(k = 5, options = Options.builder().filter(Filter().where("price", ">", 0).equal("in stock", true)).build()).size)
    }

    @Test
    fun theProfileCountsAtTheTimeOfTheCall() {
        Profile.open(File(folder.root, "my.profile"), halfLifeDays = 1.0).use { me ->
            me.like("item-3", NOW)
            val now = films.recommend(k = 1, options = Options(profile = me, now = NOW))
            assertEquals(now.map { it.score }, films.recommend(mapOf("item-3" to 3.0), k = 1, options = Options(now = NOW)).map { it.score })
            val later = films.recommend(mapOf("item-3" to 1.5), k = 1, options = Options(now = NOW + 86_400))
            assertEquals(later.map { it.score }, films.recommend(k = 1, options = Options(profile = me, now = NOW + 86_400)).map { it.score })
            me.dislike(now[0].item, NOW)
            assertTrue(films.similar("item-3", k = 119, options = Options(profile = me, now = NOW)).none { it.item == now[0].item })
        }
    }

    private companion object {
        const val NOW = 1_800_000_000.0
    }
}
