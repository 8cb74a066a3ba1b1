package dev.pocketrec.added

import dev.pocketrec.AddedItem
import dev.pocketrec.UsageException
import dev.pocketrec.file.Messages
import dev.pocketrec.file.Utf8
import dev.pocketrec.items.Times
import dev.pocketrec.text.stripped
import dev.pocketrec.text.takeCodePoints

/** What an added item may be: ids and values of the right kind, texts cut to their limits. */
internal object ItemRules {
    private const val MAX_ID_BYTES = 4096
    private const val MAX_TITLE = 1_000
    private const val MAX_TEXT = 20_000
    private const val MAX_CATEGORY = 200
    private const val MAX_CATEGORIES = 64

    /**
     * The item as it is kept.
     *
     * @param kinds attribute to kind, of the package. `category` is kept even if the package has none.
     * @throws UsageException no id, or a key or value that cannot be.
     */
    fun checked(item: AddedItem, kinds: Map<String, String>): AddedItem {
        val bytes = Utf8.encode(item.item)?.size ?: 0
        if (bytes == 0) throw UsageException("an item to add needs an id; got ${Messages.quoted(item.item)}")
        val name = Messages.quoted(item.item)
        if (bytes > MAX_ID_BYTES) throw UsageException("the id $name has more than $MAX_ID_BYTES bytes")
        val known = linkedMapOf("category" to "category") + kinds
        val attributes = item.attributes.mapValues { (key, value) ->
            val kind = known[key] ?: throw UsageException(
                "item $name has the key ${Messages.quoted(key)}; this package knows ${(listOf("item", "title", "text") + known.keys).joinToString()}",
            )
            value(kind, "$key of item $name", value)
        }
        return AddedItem(item.item, tidy(item.title, MAX_TITLE), tidy(item.text, MAX_TEXT), attributes)
    }

    private fun value(kind: String, what: String, value: Any): Any = when (kind) {
        "category" -> categories(what, value)
        "number" -> (value as? Number)?.toDouble()?.takeIf { !it.isNaN() && !it.isInfinite() } ?: refuse(what, value, "a finite number")
        "boolean" -> value as? Boolean ?: refuse(what, value, "true or false")
        else -> try {
            Times.period(value).first
        } catch (error: UsageException) {
            throw UsageException("$what: ${error.message}")
        }
    }

    private fun categories(what: String, value: Any): List<String> {
        val listed = if (value is String) value.split("|") else (value as? Iterable<*>)?.toList() ?: listOf(null)
        val names = listed.map { it as? String ?: refuse(what, value, "a text or a list of texts") }
        return names.take(MAX_CATEGORIES).map { tidy(it, MAX_CATEGORY) }.filter { it.isNotEmpty() }.distinct()
    }

    /** A text cut to its limit, with a question mark for half a character, and without space around it. */
    private fun tidy(text: String, limit: Int): String = String(text.takeCodePoints(limit).toByteArray(), Charsets.UTF_8).stripped()

    private fun refuse(what: String, value: Any, expected: String): Nothing =
        throw UsageException("$what is ${Messages.shown(value)}; expected $expected")
}
