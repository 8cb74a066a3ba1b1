package dev.pocketrec.added

import dev.pocketrec.engine.Engine
import dev.pocketrec.file.ColdInfo
import dev.pocketrec.file.PackageFile
import dev.pocketrec.text.Tokenizer

/**
 * Where a text stands among the items of a package: the warm items that it is most like, and factors for it.
 *
 * A new text is encoded by the package's own encoder, its first `tokens` pieces. It is like an anchor, one of the first
 * items of the catalogue, by the cosine of their vectors, each without the mean of its kind, plus the cosine of their
 * words' impacts where the package has a word table. The `near` anchors that it is most like get weights alike^power that
 * sum to 1. Its factors are `factors` / 2 times the sum of two guesses: (vector, 1) times `cold/factors`, and the weighted
 * mean of the near anchors' factors. Threads may share it.
 */
internal class Placer(
    private val file: PackageFile,
    private val engine: Engine,
    private val tokenizer: Tokenizer,
    private val words: WordLikeness?,
) {
    private val manifest = file.manifest
    val info: ColdInfo = manifest.cold ?: ColdInfo(minOf(manifest.catalogue.items, MAX_ANCHORS))
    private val dim = file.textDim
    private val centers by lazy { if (file.has("cold/center")) file.array("cold/center").floats() else FloatArray(2 * dim) }

    /** Anchors x [dim], without their mean, of unit length; zero for an item without text. */
    private val anchors by lazy {
        FloatArray(info.anchors * dim).also { rows ->
            val table = file.dense("text")
            val row = FloatArray(dim)
            for (anchor in 0 until info.anchors) {
                table.row(anchor, row, 0)
                centered(row, centers, dim).copyInto(rows, anchor * dim)
            }
        }
    }

    /** The unit vector of an item's text; zero where it holds no word. */
    fun encode(text: String): FloatArray {
        val tokens = tokenizer.tokenize(text, minOf(info.tokens, manifest.encoder?.maxTokens ?: 0))
        return if (tokens.isEmpty()) FloatArray(dim) else engine.encode(tokens)
    }

    /** The anchors that a text of this [vector] is most like. */
    fun near(vector: FloatArray, text: String): Near {
        val said = centered(vector, centers, 0)
        val alike = words?.of(text, info.anchors) ?: FloatArray(info.anchors)
        for (anchor in alike.indices) alike[anchor] += Products.of(said, 0, anchors, anchor * dim, dim).toFloat()
        return Near.of(alike, minOf(info.near, info.anchors), info.power)
    }

    /** Factors of a text; zero where it holds no word, or the package has none to guess by. */
    fun factors(vector: FloatArray, near: Near): FloatArray {
        val width = manifest.signals.factors?.dim ?: return FloatArray(0)
        if (!file.has("cold/factors")) return FloatArray(width)
        val sum = DoubleArray(width)
        if (vector.any { it != 0f }) {
            val matrix = file.array("cold/factors")
            for (d in 0..dim) for (w in 0 until width) sum[w] += (if (d < dim) vector[d] else 1f).toDouble() * matrix.float(d * width + w)
        }
        val rows = file.dense("factors").rows(near.index)
        for (k in near.index.indices) for (w in 0 until width) sum[w] += near.weight[k].toDouble() * rows[k * width + w]
        return FloatArray(width) { (info.factors / 2 * sum[it]).toFloat() }
    }

    private companion object {
        const val MAX_ANCHORS = 1 shl 20

        /** A row without a center, whose numbers begin at [from], of unit length; a zero row stays zero. */
        fun centered(row: FloatArray, centers: FloatArray, from: Int): FloatArray {
            if (row.all { it == 0f }) return FloatArray(row.size)
            val moved = FloatArray(row.size) { row[it] - centers[from + it] }
            val length = Math.sqrt(moved.sumOf { it.toDouble() * it }).toFloat()
            if (length > 0) for (d in moved.indices) moved[d] /= length
            return moved
        }
    }
}
