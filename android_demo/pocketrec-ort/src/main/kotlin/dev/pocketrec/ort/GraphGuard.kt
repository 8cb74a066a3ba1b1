package dev.pocketrec.ort

import dev.pocketrec.PackageException
import java.nio.ByteBuffer

/** A table that a graph expects to be given; [typeAt] is where the graph's bytes say its data type. */
internal class ExternalTable(val dtype: String, val shape: List<Long>, val typeAt: Int) {
    fun fits(dtype: String, shape: List<Long>): Boolean = this.dtype == dtype && this.shape == shape

    override fun toString(): String = "$dtype$shape"
}

/**
 * Reads an ONNX model's bytes before ONNX Runtime does, and refuses all but the little that we write.
 *
 * A package is untrusted, and an ONNX file can name files to read, memory addresses, subgraphs and hundreds of operators.
 * Every field that is not listed here is refused, singular fields may come once, and external data may only be the word
 * `package` for a table that the engine binds itself. The same rules as in Python's `onnx_guard.py`.
 *
 * Source: onnx.proto (field numbers)
 */
internal class GraphGuard private constructor(private val allowed: (String) -> Boolean, private val inputs: Map<String, List<Long>>) {
    private val tables = LinkedHashMap<String, ExternalTable>()
    private val shapes = HashMap(inputs)
    private val constants = HashMap<String, List<Long>>()

    private fun check(data: ByteBuffer): Map<String, ExternalTable> {
        if (data.limit() > MAX_BYTES) throw refused("at most $MAX_BYTES bytes were expected, found ${data.limit()}")
        val model = Message(Span(data, 0, data.limit()), MODEL, "model")
        checkOpsets(model.spans("opset").map { Message(it, OPSET, "opset") })
        val graph = Message(model.one("graph").span!!, GRAPH, "graph")
        val count = graph.all("node").size
        if (count > MAX_NODES) throw refused("at most $MAX_NODES nodes were expected, found $count")
        val nodes = graph.spans("node").map(::node)
        for (tensor in graph.spans("initializer")) checkTensor(Message(tensor, TENSOR, "initializer"))
        for (node in nodes) if (node.operator in QUANTIZED) checkQuantized(node)
        val items = inputs["mask"]?.single() ?: 0
        GraphSizes.check(nodes, shapes, constants, limit = MAX_NUMBERS + MAX_NUMBERS_PER_ITEM * items)
        return tables
    }

    /** Other versions give operators other meanings than those that we check. */
    private fun checkOpsets(opsets: List<Message>) {
        val versions = opsets.map { it.text("domain") to it.all("version").singleOrNull()?.number }
        val known = versions.all { (domain, version) -> OPSETS[domain] == version }
        if (!known || "" !in versions.map { it.first } || versions.toSet().size != versions.size) {
            throw refused("operator sets $versions are not those that we run: $OPSETS")
        }
    }

    /** A node of an operator that we run, its attributes being of the types that they say they are. */
    private fun node(span: Span): Node {
        val node = Message(span, NODE, "node")
        val domain = node.text("domain")
        val operator = node.text("op_type")
        if (operator !in OPERATORS[domain].orEmpty()) throw refused("operator $domain:$operator is not one that we run")
        val names = HashSet<String>()
        val numbers = HashMap<String, Long>()
        for (attribute in node.spans("attribute").map { Message(it, ATTRIBUTE, "attribute of $operator") }) {
            val name = attribute.text("name")
            val kinds = ATTRIBUTE_TYPES.keys.filter { attribute.all(it).isNotEmpty() }
            val kind = kinds.singleOrNull()
            if (!names.add(name) || kind == null || attribute.all("type").singleOrNull()?.number != ATTRIBUTE_TYPES[kind]) {
                throw refused("$operator repeats attribute '$name', or gives it no one value")
            }
            if (kind == "int") numbers[name] = attribute.one("int").number
        }
        if (operator in QUANTIZED && names != numbers.keys) throw refused("$operator has an attribute that is not a whole number")
        return Node(operator, node.spans("input").map(Span::text), node.spans("output").map(Span::text), numbers)
    }

    /** An initializer holds its own values, or is a table that the engine can bind. */
    private fun checkTensor(tensor: Message) {
        val name = tensor.text("name")
        val type = tensor.one("data_type")
        val (dtype, width) = TYPES[type.number] ?: throw refused("initializer '$name' has data type ${type.number}, which we do not use")
        val shape = tensor.all("dim").map { it.number }
        if (shapes.put(name, shape) != null) throw refused("initializer '$name' appears twice, or is an input")
        val location = tensor.all("location").map { it.number }
        if (location == listOf(1L)) {
            val where = tensor.spans("external").map { Message(it, ENTRY, "external data") }.map { it.text("key") to it.text("value") }
            if (where != listOf("location" to "package") || tensor.all("raw").isNotEmpty()) {
                throw refused("initializer '$name' points outside the package: $where")
            }
            if (!allowed(name)) throw refused("there is no table '$name' in this package")
            tables[name] = ExternalTable(dtype, shape, type.at)
            return
        }
        val raw = tensor.spans("raw").firstOrNull()
        val inside = tensor.all("external").isEmpty() && (location.isEmpty() || location == listOf(0L))
        if (!inside || (raw?.size ?: 0).toLong() != product(shape, width)) {
            throw refused("initializer '$name' of shape $shape does not hold its own values")
        }
        if (dtype == "int64") constants[name] = List((raw?.size ?: 0) / 8) { raw!!.data.getLong(raw.start + 8 * it) }
    }

    /** ONNX Runtime believes the attributes of these when it reads tables, and some crash it: they must fit their tables. */
    private fun checkQuantized(node: Node) {
        val numbers = node.attributes
        val fits = when (node.operator) {
            "MatMulNBits" -> {
                val (rows, dim) = Pair(numbers["N"] ?: 0, numbers["K"] ?: 0)
                numbers["bits"] == 8L && numbers["block_size"] == 64L && dim % 64 == 0L && node.inputs.size == 3 &&
                    tables[node.inputs[1]]?.fits("uint8", listOf(rows, dim / 64, 64)) == true &&
                    tables[node.inputs[2]]?.fits("float32", listOf(rows, dim / 64)) == true
            }
            else -> {
                val table = if (node.inputs.size == 3) tables[node.inputs[0]] else null
                val bits = numbers["bits"] ?: 0
                val dim = (table?.shape?.getOrNull(1) ?: 0) * 8 / maxOf(bits, 1)
                bits in BITS && numbers == GATHERED + ("bits" to bits) && dim % 64 == 0L &&
                    table?.fits("uint8", listOf(table.shape[0], dim * bits / 8)) == true &&
                    tables[node.inputs[2]]?.fits("float32", listOf(table.shape[0], dim / 64)) == true
            }
        }
        if (!fits) throw refused("${node.operator} with $numbers does not fit ${node.inputs}")
    }

    companion object {
        /**
         * The tables that a model expects by name, once every byte of the model has been looked at.
         *
         * @param data a serialized `ModelProto`.
         * @param allowed whether a name is one that the engine can bind.
         * @param inputs the largest shape of each input that the engine gives.
         * @throws PackageException the bytes are damaged, use anything outside the lists of this file, or would need more
         * memory than our own graphs do.
         */
        fun check(data: ByteBuffer, allowed: (String) -> Boolean, inputs: Map<String, List<Long>>): Map<String, ExternalTable> =
            GraphGuard(allowed, inputs).check(data)

        private const val MAX_BYTES = 1 shl 20
        private const val MAX_NODES = 4096

        /** What the values of a graph may hold in all, besides those that have a number for each item. */
        private const val MAX_NUMBERS = 1L shl 24
        private const val MAX_NUMBERS_PER_ITEM = 64L

        /** By domain: none reads a file, holds a subgraph, or takes a size from a value. */
        private val OPERATORS = mapOf(
            "" to setOf(
                "Abs", "Add", "Cast", "Concat", "Div", "Gather", "Gemm", "MatMul", "Max", "Min", "Mul", "ReduceL2", "ReduceMax",
                "ReduceSum", "Relu", "Reshape", "Round", "ScatterElements", "Shape", "Slice", "Split", "Sub", "Sum", "TopK",
                "Unsqueeze", "Where",
            ),
            "com.microsoft" to setOf("GatherBlockQuantized", "MatMulNBits"),
        )
        private val OPSETS = mapOf("" to 18L, "com.microsoft" to 1L)
        private val QUANTIZED = OPERATORS.getValue("com.microsoft")
        private val BITS = setOf(8L, 4L)
        private val GATHERED = mapOf("block_size" to 64L, "gather_axis" to 0L, "quantize_axis" to 1L)

        private val MODEL = mapOf(1 to Field("ir_version", 0), 2 to Field("producer", 2), 7 to Field("graph", 2), 8 to Field("opset", 2, true))
        private val OPSET = mapOf(1 to Field("domain", 2), 2 to Field("version", 0))
        private val GRAPH = mapOf(
            1 to Field("node", 2, true), 2 to Field("name", 2), 5 to Field("initializer", 2, true),
            11 to Field("input", 2, true), 12 to Field("output", 2, true),
        )
        private val NODE = mapOf(
            1 to Field("input", 2, true), 2 to Field("output", 2, true), 3 to Field("name", 2), 4 to Field("op_type", 2),
            5 to Field("attribute", 2, true), 7 to Field("domain", 2),
        )

        // No tensor, graph, sparse or type attribute: constants are initializers, and there are no subgraphs.
        private val ATTRIBUTE = mapOf(
            1 to Field("name", 2), 2 to Field("float", 5), 3 to Field("int", 0), 4 to Field("bytes", 2), 20 to Field("type", 0),
        )
        private val ATTRIBUTE_TYPES = mapOf("float" to 1L, "int" to 2L, "bytes" to 3L) // AttributeProto.AttributeType of each
        private val TENSOR = mapOf(
            1 to Field("dim", 0, true), 2 to Field("data_type", 0), 8 to Field("name", 2), 9 to Field("raw", 2),
            13 to Field("external", 2, true), 14 to Field("location", 0),
        )
        private val ENTRY = mapOf(1 to Field("key", 2), 2 to Field("value", 2))

        /** TensorProto.DataType to its name and bytes a value; no other type is used. */
        private val TYPES = mapOf(
            1L to ("float32" to 4), 2L to ("uint8" to 1), 3L to ("int8" to 1), 4L to ("uint16" to 2), 7L to ("int64" to 8), 12L to ("uint32" to 4),
        )

        /** Bytes of a tensor; more than any graph may have, where they are too many to count. */
        private fun product(shape: List<Long>, width: Int): Long = shape.fold(width.toLong()) { bytes, length ->
            if (length == 0L) 0 else if (bytes > MAX_BYTES / length) MAX_BYTES + 1L else bytes * length
        }
    }
}
