"""The items of a package: ids, titles, categories, and which of them a filter lets through."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pocketrec.errors import UsageError
from pocketrec.package import Package

Filter = Mapping[str, str | Sequence[str]]
"""Filter key to the value, or the values, of which an item must have at least one."""


class Catalogue:
    """Names and attributes of the I items of a package; an item's index is its row in every table."""

    def __init__(self, package: Package) -> None:
        self._ids = package.strings("catalogue/id")
        self._titles = package.strings("catalogue/title")
        # Each filter key has a function from wanted values to bool[I]; a typed attribute adds one line here.
        self._columns: dict[str, Callable[[Sequence[str]], NDArray[np.bool_]]] = {}
        self._category_names = None
        if package.manifest.catalogue.categories:
            self._category_names = package.strings("catalogue/category_name")
            self._category_start = package.array("catalogue/category.start")
            self._category_index = package.array("catalogue/category.index")
            self._columns["category"] = self._in_category

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
        if self._category_names is None:
            return []
        if not 0 <= index < len(self):
            raise IndexError(f"item {index} of a catalogue of {len(self)}")
        first, last = self._category_start[index : index + 2].tolist()
        return [self._category_names[row] for row in self._category_index[first:last].tolist()]

    def eligible(self, filter: Filter | None = None) -> NDArray[np.bool_]:
        """Which items pass a filter: any of the values of a key, and every key.

        Returns:
            bool[I], new and writable. A value that no item has matches nothing.

        Raises:
            UsageError: the catalogue has no such key, or a value is not a string.
        """
        mask = np.ones(len(self), np.bool_)
        filter = {} if filter is None else filter
        if not isinstance(filter, Mapping):
            raise UsageError(f"a filter is a mapping of attribute to values; got {type(filter).__name__}")
        for key, wanted in filter.items():
            if key not in self._columns:
                known = ", ".join(self._columns) or "none"
                raise UsageError(f"cannot filter by {key!r}; this package has: {known}")
            values = [wanted] if isinstance(wanted, str) or not isinstance(wanted, Iterable) else list(wanted)
            if not all(isinstance(value, str) for value in values):
                raise UsageError(f"filter {key!r} must be a string or a list of strings, found {wanted!r}")
            mask &= self._columns[key](values)
        return mask

    def _in_category(self, values: Sequence[str]) -> NDArray[np.bool_]:
        assert self._category_names is not None
        wanted = np.zeros(len(self._category_names) + 1, np.bool_)
        wanted[[self._category_names.find(value) for value in values]] = True
        wanted[-1] = False  # where unknown values went
        hits = np.concatenate(([0], np.cumsum(wanted[self._category_index])))
        start = self._category_start
        mask: NDArray[np.bool_] = hits[start[1:]] > hits[start[:-1]]
        return mask
