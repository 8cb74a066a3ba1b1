package dev.pocketrec.file

import dev.pocketrec.PackageException
import java.math.BigInteger
import java.nio.ByteBuffer
import java.nio.charset.CharacterCodingException
import java.nio.charset.CodingErrorAction

/** A JSON object that knows its path; each getter returns a checked value or names what is wrong. */
internal class JsonObject(value: Any?, val path: String) {
    @Suppress("UNCHECKED_CAST")
    val value: Map<String, Any?> = value as? Map<String, Any?>
        ?: throw PackageException("manifest: ${path.ifEmpty { "the top level" }} must be an object, found ${Messages.json(value)}")

    /** The full path of a key, for messages. */
    fun where(key: String): String = if (path.isEmpty()) key else "$path.$key"

    /** The value of a key that must be there. */
    fun get(key: String): Any? {
        if (!value.containsKey(key)) throw PackageException("manifest: ${where(key)} is missing")
        return value[key]
    }

    /** What the key must be, and what was found. */
    fun fail(key: String, expected: String): Nothing =
        throw PackageException("manifest: ${where(key)} must be $expected, found ${Messages.json(value[key])}")

    fun obj(key: String): JsonObject = JsonObject(get(key), where(key))

    /** The object of a key, or null when it is null or missing. */
    fun objOrNull(key: String): JsonObject? = if (value[key] == null) null else obj(key)

    fun list(key: String, most: Int, of: String = ""): List<Any?> {
        val found = get(key) as? List<*> ?: fail(key, "a list of at most $most$of")
        if (found.size > most) fail(key, "a list of at most $most$of")
        return found
    }

    /** A string that can be encoded. */
    fun text(key: String): String {
        val text = get(key) as? String ?: fail(key, "a string")
        if (text.hasLoneSurrogates()) fail(key, "text without lone surrogates")
        return text
    }

    fun textOrNull(key: String): String? = if (value[key] == null) null else text(key)

    /** One of the strings that this runtime knows. */
    fun choice(key: String, choices: List<String>): String {
        val text = text(key)
        if (text !in choices) fail(key, "one of ${choices.joinToString()} (or update pocketrec)")
        return text
    }

    fun sha256(key: String): String {
        val text = text(key)
        if (text.length != 64 || !text.all { it in '0'..'9' || it in 'a'..'f' }) {
            fail(key, "a SHA-256 of 64 lowercase hexadecimal digits")
        }
        return text
    }

    fun boolean(key: String): Boolean = get(key) as? Boolean ?: fail(key, "true or false")

    fun integer(key: String, low: Long, high: Long = LARGEST_INTEGER): Long {
        val found = get(key)
        if (found !is Long || found !in low..high) fail(key, "an integer from $low to $high")
        return found
    }

    fun int(key: String, low: Int, high: Int): Int = integer(key, low.toLong(), high.toLong()).toInt()

    fun number(key: String, low: Double, high: Double): Double {
        val found = get(key)
        val number = when (found) {
            is Long -> found.toDouble()
            is BigInteger -> if (found.signum() > 0) Double.POSITIVE_INFINITY else Double.NEGATIVE_INFINITY
            is Double -> found
            else -> Double.NaN
        }
        if (!(number >= low && number <= high)) fail(key, "a number from ${Messages.general(low)} to ${Messages.general(high)}")
        return number
    }

    /** The width of a dense table: a multiple of 64 up to 4096. */
    fun dim(key: String): Int {
        val width = int(key, 64, 4096)
        if (width % 64 != 0) fail(key, "a multiple of 64")
        return width
    }

    companion object {
        /** The default upper bound of an integer: what a uint32 holds. */
        const val LARGEST_INTEGER: Long = (1L shl 32) - 1

        /**
         * The object that [data] holds, in UTF-8.
         *
         * @throws PackageException it is not strict JSON, or not an object.
         */
        fun parse(data: ByteBuffer): JsonObject {
            val value = try {
                val decoder = Charsets.UTF_8.newDecoder().onMalformedInput(CodingErrorAction.REPORT)
                    .onUnmappableCharacter(CodingErrorAction.REPORT)
                Json.parse(decoder.decode(data.duplicate()).toString())
            } catch (error: Json.TooDeep) {
                throw PackageException("manifest.json is nested too deeply")
            } catch (error: Json.Malformed) {
                throw PackageException("manifest.json is not valid JSON: ${error.message}")
            } catch (error: CharacterCodingException) {
                throw PackageException("manifest.json is not valid JSON: it is not UTF-8")
            }
            return JsonObject(value, "")
        }
    }
}

internal fun String.hasLoneSurrogates(): Boolean {
    var at = 0
    while (at < length) {
        if (this[at].isHighSurrogate() && at + 1 < length && this[at + 1].isLowSurrogate()) at++ else if (this[at].isSurrogate()) return true
        at++
    }
    return false
}
