package dev.pocketrec.ort

/** One node of a graph; only those attributes that are whole numbers, for no other changes a size. */
internal class Node(val operator: String, val inputs: List<String>, val outputs: List<String>, val attributes: Map<String, Long>)

private typealias Shape = List<Long>

/**
 * How large the values of an ONNX graph can get, worked out before ONNX Runtime allocates any of them.
 *
 * Operators that only combine their inputs still make sizes up: a chain of `Concat(x, x)` doubles, a product of a column
 * and a row squares. So every output gets a shape here whose lengths are upper bounds, and all of them together must stay
 * below a limit. Ranks are exact: shapes that depend on data, beyond being cut shorter, are refused. The same rules as in
 * Python's `onnx_sizes.py`.
 */
internal object GraphSizes {
    private const val MAX_RANK = 4

    /** Larger than any limit, and small enough that sums of such numbers stay exact. */
    private const val HUGE = 1L shl 50

    /**
     * Refuses a graph whose values may hold more than [limit] numbers in all, over all outputs of all nodes.
     *
     * @param shapes the largest shape of each input and initializer.
     * @param constants the values of those initializers that are lists of int64.
     */
    fun check(nodes: List<Node>, shapes: Map<String, Shape>, constants: Map<String, Shape>, limit: Long) {
        val known = HashMap(shapes)
        var total = 0L
        for (node in nodes) {
            val found = try {
                Operands(node, node.inputs.map { known[it] ?: throw Unfit("no value $it yet") }, constants).result()
            } catch (error: Unfit) {
                throw refused("${node.operator} of ${node.inputs.joinToString().take(80)} is not one of ours: ${error.message}")
            }
            for (name in node.outputs) {
                if (name.isEmpty() || known.put(name, found) != null) throw refused("value '$name' has no name of its own")
                total += numbers(found)
                if (total > limit) throw refused("it may need more than $limit numbers, at ${node.operator} $found")
            }
        }
    }

    private fun numbers(shape: Shape): Long =
        if (0L in shape) 0 else shape.fold(1L) { product, length -> if (product > HUGE / length) HUGE else product * length }

    private class Unfit(message: String) : Exception(message)

    private class Operands(val node: Node, val shapes: List<Shape>, val constants: Map<String, Shape>) {
        fun result(): Shape {
            val shape = when (node.operator) {
                "Abs", "Cast", "Relu", "Round", "ScatterElements", "Slice", "TopK" -> shape(0)
                "Add", "Div", "Max", "Min", "Mul", "Sub", "Sum", "Where" -> broadcast()
                "Concat" -> concat()
                "Gather" -> gather()
                "GatherBlockQuantized" -> shape(1) + rank(shape(0), 2..2)[1] * 8 / attribute("bits") // at least 1, as the guard saw
                "Gemm" -> listOf(side(0, "transA", 0), side(1, "transB", 1))
                "MatMul" -> rank(shape(0), 1..2).dropLast(1) + rank(shape(1), 1..2).drop(1)
                "MatMulNBits" -> shape(0).dropLast(1) + attribute("N")
                "ReduceL2", "ReduceMax", "ReduceSum" -> reduce()
                "Reshape" -> if (constant(1) == listOf(-1L)) listOf(numbers(shape(0))) else unfit("shape ${constant(1)}")
                "Shape" -> listOf(shape(0).size.toLong())
                "Split" -> if (shapes.size == 1 && attribute("num_outputs") == node.outputs.size.toLong()) shape(0) else unfit("another number of outputs")
                "Unsqueeze" -> unsqueeze()
                else -> unfit("unknown")
            }
            if (shape.size > MAX_RANK) unfit("${shape.size} dimensions")
            return shape.map { minOf(it, HUGE) }
        }

        private fun unfit(message: String): Nothing = throw Unfit(message)

        private fun shape(at: Int): Shape = shapes.getOrNull(at) ?: unfit("no input $at")

        private fun constant(at: Int): Shape = node.inputs.getOrNull(at)?.let { constants[it] } ?: unfit("input $at is no constant")

        private fun attribute(name: String): Long = node.attributes[name] ?: unfit("no $name")

        private fun rank(shape: Shape, ranks: IntRange): Shape = if (shape.size in ranks) shape else unfit("shape $shape")

        private fun broadcast(): Shape {
            val rank = shapes.maxOfOrNull { it.size } ?: unfit("no input")
            return List(rank) { at -> shapes.maxOf { it.getOrElse(at - rank + it.size) { 1L } } }
        }

        private fun concat(): Shape {
            val axis = attribute("axis")
            if (shapes.any { it.size != shape(0).size } || axis >= shape(0).size) unfit("shapes that do not fit")
            return shape(0).indices.map { at -> if (at.toLong() == axis) shapes.sumOf { it[at] } else shapes.maxOf { it[at] } }
        }

        private fun gather(): Shape {
            val axis = node.attributes["axis"] ?: 0
            if (shapes.size != 2 || axis >= shape(0).size) unfit("no such axis")
            return shape(0).take(axis.toInt()) + shape(1) + shape(0).drop(axis.toInt() + 1)
        }

        /** The length of a factor of Gemm that the product keeps: its [kept] one, or the other where it is turned. */
        private fun side(at: Int, turned: String, kept: Int): Long =
            rank(shape(at), 2..2)[if ((node.attributes[turned] ?: 0) != 0L) 1 - kept else kept]

        private fun reduce(): Shape {
            val shape = shape(0)
            val all = shape.indices.map(Int::toLong)
            val axes = if (shapes.size > 1) constant(1) else all
            if (axes.isEmpty() || !all.containsAll(axes)) unfit("axes $axes")
            val keep = (node.attributes["keepdims"] ?: 1) != 0L
            return all.filter { keep || it !in axes }.map { if (it in axes) 1 else shape[it.toInt()] }
        }

        private fun unsqueeze(): Shape {
            val axis = constant(1).singleOrNull() ?: unfit("axes ${constant(1)}")
            if (axis !in 0..shape(0).size) unfit("axis $axis")
            return shape(0).take(axis.toInt()) + 1L + shape(0).drop(axis.toInt())
        }
    }
}
