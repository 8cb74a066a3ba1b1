"""The file of an overlay: what was added, and the vectors that one encoder made of it.

Layout, little-endian: the 8 bytes ``PKTROVL1``; uint32 length and uint32 CRC-32 of a JSON object; the JSON; uint32
CRC-32 of the vectors; the vectors, float32 [N, D]. The JSON holds ``encoder``, which made the vectors, ``dim``, and
``items`` in order. A change writes a new file, which takes the old one's place by rename. Nothing in a file is trusted:
lengths are compared with it before anything is read, items are checked like those of a caller, vectors must be finite
and short.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pocketrec.added import AddedItem
from pocketrec.errors import DataError, UsageError
from pocketrec.overlay import MAX_ITEMS
from pocketrec.placing import F32

MAGIC = b"PKTROVL1"
MAX_BYTES = 512 << 20
_HEAD, _CRC = struct.Struct("<8sII"), struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Stored:
    """What a file holds.

    Attributes:
        encoder: who made the vectors.
        items: N items.
        vectors: float32 [N, D]; None where they cannot be used.
    """

    encoder: str
    items: tuple[AddedItem, ...]
    vectors: F32 | None


def write_overlay(path: Path, stored: Stored) -> None:
    """Write the file: beside, made durable, renamed; a crash leaves the old one or the new one.

    Raises:
        DataError: it cannot be written; the old file stands.
    """
    vectors = np.zeros((0, 0), np.float32) if stored.vectors is None else stored.vectors
    header = {
        "encoder": stored.encoder,
        "dim": vectors.shape[1],
        "items": [item.as_dict() for item in stored.items],
    }
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    body = np.ascontiguousarray(vectors, "<f4").tobytes()
    data = b"".join((_HEAD.pack(MAGIC, len(text), zlib.crc32(text)), text, _CRC.pack(zlib.crc32(body)), body))
    new = path.with_name(f".{path.name}.new")  # one name: what a crash leaves is overwritten next time
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)
        with open(os.open(new, flags, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise DataError(f"overlay {path} cannot be written: {error.strerror or error}") from error


def read_overlay(path: Path, kinds: Mapping[str, str]) -> Stored | None:
    """What the file holds; None where there is none.

    Args:
        path: of the file.
        kinds: attribute -> kind of the package; what it does not know, or knows as another kind, is left out.

    Raises:
        DataError: it is no such file, damaged, or larger than one may be. It is left as it is.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DataError(f"overlay {path} cannot be read: {error.strerror or error}") from error
    try:
        return _parse(data, kinds)
    except (ValueError, KeyError, TypeError, RecursionError, struct.error) as error:
        raise DataError(
            f"{path} is no overlay, or it is damaged ({error}); it was left as it is: remove it to start anew"
        ) from error


def _parse(data: bytes, kinds: Mapping[str, str]) -> Stored:
    if len(data) > MAX_BYTES:
        raise ValueError(f"it has more than {MAX_BYTES} bytes")
    magic, size, crc = _HEAD.unpack_from(data)
    if magic != MAGIC:
        raise ValueError(f"it does not begin with {MAGIC.decode()}")
    text, rest = data[_HEAD.size : _HEAD.size + size], data[_HEAD.size + size :]
    if len(text) != size or zlib.crc32(text) != crc:
        raise ValueError("its items have another length or checksum")
    header = json.loads(text)
    listed, dim, encoder = header["items"], header["dim"], header["encoder"]
    if not isinstance(listed, list) or len(listed) > MAX_ITEMS or not isinstance(encoder, str):
        raise ValueError(f"expected a list of at most {MAX_ITEMS:,} items")
    items = tuple(AddedItem.of(_known(entry, kinds), kinds) for entry in listed)
    if len({item.item for item in items}) != len(items):
        raise ValueError("an id is there twice")
    return Stored(encoder, items, _vectors(rest, len(items), dim))


def _known(entry: object, kinds: Mapping[str, str]) -> object:
    """The item without attributes that the package does not know or knows as another kind."""
    if not isinstance(entry, dict):
        return entry
    kept = {key: entry[key] for key in ("item", "title", "text") if key in entry}
    for key in [key for key in entry if key not in kept]:  # in the order of the file, so that it is written alike
        try:
            AddedItem.of({"item": "x", key: entry[key]}, kinds)
        except UsageError:
            continue
        kept[key] = entry[key]
    return kept


def _vectors(data: bytes, count: int, dim: object) -> F32 | None:
    """The vectors, or None if there are none of this shape that an encoder could have made: they are made again."""
    if not isinstance(dim, int) or dim < 1 or len(data) != _CRC.size + 4 * count * dim:
        return None
    body = data[_CRC.size :]
    if zlib.crc32(body) != _CRC.unpack_from(data)[0]:
        return None
    vectors = np.frombuffer(body, "<f4").astype(np.float32).reshape(count, dim)
    with np.errstate(over="ignore", invalid="ignore"):
        good = (np.square(vectors).sum(axis=1) <= 1.001).all()  # false for NaN
    return vectors if good else None


def check_ids(items: Sequence[AddedItem]) -> None:
    """Refuse an id that is there twice.

    Raises:
        UsageError: it is.
    """
    seen: set[str] = set()
    for item in items:
        if item.item in seen:
            raise UsageError(f"item {item.item!r:.80} is there twice in one call; give it once")
        seen.add(item.item)
