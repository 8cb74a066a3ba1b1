"""From interactions to a split file: what ``pocketrec split`` does."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pocketrec.errors import UsageError

from pocketrec_export.dataset import Dataset, Heldout, make_dataset
from pocketrec_export.read import Interactions, read_interactions
from pocketrec_export.rules import Rules
from pocketrec_export.split import Split, make_split
from pocketrec_export.split_files import check_split_target, write_split
from pocketrec_export.time_split import make_time_split

_BY_USER = {"test": 0.15, "validation": 0.15, "history": 0.8, "min_positives": 5}
_BY_TIME = {"test": 0.1, "validation": 0.1}


@dataclass(frozen=True)
class SplitReport:
    """What was written, and what it holds out.

    Attributes:
        path: the split file.
        by: ``"user"`` or ``"time"``.
        sha256: of the split, as a build with it records.
        rows: part -> rows.
        users: train, validation and test -> users; under a split by time one user may be in all of them.
        missing: validation and test -> share of the targets that do not occur in train and count as misses.
        until: by time: the first moment after train, in seconds; else None.
        notes: what reading and splitting left out.
    """

    path: Path
    by: str
    sha256: str
    rows: Mapping[str, int]
    users: Mapping[str, int]
    missing: Mapping[str, float]
    until: int | None
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        plain = {"rows": dict(self.rows), "users": dict(self.users), "missing": dict(self.missing)}
        return {"path": str(self.path), "by": self.by, "sha256": self.sha256, **plain} | {
            "until": self.until,
            "notes": list(self.notes),
        }

    def lines(self) -> list[str]:
        """A summary for a terminal."""
        lines = [f"note: {note}" for note in self.notes]
        lines.append("rows    " + ", ".join(f"{name} {count:,}" for name, count in self.rows.items()))
        lines.append("users   " + ", ".join(f"{name} {count:,}" for name, count in self.users.items()))
        shares = ", ".join(f"{name} {100 * share:.1f} %" for name, share in self.missing.items())
        lines.append(f"targets that do not occur in train and count as misses: {shares}")
        if self.until is not None:
            lines.append(f"train ends before {self.until} (seconds since 1970)")
        return [*lines, f"wrote {self.path}, split {self.sha256[:16]} by {self.by}"]


def divide(
    interactions: Any,
    *,
    out: str | os.PathLike[str],
    by: str = "user",
    seed: int | None = None,
    test: float | None = None,
    validation: float | None = None,
    history: float | None = None,
    min_positives: int | None = None,
    columns: Mapping[str, str] | None = None,
    value: str = "auto",
    positive: str | None = None,
    rules: Rules | None = None,
    overwrite: bool = False,
) -> SplitReport:
    """Write a split of interactions by user (`split.make_split`) or by time (`time_split.make_time_split`).

    Args:
        interactions: user, item[, value][, timestamp]: a path, DataFrame or Arrow table.
        out: the .parquet or .csv file to write.
        by: ``"user"`` or ``"time"``.
        seed: of the draw of users; 0 by default.
        test: share of users (0.15) or of the positives, the latest (0.1).
        validation: share of users (0.15) or of the positives, those before (0.1).
        history: by user: share of a held-out user's positives that is history (0.8).
        min_positives: by user: of a user that takes part (5).
        columns: role -> column, as in the build.
        value: what the value column means, as in the build.
        positive: which rows count as liked, as in the build.
        rules: of cleaning, as in the build.
        overwrite: replace ``out``.

    Raises:
        DataError: the data cannot be used, or not be split like this.
        UsageError: arguments that contradict each other, or a file that exists.
    """
    path = Path(out)
    check_split_target(path, overwrite=overwrite)
    given = {"test": test, "validation": validation, "history": history, "min_positives": min_positives}
    chosen: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if by not in ("user", "time"):
        raise UsageError(f"by is {by!r}; expected user or time")
    if by == "time" and (seed is not None or chosen.keys() - _BY_TIME.keys()):
        unused = sorted(({"seed"} if seed is not None else set()) | chosen.keys() - _BY_TIME.keys())
        raise UsageError(f"a split by time has no {', '.join(unused)}; they are of a split by user")
    rows = read_interactions(interactions, columns=columns, value=value, positive=positive, rules=rules)
    if by == "time":
        split = make_time_split(rows, **{**_BY_TIME, **chosen})
    else:
        split = make_split(rows, seed=seed or 0, **{**_BY_USER, **chosen})
    dataset = make_dataset(rows, split)
    write_split(split, path, overwrite=overwrite)
    return _report(path, by, rows, split, dataset)


def _report(path: Path, by: str, rows: Interactions, split: Split, dataset: Dataset) -> SplitReport:
    held = {"validation": dataset.validation, "test": dataset.test}
    return SplitReport(
        path,
        by,
        split.sha256,
        split.counts,
        {"train": len(dataset.users), **{name: len(users) for name, users in held.items()}},
        {name: _missing(users) for name, users in held.items()},
        dataset.until,
        tuple(map(str, [*rows.notes, *dataset.notes])),
    )


def _missing(users: Heldout) -> float:
    outside = int(users.missing.sum())
    return outside / max(1, outside + sum(map(len, users.targets)))
