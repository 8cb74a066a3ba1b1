"""CSV, TSV, Parquet, JSON Lines, pandas or Arrow to a `Table`; the only place that opens input files."""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from pocketrec.errors import DataError, UsageError

from pocketrec_export.tables import Note, Table, from_arrow, refuse_repeats, to_array

COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
DELIMITERS = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
JSON_LINES = (".jsonl", ".ndjson")
PARQUET = (".parquet", ".pq")
SUFFIXES = (*DELIMITERS, *PARQUET, *JSON_LINES)


def open_table(source: Any, *, name: str | None = None) -> Table:
    """Every column of ``source``, ids and numbers still as they were written.

    Args:
        source: Path (.csv .tsv .parquet .pq .jsonl .ndjson, also .gz .bz2 .zst for the text formats),
            a pandas DataFrame or a pyarrow Table.
        name: How messages call the source; default the file name.

    Raises:
        DataError: No such file, unknown suffix, not UTF-8, malformed, or without a single row.
        UsageError: ``source`` is of another type.
    """
    if isinstance(source, (str, Path)):
        table = _open_file(Path(source), name or Path(source).name)
    elif isinstance(source, pd.DataFrame):
        label = name or "the DataFrame"
        series = {str(column): source.iloc[:, i] for i, column in enumerate(source.columns)}
        refuse_repeats([str(column) for column in source.columns], label)
        table = Table(label, {key: to_array(column) for key, column in series.items()}, len(source))
    elif isinstance(source, pa.Table):
        table = from_arrow(source, name or "the Arrow table")
    else:
        raise UsageError(f"expected a path, a DataFrame or a pyarrow Table, got {type(source).__name__}")
    if not table.columns:
        raise DataError(f"{table.name}: empty, no columns at all")
    if table.rows == 0:
        raise DataError(f"{table.name}: no rows, only the columns {', '.join(table.columns)}")
    return table


def kind_of(path: Path, name: str) -> tuple[str, str | None]:
    """Suffix that says what the file is, and how it is compressed.

    Raises:
        DataError: No such file, or of no known kind.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    compression = COMPRESSIONS.get(suffixes[-1]) if suffixes else None
    if compression:
        suffixes.pop()
    kind = suffixes[-1] if suffixes else ""
    if kind not in SUFFIXES or (compression and kind in PARQUET):
        raise DataError(f"{name}: unknown kind of file; expected {', '.join(SUFFIXES)} (text also .gz)")
    if not path.exists():
        raise DataError(f"{path}: no such file")
    if not path.is_file():
        raise DataError(f"{path}: not a file")
    return kind, compression


@contextmanager
def readable(path: Path, kind: str) -> Iterator[None]:
    """What goes wrong inside while reading ``path`` becomes a DataError."""
    try:
        yield
    except (pa.ArrowException, OSError, EOFError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as {kind}: {error}") from error


def _open_file(path: Path, name: str) -> Table:
    kind, compression = kind_of(path, name)
    with readable(path, kind[1:]):
        if kind in PARQUET:
            # The file object, not the path: a path such as part=3/x.parquet would grow a column "part".
            with path.open("rb") as stream:
                return from_arrow(pq.read_table(stream), name)
        if kind in JSON_LINES:
            return _read_json_lines(path, compression, name)
        return _read_delimited(path, compression, DELIMITERS[kind], name)


def stream(path: Path, compression: str | None) -> Any:
    """The bytes of a file, decompressed; to be used in a ``with``."""
    return pa.input_stream(str(path), compression=compression)


# --- delimited text -------------------------------------------------------------------------------------


class Malformed:
    """Told of each row that has other fields than the header; such a row is left out.

    Attributes:
        skipped: 1-based data row numbers, ascending, where they are known.
        count: How many.
    """

    def __init__(self, header_lines: int) -> None:
        self.skipped: list[int] = []
        self.count = 0
        self._first: Any = None
        self._header_lines = header_lines

    def __call__(self, row: Any) -> str:
        """What pyarrow shall do with the row."""
        self.count += 1
        self._first = self._first or row
        if row.number:  # pyarrow numbers lines; the header takes the first header_lines of them
            self.skipped.append(int(row.number) - self._header_lines)
        return "skip"

    def note(self) -> Note:
        """The rule, how often, and the first case."""
        example = repr(self._first.text[:60])
        if self.skipped:
            example = f"row {self.skipped[0]}: {example}"
        return Note(
            f"row does not have the header's {self._first.expected_columns} fields, removed", self.count, example
        )


def as_written(header: Sequence[str], wanted: Sequence[str] | None = None) -> pacsv.ConvertOptions:
    """Every field stays the text that was written, "" included; only the wanted columns."""
    types = {column: pa.string() for column in header}
    return pacsv.ConvertOptions(column_types=types, strings_can_be_null=False, include_columns=wanted)


def _read_delimited(path: Path, compression: str | None, delimiter: str, name: str) -> Table:
    notes: list[Note] = []
    # Before pyarrow, which names no byte offset, and swallows errors in rows with too many fields.
    refuse_other_encodings(path, compression, name)
    names, delimiter, header_lines = header(path, compression, delimiter, name, notes)
    refuse_repeats(names, name)

    def read(threads: bool) -> tuple[pa.Table, Malformed]:
        malformed = Malformed(header_lines)
        options = pacsv.ReadOptions(column_names=names, skip_rows=header_lines, use_threads=threads, block_size=1 << 24)
        parse = pacsv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=malformed)
        with stream(path, compression) as opened:
            table = pacsv.read_csv(opened, read_options=options, parse_options=parse, convert_options=as_written(names))
        return table, malformed

    try:
        table, malformed = read(True)
        if malformed.count:  # only the single-threaded reader knows the row numbers
            table, malformed = read(False)
    except pa.ArrowInvalid as error:
        if "Empty CSV file" in str(error):
            return Table(name, {column: pa.array([], pa.string()) for column in names}, 0)
        raise
    if malformed.count:
        notes.append(malformed.note())
    arrow = from_arrow(table, name)
    return Table(name, arrow.columns, arrow.rows, malformed.skipped, notes)


def header(
    path: Path, compression: str | None, delimiter: str, name: str, notes: list[Note]
) -> tuple[list[str], str, int]:
    """Column names, the delimiter (also ';' or a tab in a .csv), and how many lines the header takes."""
    with stream(path, compression) as opened:
        start = opened.read(1 << 20)
    if not start.removeprefix(codecs.BOM_UTF8).strip():
        raise DataError(f"{name}: empty file; expected a header line with the column names")
    text = start.decode("utf-8", errors="ignore").removeprefix("\ufeff")
    blank_lines = 0
    while text.startswith(("\r\n", "\n", "\r")):  # blank lines before the header
        text = text[2:] if text.startswith("\r\n") else text[1:]
        blank_lines += 1
    first_line = text.splitlines()[0]
    for other in (";", "\t", ","):
        if delimiter not in first_line and other in first_line:
            notes.append(Note(f"fields separated by {other!r}, not {delimiter!r}", 1, first_line[:60]))
            delimiter = other
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    names = [column.strip() for column in next(reader)]
    return names, delimiter, blank_lines + reader.line_num


def refuse_other_encodings(path: Path, compression: str | None, name: str) -> None:
    """Raises DataError at the first byte that is not UTF-8; returns when all of it is."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    offset = line = 0
    with stream(path, compression) as opened:
        while True:
            chunk = opened.read(1 << 20)
            if offset == 0 and chunk.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                raise DataError(f"{name}: byte 0: UTF-16 text, expected UTF-8; save it as UTF-8")
            pending = len(decoder.getstate()[0])
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                at = offset - pending + error.start
                line += error.object[: error.start].count(b"\n") + 1
                raise DataError(
                    f"{name}: byte {at} (line {line}) is 0x{error.object[error.start]:02x}, not UTF-8 "
                    f"(hint: often Windows-1252 or Latin-1; iconv -f WINDOWS-1252 -t UTF-8 converts it)"
                ) from None
            if not chunk:
                return
            line += chunk.count(b"\n")
            offset += len(chunk)


# --- JSON Lines -----------------------------------------------------------------------------------------


def _read_json_lines(path: Path, compression: str | None, name: str) -> Table:
    # Not pyarrow's JSON reader: it turns an id such as "2024-01-01" into a timestamp.
    values: dict[str, list[Any]] = {}
    rows = 0
    skipped: list[int] = []
    example = ""
    for number, line in _lines(path, compression, name):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        if not isinstance(record, dict):
            skipped.append(number)
            example = example or f"row {number}: {line[:60]!r}"
            continue
        for key, value in record.items():
            column = values.setdefault(key, [])
            column.extend([None] * (rows - len(column)))
            column.append(value)
        rows += 1
    for column in values.values():
        column.extend([None] * (rows - len(column)))
    if not rows:
        raise DataError(f"{name}: no JSON object in any line" + (f"; {example}" if example else ""))
    notes = [Note("line is not a JSON object, removed", len(skipped), example)] if skipped else []
    return Table(name, {key: to_array(column) for key, column in values.items()}, rows, tuple(skipped), notes)


def _lines(path: Path, compression: str | None, name: str) -> Iterator[tuple[int, str]]:
    """(1-based number, text) of every line that is not blank."""
    with stream(path, compression) as opened, io.TextIOWrapper(opened, encoding="utf-8-sig") as text:
        number = 0
        try:
            for line in text:
                if line.strip():
                    number += 1
                    yield number, line
        except UnicodeDecodeError:
            refuse_other_encodings(path, compression, name)
            raise
