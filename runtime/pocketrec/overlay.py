"""The overlay: items added on the device, scored in host code by the formula of the package.

An added item has a text vector, factors and the neighbours of the items that it is near to (see `placing`), all worked
out once, when it is added. Its index follows the package's own, so that histories, filters and lists hold both kinds.
An overlay is a value: adding makes another one, and whoever ranks goes on with the one that they began with.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from pocketrec.added import AddedColumns, AddedItem
from pocketrec.catalogue import Catalogue
from pocketrec.folding import folding
from pocketrec.history import History
from pocketrec.overlay_words import AddedWords
from pocketrec.package import Package
from pocketrec.placing import F32, Near, Placer

MAX_ITEMS = 10_000
KEEP = 100
"""Sources kept of each item's neighbours, the strongest."""


@dataclass(frozen=True, slots=True)
class Placed:
    """Where N added items stand.

    Attributes:
        vectors: float32 [N, D], unit, zero without text.
        near: the package's items that they are most like.
        factors: float32 [N, d].
        source: int64 [N, KEEP], history items that speak for them.
        strength: float32 [N, KEEP], S of source and item; 0 where there are fewer.
    """

    vectors: F32
    near: Near
    factors: F32
    source: NDArray[np.int64]
    strength: F32

    def __len__(self) -> int:
        return len(self.vectors)

    def take(self, rows: NDArray[np.int64]) -> Placed:
        """Some of them."""
        near = Near(self.near.index[rows], self.near.weight[rows])
        return Placed(self.vectors[rows], near, self.factors[rows], self.source[rows], self.strength[rows])

    def with_more(self, other: Placed) -> Placed:
        """These, then the others."""
        near = (np.concatenate([getattr(p.near, f.name) for p in (self, other)]) for f in fields(Near))
        rest = ("vectors", "factors", "source", "strength")
        vectors, factors, source, strength = (
            np.concatenate([getattr(self, name), getattr(other, name)]) for name in rest
        )
        return Placed(vectors, Near(*near), factors, source, strength)


class Overlay:
    """N added items, ready to be ranked.

    Attributes:
        items: as they were added.
        catalogue: their ids, titles and attributes; row 0 is the first added item.
        placed: where they stand.
        beside: float32 [N, D + d], their vectors and factors side by side, as one product reads them.
        lengths: float32 [2, N], of vectors and of factors.
        checksum: of their ids.
    """

    def __init__(
        self,
        items: Sequence[AddedItem],
        placed: Placed,
        *,
        package: Package,
    ) -> None:
        self.items = tuple(items)
        self.placed = placed
        self.beside = np.concatenate((placed.vectors, placed.factors), axis=1)
        self.lengths = np.stack([np.linalg.norm(table, axis=1) for table in (placed.vectors, placed.factors)])
        self.catalogue = Catalogue(AddedColumns(self.items, package.attributes))
        self.checksum = zlib.crc32("\0".join(item.item for item in self.items).encode())
        # The neighbours by source, as the history asks for them.
        held = placed.strength != 0
        source = placed.source[held]
        order = np.argsort(source, kind="stable")
        self._package = package
        self._words: AddedWords | None = None
        self._start = np.concatenate(([0], np.cumsum(np.bincount(source, minlength=package.manifest.catalogue.items))))
        self._target = np.nonzero(held)[0][order]
        self._strength = placed.strength[held][order]

    def __len__(self) -> int:
        return len(self.items)

    @property
    def words(self) -> AddedWords | None:
        """Their words, None where the package has no word table."""
        if self._words is None and self._package.manifest.signals.lexical:
            self._words = AddedWords(self._package, self.items)  # two threads may both do this; the results are equal
        return self._words

    def rows(self, table: str, index: NDArray[np.int64]) -> F32 | float:
        """float32 [R, D] rows of ``text`` or ``factors``; 0 of another table."""
        tables = {"text": self.placed.vectors, "factors": self.placed.factors}
        return tables[table][index] if table in tables else 0.0

    def neighbours(self, history: History) -> F32:
        """x(i) = sum_j c_j S_ji, float32 [N]; summed in float64."""
        at, owner = self._entries(history)
        product = self._strength[at] * history.weight[owner]
        return np.bincount(self._target[at], product, len(self)).astype(np.float32)

    def neighbour_parts(self, row: int, history: History) -> NDArray[np.float64]:
        """What each history item adds to the neighbours of one item, float64 [H]."""
        at, owner = self._entries(history)
        mine = self._target[at] == row
        product = self._strength[at[mine]].astype(np.float64) * history.weight[owner[mine]]
        return np.bincount(owner[mine], product, len(history.index)).astype(np.float64)

    def _entries(self, history: History) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Places of the entries that a history touches, and the history item of each."""
        first, last = self._start[history.index], self._start[history.index + 1]
        count = last - first
        owner = np.repeat(np.arange(len(count)), count)
        return np.arange(len(owner)) + (last - np.cumsum(count))[owner], owner


class OverlayBuilder:
    """Places items and makes overlays of one package. Safe to share between threads."""

    def __init__(self, package: Package, placer: Placer) -> None:
        self._package, self._placer = package, placer
        self._folded = folding(package)
        self._by_target: tuple[NDArray[np.int64], NDArray[np.int64], F32] | None = None

    def overlay(self, items: Sequence[AddedItem], placed: Placed) -> Overlay:
        """An overlay of N items."""
        return Overlay(items, placed, package=self._package)

    def place(self, items: Sequence[AddedItem], vectors: F32 | None = None) -> Placed:
        """Where items stand; ``vectors`` float32 [N, D] if the package's encoder has already read them."""
        texts = [item.encoder_text(self._folded) for item in items]
        encoded = self._placer.encode(texts) if vectors is None else vectors
        near = self._placer.near(encoded, texts)
        source, strength = self._sources(near)
        return Placed(encoded, near, self._placer.factors(encoded, near), source, strength)

    def _sources(self, near: Near) -> tuple[NDArray[np.int64], F32]:
        """The strongest `KEEP` of sum_k w_k S_jk over the near items k, for each row."""
        shape = len(near.index), KEEP
        found, strength = np.zeros(shape, np.int64), np.zeros(shape, np.float32)
        if not self._package.has("neighbours/value"):
            return found, strength
        start, source, value = self._targets()
        scale = np.float32(self._placer.info.neighbours)
        items = int(source.max(initial=0)) + 1
        for row, (near_index, weight) in enumerate(zip(near.index, near.weight, strict=True)):
            first = start[near_index]
            count = start[near_index + 1] - first
            at = np.arange(count.sum()) + np.repeat(first - (np.cumsum(count) - count), count)
            total = np.bincount(source[at], value[at] * np.repeat(weight * scale, count), items)
            held = np.flatnonzero(total)
            if len(held) > KEEP:
                held = np.sort(held[np.argpartition(-np.abs(total[held]), KEEP - 1)[:KEEP]])
            found[row, : len(held)], strength[row, : len(held)] = held, total[held]
        return found, strength

    def _targets(self) -> tuple[NDArray[np.int64], NDArray[np.int64], F32]:
        """The neighbour table by target: where each item's entries start, their sources and values."""
        if self._by_target is None:  # two threads may both do this; the results are equal
            array = self._package.array
            value = array("neighbours/value")
            held = value.ravel() != 0
            first = array("neighbours/start").astype(np.int64)
            row = np.repeat(np.arange(len(first) - 1), first[1:] - first[:-1])
            source = np.repeat(row, value.shape[1])[held]
            target = array("neighbours/index").ravel()[held]
            order = np.argsort(target, kind="stable")  # of 16 bits: a radix sort
            count = np.bincount(target, minlength=self._package.manifest.catalogue.items)
            strength = (value.ravel()[held] * array("neighbours/scale")[source]).astype(np.float32)
            self._by_target = np.concatenate(([0], np.cumsum(count))), source[order], strength[order]
        return self._by_target


def changed(
    builder: OverlayBuilder, before: Overlay | None, new: Sequence[AddedItem], removed: Iterable[str] = ()
) -> Overlay | None:
    """The overlay without some ids and with new items at its end, which replace those of the same id; None if empty."""
    gone = {*removed, *(item.item for item in new)}
    items = () if before is None else before.items
    kept = np.array([row for row, item in enumerate(items) if item.item not in gone], np.int64)
    parts = [] if before is None or not len(kept) else [before.placed.take(kept)]
    parts += [builder.place(new)] if new else []
    if not parts:
        return None
    placed = parts[0] if len(parts) == 1 else parts[0].with_more(parts[1])
    return builder.overlay([*(items[row] for row in kept.tolist()), *new], placed)
