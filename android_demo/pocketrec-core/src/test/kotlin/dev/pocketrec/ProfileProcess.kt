package dev.pocketrec

import java.io.File

/** Another process with a profile, for `ProfileTest`: the file, then what to do with it. */
internal object ProfileProcess {
    @JvmStatic
    fun main(words: Array<String>) {
        val file = File(words[0])
        when (words[1]) {
            "open" -> println(try { Profile.open(file).use { "open" } } catch (_: BusyException) { "busy" })
            "hold" -> {
                Profile.open(file).add("a", time = 1.0)
                println("held")
                Thread.sleep(60_000)
            }
            "full" -> full(file, words[2].toInt())
        }
    }

    private fun full(file: File, maxEvents: Int) {
        val before = file.readBytes()
        Profile.open(file, maxEvents = maxEvents).use { me ->
            repeat(3) {
                try {
                    me.add("x".repeat(400), time = 2.0)
                    println("written")
                } catch (error: DataException) {
                    if ("cannot be written" !in error.message!!) throw error
                }
                if (me.size != 8 || me.history(2.0).size != 8 || !file.readBytes().contentEquals(before)) println("changed")
            }
        }
        println("refused three times")
    }
}
