package dev.pocketrec.added

import dev.pocketrec.engine.Best

/**
 * The anchors that one text is most like.
 *
 * @property index the most alike first, ties by index.
 * @property weight not negative; they sum to 1, or to 0 where a text is like no anchor.
 */
internal class Near(val index: IntArray, val weight: FloatArray) {
    companion object {
        /** Those of the [alike]nesses to all anchors that are largest, with weights alike^power. */
        fun of(alike: FloatArray, count: Int, power: Double): Near {
            val index = Best.of(alike, BooleanArray(alike.size) { true }, count)
            val weight = FloatArray(index.size) { Math.pow(maxOf(alike[index[it]], 0f).toDouble(), power).toFloat() }
            val total = weight.sumOf { it.toDouble() }.toFloat()
            if (total > 0) for (at in weight.indices) weight[at] /= total else weight.fill(0f)
            return Near(index, weight)
        }
    }
}
