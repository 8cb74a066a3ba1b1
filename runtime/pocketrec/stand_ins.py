"""Stand-ins: what the package does not hold counts in a history as the items that it is most like.

An added item of weight c becomes its near items k with weights c w_k; so does a text of which a user says that it
interests them. The engine then reads a history of items that it knows. Weights of one item add up, so that an item is
in a history once; its cause is what named it first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pocketrec.history import History, strongest
from pocketrec.overlay import Overlay
from pocketrec.placing import Near


@dataclass(frozen=True, slots=True)
class Interests:
    """What a user says in words that interests them.

    Attributes:
        phrases: P of them.
        near: the items that each is most like.
    """

    phrases: Sequence[str]
    near: Near


def stand_in(
    history: History,
    *,
    own: int,
    overlay: Overlay | None,
    interests: Interests | None = None,
    max_items: int,
    max_weight: float,
) -> History:
    """The history in items of the package alone.

    Args:
        history: indices of the package and of the overlay.
        own: how many items the package has.
        overlay: the added items.
        interests: said in words; the cause of phrase p is -1 - p.
        max_items: the most items to keep, the strongest.
        max_weight: bound of the absolute weight.
    """
    added = history.index >= own
    if interests is None and not added.any():
        return history
    index, weight, cause = [history.index[~added]], [history.weight[~added]], [history.index[~added]]
    if overlay is not None and added.any():
        near = overlay.placed.near
        rows = history.index[added] - own
        index.append(near.index[rows].ravel())
        weight.append((near.weight[rows] * history.weight[added][:, None]).ravel())
        cause.append(np.repeat(history.index[added], near.index.shape[1]))
    if interests is not None:
        index.append(interests.near.index.ravel())
        weight.append(interests.near.weight.ravel())
        cause.append(np.repeat(-1 - np.arange(len(interests.phrases)), interests.near.index.shape[1]))
    phrases = () if interests is None else tuple(interests.phrases)
    merged = _merged(np.concatenate(index), np.concatenate(weight), np.concatenate(cause), max_weight)
    kept = np.flatnonzero(merged[1])
    truncated = len(kept) > max_items
    if truncated:
        kept = kept[strongest(np.abs(merged[1][kept]), max_items)]
    return replace(
        history,
        index=merged[0][kept],
        weight=merged[1][kept],
        cause=merged[2][kept],
        phrases=phrases,
        truncated=history.truncated or truncated,
    )


def _merged(
    index: NDArray[np.int64], weight: NDArray[np.float32], cause: NDArray[np.int64], largest: float
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
    """Each item once, in order of first appearance: summed weight, first cause."""
    items, first, place = np.unique(index, return_index=True, return_inverse=True)
    total = np.clip(np.bincount(place, weight, len(items)), -largest, largest).astype(np.float32)
    order = np.argsort(first, kind="stable")
    return items[order], total[order], cause[first[order]]
