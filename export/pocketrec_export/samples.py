"""Validation users as small arrays: each signal over each user's best items, ready for thousands of blends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketrec_export.metrics import ndcg_at, recall_at

DEPTH = 200
"""Items kept for each user and signal. Exact for one signal, whose best 100 are among them; for a blend an item may be
missing that no signal ranks among its best 200."""
MAX_USERS = 500


@dataclass(frozen=True, slots=True)
class Samples:
    """Signals of V users over the items that may win.

    Attributes:
        names: the S signals, fixed order.
        value: per user float32[S, E], E the items of the user's shortlist, in catalogue order.
        targets: per user int64[T], positions of the targets in the shortlist.
        deviation: float64[V, S], standard deviation of each signal over all items, not only the shortlist.
        total: float64[V], sum |c| of each history, at least tiny.
        wanted: int64[V], number of targets including those that cannot be ranked.
    """

    names: tuple[str, ...]
    value: Sequence[NDArray[np.float32]]
    targets: Sequence[NDArray[np.int64]]
    deviation: NDArray[np.float64]
    total: NDArray[np.float64]
    wanted: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.value)


def shortlist(
    value: NDArray[np.float32], *, seen: NDArray[np.int64], targets: NDArray[np.int64], depth: int = DEPTH
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The best `depth` unseen items of each signal and all targets: float32[S, E], and where the targets are in it.

    Args:
        value: float32[S, I], all items that may be ranked.
        seen: int[H], positions that are never ranked.
        targets: int[T], ascending positions.
        depth: items of each signal.
    """
    count = value.shape[1]
    kept = np.zeros(count, bool)
    if depth < count:
        unseen = value.copy()
        unseen[:, seen] = -np.inf
        kept[np.argpartition(-unseen, depth - 1, axis=1)[:, :depth].ravel()] = True
    else:
        kept[:] = True
    kept[seen] = False
    kept[targets] = True
    return np.ascontiguousarray(value[:, kept]), (np.cumsum(kept) - 1)[targets]


def sample_users(count: int, *, seed: int) -> NDArray[np.int64]:
    """Which of `count` users to choose on, ascending: all, or a seeded draw of `MAX_USERS`."""
    if count <= MAX_USERS:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, size=MAX_USERS, replace=False))


def ndcg_measure(samples: Samples) -> Callable[[NDArray[np.float32]], float]:
    """A function of weight vectors float32[V, S]: mean NDCG@10 + NDCG@100."""
    each = ndcg_of_users(samples)
    return lambda vector: float(each(vector).sum()) / max(1, len(samples))


def ndcg_of_users(samples: Samples) -> Callable[[NDArray[np.float32]], NDArray[np.float64]]:
    """A function of weight vectors float32[V, S]: NDCG@10 + NDCG@100 of each user, float64[V]."""
    discount = 1 / np.log2(np.arange(2, 102))
    ideal = np.concatenate(([1.0], np.cumsum(discount)))
    gain = [discount / ideal[np.minimum(samples.wanted, k)][:, None] for k in (10, 100)]
    gain[0] = np.where(np.arange(100) < 10, gain[0], 0)
    per_rank = np.concatenate((gain[0] + gain[1], np.zeros((len(samples.wanted), 1))), axis=1)  # [V, 101]

    def measure(vector: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.array([per_rank[user, rank].sum() for user, rank in enumerate(ranks(samples, vector))], np.float64)

    return measure


def ranks(samples: Samples, vector: NDArray[np.float32]) -> Iterator[NDArray[np.int64]]:
    """The rank of each target of each user, from 0, 100 for all beyond; int64[T], user by user.

    Args:
        samples: the users.
        vector: float32[V, S], each user's weights of the signals.
    """
    for value, target, weights in zip(samples.value, samples.targets, vector, strict=True):
        score = weights @ value
        own = score[target]
        # Rank = items with a larger score, ties to the lower position, as engines break them.
        rank = np.count_nonzero(score > own[:, None], axis=1)
        rank += np.array([np.count_nonzero(score[:t] == o) for t, o in zip(target, own, strict=True)], np.int64)
        yield np.minimum(rank, 100)


def metrics(samples: Samples, vector: NDArray[np.float32]) -> dict[str, float]:
    """Mean ``ndcg10``, ``recall20`` and ``ndcg100`` under weight vectors float32[V, S], as `metrics` defines them."""
    ranked = list(ranks(samples, vector))
    hit = np.zeros((len(samples), 101), bool)
    for user, rank in enumerate(ranked):
        hit[user, rank] = True
    hit = hit[:, :100]
    return {
        "ndcg10": float(ndcg_at(10, hit, samples.wanted).mean()),
        "recall20": float(recall_at(20, hit, samples.wanted).mean()),
        "ndcg100": float(ndcg_at(100, hit, samples.wanted).mean()),
    }
