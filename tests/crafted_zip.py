"""ZIP files with any field set to anything, to lie to the reader."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pocketrec.archive import CENTRAL, CENTRAL_MARK, END, END_MARK, LOCAL, LOCAL_MARK, read_archive

_FIELDS = ("needs", "flags", "method", "time", "date", "crc", "packed", "size", "name_size", "extra_size")
_END_FIELDS = ("disk", "disk_of_directory", "here", "count", "size", "offset", "comment_size")


@dataclass
class Part:
    """One entry; ``local`` and ``central`` override fields of its two headers, ``both`` of either."""

    name: bytes
    data: bytes
    both: dict[str, int] = field(default_factory=dict)
    local: dict[str, int] = field(default_factory=dict)
    central: dict[str, int] = field(default_factory=dict)
    local_name: bytes | None = None
    before: bytes = b""
    shift: int = 0


def craft(parts: Sequence[Part], *, tail: bytes = b"", directory_tail: bytes = b"", **end: int) -> bytes:
    """A ZIP of ``parts``, correct but for what they override; ``end`` overrides fields of the end record."""
    out, directory = bytearray(), b""
    for part in parts:
        out += part.before
        offset = len(out)
        extra = bytes(-(offset + LOCAL.size + len(part.name)) % 64 + part.shift)
        values = dict.fromkeys(_FIELDS, 0) | {"needs": 20, "date": 33, "crc": zlib.crc32(part.data)}
        values |= {"packed": len(part.data), "size": len(part.data), "name_size": len(part.name)}
        local = values | {"extra_size": len(extra)} | part.both | part.local
        central = values | {"made": 20, "comment_size": 0, "disk": 0, "internal": 0, "external": 0, "offset": offset}
        central |= {**part.both, **part.central}
        out += LOCAL.pack(LOCAL_MARK, *(local[key] for key in _FIELDS)) + (part.local_name or part.name) + extra
        out += part.data
        keys = ("made", *_FIELDS, "comment_size", "disk", "internal", "external", "offset")
        directory += CENTRAL.pack(CENTRAL_MARK, *(central[key] for key in keys)) + part.name
    values = {"disk": 0, "disk_of_directory": 0, "here": len(parts), "count": len(parts), "comment_size": 0}
    values |= {"size": len(directory) + len(directory_tail), "offset": len(out)} | end
    return bytes(out) + directory + directory_tail + END.pack(END_MARK, *(values[key] for key in _END_FIELDS)) + tail


def contents(package: bytes) -> dict[str, bytes]:
    """Name to data of every entry of a good package, in file order."""
    return {e.name: package[e.offset : e.offset + e.size] for e in read_archive(memoryview(package))}


def repack(data: Mapping[str, bytes]) -> bytes:
    """A well-formed archive of these entries."""
    return craft([Part(name.encode(), value) for name, value in data.items()])


def with_manifest(package: bytes, manifest: bytes | Mapping[str, Any]) -> bytes:
    """The package with another manifest and a correct frame around it."""
    raw = manifest if isinstance(manifest, bytes) else json.dumps(manifest).encode()
    return repack(contents(package) | {"manifest.json": raw})
