"""The outer frame of a package: a ZIP reduced to what can be checked completely.

Entries are stored, lie back to back in directory order from the first byte to the directory, and the end
record closes the file. So every byte has exactly one meaning, nothing can overlap or hide, and nothing is
allocated from a number that was not compared with the size of the file first.

Source: PKWARE APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from pocketrec.errors import PackageError

ALIGNMENT = 64
"""Entry data starts at a multiple of this: a cache line, and the widest vector register."""
MAX_ENTRIES = 4096
MANIFEST_NAME = "manifest.json"

LOCAL = struct.Struct("<4s5H3I2H")  # needs, flags, method, time, date, crc, packed, size, name, extra
CENTRAL = struct.Struct("<4s6H3I5H2I")  # as LOCAL, with made-by first; comment, disk, attributes, offset
END = struct.Struct("<4s4H2IH")  # disk, directory disk, entries here, entries, size, offset, comment
LOCAL_MARK, CENTRAL_MARK, END_MARK = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"

# No leading dot or slash, no backslash, colon, NUL or non-ASCII: safe as a path on every system.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*", re.ASCII)


@dataclass(frozen=True, slots=True)
class ArchiveEntry:
    """Where an entry's bytes lie in the file."""

    name: str
    offset: int
    size: int
    crc: int


def check_name(name: str) -> str:
    """Return ``name`` if it may name an entry, else raise PackageError."""
    if len(name) > 255 or not _NAME.fullmatch(name):
        raise PackageError(f"entry name {name[:80]!r} is not allowed: use plain relative paths of [A-Za-z0-9_.-]")
    return name


def read_archive(data: memoryview) -> list[ArchiveEntry]:
    """The entries of a package file in file order, ``manifest.json`` first.

    Args:
        data: the whole file, as bytes.

    Raises:
        PackageError: the file is not a ZIP, or uses anything the format does not allow.
    """
    end = len(data) - END.size
    if end < 0 or data[end : end + 4] != END_MARK:
        start = bytes(data[:4])
        kind = "cut short or has bytes after its end" if start == LOCAL_MARK else "not a package"
        raise PackageError(f"the file is {kind}: no ZIP end record in its last {END.size} of {len(data)} bytes")
    _, disk, disk_of_directory, here, count, size, directory, comment = END.unpack_from(data, end)
    if disk or disk_of_directory or here != count or comment:
        raise PackageError("the ZIP end record has several disks or a comment; a package has neither")
    if not 1 <= count <= MAX_ENTRIES:
        raise PackageError(f"the ZIP has {count} entries, expected 1 to {MAX_ENTRIES}")
    if directory + size != end:
        raise PackageError(f"the ZIP directory covers bytes {directory} to {directory + size}, expected {end}")

    entries: list[ArchiveEntry] = []
    names: set[str] = set()
    at, position = directory, 0
    for _ in range(count):
        entry, at = _read_entry(data, at, position, directory, end)
        if entry.name in names:
            raise PackageError(f"entry {entry.name!r} appears twice")
        names.add(entry.name)
        entries.append(entry)
        position = entry.offset + entry.size
    if at != end or position != directory:
        raise PackageError(f"bytes {position} to {directory} and {at} to {end} belong to no entry")
    if entries[0].name != MANIFEST_NAME:
        raise PackageError(f"the first entry is {entries[0].name!r}, expected {MANIFEST_NAME!r}")
    return entries


def _read_entry(data: memoryview, at: int, position: int, directory: int, end: int) -> tuple[ArchiveEntry, int]:
    """The entry described at byte ``at`` of the directory and lying at ``position``; the next ``at``."""
    if at + CENTRAL.size > end:
        raise PackageError(f"the ZIP directory is cut short at byte {at}")
    mark, _, _, flags, method, _, _, crc, packed, size, *rest = CENTRAL.unpack_from(data, at)
    name_size, extra_size, comment_size, disk, _, _, offset = rest
    at += CENTRAL.size
    if mark != CENTRAL_MARK or at + name_size > end:
        raise PackageError(f"the ZIP directory is damaged at byte {at - CENTRAL.size}")
    raw = bytes(data[at : at + name_size])
    name = check_name(raw.decode("latin-1"))
    at += name_size + extra_size + comment_size
    if method or packed != size:
        raise PackageError(f"entry {name!r} is compressed (method {method}); entries must be stored")
    if flags or disk or comment_size:
        raise PackageError(f"entry {name!r} has flags {flags:#x}, disk {disk} or a comment; expected none")
    if offset != position:
        raise PackageError(f"entry {name!r} starts at byte {offset}, expected {position}: no gap, no overlap")

    if position + LOCAL.size + name_size > directory:
        raise PackageError(f"entry {name!r} starts past the end of the data")
    mark, _, flags, method, _, _, *rest = LOCAL.unpack_from(data, position)
    start = position + LOCAL.size
    found = (mark, flags, method, *rest[:4], bytes(data[start : start + name_size]))
    if found != (LOCAL_MARK, 0, 0, crc, size, size, name_size, raw):
        raise PackageError(f"the two ZIP headers of entry {name!r} disagree")
    start += name_size + rest[4]
    if size > directory - start:
        raise PackageError(f"entry {name!r} declares {size} bytes, but only {max(0, directory - start)} follow")
    if start % ALIGNMENT:
        raise PackageError(f"the data of entry {name!r} starts at byte {start}, not a multiple of {ALIGNMENT}")
    return ArchiveEntry(name, start, size, crc), at
