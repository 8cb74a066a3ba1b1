package dev.pocketrec.ort

import ai.onnxruntime.OnnxJavaType
import ai.onnxruntime.OnnxTensor
import ai.onnxruntime.OrtEnvironment
import ai.onnxruntime.OrtLoggingLevel
import dev.pocketrec.EngineException
import dev.pocketrec.PackageException
import dev.pocketrec.engine.Engine
import dev.pocketrec.engine.RankerInput
import dev.pocketrec.engine.RankerOutput
import dev.pocketrec.file.Manifest
import dev.pocketrec.file.PackageFile
import java.nio.ByteBuffer
import java.nio.FloatBuffer
import java.nio.LongBuffer
import java.util.concurrent.locks.ReentrantReadWriteLock
import kotlin.concurrent.read
import kotlin.concurrent.write

/**
 * ONNX Runtime over the package's own graphs and memory: the fastest engine where native code is welcome.
 *
 * @param file an open package; the engine reads its tables in place.
 * @param threads within one call.
 * @throws EngineException the package has no ONNX graph, or ONNX Runtime is older or newer than it may be.
 * @throws PackageException a graph of the package is not one that we would run.
 */
public class OrtEngine @JvmOverloads constructor(file: PackageFile, threads: Int = 1) : Engine {
    override val name: String = "onnx"

    private val manifest = file.manifest
    private val environment = quietEnvironment()
    private val inputs: Map<String, List<Long>> = rankerShapes(file)
    private val ranker: Graph?
    private val encoder: Graph?
    private val running = ReentrantReadWriteLock()
    private var open = true // guarded by running

    init {
        val graphs = manifest.onnx ?: throw EngineException("this package holds no ONNX graph; open it with the raw engine")
        checkVersion(environment.version, graphs.minOnnxruntime)
        ranker = graphs.ranker?.let { Graph(file, environment, it, inputs, listOf("index", "score", "signals"), threads) }
        encoder = try {
            val shapes = mapOf("token_ids" to listOf((manifest.encoder?.maxTokens ?: 0).toLong()))
            graphs.encoder?.let { Graph(file, environment, it, shapes, listOf("vector"), threads) }
        } catch (error: RuntimeException) {
            ranker?.close()
            throw error
        }
    }

    override fun encode(tokenIds: IntArray): FloatArray = whileOpen {
        val graph = encoder ?: throw EngineException("this package has no text encoder, so it cannot search by text")
        graph.run(mapOf("token_ids" to longs(tokenIds))) { (vector) -> floats(vector) }
    }

    override fun rank(task: RankerInput): RankerOutput = whileOpen {
        val graph = ranker ?: throw EngineException("this package has no items to rank; it labels texts: classify")
        graph.run(inputs.keys.associateWith { feed(it, task) }) { (index, score, signals) ->
            val found = LongArray(index.info.numElements.toInt()).also { index.longBuffer.get(it) }
            val rows = task.weights.size
            val shapes = listOf(found.size, score.info.numElements.toInt(), signals.info.numElements.toInt())
            if (shapes != listOf(task.n, task.n, rows * task.n)) throw EngineException("the graph answers with sizes $shapes for ${task.n} items")
            if (found.any { it !in task.mask.indices }) {
                throw EngineException("the graph answers with items outside the catalogue of ${task.mask.size}")
            }
            val parts = floats(signals)
            RankerOutput(
                IntArray(task.n) { found[it].toInt() },
                floats(score),
                Array(rows) { parts.copyOfRange(it * task.n, (it + 1) * task.n) },
            )
        }
    }

    /** Waits for running calls, then lets go of the package's memory. */
    override fun close(): Unit = running.write {
        if (open) {
            open = false
            ranker?.close()
            encoder?.close()
        }
    }

    private fun <T> whileOpen(call: () -> T): T = running.read {
        if (!open) throw EngineException("the engine was closed")
        call()
    }

    private fun feed(name: String, task: RankerInput): OnnxTensor = when (name) {
        "history_index" -> longs(task.historyIndex)
        "history_weight" -> floats(task.historyWeight)
        "block_index" -> longs(task.blockIndex)
        "block_weight" -> floats(task.blockWeight)
        "query" -> inputs.getValue("query")[1].let { floats(task.query, task.query.size / it, it) }
        "lexical_index" -> longs(task.lexicalIndex)
        "lexical_weight" -> floats(task.lexicalWeight)
        "title_index" -> longs(task.titleIndex)
        "title_weight" -> floats(task.titleWeight)
        "mask" -> booleans(task.mask)
        "weights" -> floats(task.weights)
        else -> longs(intArrayOf(task.n))
    }

    private fun longs(values: IntArray): OnnxTensor =
        OnnxTensor.createTensor(environment, LongBuffer.wrap(LongArray(values.size) { values[it].toLong() }), longArrayOf(values.size.toLong()))

    private fun floats(values: FloatArray, vararg shape: Long = longArrayOf(values.size.toLong())): OnnxTensor =
        OnnxTensor.createTensor(environment, FloatBuffer.wrap(values), shape)

    private fun floats(tensor: OnnxTensor): FloatArray = FloatArray(tensor.info.numElements.toInt()).also { tensor.floatBuffer.get(it) }

    private fun booleans(values: BooleanArray): OnnxTensor {
        val bytes = ByteArray(values.size) { if (values[it]) 1 else 0 }
        return OnnxTensor.createTensor(environment, ByteBuffer.wrap(bytes), longArrayOf(values.size.toLong()), OnnxJavaType.BOOL)
    }

    internal companion object {
        /** From this version on the official builds send telemetry (microsoft/onnxruntime PR 27379). */
        private val TELEMETRY_FROM = listOf(1, 29)
        private const val MAX_TITLES = 32L

        private val INPUTS = mapOf(
            "factors" to listOf("history_index", "history_weight"),
            "neighbours" to listOf("block_index", "block_weight"),
            "content" to listOf("history_index", "history_weight"),
            "attributes" to listOf("history_index", "history_weight"),
            "semantic" to listOf("query"),
            "lexical" to listOf("lexical_index", "lexical_weight", "title_index", "title_weight"),
            "popularity" to emptyList(),
            "boost" to emptyList(),
        )

        /** ONNX Runtime, which logs nothing and sends nothing. */
        private fun quietEnvironment(): OrtEnvironment = try {
            OrtEnvironment.getEnvironment(OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL, "pocketrec").also { it.setTelemetry(false) }
        } catch (error: LinkageError) {
            throw unloadable(error)
        } catch (error: IllegalStateException) { // ai.onnxruntime wraps some of them in it
            throw unloadable(error)
        }

        private fun unloadable(error: Throwable) = EngineException(
            "the native library of onnxruntime does not load (${error.message}); is this ABI in the app? The raw engine needs none",
            error,
        )

        /** @throws EngineException a version that the package, or what we promise, does not allow. */
        fun checkVersion(found: String, floor: String) {
            val version = numbers(found)
            if (less(version, numbers(floor))) throw EngineException("this package needs onnxruntime $floor or newer, found $found; raise the dependency")
            if (!less(version, TELEMETRY_FROM)) {
                throw EngineException(
                    "onnxruntime $found is refused: from 1.29 its official builds send telemetry, and nothing may leave this device; depend on an older one",
                )
            }
        }

        /** The leading numbers of a version: "1.28.0+cpu" gives 1, 28, 0. */
        private fun numbers(version: String): List<Int> =
            version.substringBefore('+').split('.').map { it.takeWhile(Char::isDigit) }.takeWhile { it.isNotEmpty() }.map { it.toIntOrNull() ?: Int.MAX_VALUE }

        private fun less(a: List<Int>, b: List<Int>): Boolean {
            for ((left, right) in a.zip(b)) if (left != right) return left < right
            return a.size < b.size
        }

        /** The largest shape of each input that the ranker of this package takes. */
        fun rankerShapes(file: PackageFile): Map<String, List<Long>> {
            val manifest: Manifest = file.manifest
            val signals = manifest.signals
            val wanted = signals.names.flatMap { INPUTS.getValue(it) }.toSet()
            val history = manifest.history.maxItems.toLong()
            val blocks = signals.neighbours?.let { minOf(it.budget, file.array("neighbours/index").rows.toLong()) } ?: 0
            val words = signals.lexical?.let { minOf(it.budget, file.array("lexical/index").rows.toLong()) } ?: 0
            return linkedMapOf(
                "history_index" to listOf(history),
                "history_weight" to listOf(history),
                "block_index" to listOf(blocks),
                "block_weight" to listOf(blocks),
                "query" to listOf(1L, file.textDim.toLong()),
                "lexical_index" to listOf(words),
                "lexical_weight" to listOf(words),
                "title_index" to listOf(MAX_TITLES),
                "title_weight" to listOf(MAX_TITLES),
                "mask" to listOf(manifest.catalogue.items.toLong()),
                "weights" to listOf(signals.names.size.toLong()),
                "n" to listOf(1L),
            ).filterKeys { it in wanted || it in ALWAYS }
        }

        private val ALWAYS = setOf("mask", "weights", "n")
    }
}
