package dev.pocketrec.added

/**
 * Where one added item stands, worked out once, when it is added.
 *
 * @property vector of unit length, zero without text.
 * @property near the package's items that it is most like.
 * @property factors of the package's width.
 * @property source history items that speak for it, ascending.
 * @property strength S of each source and this item.
 */
internal class Placed(
    val vector: FloatArray,
    val near: Near,
    val factors: FloatArray,
    val source: IntArray,
    val strength: FloatArray,
)
