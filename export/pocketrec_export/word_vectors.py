"""Texts as the words they hold, weighed by rarity: how alike two texts are in whom and what they name."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

_WORD = re.compile(r"\w+")


def word_vectors(texts: Sequence[str], *, known: NDArray[np.int64]) -> sparse.csr_array[np.float32]:
    """Unit rows csr float32[N, V] of (1 + log count) * log((K + 1) / (items of ``known`` with the word + 1)).

    Args:
        texts: N texts; one without words is a zero row.
        known: K rows that say how rare a word is; a word that fewer than two of them have ties nothing together.
    """
    vocabulary: dict[str, int] = {}
    lists = [[vocabulary.setdefault(w, len(vocabulary)) for w in _WORD.findall(text.casefold())] for text in texts]
    column = np.array([word for words in lists for word in words], np.int64)
    start = np.cumsum([0, *map(len, lists)])
    table = sparse.csr_array((np.ones(len(column)), column, start), shape=(len(texts), max(1, len(vocabulary))))
    table.sum_duplicates()
    having = np.bincount(table[known].indices, minlength=table.shape[1])
    rarity = np.where(having > 1, np.log((len(known) + 1) / (having + 1)), 0.0)
    table.data = (1 + np.log(table.data)) * rarity[table.indices]
    length = np.sqrt(np.asarray(table.multiply(table).sum(axis=1)).ravel())
    table.data /= np.repeat(np.where(length > 0, length, 1.0), np.diff(table.indptr))
    table.eliminate_zeros()
    return table.astype(np.float32)
