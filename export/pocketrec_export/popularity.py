"""Popularity: a log-smoothed prior in [0, 1] that needs no history, of all time or of late."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix


def fit(interactions: Any, *, age: csr_matrix | None = None, half_life: float = 0.0) -> NDArray[np.float32]:
    """log1p(count) / log1p(largest count) of every item; an item nobody touched gets 0.

    With a half-life an interaction counts 2^(-age / half-life), and all counts are scaled so that their sum stays what
    it is: else the logarithm would see smaller numbers and flatten less.

    Args:
        interactions: ``scipy.sparse`` matrix [U, I] of train users; every stored positive value counts once.
        age: csr [U, I], days by which each interaction is older than the newest; None without timestamps.
        half_life: days after which an interaction counts half; 0 counts all alike.

    Returns:
        float32[I] in [0, 1].
    """
    coo = csr_matrix(interactions).tocoo()
    positive = coo.data > 0
    value = np.ones(coo.nnz)
    if age is not None and half_life > 0:
        days = age.tocoo()
        assert np.array_equal(days.col, coo.col), "ages are those of the interactions, in their order"
        value = np.exp2(-days.data.astype(np.float64) / half_life)
    count = np.bincount(coo.col[positive], weights=value[positive], minlength=coo.shape[1])
    largest = float(count.max(initial=0.0))
    if largest == 0.0:
        return np.zeros(len(count), dtype=np.float32)
    count *= np.count_nonzero(positive) / count.sum()
    return np.asarray(np.log1p(count) / np.log1p(count.max()), dtype=np.float32)
