package dev.pocketrec

import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext

/**
 * The verbs of [Pocketrec] as suspending functions, computed on a dispatcher for such work.
 *
 * A call that is cancelled, for example by the next keystroke, throws `CancellationException` at once if it has not begun,
 * else when it is through with its few milliseconds; its result is dropped either way.
 */
public class SuspendingPocketrec internal constructor(
    private val blocking: Pocketrec,
    private val dispatcher: CoroutineDispatcher = Dispatchers.Default,
) {
    /** The same verbs on another dispatcher. */
    public fun on(dispatcher: CoroutineDispatcher): SuspendingPocketrec = SuspendingPocketrec(blocking, dispatcher)

    /** See [Pocketrec.recommend]. */
    public suspend fun recommend(history: History = History.EMPTY, k: Int = 10, options: Options = Options.NONE): Results =
        withContext(dispatcher) { blocking.recommend(history, k, options) }

    /** See [Pocketrec.search]. */
    public suspend fun search(text: String, k: Int = 10, history: History = History.EMPTY, options: Options = Options.NONE): Results =
        withContext(dispatcher) { blocking.search(text, k, history, options) }

    /** See [Pocketrec.similar]. */
    public suspend fun similar(item: String, k: Int = 10, options: Options = Options.NONE): Results =
        withContext(dispatcher) { blocking.similar(item, k, options) }

    /** See [Pocketrec.more]. */
    public suspend fun more(cursor: String): Results = withContext(dispatcher) { blocking.more(cursor) }

    /** See [Pocketrec.classify]. */
    public suspend fun classify(text: String, alerts: List<Alert> = emptyList()): Classification =
        withContext(dispatcher) { blocking.classify(text, alerts) }

    /** See [Pocketrec.answer]. */
    public suspend fun answer(text: String, threshold: Double? = null, exclude: Collection<String> = emptyList()): Answer =
        withContext(dispatcher) { blocking.answer(text, threshold, exclude) }

    /** See [Pocketrec.predict]. */
    public suspend fun predict(history: Map<String, Number>, items: List<String>, strict: Boolean = false): List<Double?> =
        withContext(dispatcher) { blocking.predict(history, items, strict) }
}
