package dev.pocketrec.rank

import dev.pocketrec.Display
import dev.pocketrec.engine.RankerInput
import dev.pocketrec.file.PackageFile
import dev.pocketrec.history.Blocks
import dev.pocketrec.history.Resolved
import dev.pocketrec.text.Matches
import dev.pocketrec.text.WordInput

/**
 * A text as the encoder and the word table read it.
 *
 * @property tokens at most as many as the package reads; none without an encoder.
 * @property matches what its words find; null without a word table.
 * @property truncated whether some of it was cut off.
 */
internal class Query(val tokens: IntArray, val matches: Matches?, val truncated: Boolean) {
    /** Whether there is nothing to rank by. */
    val isEmpty: Boolean get() = tokens.isEmpty() && (matches == null || matches.isEmpty)
}

/**
 * What one call ranks.
 *
 * @property mode `recommend`, `search` or `similar`: which blend of the package counts.
 * @property history what is known of the user.
 * @property query the text searched for, or null.
 * @property mask what may be in the list.
 * @property k how many.
 * @property weights signal to weight, in place of the package's own.
 * @property explain also work out the reasons.
 * @property display what the list should look like.
 * @property before what earlier pages showed, in order; not in [mask].
 * @property view the items that indices mean.
 */
internal class Task(
    val mode: String,
    val history: Resolved,
    val query: Query?,
    val mask: BooleanArray,
    val k: Int,
    val weights: Map<String, Double>,
    val explain: Boolean,
    val display: Display,
    val before: IntArray,
    val view: View,
)

/**
 * A task with all that its rankings share, whatever their length.
 *
 * @property mask of the task, without what no word leads to where nothing else tells items apart.
 * @property blocks neighbour blocks of the history.
 * @property vector of the query; empty without one.
 * @property words lexical blocks and titles of the query.
 * @property weights as the engine reads them.
 * @property eligible how many items may be in the list.
 * @property truncated whether anything was cut to the package's limits.
 */
internal class Call(
    val task: Task,
    val mask: BooleanArray,
    val blocks: Blocks,
    val vector: FloatArray,
    val words: WordInput,
    val weights: FloatArray,
    val truncated: Boolean,
) {
    val eligible: Int = mask.count { it }

    /** How many of them are the package's own. */
    val eligibleOwn: Int get() = (0 until task.view.own).count { mask[it] }

    /** The power of the words in this call's blend. */
    fun lexicalPower(file: PackageFile): Double = file.manifest.blend.getValue(task.mode)["lexical"]?.power ?: 0.0

    /** The call as the engine reads it. */
    fun input(n: Int): RankerInput = RankerInput(
        task.history.index, task.history.weight, blocks.index, blocks.weight, vector, words.blocks.index, words.blocks.weight,
        words.titleIndex, words.titleWeight, mask.copyOf(task.view.own), weights, n,
    )
}
