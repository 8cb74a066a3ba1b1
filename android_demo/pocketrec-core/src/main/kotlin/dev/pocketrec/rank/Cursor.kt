package dev.pocketrec.rank

import dev.pocketrec.Display
import dev.pocketrec.Filter
import dev.pocketrec.UsageException
import dev.pocketrec.file.Json
import dev.pocketrec.file.JsonText
import dev.pocketrec.file.Messages
import dev.pocketrec.file.Utf8
import java.io.ByteArrayOutputStream
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.Base64
import java.util.zip.CRC32
import java.util.zip.DataFormatException
import java.util.zip.DeflaterOutputStream
import java.util.zip.Inflater

/**
 * A call with all that it was given, as one opaque text, so that the next page can go on from it.
 *
 * The text is URL-safe base64 of a CRC-32 and deflated JSON, the same in all languages: mappings are tagged `m`, tuples `t`.
 * It holds the user's history: it belongs on their device.
 *
 * @property state what the pages are of: the package, and what was added to it.
 * @property history ids and weights as they were ranked.
 * @property request with all that was shown so far.
 */
internal class Cursor(val state: String, val history: List<Pair<String, Double>>, val request: Request) {
    fun write(): String {
        val display = request.display.run { listOf(diversity, tagged(maxPer), distinct, tagged(minShare.mapValues { tagged(it.value) })) }
        val rest = request.run {
            listOf(
                verb, subject, k, filter(filter), exclude, tagged(weights).takeIf { weights.isNotEmpty() }, explain, now,
                mapOf("t" to shown), mapOf("t" to interests),
            )
        }
        val json = JsonText.of(listOf(state, history.map { mapOf("t" to listOf(it.first, it.second)) }, display, rest))
        val deflated = ByteArrayOutputStream().also { out -> DeflaterOutputStream(out).use { it.write(json.toByteArray()) } }.toByteArray()
        val bytes = ByteBuffer.allocate(4 + deflated.size).order(ByteOrder.LITTLE_ENDIAN).putInt(crc(deflated, 0)).put(deflated)
        return Base64.getUrlEncoder().encodeToString(bytes.array())
    }

    companion object {
        /** Characters of a cursor. It unfolds to at most 16 times as many bytes. */
        const val MAX_CURSOR = 1 shl 20

        /**
         * What a cursor holds.
         *
         * @throws UsageException it is none, or it was cut or changed.
         */
        fun read(text: String): Cursor {
            if (text.length > MAX_CURSOR) {
                throw UsageException("a page is asked for by the cursor of the page before it, Results.next; got ${Messages.quoted(text)}")
            }
            val why = try {
                val (state, history, display, rest) = list(rich(Json.parse(unfold(text))), 4)
                val pairs = (history as List<*>).map { pair -> list(pair, 2).let { (id, weight) -> id as String to number(weight) } }
                return Cursor(state as String, pairs, request(list(rest, 10), list(display, 4)))
            } catch (error: Json.Malformed) {
                error.message
            } catch (_: Json.TooDeep) {
                "it is nested too deeply"
            } catch (error: DataFormatException) {
                error.message
            } catch (error: RuntimeException) { // of base64, of a part that is another, of a wish that cannot be
                error.message
            }
            throw UsageException("${Messages.quoted(text, 40)} is no cursor of a page ($why); start again from the first page")
        }

        /** The JSON of a cursor. */
        internal fun unfold(text: String): String {
            val raw = Base64.getUrlDecoder().decode(text)
            require(raw.size >= 4 && ByteBuffer.wrap(raw).order(ByteOrder.LITTLE_ENDIAN).getInt(0) == crc(raw, 4)) { "its checksum is another" }
            val inflater = Inflater()
            try {
                inflater.setInput(raw, 4, raw.size - 4)
                val out = ByteArrayOutputStream()
                val part = ByteArray(1 shl 14)
                while (!inflater.finished()) {
                    val size = inflater.inflate(part)
                    require(size > 0) { "it is cut short" }
                    out.write(part, 0, size)
                    require(out.size() <= 16 * MAX_CURSOR) { "it is too long" }
                }
                return requireNotNull(Utf8.decode(ByteBuffer.wrap(out.toByteArray()))) { "it is not UTF-8" }
            } finally {
                inflater.end()
            }
        }

        private fun request(rest: List<*>, display: List<*>): Request {
            require(rest[0] in Request.VERBS) { "its verb is another" }
            return Request(
                rest[0] as String, rest[1] as String, Math.toIntExact(rest[2] as Long), filter(rest[3]), ids(rest[4]),
                numbers(rest[5]), rest[6] as Boolean, rest[7]?.let(::number),
                Display(
                    number(display[0]), display[2] as Boolean, mapping(display[1]).mapValues { Math.toIntExact(it.value as Long) },
                    mapping(display[3]).mapValues { numbers(it.value) },
                ),
                texts(rest[8]), texts(rest[9]),
            )
        }

        /** A filter with comparisons tagged, as Python tells tuples from lists. */
        private fun filter(filter: Filter): Any? = if (filter.wishes.isEmpty()) null else tagged(
            filter.wishes.mapValues { (_, all) -> all.map { mapOf("t" to listOf(it.sign, it.value)) } },
        )

        private fun filter(value: Any?): Filter = mapping(value).entries.fold(Filter.NONE) { filter, (key, wanted) ->
            filter.and(key, (if (wanted is Tuple && !isComparison(wanted)) wanted.parts else wanted as? List<*> ?: listOf(wanted)).map(::wish))
        }

        private fun wish(value: Any?): Filter.Wish =
            if (value is Tuple && isComparison(value)) Filter.Wish(value.parts[0] as String, plain(value.parts[1]))
            else Filter.Wish("=", plain(value))

        private fun isComparison(value: Tuple) = value.parts.size == 2 && value.parts[0] in Filter.SIGNS

        private fun plain(value: Any?): Any {
            require(value is String || value is Number || value is Boolean) { "a wish is another" }
            return value
        }

        private class Tuple(val parts: List<*>)

        private fun tagged(map: Map<String, *>) = mapOf("m" to map.map { (key, value) -> listOf(key, value) })

        /** What was tagged, as it was. */
        private fun rich(value: Any?): Any? = when {
            value is List<*> -> value.map(::rich)
            value !is Map<*, *> -> value
            "m" in value -> (value["m"] as List<*>).associate { entry -> list(entry, 2).let { it[0] as String to rich(it[1]) } }
            else -> Tuple((value["t"] as List<*>).map(::rich))
        }

        private fun list(value: Any?, size: Int): List<*> {
            val parts = if (value is Tuple) value.parts else value as List<*>
            require(parts.size == size) { "its parts are others" }
            return parts
        }

        @Suppress("UNCHECKED_CAST")
        private fun mapping(value: Any?) = value as Map<String, *>? ?: emptyMap<String, Any?>()

        private fun numbers(value: Any?) = mapping(value).mapValues { number(it.value) }

        private fun number(value: Any?) = (value as Number).toDouble()

        private fun ids(value: Any?): List<String> = (if (value is Tuple) value.parts else value as List<*>).map {
            require(it is String || it is Long) { "an id is another" }
            it.toString()
        }

        private fun texts(value: Any?): List<String> = (if (value is Tuple) value.parts else value as List<*>).map { it as String }

        private fun crc(bytes: ByteArray, from: Int) = CRC32().apply { update(bytes, from, bytes.size - from) }.value.toInt()
    }
}
