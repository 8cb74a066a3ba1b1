package dev.pocketrec.demo

import android.app.Activity
import android.content.Context
import android.content.Intent
import android.os.Bundle
import android.widget.TextView
import android.widget.ToggleButton
import dev.pocketrec.demo.Films.Opinion
import java.util.concurrent.ExecutionException
import java.util.concurrent.FutureTask

/** One film: what is known of it, whether the user likes it, and what is similar. */
public class ItemActivity : Activity() {
    private lateinit var list: ListPart
    private lateinit var like: ToggleButton
    private lateinit var dislike: ToggleButton
    private val id by lazy { intent.getStringExtra(ID).orEmpty() }
    private val app by lazy { application as DemoApplication }
    private val latest by lazy { Latest(app.worker, app.screen) }

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        setContentView(R.layout.item)
        val name = intent.getStringExtra(TITLE).orEmpty()
        title = name
        findViewById<TextView>(R.id.title).text = name
        like = button(R.id.like, R.string.like_item, name, Opinion.LIKE)
        dislike = button(R.id.dislike, R.string.dislike_item, name, Opinion.DISLIKE)
        list = ListPart(findViewById(R.id.screen)) { startActivity(intent(this, it)) }
        list.show(ListState.Working)
    }

    override fun onResume() {
        super.onResume()
        refresh(say = null)
    }

    override fun onDestroy() {
        latest.cancel()
        super.onDestroy()
    }

    private fun button(view: Int, description: Int, name: String, opinion: Opinion): ToggleButton {
        val button: ToggleButton = findViewById(view)
        button.contentDescription = getString(description, name)
        button.setOnClickListener { refresh(say = if (button.isChecked) opinion else Opinion.NONE) }
        return button
    }

    /** Note what the user says of the film, if anything, and show what is known now. */
    private fun refresh(say: Opinion?) {
        val words = Words(resources)
        // A task of its own, for it must not be overtaken; the one thread is through with it before the next begins.
        val saved = say?.let { FutureTask { app.films.say(id, it) } }?.also(app.worker::execute)
        latest.ask({
            val films = app.films
            val failure = try {
                saved?.get().let { null }
            } catch (error: ExecutionException) {
                error.cause
            }
            Shown(films.details(id), films.opinion(id), failure?.let(words::failed) ?: words.similar(films.similar(id)))
        }) { answer -> show(answer.getOrElse { Shown("", Opinion.NONE, words.failed(it)) }) }
    }

    private fun show(shown: Shown) {
        findViewById<TextView>(R.id.details).text = shown.details
        like.isChecked = shown.opinion == Opinion.LIKE
        dislike.isChecked = shown.opinion == Opinion.DISLIKE
        list.show(shown.similar)
    }

    private class Shown(val details: String, val opinion: Opinion, val similar: ListState)

    internal companion object {
        private const val ID = "id"
        private const val TITLE = "title"

        fun intent(context: Context, row: Row): Intent =
            Intent(context, ItemActivity::class.java).putExtra(ID, row.id).putExtra(TITLE, row.title)
    }
}
