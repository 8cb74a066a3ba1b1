"""Texts with labels, from other people's files: one text column, one column for each head of a classifier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pocketrec.errors import DataError, UsageError
from pocketrec.heads import MAX_HEADS
from pocketrec.wordpiece import MAX_CHARACTERS

from pocketrec_export.columns import id_strings, strings
from pocketrec_export.files import open_table
from pocketrec_export.tables import Note, Table

TEXT_SYNONYMS = ("sentence", "question", "query", "utterance", "content", "message")
FEWEST = 2
"""Examples of a label: one to learn from, one to check with."""


@dataclass(frozen=True)
class LabelColumn:
    """One head to be: its name, its C labels in order of their names, and int64 [N], the label of each text or -1."""

    name: str
    labels: tuple[str, ...]
    index: NDArray[np.int64]

    def targets(self) -> NDArray[np.float64]:
        """float64 [N, C]: 1 at the label of each text, a row of zeros without one."""
        rows = np.zeros((len(self.index), len(self.labels)))
        known = np.flatnonzero(self.index >= 0)
        rows[known, self.index[known]] = 1
        return rows


@dataclass(frozen=True)
class LabelledTexts:
    """N texts, cut to what a device reads, and their labels."""

    name: str
    texts: list[str]
    heads: tuple[LabelColumn, ...]
    notes: list[Note] = field(default_factory=list)


def read_labelled(
    source: Any, *, columns: Mapping[str, str] | None = None, labels: Sequence[str] | None = None
) -> LabelledTexts:
    """The texts of a path, DataFrame or Arrow table.

    Args:
        source: see `files.open_table`.
        columns: ``{"text": NAME}`` where the column is called otherwise.
        labels: the label columns; by default all but the text.

    Raises:
        DataError: a column is missing, no text is left, a head has one label, or a label one example.
        UsageError: a role that does not exist, or no label column.
    """
    mapping = dict(columns or {})
    unknown = [role for role in mapping if role != "text"]
    if unknown:
        raise UsageError(f"columns: unknown role {unknown[0]!r}; expected text (label columns are named by labels)")
    table = open_table(source)
    column, array = table.require("text", TEXT_SYNONYMS, mapping)
    texts = [text or "" for text in strings(array).to_pylist()]
    names = list(labels) if labels is not None else [name for name in table.columns if name != column]
    if not names or len(names) > MAX_HEADS:
        raise UsageError(f"{table.name}: expected 1 to {MAX_HEADS} label columns, found {len(names)}")
    kept = np.array([bool(text.strip()) for text in texts])
    notes = list(table.notes)
    if not kept.all():
        notes.append(Note("no text, left out", int((~kept).sum()), f"row {table.row_number(int(np.argmin(kept)))}"))
    if not kept.any():
        raise DataError(f"{table.name}: every text of the column {column!r} is empty; there is nothing to learn from")
    cut = sum(len(text) > MAX_CHARACTERS for text in texts)
    if cut:
        notes.append(Note(f"longer than {MAX_CHARACTERS:,} characters, cut as on the device", cut))
    rows = np.flatnonzero(kept)
    heads = tuple(_label_column(table, name, column, rows) for name in names)
    return LabelledTexts(table.name, [texts[row][:MAX_CHARACTERS] for row in rows], heads, notes)


def _label_column(table: Table, name: str, text: str, rows: NDArray[np.int64]) -> LabelColumn:
    if name not in table.columns or name == text:
        raise DataError(f"{table.name}: no label column {name!r}. Columns found: {', '.join(table.columns)}")
    found = id_strings(table.columns[name], column=name, table=table).to_pylist()
    values = [found[row] for row in rows]
    labels = tuple(sorted({value for value in values if value is not None}))
    position = {label: index for index, label in enumerate(labels)}
    index = np.array([-1 if value is None else position[value] for value in values], np.int64)
    if len(labels) < 2:
        said = f"only {labels[0]!r}" if labels else "none"
        raise DataError(f"{table.name}: the column {name!r} has {said:.100}; a head needs two labels or more")
    counts = np.bincount(index[index >= 0], minlength=len(labels))
    if len(labels) > max(2, len(rows) / FEWEST):
        raise DataError(
            f"{table.name}: the column {name!r} has {len(labels):,} different values in {len(rows):,} rows, so it is "
            "no label; say which columns are: --labels NAME,... or labels=[...] in Python"
        )
    rare = [label for label, count in zip(labels, counts, strict=True) if count < FEWEST]
    if rare:
        raise DataError(
            f"{table.name}: {len(rare)} of {len(labels)} labels of {name!r} have one example, the first is "
            f"{rare[0]!r:.80}; give {FEWEST} or more of each (better 20), or leave these rows out"
        )
    return LabelColumn(name, labels, index)
