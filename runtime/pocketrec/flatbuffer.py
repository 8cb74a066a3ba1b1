"""Read flatbuffer tables from untrusted bytes: every offset is checked before it is followed.

Source: https://flatbuffers.dev/internals/
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketrec.errors import PackageError

_FORMATS = {1: "<b", 2: "<H", 4: "<i", -4: "<I"}
"""Of numbers by their bytes; negative for the unsigned."""


class Table:
    """One table: where each of its fields lies.

    Args:
        data: The whole flatbuffer.
        at: Where the table starts.
        what: What it is, for messages.
        slots: The fields that it may have; any other is refused.

    Raises:
        PackageError: it does not lie within ``data``, or has another field.
    """

    def __init__(self, data: memoryview, at: int, *, what: str, slots: Sequence[int]) -> None:
        self._data, self._what = data, what
        schema = at - self._number(at, 4)
        size, self._length = self._number(schema, 2), self._number(schema + 2, 2)
        if size < 4 or size % 2 or schema + size > len(data) or at + self._length > len(data):
            raise self._error("does not lie within the file")
        offsets = struct.unpack(f"<{size // 2 - 2}H", data[schema + 4 : schema + size])
        self._fields: dict[int, int] = {slot: at + offset for slot, offset in enumerate(offsets) if offset}
        if any(not 4 <= offset < self._length for offset in offsets if offset):
            raise self._error("has a field outside itself")
        if not self._fields.keys() <= set(slots):
            raise self._error(f"has fields {sorted(self._fields)}, of which we use {sorted(slots)}")

    def has(self, slot: int) -> bool:
        """Whether the field is there."""
        return slot in self._fields

    def number(self, slot: int, size: int, default: int = 0) -> int:
        """A whole number of 1 or 4 bytes."""
        return self._number(self._fields[slot], size) if slot in self._fields else default

    def table(self, slot: int, *, what: str, slots: Sequence[int]) -> Table:
        """The table that a field points to."""
        return Table(self._data, self._follow(self._field(slot)), what=what, slots=slots)

    def tables(self, slot: int, *, what: str, slots: Sequence[int], most: int) -> list[Table]:
        """The tables that a vector points to; none without the field."""
        if slot not in self._fields:
            return []
        start, count = self._vector(slot, 4)
        if count > most:
            raise self._error(f"lists {count} of {what}, expected at most {most}")
        places = range(start, start + 4 * count, 4)
        return [Table(self._data, self._follow(place), what=what, slots=slots) for place in places]

    def numbers(self, slot: int, dtype: str) -> NDArray[Any]:
        """A vector of numbers, read in place; an empty one without the field."""
        kind = np.dtype(dtype)
        if slot not in self._fields:
            return np.empty(0, kind)
        start, count = self._vector(slot, kind.itemsize)
        return np.frombuffer(self._data, kind, count, start)

    def text(self, slot: int) -> str:
        """A string, which ends with a byte of zero as C expects; empty without the field."""
        if slot not in self._fields:
            return ""
        start, count = self._vector(slot, 1)
        if start + count >= len(self._data) or self._data[start + count]:
            raise self._error("has a text without end")
        try:
            return str(self._data[start : start + count], "utf-8")
        except UnicodeDecodeError as error:
            raise self._error("has a text that is not UTF-8") from error

    def _vector(self, slot: int, size: int) -> tuple[int, int]:
        """Where the first entry lies, and how many there are."""
        at = self._follow(self._field(slot))
        count = self._number(at, -4)
        if at + 4 + count * size > len(self._data):
            raise self._error("has a vector that runs out of the file")
        return at + 4, count

    def _field(self, slot: int) -> int:
        if slot not in self._fields:
            raise self._error(f"lacks field {slot}")
        return self._fields[slot]

    def _follow(self, at: int) -> int:
        return at + self._number(at, -4)

    def _number(self, at: int, size: int) -> int:
        if at < 0 or at + abs(size) > len(self._data):
            raise self._error("points outside the file")
        number: int = struct.unpack_from(_FORMATS[size], self._data, at)[0]
        return number

    def _error(self, problem: str) -> PackageError:
        return PackageError(f"TFLite model: {self._what} {problem}")


def root(data: memoryview, identifier: bytes, *, what: str, slots: Sequence[int]) -> Table:
    """The table that a flatbuffer with this identifier begins with."""
    if len(data) < 8 or bytes(data[4:8]) != identifier:
        raise PackageError(f"a flatbuffer {identifier.decode()} was expected, found {bytes(data[:8])!r}")
    return Table(data, int.from_bytes(data[:4], "little"), what=what, slots=slots)
