"""Rows of a quantized table as numbers: a byte for each code, or two codes of 4 bits in each byte."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BITS = (4, 8)
"""How many bits a code of a table of tokens may have; every other table has 8."""


def dequantize(value: NDArray[np.uint8], scale: NDArray[np.float32], *, bits: int = 8) -> NDArray[np.float32]:
    """float32[R, D]: (code - zero point) * scale of its row, where the zero point is 128, or 8 with 4 bits.

    Args:
        value: uint8[R, D], or uint8[R, D/2] with 4 bits, see `unpack`.
        scale: float32[R].
        bits: of a code.
    """
    codes = unpack(value) if bits == 4 else value
    centered: NDArray[np.float32] = codes.astype(np.float32) - np.float32(1 << (bits - 1))
    return centered * scale[:, None]


def unpack(packed: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """uint8[R, D] codes 0 to 15 of uint8[R, D/2]: column 2k is the low half of byte k, column 2k + 1 the high half."""
    return np.stack((packed & 15, packed >> 4), axis=-1).reshape(len(packed), 2 * packed.shape[1])
