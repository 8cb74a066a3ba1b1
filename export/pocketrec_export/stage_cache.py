"""Results of expensive stages, kept by the content of what they were made from.

A file's name is its stage and the hash of everything that decides the result: inputs, settings, seed, threads,
versions of the libraries and this package's own code. Its first bytes are the hash of the rest: a damaged file is
noticed, said, and made again. Deleting files is always safe.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from pocketrec_export.atomic import write_whole

MAGIC = b"pocketrec stage 1\n"
LIBRARIES = ("numpy", "scipy", "torch", "implicit", "transformers", "sentence-transformers", "tokenizers")

Arrays = Mapping[str, NDArray[Any]]


class StageCache:
    """Named arrays by stage and key, in one folder.

    Args:
        folder: created when the first result is saved; None keeps nothing.
        say: told one line when a result was reused or a file is damaged.
    """

    def __init__(self, folder: str | Path | None, *, say: Callable[[str], None] = lambda line: None) -> None:
        self._folder = None if folder is None else Path(folder)
        self._say = say
        self.reused: list[str] = []
        """What was taken from the cache, a line each."""

    def load(self, stage: str, key: str, *, what: str) -> dict[str, NDArray[Any]] | None:
        """The arrays of an earlier build, or None.

        Args:
            stage: names the file.
            key: from `key_of`.
            what: the result in words, for the line that says it was reused.
        """
        path = self._path(stage, key)
        if path is None or not path.is_file():
            return None
        arrays = _read(path)
        if arrays is None:
            self._say(f"cache: {path.name} is damaged; made again")
            return None
        self.reuse(what)
        return arrays

    def reuse(self, what: str) -> None:
        """Notes that something was not computed again."""
        self.reused.append(what)
        self._say(f"reused from the cache: {what}")

    def save(self, stage: str, key: str, arrays: Arrays) -> None:
        """Keeps the arrays; the file appears whole or not at all."""
        path = self._path(stage, key)
        if path is None:
            return
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **dict(arrays))
        payload = buffer.getvalue()
        path.parent.mkdir(parents=True, exist_ok=True)
        content = MAGIC + hashlib.sha256(payload).digest() + payload
        write_whole(path, lambda temporary: Path(temporary).write_bytes(content))

    def _path(self, stage: str, key: str) -> Path | None:
        return None if self._folder is None else self._folder / f"{stage}-{key[:32]}.stage"


def _read(path: Path) -> dict[str, NDArray[Any]] | None:
    """The arrays of a whole file, None of any other."""
    content = path.read_bytes()
    head = len(MAGIC) + 32
    if len(content) < head or not content.startswith(MAGIC):
        return None
    if hashlib.sha256(content[head:]).digest() != content[len(MAGIC) : head]:
        return None
    with np.load(io.BytesIO(content[head:]), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def key_of(**inputs: Any) -> str:
    """Hex digest of named inputs, of the libraries' versions and of this package's code.

    Args:
        inputs: None, texts, numbers, arrays, csr matrices, dataclasses, and sequences and mappings of them.

    Raises:
        TypeError: anything else, because what is not understood must not be left out.
    """
    digest = hashlib.sha256(f"{_code()} {_versions()}".encode())
    _feed(digest, inputs)
    return digest.hexdigest()


def _feed(digest: Any, value: Any) -> None:
    if value is None or isinstance(value, (str, bool, int, float, np.generic)):
        text = value if isinstance(value, str) else repr(value)
        digest.update(f"{type(value).__name__} {len(text)} ".encode() + text.encode("utf-8", "surrogatepass"))
    elif isinstance(value, np.ndarray) and value.dtype != object:
        digest.update(f"array {value.dtype.str} {value.shape} ".encode())
        digest.update(np.ascontiguousarray(value).tobytes())
    elif isinstance(value, csr_matrix):
        _feed(digest, [list(value.shape), value.data, value.indices, value.indptr])
    elif is_dataclass(value) and not isinstance(value, type):
        _feed(digest, {field.name: getattr(value, field.name) for field in fields(value)})
    elif isinstance(value, Mapping):
        _feed(digest, [[name, value[name]] for name in sorted(value)])
    elif isinstance(value, Sequence):
        digest.update(f"sequence {len(value)} ".encode())
        for entry in value:
            _feed(digest, entry)
    else:
        raise TypeError(f"no key can be made of {type(value).__name__}")


@cache
def _code() -> str:
    """Digest of this package's source: a result of other code is another result."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


@cache
def _versions() -> str:
    found = {"machine": platform.machine(), "python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = ""
    return json.dumps(found, sort_keys=True)


def text_array(value: Any) -> NDArray[np.uint8]:
    """Anything that JSON can hold, as bytes, to stand among arrays."""
    return np.frombuffer(json.dumps(value, ensure_ascii=True).encode(), np.uint8)


def from_text_array(array: NDArray[Any]) -> Any:
    """What `text_array` was given."""
    return json.loads(array.tobytes())
