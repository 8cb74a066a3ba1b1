"""From a ranked pool to the list that is shown: diversity, quotas, floors, no duplicates.

One greedy pass. Each place goes to the candidate with the largest

    (1 - diversity) * relevance  -  diversity * (similarity to the places before it)

among those that the constraints allow. Relevance is the score, 1 for the best and 0 for the last of the first pool.
Similarity is the sum of the cosines to the last nine places over nine: the maximum of Carbonell and Goldstein 1998
(MMR) lost more accuracy for the same distance between the items of a list on every validation set; the sum is the
greedy rule for max-sum diversification (Borodin, Lee and Ye 2012).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pocketrec.errors import UsageError

POOL, POOL_FACTOR = 100, 4
"""The first pool holds max(POOL, POOL_FACTOR * k) items. While the list is not full, it grows by that factor."""
MAX_POOL = 10_000
"""A pool grows up to this many items; what lies deeper is never shown in place of a better one."""
MAX_K = 1_000
"""The longest list that is reranked: the work grows with its square. Pages go on from there."""
WINDOW = 9
"""How many places back similarity looks: a list of ten as a whole, a longer one piece by piece."""
SAME_TEXT = 0.98
"""Texts with a cosine of at least this are one text."""

Shares = Mapping[str, Mapping[str, float]]
"""Attribute -> value -> the least share of the places that items with this value get."""


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_share(value: object) -> bool:
    return _is_number(value) and 0 <= value <= 1  # type: ignore[operator]


@dataclass(frozen=True, slots=True)
class Display:
    """What the list should look like; the default is the ranking itself.

    Attributes:
        diversity: 0 to 1.
        max_per: attribute -> how many items of one value a list may hold.
        distinct: leave out items with the title or the text of an earlier one.
        min_share: see `Shares`. Of the first r places at least floor(share * r) are theirs, as far as there are such
            items (Geyik, Ambler and Kenthapadi 2019).

    Raises:
        UsageError: a value outside its range.
    """

    diversity: float = 0.0
    max_per: Mapping[str, int] = field(default_factory=dict)
    distinct: bool = False
    min_share: Shares = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not _is_number(self.diversity) or not 0 <= self.diversity <= 1:
            raise UsageError(f"diversity is {self.diversity!r:.80}; expected 0 to 1")
        if not isinstance(self.distinct, bool):
            raise UsageError(f"distinct is {self.distinct!r:.80}; expected True or False")
        if not isinstance(self.max_per, Mapping) or not isinstance(self.min_share, Mapping):
            raise UsageError("max_per and min_share are mappings of attributes")
        for key, limit in self.max_per.items():
            if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
                raise UsageError(f"max_per[{key!r}] is {limit!r:.80}; expected an integer of 1 or more")
        for key, shares in self.min_share.items():
            if not isinstance(shares, Mapping) or not all(map(_is_share, shares.values())):
                raise UsageError(f"min_share[{key!r}] is {shares!r:.80}; expected value -> share from 0 to 1")
        if sum(share for shares in self.min_share.values() for share in shares.values()) > 1:
            raise UsageError("the shares of min_share add up to more than 1")

    @property
    def plain(self) -> bool:
        """Whether the list is the ranking itself."""
        return self == PLAIN

    @property
    def compares(self) -> bool:
        """Whether items are compared with each other, so that their vectors are needed."""
        return self.diversity > 0 or self.distinct

    @property
    def attributes(self) -> list[str]:
        """The attributes whose values are needed."""
        return list(dict.fromkeys((*self.max_per, *self.min_share)))


PLAIN = Display()
"""The ranking itself."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """The pool, best first.

    Attributes:
        score: float [P], non-increasing.
        vectors: float64 [P, D], unit length or zero; D may be 0 where nothing is compared.
        titles: P titles as `folding` gives them; empty where they do not matter.
        labels: attribute -> the values of each of the P items.
    """

    score: NDArray[np.floating]
    vectors: NDArray[np.float64]
    titles: Sequence[str] = ()
    labels: Mapping[str, Sequence[Sequence[str]]] = field(default_factory=dict)


def pool_size(k: int) -> int:
    """How many items the first pool of a list of k holds."""
    return max(POOL, POOL_FACTOR * k)


def unit(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Rows of length 1 in float64; a zero row stays zero."""
    wide: NDArray[np.float64] = rows.astype(np.float64)
    length = np.linalg.norm(wide, axis=1, keepdims=True)
    of_one: NDArray[np.float64] = np.divide(wide, length, out=np.zeros_like(wide), where=length > 0)
    return of_one


def choose(
    candidates: Candidates, k: int, display: Display, *, before: Candidates | None = None, last: bool = True
) -> NDArray[np.int64]:
    """Places of the candidates to show, in order; fewer than k where the constraints allow no more.

    Args:
        candidates: the pool.
        k: how many.
        display: what the list should look like.
        before: what earlier pages showed, in order: it counts for diversity and duplicates, not for quotas.
        last: whether the pool is all there is. Otherwise the list ends where a floor lacks its items.
    """
    wanted = (1 - display.diversity) * _relevance(candidates.score, pool_size(k))
    state = _State(candidates, display)
    if before is not None:
        state.open_with(before)
    places: list[int] = []
    while len(places) < k:
        allowed = state.allowed(len(places) + 1, last)
        if not allowed.any():
            break
        value = wanted - display.diversity / WINDOW * state.similarity()
        place = int(np.argmax(np.where(allowed, value, -np.inf)))
        places.append(place)
        state.take(place)
    return np.array(places, np.int64)


def _relevance(score: NDArray[np.floating], pool: int) -> NDArray[np.float64]:
    """float64 [P]: 1 for the best, 0 for the last of the first pool, below 0 beyond it."""
    exact: NDArray[np.float64] = score.astype(np.float64)
    if not len(exact):
        return exact
    low = exact[min(len(exact), pool) - 1]
    spread = exact[0] - low
    relevance: NDArray[np.float64] = (exact - low) / (spread if spread > 0 else 1.0)
    return relevance


class _State:
    """What the places taken so far leave open."""

    def __init__(self, candidates: Candidates, display: Display) -> None:
        self._candidates, self._display = candidates, display
        self._free = np.ones(len(candidates.score), np.bool_)
        self._taken: dict[tuple[str, str], int] = {}
        self._window: list[NDArray[np.float64]] = []
        self._floors = [
            (key, value, share, np.array([value in own for own in candidates.labels[key]], np.bool_))
            for key, shares in display.min_share.items()
            for value, share in shares.items()
        ]

    def open_with(self, before: Candidates) -> None:
        """Take what earlier pages showed into account."""
        if self._display.distinct:
            shown = {title for title in before.titles if title}
            self._free &= np.array([title not in shown for title in self._candidates.titles], np.bool_)
            if len(before.vectors):
                near = self._candidates.vectors @ before.vectors.T
                self._free &= near.max(axis=1) < SAME_TEXT
        if self._display.diversity:
            self._window = [self._candidates.vectors @ vector for vector in before.vectors[-WINDOW:]]

    def allowed(self, place: int, last: bool) -> NDArray[np.bool_]:
        """bool [P]: what may get this place, counted from 1."""
        for key, value, share, members in self._floors:
            if self._taken.get((key, value), 0) < int(share * place + 1e-9):
                owed = self._free & members
                if owed.any() or not last:
                    return owed
        return self._free

    def similarity(self) -> NDArray[np.float64] | float:
        """float64 [P]: summed over the window."""
        return np.sum(self._window, axis=0) if self._window else 0.0

    def take(self, place: int) -> None:
        """Give a place to a candidate."""
        candidates, display = self._candidates, self._display
        self._free[place] = False
        for key in display.attributes:
            for value in candidates.labels[key][place]:
                self._taken[key, value] = self._taken.get((key, value), 0) + 1
                if self._taken[key, value] == display.max_per.get(key):
                    self._free &= np.array([value not in own for own in candidates.labels[key]], np.bool_)
        if not display.compares:
            return
        near = candidates.vectors @ candidates.vectors[place]
        if display.distinct:
            self._free &= near < SAME_TEXT
            title = candidates.titles[place]
            if title:
                self._free &= np.array([other != title for other in candidates.titles], np.bool_)
        if display.diversity:
            self._window = [*self._window[-WINDOW + 1 :], near]
