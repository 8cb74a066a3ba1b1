package dev.pocketrec.text

import dev.pocketrec.file.PackageFile

/**
 * Texts compared without case, accents, punctuation and spacing, by frozen tables, so that every device says the same.
 *
 * A package with texts brings the tables. Where one has none, only ASCII letters and signs are folded, and all other
 * characters count as they stand.
 */
internal object Folding {
    /** What folds the texts of a package; titles that become equal are one title. */
    fun of(file: PackageFile): (String) -> String =
        if (file.has("tokenizer/class.start")) Analyzer(file::array)::folded else ::ascii

    /** The text with ASCII letters in lower case, and one space for any ASCII signs and spaces. */
    fun ascii(text: String): String {
        val out = StringBuilder(text.length)
        for (letter in text) when {
            letter in 'A'..'Z' -> out.append(letter + 32)
            letter in 'a'..'z' || letter in '0'..'9' || letter > '\u007f' -> out.append(letter)
            out.isNotEmpty() && out.last() != ' ' -> out.append(' ')
        }
        return out.trimEnd(' ').toString()
    }
}
