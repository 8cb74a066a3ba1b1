"""Ranks added items: every signal in host code, as the engine computes it for the package's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pocketrec.engine import RankerOutput
from pocketrec.history import History
from pocketrec.overlay import Overlay, Placed
from pocketrec.package import Package
from pocketrec.placing import F32

if TYPE_CHECKING:
    from pocketrec.ranking import Call

SLACK = 1e-4
"""How far a score may be off before it is worked out signal by signal, relative to the largest."""


def merged_with_added(package: Package, overlay: Overlay, call: Call, own: RankerOutput, n: int) -> RankerOutput:
    """The n best of the package's own, which are ranked, and of the eligible added ones; ties by index.

    An added item has no popularity, boost or attribute vector; its other signals are products in float32 and, for
    neighbours, sums in float64, in any order. Lengths alone, then one product with all weights, say which added items
    can be in the list at all: most calls read no vector of theirs, which would cost more than all the rest. Only for
    those that can, each signal is worked out, and the score is their sum in signal order.
    """
    border = -np.inf if n > len(own.index) else _border(float(own.score[-1]), float(own.score[0]))
    with np.errstate(over="ignore", invalid="ignore"):  # who asked looks at the scores, as with an engine
        parts = _parts(package, overlay, call)
        within = ~(parts.bound(overlay) < border)  # what is not a number passes, so that it is noticed
        rows = np.flatnonzero(within & call.task.mask[call.view.own :])
        if not len(rows):
            return own
        rough = parts.total(overlay, rows)
        if len(rows) > n:  # only the best n of them can matter
            least = float(np.partition(rough, len(rows) - n)[len(rows) - n])
            border = max(border, _border(least, least))
        rows = rows[~(rough < border)]
        if not len(rows):
            return own
        signals = parts.signals(rows, package.manifest.signals.names)
        score = np.add.accumulate(signals, axis=0)[-1]
    every = np.concatenate((own.score, score))
    order = np.argsort(-every, kind="stable")[:n]
    index = np.concatenate((own.index, rows + package.manifest.catalogue.items))[order]
    return RankerOutput(index, every[order], np.concatenate((own.signals, signals), axis=1)[:, order])


def _border(least: float, most: float) -> float:
    """What a rough score has to reach to be worth a second look, where exact ones go from ``least`` to ``most``."""
    return least - SLACK * max(1.0, abs(least), abs(most))


@dataclass(frozen=True, slots=True)
class _Parts:
    """What the signals of added items are made of, weights multiplied in.

    Attributes:
        placed: where they stand.
        vectors: signal -> float32 [D] or [d], what their vectors or factors are multiplied with.
        sums: signal -> float32 [N].
    """

    placed: Placed
    vectors: Mapping[str, F32]
    sums: Mapping[str, F32]

    def bound(self, overlay: Overlay) -> F32:
        """What no item's score exceeds, but for rounding, float32 [N]: an inner product is at most the two lengths."""
        text, factors = self._weights(overlay)
        lengths = np.array([np.linalg.norm(text), np.linalg.norm(factors)], np.float32)
        most: F32 = lengths @ overlay.lengths
        for part in self.sums.values():
            most += part
        return most

    def total(self, overlay: Overlay, rows: NDArray[np.int64]) -> F32:
        """The score of some items, float32 [R], but for rounding: one product with texts and factors side by side."""
        total: F32 = overlay.beside[rows] @ np.concatenate(self._weights(overlay))
        for part in self.sums.values():
            total += part[rows]
        return total

    def _weights(self, overlay: Overlay) -> tuple[F32, F32]:
        """float32 [D] and [d]: what texts and factors are multiplied with, all signals together."""
        text = [vector for name, vector in self.vectors.items() if name != "factors"]
        empty = np.zeros(overlay.beside.shape[1], np.float32)
        width = self.placed.vectors.shape[1]
        return (
            text[0] if len(text) == 1 else np.sum(text, axis=0) if text else empty[:width],
            self.vectors.get("factors", empty[width:]),
        )

    def signals(self, rows: NDArray[np.int64], names: Sequence[str]) -> F32:
        """float32 [S, R]: each signal of some items."""
        signals = np.zeros((len(names), len(rows)), np.float32)
        for place, name in enumerate(names):
            if name in self.vectors:
                table = self.placed.factors if name == "factors" else self.placed.vectors
                signals[place] = table[rows] @ self.vectors[name]
            elif name in self.sums:
                signals[place] = self.sums[name][rows]
        return signals


def _parts(package: Package, overlay: Overlay, call: Call) -> _Parts:
    task, names = call.task, package.manifest.signals.names
    history, weight = task.history, dict(zip(names, call.weights, strict=True))
    vectors: dict[str, F32] = {}
    sums: dict[str, F32] = {}
    if len(history.index):
        if weight.get("content"):
            vectors["content"] = weight["content"] * (history.weight @ package.dense_rows("text", history.index))
        if weight.get("neighbours"):
            sums["neighbours"] = weight["neighbours"] * overlay.neighbours(history)
        settings = package.manifest.signals.factors
        if settings is not None and weight["factors"]:
            rows = package.dense_rows("factors", history.index)
            vectors["factors"] = weight["factors"] * user_factors(rows, history.weight, alpha=settings.alpha)
    if len(call.vector) and weight.get("semantic"):
        vectors["semantic"] = weight["semantic"] * call.vector[0]
    matches = None if task.query is None else task.query.matches
    if matches is not None and overlay.words is not None and weight.get("lexical"):
        term = package.manifest.blend[task.mode].get("lexical")
        sums["lexical"] = weight["lexical"] * overlay.words.scores(matches, power=term.power if term else 0.0)
    return _Parts(overlay.placed, vectors, sums)


def user_factors(rows: F32, weight: F32, *, alpha: float) -> F32:
    """The user's factors float32 [d], solved exactly where engines take steps towards it.

    (I + V^T (K - I) V) u = V^T k with k the confidences of what is liked has u = V^T z with
    (I + (K - I) V V^T) z = k: the smaller of the two systems is solved.

    Args:
        rows: V, float32 [H, d], whitened factors of the history.
        weight: float32 [H].
        alpha: confidence of weight 1.
    """
    confidence = np.float32(alpha) * np.abs(weight)
    liked = np.where(weight > 0, confidence, np.float32(0))
    extra = confidence - np.float32(1)
    count, width = rows.shape
    try:
        if count < width:
            system = extra[:, None] * (rows @ rows.T)
            system.ravel()[:: count + 1] += np.float32(1)  # the diagonal
            return np.asarray(np.linalg.solve(system, liked) @ rows, np.float32)
        system = (rows.T * extra) @ rows
        system.ravel()[:: width + 1] += np.float32(1)
        return np.asarray(np.linalg.solve(system, liked @ rows), np.float32)
    except np.linalg.LinAlgError:  # no real package: whitened rows keep the system positive definite
        return np.zeros(width, np.float32)


def added_parts(package: Package, overlay: Overlay, shown: NDArray[np.int64], history: History) -> NDArray[np.float64]:
    """float64 [K, H]: what each history item adds to the neighbours of those shown that were added; 0 for others."""
    own = package.manifest.catalogue.items
    parts = np.zeros((len(shown), len(history.index)))
    for row, item in enumerate(shown.tolist()):
        if item >= own:
            parts[row] = overlay.neighbour_parts(item - own, history)
    return parts
