"""The known words that an unknown one may have been meant for: one or two slips away, completed, or run together.

Nothing is stored in the package: the first unknown word makes a 64-bit signature of each word, the set of its pairs of
neighbouring bytes. A slip changes few pairs, so the words whose signature differs least are few, and only they are
compared letter by letter. The work is bounded whatever the vocabulary holds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pocketrec.strings import SortedStrings

SLIP_WEIGHT = (1.0, 0.8, 0.5)
"""What a word counts for by the number of slips; a completed or divided one counts as with one slip."""
MAX_MEANT = 4
"""The most words that one is taken for."""
SHORTEST, LONG = 3, 8
"""Words with fewer letters are left alone; longer ones may have two slips."""
COMPARED = 32
"""Words that are compared letter by letter for one slip; half as many for two, which take longer."""
COMPLETED = 512
"""Words with the same beginning that are looked at."""
_PAIRS_CHANGED = 6
"""The most pairs of bytes that one slip takes away and adds, in ASCII: two letters in turned order."""


class Spelling:
    """Guesses over a sorted vocabulary. Safe to share between threads.

    Args:
        words: W words in order.
        frequency: int64[W], a measure of how many items each word is in.
    """

    def __init__(self, words: SortedStrings, frequency: NDArray[np.int64]) -> None:
        self._words = words
        self._frequency = np.maximum(frequency, 1)
        self._length = np.diff(words.offset).astype(np.int64)
        self._signature: NDArray[np.uint64] | None = None

    def meant(self, word: str, *, unfinished: bool = False) -> list[tuple[int, float]]:
        """Rows of known words and their weights below 1, the likeliest first; empty where nothing is near.

        Args:
            word: one that the vocabulary does not hold.
            unfinished: whether it may be the beginning of a word.
        """
        if len(word) < SHORTEST:
            return []
        near = dict.fromkeys(self._completed(word), 1) if unfinished else {}
        changed = self._changed(word)
        near |= self._slipped(word, 1, changed)
        if not near:
            near = dict.fromkeys(self._divided(word), 1)
            if near:
                return [(row, SLIP_WEIGHT[1]) for row in near]  # both halves were meant
        if not near and len(word) >= LONG:
            near = self._slipped(word, 2, changed)
        rows = sorted(near, key=lambda row: (near[row], -self._frequency[row], row))[:MAX_MEANT]
        if not rows:
            return []
        most = float(self._frequency[rows].max())
        return [(row, SLIP_WEIGHT[near[row]] * float(np.sqrt(self._frequency[row] / most))) for row in rows]

    def _slipped(self, word: str, slips: int, changed: NDArray[np.integer]) -> dict[int, int]:
        """Rows at that distance or nearer, with it; ``changed`` as of `_changed`."""
        size = len(word.encode("utf-8", "surrogatepass"))
        bytes_changed = slips if word.isascii() else 4 * slips
        near = (changed <= _PAIRS_CHANGED * bytes_changed) & (np.abs(self._length - size) <= bytes_changed)
        rows = np.flatnonzero(near)
        # Fewest changed pairs first, then the most frequent: one key, as sorting by two takes twice as long.
        key = changed[rows] * np.int64(1 << 32) - self._frequency[rows]
        found = {}
        for row in rows[np.argsort(key, kind="stable")[: COMPARED // slips]].tolist():
            apart = distance(word, self._words[row], limit=slips)
            if apart <= slips:
                found[row] = apart
        return found

    def _changed(self, word: str) -> NDArray[np.integer]:
        """How many pairs of bytes each word has that this one has not, or the other way round: int[W]."""
        if self._signature is None:  # two threads may both do this; the results are equal
            self._signature = signatures(self._words.offset, self._words.text)
        raw = np.frombuffer(word.encode("utf-8", "surrogatepass"), np.uint8)
        return _bit_count(self._signature ^ signatures(np.array([0, len(raw)], np.uint32), raw)[0])

    def _completed(self, word: str) -> list[int]:
        """Rows of the most frequent words that begin with it."""
        first = self._words.first(word)
        last = min(self._words.first(word, beyond=True), first + COMPLETED)
        rows = np.arange(first, last)
        return [int(row) for row in rows[np.lexsort((rows, -self._frequency[rows]))[:MAX_MEANT]]]

    def _divided(self, word: str) -> list[int]:
        """Two rows that stand in it without a space; of several pairs the one whose rarer half is most frequent."""
        best: int = 0
        chosen: list[int] = []
        for at in range(2, min(len(word), 24) - 1):
            left = self._words.find(word[:at])
            right = self._words.find(word[at:]) if left >= 0 else -1
            if right >= 0 and (rarer := int(self._frequency[[left, right]].min())) > best:
                best, chosen = rarer, [left, right]
        return chosen


def signatures(offset: NDArray[np.uint32], text: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """uint64[W]: a bit for each pair of neighbouring bytes of a word, the ends counting as byte 0.

    Args:
        offset: uint32[W + 1], where each word begins.
        text: uint8[bytes] of all words.
    """
    start, stop = offset[:-1].astype(np.int64), offset[1:].astype(np.int64)
    row = np.repeat(np.arange(len(start)), stop - start)
    before = np.zeros(len(text), np.uint32)
    before[1:] = text[:-1]
    before[start[start < stop]] = 0
    result = np.zeros(len(start), np.uint64)
    np.bitwise_or.at(result, row, _bit(before, text.astype(np.uint32)))
    filled = np.flatnonzero(start < stop)
    result[filled] |= _bit(text[stop[filled] - 1].astype(np.uint32), np.uint32(0))
    return result


def _bit(left: NDArray[np.uint32], right: NDArray[np.uint32] | np.uint32) -> NDArray[np.uint64]:
    mixed = (left * np.uint32(257) + right) * np.uint32(0x9E3779B1)  # wraps: Fibonacci hashing
    return np.left_shift(np.uint64(1), (mixed >> np.uint32(26)).astype(np.uint64))


def _bit_count(x: NDArray[np.uint64]) -> NDArray[np.integer]:
    if hasattr(np, "bitwise_count"):  # numpy 2
        counted: NDArray[np.integer] = np.bitwise_count(x)
        return counted
    x = x - ((x >> np.uint64(1)) & np.uint64(0x5555555555555555))
    x = (x & np.uint64(0x3333333333333333)) + ((x >> np.uint64(2)) & np.uint64(0x3333333333333333))
    x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (x * np.uint64(0x0101010101010101)) >> np.uint64(56)


def distance(a: str, b: str, *, limit: int) -> int:
    """Slips between two words: letters added, missing, changed, or two turned around; beyond ``limit`` it is limit + 1.

    Source: Damerau 1964, restricted to edits that do not overlap (optimal string alignment).
    """
    if abs(len(a) - len(b)) > limit:
        return limit + 1
    first = 0
    while first < len(a) and first < len(b) and a[first] == b[first]:
        first += 1
    last = 0
    while last < min(len(a), len(b)) - first and a[-1 - last] == b[-1 - last]:
        last += 1
    a, b = a[first : len(a) - last], b[first : len(b) - last]
    if not a or not b:
        return len(a) + len(b)
    if limit == 1 and max(len(a), len(b)) > 2:
        return limit + 1
    above: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        two_above, above, row = above, row, [i]
        for j, y in enumerate(b, 1):
            cost = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, two_above[j - 2] + 1)
            row.append(cost)
        if min(row) > limit and (not above or min(above) >= limit):
            return limit + 1
    return min(row[-1], limit + 1)
