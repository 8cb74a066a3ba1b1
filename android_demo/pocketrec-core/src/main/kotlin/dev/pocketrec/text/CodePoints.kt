package dev.pocketrec.text

/** A list of code points that grows: Kotlin counts the halves of rare characters, the rules of this package do not. */
internal class CodePoints(capacity: Int = 64) {
    @JvmField
    var codes = IntArray(capacity)

    @JvmField
    var size = 0

    fun add(code: Int) {
        if (size == codes.size) codes = codes.copyOf(2 * size)
        codes[size++] = code
    }

    fun addAll(more: IntArray) {
        for (code in more) add(code)
    }

    fun clear() {
        size = 0
    }

    fun text(from: Int = 0, to: Int = size): String = String(codes, from, to - from)
}

/** How many code points a text has; a half without its other half counts as one. */
internal fun String.codePointCount(): Int = codePointCount(0, length)

/** The first [count] code points of a text. */
internal fun String.takeCodePoints(count: Int): String =
    if (length <= count || codePointCount() <= count) this else substring(0, offsetByCodePoints(0, count))

/** A text as its code points. */
internal fun String.toCodePoints(): IntArray {
    val codes = IntArray(codePointCount())
    var at = 0
    for (place in codes.indices) {
        codes[place] = codePointAt(at)
        at += Character.charCount(codes[place])
    }
    return codes
}

/** White space as Python's `str.strip` and `str.isspace` know it, whatever the Unicode version of the device. */
internal fun isSpace(code: Int): Boolean =
    code in 9..13 || code in 0x1C..0x20 || code == 0x85 || code == 0xA0 || code == 0x1680 || code in 0x2000..0x200A ||
        code == 0x2028 || code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000

internal fun String.stripped(): String = trim { isSpace(it.code) }
