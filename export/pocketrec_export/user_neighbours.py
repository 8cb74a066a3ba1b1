"""User-user neighbours: what the most similar train users chose. Measured only: a package never holds a user's row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

NEAREST = 50
"""Better than 150 on validation users of three public sets, by 1 to 9 % of NDCG@10."""


def scores(
    train: csr_matrix, *, index: NDArray[np.int64], weight: NDArray[np.float32], nearest: int = NEAREST
) -> NDArray[np.float32]:
    """x(i) = sum over the nearest users v of cos(u, v) r_vi, float32[I].

    Args:
        train: csr float32[U, I].
        index: int64[H] history items.
        weight: float32[H].
        nearest: users, those of the largest positive cosine.
    """
    history = np.zeros(train.shape[1], np.float32)
    history[index] = weight
    norm = np.sqrt(np.asarray(train.power(2).sum(axis=1)).ravel()) * max(float(np.linalg.norm(history)), 1e-12)
    similar = (train @ history) / np.where(norm > 0, norm, 1)
    if nearest < len(similar):
        similar[np.argpartition(-similar, nearest)[nearest:]] = 0
    return np.asarray(train.T @ np.maximum(similar, 0), dtype=np.float32)
