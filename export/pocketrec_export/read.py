"""First stage: other people's files to clean interactions and items, with every repair counted.

``read_interactions`` gives one row per (user, item) as index arrays; ``read_items`` (its own module,
`item_texts`) gives titles, texts and categories. Rows that cannot be used are removed and reported in
``notes``; nothing is guessed in silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pocketrec.errors import DataError, UsageError

from pocketrec_export.columns import MAX_ID_BYTES, id_strings, numbers, timestamps
from pocketrec_export.files import open_table
from pocketrec_export.item_texts import ITEM_ROLES, ITEM_SYNONYMS, Items, read_items
from pocketrec_export.tables import Note, check_roles
from pocketrec_export.value_kind import VALUE_CHOICES, Positive, ValueKind, infer_kind

__all__ = ["Interactions", "Items", "Note", "columns_of", "read_interactions", "read_items"]

MAX_VALUE = 1e15
INTERACTION_ROLES: dict[str, tuple[str, ...]] = {
    "user": ("user_id", "customer", "customer_id", "visitor_id", "reviewer_id", "member_id", "account_id"),
    "item": ITEM_SYNONYMS,
    "value": ("rating", "stars", "score", "count", "quantity", "qty", "plays", "weight"),
    "timestamp": ("ts", "time", "date", "datetime", "unix_time", "created_at", "invoice_date"),
}


@dataclass(frozen=True)
class Interactions:
    """One row per (user, item), sorted by user, then item; ids sorted as text.

    Attributes:
        name: The source, for messages.
        users: Ids of the U users; all of them occur.
        items: Ids of the I items; all of them occur.
        user_index: int32[R], position in ``users``.
        item_index: int32[R], position in ``items``.
        value: float32[R], 1.0 where the source has none.
        timestamp: int64[R] seconds, or None.
        value_kind: What ``value`` is.
        value_reason: The evidence for that.
        positive: The condition for a positive row, e.g. "value>=4"; None when every row is positive.
        is_positive: bool[R].
        notes: What was repaired, removed or assumed.
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

    def __len__(self) -> int:
        return len(self.value)

    def __repr__(self) -> str:
        return (
            f"Interactions({self.name!r}, rows={len(self):,}, users={len(self.users):,}, "
            f"items={len(self.items):,}, {self.value_kind}, positive={self.positive!r}: "
            f"{int(self.is_positive.sum()):,})"
        )


def columns_of(table: Literal["interactions", "items"], columns: Mapping[str, str] | None) -> dict[str, str]:
    """The part of a column mapping that concerns one table, as role -> column.

    ``item`` names the column of both tables, ``items.item`` or ``interactions.item`` that of one of them.

    Raises:
        UsageError: A role that the table it is for does not have.
    """
    roles_of = {"interactions": INTERACTION_ROLES, "items": ITEM_ROLES}
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
) -> Interactions:
    """Clean interactions of a file or frame.

    Repeated (user, item) rows become one: of ratings the last by timestamp (the last row without), counts
    are summed, and without values one is kept; the latest timestamp stays.

    Args:
        source: Path, DataFrame or Arrow table, see `files.open_table`.
        columns: Role -> column of the source; roles user, item, value, timestamp.
        value: "auto" infers (see `value_kind.infer_kind`), or "rating", "count", "none".
        positive: Condition on the value, e.g. "value>=4"; default at least 80 % of the largest rating, a
            count above 0, or every row without values.
        source_name: How messages call the source.

    Raises:
        DataError: The source cannot be read, lacks a column, or no usable row is left.
        UsageError: Unknown role, value kind or condition.
    """
    mapping = check_roles(columns, tuple(INTERACTION_ROLES))
    if value not in VALUE_CHOICES:
        raise UsageError(f"value={value!r}: expected one of {', '.join(VALUE_CHOICES)}")
    condition = None if positive is None else Positive.parse(positive)
    table = open_table(source, name=source_name)
    notes = table.notes
    user_column, user_array = table.require("user", INTERACTION_ROLES["user"], mapping)
    item_column, item_array = table.require("item", INTERACTION_ROLES["item"], mapping)
    value_found = table.pick("value", INTERACTION_ROLES["value"], mapping)
    time_found = table.pick("timestamp", INTERACTION_ROLES["timestamp"], mapping)
    table.note_ignored([user_column, item_column, *(f[0] for f in (value_found, time_found) if f)])
    if value_found is None and value in ("rating", "count"):
        table.require("value", INTERACTION_ROLES["value"], mapping)
    if value == "none":
        value_found = None
    if value_found is None and condition is not None:
        raise UsageError(f"positive={positive!r} needs a value column, and {table.name} is read without one")

    users = id_strings(user_array, column=user_column, table=table)
    items = id_strings(item_array, column=item_column, table=table)
    keep = np.ones(table.rows, np.bool_)
    for role, ids in (("user", users), ("item", items)):
        table.remove(keep, np.array(pc.is_null(ids)), f"{role} id missing, row removed")
        long = np.array(pc.fill_null(pc.greater(pc.binary_length(ids), MAX_ID_BYTES), False))
        table.remove(keep, long, f"{role} id longer than {MAX_ID_BYTES:,} bytes, row removed", shown=ids)
    values = np.ones(table.rows)
    if value_found is not None:
        values, missing, bad = numbers(value_found[1])
        table.remove(keep, missing, "value missing, row removed")
        table.remove(keep, bad, "value is not a number, row removed", shown=value_found[1])
        table.remove(keep, ~np.isfinite(values), "value is not finite, row removed", shown=value_found[1])
        huge = np.abs(values) > MAX_VALUE
        table.remove(keep, huge, f"value beyond {MAX_VALUE:g}, row removed", shown=value_found[1])
    if not keep.any():
        reasons = "; ".join(map(str, notes)) or "every row was removed"
        raise DataError(f"{table.name}: none of the {table.rows:,} rows can be used: {reasons}")
    stamp = None if time_found is None else timestamps(time_found[1], column=time_found[0], table=table)

    values = values[keep]
    user_ids, user_index = _factorize(users.filter(pa.array(keep)))
    item_ids, item_index = _factorize(items.filter(pa.array(keep)))
    kind, reason = _kind(values, value, value_found and value_found[0])
    key = user_index.astype(np.int64) * len(item_ids) + item_index
    rows, values, repeats = _merge_repeats(key, values, None if stamp is None else stamp[keep], kind)
    if len(repeats):
        rule = {"rating": "the last is kept", "count": "summed", "none": "kept once"}[kind]
        first = int(repeats.min())
        pair = f"user {user_ids[user_index[first]]!r}, item {item_ids[item_index[first]]!r}"
        example = f"row {table.row_number(int(np.flatnonzero(keep)[first]))}: {pair}"
        notes.append(Note(f"repeated (user, item), {rule}", len(repeats), example))
    stamp = None if stamp is None else stamp[keep][rows]
    if condition is None:
        condition = Positive.default(kind, values)
    # The test is made on what is stored, so that nobody can find a row whose float32 value contradicts it.
    value32 = values.astype(np.float32)
    is_positive = np.ones(len(rows), np.bool_) if condition is None else condition(value32)
    return Interactions(
        table.name, user_ids, item_ids, user_index[rows], item_index[rows], value32, stamp, kind, reason,
        None if condition is None else str(condition), is_positive, notes,
    )  # fmt: skip


def _kind(values: NDArray[np.float64], asked: str, column: str | None) -> tuple[ValueKind, str]:
    if asked == "none":
        return "none", "values ignored as asked"
    if column is None:
        return "none", "no value column: every row counts the same"
    if asked == "rating":
        return "rating", f"ratings as asked, values {values.min():g} to {values.max():g}"
    if asked == "count":
        return "count", f"counts as asked, values {values.min():g} to {values.max():g}"
    return infer_kind(values, column=column)


def _factorize(ids: pa.Array) -> tuple[list[str], NDArray[np.int32]]:
    """Distinct ids in ascending byte order, and each row's position among them."""
    encoded = ids.dictionary_encode()
    order = np.asarray(pc.sort_indices(encoded.dictionary))
    rank = np.empty(len(order), np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return encoded.dictionary.take(pa.array(order)).to_pylist(), rank[np.asarray(encoded.indices)]


def _merge_repeats(
    key: NDArray[np.int64], values: NDArray[np.float64], stamp: NDArray[np.int64] | None, kind: ValueKind
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """One row per key, in key order.

    Returns:
        The row that stays for each key (the latest), its merged value, and the rows that go.
    """
    # Stable sorts keep the source's row order among equals, so "last" means the last row.
    order = np.argsort(key, kind="stable") if stamp is None else np.lexsort((stamp, key))
    ordered = key[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    is_last = np.r_[ordered[1:] != ordered[:-1], True]
    stays, goes = order[is_last], order[~is_last]
    if kind == "none":
        return stays, np.ones(len(stays)), goes
    return stays, values[stays] if kind == "rating" else np.add.reduceat(values[order], starts), goes
