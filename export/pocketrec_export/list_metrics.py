"""What lists are like, whether or not they hit: diversity, novelty, coverage, concentration.

All look at the first ten ranks, and at the items that may be ranked. A metric that the facts do not allow (no texts,
no categories) is absent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

RANKS = 10


@dataclass(frozen=True)
class ItemFacts:
    """What is known of the I items.

    Attributes:
        eligible: bool[I], what may be ranked.
        count: int64[I], train users who chose each.
        users: train users in all.
        text: float32[I, D], zero rows for items without text; or None.
        category: csr[I, C] of ones; or None.
    """

    eligible: NDArray[np.bool_]
    count: NDArray[np.int64]
    users: int
    text: NDArray[np.float32] | None = None
    category: csr_matrix | None = None


def text_diversity(top: NDArray[np.int64], facts: ItemFacts) -> NDArray[np.float64] | None:
    """float64[U]: mean of 1 - cos(t_i, t_j) over the pairs of a list, texts in the package's space; 0 to 2.

    Items without text take no part; NaN for a list with fewer than two that have one.

    Source: Ziegler et al. 2005 (intra-list similarity), as a mean distance in Castells et al. 2015, section 26.3.
    """
    if facts.text is None:
        return None
    length = np.linalg.norm(facts.text, axis=1, keepdims=True)
    unit = facts.text / np.where(length > 0, length, 1)
    rows = np.where((top >= 0)[:, :, None], unit[top], 0).astype(np.float64)  # [U, R, D]
    count = (rows != 0).any(axis=2).sum(axis=1)
    # sum over i != j of t_i.t_j = |sum_i t_i|^2 - sum_i |t_i|^2
    similar = (rows.sum(axis=1) ** 2).sum(axis=1) - (rows**2).sum(axis=(1, 2))
    return _over_pairs(count * (count - 1) - similar, count)


def category_diversity(top: NDArray[np.int64], facts: ItemFacts) -> NDArray[np.float64] | None:
    """float64[U]: mean over the pairs of a list of 1 - |C_i and C_j| / |C_i or C_j| (Jaccard distance); 0 to 1.

    Items without a category take no part; NaN for a list with fewer than two that have one.
    """
    if facts.category is None:
        return None
    result = np.empty(len(top))
    for user, items in enumerate(top):
        rows = facts.category[items[items >= 0]].toarray()
        rows = rows[rows.any(axis=1)].astype(np.float64)
        both = rows @ rows.T
        size = rows.sum(axis=1)
        either = size[:, None] + size - both
        distance = np.sum(1 - both / np.maximum(either, 1))  # 0 for i = j
        result[user] = _over_pairs(np.array([distance]), np.array([len(rows)]))[0]
    return result


def novelty(top: NDArray[np.int64], facts: ItemFacts) -> NDArray[np.float64] | None:
    """float64[U]: mean self-information -log2(count_i / users) of a list, in bits; NaN for an empty list.

    Source: Zhou et al. 2010, PNAS 107(10); Vargas and Castells 2011.
    """
    bits = -np.log2(np.maximum(facts.count, 1) / max(facts.users, 1))  # an item without a user as if it had one
    shown = top >= 0
    return _ratio(np.where(shown, bits[top], 0).sum(axis=1), shown.sum(axis=1))


def coverage(top: NDArray[np.int64], facts: ItemFacts) -> float:
    """Share of the eligible items that occur in at least one list, 0 to 1."""
    return float((_exposure(top, facts) > 0).mean())


def gini(top: NDArray[np.int64], facts: ItemFacts) -> float:
    """Gini coefficient of how often the N eligible items are shown: 0 all alike, 1 - 1/N one item everywhere.

    G = sum_r (2 r - N - 1) x_(r) / (N sum x), x ascending, r from 1.

    Source: Fleder and Hosanagar 2009; Shani and Gunawardana 2011, section 8.3.3.
    """
    shown = np.sort(_exposure(top, facts)).astype(np.float64)
    rank = np.arange(1, len(shown) + 1)
    return float(((2 * rank - len(shown) - 1) @ shown) / max(len(shown) * shown.sum(), 1))


PER_LIST: dict[str, Callable[[NDArray[np.int64], ItemFacts], NDArray[np.float64] | None]] = {
    "text_diversity": text_diversity,
    "category_diversity": category_diversity,
    "novelty": novelty,
}
OVER_LISTS: dict[str, Callable[[NDArray[np.int64], ItemFacts], float]] = {"coverage10": coverage, "gini10": gini}


def _exposure(top: NDArray[np.int64], facts: ItemFacts) -> NDArray[np.int64]:
    return np.bincount(top[top >= 0], minlength=len(facts.eligible))[facts.eligible]


def _over_pairs(total: NDArray[np.float64], count: NDArray[np.int64]) -> NDArray[np.float64]:
    """Sums over ordered pairs to means; NaN without a pair."""
    return _ratio(total, count * (count - 1))


def _ratio(total: NDArray[np.float64], count: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
