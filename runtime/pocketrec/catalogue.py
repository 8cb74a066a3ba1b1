"""The items of a package: ids, titles, attributes, and which of them may be shown."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pocketrec.attributes import COLUMNS, Column, Columns, Dates, Value
from pocketrec.errors import UsageError
from pocketrec.filters import Condition, Filter, conditions
from pocketrec.manifest import EXPIRES, PUBLISHED
from pocketrec.times import LARGEST_TIME


class Catalogue:
    """Names and attributes of I items, of a package or added to it; an item's index is its row in every table.

    Attributes:
        attributes: name -> kind of each attribute, in the order of the package.
        timed: whether items may be not yet published or expired, so that it matters what time it is.
    """

    def __init__(self, columns: Columns) -> None:
        self._source = columns
        self._ids = columns.strings("catalogue/id")
        self._titles = columns.strings("catalogue/title")
        self._infos = {info.name: info for info in columns.attributes}
        self._columns: dict[str, Column] = {}
        self.attributes = {name: info.kind for name, info in self._infos.items()}
        self.timed = PUBLISHED in self._infos or EXPIRES in self._infos

    def __len__(self) -> int:
        return len(self._ids)

    def id(self, index: int) -> str:
        """The external id of an item."""
        return self._ids[index]

    def title(self, index: int) -> str:
        """The title of an item, or its id when it has none."""
        return self._titles[index] or self._ids[index]

    def index(self, id: str) -> int:
        """The index of an item by its id, or -1 when the catalogue does not have it."""
        return self._ids.find(id)

    def categories(self, index: int) -> list[str]:
        """The categories of an item, in the order of the package."""
        found = self.value(index, "category") if "category" in self._infos else []
        return found if isinstance(found, list) else []

    def value(self, index: int, attribute: str) -> Value:
        """What one item has of an attribute: None, or an empty list of categories, where it has nothing.

        Raises:
            IndexError: there is no such item.
            UsageError: there is no such attribute.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"item {index} of a catalogue of {len(self)}")
        return self._column(attribute).value(index)

    def labels(self, index: int, attribute: str) -> list[str]:
        """:meth:`value` as texts, one for each category or other value; empty where it has nothing."""
        found = self.value(index, attribute)
        return found if isinstance(found, list) else [] if found is None else [str(found)]

    def eligible(self, filter: Filter | None = None, *, now: float | None = None) -> NDArray[np.bool_]:
        """Which items pass a filter and, given the time, are published and not expired.

        Args:
            filter: see `filters`. A value that no item has matches nothing, an item without a value nothing either.
            now: seconds since 1970 UTC; None leaves times out. An item is published from the second
                ``published`` on, and expired from the second ``expires`` on.

        Returns:
            bool[I], new and writable.

        Raises:
            UsageError: the catalogue has no such attribute, a value that is none of its kind, or ``now`` is no time.
        """
        mask = np.ones(len(self), np.bool_)
        for condition in conditions(filter):
            mask &= self._matching(condition)
        if now is not None:
            if isinstance(now, bool) or not isinstance(now, (int, float, np.number)) or not abs(now) <= LARGEST_TIME:
                raise UsageError(f"now is {now!r:.80}; expected seconds since 1970")
            mask &= self._current(math.floor(now))
        return mask

    def _matching(self, condition: Condition) -> NDArray[np.bool_]:
        column = self._column(condition.key)
        mask = np.ones(len(self), np.bool_) if condition.equal is None else column.equals(condition.equal)
        for sign, value in condition.comparisons:
            mask &= column.compares(sign, value)
        return mask

    def _current(self, now: int) -> NDArray[np.bool_]:
        mask = np.ones(len(self), np.bool_)
        for name in (PUBLISHED, EXPIRES):
            if name in self._infos:
                column = self._column(name)
                assert isinstance(column, Dates), "the manifest allows no other kind of this name"
                mask &= column.since(now) if name == PUBLISHED else column.until(now)
        return mask

    def _column(self, name: str) -> Column:
        column = self._columns.get(name)
        if column is None:  # two threads may both read it; the results are equal
            if name not in self._infos:
                known = ", ".join(f"{name} ({kind})" for name, kind in self.attributes.items()) or "none"
                raise UsageError(f"cannot filter by {name!r}; this package has: {known}")
            info = self._infos[name]
            column = self._columns[name] = COLUMNS[info.kind](self._source, info)
        return column
