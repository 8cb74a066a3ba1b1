package dev.pocketrec.file

import java.math.BigInteger

/**
 * A strict parser: no repeated key, NaN, infinity, number beyond float64 or deep nesting, as parsers disagree on these.
 *
 * Values are `Map`, `List`, `String`, `Boolean`, `null`, `Long` or [BigInteger] for integers and `Double` for others.
 */
internal class Json private constructor(private val text: String) {
    private var at = 0
    private var depth = 0

    /** What is not JSON, with a message. */
    class Malformed(message: String) : Exception(message)

    /** What is nested more deeply than anything that means well. */
    class TooDeep : Exception()

    private fun document(): Any? {
        space()
        val value = value()
        space()
        if (at < text.length) throw malformed("extra data")
        return value
    }

    private fun value(): Any? = when (val letter = peek()) {
        '{' -> nested(::members)
        '[' -> nested(::elements)
        '"' -> string()
        't' -> word("true", true)
        'f' -> word("false", false)
        'n' -> word("null", null)
        else -> if (letter == '-' || letter in '0'..'9') number() else constant()
    }

    private fun <T> nested(inner: () -> T): T {
        if (++depth > MAX_DEPTH) throw TooDeep()
        at++
        return inner().also { depth-- }
    }

    private fun members(): Map<String, Any?> {
        val found = LinkedHashMap<String, Any?>()
        var more = !closed('}')
        while (more) {
            if (peek() != '"') throw malformed("a key in quotes was expected")
            val key = string()
            space()
            if (peek() != ':') throw malformed("a colon was expected")
            at++
            space()
            val value = value()
            if (found.containsKey(key)) throw Malformed("a key appears twice in one object")
            found[key] = value
            more = another('}')
        }
        return found
    }

    private fun elements(): List<Any?> {
        val found = ArrayList<Any?>()
        var more = !closed(']')
        while (more) {
            found.add(value())
            more = another(']')
        }
        return found
    }

    private fun closed(mark: Char): Boolean {
        space()
        return (peek() == mark).also { if (it) at++ }
    }

    private fun another(mark: Char): Boolean {
        space()
        val letter = peek()
        if (letter != ',' && letter != mark) throw malformed("a comma or '$mark' was expected")
        at++
        space()
        return letter == ','
    }

    private fun string(): String {
        val out = StringBuilder()
        at++
        while (true) {
            val letter = peek()
            if (letter < ' ') throw malformed(if (at < text.length) "a control character in a string" else "the string does not end")
            at++
            when (letter) {
                '"' -> return out.toString()
                '\\' -> out.append(escape())
                else -> out.append(letter)
            }
        }
    }

    private fun escape(): Char {
        val letter = peek()
        at++
        if (letter == 'u') {
            val digits = text.substring(at, minOf(at + 4, text.length))
            if (digits.length < 4 || !digits.all { it in '0'..'9' || it in 'a'..'f' || it in 'A'..'F' }) {
                throw malformed("four hexadecimal digits were expected")
            }
            at += 4
            return digits.toInt(16).toChar()
        }
        val known = ESCAPES.indexOf(letter)
        if (known < 0) throw malformed("an unknown escape")
        return ESCAPED[known]
    }

    private fun number(): Number {
        val start = at
        if (peek() == '-') at++
        if (peek() == 'I') throw Malformed("-Infinity is not JSON")
        if (peek() == '0') at++ else digits()
        val whole = at
        if (peek() == '.') {
            at++
            digits()
        }
        if (peek() == 'e' || peek() == 'E') {
            at++
            if (peek() == '+' || peek() == '-') at++
            digits()
        }
        val digits = text.substring(start, at)
        if (at == whole) return integer(digits)
        val value = digits.toDouble()
        if (value.isInfinite()) throw Malformed("${digits.take(20)} is beyond float64")
        return value
    }

    private fun integer(digits: String): Number {
        if (digits.length > MAX_DIGITS) throw Malformed("an integer of ${digits.length} digits, expected at most $MAX_DIGITS")
        return if (digits.length < 19) digits.toLong() else BigInteger(digits).let { if (it.bitLength() < 64) it.toLong() else it }
    }

    private fun digits() {
        val start = at
        while (peek() in '0'..'9') at++
        if (at == start) throw malformed("a digit was expected")
    }

    private fun constant(): Nothing {
        for (name in listOf("NaN", "Infinity")) if (text.startsWith(name, at)) throw Malformed("$name is not JSON")
        throw malformed("a value was expected")
    }

    private fun word(word: String, value: Any?): Any? {
        if (!text.startsWith(word, at)) throw malformed("a value was expected")
        at += word.length
        return value
    }

    private fun space() {
        while (at < text.length && text[at] in " \t\n\r") at++
    }

    /** The next character; NUL, which is no JSON outside of escapes, at the end. */
    private fun peek(): Char = if (at < text.length) text[at] else '\u0000'

    private fun malformed(what: String) = Malformed("$what at character $at")

    companion object {
        /** Far beyond any manifest, and within the stack of any thread of a phone. */
        private const val MAX_DEPTH = 128
        private const val MAX_DIGITS = 4300
        private const val ESCAPES = "\"\\/bfnrt"
        private const val ESCAPED = "\"\\/\b\u000c\n\r\t"

        /** The value that [text] holds. */
        fun parse(text: String): Any? = Json(text).document()
    }
}
