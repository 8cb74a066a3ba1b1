"""First stage: other people's files to clean interactions and items, with every repair counted.

``read_interactions`` gives one row per (user, item) as index arrays; ``read_items`` (its own module,
`items`) gives titles, texts and categories. Rows are read by `raw`, cleaned by `clean` under the rules of
`rules`, and weighed by `strength`. What was removed or assumed is in ``notes``; nothing is guessed in silence.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pocketrec.errors import DataError, UsageError

from pocketrec_export import clean, strength
from pocketrec_export.clean import Cleaning
from pocketrec_export.items import ITEM_ROLES, ITEM_SYNONYMS, Items, read_items
from pocketrec_export.raw import Raw, read_raw
from pocketrec_export.rules import RULES, Rules
from pocketrec_export.streams import open_stream
from pocketrec_export.strength import Weighting
from pocketrec_export.tables import Note, check_roles
from pocketrec_export.users import USER_ROLES, USER_SYNONYMS
from pocketrec_export.value_kind import VALUE_CHOICES, Positive, ValueKind, infer_kind, scale_of

__all__ = ["Interactions", "Items", "Note", "columns_of", "read_interactions", "read_items"]

INTERACTION_ROLES: dict[str, tuple[str, ...]] = {
    "user": USER_SYNONYMS,
    "item": ITEM_SYNONYMS,
    "value": ("rating", "stars", "score", "count", "quantity", "qty", "plays", "weight"),
    "timestamp": ("ts", "time", "date", "datetime", "unix_time", "created_at", "invoice_date"),
    "event": ("event_type", "event_name", "action", "behavior", "behaviour", "interaction", "interaction_type"),
    "dwell": ("dwell_time", "dwell_seconds", "dwell_ms", "time_spent", "watch_time"),
    "review": ("review_text", "reviewtext", "comment"),
}


TableName = Literal["interactions", "items", "users"]
TABLES: tuple[TableName, ...] = ("interactions", "items", "users")


@dataclass(frozen=True)
class Reviews:
    """Texts that users wrote about items: R rows of int32 user and item positions, and the texts.

    Nothing of them may reach a package unless several users wrote it, see `reviews`.
    """

    user_index: NDArray[np.int32]
    item_index: NDArray[np.int32]
    text: pa.ChunkedArray


@dataclass(frozen=True)
class Interactions:
    """One row per (user, item), sorted by user, then item; ids sorted as text.

    Attributes:
        name: The source, for messages.
        users: Ids of the U users; all of them occur.
        items: Ids of the I items; all of them occur.
        user_index: int32[R], position in ``users``.
        item_index: int32[R], position in ``items``.
        value: float32[R], 1.0 where the source has none; with event types and no values the summed strength of the
            pair's events; NaN where a pair of a table with ratings and event types has events but no rating.
        timestamp: int64[R] seconds, or None.
        value_kind: What ``value`` is.
        value_reason: The evidence for that.
        positive: The condition for a positive row, e.g. "value>=4"; None when every row is positive.
        is_positive: bool[R].
        notes: What was repaired, removed or assumed.
        confidence: float32[R] in [0, 8] before decay, see `strength`; None where every pair weighs 1.
        weighting: What the confidence was made with, and the decay that training applies.
        cleaning: Counts and cases of every rule that was met.
        event_rows: Rows of each event type.
        reviews: The review texts of the usable rows, with their (user, item), when they were asked for.
    """

    name: str
    users: list[str]
    items: list[str]
    user_index: NDArray[np.int32]
    item_index: NDArray[np.int32]
    value: NDArray[np.float32]
    timestamp: NDArray[np.int64] | None
    value_kind: ValueKind
    value_reason: str
    positive: str | None
    is_positive: NDArray[np.bool_]
    notes: list[Note] = field(default_factory=list)
    confidence: NDArray[np.float32] | None = None
    weighting: Weighting = field(default_factory=Weighting)
    cleaning: Cleaning = field(default_factory=Cleaning)
    event_rows: Mapping[str, int] = field(default_factory=dict)
    reviews: Reviews | None = None

    def __len__(self) -> int:
        return len(self.value)

    def __repr__(self) -> str:
        return (
            f"Interactions({self.name!r}, rows={len(self):,}, users={len(self.users):,}, "
            f"items={len(self.items):,}, {self.value_kind}, positive={self.positive!r}: "
            f"{int(self.is_positive.sum()):,})"
        )


def columns_of(table: TableName, columns: Mapping[str, str] | None) -> dict[str, str]:
    """The part of a column mapping that concerns one table, as role -> column.

    ``item`` names the column of every table that has it, ``items.item`` or ``interactions.item`` that of one of them.

    Raises:
        UsageError: A role that the table it is for does not have.
    """
    roles_of = {"interactions": INTERACTION_ROLES, "items": ITEM_ROLES, "users": USER_ROLES}
    common, own = {}, {}
    for key, column in (columns or {}).items():
        where, _, role = key.rpartition(".")
        allowed = {*INTERACTION_ROLES, *ITEM_ROLES} if not where else set(roles_of.get(where, ()))
        if role not in allowed:
            known = "; ".join(f"{name}: {', '.join(roles)}" for name, roles in roles_of.items())
            raise UsageError(
                f"columns: unknown role {key!r}; expected one of {known}; or items.ROLE, interactions.ROLE"
            )
        if not where and role in roles_of[table]:
            common[role] = column
        elif where == table:
            own[role] = column
    return common | own


def read_interactions(
    source: Any,
    *,
    columns: Mapping[str, str] | None = None,
    value: str = "auto",
    positive: str | None = None,
    source_name: str | None = None,
    rules: Rules | None = None,
    weighting: Weighting | None = None,
    catalogue: Collection[str] | None = None,
    reviews: bool = False,
) -> Interactions:
    """Clean interactions of a file or frame.

    Repeated (user, item) rows become one: of ratings the last by timestamp (the last row without), counts
    and strengths of events are summed, and without values one is kept; the latest timestamp stays. A pair with
    events and no rating is positive if its events add up to more than 0.

    Args:
        source: Path, DataFrame or Arrow table, see `files.open_table`.
        columns: Role -> column of the source; roles user, item, value, timestamp, event, dwell, review.
        value: "auto" infers (see `value_kind.infer_kind`), or "rating", "count", "none"; "none" ignores events too.
        positive: Condition on the value, e.g. "value>=4"; default at least 80 % of the largest rating, a
            count above 0, or every row without values.
        source_name: How messages call the source.
        rules: What is removed or repaired, see `rules.Rules`.
        weighting: What events, time spent, repeats and age are worth, see `strength.Weighting`.
        catalogue: Ids of the items table, to find interactions with other items.
        reviews: Keep the texts of the review column.

    Raises:
        DataError: The source cannot be read, lacks a column, or no usable row is left.
        UsageError: Unknown role, value kind or condition.
    """
    mapping = check_roles(columns, tuple(INTERACTION_ROLES))
    if value not in VALUE_CHOICES:
        raise UsageError(f"value={value!r}: expected one of {', '.join(VALUE_CHOICES)}")
    condition = None if positive is None else Positive.parse(positive)
    if condition is not None and value == "none":
        raise UsageError(f"value='none' ignores the values that positive={positive!r} asks about; drop one of them")
    rules, weighting = rules or Rules(), weighting or Weighting()
    stream = open_stream(source, name=source_name)
    found = _columns(stream.head, mapping, value, reviews)
    if condition is not None and not {"value", "event"} & set(found):
        raise UsageError(f"positive={positive!r} needs a value column, and {stream.head.name} is read without one")
    raw = read_raw(stream, found)
    rows_read, notes = raw.rows_read, raw.table.notes
    raw = raw.select(clean.without_bots(raw, rules))
    raw = raw.select(clean.known_items(raw, rules, catalogue))
    raw = clean.on_scale(raw, rules, None if raw.value is None else _scale(raw, found["value"], value))
    if not len(raw):
        raise DataError(f"{raw.table.name}: no row is left of {rows_read:,}: {'; '.join(map(str, notes))}")
    stamp = clean.seconds(raw, rules, column=found.get("timestamp", ""))
    kind, reason = _kind(raw, value, found)
    strengths = _strengths(raw, kind, weighting)
    raw, order = _with_positions(raw)
    order, keep = _distinct(raw, rules, order, stamp)
    pairs = _merge(raw, order, stamp, kind, strengths, weighting)
    rows = pairs.rows
    rating = kind == "rating"
    if condition is None:
        condition = Positive.default(kind, pairs.value[~np.isnan(pairs.value)])
    # The test is made on what is stored, so that nobody can find a row whose float32 value contradicts it.
    value32 = pairs.value.astype(np.float32)
    is_positive = np.ones(len(rows), np.bool_) if condition is None else condition(value32)
    if rating and strengths is not None:
        is_positive |= np.isnan(value32) & (pairs.total > 0)
    return Interactions(
        raw.table.name, raw.users, raw.items, raw.user[rows], raw.item[rows], value32,
        None if stamp is None else stamp[rows], kind, reason,
        None if condition is None else str(condition), is_positive, notes,
        pairs.confidence, weighting, Cleaning(rows_read, keep, tuple(notes)), _event_rows(raw),
        None if raw.review is None else Reviews(raw.user, raw.item, raw.review),
    )  # fmt: skip


def _columns(head: Any, mapping: Mapping[str, str], value: str, reviews: bool) -> dict[str, str]:
    """Role -> column of what is to be read."""
    found = {role: head.require(role, INTERACTION_ROLES[role], mapping)[0] for role in ("user", "item")}
    for role in ("value", "timestamp", "event", "dwell", *(["review"] if reviews else [])):
        picked = head.pick(role, INTERACTION_ROLES[role], mapping)
        if picked is not None:
            found[role] = picked[0]
    if reviews:
        head.require("review", INTERACTION_ROLES["review"], mapping)
    head.note_ignored(list(found.values()))
    if "value" not in found and (value == "rating" or (value == "count" and "event" not in found)):
        head.require("value", INTERACTION_ROLES["value"], mapping)
    if value == "none":
        for role in ("value", "event", "dwell"):
            found.pop(role, None)
    return found


def _scale(raw: Raw, column: str, asked: str) -> Any:
    assert raw.value is not None
    values = raw.value[~np.isnan(raw.value)]
    return scale_of(values, column=column, asked=asked) if len(values) else None


def _kind(raw: Raw, asked: str, found: Mapping[str, str]) -> tuple[ValueKind, str]:
    if asked == "none":
        return "none", "values ignored as asked"
    values = np.ones(1) if raw.value is None else raw.value[~np.isnan(raw.value)]
    if raw.value is None or not len(values):
        if raw.event is not None:
            return "count", "no values: the weights of each pair's events, added up"
        if raw.dwell is not None:
            return "count", "no values: time spent, bounded, added up"
        return "none", "no value column: every row counts the same"
    if asked == "rating":
        return "rating", f"ratings as asked, values {values.min():g} to {values.max():g}"
    if asked == "count":
        return "count", f"counts as asked, values {values.min():g} to {values.max():g}"
    return infer_kind(values, column=found["value"])


def _strengths(raw: Raw, kind: ValueKind, weighting: Weighting) -> NDArray[np.float64] | None:
    """float64[R] of rows with event types, dwell times or counts; None where all are alike."""
    if raw.event is None and raw.dwell is None and kind != "count":
        return None
    result = np.ones(len(raw))
    if raw.event is not None:
        weights, unknown = [], []
        for event in raw.events:
            weight = weighting.event_weight(event)
            if weight is None:
                unknown.append(event)
            weights.append(strength.EVENT_WEIGHTS[strength.OTHER] if weight is None else weight)
        result *= np.array([*weights, strength.EVENT_WEIGHTS[strength.OTHER]])[raw.event]
        rows = np.bincount(raw.event[raw.event >= 0], minlength=len(raw.events))
        cases = [f"{event!r}: {rows[raw.events.index(event)]:,} rows" for event in unknown]
        missing = int((raw.event < 0).sum())
        if unknown:
            count = sum(int(rows[raw.events.index(event)]) for event in unknown)
            rule = RULES["unweighted_event"].says(as_event=strength.OTHER)
            raw.table.notes.append(Note(rule, count, cases[0], tuple(cases[1:3]), "unweighted_event"))
        if missing:
            first = f"row {int(raw.numbers_of(np.flatnonzero(raw.event < 0)[:1])[0])}"
            raw.table.notes.append(
                Note(RULES["no_event"].says(as_event=strength.OTHER), missing, first, (), "no_event")
            )
    if raw.dwell is not None and not np.isnan(raw.dwell).all():
        half = weighting.dwell_half or float(np.nanmedian(raw.dwell)) or 1.0
        result *= strength.dwell_factor(raw.dwell, half)
    if kind == "count" and raw.value is not None:
        result *= np.where(np.isnan(raw.value), 1.0, raw.value)
    return result


def _with_positions(raw: Raw) -> tuple[Raw, NDArray[np.int64]]:
    """Ids that occur, sorted, rows numbered by them; and int64[R], the rows by user, then item, then as they came."""
    users, user = _ranked(raw.users, raw.user)
    items, item = _ranked(raw.items, raw.item)
    key = user.astype(np.int64) * len(items) + item
    return replace(raw, users=users, items=items, user=user, item=item), np.argsort(key, kind="stable")


def _ranked(ids: list[str], number: NDArray[np.int32]) -> tuple[list[str], NDArray[np.int32]]:
    """Ids that occur in ascending byte order, and each row's position among them."""
    occurs = np.flatnonzero(np.bincount(number, minlength=len(ids)))
    array = pa.array(ids, pa.large_string()).take(pa.array(occurs))
    order = np.asarray(pc.sort_indices(array))
    rank = np.empty(len(ids), np.int32)
    rank[occurs[order]] = np.arange(len(order), dtype=np.int32)
    return array.take(pa.array(order)).to_pylist(), rank[number]


def _distinct(
    raw: Raw, rules: Rules, order: NDArray[np.int64], stamp: NDArray[np.int64] | None
) -> tuple[NDArray[np.int64], int]:
    """``order`` by time within each pair and without exact duplicates, and how many rows are left."""
    same = _same_pair(raw, order)
    repeated = np.r_[same, False] | np.r_[False, same]
    if not repeated.any():
        return order, len(order)
    again = order[repeated]
    if stamp is not None:  # most pairs occur once, and only the others need the slow sort
        again = again[np.lexsort((stamp[again], raw.item[again], raw.user[again]))]
        order[repeated] = again
    double = clean.duplicates(raw, rules, again, stamp)
    if double.any():
        order = order[~double[order]]
    return order, len(order)


def _same_pair(raw: Raw, order: NDArray[np.int64]) -> NDArray[np.bool_]:
    """bool[N - 1]: whether a row and the next one in ``order`` have the same user and item."""
    user, item = raw.user[order], raw.item[order]
    return np.asarray((user[1:] == user[:-1]) & (item[1:] == item[:-1]))


@dataclass(frozen=True)
class _Pairs:
    """P pairs: the row that stays of each, its value, its summed strength, its confidence (None if all are 1)."""

    rows: NDArray[np.int64]
    value: NDArray[np.float64]
    total: NDArray[np.float64]
    confidence: NDArray[np.float32] | None


def _merge(
    raw: Raw,
    order: NDArray[np.int64],
    stamp: NDArray[np.int64] | None,
    kind: ValueKind,
    strengths: NDArray[np.float64] | None,
    weighting: Weighting,
) -> _Pairs:
    """One row per pair of rows in ``order``, which has the latest of each pair last."""
    same = _same_pair(raw, order)
    starts, is_last = np.flatnonzero(np.r_[True, ~same]), np.r_[~same, True]
    stays, goes = order[is_last], order[~is_last]
    if len(goes):
        rule = {"rating": "the last is kept", "count": "summed", "none": "kept once"}[kind]
        first = int(goes.min())
        pair = f"user {raw.users[raw.user[first]]!r}, item {raw.items[raw.item[first]]!r}"
        example = f"row {int(raw.numbers_of(np.array([first]))[0])}: {pair}"
        raw.table.notes.append(Note(f"repeated (user, item), {rule}", len(goes), example))
    total = np.ones(len(stays)) if strengths is None else np.add.reduceat(strengths[order], starts)
    if kind == "rating":
        assert raw.value is not None
        value = _last_known(raw.value[order], starts)
    else:
        value = np.ones(len(stays)) if kind == "none" else total
    types = raw.event is not None or raw.dwell is not None
    counts = weighting.counts == "log" or (weighting.counts == "auto" and types)
    if strengths is None or not (counts or types):
        return _Pairs(stays, value, total, None)
    strongest = np.maximum.reduceat(strengths[order], starts)
    return _Pairs(stays, value, total, strength.confidence(total, strongest, counts=counts))


def _last_known(values: NDArray[np.float64], starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """The last value of each group that is not NaN; NaN if there is none."""
    position = np.where(np.isnan(values), -1, np.arange(len(values)))
    last = np.maximum.reduceat(position, starts)
    return np.where(last >= starts, values[last], np.nan)


def _event_rows(raw: Raw) -> dict[str, int]:
    if raw.event is None:
        return {}
    rows = np.bincount(raw.event[raw.event >= 0], minlength=len(raw.events))
    return {name: int(rows[code]) for code, name in enumerate(raw.events) if rows[code]}
