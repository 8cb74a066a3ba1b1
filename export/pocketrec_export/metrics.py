"""Ranking quality, exactly as the reference scorer defines it, and what the lists are like.

Gains are binary. NDCG@k is normalised by the best order of min(k, targets), Recall@20 divides the hits by
min(20, targets). Targets that cannot be ranked (``missing``) stay in the denominators and count as misses.
The tables `ACCURACY`, `list_metrics.PER_LIST` and `list_metrics.OVER_LISTS` name everything that is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pocketrec.errors import UsageError

from pocketrec_export.bootstrap import bootstrap_interval
from pocketrec_export.list_metrics import OVER_LISTS, PER_LIST, RANKS, ItemFacts

DEPTH = 100


@dataclass(frozen=True)
class Figures:
    """Metrics of one model over the U users with at least one target.

    Attributes:
        per_user: metric -> float64[U]; NaN where a metric is not defined for a user's list.
        overall: metric -> one number over all lists.
    """

    per_user: Mapping[str, NDArray[np.float64]]
    overall: Mapping[str, float]

    def __len__(self) -> int:
        return len(self.per_user["ndcg10"])

    def __repr__(self) -> str:
        return f"Figures(users={len(self):,}, metrics={[*self.per_user, *self.overall]})"

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        """float64[U] of one metric."""
        return self.per_user[name]


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
    top = _padded(ranked, depth)
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


def reciprocal_rank(hit: NDArray[np.bool_], totals: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    """float64[U]: 1 / rank of the first hit, 0 without one among the ranks looked at; its mean is MRR."""
    return np.asarray(np.where(hit.any(axis=1), 1 / (np.argmax(hit, axis=1) + 1), 0.0))


def rmse(predicted: NDArray[np.floating[Any]], actual: NDArray[np.floating[Any]]) -> float:
    """Root of the mean squared error of predicted ratings, on the ratings' own scale.

    Raises:
        UsageError: Different numbers of both, none, or a prediction that is not finite.
    """
    if len(predicted) != len(actual) or len(actual) == 0:
        raise UsageError(f"{len(predicted)} predictions for {len(actual)} ratings; expected one for each, at least one")
    if not np.isfinite(predicted).all():
        raise UsageError(f"prediction {int(np.argmin(np.isfinite(predicted)))} is not finite; leave such ratings out")
    error = predicted.astype(np.float64) - actual.astype(np.float64)
    return float(np.sqrt((error**2).mean()))


ACCURACY: dict[str, Callable[[NDArray[np.bool_], NDArray[np.integer[Any]]], NDArray[np.float64]]] = {
    "ndcg10": partial(ndcg_at, 10),
    "recall20": partial(recall_at, 20),
    "ndcg100": partial(ndcg_at, 100),
    "mrr": reciprocal_rank,
}


def figures(
    ranked: Sequence[NDArray[np.integer[Any]]] | NDArray[np.integer[Any]],
    targets: Sequence[NDArray[np.integer[Any]]],
    *,
    missing: NDArray[np.integer[Any]] | None = None,
    facts: ItemFacts | None = None,
) -> Figures:
    """Every metric, in the given order of the users that have targets.

    Args:
        ranked: Per user item indices, best first; at least 100 unless fewer are eligible. History and
            items outside train must already be gone.
        targets: Per user item indices that can be ranked.
        missing: int[U], further targets that cannot.
        facts: Of the items; without them accuracy only.
    """
    top = _padded(ranked, DEPTH)
    hit = hits(top, targets)
    totals = np.array([len(items) for items in targets], np.int64)
    if missing is not None:
        totals = totals + missing
    counted = totals > 0
    hit, totals, top = hit[counted], totals[counted], top[counted, :RANKS]
    per_user = {name: measure(hit, totals) for name, measure in ACCURACY.items()}
    if facts is None or len(totals) == 0:
        return Figures(per_user, {})
    of_lists = {name: measure(top, facts) for name, measure in PER_LIST.items()}
    per_user |= {name: values for name, values in of_lists.items() if values is not None}
    return Figures(per_user, {name: measure(top, facts) for name, measure in OVER_LISTS.items()})


def summarize(measured: Figures) -> dict[str, Any]:
    """The means as a dict of plain numbers; None everywhere but ``users`` without users."""
    if len(measured) == 0:
        return {"users": 0, **dict.fromkeys(measured.per_user), "ndcg10_ci95": None}
    means = {name: _mean(values) for name, values in measured.per_user.items()}
    interval = list(bootstrap_interval(measured["ndcg10"]))
    return {"users": len(measured), **means, **measured.overall, "ndcg10_ci95": interval}


def _mean(values: NDArray[np.float64]) -> float | None:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else None


def _padded(ranked: Sequence[NDArray[np.integer[Any]]] | NDArray[np.integer[Any]], depth: int) -> NDArray[np.int64]:
    """int64[U, depth], the first ranks of each list, -1 beyond its end."""
    top = np.full((len(ranked), depth), -1, np.int64)
    for row, items in enumerate(ranked):
        top[row, : len(items)] = items[:depth]
    return top
