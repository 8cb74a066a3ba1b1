"""Typed attributes as one vector an item: items of the same categories, prices and years lie close together.

Every attribute is a block of features of length 1 where an item has a value and 0 where not: names of a category weigh
ln(I / count), so that a rare one in common tells more (Spärck Jones 1972); a number is its rank, shared between the two
nearest of eight soft bins, so that no scale matters; a boolean is one of two. Blocks that together are wider than the
table are reduced to the directions in which items differ most (truncated SVD), and rows brought to unit length.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pocketrec.layout import NO_BOOLEAN
from pocketrec.manifest import EXPIRES
from scipy.sparse import csr_matrix, diags, hstack
from scipy.sparse.linalg import svds
from scipy.stats import rankdata

from pocketrec_export.item_columns import ItemColumn
from pocketrec_export.items import Items
from pocketrec_export.text_space import unit_rows

BINS = 8
DIM = 64
"""Width of the table, the narrowest that the format has."""


def attribute_vectors(items: Items, *, dim: int = DIM) -> NDArray[np.float32] | None:
    """Unit rows float32[I, dim], zero for an item without attributes; None where no attribute tells items apart.

    Args:
        items: their categories and typed columns; when an item expires says nothing about it.
        dim: a multiple of 64.
    """
    columns = [ItemColumn("category", "category", items.categories), *items.columns]
    blocks = [_block(column) for column in columns if column.name != EXPIRES]
    found = [block for block in blocks if block is not None]
    if not found:
        return None
    features = csr_matrix(hstack(found))
    dense = features.toarray() if features.shape[1] <= dim else _reduced(features, dim)
    table = np.zeros((len(items), dim), np.float32)
    table[:, : dense.shape[1]] = dense
    return unit_rows(table)


def _reduced(features: csr_matrix, dim: int) -> NDArray[np.float64]:
    """The rows along the at most ``dim`` strongest directions; inner products are kept as well as they can be."""
    if len(features.indptr) - 1 <= dim:  # so few items that the directions are no more than they
        u, s, _ = np.linalg.svd(features.toarray(), full_matrices=False)
    else:
        u, s, _ = svds(features, dim, v0=np.ones(min(features.shape)))  # a fixed start: the same bytes every time
    scores: NDArray[np.float64] = u * s
    # The sign of a direction is open; fix it, so that libraries agree.
    largest = np.abs(scores).argmax(axis=0)
    return scores * np.where(scores[largest, np.arange(scores.shape[1])] < 0, -1.0, 1.0)


def _block(column: ItemColumn) -> csr_matrix | None:
    """Unit rows of one attribute, csr[I, F]; None where all items that have a value have the same."""
    if column.kind == "category":
        block = _names(column.values)
    elif column.kind == "boolean":
        block = _one_hot(np.where(column.values == NO_BOOLEAN, -1, column.values.astype(np.int64)), 2)
    else:
        block = _bins(column)
    if block.shape[1] < 2:
        return None
    length = np.sqrt(np.asarray(block.multiply(block).sum(axis=1)).ravel())
    return csr_matrix(diags(1 / np.where(length > 0, length, 1)) @ block)


def _names(sets: Sequence[Sequence[str]]) -> csr_matrix:
    """A name that only one item has ties it to no other, and is left out."""
    count = Counter(name for names in sets for name in names)
    position = {name: place for place, name in enumerate(sorted(n for n, times in count.items() if times > 1))}
    rows = [(row, position[name]) for row, names in enumerate(sets) for name in names if name in position]
    row, place = np.array(rows, np.int64).reshape(-1, 2).T
    weight = np.array([np.log(len(sets) / count[name]) for name in position])
    return csr_matrix((weight[place], (row, place)), shape=(len(sets), len(position)))


def _bins(column: ItemColumn) -> csr_matrix:
    known = column.known()
    values = column.values[known].astype(np.float64)
    different, code = np.unique(values, return_inverse=True)
    where = np.flatnonzero(known)
    if len(different) <= BINS:
        codes = np.full(len(known), -1, np.int64)
        codes[where] = code
        return _one_hot(codes, len(different))
    place = (rankdata(values) - 0.5) / len(values) * (BINS - 1)  # 0 to BINS - 1
    low = np.minimum(place.astype(np.int64), BINS - 2)
    share = place - low
    index = (np.concatenate((where, where)), np.concatenate((low, low + 1)))
    return csr_matrix((np.concatenate((1 - share, share)), index), shape=(len(known), BINS))


def _one_hot(codes: NDArray[np.int64], count: int) -> csr_matrix:
    """1 at the code of each row, nothing where it is -1."""
    where = np.flatnonzero(codes >= 0)
    return csr_matrix((np.ones(len(where)), (where, codes[where])), shape=(len(codes), count))
