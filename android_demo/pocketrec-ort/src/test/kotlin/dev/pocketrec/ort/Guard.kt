package dev.pocketrec.ort

import dev.pocketrec.PackageException
import dev.pocketrec.Source
import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder

/** Says of each ranker graph in a folder whether a package would be refused with it: `Guard PACKAGE FOLDER`. */
internal object Guard {
    @JvmStatic
    fun main(words: Array<String>) {
        val file = Source.file(File(words[0])).openFile()
        val allowed: (String) -> Boolean = { file.has(it.removeSuffix("|blocks")) }
        for (graph in File(words[1]).listFiles()!!.sorted()) {
            val data = ByteBuffer.wrap(graph.readBytes()).order(ByteOrder.LITTLE_ENDIAN)
            val verdict = try {
                GraphGuard.check(data, allowed, OrtEngine.rankerShapes(file))
                "accepted"
            } catch (error: PackageException) {
                "refused"
            }
            println("${graph.name} $verdict")
        }
    }
}
