"""Second stage: who, or what time, is held out.

A `Split` names the part of each positive (user, item). There are two kinds:

- **by user**: some users are held out whole. Fit on ``train``, choose on ``val_in`` -> ``val_out``, report on
  ``test_in`` -> ``test_out``.
- **by time**: every row is of a period, ``train`` before ``val`` before ``test``, of whatever user. Fit on ``train``;
  what a user did before a period is the history, what they did in it are the targets.

`split_files` reads and writes splits, `dataset` turns them into arrays, `leaks` says what they may not do.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pocketrec.errors import DataError, UsageError

from pocketrec_export.read import Interactions

PARTS = ("train", "val_in", "val_out", "test_in", "test_out", "val", "test")
PERIODS = ("train", "val", "test")
"""The parts of a split by time, in this order; the others are those of a split by user."""
MIN_USERS = 20  # with fewer users than this to choose from, a held-out part would measure nothing


@dataclass(frozen=True)
class Split:
    """The part of each held-in or held-out positive, rows sorted by user, then item.

    Attributes:
        users: Ids of the users that occur, sorted.
        items: Ids of the items that occur, sorted.
        user_index: int32[R], position in ``users``.
        item_index: int32[R], position in ``items``.
        part: int8[R], position in ``PARTS``.
        sha256: Hex digest of the sorted rows, the same whatever the order or format of the file.
    """

    users: list[str]
    items: list[str]
    user_index: NDArray[np.int32]
    item_index: NDArray[np.int32]
    part: NDArray[np.int8]
    sha256: str

    def __len__(self) -> int:
        return len(self.part)

    def __repr__(self) -> str:
        parts = ", ".join(f"{name} {count:,}" for name, count in self.counts.items())
        return f"Split({parts}, sha256={self.sha256[:8]})"

    @property
    def by_time(self) -> bool:
        """Whether the parts are periods."""
        return bool(np.any(self.part >= PARTS.index("val")))

    @property
    def counts(self) -> dict[str, int]:
        """Rows of each part that occurs."""
        rows = np.bincount(self.part, minlength=len(PARTS)).tolist()
        return {name: count for name, count in zip(PARTS, rows, strict=True) if count}


def make_split(
    interactions: Interactions,
    *,
    seed: int,
    test: float = 0.0,
    validation: float = 0.15,
    history: float = 0.8,
    min_positives: int = 5,
    keep_short: bool = False,
) -> Split:
    """A random split by user: some users are held out whole, and each of them shows only part of itself.

    Users with fewer than ``min_positives`` positives are left out (``keep_short``: put into train, where they
    are useful but make the figures incomparable to the recipe). With fewer than 20 users that have enough
    positives nothing is held out and every positive is train.

    Args:
        interactions: Clean interactions.
        seed: Of the draw; the same interactions and seed give the same split.
        test: Share of users, 0 to < 1.
        validation: Share of users, 0 to < 1.
        history: Share of a held-out user's positives that is history; at least one row is each.
        min_positives: Of a user that takes part, at least 2.
        keep_short: Put users with fewer into train.

    Raises:
        DataError: There is no positive row.
        UsageError: Shares outside their range.
    """
    if not (test >= 0 and validation >= 0 and test + validation < 1 and 0 < history < 1):
        raise UsageError(
            f"test={test}, validation={validation}, history={history}: expected shares with "
            "test + validation < 1 and 0 < history < 1"
        )
    if min_positives < 2:
        raise UsageError(f"min_positives={min_positives}: expected at least 2, one history item and one target")
    rows = positive_rows(interactions)
    user = interactions.user_index[rows]
    counts = np.bincount(user, minlength=len(interactions.users))
    eligible = np.flatnonzero(counts >= min_positives)
    part = np.zeros(len(rows), np.int8)
    if len(eligible) < MIN_USERS:
        return of_rows(interactions, rows, part)

    generator = np.random.default_rng(seed)
    drawn = generator.permutation(eligible)
    n_test, n_validation = int(test * len(drawn)), int(validation * len(drawn))
    base = np.zeros(len(interactions.users), np.int8)
    base[drawn[:n_test]] = PARTS.index("test_in")
    base[drawn[n_test : n_test + n_validation]] = PARTS.index("val_in")
    part = base[user]
    # Each held-out user's rows in a random order: the first ones are the targets.
    shuffled = generator.permutation(len(rows))
    shuffled = shuffled[np.argsort(user[shuffled], kind="stable")]
    position = np.empty(len(rows), np.int64)
    position[shuffled] = np.arange(len(rows)) - (np.cumsum(counts) - counts)[user[shuffled]]
    # min and max keep one row on either side whatever the share.
    n_targets = np.clip(np.rint((1 - history) * counts), 1, np.maximum(counts - 1, 1)).astype(np.int64)
    part[(part > 0) & (position < n_targets[user])] += 1  # *_in to *_out
    taking_part = np.ones(len(rows), np.bool_) if keep_short else counts[user] >= min_positives
    return of_rows(interactions, rows[taking_part], part[taking_part])


def positive_rows(interactions: Interactions) -> NDArray[np.int64]:
    """Rows of the positives, int64[R], at least one."""
    rows = np.flatnonzero(interactions.is_positive)
    if len(rows) == 0:
        raise DataError(
            f"{interactions.name}: no row is positive under {interactions.positive!r} "
            f"(values {np.nanmin(interactions.value):g} to {np.nanmax(interactions.value):g}); give another condition"
        )
    return rows


def of_rows(interactions: Interactions, rows: NDArray[np.int64], part: NDArray[np.int8]) -> Split:
    """A split of rows that are already sorted, with only the ids that occur."""
    users, user_index = np.unique(interactions.user_index[rows], return_inverse=True)
    items, item_index = np.unique(interactions.item_index[rows], return_inverse=True)
    return hashed(
        [interactions.users[u] for u in users],
        [interactions.items[i] for i in items],
        user_index.astype(np.int32),
        item_index.astype(np.int32),
        part,
    )


def hashed(
    users: list[str],
    items: list[str],
    user_index: NDArray[np.int32],
    item_index: NDArray[np.int32],
    part: NDArray[np.int8],
) -> Split:
    """The split of rows that are sorted by user, then item, with its digest."""
    # JSON strings, so that an id with a comma or a line break cannot pass for two fields.
    user_json = [json.dumps(user, ensure_ascii=False) for user in users]
    item_json = [json.dumps(item, ensure_ascii=False) for item in items]
    digest = hashlib.sha256()
    for u, i, p in zip(user_index.tolist(), item_index.tolist(), part.tolist(), strict=True):
        digest.update(f"[{user_json[u]},{item_json[i]},{PARTS[p]}]\n".encode())
    return Split(users, items, user_index, item_index, part, digest.hexdigest())
