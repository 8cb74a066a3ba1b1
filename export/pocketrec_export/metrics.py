"""Ranking quality, exactly as the reference scorer defines it.

Gains are binary. NDCG@k is normalised by the best order of min(k, targets), Recall@20 divides the hits by
min(20, targets). Targets that cannot be ranked (``missing``) stay in the denominators and count as misses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pocketrec.errors import UsageError

DEPTH = 100
RESAMPLES = 2000
_CHUNK = 1 << 22  # bootstrap draws held at once


@dataclass(frozen=True)
class UserMetrics:
    """One value per user with at least one target.

    Attributes:
        ndcg10: float64[U]
        recall20: float64[U]
        ndcg100: float64[U]
    """

    ndcg10: NDArray[np.float64]
    recall20: NDArray[np.float64]
    ndcg100: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.ndcg10)


def hits(
    ranked: Sequence[NDArray[np.integer[Any]]] | NDArray[np.integer[Any]],
    targets: Sequence[NDArray[np.integer[Any]]],
    *,
    depth: int = DEPTH,
) -> NDArray[np.bool_]:
    """bool[U, depth]: whether the item at each rank is one of the user's targets.

    Args:
        ranked: Per user item indices, best first, distinct; shorter lists and negative padding are misses.
        targets: Per user item indices, distinct.
        depth: Ranks looked at.

    Raises:
        UsageError: Different numbers of users, or an item twice in a list.
    """
    if len(ranked) != len(targets):
        raise UsageError(f"{len(ranked)} ranked lists for {len(targets)} target sets")
    top = np.full((len(ranked), depth), -1, np.int64)
    for row, items in enumerate(ranked):
        top[row, : len(items)] = items[:depth]
    ordered = np.sort(top, axis=1)
    repeated = np.any((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0), axis=1)
    if repeated.any():
        raise UsageError(f"ranked list {int(np.argmax(repeated))} holds an item twice")
    lengths = [len(items) for items in targets]
    wanted = np.concatenate([*targets, np.empty(0, np.int64)]).astype(np.int64)
    width = int(max(top.max(initial=0), wanted.max(initial=0))) + 1
    users = np.arange(len(ranked), dtype=np.int64)
    keys = np.repeat(users, lengths) * width + wanted
    return np.isin(users[:, None] * width + top, keys) & (top >= 0)


def ndcg_at(k: int, hit: NDArray[np.bool_], totals: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    """float64[U]: binary NDCG of the first k ranks; 0 for a user without targets.

    Args:
        k: Ranks, at most the width of ``hit``.
        hit: bool[U, >=k].
        totals: int[U], all targets of each user, also those that cannot be ranked.
    """
    discount = 1 / np.log2(np.arange(2, k + 2))
    best = np.concatenate([[1.0], np.cumsum(discount)])  # best[0] only guards the division
    return np.asarray(hit[:, :k] @ discount / best[np.minimum(totals, k)])


def recall_at(k: int, hit: NDArray[np.bool_], totals: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    """float64[U]: hits in the first k ranks over min(k, targets); 0 for a user without targets."""
    return np.asarray(hit[:, :k].sum(axis=1) / np.maximum(np.minimum(totals, k), 1))


def user_metrics(
    ranked: Sequence[NDArray[np.integer[Any]]] | NDArray[np.integer[Any]],
    targets: Sequence[NDArray[np.integer[Any]]],
    *,
    missing: NDArray[np.integer[Any]] | None = None,
) -> UserMetrics:
    """Per-user metrics, in the given order, of the users that have targets.

    Args:
        ranked: Per user item indices, best first; at least 100 unless fewer are eligible. History and
            items outside train must already be gone.
        targets: Per user item indices that can be ranked.
        missing: int[U], further targets that cannot.
    """
    hit = hits(ranked, targets)
    totals = np.array([len(items) for items in targets], np.int64)
    if missing is not None:
        totals = totals + missing
    counted = totals > 0
    hit, totals = hit[counted], totals[counted]
    return UserMetrics(ndcg_at(10, hit, totals), recall_at(20, hit, totals), ndcg_at(100, hit, totals))


def summarize(metrics: UserMetrics) -> dict[str, Any]:
    """The means as a dict of plain numbers; None everywhere but ``users`` without users."""
    if len(metrics) == 0:
        return {"users": 0, "ndcg10": None, "recall20": None, "ndcg100": None, "ndcg10_ci95": None}
    low, high = bootstrap_interval(metrics.ndcg10)
    return {
        "users": len(metrics),
        "ndcg10": float(metrics.ndcg10.mean()),
        "recall20": float(metrics.recall20.mean()),
        "ndcg100": float(metrics.ndcg100.mean()),
        "ndcg10_ci95": [low, high],
    }


def bootstrap_interval(
    values: NDArray[np.float64], *, seed: int = 0, resamples: int = RESAMPLES
) -> tuple[float, float]:
    """95 % percentile interval of the mean over resampled users; the same draws for the same U and seed."""
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
    """(mean, low, high) of ours - theirs over the same users, 95 % bootstrap interval.

    Far narrower than two separate intervals, because hard users are hard for both.
    """
    if len(ours) != len(theirs):
        raise UsageError(f"paired figures need the same users, got {len(ours)} and {len(theirs)}")
    difference = ours - theirs
    low, high = bootstrap_interval(difference, seed=seed, resamples=resamples)
    return float(difference.mean()), low, high
