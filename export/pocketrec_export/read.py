"""First stage: other people's files to clean interactions and items, with every repair counted.

``read_interactions`` gives one row per (user, item) as index arrays; ``read_items`` gives titles, texts and
categories. Rows that cannot be used are removed and reported in ``notes``; nothing is guessed in silence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pocketrec.errors import DataError, UsageError

from pocketrec_export.tables import (
    MAX_ID_BYTES,
    Note,
    Table,
    check_roles,
    id_strings,
    numbers,
    open_table,
    strings,
    timestamps,
)
from pocketrec_export.value_kind import VALUE_CHOICES, Positive, ValueKind, infer_kind

__all__ = ["Interactions", "Items", "Note", "read_interactions", "read_items"]

MAX_VALUE = 1e15
MAX_TITLE, MAX_TEXT, MAX_CATEGORY = 1_000, 20_000, 200  # characters
MAX_CATEGORIES = 64  # an item
INTERACTION_ROLES: dict[str, tuple[str, ...]] = {
    "user": ("user_id", "customer", "customer_id", "visitor_id", "reviewer_id", "member_id", "account_id"),
    "item": ("item_id", "movie_id", "product_id", "article_id", "asin", "sku", "stock_code", "book_id"),
    "value": ("rating", "stars", "score", "count", "quantity", "qty", "plays", "weight"),
    "timestamp": ("ts", "time", "date", "datetime", "unix_time", "created_at", "invoice_date"),
}
ITEM_ROLES: dict[str, tuple[str, ...]] = {
    "item": (*INTERACTION_ROLES["item"], "id"),
    "title": ("name", "product_name", "item_name", "headline"),
    "text": ("description", "desc", "body", "content", "overview", "summary", "abstract"),
    "category": ("categories", "genre", "genres", "tags"),
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


@dataclass(frozen=True)
class Items:
    """The catalogue's texts, in the order of the source, one row per id.

    Attributes:
        name: The source, for messages.
        ids: I ids.
        titles: I titles, never empty (the id stands in).
        texts: I descriptions, "" where there is none.
        categories: I lists of categories, distinct, in the order written.
        notes: What was repaired, removed or assumed.
    """

    name: str
    ids: list[str]
    titles: list[str]
    texts: list[str]
    categories: list[list[str]]
    notes: list[Note] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"Items({self.name!r}, items={len(self):,})"

    def encoder_text(self) -> list[str]:
        """What the text encoder reads for each item.

        The title followed by the text; where the text begins with the title, the text alone; where there is
        no text, the title followed by the categories.
        """
        return [
            _encoder_text(title, text, categories)
            for title, text, categories in zip(self.titles, self.texts, self.categories, strict=True)
        ]

    def select(self, ids: Sequence[str]) -> Items:
        """Items in the order of ``ids``; one that is not in the table gets its id as title and no text."""
        row = {item: i for i, item in enumerate(self.ids)}
        found = [row.get(item, -1) for item in ids]
        return Items(
            self.name,
            list(ids),
            [self.titles[r] if r >= 0 else item for r, item in zip(found, ids, strict=True)],
            [self.texts[r] if r >= 0 else "" for r in found],
            [self.categories[r] if r >= 0 else [] for r in found],
            self.notes,
        )


def _encoder_text(title: str, text: str, categories: Sequence[str]) -> str:
    if text.casefold().startswith(title.casefold()):
        return text
    rest = text or ", ".join(categories)
    if not rest:
        return title
    return f"{title} {rest}" if title.endswith((".", "!", "?")) else f"{title}. {rest}"


# --- interactions ---------------------------------------------------------------------------------------


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
        source: Path, DataFrame or Arrow table, see `tables.open_table`.
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
    _note_ignored(table, [user_column, item_column, *(f[0] for f in (value_found, time_found) if f)])
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
        _remove(table, keep, np.array(pc.is_null(ids)), f"{role} id missing, row removed")
        long = np.array(pc.fill_null(pc.greater(pc.binary_length(ids), MAX_ID_BYTES), False))
        _remove(table, keep, long, f"{role} id longer than {MAX_ID_BYTES:,} bytes, row removed", ids)
    values = np.ones(table.rows)
    if value_found is not None:
        values, missing, bad = numbers(value_found[1])
        _remove(table, keep, missing, "value missing, row removed")
        _remove(table, keep, bad, "value is not a number, row removed", value_found[1])
        _remove(table, keep, ~np.isfinite(values), "value is not finite, row removed", value_found[1])
        huge = np.abs(values) > MAX_VALUE
        _remove(table, keep, huge, f"value beyond {MAX_VALUE:g}, row removed", value_found[1])
    if not keep.any():
        reasons = "; ".join(map(str, notes)) or "every row was removed"
        raise DataError(f"{table.name}: none of the {table.rows:,} rows can be used: {reasons}")
    stamp = None if time_found is None else timestamps(time_found[1], column=time_found[0], table=table)

    values = values[keep]
    user_ids, user_index = _factorize(users.filter(pa.array(keep)))
    item_ids, item_index = _factorize(items.filter(pa.array(keep)))
    kind, reason = _kind(values, value, value_found and value_found[0])
    rows, values, stamp = _merge_repeats(
        user_index,
        item_index,
        values,
        None if stamp is None else stamp[keep],
        kind,
        notes,
        keep,
        table,
        user_ids,
        item_ids,
    )
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


def _remove(
    table: Table, keep: NDArray[np.bool_], bad: NDArray[np.bool_], rule: str, shown: pa.Array | None = None
) -> None:
    """Takes ``bad`` rows that are still there out of ``keep``, in place, and notes how many."""
    bad = bad & keep
    count = int(bad.sum())
    if count == 0:
        return
    first = int(np.argmax(bad))
    example = f"row {table.row_number(first)}"
    if shown is not None:
        example += f": {str(shown[first].as_py())[:40]!r}"
    table.notes.append(Note(rule, count, example))
    keep &= ~bad


def _note_ignored(table: Table, used: Sequence[str]) -> None:
    ignored = [column for column in table.columns if column not in used]
    if ignored:
        table.notes.append(Note("columns not used", len(ignored), ", ".join(ignored)[:200]))


def _factorize(ids: pa.Array) -> tuple[list[str], NDArray[np.int32]]:
    """Distinct ids in ascending byte order, and each row's position among them."""
    encoded = ids.dictionary_encode()
    order = np.asarray(pc.sort_indices(encoded.dictionary))
    rank = np.empty(len(order), np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return encoded.dictionary.take(pa.array(order)).to_pylist(), rank[np.asarray(encoded.indices)]


def _merge_repeats(
    user_index: NDArray[np.int32],
    item_index: NDArray[np.int32],
    values: NDArray[np.float64],
    stamp: NDArray[np.int64] | None,
    kind: ValueKind,
    notes: list[Note],
    keep: NDArray[np.bool_],
    table: Table,
    user_ids: list[str],
    item_ids: list[str],
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64] | None]:
    """Row that stays for each (user, item), its value and its timestamp; sorted by user, item."""
    key = user_index.astype(np.int64) * len(item_ids) + item_index
    # Stable sorts keep the source's row order among equals, so "last" means the last row.
    order = np.argsort(key, kind="stable") if stamp is None else np.lexsort((stamp, key))
    ordered = key[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    last = order[np.r_[starts[1:], len(order)] - 1]
    merged = values[last] if kind == "rating" else np.add.reduceat(values[order], starts)
    if kind == "none":
        merged = np.ones(len(last))
    if len(last) < len(order):
        rule = {"rating": "the last is kept", "count": "summed", "none": "kept once"}[kind]
        repeat = order[np.flatnonzero(ordered[1:] == ordered[:-1])[0] + 1]
        row = table.row_number(int(np.flatnonzero(keep)[repeat]))
        example = f"row {row}: user {user_ids[user_index[repeat]]!r}, item {item_ids[item_index[repeat]]!r}"
        notes.append(Note(f"repeated (user, item), {rule}", len(order) - len(last), example))
    return last, merged, None if stamp is None else stamp[last]


# --- items ----------------------------------------------------------------------------------------------


def read_items(source: Any, *, columns: Mapping[str, str] | None = None, source_name: str | None = None) -> Items:
    """Clean item texts of a file or frame.

    A category string is split on "|", or on ", " where it has no "|"; a list column is taken as it is.

    Args:
        source: Path, DataFrame or Arrow table, see `tables.open_table`.
        columns: Role -> column of the source; roles item, title, text, category.
        source_name: How messages call the source.

    Raises:
        DataError: The source cannot be read, lacks ``item`` or ``title``, or no usable row is left.
        UsageError: Unknown role.
    """
    mapping = check_roles(columns, tuple(ITEM_ROLES))
    table = open_table(source, name=source_name)
    item_column, item_array = table.require("item", ITEM_ROLES["item"], mapping)
    title_column, title_array = table.require("title", ITEM_ROLES["title"], mapping)
    text_found = table.pick("text", ITEM_ROLES["text"], mapping)
    category_found = table.pick("category", ITEM_ROLES["category"], mapping)
    optional = [found[0] for found in (text_found, category_found) if found]
    _note_ignored(table, [item_column, title_column, *optional])

    ids = id_strings(item_array, column=item_column, table=table)
    keep = np.ones(table.rows, np.bool_)
    _remove(table, keep, np.array(pc.is_null(ids)), "item id missing, row removed")
    long = np.array(pc.fill_null(pc.greater(pc.binary_length(ids), MAX_ID_BYTES), False))
    _remove(table, keep, long, f"item id longer than {MAX_ID_BYTES:,} bytes, row removed", ids)
    codes = np.asarray(ids.dictionary_encode().indices.fill_null(-1))
    repeat = np.ones(table.rows, np.bool_)
    repeat[np.unique(codes, return_index=True)[1]] = False
    _remove(table, keep, repeat, "repeated item id, the first is kept", ids)
    if not keep.any():
        raise DataError(f"{table.name}: none of the {table.rows:,} rows has an item id")

    rows = pa.array(keep)
    item_ids: list[str] = ids.filter(rows).to_pylist()
    numbers_kept = np.flatnonzero(keep)
    titles = _clean(strings(title_array).filter(rows), "title", MAX_TITLE, table, numbers_kept)
    empty = [i for i, title in enumerate(titles) if not title]
    if empty:
        row = table.row_number(int(numbers_kept[empty[0]]))
        table.notes.append(Note("title empty, the id stands in", len(empty), f"row {row}"))
    titles = [title or item for title, item in zip(titles, item_ids, strict=True)]
    texts = [""] * len(item_ids)
    if text_found is not None:
        texts = _clean(strings(text_found[1]).filter(rows), "text", MAX_TEXT, table, numbers_kept)
    categories: list[list[str]] = [[] for _ in item_ids]
    if category_found is not None:
        categories = _categories(category_found[1].filter(rows), table, numbers_kept)
    return Items(table.name, item_ids, titles, texts, categories, table.notes)


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_BREAK = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]")
_UNSEEN = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]")


def _without_control(text: str) -> str:
    """Line breaks and tabs become one space, other control characters go, ends are trimmed."""
    if _CONTROL.search(text) is None:
        return text.strip()
    return _CONTROL.sub(lambda run: " " if _BREAK.search(run[0]) else "", text).strip()


def _clean(array: pa.Array, role: str, limit: int, table: Table, row_indices: NDArray[np.int64]) -> list[str]:
    """One-line strings of at most ``limit`` characters; what was cut or stripped is noted."""
    raw: list[str] = array.fill_null("").to_pylist()
    clean = [_without_control(text) for text in raw]
    control = [i for i, text in enumerate(raw) if _UNSEEN.search(text)]
    long = [i for i, text in enumerate(clean) if len(text) > limit]
    for found, rule in (
        (control, f"control characters taken out of {role}"),
        (long, f"{role} cut to {limit:,} characters"),
    ):
        if found:
            example = f"row {table.row_number(int(row_indices[found[0]]))}: {raw[found[0]][:40]!r}"
            table.notes.append(Note(rule, len(found), example))
    return [text[:limit].rstrip() for text in clean]


def _split(value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, str):
        return value.split("|" if "|" in value else ", ")
    return [str(part) for part in value if part is not None]


def _categories(array: pa.Array, table: Table, row_indices: NDArray[np.int64]) -> list[list[str]]:
    listed = pa.types.is_list(array.type) or pa.types.is_large_list(array.type)
    values = array if listed else strings(array)
    result: list[list[str]] = []
    cut: list[int] = []
    for i, value in enumerate(values.to_pylist()):
        names = [name for name in map(_without_control, _split(value)) if name]
        distinct = list(dict.fromkeys(name[:MAX_CATEGORY].rstrip() for name in names))
        if len(distinct) > MAX_CATEGORIES or any(len(name) > MAX_CATEGORY for name in names):
            cut.append(i)
        result.append(distinct[:MAX_CATEGORIES])
    if cut:
        rule = f"categories cut to {MAX_CATEGORIES} of {MAX_CATEGORY} characters"
        table.notes.append(Note(rule, len(cut), f"row {table.row_number(int(row_indices[cut[0]]))}"))
    return result
