"""``--max-size``: what gives, and how much, so that a package is no larger than asked for.

The weakest blocks of the neighbours go first: in a table of films the weakest fifth holds a hundredth of the squares.
Within an item they are its last ones, so what is left is a shorter list in the same order.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pocketrec.errors import UsageError
from pocketrec.tflite_tables import table_of

from pocketrec_export.assemble import Parts
from pocketrec_export.targets import graph_entries, targets_of

UNITS = {"": 1, "b": 1, "kb": 1000, "mb": 10**6, "gb": 10**9, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}
LARGEST_CUT = 0.4
"""Of the blocks of the neighbours, before the size is called impossible."""
RESERVE = 16_384
"""Bytes for what is added last: golden cases, figures, the model card."""


def parse_size(text: str | int | None) -> int | None:
    """Bytes of ``"6MB"``, ``"6.5 MiB"`` or a plain number; None for None.

    Raises:
        UsageError: it is no size, or none above zero.
    """
    if text is None:
        return None
    found = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([kmg]?i?b|)\s*", str(text).lower())
    size = int(float(found[1]) * UNITS[found[2]]) if found and found[2] in UNITS else 0
    if size <= 0:
        raise UsageError(f"max size is {text!r}; expected a size such as 6MB, 800kB or 6.5MiB")
    return size


def fit(parts: Parts, *, max_bytes: int | None) -> tuple[Parts, str]:
    """The parts in at most ``max_bytes`` once they are finished, and a sentence that says what gave.

    Args:
        parts: of `assemble`, not yet finished.
        max_bytes: None changes nothing.

    Raises:
        UsageError: that is impossible; the message says what the smallest size is.
    """
    size = parts.size_bytes() + RESERVE
    if max_bytes is None or size <= max_bytes:
        return parts, ""
    blocks = len(parts.arrays.get("neighbours/index", ()))
    bytes_a_block = _bytes_a_block(parts) if blocks else 1
    dropped = -(-(size - max_bytes) // bytes_a_block)
    most = int(blocks * LARGEST_CUT)
    if dropped > most:
        smallest = size - most * bytes_a_block
        raise UsageError(
            f"max size is {max_bytes:,} bytes; this package takes {size:,}, and {smallest:,} after {most:,} of "
            f"{blocks:,} blocks of neighbours are left out: ask for more, or give fewer items, signals or word pieces"
        )
    arrays, kept = without_weakest(parts.arrays, dropped)
    said = (
        f"to stay within {max_bytes / 1e6:,.2f} MB the weakest {dropped:,} of {blocks:,} blocks of neighbours are left "
        f"out; the others hold {100 * kept:.1f} % of the squares"
    )
    # A graph declares the shapes of its tables, or holds them.
    _, graphs = graph_entries(parts.manifest, arrays, targets=targets_of(parts.manifest))
    return replace(parts, arrays=arrays, files=parts.files | graphs), said


def _bytes_a_block(parts: Parts) -> int:
    """What a block of neighbours takes, in the copy of a TFLite model, too."""
    own = sum(parts.arrays[f"neighbours/{part}"][:1].nbytes for part in ("index", "value"))
    if "tflite" not in targets_of(parts.manifest):
        return own
    items = parts.manifest["catalogue"]["items"]
    return own + sum(
        table_of(f"neighbours/{part}", parts.arrays.__getitem__, items=items)[:1].nbytes for part in ("index", "value")
    )


def check_size(parts: Parts, *, max_bytes: int | None) -> None:
    """Refuse finished parts that are larger after all: what is added last is small, but nobody promised how small.

    Raises:
        UsageError: they are.
    """
    if max_bytes is not None and parts.size_bytes() > max_bytes:
        raise UsageError(f"max size is {max_bytes:,} bytes, the finished package takes {parts.size_bytes():,}")


def without_weakest(arrays: dict[str, NDArray[Any]], count: int) -> tuple[dict[str, NDArray[Any]], float]:
    """The arrays without the ``count`` blocks of neighbours of least squares, and the share that the others hold."""
    start, scale = arrays["neighbours/start"].astype(np.int64), arrays["neighbours/scale"].astype(np.float64)
    blocks = np.diff(start)
    owner = np.repeat(np.arange(len(blocks)), blocks)
    place = np.arange(len(owner)) - start[owner]
    energy = (arrays["neighbours/value"].astype(np.float64) ** 2).sum(axis=1) * scale[owner] ** 2
    kept = np.sort(np.lexsort((-place, energy))[count:])  # an item's last block first, where two are equal
    ends = np.cumsum(np.bincount(owner[kept], minlength=len(blocks)))
    trimmed = {f"neighbours/{part}": arrays[f"neighbours/{part}"][kept] for part in ("index", "value")}
    trimmed["neighbours/start"] = np.concatenate(([0], ends)).astype(np.uint32)
    total = float(energy.sum())
    return {**arrays, **trimmed}, float(energy[kept].sum()) / total if total else 1.0
