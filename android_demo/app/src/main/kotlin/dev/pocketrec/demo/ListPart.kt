package dev.pocketrec.demo

import android.content.Context
import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.BaseAdapter
import android.widget.ListView
import android.widget.TextView

/** The part of a screen that list.xml describes: shows a [ListState], and says which film was touched. */
internal class ListPart(screen: View, private val open: (Row) -> Unit) {
    private val heading: TextView = screen.findViewById(R.id.heading)
    private val note: TextView = screen.findViewById(R.id.note)
    private val items: ListView = screen.findViewById(R.id.items)
    private val rows = RowAdapter(screen.context)

    init {
        items.adapter = rows
        items.setOnItemClickListener { _, _, position, _ -> open(rows.getItem(position)) }
    }

    fun show(state: ListState) {
        heading.text = (state as? ListState.Rows)?.heading.orEmpty()
        note.text = when (state) {
            is ListState.Working -> note.context.getString(R.string.working)
            is ListState.Empty -> state.sentence
            is ListState.Failed -> state.sentence
            is ListState.Rows -> ""
        }
        note.visibility = if (state is ListState.Rows) View.GONE else View.VISIBLE
        if (rows.show((state as? ListState.Rows)?.rows.orEmpty())) items.setSelection(0)
    }
}

private class RowAdapter(private val context: Context) : BaseAdapter() {
    private var rows = emptyList<Row>()

    /** Whether these are other rows than before; the same ones stay where the user scrolled them to. */
    fun show(rows: List<Row>): Boolean {
        if (rows == this.rows) return false
        this.rows = rows
        notifyDataSetChanged()
        return true
    }

    override fun getCount(): Int = rows.size

    override fun getItem(position: Int): Row = rows[position]

    override fun getItemId(position: Int): Long = position.toLong()

    override fun getView(position: Int, old: View?, parent: ViewGroup): View {
        val view = old ?: LayoutInflater.from(context).inflate(R.layout.row, parent, false)
        val why: TextView = view.findViewById(R.id.why)
        view.findViewById<TextView>(R.id.title).text = rows[position].title
        why.text = rows[position].why
        why.visibility = if (rows[position].why.isEmpty()) View.GONE else View.VISIBLE
        return view
    }
}
