package dev.pocketrec.rank

import dev.pocketrec.Catalogue
import dev.pocketrec.PackageException
import dev.pocketrec.UsageException
import dev.pocketrec.file.Messages
import dev.pocketrec.file.PackageFile

/**
 * Ratings a user would give: the fold-in of explicit factors, and the prediction, in float64. Threads may share it.
 *
 * A package holds no user, so the user is solved from the ratings given. With z = (1, v) of the H rated items,
 * x = (b_u, u) is the solution of
 *
 * ```
 * (sum z z^T + H diag(0, variance) + diag(bias_regularization, regularization, ...)) x
 *     = sum z (rating - mean - b_i) - H (0, covariance)
 * ```
 *
 * The two terms with H say how unsure the item vectors are themselves. Source: Lim and Teh 2007.
 */
internal class Ratings(file: PackageFile, private val catalogue: Catalogue) {
    private val settings = file.manifest.ratings ?: throw UsageException(
        "this package predicts no ratings; build it from interactions whose values are ratings (--value rating)",
    )
    private val table = file.dense("ratings")
    private val bias = file.array("ratings/bias")
    private val spread = file.array("ratings/spread")

    /**
     * The rating of each of [items], null where the catalogue lacks it; of a repeated id in [history] the last counts.
     *
     * @throws UsageException a rating outside the scale, or, if [strict], an unknown id.
     * @throws PackageException the tables admit no finite rating.
     */
    fun predict(history: Iterable<Pair<String, Double>>, items: List<String>, strict: Boolean): List<Double?> {
        val known = LinkedHashMap<Int, Double>()
        val unknown = LinkedHashSet<String>()
        for ((id, rating) in history) {
            if (!(rating >= settings.low && rating <= settings.high)) {
                val scale = "${Messages.general(settings.low)} to ${Messages.general(settings.high)}"
                throw UsageException("item '$id' has rating ${Messages.general(rating)}; ratings of this package go from $scale")
            }
            val index = catalogue.index(id)
            if (index < 0) unknown.add(id) else known[index] = rating
        }
        val wanted = items.map(catalogue::index)
        val missing = unknown + items.filterIndexed { at, _ -> wanted[at] < 0 }
        if (strict && missing.isNotEmpty()) {
            val listed = missing.take(5).joinToString { Messages.quoted(it) }
            throw UsageException("${missing.size} ids are not in the catalogue: $listed; pass strict = false to ignore")
        }
        val user = foldIn(known.keys.toIntArray(), known.values.toDoubleArray())
        return wanted.map { if (it < 0) null else rating(user, it) }
    }

    private fun rating(user: DoubleArray, item: Int): Double {
        val z = vector(item)
        val raw = settings.mean + bias.float(item) + z.indices.sumOf { z[it] * user[it] }
        return minOf(settings.high, maxOf(settings.low, finite(raw)))
    }

    /** The bias and the vector of the user who gave these ratings. */
    private fun foldIn(index: IntArray, rating: DoubleArray): DoubleArray {
        val size = 1 + settings.dim
        val system = Array(size) { DoubleArray(size) }
        val right = DoubleArray(size)
        for (j in index.indices) {
            val z = vector(index[j])
            val rest = rating[j] - settings.mean - bias.float(index[j])
            for (a in 0 until size) {
                right[a] += z[a] * rest
                for (b in 0 until size) system[a][b] += z[a] * z[b]
            }
        }
        system[0][0] += settings.biasRegularization
        for (d in 1 until size) {
            system[d][d] += settings.regularization + index.size * spread.float(d - 1).toDouble()
            right[d] -= index.size * spread.float(settings.dim + d - 1).toDouble()
        }
        return solve(system, right).onEach(::finite)
    }

    /** A one, then the item's vector. */
    private fun vector(item: Int): DoubleArray {
        val factor = table.scale.float(item).toDouble()
        return DoubleArray(1 + settings.dim) { if (it == 0) 1.0 else (table.value.int(item * settings.dim + it - 1) - 128) * factor }
    }

    private fun finite(value: Double): Double {
        if (value.isNaN() || value.isInfinite()) {
            throw PackageException("the package's rating tables give no finite rating; it is not to be trusted")
        }
        return value
    }

    private companion object {
        /** x of A x = b by elimination with row pivots; changes both. Not finite where there is no solution. */
        fun solve(a: Array<DoubleArray>, b: DoubleArray): DoubleArray {
            for (column in b.indices) {
                val pivot = (column until b.size).maxByOrNull { Math.abs(a[it][column]) }!!
                a[column] = a[pivot].also { a[pivot] = a[column] }
                b[column] = b[pivot].also { b[pivot] = b[column] }
                for (row in column + 1 until b.size) {
                    val factor = a[row][column] / a[column][column]
                    for (at in column until b.size) a[row][at] -= factor * a[column][at]
                    b[row] -= factor * b[column]
                }
            }
            for (row in b.indices.reversed()) {
                for (at in row + 1 until b.size) b[row] -= a[row][at] * b[at]
                b[row] /= a[row][row]
            }
            return b
        }
    }
}
