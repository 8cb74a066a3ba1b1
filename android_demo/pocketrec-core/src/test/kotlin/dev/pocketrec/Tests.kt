package dev.pocketrec

import dev.pocketrec.file.Json
import java.io.File

/** What the tests share: the repository's files, and its golden vectors, which Python reads, too. */
internal object Tests {
    val ROOT: File = generateSequence(File(".").absoluteFile) { it.parentFile }.first { File(it, "tests/golden").isDirectory }
    val SAMPLE = File(ROOT, "runtime/pocketrec/sample.pocketrec")
    val TINY = File(ROOT, "tests/golden/tiny.pocketrec")

    @Suppress("UNCHECKED_CAST")
    fun golden(name: String): Map<String, Any?> = Json.parse(File(ROOT, "tests/golden/$name").readText()) as Map<String, Any?>
}

@Suppress("UNCHECKED_CAST")
internal fun Any?.map(): Map<String, Any?> = this as Map<String, Any?>

@Suppress("UNCHECKED_CAST")
internal fun Any?.list(): List<Any?> = this as List<Any?>

internal fun Any?.texts(): List<String> = list().map { it as String }

internal fun Any?.ints(): List<Int> = list().map { (it as Number).toInt() }
