package dev.pocketrec.engine

import dev.pocketrec.EngineException
import dev.pocketrec.file.DenseTable
import dev.pocketrec.file.Manifest
import dev.pocketrec.file.NumberArray
import dev.pocketrec.file.PackageFile

/**
 * Ranks straight from the mapped tables, in Kotlin alone: no native code, no copy of a table.
 *
 * It mirrors `runtime/pocketrec/engine_numpy.py`, the readable specification: equal ids, and scores equal to the last bit
 * but for the rounding of the fold-in, which differs once in some ten thousand calls.
 */
public class RawEngine public constructor(file: PackageFile) : Engine {
    override val name: String = "raw"
    private val signals = file.manifest.signals
    private val blockSize = mapOf("neighbours" to signals.neighbours?.block, "lexical" to signals.lexical?.block)

    // Read once a call: a close in between lets the call keep all that it began with.
    @Volatile
    private var opened: Tables? = Tables(file)

    private class Tables(file: PackageFile) {
        val dense: Map<String, DenseTable> =
            listOf("factors", "text", "attributes", "tokens").filter { file.has("$it/value") }.associateWith(file::dense)
        val arrays: Map<String, NumberArray> =
            listOf("neighbours/index", "neighbours/value", "lexical/index", "lexical/value", "popularity/value", "boost/value")
                .filter(file::has).associateWith(file::array)
    }

    override fun encode(tokenIds: IntArray): FloatArray {
        val tokens = tables().dense["tokens"] ?: throw EngineException("this package has no text encoder, so it cannot search by text")
        // Row by row in float32; the norm in float64, in order.
        val total = FloatArray(tokens.dim)
        val row = FloatArray(tokens.dim)
        for (id in tokenIds) {
            if (id !in 0 until tokens.rows) throw EngineException("token $id of a table of ${tokens.rows}")
            tokens.row(id, row, 0)
            for (d in total.indices) total[d] += row[d]
        }
        var square = 0.0
        for (x in total) square += x.toDouble() * x.toDouble()
        val norm = Math.sqrt(square)
        return if (norm > 0) FloatArray(total.size) { (total[it].toDouble() / norm).toFloat() } else total
    }

    override fun rank(task: RankerInput): RankerOutput {
        val tables = tables()
        val items = task.mask.size
        val score = FloatArray(items)
        val parts = signals.names.mapIndexed { s, signal ->
            val part = signal(signal, task, tables, items)
            if (part != null) {
                for (i in 0 until items) {
                    part[i] *= task.weights[s]
                    score[i] += part[i]
                }
            }
            part
        }
        val index = Best.of(score, task.mask, task.n)
        return RankerOutput(
            index,
            FloatArray(index.size) { score[index[it]] },
            Array(parts.size) { s -> FloatArray(index.size) { parts[s]?.get(index[it]) ?: 0f } },
        )
    }

    /** One signal before its weight, in an array of its own; null where its input is missing and it gives nothing. */
    private fun signal(signal: String, task: RankerInput, tables: Tables, items: Int): FloatArray? = when {
        signal in Manifest.PRIORS -> tables.arrays.getValue("$signal/value").floats()
        signal == "semantic" -> if (task.query.isEmpty()) null else dot(task.query, tables.dense.getValue("text"))
        signal == "neighbours" ->
            if (task.blockIndex.isEmpty()) null else FloatArray(items).also { scatter(signal, task.blockIndex, task.blockWeight, tables, it) }
        signal == "lexical" -> lexical(task, tables, items)
        task.historyIndex.isEmpty() -> null
        signal == "factors" -> {
            val table = tables.dense.getValue("factors")
            val settings = signals.factors!!
            dot(FoldIn.factors(table, task.historyIndex, task.historyWeight, settings.alpha, settings.steps), table)
        }
        else -> {
            val table = tables.dense.getValue(Manifest.PROFILES.getValue(signal))
            dot(FoldIn.weightedSum(table, task.historyIndex, task.historyWeight), table)
        }
    }

    private fun dot(vector: FloatArray, table: DenseTable): FloatArray = QuantizedQuery(vector).dot(table)

    /** Sum over the blocks of the query's words of weight * value; then what its titles get. */
    private fun lexical(task: RankerInput, tables: Tables, items: Int): FloatArray? {
        if (task.lexicalIndex.isEmpty() && task.titleIndex.isEmpty()) return null
        val out = FloatArray(items)
        scatter("lexical", task.lexicalIndex, task.lexicalWeight, tables, out)
        for (at in task.titleIndex.indices) out[task.titleIndex[at]] += task.titleWeight[at]
        return out
    }

    /** Adds weight * value to the targets of some blocks, one after another. */
    private fun scatter(table: String, blocks: IntArray, weight: FloatArray, tables: Tables, out: FloatArray) {
        val index = tables.arrays.getValue("$table/index")
        val value = tables.arrays.getValue("$table/value").bytes
        val size = blockSize.getValue(table)!!
        for (place in blocks.indices) {
            val first = blocks[place] * size
            for (at in first until first + size) out[index.int(at)] += value.get(at) * weight[place]
        }
    }

    override fun close() {
        opened = null
    }

    private fun tables(): Tables = opened ?: throw EngineException("the engine was closed")
}
