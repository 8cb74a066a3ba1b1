package dev.pocketrec.ort

import dev.pocketrec.EngineException
import dev.pocketrec.Source
import java.io.File

/** Says what the engine says where its native library is missing: `Missing PACKAGE`, started without the library. */
internal object Missing {
    @JvmStatic
    fun main(words: Array<String>) {
        Source.file(File(words[0])).openFile().use { file ->
            repeat(2) {
                try {
                    OrtEngine(file).close()
                    println("opened")
                } catch (error: EngineException) {
                    println(error.message)
                }
            }
        }
    }
}
