package dev.pocketrec.file

import java.util.Collections

/** One entry of the file; [dtype] and [shape] describe arrays only. */
public class Entry internal constructor(
    public val name: String,
    public val role: String,
    public val size: Long,
    public val sha256: String,
    internal val dtype: DType? = null,
    internal val shape: LongArray = LongArray(0),
)

/**
 * A typed column of the catalogue.
 *
 * @property name what filters call it.
 * @property kind `category`, `number`, `boolean` or `date`.
 * @property prefix how the names of its arrays begin.
 * @property values how many different names a category knows, 0 for other kinds.
 */
public class AttributeInfo internal constructor(
    public val name: String,
    public val kind: String,
    public val prefix: String,
    public val values: Int,
)

/** How many items there are, their attributes, and a hash that changes when the ids do. */
public class CatalogueInfo internal constructor(
    public val items: Int,
    public val attributes: List<AttributeInfo>,
    public val fingerprint: String,
)

/** A longer history is cut to [maxItems], a larger weight clipped to [maxWeight]. */
public class HistoryLimits internal constructor(public val maxItems: Int, public val maxWeight: Double)

/** Fold-in of the factor signal: [steps] of conjugate gradients at confidence `alpha * |c|`. */
public class FactorSettings internal constructor(public val dim: Int, public val alpha: Double, public val steps: Int)

/** Sparse blocks of [block] entries; one call reads at most [budget] of them. */
public class NeighbourSettings internal constructor(public val block: Int, public val budget: Long)

/** Words by [analyzer]; sparse blocks of [block] entries, at most [budget] a call; [title] for a title. */
public class LexicalSettings internal constructor(
    public val analyzer: String,
    public val block: Int,
    public val budget: Long,
    public val title: Double,
)

/**
 * The settings of each signal the package has.
 *
 * @property names the signals present, in the order in which their contributions are added.
 * @property content width of the item text vectors, null without the signal; so are [semantic] and [attributes].
 */
public class Signals internal constructor(
    public val names: List<String>,
    public val factors: FactorSettings?,
    public val neighbours: NeighbourSettings?,
    public val content: Int?,
    public val attributes: Int?,
    public val semantic: Int?,
    public val lexical: LexicalSettings?,
)

/** A signal counts `weight * size^-power`; the size is sum |c|, or that of the query's words. */
public class BlendTerm internal constructor(public val weight: Double, public val power: Double)

/** The text encoder that runs on the device; [bits] of a code of its table of tokens. */
public class Encoder internal constructor(
    public val kind: String,
    public val tokenizer: String,
    public val dim: Int,
    public val bits: Int,
    public val maxTokens: Int,
    public val unknown: String,
    public val teacher: String,
    public val teacherSha256: String,
    public val fingerprint: String,
)

/** Prediction of ratings: width of the item vectors, scale, mean, and damping of a user's fold-in. */
public class RatingSettings internal constructor(
    public val dim: Int,
    public val low: Double,
    public val high: Double,
    public val mean: Double,
    public val regularization: Double,
    public val biasRegularization: Double,
)

/**
 * How new texts are placed among the items.
 *
 * @property anchors they are compared with so many items, the first of the catalogue.
 * @property near how many of these count.
 * @property power of the likeness, in their weights.
 * @property tokens pieces of a text that are read.
 * @property factors what its factors are multiplied with.
 * @property neighbours what the mean of the near items' neighbours is multiplied with.
 */
public class ColdInfo internal constructor(
    public val anchors: Int,
    public val near: Int = 40,
    public val power: Double = 4.0,
    public val tokens: Int = 40,
    public val factors: Double = 1.0,
    public val neighbours: Double = 1.0,
)

/**
 * How sure an answer is, fitted at export.
 *
 * @property answers how many different ones there are.
 * @property pool items of a search that are looked at.
 * @property bias of the confidence.
 * @property score what the best answer's score counts.
 * @property margin what its distance to the second answer counts.
 * @property threshold confidence below which there is no answer.
 */
public class AnswerSettings internal constructor(
    public val answers: Int,
    public val pool: Int,
    public val bias: Double,
    public val score: Double,
    public val margin: Double,
    public val threshold: Double,
)

/**
 * One label column of a package that classifies texts.
 *
 * @property name of the column, as `sentiment`.
 * @property prefix how the names of its arrays begin.
 * @property labels how many there are, at least 2.
 */
public class HeadInfo internal constructor(public val name: String, public val prefix: String, public val labels: Int)

/** Entry names of the ONNX graphs, and the oldest ONNX Runtime they were tested on; no ranker without items. */
public class OnnxGraphs internal constructor(
    public val ranker: String?,
    public val encoder: String?,
    public val minOnnxruntime: String,
)

/** All of `manifest.json` that a device needs. */
public class Manifest internal constructor(
    public val name: String,
    public val generator: String,
    public val entries: List<Entry>,
    public val catalogue: CatalogueInfo,
    public val history: HistoryLimits,
    public val signals: Signals,
    public val blend: Map<String, Map<String, BlendTerm>>,
    public val encoder: Encoder?,
    public val ratings: RatingSettings?,
    public val cold: ColdInfo?,
    public val heads: List<HeadInfo>,
    public val answers: AnswerSettings?,
    public val onnx: OnnxGraphs?,
    public val license: String,
    public val attribution: String,
) {
    public companion object {
        public const val FORMAT: Int = 1

        /** All signals, in the order in which their contributions are added. */
        @JvmField
        public val SIGNALS: List<String> = fixed("factors", "neighbours", "content", "attributes", "semantic", "lexical", "popularity", "boost")

        /** The signals that depend on the history, so that their weight may have a power of its size. */
        internal val HISTORY_SIGNALS = fixed("factors", "neighbours", "content", "attributes")

        /** The signals that are one number for each item, whoever asks. */
        internal val PRIORS = fixed("popularity", "boost")

        /** Signals that compare an item's row of a table with the weighted sum of the history's rows, and that table. */
        internal val PROFILES = mapOf("content" to "text", "attributes" to "attributes")
        internal val MODES = fixed("recommend", "search", "similar")

        private fun fixed(vararg names: String): List<String> = Collections.unmodifiableList(names.toList())
    }
}
