package dev.pocketrec.demo

import dev.pocketrec.Display
import dev.pocketrec.History
import dev.pocketrec.Options
import dev.pocketrec.Pocketrec
import dev.pocketrec.Pocketrec.EngineFactory
import dev.pocketrec.PocketrecException
import dev.pocketrec.Profile
import dev.pocketrec.Results
import dev.pocketrec.Source
import java.io.File

/**
 * What the app does with one package and one user. It knows nothing of Android; call it away from the main thread.
 *
 * @param source the package.
 * @param engine what answers.
 * @param profileFile where likes and dislikes are kept.
 */
internal class Films(source: Source, engine: EngineFactory, private val profileFile: File) {
    private val pocketrec = Pocketrec.open(source, engine = engine)
    private val profile = try {
        Profile.open(profileFile, weights = UNDO)
    } catch (error: PocketrecException) {
        pocketrec.close() // so that the next attempt begins anew
        throw error
    }
    private val timings = Timings()

    /** Whether anything is known of the user. */
    val personal: Boolean get() = profile.size > 0

    fun recommend(diversity: Double): Results = timings.measure(RECOMMEND) {
        pocketrec.recommend(History.EMPTY, SHOWN, Options(profile = profile, explain = true, display = Display(diversity)))
    }

    fun search(text: String, diversity: Double): Results = timings.measure(SEARCH) {
        pocketrec.search(text, SHOWN, options = Options(profile = profile, display = Display(diversity)))
    }

    fun similar(item: String): Results = timings.measure(SIMILAR) { pocketrec.similar(item, SHOWN, Options(profile = profile)) }

    /** What the package knows of an item, besides its title: a line for each attribute that has a value. */
    fun details(item: String): String {
        val index = pocketrec.catalogue.index(item)
        if (index < 0) return ""
        val labels = pocketrec.catalogue.attributes.map { pocketrec.catalogue.labels(index, it.name).joinToString() }
        return labels.filter { it.isNotEmpty() }.joinToString("\n")
    }

    /** What the user said of an item last. */
    fun opinion(item: String): Opinion = lastWord(item)?.let { Opinion.of(it.event) } ?: Opinion.NONE

    /** The user says so now, in place of what they said before. */
    fun say(item: String, opinion: Opinion) {
        val before = lastWord(item)
        val old = before?.let { Opinion.of(it.event) }
        if (old == opinion) return
        // At the time of what it takes back, so that both fade together and their sum stays 0.
        if (old?.undo != null) profile.add(item, old.undo, before.time)
        if (opinion.event != null) profile.add(item, opinion.event)
    }

    fun erase(): Unit = profile.erase()

    fun facts(): Facts = Facts(
        pocketrec.file.id,
        pocketrec.file.sizeBytes,
        pocketrec.catalogue.size,
        pocketrec.engine.name,
        profile.size,
        profileFile.length(),
        timings.summaries(),
    )

    private fun lastWord(item: String) = profile.events().lastOrNull { it.item == item }

    /** @property event what the profile calls it; @property undo the event that takes it back. */
    enum class Opinion(val event: String?, val undo: String?) {
        NONE(null, null),
        LIKE("like", "unlike"),
        DISLIKE("dislike", "undislike");

        companion object {
            fun of(event: String): Opinion = entries.firstOrNull { it.event == event } ?: NONE
        }
    }

    /** What the diagnostics screen shows; sizes in bytes, [events] and [profileBytes] of the user's own data. */
    data class Facts(
        val id: String,
        val packageBytes: Int,
        val items: Int,
        val engine: String,
        val events: Int,
        val profileBytes: Long,
        val timings: List<Timings.Summary>,
    )

    companion object {
        const val RECOMMEND: String = "recommend"
        const val SEARCH: String = "search"
        const val SIMILAR: String = "similar"
        private const val SHOWN = 50
        private val UNDO = mapOf("unlike" to -3.0, "undislike" to 3.0) // the opposite of Profile.WEIGHTS
    }
}
