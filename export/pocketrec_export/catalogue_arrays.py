"""Items as the catalogue of a package: ids, titles and typed attributes, and what the manifest says of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketrec_export.items import Items
from pocketrec_export.writer import string_table

Arrays = dict[str, NDArray[Any]]


def catalogue_arrays(items: Items) -> tuple[Arrays, dict[str, Any]]:
    """The arrays named ``catalogue/...``, and the manifest's ``catalogue`` without its fingerprint."""
    arrays = string_table("catalogue/id", items.ids, lookup=True)
    # A title that only repeats the id is left out: the reader falls back to the id.
    titles = ["" if title == id else title for title, id in zip(items.titles, items.ids, strict=True)]
    arrays |= string_table("catalogue/title", titles, lookup=False)
    categories, count = _category("catalogue/category", items.categories)
    arrays |= categories
    attributes: list[dict[str, Any]] = []
    # A fold may lack the very items that have a value.
    for number, column in enumerate(column for column in items.columns if column.known().any()):
        prefix = f"catalogue/column-{number}"
        about: dict[str, Any] = {"name": column.name, "kind": column.kind}
        if column.kind == "category":
            found, values = _category(prefix, column.values)
            arrays |= found
            about["values"] = values
        else:
            arrays[f"{prefix}.value"] = _numbers(column.values) if column.kind == "number" else column.values
        attributes.append(about)
    return arrays, {"items": len(items), "categories": count, "attributes": attributes}


def _category(prefix: str, sets: Sequence[Sequence[str]]) -> tuple[Arrays, int]:
    """The arrays of a category and how many names it knows; no array where it knows none."""
    names = sorted({name for each in sets for name in each})
    if not names:
        return {}, 0
    position = {name: index for index, name in enumerate(names)}
    arrays: Arrays = dict(string_table(f"{prefix}_name", names, lookup=True))
    arrays[f"{prefix}.start"] = np.cumsum([0, *map(len, sets)]).astype(np.uint32)
    arrays[f"{prefix}.index"] = np.array([position[name] for each in sets for name in each], np.uint32)
    return arrays, len(names)


def _numbers(values: NDArray[np.float64]) -> NDArray[np.floating[Any]]:
    """float32 where that keeps different numbers different, as it does with prices and years; else float64."""
    known = np.unique(values[~np.isnan(values)])
    with np.errstate(over="ignore"):
        short = values.astype(np.float32)
        kept = np.unique(known.astype(np.float32))
    return short if len(kept) == len(known) and np.isfinite(kept).all() else values
