package dev.pocketrec.demo

/** What a list shows; each case has its own look, so that no screen is ever blank without a word. */
internal sealed interface ListState {
    /** The first answer is on its way. Later ones replace the old list at once, without this in between. */
    data object Working : ListState

    /** @property heading what the rows are; @property rows at least one. */
    data class Rows(val heading: String, val rows: List<Row>) : ListState

    /** Nothing to show, and that is fine: the sentence says why. */
    data class Empty(val sentence: String) : ListState

    /** Something is wrong: the sentence says what, for someone who can act on it. */
    data class Failed(val sentence: String) : ListState
}

/** One film. @property why the reasons in words, or "". */
internal data class Row(val id: String, val title: String, val why: String)
