"""95 % bootstrap intervals over users, seeded: the same draws for the same number of users."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pocketrec.errors import UsageError

RESAMPLES = 2000
_CHUNK = 1 << 22  # draws held at once


def bootstrap_interval(
    values: NDArray[np.float64], *, seed: int = 0, resamples: int = RESAMPLES
) -> tuple[float, float]:
    """Percentile interval of the mean over resampled users.

    Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, section 13.3.
    """
    count = len(values)
    if count == 0:
        raise UsageError("no users, no interval")
    generator = np.random.default_rng(seed)
    means = np.empty(resamples)
    step = max(1, _CHUNK // count)
    for start in range(0, resamples, step):
        drawn = generator.integers(0, count, (min(step, resamples - start), count))
        means[start : start + len(drawn)] = values[drawn].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def paired_interval(
    ours: NDArray[np.float64], theirs: NDArray[np.float64], *, seed: int = 0, resamples: int = RESAMPLES
) -> tuple[float, float, float]:
    """(mean, low, high) of ours - theirs over the same users.

    Far narrower than two separate intervals, because hard users are hard for both.
    """
    _check_same_users(ours, theirs)
    difference = ours - theirs
    low, high = bootstrap_interval(difference, seed=seed, resamples=resamples)
    return float(difference.mean()), low, high


def paired(
    ours: Mapping[str, NDArray[np.float64]], theirs: Mapping[str, NDArray[np.float64]], *, seed: int = 0
) -> dict[str, dict[str, Any]]:
    """Metric -> ``{"mean": ours - theirs, "ci95": [low, high]}`` of every metric that both have.

    A user for whom a metric is not defined (NaN) under either model is left out of that metric.

    Args:
        ours: metric -> float64[U].
        theirs: the same of another model, for the same users in the same order.
        seed: of the draws; all metrics see the same ones.
    """
    result: dict[str, dict[str, Any]] = {}
    for name in (name for name in ours if name in theirs):
        _check_same_users(ours[name], theirs[name])
        defined = ~(np.isnan(ours[name]) | np.isnan(theirs[name]))
        if defined.any():
            mean, low, high = paired_interval(ours[name][defined], theirs[name][defined], seed=seed)
            result[name] = {"mean": mean, "ci95": [low, high]}
    return result


def _check_same_users(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> None:
    if len(ours) != len(theirs):
        raise UsageError(f"paired figures need the same users, got {len(ours)} and {len(theirs)}")
