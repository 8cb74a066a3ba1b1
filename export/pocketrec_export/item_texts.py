"""The items table to ids, titles, texts and categories, one row per id, bounded and on one line each."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pocketrec.errors import DataError

from pocketrec_export.columns import MAX_ID_BYTES, id_strings, strings
from pocketrec_export.files import open_table
from pocketrec_export.garbage import without_garbage
from pocketrec_export.tables import Note, Table, check_roles

MAX_TITLE, MAX_TEXT, MAX_CATEGORY = 1_000, 20_000, 200  # characters
MAX_CATEGORIES = 64  # an item
ITEM_SYNONYMS = ("item_id", "movie_id", "product_id", "article_id", "asin", "sku", "stock_code", "book_id")
ITEM_ROLES: dict[str, tuple[str, ...]] = {
    "item": (*ITEM_SYNONYMS, "id"),
    "title": ("name", "product_name", "item_name", "headline"),
    "text": ("description", "desc", "body", "content", "overview", "summary", "abstract"),
    "category": ("categories", "genre", "genres", "tags"),
}


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


def read_items(source: Any, *, columns: Mapping[str, str] | None = None, source_name: str | None = None) -> Items:
    """Clean item texts of a file or frame.

    A category string is split on "|", or on ", " where it has no "|"; a list column is taken as it is.

    Args:
        source: Path, DataFrame or Arrow table, see `files.open_table`.
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
    table.note_ignored([item_column, title_column, *optional])

    ids = id_strings(item_array, column=item_column, table=table)
    keep = np.ones(table.rows, np.bool_)
    table.remove(keep, np.array(pc.is_null(ids)), "no_id", role="item")
    long = np.array(pc.fill_null(pc.greater(pc.binary_length(ids), MAX_ID_BYTES), False))
    table.remove(keep, long, "long_id", shown=ids, role="item", limit=f"{MAX_ID_BYTES:,}")
    codes = np.asarray(ids.dictionary_encode().indices.fill_null(-1))
    repeat = np.ones(table.rows, np.bool_)
    repeat[np.unique(codes, return_index=True)[1]] = False
    table.remove(keep, repeat, "repeated_item", shown=ids)
    if not keep.any():
        raise DataError(f"{table.name}: none of the {table.rows:,} rows has an item id")

    rows = pa.array(keep)
    item_ids: list[str] = ids.filter(rows).to_pylist()
    numbers_kept = np.flatnonzero(keep)
    titles = _clean(strings(title_array).filter(rows), "title", MAX_TITLE, table, numbers_kept)
    titles = without_garbage(titles, "title", table, numbers_kept)
    empty = [i for i, title in enumerate(titles) if not title]
    if empty:
        row = table.row_number(int(numbers_kept[empty[0]]))
        table.notes.append(Note("title empty, the id stands in", len(empty), f"row {row}"))
    titles = [title or item for title, item in zip(titles, item_ids, strict=True)]
    texts = [""] * len(item_ids)
    if text_found is not None:
        texts = _clean(strings(text_found[1]).filter(rows), "text", MAX_TEXT, table, numbers_kept)
        texts = without_garbage(texts, "text", table, numbers_kept)
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
