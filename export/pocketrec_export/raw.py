"""The rows of an interactions file as arrays, ids as numbers; what a row alone shows to be unusable is left out.

A part of the file at a time, so that the texts of 25 million rows are never in memory together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pocketrec.errors import DataError

from pocketrec_export.columns import MAX_ID_BYTES, id_strings, moments, numbers, strings
from pocketrec_export.streams import Stream
from pocketrec_export.tables import Note, Table, merged

MAX_VALUE = 1e15


@dataclass(frozen=True)
class Raw:
    """R usable rows, in the order of the source.

    Attributes:
        table: Where they come from: name, notes, and which rows of the source were skipped.
        rows_read: Rows of the source, the unusable ones included.
        row: uint32[R], position among the rows that were not malformed; see `Table.row_numbers`.
        users: Ids by number, in no order; some may not occur.
        items: The same of items.
        events: The same of event types, normalized: "Add to cart" is "add_to_cart".
        user: int32[R].
        item: int32[R].
        value: float64[R] finite, or NaN where a row with an event has none; None without a value column.
        time: float64[R], NaN where there is none; None without a time column.
        in_seconds: bool[R], whether ``time`` is in seconds for sure.
        event: int32[R], -1 where missing; None without an event column.
        dwell: float32[R] >= 0, NaN where unknown; None without a dwell column.
        review: R texts, None without a review column or when not asked for.
    """

    table: Table
    rows_read: int
    row: NDArray[np.uint32]
    users: list[str]
    items: list[str]
    events: list[str]
    user: NDArray[np.int32]
    item: NDArray[np.int32]
    value: NDArray[np.float64] | None
    time: NDArray[np.float64] | None
    in_seconds: NDArray[np.bool_] | None
    event: NDArray[np.int32] | None
    dwell: NDArray[np.float32] | None
    review: pa.ChunkedArray | None

    def __len__(self) -> int:
        return len(self.row)

    def select(self, keep: NDArray[np.bool_]) -> Raw:
        """Only the rows ``keep`` (bool[R])."""
        if keep.all():
            return self
        arrays = {name: array[keep] for name in _COLUMNS if (array := getattr(self, name)) is not None}
        review = None if self.review is None else self.review.filter(pa.array(keep))
        return replace(self, **arrays, review=review)

    def numbers_of(self, indices: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        """1-based data rows in the source of int[N] rows here."""
        return self.table.row_numbers(self.row[indices])


_COLUMNS = ("row", "user", "item", "value", "time", "in_seconds", "event", "dwell")


def read_raw(stream: Stream, columns: Mapping[str, str]) -> Raw:
    """Reads the named columns, part by part.

    Args:
        stream: The source.
        columns: Role -> column; user and item, and any of value, timestamp, event, dwell, review.

    Raises:
        DataError: The source cannot be read, or no row can be used.
    """
    users, items, events = _Ids(), _Ids(), _Ids()
    found: dict[str, list[NDArray[Any]]] = {name: [] for name in _COLUMNS}
    reviews: list[pa.Array] = []
    notes: list[Note] = []
    read = 0
    last = stream.head
    for table in stream.parts(list(dict.fromkeys(columns.values()))):
        array = {role: table.columns[name] for role, name in columns.items()}
        keep = np.ones(table.rows, np.bool_)
        part: dict[str, NDArray[Any]] = {}
        for role, ids in (("user", users), ("item", items)):
            part[role], long = ids.numbers_of(array[role], column=columns[role], table=table)
            table.remove(keep, part[role] < 0, "no_id", role=role)
            table.remove(keep, long, "long_id", shown=array[role], role=role, limit=f"{MAX_ID_BYTES:,}")
        if "event" in array:
            part["event"], _ = events.numbers_of(array["event"], column=columns["event"], table=table, fold=True)
        if "value" in array:
            part["value"] = _values(array["value"], keep, table, optional="event" in array)
        if "dwell" in array:
            part["dwell"] = _dwell(array["dwell"], keep, table)
        if "timestamp" in array:
            part["time"], part["in_seconds"] = moments(array["timestamp"])
            unknown = np.isnan(part["time"]) & keep
            table.mark(unknown, "bad_time", shown=array["timestamp"], column=columns["timestamp"])
        part["row"] = np.arange(read, read + table.rows, dtype=np.uint32)
        for name, values in part.items():
            found[name].append(values[keep])
        if "review" in array:
            reviews.append(strings(array["review"]).filter(pa.array(keep)))
        notes += table.notes
        read += table.rows
        last = table
    head = stream.head
    # What was said of a column before any row was read concerns every row.
    head.notes[:] = merged([*(note if note.count else replace(note, count=read) for note in head.notes), *notes])
    columns_read: dict[str, Any] = {name: np.concatenate(found.pop(name)) if found[name] else None for name in _COLUMNS}
    if columns_read["row"] is None or not len(columns_read["row"]):
        reasons = "; ".join(map(str, head.notes)) or "every row was removed"
        raise DataError(f"{head.name}: none of the {read:,} rows can be used: {reasons}")
    whole = replace(head, skipped=last.skipped)
    return Raw(
        table=whole,
        rows_read=read + len(last.skipped),
        users=list(users.known),
        items=list(items.known),
        events=list(events.known),
        review=pa.chunked_array(reviews, pa.large_string()) if "review" in columns else None,
        **columns_read,
    )


class _Ids:
    """Numbers ids in the order in which they are met."""

    def __init__(self) -> None:
        self.known: dict[str, int] = {}

    def numbers_of(
        self, array: pa.Array, *, column: str, table: Table, fold: bool = False
    ) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """int32[R], -1 where missing, and bool[R] which ids are too long."""
        rows = None
        if pa.types.is_string(array.type) or pa.types.is_large_string(array.type) or pa.types.is_integer(array.type):
            # Each distinct value is looked at once. Not so for floats, whose warnings name rows.
            encoded = array.dictionary_encode()
            array, rows = encoded.dictionary, np.asarray(pc.fill_null(encoded.indices, -1))
        ids = id_strings(array, column=column, table=table).dictionary_encode()
        texts = ids.dictionary.to_pylist()
        if fold:
            texts = ["_".join(text.casefold().replace("-", " ").replace("_", " ").split()) for text in texts]
        # One entry more than there are ids, so that -1, missing, finds -1 and False at the end.
        number = np.array([*(self.known.setdefault(text, len(self.known)) for text in texts), -1], np.int32)
        long = np.append(np.asarray(pc.greater(pc.binary_length(ids.dictionary), MAX_ID_BYTES)).astype(np.bool_), False)
        index = np.asarray(pc.fill_null(ids.indices, -1))
        if rows is not None:
            index = np.append(index, -1)[rows]
        return number[index], long[index]


def _values(array: pa.Array, keep: NDArray[np.bool_], table: Table, *, optional: bool) -> NDArray[np.float64]:
    """float64[R], what is not usable taken out of ``keep``; a missing value is NaN where it is ``optional``."""
    values, missing, bad = numbers(array)
    if not optional:
        table.remove(keep, missing, "no_value")
    table.remove(keep, bad, "bad_value", shown=array)
    table.remove(keep, ~np.isfinite(values) & ~missing, "infinite_value", shown=array)
    table.remove(keep, np.abs(values) > MAX_VALUE, "huge_value", shown=array, limit=f"{MAX_VALUE:g}")
    return values


def _dwell(array: pa.Array, keep: NDArray[np.bool_], table: Table) -> NDArray[np.float32]:
    values, missing, _ = numbers(array)
    wrong = ~((values >= 0) & np.isfinite(values)) & ~missing
    table.mark(wrong & keep, "bad_dwell", shown=array)
    return np.where(wrong, np.nan, values).astype(np.float32)
