package dev.pocketrec

import dev.pocketrec.profile.Records
import java.io.File
import java.util.concurrent.TimeUnit
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

/** A user's profile: what it weighs at a time, and what its file survives. The golden file is Python's, too. */
class ProfileTest {
    @get:Rule
    val folder = TemporaryFolder()
    private val file get() = File(folder.root, "me.profile")
    private val golden = Tests.golden("profile.json")

    private fun event(values: Any?) = values.list().let { Event(it[0] as String, it[1] as String, (it[2] as Number).toDouble()) }

    private fun written(events: List<Event>) = MAGIC + events.map(Records::encode).fold(ByteArray(0), ByteArray::plus)

    @Test
    fun goldenWeights() {
        val weights = golden["weights"].map().mapValues { (it.value as Number).toDouble() }
        for (case in golden["cases"].list().map { it.map() }) {
            file.writeBytes(written(case["events"].list().map(::event)))
            val days = (case["half_life_days"] as Number?)?.toDouble() ?: Double.POSITIVE_INFINITY
            Profile.open(file, write = false, weights = weights, halfLifeDays = days).use { me ->
                val history = me.history((case["now"] as Number).toDouble()).toList()
                val expected = case["history"].list().map { it.list() }
                assertEquals(expected.map { it[0] }, history.map { it.first })
                for ((ours, theirs) in history.zip(expected.map { (it[1] as Number).toDouble() })) {
                    assertEquals("${case["name"]}", theirs, ours.second, 1e-12 * Math.abs(theirs))
                }
            }
        }
    }

    @Test
    fun goldenFile() {
        val expected = golden["file"].map()
        Profile.open(file).use { me -> expected["events"].list().map(::event).forEach { me.add(it.item, it.event, it.time) } }
        assertEquals(expected["hex"], hex(file.readBytes()))
    }

    @Test
    fun goldenDamage() {
        val cases = golden["damage"].list().map { it.map() }
        assertTrue(cases.size > 20)
        for (case in cases) for (write in listOf(false, true)) {
            val name = case["name"] as String
            val data = bytes(case["hex"] as String)
            file.writeBytes(data)
            File(folder.root, "me.profile.damaged").delete()
            if (case["events"] == null) {
                assertThrows(name, DataException::class.java) { Profile.open(file, write) }
                assertArrayEquals(name, data, file.readBytes())
                continue
            }
            val events = case["events"].list().map(::event)
            Profile.open(file, write).use { me ->
                assertEquals(name, events, me.events())
                assertEquals(name, case["lost_bytes"], me.lostBytes.toLong())
            }
            if (!write) assertArrayEquals(name, data, file.readBytes()) else assertArrayEquals(name, written(events), file.readBytes())
            val kept = File(folder.root, "me.profile.damaged")
            assertEquals(name, write && case["kept"] as Boolean, kept.exists())
            if (kept.exists()) assertArrayEquals(name, data.copyOfRange(data.size - kept.length().toInt(), data.size), kept.readBytes())
        }
    }

    @Test
    fun everyCutKeepsTheWholeRecordsBeforeIt() {
        val events = List(5) { Event("item-$it", "click", NOW + it) }
        val ends = (0..5).map { written(events.take(it)).size }
        val whole = written(events)
        for (cut in whole.indices) {
            file.writeBytes(whole.copyOf(cut))
            val kept = maxOf(0, ends.indexOfLast { it <= cut })
            Profile.open(file).use { me ->
                assertEquals(events.take(kept), me.events())
                assertEquals(if (cut < MAGIC.size) 0 else cut - ends[kept], me.lostBytes)
                me.add("new", time = NOW)
            }
            assertArrayEquals(written(events.take(kept) + Event("new", "click", NOW)), file.readBytes())
        }
    }

    @Test
    fun noFlippedByteMakesUpAnEvent() {
        val events = List(5) { Event("item-$it", "click", NOW + it) }
        for (at in MAGIC.size until written(events).size) {
            val data = written(events).also { it[at] = (it[at].toInt() xor 0x55).toByte() }
            file.writeBytes(data)
            Profile.open(file, write = false).use { me ->
                assertTrue(me.lostBytes > 0)
                assertEquals(events.take(me.size), me.events())
            }
            assertArrayEquals(data, file.readBytes())
        }
    }

    @Test
    fun aClockThatGoesBackLosesNothing() {
        val times = listOf(NOW, NOW - 5 * DAY, 0.0, NOW + DAY)
        Profile.open(file, halfLifeDays = 5.0).use { me ->
            listOf("a", "b", "c", "d").zip(times).forEach { (item, time) -> me.add(item, time = time) }
            assertEquals(mapOf("a" to 1.0, "b" to 0.5, "c" to Math.pow(2.0, -NOW / DAY / 5), "d" to 1.0), me.history(NOW))
        }
        Profile.open(file).use { me -> assertEquals(times, me.events().map { it.time }) }
    }

    @Test
    fun whatCannotBeIsRefusedAndChangesNothing() {
        Profile.open(file, maxEvents = 2).use { me ->
            me.add("a", time = NOW)
            me.add("b", time = NOW)
            val before = file.readBytes()
            val refused = mapOf<String, () -> Unit>(
                "unknown event 'stare'; this profile knows view, click" to { me.add("a", "stare") },
                "item '' has 0 bytes" to { me.add("") },
                "expected 1 to 4096" to { me.add("x".repeat(5000)) },
                "not valid Unicode" to { me.add("\ud800") },
                "when is nan" to { me.add("a", time = Double.NaN) },
                "expected seconds since 1970" to { me.add("a", time = NOW * 1000) },
                "now is inf" to { me.history(Double.POSITIVE_INFINITY) },
                "halfLifeDays is 0" to { Profile.open(file, halfLifeDays = 0.0) },
                "maxEvents is 0" to { Profile.open(file, maxEvents = 0) },
                "the weight of event 'a' is inf" to { Profile.open(file, weights = mapOf("a" to Double.POSITIVE_INFINITY)) },
            )
            for ((said, call) in refused) {
                val error = assertThrows(said, UsageException::class.java) { call() }
                assertTrue("${error.message} says $said", said in error.message!!)
            }
            assertEquals(2, me.size)
            assertArrayEquals(before, file.readBytes())
        }
    }

    @Test
    fun theOldestTenthGoesWhenItIsFull() {
        for (limit in listOf(1, 2, 9, 25)) {
            file.delete()
            Profile.open(file, maxEvents = limit).use { me ->
                for (i in 0 until 100) {
                    me.add("$i", time = NOW - i) // by the order of adding, not by the clock
                    val held = me.events().map { it.item }
                    assertEquals((0..i).map { "$it" }.takeLast(held.size), held)
                    assertTrue(held.size in minOf(i + 1, limit - limit / 10)..limit)
                    assertEquals(held, me.history(NOW).keys.toList())
                }
                assertArrayEquals(written(me.events()), file.readBytes())
            }
        }
    }

    @Test
    fun aSecondWriterIsRefusedAndAReaderIsNot() {
        Profile.open(file).use { me ->
            me.add("a", time = NOW)
            repeat(2) { assertThrows(BusyException::class.java) { Profile.open(file) } } // the first refusal keeps the lock
            assertEquals("busy", other("open"))
            Profile.open(file, write = false).use { reader ->
                assertEquals(1, reader.size)
                assertTrue(assertThrows(UsageException::class.java) { reader.add("b") }.message!!.contains("open for reading only"))
            }
            me.close()
            me.close()
            assertTrue(assertThrows(UsageException::class.java) { me.add("b") }.message!!.contains("is closed"))
            assertEquals(listOf("a"), me.history(NOW).keys.toList())
        }
        assertEquals("open", other("open"))
        Profile.open(file).use { assertEquals(1, it.size) }
    }

    @Test
    fun aKilledWriterLeavesItsEventsAndNoLock() {
        val process = start("hold")
        assertEquals("held", process.inputStream.bufferedReader().readLine())
        assertThrows(BusyException::class.java) { Profile.open(file) }
        process.destroyForcibly().waitFor()
        Profile.open(file).use { assertEquals(listOf("a"), it.events().map { event -> event.item }) }
    }

    @Test
    fun anInterruptedThreadStillWrites() {
        Profile.open(file, durable = true).use { me ->
            Thread.currentThread().interrupt()
            me.add("a", time = NOW)
            assertTrue(Thread.interrupted())
            me.add("b", time = NOW)
        }
        Profile.open(file).use { assertEquals(2, it.size) }
    }

    @Test
    fun aFullDiskLeavesTheFileAsItWas() {
        // The largest file may have 512 bytes. Short items: the record begins to be written. Long ones: nothing is. Full:
        // the file is written anew without its first event, which does not fit either.
        for ((size, most) in listOf(1 to 16, 100 to 16, 100 to 8)) {
            file.writeBytes(written(List(8) { Event("$it".repeat(size), "click", NOW) }))
            val before = file.readBytes()
            assertEquals("refused three times", other("full", "$most"))
            assertArrayEquals(before, file.readBytes())
            assertEquals(setOf("me.profile", "me.profile.lock"), folder.root.list()!!.toSet())
        }
    }

    @Test
    fun aPlaceThatIsNone() {
        File(folder.root, "file").writeText("")
        for (place in listOf("missing/p", "file/p")) {
            val error = assertThrows(DataException::class.java) { Profile.open(File(folder.root, place)) }
            assertTrue(error.message, "cannot be written" in error.message!!)
        }
        assertTrue(assertThrows(DataException::class.java) { Profile.open(file, write = false) }.message!!.contains("cannot be read"))
    }

    @Test
    fun erasingForgetsAlsoWhatWasDamaged() {
        file.writeBytes(MAGIC + ByteArray(10_000) { 1 })
        val damaged = File(folder.root, "me.profile.damaged")
        Profile.open(file).use { me ->
            assertEquals(10_000, me.lostBytes)
            assertTrue(damaged.exists())
            me.like("a")
            me.erase()
            assertEquals(0, me.size)
            assertEquals(emptyMap<String, Double>(), me.history())
            me.dislike("b", NOW)
        }
        assertFalse(damaged.exists())
        Profile.open(file).use { assertEquals(listOf(Event("b", "dislike", NOW)), it.events()) }
        assertEquals("rw-------", java.nio.file.attribute.PosixFilePermissions.toString(java.nio.file.Files.getPosixFilePermissions(file.toPath())))
    }

    @Test
    fun theExportIsWhatPythonPrints() {
        Profile.open(file).use { me ->
            golden["file"].map()["events"].list().map(::event).forEach { me.add(it.item, it.event, it.time) }
            assertEquals(golden["file"].map()["export"], me.export())
        }
    }

    @Test
    fun threadsReadWhileOneWrites() {
        Profile.open(file, maxEvents = 50).use { me ->
            val failures = java.util.concurrent.ConcurrentLinkedQueue<Throwable>()
            val readers = List(3) { Thread { try { repeat(300) { me.history(NOW) } } catch (error: Throwable) { failures.add(error) } }.apply { start() } }
            for (i in 0 until 300) me.add("${i % 7}", if (i % 2 == 0) "view" else "dislike", NOW)
            readers.forEach(Thread::join)
            assertTrue("$failures", failures.isEmpty())
            assertTrue(me.size <= 50)
        }
    }

    /** What another process says of the same profile. */
    private fun other(vararg words: String): String {
        val process = start(*words)
        assertTrue(process.waitFor(60, TimeUnit.SECONDS))
        return process.inputStream.bufferedReader().readText().trim()
    }

    private fun start(vararg words: String): Process {
        val java = File(System.getProperty("java.home"), "bin/java").path
        val program = listOf(java, "-XX:-UsePerfData", "-cp", System.getProperty("java.class.path"), "dev.pocketrec.ProfileProcess")
        val limit = if (words[0] == "full") "ulimit -f 1; " else "" // blocks of 512 bytes
        val shell = listOf("sh", "-c", "${limit}exec \"\$@\"", "sh")
        return ProcessBuilder(shell + program + file.path + words).redirectError(ProcessBuilder.Redirect.INHERIT).start()
    }

    private companion object {
        val MAGIC = "PKTRPRF1".toByteArray()
        const val NOW = 1_800_000_000.0
        const val DAY = 86_400.0

        fun hex(bytes: ByteArray) = bytes.joinToString("") { "%02x".format(it) }

        fun bytes(hex: String) = ByteArray(hex.length / 2) { hex.substring(2 * it, 2 * it + 2).toInt(16).toByte() }
    }
}
