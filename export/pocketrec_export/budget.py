"""``--max-size``: what gives, in which order and how far, so that a package is no larger than asked for.

`RUNGS` is the order. On each rung the weakest blocks of the neighbours go, just as many as needed: in a table of films
the weakest fifth holds a half to one hundredth of the squares, and within an item they are its last ones, so what is
left is a shorter list in the same order. Where that would take too many, the next rung makes the tokens smaller.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pocketrec.errors import UsageError
from pocketrec.tflite_tables import table_of

from pocketrec_export.assemble import Parts
from pocketrec_export.student import Student
from pocketrec_export.targets import graph_entries, targets_of
from pocketrec_export.tiers import with_fewer_pieces

UNITS = {"": 1, "b": 1, "kb": 1000, "mb": 10**6, "gb": 10**9, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}
RESERVE = 16_384
"""Bytes for what is added last: golden cases, figures, the model card."""


@dataclass(frozen=True)
class Rung:
    """How far each part may give.

    Attributes:
        bits: the most of a number in the table of tokens.
        pieces: the share of its word pieces that stays; what the others stood for is spelled in shorter ones.
        blocks: the largest share of the neighbours' blocks that may be left out.
    """

    bits: int
    pieces: float
    blocks: float


RUNGS = (Rung(8, 1.0, 0.2), Rung(4, 1.0, 0.2), Rung(4, 0.75, 0.2), Rung(4, 0.5, 0.4), Rung(4, 0.25, 0.4))
"""Tried one after the other, until one is small enough."""


@dataclass(frozen=True)
class Fitted:
    """A package within its limit.

    Attributes:
        parts: of `assemble`, not yet finished.
        student: the one that is in them.
        gave: what was left out for it, a sentence; empty where nothing was.
    """

    parts: Parts
    student: Student | None
    gave: str = ""


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


def parse_share(text: str | float) -> float:
    """A share from 0 to 1, of ``"1%"`` or ``0.01``.

    Raises:
        UsageError: it is none.
    """
    found = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*(%?)\s*", str(text))
    share = float(found[1]) / (100 if found[2] else 1) if found else -1.0
    if not 0 <= share <= 1:
        raise UsageError(f"max loss is {text!r}; expected a share such as 1% or 0.01")
    return share


def fit(
    make: Callable[[Student | None], Parts],
    student: Student | None,
    *,
    max_bytes: int | None,
    texts: Sequence[str] = (),
) -> Fitted:
    """The parts in at most ``max_bytes`` once they are finished, by the first of `RUNGS` that is enough.

    Args:
        make: the parts of a package with this student.
        student: the text encoder, None for a package without texts.
        max_bytes: None asks for nothing.
        texts: of the items: the word pieces that they use stay longest.

    Raises:
        UsageError: that is impossible; the message says what the smallest size is.
    """
    whole = make(student)
    size = whole.size_bytes() + RESERVE
    if max_bytes is None or size <= max_bytes:
        return Fitted(whole, student)
    smallest = size
    for rung in RUNGS:
        smaller = _on(rung, student, texts)
        parts = whole if smaller is student else make(smaller)
        blocks, block_bytes = _blocks(parts)
        most = int(blocks * rung.blocks)
        size = parts.size_bytes() + RESERVE
        smallest = min(smallest, size - most * block_bytes)
        dropped = max(0, -(-(size - max_bytes) // block_bytes))
        if dropped <= most:
            arrays, kept = without_weakest(parts.arrays, dropped) if dropped else (parts.arrays, 1.0)
            if dropped:  # a graph declares the shapes of its tables, or holds them
                _, graphs = graph_entries(parts.manifest, arrays, targets=targets_of(parts.manifest))
                parts = replace(parts, arrays=arrays, files=parts.files | graphs)
            return Fitted(parts, smaller, _said(max_bytes, student, smaller, dropped, blocks, kept))
    raise UsageError(
        f"max size is {max_bytes:,} bytes; this package takes {whole.size_bytes() + RESERVE:,}, and {smallest:,} once "
        "neighbours and word pieces have given all they may: ask for more, or give fewer items or signals"
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


def _on(rung: Rung, student: Student | None, texts: Sequence[str]) -> Student | None:
    if student is None:
        return None
    pieces = int(rung.pieces * len(student.vocabulary))
    smaller = student if rung.pieces == 1 else with_fewer_pieces(student, pieces, texts)
    return smaller if smaller.bits <= rung.bits else replace(smaller, bits=rung.bits)


def _blocks(parts: Parts) -> tuple[int, int]:
    """How many blocks the neighbours have, and the bytes of one, in the copy of a TFLite model, too."""
    blocks = len(parts.arrays.get("neighbours/index", ()))
    if not blocks:
        return 0, 1
    names = ("neighbours/index", "neighbours/value")
    size = sum(parts.arrays[name][:1].nbytes for name in names)
    if "tflite" in targets_of(parts.manifest):
        items = parts.manifest["catalogue"]["items"]
        size += sum(table_of(name, parts.arrays.__getitem__, items=items)[:1].nbytes for name in names)
    return blocks, size


def _said(max_bytes: int, before: Student | None, after: Student | None, dropped: int, blocks: int, kept: float) -> str:
    gave = []
    if before is not None and after is not None and after.bits < before.bits:
        gave.append(f"tokens have {after.bits} bits in place of {before.bits}")
    if before is not None and after is not None and len(after.vocabulary) < len(before.vocabulary):
        gave.append(f"{len(after.vocabulary):,} of {len(before.vocabulary):,} word pieces stay")
    if dropped:
        gave.append(
            f"the weakest {dropped:,} of {blocks:,} blocks of neighbours are left out (the others hold "
            f"{100 * kept:.1f} % of the squares)"
        )
    return f"to stay within {max_bytes / 1e6:,.2f} MB: {'; '.join(gave)}"
