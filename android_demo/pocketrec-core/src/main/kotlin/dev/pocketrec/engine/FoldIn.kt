package dev.pocketrec.engine

import dev.pocketrec.file.DenseTable

/** Vectors of a user from the rows of a history. All in float64, so that the order of sums does not show in float32. */
internal object FoldIn {
    /** Added to denominators: where a history likes nothing, 0 * 1e-30 / 1e-30 is 0 and not NaN. */
    private const val TINY = 1e-30

    /** sum_j c_j t_j over the rows of a history. */
    fun weightedSum(table: DenseTable, index: IntArray, weight: FloatArray): FloatArray {
        val rows = table.rows(index)
        val sum = DoubleArray(table.dim)
        for (j in index.indices) for (d in sum.indices) sum[d] += weight[j].toDouble() * rows[j * table.dim + d]
        return FloatArray(table.dim) { sum[it].toFloat() }
    }

    /**
     * A user's factors from a history.
     *
     * Solves (I + sum_j (k_j - 1) v_j v_j^T) u = sum_{c_j > 0} k_j v_j with k_j = alpha |c_j| by conjugate gradients from
     * u = 0 in a fixed number of steps. The I is the whitened Gram matrix of all items.
     *
     * Source: Hu, Koren & Volinsky 2008, eq. 4; Hestenes & Stiefel 1952.
     */
    fun factors(table: DenseTable, index: IntArray, weight: FloatArray, alpha: Double, steps: Int): FloatArray {
        val dim = table.dim
        val rows = table.rows(index).let { floats -> DoubleArray(floats.size) { floats[it].toDouble() } }
        val more = DoubleArray(weight.size) { alpha * Math.abs(weight[it]) - 1 }
        val r = DoubleArray(dim)
        for (j in index.indices) if (weight[j] > 0) addRow(rows, j, alpha * weight[j], r)
        val u = DoubleArray(dim)
        val p = r.copyOf()
        val q = DoubleArray(dim)
        var rr = dot(r, r)
        repeat(steps) {
            p.copyInto(q)
            for (j in index.indices) addRow(rows, j, more[j] * rowDot(rows, j, p), q)
            val length = rr / dot(p, q)
            for (d in 0 until dim) {
                u[d] += length * p[d]
                r[d] -= length * q[d]
            }
            val before = rr
            rr = dot(r, r)
            val turn = rr / before
            for (d in 0 until dim) p[d] = r[d] + turn * p[d]
        }
        return FloatArray(dim) { u[it].toFloat() }
    }

    private fun addRow(rows: DoubleArray, j: Int, factor: Double, sum: DoubleArray) {
        val first = j * sum.size
        for (d in sum.indices) sum[d] += factor * rows[first + d]
    }

    private fun rowDot(rows: DoubleArray, j: Int, p: DoubleArray): Double {
        val first = j * p.size
        var sum = 0.0
        for (d in p.indices) sum += rows[first + d] * p[d]
        return sum
    }

    private fun dot(a: DoubleArray, b: DoubleArray): Double {
        var sum = 0.0
        for (d in a.indices) sum += a[d] * b[d]
        return sum + TINY
    }
}
