"""A profile's file: events, oldest first, each with its length and CRC-32, in a file with one writer.

Layout, little-endian: the 8 bytes ``PKTRPRF1``, then records ``uint32 length, uint32 crc32(payload), payload``
with the payload ``float64 when, uint8 n, n bytes of event name, item id`` (UTF-8). Records are only appended, so
a crash tears at most the tail; a new file takes the old one's place by rename.
"""

from __future__ import annotations

import math
import os
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, NamedTuple

from pocketrec.errors import DataError, UsageError
from pocketrec.file_lock import FileLock

MAGIC = b"PKTRPRF1"
MAX_BYTES = 256 << 20
"""A larger file is no profile."""
MAX_EVENT_BYTES, MAX_ITEM_BYTES = 64, 4096
LATEST = 1e11
"""Times lie within this many seconds of 1970: more than that are milliseconds."""
_HEAD, _FIXED = struct.Struct("<II"), struct.Struct("<dB")
MAX_RECORD = _HEAD.size + _FIXED.size + MAX_EVENT_BYTES + MAX_ITEM_BYTES


class Event(NamedTuple):
    """What a user did with an item, and when (seconds since 1970)."""

    item: str
    event: str
    when: float


def encode(event: Event) -> bytes:
    """The record of an event.

    Raises:
        UsageError: a name or id that is empty or too long, or a time that is none.
    """
    name, item = _text("event", event.event, MAX_EVENT_BYTES), _text("item", event.item, MAX_ITEM_BYTES)
    if not math.isfinite(event.when) or abs(event.when) > LATEST:
        raise UsageError(f"when is {event.when!r}; expected seconds since 1970, at most {LATEST:g}")
    payload = _FIXED.pack(event.when, len(name)) + name + item
    return _HEAD.pack(len(payload), zlib.crc32(payload)) + payload


def _text(what: str, value: str, limit: int) -> bytes:
    try:
        data = value.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"{what} {value!r:.80} is not valid Unicode") from error
    if not 0 < len(data) <= limit:
        raise UsageError(f"{what} {value!r:.80} has {len(data)} bytes; expected 1 to {limit}")
    return data


def decode(data: bytes) -> tuple[list[Event], int]:
    """The events of a file's bytes, and how many bytes from the start are whole."""
    events, at = [], len(MAGIC)
    while at + _HEAD.size <= len(data):
        length, crc = _HEAD.unpack_from(data, at)
        payload = data[at + _HEAD.size : at + _HEAD.size + length]
        if len(payload) != length or length > MAX_RECORD or zlib.crc32(payload) != crc:
            break
        event = _event(payload)
        if event is None:
            break
        events.append(event)
        at += _HEAD.size + length
    return events, at


def _event(payload: bytes) -> Event | None:
    """The event of a payload; None where `encode` would not have written it."""
    if len(payload) < _FIXED.size:
        return None
    when, size = _FIXED.unpack_from(payload)
    name, item = payload[_FIXED.size : _FIXED.size + size], payload[_FIXED.size + size :]
    if not (0 < len(name) <= MAX_EVENT_BYTES and 0 < len(item) <= MAX_ITEM_BYTES and abs(when) <= LATEST):
        return None
    try:
        return Event(item.decode(), name.decode(), when)
    except UnicodeDecodeError:
        return None


class EventLog:
    """An open profile file.

    Attributes:
        events: what the file holds, in the order in which it was added.
        lost_bytes: how many bytes of a torn tail were dropped when it was opened.
    """

    def __init__(self, path: Path, *, write: bool, durable: bool) -> None:
        self._path, self._durable = path, durable
        self._lock = FileLock(beside(path, ".lock")) if write else None
        self._file: BinaryIO | None = None
        try:
            data = _read(path, missing_is_empty=write)
            self.events, whole = decode(data)
            self.lost_bytes = max(0, len(data) - whole)
            if write:
                self._open_for_writing(data, whole)
        except BaseException:
            self.close()
            raise

    def _open_for_writing(self, data: bytes, whole: int) -> None:
        if self.lost_bytes > MAX_RECORD:  # more than a torn record: keep it for whoever can read it
            _write(beside(self._path, ".damaged"), data[whole:])
        if len(data) < len(MAGIC):
            self.replace([])
            return
        with _typed(self._path, "written"):
            self._file = open(self._path, "ab", buffering=0)  # noqa: SIM115
            if self.lost_bytes:
                self._file.truncate(whole)

    def append(self, event: Event) -> None:
        """Add one event, whole or not at all.

        Raises:
            DataError: it cannot be written: no space, a folder that refuses.
            UsageError: an event that cannot be, or a profile that was opened for reading or closed.
        """
        record, file = encode(event), self._writable()
        with _typed(self._path, "written"):
            size = os.fstat(file.fileno()).st_size
            try:
                written = 0
                while written < len(record):  # a disk that fills takes part of it, then refuses
                    written += file.write(record[written:])
                if self._durable:
                    os.fsync(file.fileno())
            except BaseException:
                file.truncate(size)
                raise
        self.events.append(event)

    def replace(self, events: Iterable[Event]) -> None:
        """Hold exactly these events: written beside, made durable, renamed; a crash leaves the old or the new file.

        Raises:
            DataError: it cannot be written; the old file stands.
        """
        kept = list(events)
        if self._file is not None:
            self._writable()
            self._file.close()
        try:
            _write(self._path, MAGIC + b"".join(map(encode, kept)))
            self.events = kept
        finally:
            with _typed(self._path, "written"):
                self._file = open(self._path, "ab", buffering=0)  # noqa: SIM115

    def erase(self) -> None:
        """Hold nothing, here and in what an earlier recovery kept."""
        self.replace([])
        beside(self._path, ".damaged").unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the file and of the lock."""
        if self._file is not None:
            self._file.close()
        if self._lock is not None:
            self._lock.release()

    def _writable(self) -> BinaryIO:
        if self._file is None or self._file.closed:
            state = "closed" if self._lock is not None else "open for reading only"
            raise UsageError(f"profile {self._path} is {state}; open it for writing to change it")
        return self._file


def beside(path: Path, ending: str) -> Path:
    """The file of this ending beside a profile."""
    return path.with_name(path.name + ending)


def _read(path: Path, *, missing_is_empty: bool) -> bytes:
    with _typed(path, "read"):
        try:
            with open(path, "rb") as file:
                data = file.read(MAX_BYTES + 1)
        except FileNotFoundError:
            if missing_is_empty:
                return b""
            raise
    if len(data) > MAX_BYTES or not MAGIC.startswith(data[: len(MAGIC)]):
        raise DataError(f"{path} is not a profile: expected it to begin with {MAGIC.decode()}; it was left as it is")
    return data


def _write(path: Path, data: bytes) -> None:
    """Write a whole file, readable by its owner alone, in the place of the old one."""
    new = beside(path, ".new")  # one name: what a crash leaves is overwritten next time
    with _typed(path, "written"):
        try:
            with open(
                os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600), "wb"
            ) as f:
                f.write(data)
                f.flush()
                os.fsync(f.fileno())
            os.replace(new, path)
        except BaseException:
            new.unlink(missing_ok=True)
            raise


class _typed:
    """Errors of the system, as ours."""

    def __init__(self, path: Path, verb: str) -> None:
        self._path, self._verb = path, verb

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise DataError(f"profile {self._path} cannot be {self._verb}: {error.strerror or error}") from error
