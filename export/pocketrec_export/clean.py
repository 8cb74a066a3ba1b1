"""The rules that only the whole table can tell: times, bots, duplicates, ratings off their scale, unknown items.

What is wrong and what is done is a line of `rules.RULES`; here is how it is found.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketrec_export.columns import time_unit
from pocketrec_export.raw import Raw
from pocketrec_export.rules import RULES, Rules, day
from pocketrec_export.tables import EXAMPLES, Note
from pocketrec_export.value_kind import Scale

DAY = 86_400
YEAR_1990 = 631_152_000
CLOCK_SLACK = DAY  # a zone taken for UTC is no wrong clock
BOT_ROWS, BOT_USERS = 1_000, 100


@dataclass(frozen=True)
class Cleaning:
    """What became of the rows.

    Attributes:
        rows_read: Of the source.
        rows_kept: What is left after cleaning, repeated (user, item) included.
        findings: Every rule that was met, with count and cases, and what else reading had to assume.
    """

    rows_read: int = 0
    rows_kept: int = 0
    findings: tuple[Note, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        findings = [
            {"name": n.name, "rule": n.rule, "count": n.count, "examples": list(filter(None, (n.example, *n.more)))}
            for n in self.findings
        ]
        return {"rows_read": self.rows_read, "rows_kept": self.rows_kept, "findings": findings}

    def lines(self) -> list[str]:
        """A line a rule and a line a case."""
        lines = [f"{self.rows_kept:,} of {self.rows_read:,} rows can be used"]
        for note in self.findings:
            lines.append(f"  {note.rule}: {note.count:,}")
            lines += [f"      {case}" for case in filter(None, (note.example, *note.more))]
        return lines


def seconds(raw: Raw, rules: Rules, *, column: str) -> NDArray[np.int64] | None:
    """int64[R] seconds since 1970 of all rows; None, noted, if no row has a usable time.

    A row without a usable time gets the earliest of the others, so that it never passes for recent. Columns whose
    times lie before 1990 as a whole are an order (1, 2, 3) and taken as it is.
    """
    time, sure = raw.time, raw.in_seconds
    if time is None or sure is None:
        return None
    notes = raw.table.notes
    known = ~np.isnan(time)
    plain = known & ~sure
    factor, unit = time_unit(time[plain])
    if factor != 1:
        example = f"{np.median(np.abs(time[plain])):.0f}"
        notes.append(Note(f"{column} read as {unit}", int(plain.sum()), example))
        time = np.where(plain, np.floor(time / factor), time)
    if known.any() and np.median(time[known]) >= YEAR_1990:
        late = known & (time > np.inf if rules.now is None else time > rules.now + CLOCK_SLACK)
        early = known & (time < YEAR_1990)
        now = day(rules.now or 0)
        for rule, wrong in (("future", late), ("ancient", early)):
            _note(raw, wrong, rule, [_moment(value) for value in time[wrong][:EXAMPLES].tolist()], now=now)
            known &= ~wrong
    if not known.any():
        notes[:] = [note for note in notes if note.name != "bad_time"]
        notes.append(Note(f"no readable time in {column!r}, read without timestamps", len(raw)))
        return None
    return np.where(known, time, time[known].min()).astype(np.int64)


def is_fine(stamp: NDArray[np.int64] | None) -> bool:
    """Whether times tell two events of one day apart, so that equal rows are one event told twice."""
    return stamp is not None and bool(np.median(stamp) >= YEAR_1990) and bool(np.any(stamp % DAY))


def without_bots(raw: Raw, rules: Rules) -> NDArray[np.bool_]:
    """bool[R], rows to keep: those of users who are not absurdly active, see `Rules.bots`."""
    keep = np.ones(len(raw), np.bool_)
    count = np.bincount(raw.user, minlength=len(raw.users))
    active = count[count > 0]
    if rules.bots == 0 or len(active) < BOT_USERS:
        return keep
    limit = max(rules.bots * float(np.percentile(active, 99)), BOT_ROWS)
    bots = np.flatnonzero(count > limit)
    if len(bots):
        bots = bots[np.argsort(-count[bots], kind="stable")]
        cases = [f"user {raw.users[bot]!r}: {count[bot]:,} rows" for bot in bots[:EXAMPLES]]
        rule = RULES["bot"].says(limit=f"{limit:,.0f}", times=f"{rules.bots:g}")
        raw.table.notes.append(Note(rule, len(bots), cases[0], tuple(cases[1:]), "bot"))
        keep = count[raw.user] <= limit
    return keep


def known_items(raw: Raw, rules: Rules, catalogue: Collection[str] | None) -> NDArray[np.bool_]:
    """bool[R], rows to keep: with unknown_items="remove" those whose item is in the items table."""
    keep = np.ones(len(raw), np.bool_)
    if catalogue is None:
        return keep
    ids = set(catalogue)
    unknown = np.array([item not in ids for item in raw.items], np.bool_)
    unknown &= np.bincount(raw.item, minlength=len(raw.items)) > 0
    if unknown.any():
        removed = rules.unknown_items == "remove"
        cases = [f"item {raw.items[item]!r}" for item in np.flatnonzero(unknown)[:EXAMPLES]]
        rule = RULES["unknown_item"].says(action="rows removed" if removed else "kept without a text")
        raw.table.notes.append(Note(rule, int(unknown.sum()), cases[0], tuple(cases[1:]), "unknown_item"))
        if removed:
            keep = ~unknown[raw.item]
    return keep


def on_scale(raw: Raw, rules: Rules, scale: Scale | None) -> Raw:
    """The rows whose rating is on the scale, or is once divided by 10; all rows where there is no scale."""
    if scale is None or rules.off_scale == "keep" or raw.value is None:
        return raw
    value = raw.value
    off = ~np.isnan(value) & ~scale.spans(value)
    tenth = value / 10
    shifted = off & scale.holds(tenth) & (rules.off_scale == "repair")
    _note(raw, shifted, "shifted", [f"{v:g}" for v in value[shifted][:EXAMPLES]], scale=str(scale))
    _note(raw, off & ~shifted, "off_scale", [f"{v:g}" for v in value[off & ~shifted][:EXAMPLES]], scale=str(scale))
    return replace(raw, value=np.where(shifted, tenth, value)).select(~off | shifted)


def duplicates(raw: Raw, rules: Rules, order: NDArray[np.int64], stamp: NDArray[np.int64] | None) -> NDArray[np.bool_]:
    """bool[R], rows that say again what an earlier row says in every column.

    Args:
        raw: The rows.
        rules: Whether to look for them.
        order: int64[N], the rows whose (user, item) occurs more than once.
        stamp: int64[R] seconds.
    """
    again = np.zeros(len(raw), np.bool_)
    if rules.duplicates == "keep" or stamp is None or not is_fine(stamp) or not len(order):
        return again
    rows = np.sort(order)
    columns: list[NDArray[Any]] = [raw.user[rows], raw.item[rows], stamp[rows]]
    columns += [_comparable(array[rows]) for array in (raw.value, raw.event, raw.dwell) if array is not None]
    if raw.review is not None:
        columns.append(np.asarray(raw.review.take(rows).combine_chunks().dictionary_encode().indices.fill_null(-1)))
    by = np.lexsort(columns)  # stable: of equal rows the first of the source comes first
    same = np.ones(len(rows) - 1, np.bool_)
    for column in columns:
        same &= column[by[1:]] == column[by[:-1]]
    again[rows[by[1:][same]]] = True
    first = np.flatnonzero(again)[:EXAMPLES]
    _note(raw, again, "duplicate", [f"user {raw.users[raw.user[i]]!r}, item {raw.items[raw.item[i]]!r}" for i in first])
    return again


def _comparable(array: NDArray[Any]) -> NDArray[Any]:
    """Without NaN, which is unlike itself."""
    return np.nan_to_num(array, nan=-np.inf) if array.dtype.kind == "f" else array


def _note(raw: Raw, wrong: NDArray[np.bool_], rule: str, cases: Sequence[str], **about: str) -> None:
    """Notes the rows ``wrong`` (bool[R]), if any; ``cases`` says what the first of them hold."""
    rows = np.flatnonzero(wrong)
    if len(rows):
        numbers = raw.numbers_of(rows[:EXAMPLES]).tolist()
        first, *more = (f"row {number}: {case}" for number, case in zip(numbers, cases, strict=True))
        raw.table.notes.append(Note(RULES[rule].says(**about), len(rows), first, tuple(more), rule))


def _moment(value: float) -> str:
    return f"{day(value)} ({value:.0f})"
