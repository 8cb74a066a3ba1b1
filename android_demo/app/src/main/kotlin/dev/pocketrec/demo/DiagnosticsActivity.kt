package dev.pocketrec.demo

import android.app.Activity
import android.app.AlertDialog
import android.os.Bundle
import android.text.format.Formatter
import android.view.View
import android.widget.TextView
import android.widget.Toast

/** What the app runs on and how fast it is, and the button that forgets the user. */
public class DiagnosticsActivity : Activity() {
    private val app by lazy { application as DemoApplication }
    private val latest by lazy { Latest(app.worker, app.screen) }

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        setContentView(R.layout.diagnostics)
        findViewById<View>(R.id.erase).setOnClickListener { ask() }
        refresh()
    }

    override fun onDestroy() {
        latest.cancel()
        super.onDestroy()
    }

    private fun refresh() {
        val words = Words(resources)
        latest.ask({ describe(app.films.facts()) }) { answer ->
            findViewById<TextView>(R.id.facts).text = answer.getOrElse { words.failed(it).sentence }
        }
    }

    private fun ask() {
        AlertDialog.Builder(this)
            .setMessage(R.string.erase_question)
            .setNegativeButton(R.string.erase_no, null)
            .setPositiveButton(R.string.erase_yes) { _, _ -> erase() }
            .show()
    }

    private fun erase() {
        val words = Words(resources)
        latest.ask({ app.films.erase() }) { answer ->
            val said = answer.fold({ getString(R.string.erased) }, { words.failed(it).sentence })
            Toast.makeText(this, said, Toast.LENGTH_LONG).show()
            refresh()
        }
    }

    private fun describe(facts: Films.Facts): String {
        val size = Formatter.formatFileSize(this, facts.packageBytes.toLong())
        val about = getString(R.string.facts, facts.id, size, facts.items, facts.engine, facts.events, facts.profileBytes)
        val calls = facts.timings.map { getString(R.string.calls, getString(NAMES.getValue(it.kind)), it.typicalMs, it.slowMs, it.count) }
        return (listOf(about, "", getString(R.string.last_calls)) + calls.ifEmpty { listOf(getString(R.string.no_calls)) }).joinToString("\n")
    }

    private companion object {
        val NAMES = mapOf(
            Films.RECOMMEND to R.string.verb_recommend,
            Films.SEARCH to R.string.verb_search,
            Films.SIMILAR to R.string.verb_similar,
        )
    }
}
