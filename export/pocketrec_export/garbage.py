"""Item texts that say nothing: placeholders are taken out, broken characters and boilerplate are pointed at."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketrec_export.rules import RULES
from pocketrec_export.tables import EXAMPLES, Note, Table

# Words that databases and people put where nothing is. Not in titles: there are films called "Unknown" and "None".
NOTHING = {"n/a", "na", "nan", "null", "none", "tbd", "todo", "unknown", "undefined", "lorem ipsum", "no description"}
NOTHING_TITLES = {"n/a", "#n/a", "null", "undefined", "nan", "<na>"}
SHARED_BY = 20  # items with one text: a notice of the shop, not a description
_WORD = re.compile(r"\w")
# UTF-8 read as Windows-1252 ("Ã©", "â€™"), and the character that stands for unreadable ones.
_BROKEN = re.compile("\ufffd|Ã[\x80-\xbf©¨«ª¢£¤¥§®°±²³´¶·¹º»¼½¾¿]|â€")


def without_garbage(values: list[str], role: str, table: Table, rows: NDArray[np.int64]) -> list[str]:
    """The values, "" for those that say nothing; what was found is noted.

    Args:
        values: Titles or texts.
        role: "title" or "text".
        table: Where they come from.
        rows: int64[N], the rows of ``table`` they stand in.
    """
    if role == "title":
        nothing = [i for i, value in enumerate(values) if value.casefold() in NOTHING_TITLES]
    else:
        nothing = [i for i, value in enumerate(values) if value and _says_nothing(value)]
    _note("garbage_title" if role == "title" else "garbage_text", nothing, values, table, rows)
    _note("mojibake", [i for i, value in enumerate(values) if _BROKEN.search(value)], values, table, rows, role=role)
    if role == "text":
        often = {value for value, count in Counter(values).items() if value and count >= SHARED_BY} - {
            values[i] for i in nothing
        }
        shared = [i for i, value in enumerate(values) if value in often]
        _note("same_text", shared, values, table, rows, times=str(SHARED_BY))
    gone = set(nothing)
    return ["" if i in gone else value for i, value in enumerate(values)]


def _says_nothing(text: str) -> bool:
    return text.casefold().strip(" .-_!?()[]<>") in NOTHING or not _WORD.search(text)


def _note(rule: str, found: Sequence[int], values: list[str], table: Table, rows: NDArray[Any], **about: str) -> None:
    if found:
        numbers = table.row_numbers(rows[list(found[:EXAMPLES])]).tolist()
        first, *more = (f"row {number}: {values[i][:40]!r}" for number, i in zip(numbers, found, strict=False))
        table.notes.append(Note(RULES[rule].says(**about), len(found), first, tuple(more), rule))
