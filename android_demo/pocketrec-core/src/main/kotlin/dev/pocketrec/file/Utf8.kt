package dev.pocketrec.file

import java.nio.ByteBuffer
import java.nio.CharBuffer
import java.nio.charset.CharacterCodingException
import java.nio.charset.CodingErrorAction

/** UTF-8 that says when it cannot: the library's own shortcuts put question marks in its place. */
internal object Utf8 {
    /** The bytes of a text; null where it has a lone surrogate. */
    fun encode(text: String): ByteArray? = try {
        val encoder = Charsets.UTF_8.newEncoder().onMalformedInput(CodingErrorAction.REPORT)
        val bytes = encoder.encode(CharBuffer.wrap(text))
        ByteArray(bytes.remaining()).also { bytes.get(it) }
    } catch (_: CharacterCodingException) {
        null
    }

    /** The text of bytes; null where they are not UTF-8. */
    fun decode(bytes: ByteBuffer): String? = try {
        val decoder = Charsets.UTF_8.newDecoder().onMalformedInput(CodingErrorAction.REPORT)
        decoder.onUnmappableCharacter(CodingErrorAction.REPORT).decode(bytes.duplicate()).toString()
    } catch (_: CharacterCodingException) {
        null
    }
}
