"""What all teachers share: batches of fixed shapes, so that a vector never depends on its neighbours, and the cache."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pocketrec_export.vector_cache import VectorCache

Progress = Callable[[int, int], None]
"""Called with (texts done, texts in all)."""

BATCH = 32
LENGTH_STEP = 8
_BLOCK = 1024  # texts tokenized at once


class BatchedTeacher:
    """The part of a ``Teacher`` that is the same for all models; a subclass tokenizes and runs one batch.

    A text's vector does not depend on the other texts of a call, to the last bit (same machine kind,
    versions and thread count): every batch has one of a few fixed shapes. So a build gives the same
    bytes whatever the cache already holds.
    """

    name: str
    sha256: str
    dim: int
    size_bytes: int
    recipe: dict[str, str | int]
    reused: int

    def _begin(self, cache: Path | None, say: Callable[[str], None]) -> None:
        """To be called once the recipe and the model are there."""
        self.dim = self._forward([[0]], LENGTH_STEP).shape[1]
        digest = hashlib.sha256(json.dumps({**self.recipe, **_arithmetic()}, sort_keys=True).encode()).hexdigest()
        self.reused = 0
        self._cache = VectorCache(cache, recipe=digest, dim=self.dim, say=say) if cache else None

    def _tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text with its prefix and special tokens, cut to the model's limit."""
        raise NotImplementedError

    def _forward(self, ids: Sequence[Sequence[int]], length: int) -> NDArray[np.float32]:
        """Unit vectors of token id lists, padded to ``BATCH`` rows of ``length`` tokens."""
        raise NotImplementedError

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> NDArray[np.float32]:
        """Unit vectors float32[N, dim], row by row for the texts; equal texts are encoded once."""
        distinct = list(dict.fromkeys(texts))
        known = {} if self._cache is None else {text: self._cache.get(text) for text in distinct}
        missing = [text for text in distinct if known.get(text) is None]
        vectors = np.empty((len(missing), self.dim), np.float32)
        done = len(distinct) - len(missing)
        self.reused += done
        for rows, length, ids in self._batches(missing):
            vectors[rows] = self._forward(ids, length)
            done += len(rows)
            if progress is not None:
                progress(done, len(distinct))
        if self._cache is not None and missing:
            self._cache.save(missing, vectors)
        known.update(zip(missing, vectors, strict=True))
        return np.array([known[text] for text in texts], np.float32).reshape(len(texts), self.dim)

    def _batches(self, texts: Sequence[str]) -> Iterator[tuple[list[int], int, list[list[int]]]]:
        """Rows of equal padded length, at most ``BATCH`` at a time: (rows, length, token ids).

        The length is the next multiple *above* a text's own: with no padding at all, torch would take
        another attention kernel and round differently.
        """
        tokenized: list[list[int]] = []
        for first in range(0, len(texts), _BLOCK):
            tokenized += self._tokenize([readable(text) for text in texts[first : first + _BLOCK]])
        buckets: dict[int, list[int]] = {}
        for row, ids in enumerate(tokenized):
            buckets.setdefault((len(ids) // LENGTH_STEP + 1) * LENGTH_STEP, []).append(row)
        for length in sorted(buckets):
            for first in range(0, len(buckets[length]), BATCH):
                rows = buckets[length][first : first + BATCH]
                yield rows, length, [tokenized[row] for row in rows]


def padded_limit(positions: int | None, otherwise: int) -> int:
    """The most tokens of a text that, padded to the next multiple above it, still have positions."""
    return positions // LENGTH_STEP * LENGTH_STEP - 1 if positions and positions > 0 else otherwise


def readable(text: str) -> str:
    """The text without lone surrogates, which no tokenizer library takes (and the device drops)."""
    return text.encode("utf-8", "ignore").decode("utf-8")


def _arithmetic() -> dict[str, str | int]:
    """What else decides the last bits of a vector, so that a cache of another kind is not taken."""
    import torch

    return {"torch": str(torch.__version__), "threads": torch.get_num_threads()}
