"""CSV, TSV, Parquet, JSON Lines, pandas or Arrow to a `Table`; the only place that opens input files."""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Iterator
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


def _open_file(path: Path, name: str) -> Table:
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
    try:
        if kind in PARQUET:
            # The file object, not the path: a path such as part=3/x.parquet would grow a column "part".
            with path.open("rb") as stream:
                return from_arrow(pq.read_table(stream), name)
        if kind in JSON_LINES:
            return _read_json_lines(path, compression, name)
        return _read_delimited(path, compression, DELIMITERS[kind], name)
    except (pa.ArrowException, OSError, EOFError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as {kind[1:]}: {error}") from error


def _stream(path: Path, compression: str | None) -> Any:
    return pa.input_stream(str(path), compression=compression)


# --- delimited text -------------------------------------------------------------------------------------


def _read_delimited(path: Path, compression: str | None, delimiter: str, name: str) -> Table:
    notes: list[Note] = []
    # Before pyarrow, which names no byte offset, and swallows errors in rows with too many fields.
    _refuse_other_encodings(path, compression, name)
    header, delimiter, header_lines = _header(path, compression, delimiter, name, notes)
    refuse_repeats(header, name)
    convert = pacsv.ConvertOptions(column_types={column: pa.string() for column in header}, strings_can_be_null=False)
    malformed: list[Any] = []

    def keep_reading(row: Any) -> str:
        malformed.append(row)
        return "skip"

    def read(threads: bool) -> pa.Table:
        malformed.clear()
        options = pacsv.ReadOptions(
            column_names=header, skip_rows=header_lines, use_threads=threads, block_size=1 << 24
        )
        parse = pacsv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=keep_reading)
        with _stream(path, compression) as stream:
            return pacsv.read_csv(stream, read_options=options, parse_options=parse, convert_options=convert)

    try:
        table = read(True)
        if malformed:  # only the single-threaded reader knows the row numbers
            table = read(False)
    except pa.ArrowInvalid as error:
        if "Empty CSV file" in str(error):
            return Table(name, {column: pa.array([], pa.string()) for column in header}, 0)
        raise
    # pyarrow numbers lines; the header takes the first header_lines of them.
    skipped = tuple(sorted(int(row.number) - header_lines for row in malformed if row.number))
    if malformed:
        first = malformed[0]
        example = f"row {skipped[0]}: {first.text[:60]!r}" if skipped else repr(first.text[:60])
        rule = f"row does not have the header's {first.expected_columns} fields, removed"
        notes.append(Note(rule, len(malformed), example))
    arrow = from_arrow(table, name)
    return Table(name, arrow.columns, arrow.rows, skipped, notes)


def _header(
    path: Path, compression: str | None, delimiter: str, name: str, notes: list[Note]
) -> tuple[list[str], str, int]:
    """Column names, the delimiter (also ';' or a tab in a .csv), and how many lines the header takes."""
    with _stream(path, compression) as stream:
        start = stream.read(1 << 20)
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


def _refuse_other_encodings(path: Path, compression: str | None, name: str) -> None:
    """Raises DataError at the first byte that is not UTF-8; returns when all of it is."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    offset = line = 0
    with _stream(path, compression) as stream:
        while True:
            chunk = stream.read(1 << 20)
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
    with _stream(path, compression) as stream, io.TextIOWrapper(stream, encoding="utf-8-sig") as text:
        number = 0
        try:
            for line in text:
                if line.strip():
                    number += 1
                    yield number, line
        except UnicodeDecodeError:
            _refuse_other_encodings(path, compression, name)
            raise
