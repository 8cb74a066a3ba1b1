"""Popularity: a log-smoothed prior in [0, 1] that needs no history."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def fit(interactions: Any) -> NDArray[np.float32]:
    """log1p(count) / log1p(largest count) of every item; an item nobody touched gets 0.

    Args:
        interactions: ``scipy.sparse`` matrix [U, I] of train users; every stored positive value counts once.

    Returns:
        float32[I] in [0, 1].
    """
    coo = interactions.tocoo()
    positive = coo.data > 0
    count = np.bincount(coo.col[positive], minlength=coo.shape[1]).astype(np.float64)
    largest = float(count.max(initial=0.0))
    if largest == 0.0:
        return np.zeros(len(count), dtype=np.float32)
    return np.asarray(np.log1p(count) / np.log1p(largest), dtype=np.float32)
