"""How alike two items are in their words: the cosine of their impacts in the package's word table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketrec.analyzer import Analyzer
from pocketrec.history import gather_blocks
from pocketrec.strings import StringTable

F32 = NDArray[np.float32]

MAX_WORDS = 64
"""Different known words of a text that count, the first ones."""
LARGEST_CODE = np.float32(127)


class WordLikeness:
    """The words of a package, to compare new texts with its items. Safe to share between threads.

    Args:
        array: gives the package's array of a name.
        items: how many items it has.
    """

    def __init__(self, array: Callable[[str], NDArray[Any]], items: int) -> None:
        self._analyzer = Analyzer(array)
        self._words = StringTable(array("lexical/word.offset"), array("lexical/word.text"))
        self._start, self._scale = array("lexical/start"), array("lexical/scale")
        self._index, self._value = array("lexical/index"), array("lexical/value")
        self._items = items
        self._read: tuple[dict[str, int], F32] | None = None

    def of(self, texts: Sequence[str], items: int) -> F32:
        """float32 [N, items]: the cosine of each text and each of the first items; 0 without a common word.

        A word of a text has the largest impact that the table knows of it.
        """
        known, length = self._table()
        rows = [self._rows(text, known) for text in texts]
        index = np.array([row for found in rows for row in found], np.int64)
        text = np.repeat(np.arange(len(texts)), [len(found) for found in rows])
        weight = LARGEST_CODE * self._scale[index]
        blocks = gather_blocks(index, weight, self._start, self._scale, budget=len(self._index) * len(texts))
        # Items beyond the first share one more column, which is dropped.
        column = np.minimum(self._index[blocks.index], items).astype(np.int64)
        cell = column + text[blocks.owner, None] * (items + 1)
        product = self._value[blocks.index] * blocks.weight[:, None]
        dots = np.bincount(cell.ravel(), product.ravel(), len(texts) * (items + 1)).reshape(len(texts), items + 1)
        own = np.sqrt(np.bincount(text, np.square(weight), len(texts)))
        cosine: F32 = dots[:, :items].astype(np.float32)
        cosine *= np.divide(1, own, out=np.zeros_like(own), where=own > 0).astype(np.float32)[:, None]
        cosine *= np.divide(1, length[:items], out=np.zeros(items, np.float32), where=length[:items] > 0)
        return cosine

    def _rows(self, text: str, known: dict[str, int]) -> list[int]:
        """Rows of the different words of a text that the table knows."""
        words = dict.fromkeys(self._analyzer.words(text))
        return [known[word] for word in words if word in known][:MAX_WORDS]

    def _table(self) -> tuple[dict[str, int], F32]:
        """The row of every word; float32 [I], the root of the sum of an item's squared impacts."""
        if self._read is None:  # two threads may both do this; the results are equal
            first = self._start.astype(np.int64)
            scale = np.repeat(self._scale, first[1:] - first[:-1])
            impact = self._value * scale[:, None]
            square = np.bincount(self._index.ravel(), np.square(impact).ravel(), self._items)
            self._read = {word: row for row, word in enumerate(self._words)}, np.sqrt(square).astype(np.float32)
        return self._read
