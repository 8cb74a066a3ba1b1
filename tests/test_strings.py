from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pocketrec.errors import DataError, PackageError
from pocketrec.strings import EMPTY_SLOT, StringTable
from pocketrec_export.writer import string_table

words = st.lists(st.text(max_size=8), max_size=40)


def table(strings: list[str], *, lookup: bool = True) -> StringTable:
    arrays = string_table("t", strings, lookup=lookup)
    return StringTable(arrays["t.offset"], arrays["t.text"], arrays.get("t.slot"))


@given(words)
def test_rows_come_back_as_they_went_in(strings: list[str]) -> None:
    read = table(strings, lookup=False)
    assert len(read) == len(strings)
    assert [read[row] for row in range(len(read))] == list(read) == strings


@given(st.lists(st.text(max_size=4), max_size=60, unique=True), st.text(max_size=4))
def test_find_agrees_with_list_index(strings: list[str], other: str) -> None:
    read = table(strings)
    assert [read.find(string) for string in strings] == list(range(len(strings)))
    assert [read.find(string.encode()) for string in strings] == list(range(len(strings)))
    assert read.find(other) == (strings.index(other) if other in strings else -1)


@pytest.mark.parametrize(("rows", "slots", "dtype"), [(100, 256, "uint16"), (65535, 1 << 17, "uint16"),
                                                      (65536, 1 << 17, "uint32")])  # fmt: skip
def test_slots_follow_the_written_rule(rows: int, slots: int, dtype: str) -> None:
    strings = [f"item {i}" for i in range(rows)]
    arrays = string_table("t", strings, lookup=True)
    empty = EMPTY_SLOT[dtype]
    expected = [empty] * slots
    for row, string in enumerate(strings):
        at = zlib.crc32(string.encode()) & (slots - 1)
        while expected[at] != empty:
            at = (at + 1) % slots
        expected[at] = row
    assert arrays["t.slot"].tolist() == expected
    assert arrays["t.slot"].dtype.name == dtype
    read = StringTable(arrays["t.offset"], arrays["t.text"], arrays["t.slot"])
    assert [read.find(string) for string in (strings[0], strings[-1], f"item {rows}")] == [0, rows - 1, -1]


def test_slots_of_32_bits_are_read_for_few_rows_too() -> None:
    arrays = string_table("t", ["a", "b"], lookup=True)
    wide = np.array([EMPTY_SLOT["uint32"] if row == 0xFFFF else row for row in arrays["t.slot"].tolist()], np.uint32)
    read = StringTable(arrays["t.offset"], arrays["t.text"], wide)
    assert [read.find(key) for key in ("a", "b", "c")] == [0, 1, -1]


@pytest.mark.parametrize(("rows", "slots"), [(0, 2), (1, 2), (2, 4), (3, 8), (4, 8), (5, 16)])
def test_at_most_half_of_the_slots_are_full(rows: int, slots: int) -> None:
    assert string_table("t", [str(i) for i in range(rows)], lookup=True)["t.slot"].size == slots


def test_empty_string_is_a_string() -> None:
    assert table(["", "a"]).find("") == 0
    assert table(["a"]).find("") == -1


def test_lone_surrogate_is_not_found() -> None:
    assert table(["a"]).find("\ud800") == -1


def test_find_ends_on_a_hostile_table_without_an_empty_slot() -> None:
    offset, text = np.array([0, 1], np.uint32), np.frombuffer(b"a", np.uint8)
    assert StringTable(offset, text, np.zeros(8, np.uint32)).find("b") == -1


def test_rows_outside_the_table_are_an_index_error() -> None:
    read = table(["a"])
    for row in (-1, 1):
        with pytest.raises(IndexError, match=f"row {row} of a string table of 1"):
            read[row]


def test_bytes_that_are_not_utf8_are_a_package_error() -> None:
    read = StringTable(np.array([0, 1, 2], np.uint32), np.frombuffer(b"a\xff", np.uint8))
    assert read[0] == "a"
    with pytest.raises(PackageError, match="row 1 of a string table is not UTF-8"):
        read[1]


def test_find_needs_a_lookup() -> None:
    with pytest.raises(PackageError, match="no lookup"):
        table(["a"], lookup=False).find("a")


def test_the_same_string_twice_cannot_be_looked_up() -> None:
    with pytest.raises(DataError, match="'b' appears twice"):
        string_table("t", ["a", "b", "b"], lookup=True)
    assert list(table(["b", "b"], lookup=False)) == ["b", "b"]


def test_invalid_unicode_is_refused() -> None:
    with pytest.raises(DataError, match="not valid Unicode"):
        string_table("t", ["\ud800"], lookup=False)
