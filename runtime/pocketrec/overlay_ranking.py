"""Ranks added items: every signal in host code, as the engine computes it for the package's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pocketrec.engine import RankerOutput
from pocketrec.history import History
from pocketrec.overlay import Overlay
from pocketrec.package import Package
from pocketrec.placing import F32

if TYPE_CHECKING:
    from pocketrec.ranking import Call


def best_added(package: Package, overlay: Overlay, call: Call, n: int) -> RankerOutput:
    """The at most n best eligible added items, their indices after the package's own.

    Signals are float32, each one product of numpy or a sum in float64 (neighbours), in any order; the score is their
    sum in signal order. An added item has no popularity, boost or attribute vector.
    """
    own = package.manifest.catalogue.items
    eligible = np.flatnonzero(call.task.mask[own:])
    signals = added_signals(package, overlay, call)[:, eligible]
    score = signals[0].copy()
    for part in signals[1:]:
        score += part
    if n < len(score):
        top = np.flatnonzero(score >= np.partition(score, len(score) - n)[len(score) - n])
        eligible, score, signals = eligible[top], score[top], signals[:, top]
    order = np.argsort(-score, kind="stable")[:n]
    return RankerOutput(eligible[order] + own, score[order], signals[:, order])


def merged(first: RankerOutput, second: RankerOutput, n: int) -> RankerOutput:
    """The n best of both, ties by index; the indices of the second are larger."""
    score = np.concatenate((first.score, second.score))
    order = np.argsort(-score, kind="stable")[:n]
    index = np.concatenate((first.index, second.index))[order]
    return RankerOutput(index, score[order], np.concatenate((first.signals, second.signals), axis=1)[:, order])


def added_signals(package: Package, overlay: Overlay, call: Call) -> F32:
    """float32 [S, N]: what each signal adds to every added item."""
    placed, task = overlay.placed, call.task
    history = task.history
    raw: dict[str, F32] = {}
    if len(history.index):
        raw["content"] = placed.vectors @ (history.weight @ package.dense_rows("text", history.index))
        raw["neighbours"] = overlay.neighbours(history)
        settings = package.manifest.signals.factors
        if settings is not None and placed.factors.shape[1]:
            raw["factors"] = placed.factors @ user_factors(
                package.dense_rows("factors", history.index), history.weight, alpha=settings.alpha
            )
    if len(call.vector):
        raw["semantic"] = placed.vectors @ call.vector[0]
    if task.query is not None and task.query.matches is not None and overlay.words is not None:
        term = package.manifest.blend[task.mode].get("lexical")
        raw["lexical"] = overlay.words.scores(task.query.matches, power=term.power if term else 0.0)
    names = package.manifest.signals.names
    signals = np.zeros((len(names), len(overlay)), np.float32)
    for row, name in enumerate(names):
        if name in raw and call.weights[row]:
            np.multiply(raw[name], call.weights[row], out=signals[row])
    return signals


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
            system[np.diag_indices(count)] += np.float32(1)
            return np.asarray(np.linalg.solve(system, liked) @ rows, np.float32)
        system = (rows.T * extra) @ rows
        system[np.diag_indices(width)] += np.float32(1)
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
