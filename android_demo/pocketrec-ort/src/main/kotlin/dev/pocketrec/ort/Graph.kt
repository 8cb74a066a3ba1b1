package dev.pocketrec.ort

import ai.onnxruntime.OnnxTensor
import ai.onnxruntime.OnnxTensorLike
import ai.onnxruntime.OrtEnvironment
import ai.onnxruntime.OrtException
import ai.onnxruntime.OrtLoggingLevel
import ai.onnxruntime.OrtSession
import ai.onnxruntime.OrtSession.SessionOptions
import dev.pocketrec.EngineException
import dev.pocketrec.PackageException
import dev.pocketrec.file.PackageFile

/**
 * One graph of a package, its bytes checked and its tables bound.
 *
 * ONNX Runtime is told of each table twice. `addExternalInitializers` is what satisfies the graph, but its tables are copied
 * when the session is made; `addInitializer` on the same name makes the session use our memory instead. It wants the
 * values to outlive the session, so they are kept beside it.
 */
internal class Graph(
    file: PackageFile,
    private val environment: OrtEnvironment,
    private val entry: String,
    private val inputs: Map<String, List<Long>>,
    private val outputs: List<String>,
    threads: Int,
) : AutoCloseable {
    private val tables = LinkedHashMap<String, OnnxTensor>()
    private val options = SessionOptions()
    private val session: OrtSession

    init {
        try {
            session = load(file, threads)
        } catch (error: OrtException) {
            release()
            throw EngineException("onnxruntime ${environment.version} cannot load $entry: ${error.message}", error)
        } catch (error: PackageException) {
            release()
            throw error
        }
        try {
            checkNames("inputs", inputs.keys, session.inputNames)
            checkNames("outputs", outputs, session.outputNames)
        } catch (error: PackageException) {
            close()
            throw error
        }
    }

    private fun load(file: PackageFile, threads: Int): OrtSession {
        val data = file.blob(entry)
        val source = Tables(file, environment)
        val expected = GraphGuard.check(data, source::has, inputs)
        val model = ByteArray(data.remaining()).also { data.duplicate().get(it) }
        for ((name, table) in expected) tables[name] = source.bind(name, table, model)
        options.setIntraOpNumThreads(threads)
        options.setInterOpNumThreads(1)
        options.setSessionLogLevel(OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL) // whatever goes wrong arrives as an exception
        // ALL is not faster here, and differs more between CPUs.
        options.setOptimizationLevel(SessionOptions.OptLevel.BASIC_OPT)
        if (tables.isNotEmpty()) options.addExternalInitializers(LinkedHashMap<String, OnnxTensorLike>(tables))
        for ((name, table) in tables) options.addInitializer(name, table)
        return environment.createSession(model, options)
    }

    /**
     * What [read] takes from the outputs, in the order in which they were named.
     *
     * @param feed every input; closed afterwards.
     * @throws EngineException ONNX Runtime failed.
     */
    fun <T> run(feed: Map<String, OnnxTensor>, read: (List<OnnxTensor>) -> T): T = try {
        session.run(feed, outputs.toSet()).use { result -> read(outputs.map { result.get(it).get() as OnnxTensor }) }
    } catch (error: OrtException) {
        throw EngineException("onnxruntime could not run the graph: ${error.message}", error)
    } finally {
        feed.values.forEach(OnnxTensor::close)
    }

    override fun close() {
        session.close()
        release()
    }

    private fun release() {
        options.close()
        tables.values.forEach(OnnxTensor::close)
    }

    private fun checkNames(what: String, expected: Collection<String>, found: Collection<String>) {
        if (expected.sorted() != found.sorted()) {
            throw PackageException("$entry: $what ${expected.joinToString()} were expected, found ${found.joinToString()}")
        }
    }
}
