"""Where a text stands among the items of a package: the warm items that it is most like, and factors for it.

A new text is encoded by the package's own encoder, its first ``tokens`` pieces. It is like an anchor, one of the first
items of the catalogue, by the cosine of their vectors, each without the mean of its kind (the encoder's and the
catalogue's differ), plus the cosine of their words' impacts where the package has a word table. The ``near`` anchors
that it is most like get weights alike^power that sum to 1. Its factors are ``factors`` / 2 times the sum of two
guesses: (vector, 1) times ``cold/factors``, and the weighted mean of the near anchors' factors.

All of it in float32, sums in any order: a weight that differs in its last bits changes no list.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pocketrec.checked_json import JsonObject

if TYPE_CHECKING:
    from pocketrec.engine import Engine
    from pocketrec.likeness import WordLikeness
    from pocketrec.package import Package
    from pocketrec.tokenizer import Tokenizer

F32 = NDArray[np.float32]

MAX_ANCHORS, MAX_NEAR = 1 << 20, 256
_CHUNK = 128  # texts handled at once


@dataclass(frozen=True, slots=True)
class ColdInfo:
    """How new texts are placed.

    Attributes:
        anchors: they are compared with so many items, the first of the catalogue.
        near: how many of these count.
        power: of the likeness, in their weights.
        tokens: pieces of a text that are read.
        factors: what its factors are multiplied with.
        neighbours: what the mean of the near items' neighbours is multiplied with.
    """

    anchors: int
    near: int = 40
    power: float = 4.0
    tokens: int = 40
    factors: float = 1.0
    neighbours: float = 1.0

    @classmethod
    def read(cls, o: JsonObject) -> ColdInfo:
        """The manifest's ``cold``.

        Raises:
            PackageError: a value is missing or out of range.
        """
        return cls(
            o.integer("anchors", 1, MAX_ANCHORS),
            o.integer("near", 1, MAX_NEAR),
            o.number("power", 0, 16),
            o.integer("tokens", 1, 65536),
            o.number("factors", 0, 1e6),
            o.number("neighbours", 0, 1e6),
        )


@dataclass(frozen=True, slots=True)
class Near:
    """The anchors that N texts are most like.

    Attributes:
        index: int64 [N, K], the most alike first, ties by index.
        weight: float32 [N, K], not negative; a row sums to 1, or to 0 where a text is like no anchor.
    """

    index: NDArray[np.int64]
    weight: F32


class Placer:
    """Places texts among the items of one package. Safe to share between threads."""

    def __init__(self, package: Package, engine: Engine, tokenizer: Tokenizer, words: WordLikeness | None) -> None:
        self._package, self._engine, self._tokenizer, self._words = package, engine, tokenizer, words
        manifest = package.manifest
        self.info = manifest.cold or ColdInfo(min(manifest.catalogue.items, MAX_ANCHORS))
        self._anchors: F32 | None = None

    def encode(self, texts: Sequence[str]) -> F32:
        """Unit vectors float32 [N, D] of item texts; zero where a text holds no word."""
        vectors = np.zeros((len(texts), self._package.text_dim), np.float32)
        limit = min(self.info.tokens, self._encoder_limit())
        for row, text in enumerate(texts):
            tokens = self._tokenizer.tokenize(text, max_tokens=limit)
            if tokens:
                vectors[row] = self._engine.encode(np.array(tokens, np.int64))
        return vectors

    def near(self, vectors: F32, texts: Sequence[str]) -> Near:
        """The anchors that texts are most like.

        Args:
            vectors: float32 [N, D] from :meth:`encode`.
            texts: the same N.
        """
        anchors, center = self._anchor_vectors(), self._centers()[0]
        parts = []
        for start in range(0, max(1, len(vectors)), _CHUNK):
            part = slice(start, start + _CHUNK)
            words = None if self._words is None else self._words.of(texts[part], len(anchors))
            parts.append(near_items(vectors[part], anchors, self.info, center, words))
        return Near(np.concatenate([p.index for p in parts]), np.concatenate([p.weight for p in parts]))

    def factors(self, vectors: F32, near: Near) -> F32:
        """Factors float32 [N, d] of texts; zero where a text holds no word, or the package has none."""
        settings = self._package.manifest.signals.factors
        if settings is None:
            return np.zeros((len(vectors), 0), np.float32)
        if not self._package.has("cold/factors"):
            return np.zeros((len(vectors), settings.dim), np.float32)
        table = self._package.dense_rows("factors", np.arange(self.info.anchors))
        scale = np.float32(self.info.factors / 2)
        return scale * (affine(vectors, self._package.array("cold/factors")) + mean_rows(table, near))

    def _encoder_limit(self) -> int:
        encoder = self._package.manifest.encoder
        return encoder.max_tokens if encoder else 0

    def _centers(self) -> F32:
        """float32 [2, D]: the mean of encoded item texts, and that of the catalogue's own vectors."""
        if self._package.has("cold/center"):
            centers: F32 = self._package.array("cold/center")
            return centers
        return np.zeros((2, self._package.text_dim), np.float32)

    def _anchor_vectors(self) -> F32:
        """float32 [A, D], unit rows, zero for an item without text."""
        if self._anchors is None:  # two threads may both do this; the results are equal
            rows = self._package.dense_rows("text", np.arange(self.info.anchors))
            self._anchors = centered(rows, self._centers()[1])
        return self._anchors


def centered(rows: F32, center: F32) -> F32:
    """Rows without the center, of unit length; a zero row stays zero."""
    said = np.any(rows != 0, axis=1)
    moved = (rows - center) * said[:, None]
    length = np.sqrt(np.einsum("nd,nd->n", moved, moved))
    unit: F32 = moved / np.where(length > 0, length, 1).astype(np.float32)[:, None]
    return unit


def affine(vectors: F32, matrix: F32) -> F32:
    """(vector, 1) times the matrix float32 [D + 1, d]; zero for a zero vector."""
    said = np.any(vectors != 0, axis=1)
    rows: F32 = (vectors @ matrix[:-1] + matrix[-1]) * said[:, None]
    return rows


def mean_rows(table: F32, near: Near) -> F32:
    """float32 [N, d]: the weighted mean of the near items' rows of a table."""
    mean: F32 = np.matmul(near.weight[:, None, :], table[near.index])[:, 0]
    return mean


def near_items(
    vectors: F32,
    anchors: F32,
    info: ColdInfo,
    center: F32,
    words: F32 | None = None,
    *,
    skip: NDArray[np.bool_] | None = None,
) -> Near:
    """The anchors that texts are most like.

    Args:
        vectors: float32 [N, D] of the texts.
        anchors: float32 [A, D], `centered`.
        info: how many count, and how much.
        center: float32 [D], the mean of texts' vectors.
        words: float32 [N, A], how alike their words are.
        skip: bool [A], anchors that do not take part.
    """
    alike = centered(vectors, center) @ anchors.T
    if words is not None:
        alike += words
    if skip is not None:
        alike[:, skip] = 0
    return Near(*_largest(alike, min(info.near, len(anchors)), info.power))


def _largest(alike: F32, count: int, power: float) -> tuple[NDArray[np.int64], F32]:
    """Places of the ``count`` largest of each row, largest first, and their weights."""
    index = np.argpartition(-alike, count - 1, axis=1)[:, :count]
    value = np.take_along_axis(alike, index, axis=1)
    order = np.lexsort((index, -value), axis=1)
    index, value = np.take_along_axis(index, order, axis=1), np.take_along_axis(value, order, axis=1)
    weight = np.maximum(value, np.float32(0)) ** np.float32(power)
    total = weight.sum(axis=1, keepdims=True)
    return index, np.divide(weight, total, out=np.zeros_like(weight), where=total > 0)
