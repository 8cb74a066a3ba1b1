package dev.pocketrec.demo

import android.content.res.Resources
import dev.pocketrec.PackageException
import dev.pocketrec.Phrases
import dev.pocketrec.PocketrecException
import dev.pocketrec.Recommendation
import dev.pocketrec.Results

/** Answers in the language of the screen. */
internal class Words(private val resources: Resources) {
    private val language = if (resources.configuration.locales[0].language == "zh") "zh" else "en"

    fun recommended(films: Results, personal: Boolean): ListState =
        list(films, resources.getString(if (personal) R.string.for_you else R.string.some_films), R.string.nothing_left)

    fun found(films: Results): ListState = list(films, resources.getString(R.string.found), R.string.nothing_found)

    fun similar(films: Results): ListState = list(films, resources.getString(R.string.similar), R.string.nothing_similar)

    /** What went wrong, in a sentence for someone who can act on it; a bug is not hidden behind one. */
    fun failed(error: Throwable): ListState.Failed = when (error) {
        is PackageException -> ListState.Failed(resources.getString(R.string.package_failed, error.message))
        is PocketrecException -> ListState.Failed(resources.getString(R.string.failed, error.message))
        else -> throw error
    }

    private fun list(films: Results, heading: String, nothing: Int): ListState =
        if (films.isEmpty()) ListState.Empty(resources.getString(nothing)) else ListState.Rows(heading, films.map(::row))

    private fun row(film: Recommendation): Row =
        Row(film.item, film.title, film.mainReasons().joinToString(if (language == "zh") "；" else "; ") { Phrases.describe(it, language) })
}
