package dev.pocketrec.demo

import android.app.Activity
import android.content.Intent
import android.os.Bundle
import android.text.Editable
import android.text.TextWatcher
import android.view.View
import android.widget.EditText
import android.widget.Switch

/** Recommendations with their reasons, or, once something is typed, what it finds. */
public class MainActivity : Activity() {
    private lateinit var list: ListPart
    private lateinit var query: EditText
    private lateinit var diversity: Switch
    private val latest by lazy { (application as DemoApplication).let { Latest(it.worker, it.screen) } }

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        setContentView(R.layout.main)
        query = findViewById(R.id.query)
        diversity = findViewById(R.id.diversity)
        list = ListPart(findViewById(R.id.screen)) { startActivity(ItemActivity.intent(this, it)) }
        list.show(ListState.Working)
        query.addTextChangedListener(OnText { refresh() })
        diversity.setOnCheckedChangeListener { _, _ -> refresh() }
        findViewById<View>(R.id.diagnostics).setOnClickListener { startActivity(Intent(this, DiagnosticsActivity::class.java)) }
    }

    /** Also after another screen, where something may have been liked or erased. */
    override fun onResume() {
        super.onResume()
        refresh()
    }

    override fun onDestroy() {
        latest.cancel()
        super.onDestroy()
    }

    private fun refresh() {
        val app = application as DemoApplication
        val words = Words(resources)
        val text = query.text.toString()
        val variety = if (diversity.isChecked) DIVERSITY else 0.0
        latest.ask({
            val films = app.films
            if (text.isBlank()) words.recommended(films.recommend(variety), films.personal) else words.found(films.search(text, variety))
        }) { list.show(it.getOrElse(words::failed)) }
    }

    private class OnText(private val changed: () -> Unit) : TextWatcher {
        override fun beforeTextChanged(text: CharSequence, start: Int, count: Int, after: Int): Unit = Unit

        override fun onTextChanged(text: CharSequence, start: Int, before: Int, count: Int): Unit = Unit

        override fun afterTextChanged(text: Editable): Unit = changed()
    }

    private companion object {
        /** A good start, see the project's page on display. */
        const val DIVERSITY = 0.5
    }
}
