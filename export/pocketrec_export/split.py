"""Second stage: who is held out, and the numbers every later stage works on.

A `Split` names the part of each positive (user, item): fit on ``train``, choose on ``val_in`` -> ``val_out``,
report on ``test_in`` -> ``test_out``. `make_dataset` turns it into a `Dataset`: one catalogue order, a sparse
train matrix, and each held-out user's history and targets as index arrays.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pocketrec.errors import DataError, UsageError
from scipy.sparse import csr_matrix

from pocketrec_export.atomic import write_whole
from pocketrec_export.columns import id_strings, strings
from pocketrec_export.files import open_table
from pocketrec_export.read import Interactions
from pocketrec_export.tables import Note

PARTS = ("train", "val_in", "val_out", "test_in", "test_out")
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
        counts = np.bincount(self.part, minlength=len(PARTS)).tolist()
        parts = ", ".join(f"{name} {count:,}" for name, count in zip(PARTS, counts, strict=True))
        return f"Split({parts}, sha256={self.sha256[:8]})"


@dataclass(frozen=True)
class Heldout:
    """What held-out users bring (history) and what should be found (targets), U users in id order.

    Attributes:
        users: Their ids.
        history: Per user int32 catalogue positions, oldest first where there are timestamps; only items that
            occur in train.
        targets: Per user int32 catalogue positions, ascending; only items that occur in train.
        missing: int32[U], targets outside train; they stay in the denominators and count as misses.
        dropped: Number of history rows outside train, all users together.
    """

    users: list[str]
    history: list[NDArray[np.int32]]
    targets: list[NDArray[np.int32]]
    missing: NDArray[np.int32]
    dropped: int

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
        train: float32[U, I], 1.0 for each positive.
        train_items: bool[I], occurs in train: what may be ranked in an evaluation.
        validation: Held-out users for every choice; may be empty.
        test: Held-out users for the report only; may be empty.
        split_sha256: Of the split, or None when all positives are train.
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

    def __repr__(self) -> str:
        return (
            f"Dataset(items={len(self.items):,} ({int(self.train_items.sum()):,} in train), "
            f"users={len(self.users):,}, positives={self.train.nnz:,}, "
            f"validation={len(self.validation):,} users, test={len(self.test):,} users)"
        )


# --- making, reading, writing ---------------------------------------------------------------------------


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
    rows = _positive_rows(interactions)
    user = interactions.user_index[rows]
    counts = np.bincount(user, minlength=len(interactions.users))
    eligible = np.flatnonzero(counts >= min_positives)
    part = np.zeros(len(rows), np.int8)
    if len(eligible) < MIN_USERS:
        return _canonical(interactions, rows, part)

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
    return _canonical(interactions, rows[taking_part], part[taking_part])


def _positive_rows(interactions: Interactions) -> NDArray[np.int64]:
    rows = np.flatnonzero(interactions.is_positive)
    if len(rows) == 0:
        raise DataError(
            f"{interactions.name}: no row is positive under {interactions.positive!r} "
            f"(values {interactions.value.min():g} to {interactions.value.max():g}); give another condition"
        )
    return rows


def _canonical(interactions: Interactions, rows: NDArray[np.int64], part: NDArray[np.int8]) -> Split:
    """A split of rows that are already sorted, with only the ids that occur."""
    users, user_index = np.unique(interactions.user_index[rows], return_inverse=True)
    items, item_index = np.unique(interactions.item_index[rows], return_inverse=True)
    return _hashed(
        [interactions.users[u] for u in users],
        [interactions.items[i] for i in items],
        user_index.astype(np.int32),
        item_index.astype(np.int32),
        part,
    )


def _hashed(
    users: list[str],
    items: list[str],
    user_index: NDArray[np.int32],
    item_index: NDArray[np.int32],
    part: NDArray[np.int8],
) -> Split:
    # JSON strings, so that an id with a comma or a line break cannot pass for two fields.
    user_json = [json.dumps(user, ensure_ascii=False) for user in users]
    item_json = [json.dumps(item, ensure_ascii=False) for item in items]
    digest = hashlib.sha256()
    for u, i, p in zip(user_index.tolist(), item_index.tolist(), part.tolist(), strict=True):
        digest.update(f"[{user_json[u]},{item_json[i]},{PARTS[p]}]\n".encode())
    return Split(users, items, user_index, item_index, part, digest.hexdigest())


def read_split(source: Any, *, source_name: str | None = None) -> Split:
    """A split from a file or frame with the columns user, item and part.

    Raises:
        DataError: The source cannot be read, lacks a column or an id, names an unknown part, or puts one
            (user, item) twice.
    """
    table = open_table(source, name=source_name)
    columns = {role: table.require(role, (), {})[1] for role in ("user", "item", "part")}
    ids = {role: id_strings(columns[role], column=role, table=table) for role in ("user", "item")}
    for role, values in ids.items():
        if values.null_count:
            row = table.row_number(int(np.argmax(np.asarray(pc.is_null(values)))))
            raise DataError(f"{table.name}: {values.null_count:,} rows without a {role} id, first row {row}")
    parts = strings(columns["part"])
    code = np.asarray(pc.fill_null(pc.index_in(parts, pa.array(PARTS, pa.large_string())), -1))
    if np.any(code < 0):
        row = int(np.argmax(code < 0))
        raise DataError(
            f"{table.name}: {int(np.sum(code < 0)):,} rows with an unknown part, first row "
            f"{table.row_number(row)}: {parts[row].as_py()!r}; expected {', '.join(PARTS)}"
        )
    if table.skipped:
        raise DataError(f"{table.name}: {table.notes[-1]}")
    users, user_index = np.unique(np.asarray(ids["user"].to_pylist(), object), return_inverse=True)
    items, item_index = np.unique(np.asarray(ids["item"].to_pylist(), object), return_inverse=True)
    key = user_index.astype(np.int64) * len(items) + item_index
    order = np.argsort(key, kind="stable")
    same = np.flatnonzero(key[order][1:] == key[order][:-1])
    if len(same):
        row = int(order[same[0] + 1])
        raise DataError(
            f"{table.name}: {len(same):,} repeated (user, item) rows, first row {table.row_number(row)}: "
            f"user {ids['user'][row].as_py()!r}, item {ids['item'][row].as_py()!r}; each may have one part"
        )
    return _hashed(
        users.tolist(),
        items.tolist(),
        user_index[order].astype(np.int32),
        item_index[order].astype(np.int32),
        code[order].astype(np.int8),
    )


def write_split(split: Split, path: str | Path, *, overwrite: bool = False) -> None:
    """Writes user, item, part as Parquet (or CSV, by suffix); the file appears whole or not at all.

    Raises:
        UsageError: The file exists and ``overwrite`` is not set, or the suffix is neither.
    """
    path = Path(path)
    if path.suffix not in (".parquet", ".csv"):
        raise UsageError(f"{path}: a split is written as .parquet or .csv")
    if path.exists() and not overwrite:
        raise UsageError(f"{path} exists; not overwritten")
    table = pa.table(
        {
            "user": pa.array(split.users, pa.string()).take(pa.array(split.user_index)),
            "item": pa.array(split.items, pa.string()).take(pa.array(split.item_index)),
            "part": pa.array(PARTS, pa.string()).take(pa.array(split.part)),
        }
    )

    def write(temporary: str) -> None:
        if path.suffix == ".parquet":
            pq.write_table(table, temporary, compression="zstd")
        else:
            table.to_pandas().to_csv(temporary, index=False)

    write_whole(path, write)


# --- the numeric form -----------------------------------------------------------------------------------


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
        DataError: Rows of the split are not among the interactions, a user is in more than one of train,
            validation and test, a held-out user has targets and no history, or train has no row.
    """
    notes: list[Note] = []
    if split is None:
        rows, part = _positive_rows(interactions), np.zeros(int(interactions.is_positive.sum()), np.int8)
    else:
        rows, part = _match(interactions, split), split.part
        _check_heldout(split)
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
    train = csr_matrix(
        (np.ones(len(train_rows), np.float32), (user_row, columns)), shape=(len(users), len(items)), dtype=np.float32
    )
    train.sort_indices()
    return Dataset(
        items,
        [interactions.users[u] for u in users],
        train,
        train_items,
        _heldout(interactions, rows, part, to_catalogue, "val"),
        _heldout(interactions, rows, part, to_catalogue, "test"),
        None if split is None else split.sha256,
        notes,
    )


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


def _check_heldout(split: Split) -> None:
    """Figures on users that a model has seen, or that show it nothing, mean nothing."""
    has = np.zeros((len(split.users), len(PARTS)), np.bool_)
    has[split.user_index, split.part] = True
    groups = np.stack([has[:, 0], has[:, 1] | has[:, 2], has[:, 3] | has[:, 4]], axis=1)
    shared = np.flatnonzero(groups.sum(axis=1) > 1)
    if len(shared):
        first = [name for name, there in zip(("train", "val", "test"), groups[shared[0]], strict=True) if there]
        raise DataError(
            f"{len(shared):,} users of the split are in more than one of train, val and test, for example user "
            f"{split.users[shared[0]]!r} in {' and '.join(first)}; expected each user's rows in one of them"
        )
    for name in ("val", "test"):
        rows_in, rows_out = (has[:, PARTS.index(f"{name}_{side}")] for side in ("in", "out"))
        mute = np.flatnonzero(rows_out & ~rows_in)
        if len(mute):
            raise DataError(
                f"{len(mute):,} users of the split have rows in {name}_out and none in {name}_in, for example user "
                f"{split.users[mute[0]]!r}; expected at least one row of history for each"
            )


def _heldout(
    interactions: Interactions,
    rows: NDArray[np.int64],
    part: NDArray[np.int8],
    to_catalogue: NDArray[np.int32],
    prefix: str,
) -> Heldout:
    history = rows[part == PARTS.index(f"{prefix}_in")]
    targets = rows[part == PARTS.index(f"{prefix}_out")]
    users = np.unique(interactions.user_index[targets])
    if interactions.timestamp is not None:
        history = history[np.argsort(interactions.timestamp[history], kind="stable")]
    history = history[np.isin(interactions.user_index[history], users)]

    def per_user(chosen: NDArray[np.int64]) -> list[NDArray[np.int32]]:
        row_of = np.searchsorted(users, interactions.user_index[chosen])
        order = np.argsort(row_of, kind="stable")
        ends = np.cumsum(np.bincount(row_of, minlength=len(users)))
        columns = to_catalogue[interactions.item_index[chosen[order]]]
        return np.split(columns, ends[:-1]) if len(users) else []

    wanted = per_user(targets)
    shown = per_user(history)
    return Heldout(
        users=[interactions.users[u] for u in users],
        history=[columns[columns >= 0] for columns in shown],
        targets=[np.sort(columns[columns >= 0]) for columns in wanted],
        missing=np.array([np.sum(columns < 0) for columns in wanted], np.int32),
        dropped=int(sum(np.sum(columns < 0) for columns in shown)),
    )
