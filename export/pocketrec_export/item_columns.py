"""Typed columns of the items table: what each column holds, found from its values and said in a note.

``published`` and ``expires`` are dates with a meaning of their own, ``boost`` is a number; every other column becomes
an attribute to filter by: a number, a boolean, a category or a date. Free text does not, nor an empty column.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pocketrec.errors import DataError
from pocketrec.filters import SIGNS
from pocketrec.layout import NO_BOOLEAN, NO_TIME
from pocketrec.manifest import EXPIRES, MAX_ATTRIBUTES, PUBLISHED
from pocketrec.times import LARGEST_TIME, as_text

from pocketrec_export.columns import MISSING_WORDS, moments, numbers, strings, time_unit
from pocketrec_export.item_texts import category_sets
from pocketrec_export.tables import Note, Table

READABLE = 0.95
"""Share of a text column's values that must be numbers, or dates, for it to be read as such."""
FREE_TEXT_CHARACTERS = 60
"""Texts longer than this on average are read by people, not filtered by."""
FEW_NAMES = 50
"""So many different names are always categories; of more, every name must serve two items on average."""
MAX_BOOST = 100.0
MAX_NAME = 100  # characters
RESERVED = ("category", PUBLISHED, EXPIRES)
_BOOLEANS = {"true": 1, "yes": 1, "false": 0, "no": 0}
_DATE = re.compile(r"^\d{4}-\d{2}(-\d{2}([T ].*)?)?$")
_CODE = re.compile(r"^0\d+$")


@dataclass(frozen=True)
class ItemColumn:
    """One typed column.

    Attributes:
        name: what filters call it.
        kind: a kind of `manifest.ATTRIBUTE_KINDS`.
        values: of I items: lists of names for a category; float64 with NaN, uint8 with ``NO_BOOLEAN``, int64 seconds
            with ``NO_TIME`` for the others.
    """

    name: str
    kind: str
    values: Any

    def take(self, rows: Sequence[int]) -> ItemColumn:
        """The column of other rows; row -1 has no value."""
        if self.kind == "category":
            return ItemColumn(self.name, self.kind, [self.values[row] if row >= 0 else [] for row in rows])
        index = np.array(rows, np.int64)
        missing = {"number": np.nan, "boolean": NO_BOOLEAN, "date": NO_TIME}[self.kind]
        values = np.concatenate((self.values, np.array([missing], self.values.dtype)))  # row -1 is the last
        return ItemColumn(self.name, self.kind, values[index])

    def known(self) -> NDArray[np.bool_]:
        """bool[I]: where there is a value."""
        if self.kind == "category":
            return np.array([len(names) > 0 for names in self.values], np.bool_)
        missing = {"boolean": NO_BOOLEAN, "date": NO_TIME}.get(self.kind)
        known: NDArray[np.bool_] = ~np.isnan(self.values) if missing is None else self.values != missing
        return known

    def __str__(self) -> str:
        if self.kind != "category":
            return f"{self.name} ({self.kind})"
        return f"{self.name} (category of {len(set().union(*self.values)):,})"


def summaries(columns: Sequence[ItemColumn]) -> dict[str, str]:
    """Name -> what each attribute holds, in words."""
    return {column.name: _summary(column) for column in columns}


def _summary(column: ItemColumn) -> str:
    known = column.known()
    filled = f"{int(known.sum()):,} of {len(known):,} items have one"
    if column.kind == "category":
        most = Counter(name for names in column.values for name in names).most_common(3)
        return f"category of {len(set().union(*column.values)):,}, {filled}, most often {', '.join(n for n, _ in most)}"
    low, high = column.values[known].min(), column.values[known].max()
    if column.kind == "boolean":
        return f"boolean, {filled}, {int((column.values == 1).sum()):,} true"
    if column.kind == "date":
        return f"date, {filled}, {as_text(int(low))} to {as_text(int(high))}"
    return f"number, {filled}, {low:g} to {high:g}"


def read_columns(
    table: Table, rows: NDArray[np.int64], *, used: Collection[str], wanted: Sequence[str] | None
) -> list[ItemColumn]:
    """The attributes of a table, in its order, with a note on what was kept and on each column that was not.

    Args:
        table: the source; notes are added to it.
        rows: int64[I], the rows that are items.
        used: columns that are something else.
        wanted: columns to take, whatever number of different names they hold; None takes all that are of use.

    Raises:
        DataError: a wanted column is not there, or of no use.
    """
    absent = [name for name in wanted or () if name not in table.columns]
    if absent:
        raise DataError(
            f"{table.name}: the attribute {absent[0]!r} is not there. Columns found: {', '.join(table.columns)}"
        )
    names = [name for name in table.columns if name not in used] if wanted is None else list(dict.fromkeys(wanted))
    found: list[ItemColumn] = []
    for name in names:
        column = _refusal(name, len(found)) or read_column(table, rows, name, any_text=wanted is not None)
        if isinstance(column, ItemColumn):
            found.append(column)
        elif wanted is not None:
            raise DataError(f"{table.name}: column {name!r} cannot be an attribute: {column}")
        else:
            table.notes.append(Note(f"column {name!r} is no attribute: {column}", table.rows))
    if found:
        table.notes.append(Note("columns read as attributes", len(found), ", ".join(map(str, found))))
    return found


def read_column(table: Table, rows: NDArray[np.int64], name: str, *, any_text: bool = False) -> ItemColumn | str:
    """One column as its values suggest, or why it is of no use, in words."""
    array = table.columns[name].take(pa.array(rows))
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    kind = array.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _category(table, rows, name, array, any_text)
    if pa.types.is_nested(kind) or pa.types.is_binary(kind):
        return f"{kind}, expected one value a row"
    if pa.types.is_boolean(kind):
        return ItemColumn(name, "boolean", np.asarray(array.cast(pa.uint8()).fill_null(NO_BOOLEAN)))
    if pa.types.is_temporal(kind):
        return _date(table, rows, name, array)
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return _number(table, rows, name, array)
    text = pc.utf8_trim_whitespace(array.cast(pa.large_string()))
    text = pc.if_else(pc.is_in(text, pa.array(MISSING_WORDS, pa.large_string())), pa.scalar(None, text.type), text)
    said = text.drop_null().to_pylist()
    if not said:
        return "no values"
    if all(word.casefold() in _BOOLEANS for word in said):
        codes = [NO_BOOLEAN if word is None else _BOOLEANS[word.casefold()] for word in text.to_pylist()]
        return ItemColumn(name, "boolean", np.array(codes, np.uint8))
    if sum(bool(_DATE.match(word)) for word in said) >= READABLE * len(said):
        return _date(table, rows, name, text)
    readable = np.count_nonzero(np.isfinite(numbers(text)[0]))
    # "007" is a code: as a number it would be 7.
    if readable >= READABLE * len(said) and not any(_CODE.match(word) for word in said):
        return _number(table, rows, name, text)
    return _category(table, rows, name, text, any_text)


def read_time(table: Table, rows: NDArray[np.int64], found: tuple[str, pa.Array], role: str) -> ItemColumn | None:
    """``published`` or ``expires``: None, with a note, where no row has one. An expiry of 0 or less means never."""
    column = _date(table, rows, role, found[1].take(pa.array(rows)), shown=found[0])
    if isinstance(column, str):
        table.notes.append(Note(f"{role} ({found[0]!r}) not used: {column}", table.rows))
        return None
    if role == EXPIRES:
        never = (column.values <= 0) & (column.values != NO_TIME)
        table.mark(_in_table(table, rows, never), "never_expires", shown=found[1], column=found[0])
        column.values[never] = NO_TIME
    return column


def read_boost(table: Table, rows: NDArray[np.int64], found: tuple[str, pa.Array]) -> NDArray[np.float32] | None:
    """What is added to the score of each item, float32[I] within `MAX_BOOST`; None where no item has any."""
    name, array = found
    values, missing, _ = numbers(array.take(pa.array(rows)))
    bad = ~missing & ~np.isfinite(values)
    table.mark(_in_table(table, rows, bad), "bad_boost", shown=array, column=name)
    values = np.where(np.isfinite(values), values, 0.0)
    large = np.abs(values) > MAX_BOOST
    table.mark(_in_table(table, rows, large), "large_boost", shown=array, column=name, limit=f"{MAX_BOOST:g}")
    boost: NDArray[np.float32] = np.clip(values, -MAX_BOOST, MAX_BOOST).astype(np.float32)
    return boost if boost.any() else None


def _refusal(name: str, count: int) -> str:
    """Why a column of this name cannot be one more attribute, or ""."""
    if name in RESERVED:
        return "its name means something else here"
    if not name.strip() or len(name) > MAX_NAME or any(sign in name for sign in SIGNS) or not name.isprintable():
        return f"its name is empty, longer than {MAX_NAME} characters, or holds one of < > ="
    if count >= MAX_ATTRIBUTES - len(RESERVED):
        return f"there are {count} attributes already"
    return ""


def _number(table: Table, rows: NDArray[np.int64], name: str, array: pa.Array) -> ItemColumn | str:
    values, missing, _ = numbers(array)
    known = np.isfinite(values)
    if not known.any():
        return "no finite number"
    table.mark(_in_table(table, rows, ~missing & ~known), "bad_attribute", shown=table.columns[name], column=name)
    return ItemColumn(name, "number", np.where(known, values, np.nan))


def _date(
    table: Table, rows: NDArray[np.int64], name: str, array: pa.Array, *, shown: str | None = None
) -> ItemColumn | str:
    shown = shown or name
    seconds, sure = moments(array)
    plain = ~sure & np.isfinite(seconds)
    factor, unit = time_unit(seconds[plain])
    if factor > 1:
        table.notes.append(Note(f"{shown} read as {unit}", int(plain.sum())))
        seconds = np.where(plain, np.floor(seconds / factor), seconds)
    known = np.abs(seconds) <= LARGEST_TIME  # false for NaN
    if not known.any():
        return "no readable time"
    empty = pc.is_in(pc.utf8_trim_whitespace(strings(array)), pa.array(MISSING_WORDS, pa.large_string()))
    missing = np.asarray(pc.fill_null(pc.or_(pc.is_null(array), empty), True))
    table.mark(_in_table(table, rows, ~missing & ~known), "bad_attribute", shown=table.columns[shown], column=shown)
    return ItemColumn(name, "date", np.where(known, np.where(known, seconds, 0), NO_TIME).astype(np.int64))


def _category(table: Table, rows: NDArray[np.int64], name: str, array: pa.Array, any_text: bool) -> ItemColumn | str:
    sets = category_sets(array, table, rows)
    filled = sum(bool(names) for names in sets)
    different = len({each for names in sets for each in names})
    if not filled:
        return "no values"
    if not any_text:
        length = float(np.mean([len(each) for names in sets for each in names]))
        if length > FREE_TEXT_CHARACTERS:
            return f"free text of {length:.0f} characters on average"
        if different > max(FEW_NAMES, filled / 2):
            return f"{different:,} different texts in {filled:,} items, too many to be categories"
    return ItemColumn(name, "category", sets)


def _in_table(table: Table, rows: NDArray[np.int64], bad: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """bool of the table's rows where ``bad`` is of the items'."""
    result = np.zeros(table.rows, np.bool_)
    result[rows[bad]] = True
    return result
