"""All items that a call may speak of: those of the package, then those added on the device, in one row of indices."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pocketrec.catalogue import Catalogue
from pocketrec.filters import Filter
from pocketrec.overlay import Overlay
from pocketrec.package import Package


class View:
    """The items of one moment: item ``i`` is row i of the package, or row ``i - own`` of the overlay.

    Attributes:
        catalogue: the package's items.
        overlay: the added ones, None if there are none.
        own: how many items the package has.
    """

    def __init__(self, package: Package, catalogue: Catalogue, overlay: Overlay | None = None) -> None:
        self._package = package
        self.catalogue, self.overlay, self.own = catalogue, overlay, len(catalogue)

    def __len__(self) -> int:
        return self.own + (0 if self.overlay is None else len(self.overlay))

    def index(self, id: str) -> int:
        """The index of an item by its id, or -1."""
        row = self.catalogue.index(id)
        if row >= 0 or self.overlay is None:
            return row
        row = self.overlay.catalogue.index(id)
        return row if row < 0 else self.own + row

    def id(self, index: int) -> str:
        """The external id of an item."""
        catalogue, row = self._of(index)
        return catalogue.id(row)

    def title(self, index: int) -> str:
        """The title of an item, or its id when it has none."""
        catalogue, row = self._of(index)
        return catalogue.title(row)

    def labels(self, index: int, attribute: str) -> list[str]:
        """See `Catalogue.labels`."""
        catalogue, row = self._of(index)
        return catalogue.labels(row, attribute)

    def eligible(self, filter: Filter | None = None, *, now: float | None = None) -> NDArray[np.bool_]:
        """bool [I + N], see `Catalogue.eligible`."""
        mask = self.catalogue.eligible(filter, now=now)
        if self.overlay is None:
            return mask
        return np.concatenate((mask, self.overlay.catalogue.eligible(filter, now=now)))

    def dense_rows(self, table: str, index: NDArray[np.int64]) -> NDArray[np.float32]:
        """float32 [R, D]: rows of a dense table; an added item has some for texts and factors, and zeros elsewhere."""
        if self.overlay is None or not len(index) or index.max() < self.own:
            return self._package.dense_rows(table, index)
        added = index >= self.own
        rows = self._package.dense_rows(table, np.where(added, 0, index))
        rows[added] = self.overlay.rows(table, index[added] - self.own)
        return rows

    def _of(self, index: int) -> tuple[Catalogue, int]:
        if index < self.own or self.overlay is None:
            return self.catalogue, index
        return self.overlay.catalogue, index - self.own
