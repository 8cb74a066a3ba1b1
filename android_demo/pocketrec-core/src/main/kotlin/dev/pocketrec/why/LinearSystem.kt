package dev.pocketrec.why

/**
 * Solves A x = b for one matrix and many right-hand sides, by elimination with row exchanges in float64.
 *
 * @param matrix n x n; it is taken over and changed. A direction that it leaves open gets 0.
 */
internal class LinearSystem(private val matrix: Array<DoubleArray>) {
    private val size = matrix.size
    private val order = IntArray(size) { it }

    init {
        for (column in 0 until size) {
            val pivot = (column until size).maxByOrNull { Math.abs(matrix[it][column]) }!!
            matrix[column] = matrix[pivot].also { matrix[pivot] = matrix[column] }
            order[column] = order[pivot].also { order[pivot] = order[column] }
            if (matrix[column][column] == 0.0) continue
            for (row in column + 1 until size) {
                val factor = matrix[row][column] / matrix[column][column]
                matrix[row][column] = factor
                if (factor != 0.0) for (k in column + 1 until size) matrix[row][k] -= factor * matrix[column][k]
            }
        }
    }

    /** x of one b. */
    fun solve(b: DoubleArray): DoubleArray {
        val x = DoubleArray(size) { b[order[it]] }
        for (row in 0 until size) for (k in 0 until row) x[row] -= matrix[row][k] * x[k]
        for (row in size - 1 downTo 0) {
            for (k in row + 1 until size) x[row] -= matrix[row][k] * x[k]
            x[row] = if (matrix[row][row] == 0.0) 0.0 else x[row] / matrix[row][row]
        }
        return x
    }
}
