"""The space of a package's text vectors: the teacher's, in fewer dimensions.

A linear projection onto the directions in which the texts differ most, then back to unit length. It is
not centered: cosines are taken about the origin, and on film titles against film texts a centered
projection keeps 75 % of the ten nearest where this one keeps 97 % (384 to 256 dimensions).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def fit_projection(*samples: NDArray[np.float32], dim: int) -> NDArray[np.float32]:
    """Orthonormal projection float32[E, min(dim, E)], most important direction first.

    Args:
        samples: float32[N, E] unit vectors, for example of items and of queries; each sample counts the
            same, however many rows it has. Empty samples are passed over.
        dim: columns wanted; the first k columns are the best projection to k.
    """
    width = samples[0].shape[1]
    moment = np.zeros((width, width))
    for sample in samples:
        if len(sample):
            x = sample.astype(np.float64)
            moment += x.T @ x / len(x)
    directions = np.linalg.eigh(moment)[1][:, ::-1][:, :dim]
    # eigh leaves the sign open; fix it, so that libraries agree.
    largest = np.abs(directions).argmax(axis=0)
    directions = directions * np.where(directions[largest, np.arange(directions.shape[1])] < 0, -1.0, 1.0)
    return np.ascontiguousarray(directions, np.float32)


def project(vectors: NDArray[np.float32], projection: NDArray[np.float32]) -> NDArray[np.float32]:
    """Unit vectors float32[N, D] of the rows in the smaller space."""
    return unit_rows(vectors @ projection)


def unit_rows(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows scaled to length 1; zero rows stay zero."""
    length = np.sqrt((x.astype(np.float64) ** 2).sum(axis=1, keepdims=True))
    return (x / np.where(length > 0, length, 1.0)).astype(np.float32)
