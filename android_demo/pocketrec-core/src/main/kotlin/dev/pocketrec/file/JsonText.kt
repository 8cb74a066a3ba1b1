package dev.pocketrec.file

import dev.pocketrec.text.Decimals

/** JSON as Python's `json.dumps` writes it, so that files of both languages have the same bytes. */
internal object JsonText {
    /**
     * Maps, lists, strings, numbers, booleans and null as JSON on one line.
     *
     * @param ascii write what is beyond ASCII as escapes.
     * @param spaces with a space after commas and colons.
     */
    fun of(value: Any?, ascii: Boolean = true, spaces: Boolean = false): String {
        val comma = if (spaces) ", " else ","
        val colon = if (spaces) ": " else ":"
        val out = StringBuilder()
        fun write(part: Any?) {
            when (part) {
                is Map<*, *> -> part.entries.joinTo(out, comma, "{", "}") { (key, inner) ->
                    text(out, key as String, ascii)
                    out.append(colon)
                    write(inner)
                    ""
                }
                is Iterable<*> -> part.joinTo(out, comma, "[", "]") { write(it); "" }
                is String -> text(out, part, ascii)
                is Float, is Double -> out.append(Decimals.text((part as Number).toDouble()))
                else -> out.append(part) // integers, true, false, null
            }
        }
        write(value)
        return out.toString()
    }

    private fun text(out: StringBuilder, text: String, ascii: Boolean) {
        out.append('"')
        for (letter in text) {
            val short = SHORT.indexOf(letter)
            when {
                short >= 0 -> out.append('\\').append(NAMES[short])
                letter < ' ' || (ascii && letter > '~') -> out.append("\\u").append(Integer.toHexString(letter.code).padStart(4, '0'))
                else -> out.append(letter)
            }
        }
        out.append('"')
    }

    private const val SHORT = "\"\\\b\u000c\n\r\t"
    private const val NAMES = "\"\\bfnrt"
}
