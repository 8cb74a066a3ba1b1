"""Content: items whose texts resemble the user's history."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def profile(text: NDArray[np.float32], *, index: NDArray[np.int64], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """p = sum_j c_j t_j, float32[D]; disliked items (c < 0) push away."""
    return np.asarray(weight.astype(np.float32) @ text[index], dtype=np.float32)


def scores(text: NDArray[np.float32], *, index: NDArray[np.int64], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """x(i) = p . t_i, float32[I].

    Args:
        text: float32[I, D], unit rows; an item without text is a zero row and scores 0.
        index: int64[H] item positions.
        weight: float32[H] history weights.
    """
    return np.asarray(text @ profile(text, index=index, weight=weight), dtype=np.float32)
