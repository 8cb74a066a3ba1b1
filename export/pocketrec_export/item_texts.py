"""Texts and categories of items: bounded, and on one line each."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pocketrec_export.columns import strings
from pocketrec_export.tables import Note, Table

MAX_TITLE, MAX_TEXT, MAX_CATEGORY = 1_000, 20_000, 200  # characters
MAX_CATEGORIES = 64  # an item

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_BREAK = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]")
_UNSEEN = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]")


def _without_control(text: str) -> str:
    """Line breaks and tabs become one space, other control characters go, ends are trimmed."""
    if _CONTROL.search(text) is None:
        return text.strip()
    return _CONTROL.sub(lambda run: " " if _BREAK.search(run[0]) else "", text).strip()


def one_line(array: pa.Array, role: str, limit: int, table: Table, row_indices: NDArray[np.int64]) -> list[str]:
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


def category_sets(array: pa.Array, table: Table, row_indices: NDArray[np.int64]) -> list[list[str]]:
    """Distinct names of each row, in the order written: of a list column, or of text split on "|", else on ", "."""
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
