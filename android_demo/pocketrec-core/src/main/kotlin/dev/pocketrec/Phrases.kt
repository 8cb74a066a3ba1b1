package dev.pocketrec

import dev.pocketrec.file.Messages

/**
 * Reasons as words: one table for each language, keyed by what a reason is and which way it pulls.
 *
 * A key is the kind of a reason and `+` (it raises the score) or `-` (it lowers it). `{text}` is the title of the history
 * item or the word of the query. An app brings its own table to [describe], for example from string resources.
 */
public object Phrases {
    @JvmField
    public val ENGLISH: Map<String, String> = mapOf(
        "item+" to "because of {text}",
        "item-" to "despite {text}",
        "interest+" to "because you like {text}",
        "interest-" to "although you like {text}",
        "word+" to "because of \"{text}\"",
        "word-" to "despite \"{text}\"",
        "popularity+" to "popular",
        "popularity-" to "although popular",
        "boost+" to "boosted",
        "boost-" to "although held back",
    )

    @JvmField
    public val CHINESE: Map<String, String> = mapOf(
        "item+" to "因为《{text}》",
        "item-" to "尽管有《{text}》",
        "interest+" to "因为你喜欢“{text}”",
        "interest-" to "尽管你喜欢“{text}”",
        "word+" to "因为“{text}”",
        "word-" to "尽管有“{text}”",
        "popularity+" to "热门",
        "popularity-" to "虽然热门",
        "boost+" to "重点推荐",
        "boost-" to "虽然被降低排名",
    )

    /** The tables by language. */
    @JvmField
    public val LANGUAGES: Map<String, Map<String, String>> = mapOf("en" to ENGLISH, "zh" to CHINESE)

    /**
     * The reason in words.
     *
     * @param language a key of [LANGUAGES].
     * @throws UsageException no such language.
     */
    @JvmStatic
    @JvmOverloads
    public fun describe(reason: Reason, language: String = "en"): String = describe(
        reason,
        LANGUAGES[language] ?: throw UsageException(
            "no language ${Messages.quoted(language)}; there are ${LANGUAGES.keys.joinToString()}, or give a table of your own",
        ),
    )

    /** The reason in words of the app's own [table]; what that lacks is said in English. */
    @JvmStatic
    public fun describe(reason: Reason, table: Map<String, String>): String {
        val key = "${reason.kind}${if (reason.contribution < 0) "-" else "+"}"
        val phrase = table[key].orEmpty().ifEmpty { ENGLISH[key] ?: "{text}" }
        return phrase.replace("{text}", reason.text)
    }
}
