package dev.pocketrec

import dev.pocketrec.engine.Engine
import dev.pocketrec.engine.RawEngine
import dev.pocketrec.file.PackageFile
import dev.pocketrec.file.Verify
import dev.pocketrec.rank.Answerer
import dev.pocketrec.rank.Answers
import dev.pocketrec.rank.Heads
import dev.pocketrec.rank.Ratings
import java.io.File
import java.util.concurrent.locks.ReentrantReadWriteLock
import kotlin.concurrent.read
import kotlin.concurrent.write

/**
 * One open package that recommends, searches, finds similar items and predicts ratings. Threads may share it.
 *
 * ```
 * Pocketrec.open(Source.file(File("films.pocketrec"))).use { it.recommend(listOf("260", "589"), k = 10) }
 * ```
 *
 * Calls take milliseconds and compute on the caller's thread: not the main thread of an app. See [suspending].
 *
 * @property file the package.
 * @property engine what computes.
 * @property catalogue the items.
 */
public class Pocketrec @JvmOverloads public constructor(
    public val file: PackageFile,
    public val engine: Engine,
    overlay: File? = null,
) : AutoCloseable {
    public val catalogue: Catalogue = Catalogue(file)
    internal val answers = Answerer(file, engine, catalogue, overlay)
    private val heads = Heads(file)
    private val questions by lazy { Answers(file, catalogue) }
    private val ratings by lazy { Ratings(file, catalogue) }
    private val gate = ReentrantReadWriteLock()
    private var closed = false

    /** The same verbs as suspending functions, off the main thread. */
    public val suspending: SuspendingPocketrec = SuspendingPocketrec(this)

    /**
     * The items this user is most likely to want next; what the history holds is left out.
     *
     * @param history what the user did; without any, the most popular items come first.
     * @param k how many; all eligible items if there are fewer.
     * @return min(k, eligible) distinct items, scores not increasing, ties by catalogue order.
     * @throws UsageException an argument outside its range, an unknown signal or, if strict, an unknown id.
     */
    @JvmOverloads
    public fun recommend(history: History = History.EMPTY, k: Int = 10, options: Options = Options.NONE): Results =
        call { answers.recommend(history, k, options) }

    /** [recommend] for ids that weigh 1 each. */
    @JvmOverloads
    public fun recommend(history: List<String>, k: Int = 10, options: Options = Options.NONE): Results =
        recommend(History.of(history), k, options)

    /** [recommend] for weights by id; a negative weight is a dislike. */
    @JvmOverloads
    public fun recommend(history: Map<String, Number>, k: Int = 10, options: Options = Options.NONE): Results =
        recommend(History.of(history), k, options)

    /**
     * The items whose text is nearest to [text] by words and meaning; a history makes the order personal.
     *
     * An item whose title is [text] comes first. A package without a text encoder finds only items that one of the words
     * leads to. A word may have a slip, and the last be unfinished; a text without any word gives an empty result.
     *
     * @throws PackageException the package holds neither a text encoder nor words.
     * @throws UsageException as in [recommend].
     */
    @JvmOverloads
    public fun search(text: String, k: Int = 10, history: History = History.EMPTY, options: Options = Options.NONE): Results =
        call { answers.search(text, history, k, options) }

    /**
     * The items nearest to one item, by who liked it and by what its text says.
     *
     * @throws UsageException the catalogue does not hold [item], or as in [recommend].
     */
    @JvmOverloads
    public fun similar(item: String, k: Int = 10, options: Options = Options.NONE): Results = call {
        answers.similar(item, k, options)
    }

    /**
     * The next page of a list, from [Results.next] of the page before; no item comes twice.
     *
     * History, profile, filters, weights and time stay as they were at the first page, whatever the user did since. Quotas
     * and floors hold for each page; diversity and distinctness look back at the pages before.
     *
     * @throws UsageException no cursor, or one of another package.
     */
    public fun more(cursor: String): Results = call { answers.more(cursor) }

    /**
     * The rating that this user would give each item, on the scale of the data, or null where the catalogue lacks it.
     *
     * Unlike in [recommend], where a weight says how much an item counts, the history's numbers are ratings.
     *
     * @throws UsageException the package was not built from ratings, a rating is outside the scale, or, if [strict], an id
     *     is unknown.
     */
    @JvmOverloads
    public fun predict(history: Map<String, Number>, items: List<String>, strict: Boolean = false): List<Double?> =
        call { ratings.predict(history.map { (id, rating) -> id to rating.toDouble() }, items, strict) }

    /**
     * The query vector of [text], of unit length, or zeros where it holds no word.
     *
     * @throws PackageException the package holds no text encoder.
     */
    public fun encode(text: String): FloatArray = call {
        if (file.manifest.encoder == null) throw PackageException("this package holds no text encoder; build it with an items table")
        engine.encode(answers.query(text).tokens)
    }

    /**
     * The labels of [text], one for each head of the package, with calibrated probabilities; none for a text without any
     * word that the encoder knows.
     *
     * @param alerts labels to watch.
     * @throws PackageException the package has no labels.
     * @throws UsageException an alert that names what the package lacks.
     */
    @JvmOverloads
    public fun classify(text: String, alerts: List<Alert> = emptyList()): Classification = call {
        if (file.manifest.heads.isEmpty()) {
            throw PackageException("this package has no labels; make one that has with `pocketrec build-classifier`")
        }
        val query = answers.query(text)
        heads.classify(engine.encode(query.tokens), alerts, query.truncated)
    }

    /**
     * The answer to a question with the probability that it is right, or none where that is too small.
     *
     * @param threshold least confidence, 0 to 1; null for the package's own.
     * @param exclude ids of questions that do not count.
     * @throws PackageException the package holds no answers.
     * @throws UsageException a threshold outside 0 to 1.
     */
    @JvmOverloads
    public fun answer(text: String, threshold: Double? = null, exclude: Collection<String> = emptyList()): Answer = call {
        if (threshold != null && !(threshold >= 0 && threshold <= 1)) throw UsageException("threshold is $threshold; expected 0 to 1")
        val found = answers.search(text, History.EMPTY, questions.pool, Options(exclude = exclude))
        questions.best(found, threshold)
    }

    /**
     * Adds items that the package lacks; they are recommended, searched and found similar at once.
     *
     * The id of an added item replaces it. An item without any known word is only found by filters and ids. At most 10,000
     * items can be added in all.
     *
     * @return how many are added now.
     * @throws PackageException the package holds no text encoder.
     * @throws UsageException an id twice, or that the package has; a key or value that cannot be; too many.
     * @throws BusyException another process is changing the overlay.
     * @throws DataException the overlay cannot be written.
     */
    public fun addItems(items: Iterable<AddedItem>): Int = call { answers.additions.add(items) }

    /** Removes added items; ids of others are passed over. Returns how many are added then. */
    public fun removeItems(ids: Iterable<String>): Int = call { answers.additions.remove(ids) }

    /** The added items, in the order in which they were added. */
    public val addedItems: List<AddedItem> get() = answers.additions.view.overlay?.items.orEmpty()

    /** Ids that the overlay's file had and that the package now holds itself. */
    public val droppedItems: List<String> get() = answers.additions.dropped

    /** Waits for running calls, then releases the engine and the file. Closing twice does nothing. */
    override fun close(): Unit = gate.write {
        if (closed) return
        closed = true
        engine.close()
        file.close()
    }

    override fun toString(): String =
        "<Pocketrec '${file.manifest.name}': ${catalogue.size} items, signals ${file.manifest.signals.names.joinToString()}, engine ${engine.name}>"

    private inline fun <T> call(answer: () -> T): T = gate.read {
        if (closed) throw PackageException("this package is closed; open it again")
        answer()
    }

    /** Makes the engine of a package. */
    public fun interface EngineFactory {
        public fun open(file: PackageFile): Engine
    }

    public companion object {
        /**
         * Opens a package and makes it ready to answer.
         *
         * @param verify whether every hash is checked now or each part when it is first used.
         * @param engine the engine; the raw one, in Kotlin alone, by default.
         * @param overlay the file of items that were added on this device, or will be; null keeps them until it is closed.
         * @throws PackageException it is missing, cut short, compressed, damaged, hostile or of a newer format.
         * @throws EngineException the engine cannot run it.
         */
        @JvmStatic
        @JvmOverloads
        public fun open(source: Source, verify: Verify = Verify.FULL, engine: EngineFactory = EngineFactory(::RawEngine), overlay: File? = null): Pocketrec {
            val file = source.openFile(verify)
            try {
                return Pocketrec(file, engine.open(file), overlay)
            } catch (error: Throwable) {
                file.close()
                throw error
            }
        }
    }
}
