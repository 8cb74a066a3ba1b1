package dev.pocketrec.added

/** Inner products of float32 numbers in float64: four sums side by side, which a processor adds at once. */
internal object Products {
    fun of(a: FloatArray, aFrom: Int, b: FloatArray, bFrom: Int, size: Int): Double {
        var s0 = 0.0
        var s1 = 0.0
        var s2 = 0.0
        var s3 = 0.0
        var at = 0
        while (at + 3 < size) {
            s0 += a[aFrom + at].toDouble() * b[bFrom + at]
            s1 += a[aFrom + at + 1].toDouble() * b[bFrom + at + 1]
            s2 += a[aFrom + at + 2].toDouble() * b[bFrom + at + 2]
            s3 += a[aFrom + at + 3].toDouble() * b[bFrom + at + 3]
            at += 4
        }
        while (at < size) s0 += a[aFrom + at].toDouble() * b[bFrom + at++]
        return s0 + s1 + (s2 + s3)
    }

    /** One product for each of the rows. */
    fun of(rows: List<FloatArray>, vector: FloatArray): FloatArray =
        FloatArray(rows.size) { of(rows[it], 0, vector, 0, vector.size).toFloat() }
}
