package dev.pocketrec.ort

import dev.pocketrec.History
import dev.pocketrec.Pocketrec
import dev.pocketrec.Pocketrec.EngineFactory
import dev.pocketrec.Source
import dev.pocketrec.engine.RawEngine
import java.io.File
import java.io.FileInputStream

/**
 * Answers what Python asks, so that both can be compared: `Answers ENGINE PACKAGE REQUESTS [OFFSET LENGTH]`.
 *
 * A line of the file REQUESTS is a verb, the number of results and the argument, between tabs; of recommend that is
 * `id:weight,id:weight`. A line of the answer is `id score`, between tabs. With OFFSET and LENGTH the package is a part
 * of the file, such as an asset of an APK.
 */
internal object Answers {
    @JvmStatic
    fun main(words: Array<String>) {
        val (engine, file, requests) = words
        val source = if (words.size == 3) Source.file(File(file)) else {
            Source.channel(FileInputStream(file).channel, words[3].toLong(), words[4].toLong())
        }
        val factory = EngineFactory { if (engine == "onnx") OrtEngine(it) else RawEngine(it) }
        Pocketrec.open(source, engine = factory).use { pocketrec ->
            for (line in File(requests).readLines()) println(answer(pocketrec, line))
        }
    }

    private fun answer(pocketrec: Pocketrec, line: String): String {
        val (verb, count, argument) = line.split('\t')
        val k = count.toInt()
        val results = when (verb) {
            "recommend" -> pocketrec.recommend(history(argument), k)
            "search" -> pocketrec.search(argument, k)
            else -> pocketrec.similar(argument, k)
        }
        return results.joinToString("\t") { "${it.item} ${it.score}" }
    }

    private fun history(text: String): History =
        History.ofPairs(text.split(',').filter { it.isNotEmpty() }.map { it.substringBefore(':') to it.substringAfter(':').toDouble() })
}
