package dev.pocketrec

import dev.pocketrec.added.ItemRules
import dev.pocketrec.text.codePointCount
import dev.pocketrec.text.takeCodePoints

/**
 * An item that the package lacks, to be added on this device with [Pocketrec.addItems].
 *
 * @property item external id.
 * @property title "" where there is none; cut to 1,000 characters.
 * @property text what is said of it, "" if nothing; cut to 20,000 characters.
 * @property attributes attribute of the package to value: for a category a text, "A|B" or a list of texts; a number; a
 *     boolean; for a date a text such as "2026-05-31" or seconds since 1970. Once added: lists, doubles, booleans, seconds.
 */
public class AddedItem @JvmOverloads constructor(
    public val item: String,
    public val title: String = "",
    public val text: String = "",
    public val attributes: Map<String, Any> = emptyMap(),
) {
    /** The item as it is kept, after every rule; see [ItemRules]. */
    internal fun checked(kinds: Map<String, String>): AddedItem = ItemRules.checked(this, kinds)

    /** Its categories, once added. */
    internal val categories: List<String> get() = (attributes["category"] as? List<*>)?.map { it as String }.orEmpty()

    /**
     * What the text encoder and the word table read, as in a build.
     *
     * @param folded of the package: a text that begins with the title, as it compares, stands alone.
     */
    internal fun encoderText(folded: (String) -> String): String {
        val title = title.ifEmpty { item }
        if (folded(text.takeCodePoints(title.codePointCount())) == folded(title)) return text
        val rest = text.ifEmpty { categories.joinToString() }
        if (rest.isEmpty()) return title
        return if (title.last() in ".!?") "$title $rest" else "$title. $rest"
    }

    override fun toString(): String = "AddedItem('$item', '$title')"
}
