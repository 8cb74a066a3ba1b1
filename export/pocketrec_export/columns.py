"""One Arrow column to ids, numbers, texts or times, whatever type it was stored as.

Ids stay the text that was written ("007"), and nothing that is missing ever becomes an id called "nan".
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pocketrec.errors import DataError

from pocketrec_export.tables import Note, Table, as_text

MAX_ID_BYTES = 1024
# Above 2**53 a float64 no longer tells neighbouring integers apart, so an id may already be the wrong one.
EXACT_FLOAT = float(2**53)
# How pandas, R and databases print "nothing here"; as an id it would join every unknown user into one.
MISSING_WORDS = ("", "nan", "NaN", "null", "NULL", "None", "<NA>")


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
            array = pa.array([as_text(value) for value in floats.tolist()], pa.string())
    elif pa.types.is_decimal(kind) or pa.types.is_null(kind):
        array = pa.array([None if v is None else format(v.normalize(), "f") for v in array.to_pylist()], pa.string())
    try:
        text = array.cast(pa.large_string())
    except pa.ArrowException as error:
        raise DataError(f"{table.name}: column {column!r} ({kind}) cannot be read as ids: {error}") from error
    missing = pc.is_in(pc.utf8_trim_whitespace(text), pa.array(MISSING_WORDS, pa.large_string()))
    return pc.if_else(pc.fill_null(missing, True), pa.scalar(None, pa.large_string()), text)


_NUMERIC_KINDS = (
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_decimal,
    pa.types.is_boolean,
    pa.types.is_null,
    pa.types.is_string,
    pa.types.is_large_string,
)


def numbers(array: pa.Array) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
    """A column as float64[R] (NaN where there is no number), bool[R] missing, bool[R] not a number."""
    array = _plain(array)
    missing = np.array(pc.is_null(array))
    kind = array.type
    if not any(is_kind(kind) for is_kind in _NUMERIC_KINDS):  # dates, bytes, lists
        return np.full(len(array), np.nan), missing, ~missing
    if pa.types.is_boolean(kind):
        array = array.cast(pa.int8())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        array = pc.utf8_trim_whitespace(array)
        missing |= np.asarray(pc.is_in(array, pa.array(["", "NULL", "null"], kind)))
        array = pc.if_else(pa.array(missing), pa.scalar(None, kind), array)
    try:
        values = np.array(pc.fill_null(array.cast(pa.float64(), safe=False), np.nan))
        return values, missing, np.zeros(len(array), np.bool_)
    except pa.ArrowException:
        plain = pc.fill_null(pc.match_substring_regex(array, _PLAIN_NUMBER), False)
        values = np.array(pc.fill_null(pc.if_else(plain, array, pa.scalar(None, kind)).cast(pa.float64()), np.nan))
        others = np.flatnonzero(~np.asarray(plain) & ~missing)
    said = array.take(pa.array(others)).to_pylist()
    words = pd.Series(said, dtype=object).replace({"true": 1.0, "True": 1.0, "false": 0.0, "False": 0.0})
    values[others] = pd.to_numeric(words, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    # pandas returns NaN both for the text "nan" and for "abc"; only the latter is not a number.
    says_nan = np.array([word.casefold() in ("nan", "+nan", "-nan") for word in said], np.bool_)
    bad = np.zeros(len(array), np.bool_)
    bad[others] = np.isnan(values[others]) & ~says_nan
    return values, missing, bad


_PLAIN_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"


def strings(array: pa.Array) -> pa.Array:
    """A column as Arrow large_string, null where missing; for texts, not for ids."""
    array = _plain(array)
    try:
        return array.cast(pa.large_string())
    except pa.ArrowException:
        return pa.array([as_text(value) for value in array.to_pylist()], pa.large_string())


# Whole numbers this large are no seconds (5138 AD) but milli-, micro- or nanoseconds.
TIME_UNITS = ((1e17, 10**9, "nanoseconds"), (1e14, 10**6, "microseconds"), (1e11, 10**3, "milliseconds"))


def moments(array: pa.Array) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """A time column as float64[R] (NaN where there is no time), and bool[R] which of them are in seconds for sure.

    Date columns and ISO 8601 texts are seconds since 1970, without a zone UTC; the unit of plain numbers only the
    whole column tells, see `time_unit`.
    """
    array = _plain(array)
    if pa.types.is_date(array.type):
        array = array.cast(pa.timestamp("s"))
    if pa.types.is_timestamp(array.type):
        whole = array.cast(pa.timestamp("s", tz=array.type.tz), safe=False)
        seconds = numbers(whole.cast(pa.int64()))[0]
        return np.where(np.abs(seconds) < 2.0**62, seconds, np.nan), np.ones(len(array), np.bool_)
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        try:  # the whole column in one form: a hundred times faster than pandas
            seconds = np.array(pc.fill_null(array.cast(pa.timestamp("s")).cast(pa.int64()).cast(pa.float64()), np.nan))
            return seconds, np.ones(len(array), np.bool_)
        except pa.ArrowException:
            pass
    seconds, _, bad = numbers(array)
    sure = np.zeros(len(array), np.bool_)
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        text = pd.Series(array.filter(pa.array(bad)).to_pylist(), dtype=object)
        if len(text):
            dates = pd.to_datetime(text, errors="coerce", utc=True, format="ISO8601")
            stamps = dates.dt.tz_localize(None).to_numpy().astype("datetime64[s]")
            seconds[bad] = np.where(np.isnat(stamps), np.nan, stamps.astype(np.int64))
            sure[bad] = True
    return np.where(np.abs(seconds) < 2.0**62, seconds, np.nan), sure


def time_unit(numbers: NDArray[np.float64]) -> tuple[int, str]:
    """How many of the unit make a second, and its name: seconds unless the median says milliseconds or finer.

    Args:
        numbers: float64[R] finite.
    """
    median = float(np.median(np.abs(numbers))) if len(numbers) else 0.0
    return next(((factor, unit) for limit, factor, unit in TIME_UNITS if median >= limit), (1, "seconds"))
