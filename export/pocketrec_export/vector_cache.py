"""A file of text vectors that makes the second build of a catalogue cheap.

One ``.npz`` per recipe holds the SHA-256 of each text and its vector. It is read and written whole: a
temporary file is renamed over it, so a reader never sees half of one, and of two concurrent writers
the later wins (the loser's texts are encoded again some day). Deleting it is always safe.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pocketrec_export.atomic import write_whole


class VectorCache:
    """Vectors by text content, in ``folder/<recipe>.npz``.

    Args:
        folder: created when the first vectors are saved.
        recipe: hex digest of everything but the text that decides a vector: weights, tokenizer, limits, torch, threads.
        dim: length of a vector.
        say: told one line when the file is damaged.
    """

    def __init__(self, folder: Path, *, recipe: str, dim: int, say: Callable[[str], None] = lambda line: None) -> None:
        self._say = say
        self._path = folder / f"{recipe[:32]}.npz"
        self._dim = dim
        self._vectors = self._read()

    def get(self, text: str) -> NDArray[np.float32] | None:
        """The text's vector float32[dim], or None if it was never saved."""
        return self._vectors.get(_digest(text))

    def save(self, texts: Sequence[str], vectors: NDArray[np.float32]) -> None:
        """Adds vectors float32[N, dim] of N texts, keeping what other processes have saved meanwhile."""
        self._vectors = self._read() | self._vectors
        self._vectors.update((_digest(text), row) for text, row in zip(texts, vectors, strict=True))
        keys = np.frombuffer(b"".join(self._vectors), np.uint8).reshape(-1, 32)
        whole = np.stack(list(self._vectors.values()))
        check = np.frombuffer(_checksum(keys, whole), np.uint8)
        self._path.parent.mkdir(parents=True, exist_ok=True)

        def write(temporary: str) -> None:
            with open(temporary, "wb") as file:  # by name, numpy would add .npz to it
                np.savez(file, keys=keys, vectors=whole, sha256=check)

        write_whole(self._path, write)

    def _read(self) -> dict[bytes, NDArray[np.float32]]:
        if not self._path.exists():
            return {}
        try:
            with open(self._path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
                keys, vectors = arrays["keys"], arrays["vectors"]
                # Files of before have no hash of ours; the zip's own checks must do.
                check = arrays["sha256"].tobytes() if "sha256" in arrays.files else None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return self._damaged()
        if vectors.dtype != np.float32 or keys.dtype != np.uint8:
            return self._damaged()
        if keys.shape != (len(vectors), 32) or vectors.shape != (len(keys), self._dim):
            return self._damaged()
        if check is not None and check != _checksum(keys, vectors):
            return self._damaged()
        return {key.tobytes(): vector for key, vector in zip(keys, vectors, strict=True)}

    def _damaged(self) -> dict[bytes, NDArray[np.float32]]:
        self._say(f"cache: {self._path.name} is damaged; its vectors are made again")
        return {}


def _checksum(keys: NDArray[np.uint8], vectors: NDArray[np.float32]) -> bytes:
    digest = hashlib.sha256(np.ascontiguousarray(keys).data)
    digest.update(np.ascontiguousarray(vectors).data)
    return digest.digest()


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
