"""A table in parts of a million rows, so that a file larger than memory can be read: the long table, interactions.

Parquet and delimited text are read part by part and only in the columns asked for; frames and JSON Lines, which are in
memory as they are, are handed out in slices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from pocketrec.errors import DataError

from pocketrec_export import files
from pocketrec_export.tables import Note, Table, refuse_repeats

PART = 1 << 20  # rows of a part, of Parquet and frames
BLOCK = 1 << 24  # bytes of a part, of text


@dataclass(frozen=True)
class Stream:
    """A table that is read in parts.

    Attributes:
        head: Its name and columns, each with no row; notes about the file go there.
        parts: Gives the rows in `Table` parts of the named columns; may be called again.
    """

    head: Table
    parts: Callable[[Sequence[str]], Iterator[Table]]


def open_stream(source: Any, *, name: str | None = None) -> Stream:
    """The columns of ``source``, and a way to its rows.

    Args:
        source: As `files.open_table`.
        name: How messages call the source; default the file name.

    Raises:
        DataError: As `files.open_table`, some of it only when the parts are read.
        UsageError: ``source`` is of another type.
    """
    if isinstance(source, (str, Path)):
        path = Path(source)
        kind, compression = files.kind_of(path, name or path.name)
        if kind in files.PARQUET:
            return _parquet(path, name or path.name)
        if kind in files.DELIMITERS:
            return _delimited(path, compression, files.DELIMITERS[kind], name or path.name)
    return _whole(files.open_table(source, name=name))


def _whole(table: Table) -> Stream:
    head = Table(table.name, {key: array.slice(0, 0) for key, array in table.columns.items()}, 0, (), table.notes)

    def parts(wanted: Sequence[str]) -> Iterator[Table]:
        for first in range(0, table.rows, PART):
            columns = {key: table.columns[key].slice(first, PART) for key in wanted}
            yield Table(table.name, columns, min(PART, table.rows - first), table.skipped, [], first)

    return Stream(head, parts)


def _parquet(path: Path, name: str) -> Stream:
    with files.readable(path, "parquet"), path.open("rb") as stream:
        schema = pq.ParquetFile(stream).schema_arrow
    refuse_repeats(schema.names, name)
    head = Table(name, {field.name: pa.array([], _stored(field.type)) for field in schema}, 0)
    _refuse_empty(head, 1)

    def parts(wanted: Sequence[str]) -> Iterator[Table]:
        first = 0
        with files.readable(path, "parquet"), path.open("rb") as stream:
            for batch in pq.ParquetFile(stream).iter_batches(PART, columns=list(wanted)):
                columns = {key: batch.column(key) for key in wanted}
                yield Table(name, columns, batch.num_rows, (), [], first)
                first += batch.num_rows
        _refuse_empty(head, first)

    return Stream(head, parts)


def _stored(kind: pa.DataType) -> pa.DataType:
    return kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind


def _delimited(path: Path, compression: str | None, delimiter: str, name: str) -> Stream:
    with files.readable(path, "csv"):
        # Before pyarrow, which names no byte offset, and swallows errors in rows with too many fields.
        files.refuse_other_encodings(path, compression, name)
        notes: list[Note] = []
        header, delimiter, header_lines = files.header(path, compression, delimiter, name, notes)
    refuse_repeats(header, name)
    head = Table(name, {column: pa.array([], pa.string()) for column in header}, 0, (), notes)

    def parts(wanted: Sequence[str]) -> Iterator[Table]:
        first, malformed = 0, files.Malformed(header_lines)
        with files.readable(path, "csv"), files.stream(path, compression) as stream:
            try:
                reader = pacsv.open_csv(
                    stream,
                    # One thread, because only then pyarrow knows the numbers of malformed rows.
                    read_options=pacsv.ReadOptions(
                        column_names=header, skip_rows=header_lines, use_threads=False, block_size=BLOCK
                    ),
                    parse_options=pacsv.ParseOptions(
                        delimiter=delimiter, newlines_in_values=True, invalid_row_handler=malformed
                    ),
                    convert_options=files.as_written(header, wanted),
                )
                for batch in reader:
                    columns = {key: batch.column(key) for key in wanted}
                    yield Table(name, columns, batch.num_rows, malformed.skipped, [], first)
                    first += batch.num_rows
            except pa.ArrowInvalid as error:
                if "Empty CSV file" not in str(error):
                    raise
        if malformed.count:
            head.notes.append(malformed.note())
        _refuse_empty(head, first)

    return Stream(head, parts)


def _refuse_empty(head: Table, rows: int) -> None:
    if not head.columns:
        raise DataError(f"{head.name}: empty, no columns at all")
    if rows == 0:
        raise DataError(f"{head.name}: no rows, only the columns {', '.join(head.columns)}")
