"""A global time split: train before a time, test from it on, for everybody at once.

It asks what a build will be asked: to know the past of all users and predict what comes next, new items included.
"""

from __future__ import annotations

import numpy as np
from pocketrec.errors import DataError, UsageError

from pocketrec_export.read import Interactions
from pocketrec_export.split import PARTS, Split, of_rows, positive_rows


def make_time_split(interactions: Interactions, *, test: float = 0.1, validation: float = 0.1) -> Split:
    """The period of every positive: the latest share is ``test``, the share before it ``val``, the rest ``train``.

    Two times cut all users alike; rows of one moment are of one period, the later one. The time of a (user, item) is
    that of its latest event, so what a user repeats later is a target and never a train row.

    Args:
        interactions: Clean interactions with timestamps.
        test: Share of the positives, > 0.
        validation: Share of the positives.

    Raises:
        DataError: There are no timestamps, or the times do not allow both cuts.
        UsageError: Shares outside their range.
    """
    if not (test > 0 and validation >= 0 and test + validation < 1):
        raise UsageError(f"test={test}, validation={validation}: expected shares with test > 0 and a sum below 1")
    rows = positive_rows(interactions)
    if interactions.timestamp is None:
        raise DataError(f"{interactions.name}: a split by time needs a timestamp column, found none")
    time = interactions.timestamp[rows]
    ordered = np.sort(time)
    cuts = [int(ordered[len(rows) - max(1, round(share * len(rows)))]) for share in (test + validation, test)]
    first, last = cuts if validation else (cuts[1], cuts[1])
    if first == ordered[0] or (validation and first == last):
        raise DataError(
            f"{interactions.name}: too many of the {len(rows):,} positives share one time ({last}) to cut "
            f"{validation:g} and {test:g} of them off; give other shares"
        )
    part = np.zeros(len(rows), np.int8)
    part[time >= first] = PARTS.index("val")
    part[time >= last] = PARTS.index("test")
    return of_rows(interactions, rows, part)
