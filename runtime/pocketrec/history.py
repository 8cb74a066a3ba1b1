"""A user's history, from what callers pass to the arrays that the ranker reads.

The rules hold in every engine and in the full model: weights are finite, repeated ids add up, sums are
clipped to ``[-max_weight, max_weight]``, zero removes, and a history longer than ``max_items`` keeps the
largest absolute weights, then the most recent (the later in the sequence).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pocketrec.errors import UsageError

ItemId: TypeAlias = str | int
HistoryLike: TypeAlias = Sequence[ItemId | tuple[ItemId, float]] | Mapping[ItemId, float]


class Lookup(Protocol):
    """Where ids are looked up."""

    def index(self, id: str) -> int:
        """The index of an item, or -1."""
        ...


@dataclass(frozen=True, slots=True)
class History:
    """What one call knows of its user.

    Attributes:
        index: int64 [H], distinct catalogue positions, in order of first appearance.
        weight: float32 [H], finite, never zero.
        seen: int64 [K], every known item, also one whose weight is zero or that was cut: it is not recommended.
        unknown: ids that the catalogue does not hold, in order of appearance.
        truncated: whether items or neighbour blocks were left out to stay within the package's budget.
        cause: int64 [H], what each item stands for: an item, or -1 - p for phrase p; None: for itself.
        phrases: what the user said in words.
    """

    index: NDArray[np.int64]
    weight: NDArray[np.float32]
    seen: NDArray[np.int64]
    unknown: tuple[str, ...] = ()
    truncated: bool = False
    cause: NDArray[np.int64] | None = None
    phrases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """Items with weights that are looked up already, for example by a profile; each item once.

    Attributes:
        index: int64 [N], catalogue positions, -1 where the catalogue lacks the item.
        weight: float64 [N], finite.
        unknown: ids of the items that it lacks.
    """

    index: NDArray[np.int64]
    weight: NDArray[np.float64]
    unknown: tuple[str, ...] = ()


NOTHING_KNOWN = Known(np.empty(0, np.int64), np.empty(0))


def resolve(
    history: HistoryLike,
    catalogue: Lookup,
    *,
    max_items: int,
    max_weight: float,
    strict: bool = False,
    known: Known = NOTHING_KNOWN,
) -> History:
    """The history as catalogue positions and weights.

    Args:
        history: ids, (id, weight) pairs, or a mapping of id to weight; a bare id weighs 1.
        catalogue: where ids are looked up.
        max_items: the most items to keep.
        max_weight: bound of the absolute weight.
        strict: raise on an unknown id instead of reporting it.
        known: what comes before the history; weights of the same item add up.

    Raises:
        UsageError: not a sequence or mapping of that form, a weight that is not finite, or an unknown id
            while ``strict``.
    """
    summed: dict[int, float] = {}
    unknown: dict[str, None] = dict.fromkeys(known.unknown)
    for item, weight in _pairs(history):
        index = catalogue.index(item)
        if index < 0:
            unknown[item] = None
        else:
            summed[index] = summed.get(index, 0.0) + weight
    if unknown and strict:
        listed = ", ".join(repr(item) for item in list(unknown)[:5])
        raise UsageError(f"{len(unknown)} history ids are not in the catalogue: {listed}; pass strict=False to ignore")
    seen, total = _added(known, summed)
    weight32 = np.clip(total, -max_weight, max_weight).astype(np.float32)
    kept = np.flatnonzero(weight32)
    truncated = len(kept) > max_items
    if truncated:
        kept = kept[strongest(np.abs(weight32[kept]), max_items)]
    return History(index=seen[kept], weight=weight32[kept], seen=seen, unknown=tuple(unknown), truncated=truncated)


def _added(known: Known, summed: dict[int, float]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Distinct positions in order of first appearance, and the sum of each."""
    held = known.index >= 0
    index, total = known.index[held], known.weight[held]
    for item in list(summed) if len(index) else ():
        place = np.flatnonzero(index == item)
        if len(place):
            total[place[0]] += summed.pop(item)
    new = np.array(list(summed), np.int64), np.array(list(summed.values()), np.float64)
    return np.concatenate((index, new[0])), np.concatenate((total, new[1]))


def strongest(size: NDArray[np.float32], n: int) -> NDArray[np.int64]:
    """Ascending places of the n largest; of equal ones the later."""
    border = np.partition(size, len(size) - n)[len(size) - n]
    above = np.flatnonzero(size > border)
    level = np.flatnonzero(size == border)
    return np.sort(np.concatenate((above, level[len(level) - (n - len(above)) :])))


def _pairs(history: HistoryLike) -> Iterable[tuple[str, float]]:
    if isinstance(history, (str, bytes)) or not isinstance(history, (Sequence, Mapping)):
        raise UsageError(
            f"a history is a sequence of ids or (id, weight) pairs, or a mapping; got {type(history).__name__}"
        )
    entries: Iterable[object] = history.items() if isinstance(history, Mapping) else history
    for position, entry in enumerate(entries):
        item, weight = entry if isinstance(entry, (tuple, list)) and len(entry) == 2 else (entry, 1.0)
        if isinstance(item, bool) or not isinstance(item, (str, int, np.integer)):
            raise UsageError(f"history[{position}] is {entry!r}; expected an id or an (id, weight) pair")
        try:
            value = float(weight)
        except (TypeError, ValueError, OverflowError) as error:
            raise UsageError(f"the weight of history[{position}] is {weight!r}; expected a number") from error
        if not math.isfinite(value):
            raise UsageError(f"the weight of history[{position}] is {weight!r}; expected a finite number")
        yield str(item), value


@dataclass(frozen=True, slots=True)
class Blocks:
    """The blocks of a sparse table that a history or a query touches, in its order.

    Attributes:
        index: int64 [N], rows of the block table.
        weight: float32 [N], the weight of the history item or word, times the scale of its row.
        owner: int64 [N], the position in the history or query that a block belongs to.
        truncated: whether the budget left blocks out.
    """

    index: NDArray[np.int64]
    weight: NDArray[np.float32]
    owner: NDArray[np.int64]
    truncated: bool


NO_BLOCKS = Blocks(np.empty(0, np.int64), np.empty(0, np.float32), np.empty(0, np.int64), False)


def gather_blocks(
    index: NDArray[np.int64],
    weight: NDArray[np.float32],
    start: NDArray[np.uint32],
    scale: NDArray[np.float32],
    *,
    budget: int,
) -> Blocks:
    """The blocks of some rows of a sparse table; beyond ``budget`` the weakest rows lose theirs first.

    Args:
        index: int64 [H], rows: the history items, or the words of a query.
        weight: float32 [H], of each of them.
        start: uint32 [R + 1], the first block of each row.
        scale: float32 [R], the scale of each row.
        budget: the most blocks of one call. Rows give up blocks in the order in which a long history is
            cut: smallest absolute weight, then the least recent; inside a row the weakest entries come last.
    """
    first = start[index].astype(np.int64)
    count = start[index + 1].astype(np.int64) - first
    truncated = bool(count.sum() > budget)
    if truncated:
        order = np.lexsort((-np.arange(len(count)), -np.abs(weight)))
        before = np.cumsum(count[order]) - count[order]
        count[order] = np.clip(budget - before, 0, count[order])
    total = int(count.sum())
    offset = np.cumsum(count) - count
    owner = np.repeat(np.arange(len(count)), count)
    block = np.arange(total) + (first - offset)[owner]
    return Blocks(block, (weight * scale[index])[owner], owner, truncated)
