package dev.pocketrec

import dev.pocketrec.added.OverlayFile
import java.io.ByteArrayOutputStream
import java.io.File
import java.util.Base64
import java.util.zip.InflaterInputStream
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

/** Items added on the device: the golden file, its broken copies and the answers are Python's. */
class OverlayTest {
    @get:Rule
    val folder = TemporaryFolder()
    private val golden = Tests.golden("overlay.json")
    private val file get() = File(folder.root, "films.overlay")
    private val source = Source.file(File(Tests.ROOT, "tests/golden/wishes.pocketrec"))
    private val good = Base64.getDecoder().decode(golden["file"] as String)

    private fun item(value: Any?): AddedItem = value.map().run {
        AddedItem(this["item"] as String, this["title"] as String? ?: "", this["text"] as String? ?: "", filterKeys { it !in TEXTS }.mapValues { it.value!! })
    }

    private val items = golden["items"].list().map(::item)

    private fun open(data: ByteArray? = null): Pocketrec {
        if (data != null) file.writeBytes(data)
        return Pocketrec.open(source, overlay = file)
    }

    private fun unpacked(text: Any?): ByteArray {
        val out = ByteArrayOutputStream()
        InflaterInputStream(Base64.getDecoder().decode(text as String).inputStream()).use { it.copyTo(out) }
        return out.toByteArray()
    }

    @Test
    fun theFileIsPythonsToTheByte() {
        open().use { films ->
            assertEquals(items.size, films.addItems(items))
            assertArrayEquals(good, file.readBytes())
        }
        open().use { films -> // survives a restart, and is written again as it was read
            assertEquals(items.map { it.item }, films.addedItems.map { it.item })
            films.removeItems(listOf("unheard of"))
            assertArrayEquals(good, file.readBytes())
        }
    }

    @Test
    fun goldenCallsWithAFileOfPython() = open(good).use { films ->
        val calls = GoldenCalls(films, folder.root, tolerance = 5e-6f) // placing sums in any order
        golden["cases"].list().map { it.map() }.also { assertTrue(it.size > 20) }.forEach(calls::check)
    }

    @Test
    fun goldenCallsWithoutAFile() = Pocketrec.open(source).use { films ->
        films.addItems(items)
        val calls = GoldenCalls(films, folder.root, tolerance = 5e-6f) // placing sums in any order
        golden["cases"].list().map { it.map() }.take(5).forEach(calls::check)
    }

    @Test
    fun goldenPlaces() = open(good).use { films ->
        for ((ours, theirs) in films.answers.additions.view.overlay!!.placed.zip(golden["stands"].list().map { it.map() })) {
            assertEquals(theirs["near"].ints(), ours.near.index.toList())
            assertArrayEquals(floats(theirs["weight"]), ours.near.weight, 1e-5f)
            assertArrayEquals(floats(theirs["factors"]), ours.factors, 1e-5f)
            val sources = theirs["sources"].map().entries.associate { it.key.toInt() to (it.value as Number).toFloat() }
            assertEquals(sources.keys.sorted(), ours.source.toList())
            for ((source, strength) in ours.source.zip(ours.strength.toList())) assertEquals(sources.getValue(source), strength, 1e-5f)
        }
    }

    @Test
    fun whatIsOddIsTidiedAsInPython() {
        val kinds = Pocketrec.open(source).use { films -> films.catalogue.attributes.associate { it.name to it.kind } }
        for ((given, kept) in golden["odd"].list().map { it.list() }) {
            val item = item(given).checked(kinds)
            val expected = kept.map()
            assertEquals(TEXTS.map { expected[it] }, listOf(item.item, item.title, item.text))
            assertEquals(expected - TEXTS, item.attributes)
        }
    }

    @Test
    fun whatCannotBeIsRefusedAndChangesNothing() = open(good).use { films ->
        val refused = golden["refused_items"].list().map(::item)
        assertTrue(refused.size > 10)
        for (item in refused) assertThrows("$item ${item.attributes}", UsageException::class.java) { films.addItems(listOf(AddedItem("fine"), item)) }
        val wrong = mapOf("there twice in one call" to listOf(AddedItem("a"), AddedItem("a")), "in the package already" to listOf(AddedItem("item-3")))
        for ((said, added) in wrong) {
            assertTrue(said, assertThrows(UsageException::class.java) { films.addItems(added) }.message!!.contains(said))
        }
        assertEquals(items.size, films.addedItems.size)
        assertArrayEquals(good, file.readBytes())
    }

    @Test
    fun brokenFilesAreRefusedAndLeft() {
        val broken = golden["refused_files"].map()
        assertTrue(broken.size > 15)
        for ((name, packed) in broken) {
            val data = unpacked(packed)
            val said = assertThrows(name, DataException::class.java) { open(data) }.message!!
            assertTrue("$name: $said", "is no overlay, or it is damaged" in said)
            assertArrayEquals(name, data, file.readBytes())
        }
    }

    @Test
    fun vectorsThatCannotBeUsedAreMadeAgain() {
        for ((name, packed) in golden["remade_files"].map()) open(unpacked(packed)).use { films ->
            assertEquals(name, items.map { it.item }, films.addedItems.map { it.item })
            films.removeItems(listOf("nothing"))
            if (!name.startsWith("attributes")) assertArrayEquals(name, good, file.readBytes())
        }
    }

    @Test
    fun addingAgainReplacesAndRemovingTakesAway() = open().use { films ->
        films.addItems(items)
        val cursor = films.recommend(k = 3).next!!
        assertEquals(items.size, films.addItems(listOf(AddedItem("new-1", "w8"))))
        assertEquals(items.drop(1).map { it.item } + "new-1", films.addedItems.map { it.item })
        assertTrue(assertThrows(UsageException::class.java) { films.more(cursor) }.message!!.contains("items were added since"))
        assertEquals(0, films.removeItems(items.map { it.item }))
        assertEquals(listOf("new-1"), films.recommend(listOf("new-1")).unknown)
    }

    @Test
    fun anotherWriterIsSeenAndWaitedFor() = open().use { one ->
        open().use { two ->
            one.addItems(items.take(1))
            assertEquals(2, two.addItems(items.drop(1).take(1))) // from what the file holds now
            dev.pocketrec.file.OneWriter(File(folder.root, "films.overlay.lock")).use {
                assertThrows(BusyException::class.java) { one.addItems(items) }
            }
            assertEquals(items.size, one.addItems(items))
        }
    }

    @Test
    fun readersGoOnWhileItemsComeAndGo() = open().use { films ->
        val failures = java.util.concurrent.ConcurrentLinkedQueue<Throwable>()
        val readers = List(3) {
            Thread {
                try {
                    repeat(60) {
                        val found = films.recommend(listOf("new-1", "item-3"), k = 20, options = Options(explain = true))
                        assertEquals(20, found.map { it.item }.distinct().size)
                        films.search("w3 w20", k = 5)
                    }
                } catch (error: Throwable) {
                    failures.add(error)
                }
            }.apply { start() }
        }
        repeat(20) {
            films.addItems(items)
            films.removeItems(items.map { it.item })
        }
        readers.forEach(Thread::join)
        assertEquals(emptyList<Throwable>(), failures.toList())
    }

    @Test
    fun aFlippedBitIsToldOrChangesNothing() {
        val random = java.util.Random(4)
        repeat(200) {
            val data = good.copyOf().also { bytes -> random.nextInt(bytes.size).let { at -> bytes[at] = (bytes[at].toInt() xor (1 shl random.nextInt(8))).toByte() } }
            try {
                open(data).use { films -> // the vectors were made again
                    assertEquals(items.map { it.item }, films.addedItems.map { it.item })
                    films.removeItems(emptyList())
                    assertArrayEquals(good, file.readBytes())
                }
            } catch (error: DataException) {
                assertArrayEquals(data, file.readBytes())
            }
        }
    }

    @Test
    fun asInTheReadme() = Pocketrec.open(Source.file(Tests.SAMPLE), overlay = file).use { films ->
        films.addItems(listOf(AddedItem("mine", "Robots on Mars", "a heist among robots", mapOf("category" to "Sci-Fi"))))
        val wishes = Options(
            filter = Filter().equal("category", "Sci-Fi", "Animation"),
            display = Display(diversity = 0.5, distinct = true, maxPer = mapOf("category" to 6)),
            interests = listOf("robots", "space"),
        )
        val first = films.recommend(History.of("tt0343818"), k = 5, options = wishes)
        val second = first.next?.let(films::more)
        assertEquals(10, (first + second!!).map { it.item }.toSet().size)
        assertEquals("mine", films.search("robots on mars", k = 1)[0].item)
    }

    @Test
    fun whatThePackageHoldsNowIsDropped() {
        val kinds = emptyMap<String, String>()
        val stored = OverlayFile("x", listOf(AddedItem("item-3", "w3"), AddedItem("new", "w4")).map { it.checked(kinds) }, null)
        open(stored.bytes()).use { films ->
            assertEquals(listOf("item-3"), films.droppedItems)
            assertEquals(listOf("new"), films.addedItems.map { it.item })
        }
    }

    @Test
    fun aFolderThatRefusesLeavesWhatIs() {
        Pocketrec.open(source, overlay = File(folder.root, "missing/films.overlay")).use { films ->
            assertTrue(assertThrows(DataException::class.java) { films.addItems(items) }.message!!.contains("cannot be written"))
            assertEquals(0, films.addedItems.size)
        }
    }

    private fun floats(value: Any?) = value.list().map { (it as Number).toFloat() }.toFloatArray()

    private companion object {
        val TEXTS = setOf("item", "title", "text")
    }
}
