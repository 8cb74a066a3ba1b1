"""Why an item is in the list: each signal's contribution split over its causes.

Every signal is linear in its causes, so the split is exact: neighbours, content and attributes over the history items,
semantic over the words of the query, and factors over the history items with the fold-in matrix held fixed
(Hu, Koren and Volinsky 2008, equation 7). What the 8-bit query rounds away is spread in proportion to the
absolute parts, so that the causes of a signal sum to the signal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketrec.history import Blocks
from pocketrec.results import Reason

Parts = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Causes:
    """The causes of one call, in the order of the columns of every split.

    Attributes:
        items: (kind, id, text) of what the user did or said, C of them.
        words: the words of the query, W of them.
    """

    items: Sequence[tuple[str, str, str]]
    words: Sequence[str]


def split_factors(
    shown: NDArray[np.float32], rows: NDArray[np.float32], weight: NDArray[np.float32], alpha: float
) -> Parts:
    """Parts of the factor signal: v_i . M k_j v_j, M the inverse of the fold-in matrix.

    Args:
        shown: float32 [K, d], factors of the items shown.
        rows: float32 [H, d], factors of the history items.
        weight: float32 [H], history weights.
        alpha: confidence of one unit of weight.

    Returns:
        float64 [K, H]; an item the user dislikes shapes M but causes nothing, so its part is 0.
    """
    rows64, confidence = rows.astype(np.float64), alpha * np.abs(weight).astype(np.float64)
    system = np.eye(rows.shape[1]) + (rows64.T * (confidence - 1.0)) @ rows64
    preferred = np.where(weight > 0, confidence, 0.0)
    causes = rows64.T * preferred
    try:
        solved = np.linalg.solve(system, causes)
    except np.linalg.LinAlgError:  # an alpha near 0 and a history of all items: M of least norm
        solved = np.linalg.lstsq(system, causes, rcond=None)[0]
    return np.asarray(shown @ solved, np.float64)


def split_neighbours(
    shown: NDArray[np.int64],
    blocks: Blocks,
    targets: NDArray[np.integer],
    values: NDArray[np.int8],
    size: int,
) -> Parts:
    """Parts of the neighbour signal: c_j S_ji.

    Args:
        shown: int64 [K], catalogue positions of the items shown.
        blocks: the N blocks of the call.
        targets: uint16 or uint32 [N, B], target items of those blocks.
        values: int8 [N, B], their values.
        size: H, the number of history items.

    Returns:
        float64 [K, H].
    """
    parts = np.zeros((len(shown), size))
    for row, item in enumerate(shown):
        block, column = np.nonzero((targets == item) & (values != 0))
        np.add.at(parts[row], blocks.owner[block], blocks.weight[block] * values[block, column].astype(np.float64))
    return parts


def split_text(shown: NDArray[np.float32], vectors: NDArray[np.float32]) -> Parts:
    """Parts of a text signal: one inner product for each cause.

    Args:
        shown: float32 [K, D], text vectors of the items shown.
        vectors: float32 [C, D], the vector that each cause adds to the query.

    Returns:
        float64 [K, C].
    """
    parts: Parts = shown.astype(np.float64) @ vectors.astype(np.float64).T
    return parts


def settle(parts: Parts, signal: NDArray[np.float32]) -> Parts:
    """The parts, scaled and rounded off so that each row sums to the signal.

    Args:
        parts: float64 [K, C], unweighted.
        signal: float32 [K], the weighted contribution of the signal, whose sign and size the parts share up
            to quantization.
    """
    size = np.abs(parts)
    total = size.sum(1, keepdims=True)
    rest = signal[:, None] - parts.sum(1, keepdims=True)
    settled: Parts = parts + rest * np.divide(size, total, out=np.zeros_like(size), where=total > 0)
    return settled


def together(parts: Parts, column: NDArray[np.int64], count: int) -> Parts:
    """The parts of causes that stand for the same thing, added up: float64 [K, C].

    Args:
        parts: float64 [K, H].
        column: int64 [H], which of the C things each stands for.
        count: C.
    """
    summed = np.zeros((len(parts), count))
    np.add.at(summed.T, column, parts.T)
    return summed


def assemble(
    causes: Causes, splits: Mapping[str, tuple[str, Parts]], priors: Mapping[str, NDArray[np.float32]]
) -> list[tuple[Reason, ...]]:
    """Reasons of each shown item, strongest first.

    Args:
        causes: names of the columns.
        splits: signal -> (``"item"`` or ``"word"``, float64 [K, C] weighted parts).
        priors: signal -> float32 [K] contribution, of those that are no one's doing.
    """
    count = max([len(parts) for _, parts in splits.values()] + [len(prior) for prior in priors.values()], default=0)
    names = {"item": list(causes.items), "word": [("word", word, word) for word in causes.words]}
    shown: list[tuple[Reason, ...]] = []
    for row in range(count):
        found: list[Reason] = []
        for axis, columns in names.items():
            for column, (kind, cause, text) in enumerate(columns):
                signals = {
                    name: float(parts[row, column])
                    for name, (of, parts) in splits.items()
                    if of == axis and parts[row, column] != 0.0
                }
                if signals:
                    found.append(Reason(kind, cause, text, sum(signals.values()), signals))
        for name, prior in priors.items():
            if prior[row] != 0.0:
                found.append(Reason(name, "", "", float(prior[row]), {name: float(prior[row])}))
        shown.append(tuple(sorted(found, key=lambda reason: -abs(reason.contribution))))
    return shown
