"""What a split may not do: show a model what it is asked for, or ask it about users that it knows nothing of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pocketrec.errors import DataError

from pocketrec_export.read import Interactions
from pocketrec_export.split import PARTS, PERIODS, Split


def check_split(split: Split, interactions: Interactions, rows: NDArray[np.int64]) -> None:
    """Refuse a split whose figures would mean nothing.

    Args:
        split: by user or by time.
        interactions: what it splits.
        rows: int64[R], interaction row of each split row.

    Raises:
        DataError: By user: a user is in more than one of train, validation and test, or a held-out user has targets
            and no history. By time: no timestamps, or a row that is not earlier than all rows of the later periods.
    """
    if not split.by_time:
        _check_users(split)
        return
    mixed = [name for name in split.counts if name not in PERIODS]
    if mixed:
        raise DataError(
            f"the split has parts of a split by time ({', '.join(PERIODS)}) and of one by user ({', '.join(mixed)}); "
            "expected one of them"
        )
    if interactions.timestamp is None:
        raise DataError(f"{interactions.name}: a split by time needs a timestamp column, found none")
    _check_times(split, interactions.timestamp[rows])


def _check_times(split: Split, time: NDArray[np.int64]) -> None:
    """Every row of a period is earlier than the first row of the later periods."""
    for position, name in enumerate(PERIODS[:-1]):
        before = np.flatnonzero(split.part == PARTS.index(name))
        after = np.isin(split.part, [PARTS.index(later) for later in PERIODS[position + 1 :]])
        if not len(before) or not after.any():
            continue
        start = int(time[after].min())
        late = before[time[before] >= start]
        if len(late):
            row = late[np.argmax(time[late])]
            raise DataError(
                f"{len(late):,} rows of the split's part {name!r} are not before the first later one, at {start}: for "
                f"example user {split.users[split.user_index[row]]!r}, item {split.items[split.item_index[row]]!r} at "
                f"{int(time[row])}; a model would learn from the time that it is asked about"
            )


def _check_users(split: Split) -> None:
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
