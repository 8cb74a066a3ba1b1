"""The items table to ids, titles, texts and categories, one row per id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pocketrec.errors import DataError
from pocketrec.manifest import EXPIRES, PUBLISHED

from pocketrec_export.columns import MAX_ID_BYTES, id_strings, strings
from pocketrec_export.files import open_table
from pocketrec_export.garbage import without_garbage
from pocketrec_export.item_columns import ItemColumn, read_boost, read_columns, read_time
from pocketrec_export.item_texts import MAX_TEXT, MAX_TITLE, category_sets, one_line
from pocketrec_export.tables import Note, check_roles

ITEM_SYNONYMS = ("item_id", "movie_id", "product_id", "article_id", "asin", "sku", "stock_code", "book_id")
ITEM_ROLES: dict[str, tuple[str, ...]] = {
    "item": (*ITEM_SYNONYMS, "id"),
    "title": ("name", "product_name", "item_name", "headline"),
    "text": ("description", "desc", "body", "content", "overview", "summary", "abstract"),
    "category": ("categories", "genre", "genres", "tags"),
    "published": ("published_at", "publish_date", "publication_date", "available_from"),
    "expires": ("expires_at", "expiry", "expiration_date", "valid_until", "available_until"),
    "boost": (),
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
        columns: Typed attributes besides the categories; of kind date also ``published`` and ``expires``.
        boost: float32[I], what is added to the score of each item; None where no item has any.
    """

    name: str
    ids: list[str]
    titles: list[str]
    texts: list[str]
    categories: list[list[str]]
    notes: list[Note] = field(default_factory=list)
    columns: list[ItemColumn] = field(default_factory=list)
    boost: NDArray[np.float32] | None = None

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
        """Items in the order of ``ids``; one that is not in the table gets its id as title, and nothing else."""
        row = {item: i for i, item in enumerate(self.ids)}
        found = [row.get(item, -1) for item in ids]
        return Items(
            self.name,
            list(ids),
            [self.titles[r] if r >= 0 else item for r, item in zip(found, ids, strict=True)],
            [self.texts[r] if r >= 0 else "" for r in found],
            [self.categories[r] if r >= 0 else [] for r in found],
            self.notes,
            [column.take(found) for column in self.columns],
            None if self.boost is None else np.append(self.boost, np.float32(0))[found],  # row -1 is the last
        )


def _encoder_text(title: str, text: str, categories: Sequence[str]) -> str:
    if text.casefold().startswith(title.casefold()):
        return text
    rest = text or ", ".join(categories)
    if not rest:
        return title
    return f"{title} {rest}" if title.endswith((".", "!", "?")) else f"{title}. {rest}"


def read_items(
    source: Any,
    *,
    columns: Mapping[str, str] | None = None,
    attributes: Sequence[str] | None = None,
    source_name: str | None = None,
) -> Items:
    """Clean items of a file or frame: texts, categories, and all other columns as typed attributes.

    A category string is split on "|", or on ", " where it has no "|"; a list column is taken as it is.

    Args:
        source: Path, DataFrame or Arrow table, see `files.open_table`.
        columns: Role -> column of the source; roles item, title, text, category, published, expires, boost.
        attributes: Which other columns become attributes; by default all but free text, see `item_columns`.
        source_name: How messages call the source.

    Raises:
        DataError: The source cannot be read, lacks ``item``, ``title`` or an attribute that was named, or no usable
            row is left.
        UsageError: Unknown role.
    """
    mapping = check_roles(columns, tuple(ITEM_ROLES))
    table = open_table(source, name=source_name)
    item_column, item_array = table.require("item", ITEM_ROLES["item"], mapping)
    title_column, title_array = table.require("title", ITEM_ROLES["title"], mapping)
    text_found = table.pick("text", ITEM_ROLES["text"], mapping)
    category_found = table.pick("category", ITEM_ROLES["category"], mapping)
    times = {role: table.pick(role, ITEM_ROLES[role], mapping) for role in (PUBLISHED, EXPIRES)}
    boost_found = table.pick("boost", ITEM_ROLES["boost"], mapping)
    optional = [found[0] for found in (text_found, category_found, *times.values(), boost_found) if found]

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
    titles = one_line(strings(title_array).filter(rows), "title", MAX_TITLE, table, numbers_kept)
    titles = without_garbage(titles, "title", table, numbers_kept)
    empty = [i for i, title in enumerate(titles) if not title]
    if empty:
        row = table.row_number(int(numbers_kept[empty[0]]))
        table.notes.append(Note("title empty, the id stands in", len(empty), f"row {row}"))
    titles = [title or item for title, item in zip(titles, item_ids, strict=True)]
    texts = [""] * len(item_ids)
    if text_found is not None:
        texts = one_line(strings(text_found[1]).filter(rows), "text", MAX_TEXT, table, numbers_kept)
        texts = without_garbage(texts, "text", table, numbers_kept)
    categories: list[list[str]] = [[] for _ in item_ids]
    if category_found is not None:
        categories = category_sets(category_found[1].filter(rows), table, numbers_kept)
    timed = [read_time(table, numbers_kept, found, role) for role, found in times.items() if found is not None]
    boost = None if boost_found is None else read_boost(table, numbers_kept, boost_found)
    used = (item_column, title_column, *optional)
    typed = read_columns(table, numbers_kept, used=used, wanted=attributes)
    known = [column for column in timed if column is not None] + typed
    return Items(table.name, item_ids, titles, texts, categories, table.notes, known, boost)
