package dev.pocketrec.demo

import android.app.Application
import android.os.Handler
import android.os.Looper
import java.io.File
import java.util.concurrent.Executor
import java.util.concurrent.Executors

/** Holds what all screens share: the films, and the one thread that works on them. */
public class DemoApplication : Application() {
    /** Opened by the first call, which comes from [worker]. Android ends the process without a word, so nothing closes it. */
    internal val films: Films by lazy {
        // Not among the backups, and gone with the app.
        Films(assetSource(assets, PACKAGE), engineFactory, File(noBackupFilesDir, "me.profile"))
    }

    /** Where the work is done. One thread: calls take milliseconds, and the newest answer alone is wanted. */
    internal val worker: Executor = Executors.newSingleThreadExecutor { Thread(it, "films") }

    /** The main thread. */
    internal val screen: Executor by lazy { Handler(Looper.getMainLooper()).let { handler -> Executor { handler.post(it) } } }

    private companion object {
        const val PACKAGE = "sample.pocketrec"
    }
}
