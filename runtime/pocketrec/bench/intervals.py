"""How sure a ratio of two medians is, from processes and blocks that were measured in turn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
DRAWS = 0.99
"""Share of the draws that a bound leaves on its side. Five processes vary less than all that there could be, so the
bound holds less often than that: in 96 of 100 sessions of `tests/test_bench.py`."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """``value`` of new / old, and one-sided bounds, each right in at least 95 of 100 sessions."""

    value: float
    low: float
    high: float


def ratio_of_medians(
    old: NDArray[np.float64], new: NDArray[np.float64], *, paired: bool = True, seed: int = 0
) -> Ratio:
    """The median of ``new`` over the median of ``old``, with one-sided bootstrap bounds.

    Processes are drawn first, then blocks within them: two processes of one program differ by more than their blocks
    tell (where memory happens to lie), and each counts once however many blocks it has.

    Args:
        old: float64[P, B], the median of each block.
        new: the same, float64[Q, C].
        paired: row p and column b of both were measured together, so they are drawn together.
        seed: of the draws.

    Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, sections 8.3 and 13.3; Kalibera and Jones 2013,
    Rigorous Benchmarking in Reasonable Time, section 6 (ratios, levels of repetition).
    """
    if paired and old.shape != new.shape:
        raise ValueError(f"paired figures of shapes {old.shape} and {new.shape}")
    generator = np.random.default_rng(seed)
    mine = _draws(old.shape, generator)
    others = mine if paired else _draws(new.shape, generator)
    ratios = np.median(new[others], axis=1) / np.median(old[mine], axis=1)
    low, high = np.quantile(ratios, [1 - DRAWS, DRAWS])
    return Ratio(float(np.median(new) / np.median(old)), float(low), float(high))


def _draws(shape: tuple[int, ...], generator: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns, int64[R, P * B] each."""
    processes, blocks = shape
    rows = generator.integers(processes, size=(RESAMPLES, processes, 1)).repeat(blocks, axis=2)
    columns = generator.integers(blocks, size=(RESAMPLES, processes, blocks))
    return rows.reshape(RESAMPLES, -1), columns.reshape(RESAMPLES, -1)
