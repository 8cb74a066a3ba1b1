"""In how many bits a table of tokens is stored: the tiers, what each costs on held-out queries, and the choice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pocketrec.dense import dequantize

from pocketrec_export.quantize import quantize_halves, quantize_rows
from pocketrec_export.student import Student, encode, fidelity
from pocketrec_export.text_space import project
from pocketrec_export.vocabulary import prune_vocabulary

Codes = tuple[NDArray[np.uint8], NDArray[np.float32]]
CODES: Mapping[int, Callable[[NDArray[Any]], Codes]] = {8: quantize_rows, 4: quantize_halves}
"""Bits of a number -> codes and scales of a table. The tiers that a package may hold, the most exact first."""
MAX_LOSS = 0.01
"""Of the NDCG@10 of float32, that the stored table may lose."""


@dataclass(frozen=True)
class Tier:
    """One way to store the table of tokens, and how its queries rank the catalogue beside the teacher's.

    Attributes:
        name: float32, int8 or int4.
        bits: of a number.
        size_bytes: of the table, scales included.
        overlap_at_10: shared part of the ten nearest items.
        ndcg_at_10: of the student's order, the teacher's cosine being the gain.
        loss: the share of float32's NDCG that is lost; below zero where rounding helps.
    """

    name: str
    bits: int
    size_bytes: int
    overlap_at_10: float
    ndcg_at_10: float
    loss: float

    def as_dict(self) -> dict[str, Any]:
        """For the report."""
        return asdict(self)


def loss_table(student: Student, item_vectors: NDArray[np.float32]) -> tuple[Tier, ...]:
    """Every tier of a student, float32 first; empty where it kept no queries.

    Args:
        student: with the queries that were held out from its training.
        item_vectors: float32[I, E], the teacher's vectors of the catalogue.
    """
    tiers: list[Tier] = []
    for bits in (32, *CODES) if student.queries else ():
        figures = measure(replace(student, bits=bits), item_vectors)
        rows, dim = student.tokens.shape
        size = rows * dim * bits // 8 + (0 if bits == 32 else 4 * rows)
        exact = tiers[0].ndcg_at_10 if tiers else figures["ndcg_at_10"]
        loss = 1 - figures["ndcg_at_10"] / exact if exact > 0 else 0.0
        name = "float32" if bits == 32 else f"int{bits}"
        tiers.append(Tier(name, bits, size, figures["overlap_at_10"], figures["ndcg_at_10"], loss))
    return tuple(tiers)


def measure(student: Student, item_vectors: NDArray[np.float32]) -> dict[str, float]:
    """`student.fidelity` of the table as it is stored, on the student's held-out queries; empty without any."""
    if not student.queries:
        return {}
    answers = encode(as_stored(student), student.vocabulary, student.queries)
    with_text = item_vectors[np.abs(item_vectors).max(axis=1) > 0]
    catalogue = project(with_text, student.projection)
    return fidelity(answers, catalogue, teacher=student.answers, teacher_catalogue=with_text)


def as_stored(student: Student) -> NDArray[np.float32]:
    """float32[T, D]: the table of tokens as a device reads it."""
    if student.bits not in CODES:
        return student.tokens
    return dequantize(*CODES[student.bits](student.tokens), bits=student.bits)


def choose_bits(tiers: Sequence[Tier], max_loss: float) -> int:
    """The fewest bits whose loss is at most ``max_loss``; the most that a package may hold where none is."""
    good = [tier.bits for tier in tiers if tier.bits in CODES and tier.loss <= max_loss]
    return min(good) if good else max(CODES)


def with_fewer_pieces(student: Student, count: int, texts: Sequence[str]) -> Student:
    """The student with at most ``count`` word pieces: those that the texts use most, see `prune_vocabulary`.

    What a piece stood for is spelled in shorter ones, so no word is lost.
    """
    if count >= len(student.vocabulary):
        return student
    row = {piece: index for index, piece in enumerate(student.vocabulary)}
    kept = prune_vocabulary(student.vocabulary, texts, max_size=count)
    return replace(student, tokens=student.tokens[[row[piece] for piece in kept]], vocabulary=kept)
