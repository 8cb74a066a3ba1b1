"""Typed columns of the catalogue: categories, numbers, booleans, dates. What they hold, and which items match.

Every kind answers the same questions: the value of one item, which items have one of the wanted values, and, where
the kind has an order, which compare with a value as a sign says. An item without a value never matches.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from operator import ge, gt, le, lt
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pocketrec.errors import UsageError
from pocketrec.layout import NO_BOOLEAN, NO_TIME
from pocketrec.manifest import AttributeInfo
from pocketrec.times import as_text, period

Mask = NDArray[np.bool_]
Value = str | float | bool | list[str] | None

ORDERS: Mapping[str, Callable[[Any, Any], Any]] = {"<": lt, "<=": le, ">": gt, ">=": ge}
"""What the signs of `filters` mean, apart from being equal."""


class Names(Protocol):
    """Texts by row, and rows by text."""

    def __len__(self) -> int: ...

    def __getitem__(self, row: int) -> str: ...

    def find(self, key: str) -> int:
        """The row of a text, or -1."""
        ...


class Columns(Protocol):
    """Where the columns of a catalogue come from: a package, or items that were added to it."""

    @property
    def attributes(self) -> tuple[AttributeInfo, ...]:
        """The attributes, in order."""
        ...

    def strings(self, prefix: str) -> Names:
        """A column of texts."""
        ...

    def array(self, name: str) -> NDArray[Any]:
        """A column of numbers."""
        ...


class Column(Protocol):
    """One attribute of all items."""

    def value(self, index: int) -> Value:
        """The value of one item; None, or an empty list of categories, where it has none."""
        ...

    def equals(self, wanted: Sequence[object]) -> Mask:
        """bool[I], new: where the value is one of ``wanted``.

        Raises:
            UsageError: one of ``wanted`` is no value of this kind.
        """
        ...

    def compares(self, sign: str, wanted: object) -> Mask:
        """bool[I], new: where the value compares with ``wanted`` as ``sign`` of `ORDERS` says.

        Raises:
            UsageError: ``wanted`` is no value of this kind, or the kind has no order.
        """
        ...


class Categories:
    """A set of names for each item, which have no order."""

    def __init__(self, columns: Columns, info: AttributeInfo) -> None:
        self._info = info
        self._names = columns.strings(f"{info.prefix}_name")
        self._start = columns.array(f"{info.prefix}.start")
        self._index = columns.array(f"{info.prefix}.index")

    def value(self, index: int) -> list[str]:
        """The names of one item, in the order of the package."""
        first, last = self._start[index : index + 2].tolist()
        return [self._names[row] for row in self._index[first:last].tolist()]

    def equals(self, wanted: Sequence[object]) -> Mask:
        """Where the value is one of ``wanted``, see `Column`."""
        chosen = np.zeros(len(self._names) + 1, np.bool_)
        for name in wanted:
            if not isinstance(name, str):
                raise _no_value(self._info, "a string or a list of strings", name)
            chosen[self._names.find(name)] = True
        chosen[-1] = False  # where unknown names went
        hits = np.concatenate(([0], np.cumsum(chosen[self._index])))
        found: Mask = hits[self._start[1:]] > hits[self._start[:-1]]
        return found

    def compares(self, sign: str, wanted: object) -> Mask:
        """Where the value compares as ``sign`` says, see `Column`."""
        raise _no_order(self._info, sign)


class Numbers:
    """One number for each item, NaN where there is none; compared in the precision in which they are stored."""

    def __init__(self, columns: Columns, info: AttributeInfo) -> None:
        self._info = info
        self._value = columns.array(f"{info.prefix}.value")

    def value(self, index: int) -> float | None:
        """The value of one item, None where it has none."""
        number = self._value[index]
        return None if math.isnan(number) else float(str(number))  # 19.99, not what float32 makes of it

    def equals(self, wanted: Sequence[object]) -> Mask:
        """Where the value is one of ``wanted``, see `Column`."""
        found = np.zeros(len(self._value), np.bool_)
        for number in wanted:
            found |= self._value == self._stored(number)
        return found

    def compares(self, sign: str, wanted: object) -> Mask:
        """Where the value compares as ``sign`` says, see `Column`."""
        found: Mask = ORDERS[sign](self._value, self._stored(wanted))
        return found

    def _stored(self, wanted: object) -> np.floating[Any]:
        try:
            number = math.nan if isinstance(wanted, bool) or _foreign(wanted) else float(wanted)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not math.isfinite(number):
            raise _no_value(self._info, "a finite number", wanted)
        with np.errstate(over="ignore"):  # beyond float32 it becomes infinite, and compares as it should
            stored: np.floating[Any] = self._value.dtype.type(number)
        return stored


class Booleans:
    """True, false or nothing for each item."""

    _WORDS: Mapping[str, int] = {"true": 1, "yes": 1, "1": 1, "false": 0, "no": 0, "0": 0}

    def __init__(self, columns: Columns, info: AttributeInfo) -> None:
        self._info = info
        self._value = columns.array(f"{info.prefix}.value")

    def value(self, index: int) -> bool | None:
        """The value of one item, None where it has none."""
        code = int(self._value[index])
        return None if code == NO_BOOLEAN else bool(code)

    def equals(self, wanted: Sequence[object]) -> Mask:
        """Where the value is one of ``wanted``, see `Column`."""
        found = np.zeros(len(self._value), np.bool_)
        for word in wanted:
            code = self._WORDS.get(str(word).strip().lower())
            if code is None:
                raise _no_value(self._info, "true or false", word)
            found |= self._value == code
        return found

    def compares(self, sign: str, wanted: object) -> Mask:
        """Where the value compares as ``sign`` says, see `Column`."""
        raise _no_order(self._info, sign)


class Dates:
    """Seconds since 1970 UTC for each item; a wanted year, month or day stands for all of its seconds."""

    def __init__(self, columns: Columns, info: AttributeInfo) -> None:
        self._info = info
        self._value = columns.array(f"{info.prefix}.value")

    def value(self, index: int) -> str | None:
        """The value of one item, None where it has none."""
        seconds = int(self._value[index])
        return None if seconds == NO_TIME else as_text(seconds)

    def equals(self, wanted: Sequence[object]) -> Mask:
        """Where the value is one of ``wanted``, see `Column`."""
        found = np.zeros(len(self._value), np.bool_)
        for time in wanted:
            start, end = self._period(time)
            found |= (self._value >= start) & (self._value < end)
        return found

    def compares(self, sign: str, wanted: object) -> Mask:
        """Where the value compares as ``sign`` says, see `Column`."""
        start, end = self._period(wanted)
        # "<" means before it begins, "<=" before it has ended, and so on.
        limit = start if sign in ("<", ">=") else end
        if sign in ("<", "<="):
            found: Mask = (self._value < limit) & (self._value != NO_TIME)
        else:
            found = self._value >= limit
        return found

    def since(self, seconds: int) -> Mask:
        """bool[I]: items whose time has come at ``seconds``, or that have none: NO_TIME lies before all times."""
        found: Mask = self._value <= seconds
        return found

    def until(self, seconds: int) -> Mask:
        """bool[I]: items whose time has not come at ``seconds``, or that have none."""
        found: Mask = (self._value > seconds) | (self._value == NO_TIME)
        return found

    def _period(self, wanted: object) -> tuple[int, int]:
        try:
            return period(wanted)
        except UsageError as error:
            raise UsageError(f"filter {self._info.name!r}: {error}") from None


COLUMNS: Mapping[str, Callable[[Columns, AttributeInfo], Column]] = {
    "category": Categories,
    "number": Numbers,
    "boolean": Booleans,
    "date": Dates,
}
"""How each kind of attribute is read; a new kind adds a line here, in `manifest` and in `layout`."""


def _foreign(wanted: object) -> bool:
    """Whether it is a text that Python alone takes for a number: with underscores, or digits of other scripts."""
    return isinstance(wanted, str) and ("_" in wanted or not wanted.isascii())


def _no_value(info: AttributeInfo, expected: str, found: object) -> UsageError:
    return UsageError(f"filter {info.name!r} must be {expected}, found {found!r:.80}")


def _no_order(info: AttributeInfo, sign: str) -> UsageError:
    return UsageError(
        f"filter {info.name!r} is a {info.kind} and has no order; expected {info.name}=VALUE, found {sign}"
    )
