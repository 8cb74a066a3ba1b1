"""ZIP files whose bytes follow from their entries alone, with the alignment that Android maps files by.

Debian's zipalign knows no pages of 16 KB, and Python's zipfile writes padding into the directory as well.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

PAGE = 16_384
"""What native libraries are aligned to: the largest page of any Android device. It suits the package too."""
_DATE = 0x21  # 1980-01-01, the first that ZIP knows
_PADDING = 0xD935  # the extra field that zipalign fills


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of an archive.

    Attributes:
        name: with ``/`` between folders.
        data: content.
        align: 0 to deflate it, else it is stored and begins at a multiple of this.
    """

    name: str
    data: bytes
    align: int = 0


def write_zip(path: Path, entries: Iterable[Entry]) -> None:
    """Write ``entries`` in their order; what is at ``path`` is replaced."""
    body, directory, count = bytearray(), bytearray(), 0
    for entry in entries:
        count += 1
        name, start = entry.name.encode(), len(body)
        content = entry.data if entry.align else _deflated(entry.data)
        sizes = (zlib.crc32(entry.data), len(content), len(entry.data))
        common = (20, 0x800, 0 if entry.align else 8, 0, _DATE, *sizes, len(name))  # 0x800: names are UTF-8
        extra = _padding(start + 30 + len(name), entry.align)
        body += struct.pack("<4s5H3L2H", b"PK\3\4", *common, len(extra)) + name + extra + content
        directory += struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, *common, 0, 0, 0, 0, 0, start) + name
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(directory), len(body), 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body + directory + end)


def _padding(start: int, align: int) -> bytes:
    """An extra field after which the data begins at a multiple of ``align``."""
    if not align:
        return b""
    length = -(start + 6) % align
    return struct.pack("<3H", _PADDING, length + 2, align) + bytes(length)


def _deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()
