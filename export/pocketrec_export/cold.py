"""Cold items: factors and neighbours for items that nobody has chosen yet, from what their texts say.

An item with a text and no interaction gets what its text would predict of it, a weighted sum over warm items, the
anchors: its row of the factors is mean + sum_k a_k (v_k - mean), its column of the neighbours sum_k a_k S_jk, cut to
the largest. The weights are those of kernel ridge regression, a = k(cold, anchors) (K + ridge I)^-1: near texts count
most, and ten texts that say the same do not count ten times. The kernel is (1/2 + s)^2, where s adds the cosine of the
teacher's centered vectors (what a text means) and that of its words, weighed by rarity (whom it names); the square
lets the nearest texts stand out. Where little is known of a text the sums shrink, so that cold items are on the scale
of warm ones and do not push them aside.

Source: kernel ridge regression, Saunders, Gammerman and Vovk 1998; predicting factors from content, Gantner et al.
2010, "Learning attribute-to-feature mappings for cold-start recommendations".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg import cho_factor, cho_solve

from pocketrec_export.factors import Factors
from pocketrec_export.full_model import FullModel
from pocketrec_export.text_space import unit_rows
from pocketrec_export.word_vectors import word_vectors

MAX_ANCHORS = 10_000
"""Warm items that take part, the most popular first: the kernel of all pairs is held in memory."""
KEEP = 32
"""Sources kept for each cold target: fewer than for a warm one, as a catalogue may have more cold items than warm."""
_OFFSET = np.float32(0.5)
_CHUNK = 256


@dataclass(frozen=True, slots=True)
class ColdSettings:
    """How cold items are estimated.

    Attributes:
        ridge: of the kernel regression.
        factors: what estimated factors are multiplied with.
        neighbours: what estimated neighbours are multiplied with.
        device_factors: the same for items that are added on the device.
        device_neighbours: the same.
    """

    ridge: float = 3.0
    factors: float = 1.0
    neighbours: float = 1.0
    device_factors: float = 1.0
    device_neighbours: float = 1.0


@dataclass(frozen=True, slots=True)
class Kernel:
    """How alike the texts of I items are.

    Attributes:
        meaning: float32[I, E], unit rows, zero without text.
        words: csr float32[I, V], unit rows.
    """

    meaning: NDArray[np.float32]
    words: sparse.csr_array[np.float32]

    @classmethod
    def of(cls, vectors: NDArray[np.float32], texts: Sequence[str], *, warm: NDArray[np.int64]) -> Kernel:
        """The kernel of unit vectors float32[I, E] and texts; centered and weighed by what the warm items say."""
        said = np.any(vectors != 0, axis=1)
        known = warm[said[warm]]
        mean = vectors[known].mean(axis=0) if len(known) else np.zeros(vectors.shape[1], np.float32)
        return cls(unit_rows((vectors - mean) * said[:, None]), word_vectors(texts, known=warm))

    def between(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.float32]:
        """float32[R, C]."""
        alike = self.meaning[rows] @ self.meaning[columns].T
        alike += (self.words[rows] @ self.words[columns].T).toarray()
        alike += _OFFSET
        square: NDArray[np.float32] = np.square(alike, out=alike)
        return square

    def weights(
        self, anchors: NDArray[np.int64], *, ridge: float
    ) -> Callable[[NDArray[np.int64]], NDArray[np.float32]]:
        """A function of R items to the weights of the anchors in their estimates, float32[R, A]."""
        square = self.between(anchors, anchors)
        square[np.diag_indices_from(square)] += np.float32(ridge)
        solved = cho_factor(square, lower=True, overwrite_a=True, check_finite=False)

        def of(rows: NDArray[np.int64]) -> NDArray[np.float32]:
            return np.asarray(cho_solve(solved, self.between(rows, anchors).T, check_finite=False).T, np.float32)

        return of


def cold_rows(model: FullModel, warm: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Items with a text that are not ``warm``, bool[I]."""
    if model.text is None:
        return np.empty(0, np.int64)
    return np.flatnonzero(~warm & np.any(model.text != 0, axis=1))


def anchor_rows(model: FullModel, warm: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Warm items with a text, at most `MAX_ANCHORS`: the first of the catalogue, which are the most popular."""
    if model.text is None:
        return np.empty(0, np.int64)
    return np.flatnonzero(warm & np.any(model.text != 0, axis=1))[:MAX_ANCHORS]


def with_cold_items(
    model: FullModel, kernel: Kernel, *, cold: NDArray[np.int64], anchors: NDArray[np.int64], settings: ColdSettings
) -> FullModel:
    """The model with factors and neighbours also for its cold items.

    Args:
        model: over I items.
        kernel: of their texts.
        cold: rows to fill in.
        anchors: rows to learn from.
        settings: see there.
    """
    if not len(cold) or not len(anchors) or (model.factors is None and model.neighbours is None):
        return model
    weights = kernel.weights(anchors, ridge=settings.ridge)
    table = None if model.factors is None else model.factors.table.copy()
    columns: list[sparse.csc_array[np.float32]] = []
    source = None if model.neighbours is None else sparse.csr_array(model.neighbours)[:, anchors]
    for rows, part in _chunks(weights, cold):
        if table is not None:
            mean = table[anchors].mean(axis=0)
            table[rows] = np.float32(settings.factors) * (mean + part @ (table[anchors] - mean))
        if source is not None:
            columns.append(_strongest(np.asarray(source @ part.T) * np.float32(settings.neighbours)))
    if model.factors is not None and table is not None:
        model = replace(model, factors=Factors(table, model.factors.alpha))
    if model.neighbours is not None and columns:
        model = replace(model, neighbours=_inserted(model.neighbours, cold, columns))
    return model


def _chunks(
    weights: Callable[[NDArray[np.int64]], NDArray[np.float32]], cold: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    for start in range(0, len(cold), _CHUNK):
        rows = cold[start : start + _CHUNK]
        yield rows, weights(rows)


def _strongest(columns: NDArray[np.float32]) -> sparse.csc_array[np.float32]:
    """The `KEEP` largest values of each column of float32[I, C]."""
    keep = min(KEEP, len(columns))
    row = np.argpartition(-np.abs(columns), keep - 1, axis=0)[:keep]
    value = np.take_along_axis(columns, row, axis=0)
    column = np.broadcast_to(np.arange(columns.shape[1]), row.shape)
    return sparse.csc_array((value.ravel(), (row.ravel(), column.ravel())), shape=columns.shape)


def _inserted(
    table: sparse.csr_matrix, cold: NDArray[np.int64], columns: Sequence[sparse.csc_array[np.float32]]
) -> sparse.csr_matrix:
    """The table with its columns ``cold``, which are empty, filled in."""
    block = sparse.hstack(columns, format="coo")
    where = (block.row, cold[block.col])
    added = sparse.csr_matrix((block.data.astype(np.float32), where), shape=table.shape)
    result = sparse.csr_matrix(table + added)
    result.eliminate_zeros()
    result.sort_indices()
    return result
