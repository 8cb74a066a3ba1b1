package dev.pocketrec.engine

import dev.pocketrec.EngineException

/**
 * One ranking problem, prepared by the host (H history, NB and WB blocks, D text, E titles, I items, S signals).
 *
 * @property historyIndex H distinct item indices in order of first appearance; H may be 0.
 * @property historyWeight H weights, finite, never 0.
 * @property blockIndex NB rows of `neighbours/index` that belong to the history; NB may be 0.
 * @property blockWeight NB, the weight of the block's history item times the scale of its row.
 * @property query D numbers, or none where there is no text to search for.
 * @property lexicalIndex WB rows of `lexical/index` that belong to the query's words; WB may be 0.
 * @property lexicalWeight WB, the weight of the block's word times the scale of its row.
 * @property titleIndex E items whose title the query is; E may be 0.
 * @property titleWeight E, what the lexical signal adds for it.
 * @property mask I, true where an item may be returned.
 * @property weights S, the blend, one for each signal that the package holds.
 * @property n how many items to return, at least 1 and at most the number of true in [mask].
 */
public class RankerInput internal constructor(
    @JvmField public val historyIndex: IntArray,
    @JvmField public val historyWeight: FloatArray,
    @JvmField public val blockIndex: IntArray,
    @JvmField public val blockWeight: FloatArray,
    @JvmField public val query: FloatArray,
    @JvmField public val lexicalIndex: IntArray,
    @JvmField public val lexicalWeight: FloatArray,
    @JvmField public val titleIndex: IntArray,
    @JvmField public val titleWeight: FloatArray,
    @JvmField public val mask: BooleanArray,
    @JvmField public val weights: FloatArray,
    @JvmField public val n: Int,
)

/**
 * The n best items.
 *
 * @property index n item indices.
 * @property score n scores, not increasing, ties by lower index: the float32 sums of [signals], added in their order.
 * @property signals S rows of n contributions.
 */
public class RankerOutput public constructor(
    @JvmField public val index: IntArray,
    @JvmField public val score: FloatArray,
    @JvmField public val signals: Array<FloatArray>,
)

/** Encodes token ids and ranks the catalogue of one package. Calls from several threads at once are fine until [close]. */
public interface Engine : AutoCloseable {
    /** What diagnostics call it. */
    public val name: String

    /**
     * The unit vector of a text, D numbers; all zero when there is no token.
     *
     * @throws EngineException the package has no encoder, or the engine failed.
     */
    public fun encode(tokenIds: IntArray): FloatArray

    /**
     * The best [RankerInput.n] eligible items with each signal's contribution.
     *
     * @throws EngineException the engine failed.
     */
    public fun rank(task: RankerInput): RankerOutput

    /** Let go of the package's memory; calls that are running finish undisturbed. */
    override fun close()
}
