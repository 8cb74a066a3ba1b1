"""Any file or frame to named Arrow columns: the edge where other people's data comes in.

`open_table` reads CSV, TSV, Parquet, JSON Lines, pandas and Arrow into a `Table`; `Table.pick` finds the
column that plays a role; `id_strings` and `numbers` turn a column into ids and float64. Nothing is dropped
here without being counted, and ids stay the text that was written.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pocketrec.errors import DataError, UsageError

MAX_ID_BYTES = 1024
# Above 2**53 a float64 no longer tells neighbouring integers apart, so an id may already be the wrong one.
EXACT_FLOAT = float(2**53)
# How pandas, R and databases print "nothing here"; as an id it would join every unknown user into one.
MISSING_WORDS = ("", "nan", "NaN", "null", "NULL", "None", "<NA>")
COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
DELIMITERS = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
JSON_LINES = (".jsonl", ".ndjson")
PARQUET = (".parquet", ".pq")
SUFFIXES = (*DELIMITERS, *PARQUET, *JSON_LINES)


@dataclass(frozen=True, slots=True)
class Note:
    """One kind of thing that was repaired, removed or assumed.

    Attributes:
        rule: What was done and why, a short sentence.
        count: How many rows (or values) it concerns.
        example: The first case, with its row number where there is one; "" if there is nothing to show.
    """

    rule: str
    count: int
    example: str = ""

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
    """

    name: str
    columns: dict[str, pa.Array]
    rows: int
    skipped: tuple[int, ...] = ()
    notes: list[Note] = field(default_factory=list)

    def row_number(self, index: int) -> int:
        """The 1-based data row (the header is not counted) in the source of row ``index`` here."""
        number = index + 1
        for skipped in self.skipped:
            if skipped > number:
                break
            number += 1
        return number

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


def _fold(name: str) -> str:
    return name.strip().replace("_", "").replace(" ", "").replace("-", "").casefold()


def check_roles(columns: Mapping[str, str] | None, roles: Sequence[str]) -> Mapping[str, str]:
    """The mapping itself (empty for None), once every key is a known role."""
    unknown = sorted(set(columns or ()) - set(roles))
    if unknown:
        raise UsageError(f"unknown column role {unknown[0]!r}; the roles are {', '.join(roles)}")
    return columns or {}


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
        _refuse_repeats([str(column) for column in source.columns], label)
        table = Table(label, {key: _array(column) for key, column in series.items()}, len(source))
    elif isinstance(source, pa.Table):
        table = _from_arrow(source, name or "the Arrow table")
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
                return _from_arrow(pq.read_table(stream), name)
        if kind in JSON_LINES:
            return _read_json_lines(path, compression, name)
        return _read_delimited(path, compression, DELIMITERS[kind], name)
    except (pa.ArrowException, OSError, EOFError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as {kind[1:]}: {error}") from error


def _stream(path: Path, compression: str | None) -> Any:
    return pa.input_stream(str(path), compression=compression)


def _from_arrow(table: pa.Table, name: str) -> Table:
    _refuse_repeats(table.column_names, name)
    columns = {
        key: pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
        for key, column in zip(table.column_names, table.columns, strict=True)
    }
    return Table(name, columns, table.num_rows)


def _array(values: Any) -> pa.Array:
    """Arrow array of a pandas column or list; a column of mixed types becomes strings."""
    try:
        array = pa.array(values, from_pandas=True)
    except (pa.ArrowException, UnicodeEncodeError, OverflowError, TypeError):
        array = pa.array([_text(value) for value in values], pa.string())
    return pa.concat_arrays(array.chunks) if isinstance(array, pa.ChunkedArray) else array


def _text(value: Any) -> str | None:
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, (float, np.floating)):
        if not np.isfinite(value):
            return None if np.isnan(value) else str(value)
        return str(int(value)) if float(value).is_integer() else repr(float(value))
    if isinstance(value, (list, tuple)):
        return "|".join(filter(None, map(_text, value)))
    text = str(value)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # half a surrogate pair is no character; such an id counts as missing
        return None
    return text


def _refuse_repeats(names: Sequence[str], source: str) -> None:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DataError(f"{source}: the column {repeated[0]!r} occurs {names.count(repeated[0])} times")


# --- delimited text -------------------------------------------------------------------------------------


def _read_delimited(path: Path, compression: str | None, delimiter: str, name: str) -> Table:
    notes: list[Note] = []
    # Before pyarrow, which names no byte offset, and swallows errors in rows with too many fields.
    _refuse_other_encodings(path, compression, name)
    header, delimiter, header_lines = _header(path, compression, delimiter, name, notes)
    _refuse_repeats(header, name)
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
    arrow = _from_arrow(table, name)
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
    return Table(name, {key: _array(column) for key, column in values.items()}, rows, tuple(skipped), notes)


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


# --- one column -----------------------------------------------------------------------------------------


def _plain(array: pa.Array) -> pa.Array:
    """The array without dictionary encoding or an extension type."""
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def id_strings(array: pa.Array, *, column: str, table: Table) -> pa.Array:
    """Ids as Arrow large_string, null where missing; integral floats lose their ".0", "nan" is missing.

    Raises:
        DataError: The column holds lists, structs or bytes that are not UTF-8.
    """
    array = _plain(array)
    kind = array.type
    if pa.types.is_nested(kind):
        raise DataError(f"{table.name}: column {column!r} holds {kind}, expected one id a row")
    if pa.types.is_floating(kind):
        floats = np.asarray(pc.fill_null(array.cast(pa.float64()), np.nan))
        if np.any(np.abs(floats) >= EXACT_FLOAT):
            first = int(np.argmax(np.abs(floats) >= EXACT_FLOAT))
            count = int(np.sum(np.abs(floats) >= EXACT_FLOAT))
            rule = f"{column}: id stored as floating point above 2**53, its last digits may be lost"
            table.notes.append(Note(rule, count, f"row {table.row_number(first)}: {floats[first]:.0f}"))
        whole = np.isfinite(floats) & (floats == np.trunc(floats)) & (np.abs(floats) < EXACT_FLOAT)
        if np.all(whole | np.isnan(floats)):
            array = pa.array(np.where(whole, floats, 0).astype(np.int64), mask=~whole)
        else:
            array = pa.array([_text(value) for value in floats.tolist()], pa.string())
    elif pa.types.is_decimal(kind) or pa.types.is_null(kind):
        array = pa.array([None if v is None else format(v.normalize(), "f") for v in array.to_pylist()], pa.string())
    try:
        text = array.cast(pa.large_string())
    except pa.ArrowException as error:
        raise DataError(f"{table.name}: column {column!r} ({kind}) cannot be read as ids: {error}") from error
    missing = pc.is_in(pc.utf8_trim_whitespace(text), pa.array(MISSING_WORDS, pa.large_string()))
    return pc.if_else(pc.fill_null(missing, True), pa.scalar(None, pa.large_string()), text)


def numbers(array: pa.Array) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
    """A column as float64[R] (NaN where there is no number), bool[R] missing, bool[R] not a number."""
    array = _plain(array)
    missing = np.array(pc.is_null(array))
    kind = array.type
    if pa.types.is_boolean(kind):
        array = array.cast(pa.int8())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        array = pc.utf8_trim_whitespace(array)
        missing |= np.asarray(pc.is_in(array, pa.array(["", "NULL", "null"], kind)))
        array = pc.if_else(pa.array(missing), pa.scalar(None, kind), array)
    if pa.types.is_nested(kind):
        return np.full(len(array), np.nan), missing, ~missing
    try:
        values = np.array(pc.fill_null(array.cast(pa.float64(), safe=False), np.nan))
        return values, missing, np.zeros(len(array), np.bool_)
    except pa.ArrowException:
        words = pd.Series(array.to_pylist(), dtype=object).replace(
            {"true": 1.0, "True": 1.0, "false": 0.0, "False": 0.0}
        )
        series = pd.to_numeric(words, errors="coerce")
        values = np.array(series.to_numpy(dtype=np.float64, na_value=np.nan))
    # pandas returns NaN both for the text "nan" and for "abc"; only the latter is not a number.
    says_nan = np.asarray([isinstance(w, str) and w.casefold() in ("nan", "+nan", "-nan") for w in words])
    return values, missing, np.isnan(values) & ~missing & ~says_nan


def strings(array: pa.Array) -> pa.Array:
    """A column as Arrow large_string, null where missing; for texts, not for ids."""
    array = _plain(array)
    try:
        return array.cast(pa.large_string())
    except pa.ArrowException:
        return pa.array([_text(value) for value in array.to_pylist()], pa.large_string())


# Whole numbers this large are no seconds (5138 AD) but milli-, micro- or nanoseconds.
TIME_UNITS = ((1e17, 10**9, "nanoseconds"), (1e14, 10**6, "microseconds"), (1e11, 10**3, "milliseconds"))


def timestamps(array: pa.Array, *, column: str, table: Table) -> NDArray[np.int64] | None:
    """A column as int64[R] seconds since 1970 UTC; None (noted) if no row can be read.

    Numbers are seconds unless their median says milliseconds or finer (noted). Date columns and ISO 8601
    strings are converted, without a zone as UTC. A row without a usable time gets the earliest of the others,
    so that it never passes for recent.
    """
    array = _plain(array)
    if pa.types.is_date(array.type):
        array = array.cast(pa.timestamp("s"))
    if pa.types.is_timestamp(array.type):
        whole = array.cast(pa.timestamp("s", tz=array.type.tz), safe=False)
        seconds, bad, _ = numbers(whole.cast(pa.int64()))
    else:
        seconds, _, bad = numbers(array)
        if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
            text = pd.Series(array.to_pylist(), dtype=object)[bad]
            if len(text):
                dates = pd.to_datetime(text, errors="coerce", utc=True, format="ISO8601")
                stamps = dates.dt.tz_localize(None).to_numpy().astype("datetime64[s]")
                seconds[bad] = np.where(np.isnat(stamps), np.nan, stamps.astype(np.int64))
        bad = ~(np.abs(seconds) < 2.0**62)
        if not bad.all():
            median = float(np.median(np.abs(seconds[~bad])))
            for limit, factor, unit in TIME_UNITS:
                if median >= limit:
                    table.notes.append(Note(f"{column} read as {unit}", int((~bad).sum()), f"{median:.0f}"))
                    seconds = np.floor(seconds / factor)
                    break
    if bad.all():
        table.notes.append(Note(f"no readable time in {column!r}, read without timestamps", table.rows))
        return None
    if bad.any():
        first = int(np.argmax(bad))
        example = f"row {table.row_number(first)}: {str(array[first].as_py())[:40]!r}"
        table.notes.append(Note(f"{column} unreadable, row taken as the oldest", int(bad.sum()), example))
    return np.where(bad, seconds[~bad].min(), seconds).astype(np.int64)
