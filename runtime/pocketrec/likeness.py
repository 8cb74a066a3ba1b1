"""How alike two items are in their words: the cosine of their impacts in the package's word table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pocketrec.analyzer import Analyzer
from pocketrec.history import gather_blocks
from pocketrec.strings import SortedStrings

if TYPE_CHECKING:
    from pocketrec.package import Package

F32 = NDArray[np.float32]

MAX_WORDS = 64
"""Different known words of a text that count, the first ones."""
LARGEST_CODE = np.float32(127)


class WordLikeness:
    """The words of a package, to compare new texts with its items. Safe to share between threads."""

    def __init__(self, package: Package) -> None:
        array = package.array
        self._analyzer = Analyzer(array)
        self._words = SortedStrings(array("lexical/word.offset"), array("lexical/word.text"))
        self._start, self._scale = array("lexical/start"), array("lexical/scale")
        self._index, self._value = array("lexical/index"), array("lexical/value")
        self._items = package.manifest.catalogue.items
        self._length: F32 | None = None

    def of(self, texts: Sequence[str], items: int) -> F32:
        """float32 [N, items]: the cosine of each text and each of the first items; 0 without a common word.

        A word of a text has the largest impact that the table knows of it.
        """
        rows = self._rows(texts)
        index = np.array([row for found in rows for row in found], np.int64)
        text = np.repeat(np.arange(len(texts)), [len(found) for found in rows])
        weight = LARGEST_CODE * self._scale[index]
        blocks = gather_blocks(index, weight, self._start, self._scale, budget=len(self._index) * len(texts))
        cell = text[blocks.owner, None] * self._items + self._index[blocks.index]
        product = self._value[blocks.index] * blocks.weight[:, None]
        shape = len(texts), self._items
        dots = np.bincount(cell.ravel(), product.ravel(), shape[0] * shape[1]).astype(np.float32).reshape(shape)
        own = np.sqrt(np.bincount(text, np.square(weight), len(texts))).astype(np.float32)
        length = own[:, None] * self._lengths()[:items]
        alike = dots[:, :items]
        cosine: F32 = np.divide(alike, length, out=np.zeros_like(length), where=length > 0)
        return cosine

    def _rows(self, texts: Sequence[str]) -> list[list[int]]:
        """Rows of the different words of each text that the table knows."""
        known: dict[str, int] = {}
        found = []
        for text in texts:
            rows: dict[int, None] = {}
            for word in self._analyzer.words(text):
                row = known.get(word)
                if row is None:
                    row = known[word] = self._words.find(word)
                if row >= 0:
                    rows[row] = None
            found.append(list(rows)[:MAX_WORDS])
        return found

    def _lengths(self) -> F32:
        """float32 [I]: the root of the sum of an item's squared impacts."""
        if self._length is None:  # two threads may both do this; the results are equal
            first = self._start.astype(np.int64)
            scale = np.repeat(self._scale, first[1:] - first[:-1])
            impact = self._value * scale[:, None]
            square = np.bincount(self._index.ravel(), np.square(impact).ravel(), self._items)
            self._length = np.sqrt(square).astype(np.float32)
        return self._length
