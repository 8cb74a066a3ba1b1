"""Named Arrow columns, and notes on what had to be repaired: what every input becomes first.

A `Table` knows where it came from, so that a message about a row can name the row of the user's own file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pocketrec.errors import DataError, UsageError

from pocketrec_export.rules import RULES

EXAMPLES = 3  # cases shown of each rule


@dataclass(frozen=True, slots=True)
class Note:
    """One kind of thing that was repaired, removed or assumed.

    Attributes:
        rule: What was done and why, a short sentence.
        count: How many rows (or values) it concerns.
        example: The first case, with its row number where there is one; "" if there is nothing to show.
        more: Up to two further cases.
        name: Of the rule in `rules.RULES`; "" for what is no rule of that table.
    """

    rule: str
    count: int
    example: str = ""
    more: tuple[str, ...] = ()
    name: str = ""

    def __str__(self) -> str:
        return f"{self.rule}: {self.count:,}" + (f" (e.g. {self.example})" if self.example else "")


@dataclass(frozen=True)
class Table:
    """Columns of equal length, by name, with where they came from.

    Attributes:
        name: File name or description for messages.
        columns: Column name -> Arrow array of R rows.
        rows: R.
        skipped: 1-based data row numbers of the source that are missing here (malformed rows), ascending.
        notes: What reading had to repair.
        first: How many rows of the source came before these, malformed ones not counted.
    """

    name: str
    columns: dict[str, pa.Array]
    rows: int
    skipped: Sequence[int] = ()
    notes: list[Note] = field(default_factory=list)
    first: int = 0

    def row_number(self, index: int) -> int:
        """The 1-based data row (the header is not counted) in the source of row ``index`` here."""
        return int(self.row_numbers(np.array([index]))[0])

    def row_numbers(self, indices: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        """The same for int[N] rows."""
        kept = self.first + indices.astype(np.int64) + 1
        # How many skipped rows come before the first, second, ... kept one.
        skipped = np.array(self.skipped, np.int64)
        return np.asarray(kept + np.searchsorted(skipped - np.arange(len(skipped)), kept, side="right"))

    def pick(self, role: str, synonyms: Sequence[str], columns: Mapping[str, str]) -> tuple[str, pa.Array] | None:
        """The column for ``role``: the mapped one, else the one named like the role, else a synonym.

        Returns:
            (name in the source, values), or None when there is none.

        Raises:
            DataError: The mapped column is absent; the columns found are listed.
        """
        if role in columns:
            wanted = columns[role]
            if wanted not in self.columns:
                raise DataError(
                    f"{self.name}: the column {wanted!r}, given for {role!r}, is not there. "
                    f"Columns found: {', '.join(self.columns)}"
                )
            return wanted, self.columns[wanted]
        taken = set(columns.values())
        by_folded = {_fold(name): name for name in reversed(self.columns) if name not in taken}
        for candidate in (role, *synonyms):
            actual = by_folded.get(_fold(candidate))
            if actual is not None:
                if actual != role:
                    self.notes.append(Note(f"column {actual!r} read as {role}", self.rows))
                return actual, self.columns[actual]
        return None

    def require(self, role: str, synonyms: Sequence[str], columns: Mapping[str, str]) -> tuple[str, pa.Array]:
        """Like `pick`, for a column that has to be there.

        Raises:
            DataError: It is not; the columns found are listed, and how to say which one it is.
        """
        found = self.pick(role, synonyms, columns)
        if found is None:
            raise DataError(
                f"{self.name}: no column {role!r}. Columns found: {', '.join(self.columns)}. "
                f"Say which one it is: --columns {role}=NAME, or columns={{{role!r}: 'NAME'}} in Python"
            )
        return found

    def remove(
        self, keep: NDArray[np.bool_], bad: NDArray[np.bool_], rule: str, *, shown: pa.Array | None = None, **about: str
    ) -> None:
        """Takes the ``bad`` rows that are still there out of ``keep``, in place, and notes how many.

        Args:
            keep: bool[R], changed.
            bad: bool[R].
            rule: What is wrong with them, a key of `rules.RULES`.
            shown: Column whose value the examples quote.
            about: What the rule's sentence leaves open.
        """
        bad = bad & keep
        self.mark(bad, rule, shown=shown, **about)
        keep &= ~bad

    def mark(self, bad: NDArray[np.bool_], rule: str, *, shown: pa.Array | None = None, **about: str) -> None:
        """Notes how many rows are ``bad`` (bool[R]), if any, with the first of them."""
        cases = np.flatnonzero(bad)
        if len(cases) == 0:
            return
        numbers = self.row_numbers(cases[:EXAMPLES]).tolist()
        said = ["" if shown is None else f": {quote(shown, index)}" for index in cases[:EXAMPLES].tolist()]
        first, *more = (f"row {number}{value}" for number, value in zip(numbers, said, strict=True))
        self.notes.append(Note(RULES[rule].says(**about), len(cases), first, tuple(more), rule))

    def note_ignored(self, used: Sequence[str]) -> None:
        """Names the columns that nobody reads."""
        ignored = [column for column in self.columns if column not in used]
        if ignored:
            self.notes.append(Note("columns not used", len(ignored), ", ".join(ignored)[:200]))


def _fold(name: str) -> str:
    return name.strip().replace("_", "").replace(" ", "").replace("-", "").casefold()


def check_roles(columns: Mapping[str, str] | None, roles: Sequence[str]) -> Mapping[str, str]:
    """The mapping itself (empty for None), once every key is a known role."""
    unknown = sorted(set(columns or ()) - set(roles))
    if unknown:
        raise UsageError(f"unknown column role {unknown[0]!r}; the roles are {', '.join(roles)}")
    return columns or {}


def from_arrow(table: pa.Table, name: str) -> Table:
    """A pyarrow Table as a `Table`, each column in one piece."""
    refuse_repeats(table.column_names, name)
    columns = {
        key: pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
        for key, column in zip(table.column_names, table.columns, strict=True)
    }
    return Table(name, columns, table.num_rows)


def to_array(values: Any) -> pa.Array:
    """Arrow array of a pandas column or list; a column of mixed types becomes strings."""
    try:
        array = pa.array(values, from_pandas=True)
    except (pa.ArrowException, UnicodeEncodeError, OverflowError, TypeError):
        array = pa.array([as_text(value) for value in values], pa.string())
    return pa.concat_arrays(array.chunks) if isinstance(array, pa.ChunkedArray) else array


def as_text(value: Any) -> str | None:
    """A Python value as its id or text would be written; None where there is nothing."""
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, (float, np.floating)):
        if not np.isfinite(value):
            return None if np.isnan(value) else str(value)
        return str(int(value)) if float(value).is_integer() else repr(float(value))
    if isinstance(value, (list, tuple)):
        return "|".join(filter(None, map(as_text, value)))
    text = str(value)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # half a surrogate pair is no character; such an id counts as missing
        return None
    return text


def quote(array: pa.Array, index: int) -> str:
    """One value for a message, short and in quotes."""
    try:
        return repr(str(array[index].as_py())[:40])
    except (OverflowError, ValueError):  # Arrow's dates reach beyond Python's
        return "a value beyond Python's range"


def refuse_repeats(names: Sequence[str], source: str) -> None:
    """Raises DataError when a column name occurs twice: nobody could say which one is meant."""
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DataError(f"{source}: the column {repeated[0]!r} occurs {names.count(repeated[0])} times")


def merged(notes: Sequence[Note]) -> list[Note]:
    """One note a rule, counts added up, in the order of first appearance: parts of a file say the same again."""
    found: dict[str, Note] = {}
    for note in notes:
        before = found.get(note.rule)
        if before is None:
            found[note.rule] = note
            continue
        more = (*before.more, *filter(None, (note.example, *note.more)))[: EXAMPLES - 1]
        found[note.rule] = Note(note.rule, before.count + note.count, before.example, more, note.name)
    return list(found.values())
