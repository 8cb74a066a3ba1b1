"""The tables of a package as its TFLite models hold them: what the exporter embeds and the reader compares.

Every table has one row more than the package's, all zero: the row that fills what a call leaves empty. So R = I + 1 for
tables of items, and the others likewise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketrec.manifest import COLUMN_BLOCK, PRIORS

SENTINELS = (-128, 127)
"""What the query has in the columns behind a block of the table, which are zero there. They make the step of whatever
range a runtime sees exactly 1, and its zero point 0."""
WIDTH = COLUMN_BLOCK + len(SENTINELS)
MAX_SHORT = 2**15 - 1
"""The largest item that an index of 16 bits names: TFLite has no unsigned ones that all runtimes gather."""


def table_of(name: str, array: Callable[[str], NDArray[Any]], *, items: int) -> NDArray[Any]:
    """A table by the name that it has in a model.

    Args:
        name: ``T:b`` for the columns 64 b to 64 b + 63 of the dense table T and the sentinels' columns, int8 [rows + 1,
            66]; ``T/codes`` for all its columns alone, int8 [rows + 1, D or, of a table of halves, D / 2]; ``T/scale``
            float32 [1, rows + 1]; ``T/index`` and ``T/value`` of a sparse table, int16 or int32 and int8
            [blocks + 1, B], where fillers point to the row behind the last item; ``popularity/value`` and
            ``boost/value``, float32 [1, items + 1].
        array: the package's arrays by entry name.
        items: I.

    Raises:
        ValueError: no table goes by this name.
    """
    table, _, block = name.partition(":")
    if block:
        start = int(block) * COLUMN_BLOCK
        value = array(f"{table}/value")[:, start : start + COLUMN_BLOCK]
        codes = np.zeros((len(value) + 1, WIDTH), np.int8)
        codes[:-1, :COLUMN_BLOCK] = (value ^ np.uint8(128)).view(np.int8)  # value - 128
        return codes
    table, _, part = name.partition("/")
    if part == "scale" or (part == "value" and table in PRIORS):
        stored = array(name)
        return np.append(stored, np.zeros(1, np.float32)).reshape(1, -1).astype(np.float32, copy=False)
    if part == "codes":
        codes = (array(f"{table}/value") ^ np.uint8(128)).view(np.int8)
        return np.concatenate([codes, np.zeros((1, codes.shape[1]), np.int8)])
    if part in ("index", "value"):
        stored = array(name)
        if part == "value":
            return np.concatenate([stored, np.zeros((1, stored.shape[1]), np.int8)])
        kind = np.int16 if items <= MAX_SHORT else np.int32
        return np.concatenate([stored.astype(kind), np.full((1, stored.shape[1]), items, kind)])
    raise ValueError(f"no table is called {name}")
