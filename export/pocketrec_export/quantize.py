"""From float tables to 8 bits: dense rows with a scale each, and sparse rows in blocks; and to 4 bits, for tokens.

The rule of 8 bits: ``scale = max|row| / 127`` and ``code = rint(value / scale)`` (half to even), so that a value
comes back within half a scale. With 4 bits the scale of a row is the one of a few that loses least. A row whose scale
would be a subnormal float32 becomes all zero: engines may flush such numbers, and its values are below 2e-36. A scale
beyond ``MAX_SCALE`` is refused, as readers refuse it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pocketrec.layout import MAX_SCALE
from pocketrec.manifest import SPARSE_BLOCK
from scipy import sparse

ZERO_POINT = 128
LARGEST = 127
"""Largest |code|: symmetric, so that -128 never appears and products stay within 127^2."""
HALF_ZERO, LARGEST_HALF = 8, 7
"""The same of codes of 4 bits."""
SHARES = tuple(1 - step / 20 for step in range(11))
"""Of ``max|row| / 7``, tried as the scale of a row of 4 bits: 1, .95, ... .5."""
_TINY = np.finfo(np.float32).tiny


def quantize_rows(x: NDArray[np.floating[Any]]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Codes and scales of a dense table.

    Args:
        x: float[R, D].

    Returns:
        uint8[R, D] with zero point 128 and codes 1 to 255, and float32[R] scales; a zero row has scale 0.

    Raises:
        ValueError: ``x`` is not a matrix, or a value is not finite, or beyond 127 * 2^20.
    """
    x = _bounded(x)
    if x.ndim != 2:
        raise ValueError(f"expected a matrix, found shape {x.shape}")
    scale = _scales(np.abs(x).max(axis=1, initial=0.0))
    code = np.rint(x / np.where(scale > 0, scale, np.inf)[:, None])
    return (code + ZERO_POINT).astype(np.uint8), scale


def quantize_halves(x: NDArray[np.floating[Any]]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Codes of 4 bits, two to a byte, and scales of a dense table.

    A large number in a row would make the steps of all others coarse, so it may be cut: of `SHARES` of
    ``max|row| / 7`` each row gets the scale with the least squared error, of equal ones the largest.

    Args:
        x: float[R, D], D even.

    Returns:
        uint8[R, D/2], the code of column 2k in the low half of byte k and that of column 2k + 1 in the high half, with
        zero point 8 and codes 1 to 15; and float32[R] scales; a zero row has scale 0.

    Raises:
        ValueError: as `quantize_rows`, or D is odd.
    """
    x = _bounded(x)
    if x.ndim != 2 or x.shape[1] % 2:
        raise ValueError(f"expected a matrix of an even width, found shape {x.shape}")
    largest = np.abs(x).max(axis=1, initial=0.0) / np.float32(LARGEST_HALF)
    codes, scales = np.full(x.shape, HALF_ZERO, np.uint8), np.zeros(len(x), np.float32)
    least = np.full(len(x), np.inf)
    for share in SHARES:
        scale = (largest * np.float32(share)).astype(np.float32)
        scale[scale < _TINY] = 0
        code = np.rint(x / np.where(scale > 0, scale, np.inf)[:, None]).clip(-LARGEST_HALF, LARGEST_HALF)
        error = ((code * scale[:, None] - x).astype(np.float64) ** 2).sum(axis=1)
        better = error < least
        codes[better], scales[better] = (code + HALF_ZERO).astype(np.uint8)[better], scale[better]
        least[better] = error[better]
    return codes[:, 0::2] | (codes[:, 1::2] << np.uint8(4)), scales


def dequantize_rows(value: NDArray[np.uint8], scale: NDArray[np.float32]) -> NDArray[np.float32]:
    """The float32[R, D] table that uint8[R, D] codes and float32[R] scales stand for."""
    return (value.astype(np.float32) - np.float32(ZERO_POINT)) * scale[:, None]


def sparse_blocks(
    matrix: sparse.csr_array[Any] | sparse.csr_matrix[Any], *, block: int = SPARSE_BLOCK
) -> dict[str, NDArray[Any]]:
    """Codes and scales of a sparse table, each row in as many blocks as it needs.

    Args:
        matrix: float[R, C], source-major: row j holds what source j adds to its targets.
        block: B, entries in a block.

    Returns:
        ``start`` uint32[R + 1], the first block of each row; ``index`` uint16[NB, B] (uint32 beyond 65536
        columns); ``value`` int8[NB, B]; ``scale`` float32[R]. Within a row entries go from the largest |code|
        to the smallest, ties by index, so that cutting blocks drops the weakest. Codes of 0 are not stored;
        the end of a row's last block is filled with index 0, value 0.

    Raises:
        ValueError: a value is not finite, or beyond 127 * 2^20.
    """
    table = sparse.csr_array(matrix, copy=True)
    table.sum_duplicates()
    rows, columns = table.shape
    row = np.repeat(np.arange(rows), np.diff(table.indptr))
    value = _bounded(table.data)

    largest = np.zeros(rows, np.float32)
    np.maximum.at(largest, row, np.abs(value))
    scale = _scales(largest)
    code = np.rint(value / np.where(scale > 0, scale, np.inf)[row]).astype(np.int8)

    kept = np.flatnonzero(code)
    strength = np.abs(code[kept].astype(np.int16))
    order = kept[np.lexsort((table.indices[kept], -strength, row[kept]))]
    count = np.bincount(row[order], minlength=rows)
    start = np.concatenate(([0], np.cumsum(-(-count // block))))
    rank = np.arange(len(order)) - np.repeat(np.cumsum(count) - count, count)
    place = start[row[order]] * block + rank

    index = np.zeros((start[-1], block), np.uint16 if columns <= 1 << 16 else np.uint32)
    blocks = np.zeros((start[-1], block), np.int8)
    index.reshape(-1)[place] = table.indices[order]
    blocks.reshape(-1)[place] = code[order]
    return {"start": start.astype(np.uint32), "index": index, "value": blocks, "scale": scale}


def _bounded(x: NDArray[Any]) -> NDArray[np.float32]:
    x, limit = np.asarray(x), LARGEST * MAX_SCALE
    good = np.count_nonzero(np.abs(x) <= limit)  # NaN is not
    if good < x.size:
        raise ValueError(f"{x.size - good} of {x.size} values are not finite or beyond {limit:g}")
    return x.astype(np.float32)


def _scales(largest: NDArray[np.float32]) -> NDArray[np.float32]:
    scale = (largest / np.float32(LARGEST)).astype(np.float32)
    return np.where(scale >= _TINY, scale, np.float32(0))
