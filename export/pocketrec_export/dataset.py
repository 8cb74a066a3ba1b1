"""The numbers every later stage works on: one catalogue order, a sparse train matrix, held-out users as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from pocketrec.errors import DataError
from scipy.sparse import csr_matrix

from pocketrec_export.leaks import check_split
from pocketrec_export.read import Interactions
from pocketrec_export.split import PARTS, PERIODS, Split, positive_rows
from pocketrec_export.strength import DAY, train_weights
from pocketrec_export.tables import Note


@dataclass(frozen=True)
class Heldout:
    """What held-out users bring (history) and what should be found (targets), U users in id order.

    Under a split by time they are the users with rows in the period and before it, and may be train users too.

    Attributes:
        users: Their ids.
        history: Per user int32 catalogue positions, oldest first where there are timestamps; only items that
            occur in train.
        targets: Per user int32 catalogue positions, ascending; only items that occur in train.
        missing: int32[U], targets outside train; they stay in the denominators and count as misses.
        dropped: Number of history rows outside train, all users together.
        time: Per user int64 seconds of the history, in its order; None without timestamps.
        since: Under a split by time, the first moment (seconds) of the period that the targets are of; else None.
    """

    users: list[str]
    history: list[NDArray[np.int32]]
    targets: list[NDArray[np.int32]]
    missing: NDArray[np.int32]
    dropped: int
    time: list[NDArray[np.int64]] | None = None
    since: int | None = None

    def __len__(self) -> int:
        return len(self.users)

    def __repr__(self) -> str:
        wanted = sum(map(len, self.targets)) + int(self.missing.sum())
        return f"Heldout(users={len(self):,}, targets={wanted:,}, missing={int(self.missing.sum()):,})"


@dataclass(frozen=True)
class Dataset:
    """The numeric form of one fold, shared by all stages.

    Attributes:
        items: I ids; the position here is the item index everywhere. Most popular in train first, ties by
            ascending id, so items without a train event (known from the items table only) come last.
        users: Ids of the U train users, the rows of ``train``.
        train: float32[U, I], the confidence of each positive: 1.0, or with event types or decay mean 1 (`strength`).
        age: csr float32[U, I] in the order of ``train``, days by which each row is older than the newest of train;
            None without timestamps.
        train_items: bool[I], occurs in train: what may be ranked in an evaluation.
        validation: Held-out users for every choice; may be empty.
        test: Held-out users for the report only; may be empty.
        split_sha256: Of the split, or None when all positives are train.
        until: Under a split by time, the first moment (seconds) after train: no row from then on, of whatever kind,
            may be learned from. None otherwise.
        notes: What making the fold left out.
    """

    items: list[str]
    users: list[str]
    train: csr_matrix
    train_items: NDArray[np.bool_]
    validation: Heldout
    test: Heldout
    split_sha256: str | None
    notes: list[Note] = field(default_factory=list)
    until: int | None = None
    age: csr_matrix | None = None

    def __repr__(self) -> str:
        return (
            f"Dataset(items={len(self.items):,} ({int(self.train_items.sum()):,} in train), "
            f"users={len(self.users):,}, positives={self.train.nnz:,}, "
            f"validation={len(self.validation):,} users, test={len(self.test):,} users)"
        )


def make_dataset(
    interactions: Interactions,
    split: Split | None,
    *,
    catalogue: Sequence[str] = (),
) -> Dataset:
    """The fold as arrays.

    Args:
        interactions: Clean interactions.
        split: Who is held out; None puts every positive into train (the last fit of a build).
        catalogue: Ids of the items table; they join the items of train.

    Raises:
        DataError: Rows of the split are not among the interactions, train has no row, or the split leaks
            (`leaks.check_split`).
    """
    notes: list[Note] = []
    if split is None:
        rows, part = positive_rows(interactions), np.zeros(int(interactions.is_positive.sum()), np.int8)
    else:
        rows, part = _match(interactions, split), split.part
        check_split(split, interactions, rows)
        others = int(np.sum(~interactions.is_positive[rows]))
        if others:
            notes.append(Note(f"split rows not positive under {interactions.positive}, used anyway", others))
    in_train = part == 0
    if not in_train.any():
        raise DataError("the split has no train rows; expected part 'train' for the users to learn from")
    train_rows = rows[in_train]

    count = np.bincount(interactions.item_index[train_rows], minlength=len(interactions.items))
    popularity = {interactions.items[i]: int(count[i]) for i in np.flatnonzero(count)}
    items = sorted({*catalogue, *popularity}, key=lambda item: (-popularity.get(item, 0), item))
    position = {item: index for index, item in enumerate(items)}
    # Catalogue position of each interaction item that occurs in train, -1 for all others.
    to_catalogue = np.array([position[i] if i in popularity else -1 for i in interactions.items], np.int32)
    train_items = np.zeros(len(items), np.bool_)
    train_items[: len(popularity)] = True

    users, user_row = np.unique(interactions.user_index[train_rows], return_inverse=True)
    columns = to_catalogue[interactions.item_index[train_rows]]
    sure, stamp = interactions.confidence, interactions.timestamp
    weights = train_weights(
        None if sure is None else sure[train_rows],
        None if stamp is None else stamp[train_rows],
        interactions.weighting,
    )
    if weights is None:
        weights = np.ones(len(train_rows), np.float32)
    train = csr_matrix((weights, (user_row, columns)), shape=(len(users), len(items)), dtype=np.float32)
    train.sort_indices()
    age = None
    if stamp is not None:
        days = ((stamp[train_rows].max() - stamp[train_rows]) / DAY).astype(np.float32)
        age = csr_matrix((days, (user_row, columns)), shape=train.shape)
        age.sort_indices()
    by_time = split is not None and split.by_time

    def heldout(name: str) -> Heldout:
        history, targets = (rows[np.isin(part, codes)] for codes in _sides(name, by_time=by_time))
        if by_time:
            known = np.isin(interactions.user_index[targets], interactions.user_index[history])
            if not known.all():
                new = len(np.unique(interactions.user_index[targets[~known]]))
                notes.append(Note(f"users of {name} without a row before it, left out of it", new))
            since = _first(interactions, targets)
            return replace(_heldout(interactions, history, targets[known], to_catalogue), since=since)
        return _heldout(interactions, history, targets, to_catalogue)

    return Dataset(
        items,
        [interactions.users[u] for u in users],
        train,
        train_items,
        heldout("val"),
        heldout("test"),
        None if split is None else split.sha256,
        notes,
        _first(interactions, rows[~in_train]) if by_time else None,
        age,
    )


def _first(interactions: Interactions, rows: NDArray[np.int64]) -> int | None:
    """Earliest time of some rows; None without timestamps or rows."""
    return None if interactions.timestamp is None or not len(rows) else int(interactions.timestamp[rows].min())


def _sides(name: str, *, by_time: bool) -> tuple[list[int], list[int]]:
    """Codes of the parts that are history and targets of validation ("val") or test."""
    if by_time:
        return [PARTS.index(period) for period in PERIODS[: PERIODS.index(name)]], [PARTS.index(name)]
    return [PARTS.index(f"{name}_in")], [PARTS.index(f"{name}_out")]


def _match(interactions: Interactions, split: Split) -> NDArray[np.int64]:
    """Interaction row of each split row."""
    user_position = {user: index for index, user in enumerate(interactions.users)}
    item_position = {item: index for index, item in enumerate(interactions.items)}
    user = np.array([user_position.get(u, -1) for u in split.users], np.int64)[split.user_index]
    item = np.array([item_position.get(i, -1) for i in split.items], np.int64)[split.item_index]
    width = len(interactions.items)
    keys = interactions.user_index.astype(np.int64) * width + interactions.item_index  # ascending
    wanted = user * width + item
    rows = np.searchsorted(keys, wanted)
    absent = (user < 0) | (item < 0) | (keys[np.minimum(rows, len(keys) - 1)] != wanted)
    if absent.any():
        first = int(np.argmax(absent))
        raise DataError(
            f"{int(absent.sum()):,} of {len(split):,} split rows are not in {interactions.name}, for example "
            f"user {split.users[split.user_index[first]]!r}, item {split.items[split.item_index[first]]!r}; "
            "the split belongs to other interactions, or their rows were removed as unusable"
        )
    return rows


def _heldout(
    interactions: Interactions,
    history: NDArray[np.int64],
    targets: NDArray[np.int64],
    to_catalogue: NDArray[np.int32],
) -> Heldout:
    """Held-out users of history and target rows; the history of others is left out."""
    users = np.unique(interactions.user_index[targets])
    if interactions.timestamp is not None:
        history = history[np.argsort(interactions.timestamp[history], kind="stable")]
    history = history[np.isin(interactions.user_index[history], users)]

    def per_user(chosen: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        row_of = np.searchsorted(users, interactions.user_index[chosen])
        order = np.argsort(row_of, kind="stable")
        ends = np.cumsum(np.bincount(row_of, minlength=len(users)))
        return np.split(chosen[order], ends[:-1]) if len(users) else []

    column = to_catalogue[interactions.item_index]
    wanted = [column[rows] for rows in per_user(targets)]
    shown = per_user(history)
    known = [rows[column[rows] >= 0] for rows in shown]
    return Heldout(
        users=[interactions.users[u] for u in users],
        history=[column[rows] for rows in known],
        targets=[np.sort(columns[columns >= 0]) for columns in wanted],
        missing=np.array([np.sum(columns < 0) for columns in wanted], np.int32),
        dropped=sum(map(len, shown)) - sum(map(len, known)),
        time=None if interactions.timestamp is None else [interactions.timestamp[rows] for rows in known],
    )
