"""Neighbours: a linear item-item model that also sees text, pruned to the strongest pairs.

EASE (Steck 2019) has a closed form: with ``P = (X^T X + D)^(-1)``, ``B_ji = -P_ji / P_ii`` off the diagonal.
Two additions, both on the Gram matrix:

- ``text_weight * T T^T`` of centered item texts, every text dimension acting as one more pseudo-user (Jeunen,
  Van Balen, Goethals 2020): it ties items with similar texts together where interactions are few;
- ``D = l2 I + dropout * diag(X^T X)``, the closed form of training with input dropout (Steck 2020, EDLAE),
  which stops popular items from explaining everything.

`l2` and `text_weight` are multiples of the *typical* diagonal, the mean item count seen from an interaction
(sum n_i^2 / sum n_i), so that one setting suits small and large, flat and skewed data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pocketrec.errors import DataError
from scipy.linalg import lapack
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

MAX_ITEMS = 20_000
"""The solve is dense: at 20,000 items one matrix takes 1.6 GB, and three or four are alive at its peak. Larger
catalogues are solved target by target (`screening`)."""

_CHUNK = 512  # columns handled at once
_SOLVE_CELLS = 4_000_000  # float32 cells of the small systems solved at once


@dataclass(frozen=True, slots=True)
class ItemModel:
    """A dense linear item-item model over the items that have interactions.

    Attributes:
        warm: int64[W], catalogue positions of the rows and columns, ascending.
        by_target: float32[W, W]; row i holds what each source item adds to target i. Zero diagonal.
        gram: float32[W, W], the regularized Gram matrix it is the solution of.
        items: I, size of the catalogue.
    """

    warm: NDArray[np.int64]
    by_target: NDArray[np.float32]
    gram: NDArray[np.float32]
    items: int


def fit_dense(
    interactions: Any,
    *,
    text: NDArray[np.float32] | None = None,
    l2: float = 1.0,
    text_weight: float = 0.25,
    dropout: float = 0.5,
    min_users: int = 1,
    max_items: int = MAX_ITEMS,
) -> ItemModel:
    """The dense model of the train users' interactions.

    Args:
        interactions: csr [U, I] of train users.
        text: float32[I, D] item text vectors, or None.
        l2: ridge, in typical diagonals.
        text_weight: strength of the text kernel, in typical diagonals.
        dropout: p / (1 - p) of the emulated input dropout.
        min_users: a pair that fewer users have in common (but at least one) has no value: it would tell what else
            a single user chose. A pair that only the texts tie together tells nothing of users, and stays.
        max_items: the most popular items that take part when there are more.

    Raises:
        DataError: no interaction, or a Gram matrix that is not positive definite.
    """
    csr = interactions.tocsr().astype(np.float32)
    count = np.asarray(csr.power(2).sum(axis=0), dtype=np.float64).ravel()
    warm = np.flatnonzero(count > 0)
    if len(warm) == 0:
        raise DataError(f"neighbours need at least one interaction, found none for {csr.shape[1]} items")
    if len(warm) > max_items:
        warm = np.sort(warm[np.lexsort((warm, -count[warm]))[:max_items]])
    typical, ridge = regularizer(count[warm], l2=l2, dropout=dropout)

    part = csr[:, warm]
    gram = np.asarray((part.T @ part).toarray(order="F"), dtype=np.float32)
    if text is not None and text_weight > 0:
        texts = text_rows(text[warm], text_weight * typical)
        for start in range(0, len(warm), _CHUNK):
            gram[:, start : start + _CHUNK] += texts @ texts[start : start + _CHUNK].T
    gram[np.diag_indices_from(gram)] += ridge.astype(np.float32)
    with threadpool_limits(limits=1, user_api="blas"):  # spinning BLAS threads cost 10x where cores are shared
        by_target = _divide_by_diagonal(_inverse(gram.copy(order="F")))
    if min_users > 1:
        hidden = rare_pairs(part, min_users)
        by_target[np.repeat(np.arange(len(warm)), np.diff(hidden.indptr)), hidden.indices] = 0
    return ItemModel(warm, by_target, gram, csr.shape[1])


def regularizer(square: NDArray[np.float64], *, l2: float, dropout: float) -> tuple[float, NDArray[np.float64]]:
    """The typical diagonal, and what is added to each: ``D`` of the closed form, float64[W].

    Args:
        square: float64[W], diagonal of X^T X.
        l2: ridge, in typical diagonals.
        dropout: p / (1 - p) of the emulated input dropout.
    """
    typical = float(np.square(square).sum() / square.sum())
    return typical, l2 * typical + dropout * square


def text_rows(text: NDArray[np.float32], strength: float) -> NDArray[np.float32]:
    """Centered texts float32[W, D] whose products are what the text kernel adds to the Gram matrix."""
    return np.asarray((text - text.mean(axis=0)) * np.float32(np.sqrt(strength)), dtype=np.float32)


def rare_pairs(interactions: csr_matrix, min_users: int) -> csr_matrix:
    """csr int32[W, W], stored where 1 to ``min_users - 1`` users have both items."""
    chosen = csr_matrix(
        (np.ones(interactions.nnz, np.int32), interactions.indices, interactions.indptr), interactions.shape
    )
    shared = csr_matrix(chosen.T @ chosen)
    shared.data = (shared.data < min_users).astype(np.int32)
    shared.eliminate_zeros()
    return shared


def _inverse(gram: NDArray[np.float32]) -> NDArray[np.float32]:
    """Inverse of a symmetric positive definite matrix, in place, lower triangle only (LAPACK potrf, potri)."""
    factor, info = lapack.spotrf(gram, lower=1, clean=0, overwrite_a=1)
    if info == 0:
        factor, info = lapack.spotri(factor, lower=1, overwrite_c=1)
    if info != 0:
        raise DataError(
            f"the item-item matrix of {len(gram)} items is not positive definite (LAPACK info {info}); use a larger l2"
        )
    return np.asarray(factor)


def _divide_by_diagonal(inverse: NDArray[np.float32]) -> NDArray[np.float32]:
    """Row i: -P_ij / P_ii with a zero diagonal, from the lower triangle of a Fortran-ordered P; in place."""
    square = inverse.T  # C order, upper triangle valid
    size = len(square)
    for start in range(0, size, _CHUNK):  # mirror the upper triangle, block by block
        stop = min(start + _CHUNK, size)
        block = square[start:stop, start:stop]
        block[:] = np.triu(block) + np.triu(block, 1).T
        square[stop:, start:stop] = square[start:stop, stop:].T
    square /= -np.diag(square).copy()[:, None]
    square[np.diag_indices_from(square)] = 0
    return square


def prune(model: ItemModel, *, keep: int | None, refit: bool = False) -> csr_matrix:
    """The model as csr float32 [I, I], source-major: row j holds what history item j adds to its targets.

    Args:
        model: from `fit_dense`.
        keep: sources kept per target, the largest |values|; None keeps all.
        refit: solve every target's regression again over its kept sources only, so that they take over what
            the dropped ones explained.
    """
    size = len(model.warm)
    shape = (model.items, model.items)
    if keep is None or keep >= size:
        return _whole(model)
    source = np.empty((size, keep), dtype=np.int64)
    value = np.empty((size, keep), dtype=np.float32)
    for start in range(0, size, _CHUNK):
        part = slice(start, start + _CHUNK)
        rows = model.by_target[part]
        source[part] = np.argpartition(-np.abs(rows), keep, axis=1)[:, :keep]
        value[part] = np.take_along_axis(rows, source[part], axis=1)
    if refit:
        with threadpool_limits(limits=1, user_api="blas"):  # threads only wait for each other on tiny systems
            _refit(model, source, value)
    target = np.repeat(model.warm, keep)
    table = csr_matrix((value.ravel(), (model.warm[source].ravel(), target)), shape=shape)
    table.eliminate_zeros()
    table.sort_indices()
    return table


def _whole(model: ItemModel) -> csr_matrix:
    """Every pair as csr, zeros of the diagonal included: built in place of a sort of W^2 entries."""
    size = len(model.warm)
    count = np.zeros(model.items, dtype=np.int64)
    count[model.warm] = size
    start = np.concatenate(([0], np.cumsum(count)))
    index = np.tile(model.warm.astype(np.int32), size)
    return csr_matrix((model.by_target.T.ravel(), index, start), shape=(model.items, model.items))


def _refit(model: ItemModel, source: NDArray[np.int64], value: NDArray[np.float32]) -> None:
    """Overwrites value[i] with the solution of gram[S, S] b = gram[S, i], S = source[i].

    A source whose value is zero stays at zero: the target itself, or a pair that must not be told.
    """
    size, keep = source.shape
    batch = max(1, _SOLVE_CELLS // keep**2)
    own = np.arange(size)[:, None]
    for start in range(0, size, batch):
        part = slice(start, start + batch)
        kept = source[part]  # [N, K]
        out = value[part] == 0
        matrix = model.gram[kept[:, :, None], kept[:, None, :]]  # [N, K, K]
        right = np.where(out, np.float32(0), model.gram[kept, own[part]])
        row, column = np.nonzero(out)
        matrix[row, column, :] = 0
        matrix[row, :, column] = 0
        matrix[row, column, column] = 1
        value[part] = np.linalg.solve(matrix, right[:, :, None])[:, :, 0]


def scores(table: Any, *, index: NDArray[np.int64], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """x(i) = sum_j c_j S_ji, float32[I], for one history."""
    total = np.zeros(table.shape[1], dtype=np.float32)
    for item, strength in zip(index, weight, strict=True):
        start, stop = table.indptr[item], table.indptr[item + 1]
        total[table.indices[start:stop]] += strength * table.data[start:stop]
    return total
