package dev.pocketrec.demo

import java.util.concurrent.Executor

/**
 * Answers for a screen that changes faster than it is answered: only the newest request is shown.
 *
 * A request that was overtaken while it waited is never worked on, and one that was overtaken at work is not shown.
 * A call takes a few milliseconds, so none is broken off halfway.
 *
 * @param worker where the work is done, away from the main thread.
 * @param screen where answers are shown: the main thread.
 */
internal class Latest(private val worker: Executor, private val screen: Executor) {
    @Volatile
    private var newest = 0L

    /** Do [work], then [show] its result, unless another request or [cancel] comes first. Call it on the main thread. */
    fun <T> ask(work: () -> T, show: (Result<T>) -> Unit) {
        val mine = ++newest
        worker.execute {
            if (mine == newest) {
                val answer = runCatching(work)
                screen.execute { if (mine == newest) show(answer) }
            }
        }
    }

    /** Show no answer that is still to come. */
    fun cancel() {
        newest++
    }
}
