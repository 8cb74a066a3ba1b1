"""An open package: its manifest, and read-only views of the arrays and blobs in the mapped file."""

from __future__ import annotations

import hashlib
import mmap
import os
import stat
import zlib
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from pocketrec.archive import ArchiveEntry, read_archive
from pocketrec.dense import dequantize
from pocketrec.errors import PackageError, UsageError
from pocketrec.layout import check_shapes, check_values, rules_of
from pocketrec.manifest import ITEM_SIZE, MAX_MANIFEST_BYTES, AttributeInfo, Entry, Manifest, parse_manifest
from pocketrec.strings import StringTable

Verify = Literal["full", "lazy"]

# "<u4" rather than newbyteorder: it becomes the native type where that is little-endian.
DTYPES = {name: np.dtype(np.dtype(name).newbyteorder("<").str) for name in ITEM_SIZE}


class Package:
    """One package file, mapped into memory and checked.

    Use :meth:`open`. The file may be replaced while it is open (write a new one, then rename); it must not be
    changed in place. Views given out stay valid after :meth:`close`.

    Attributes:
        manifest: everything that correct use needs.
        id: SHA-256 of the manifest's bytes, so of all content, in hexadecimal.
        size_bytes: size of the whole file.
    """

    def __init__(self, data: memoryview, *, where: str, verify: Verify) -> None:
        self._where = where
        self._data: memoryview | None = data
        self._arrays: dict[str, NDArray[Any]] = {}
        self._verified: set[str] = set()
        self.size_bytes = len(data)
        try:
            located = read_archive(data)
            raw = _manifest_bytes(data, located[0])
            self.id = hashlib.sha256(raw).hexdigest()
            self.manifest: Manifest = parse_manifest(raw)
            self._entries = _match(self.manifest.entries, located[1:])
            self._located = {entry.name: entry for entry in located}
            self._lengths = check_shapes(self.manifest)
            self._rules = rules_of(self.manifest)
        except PackageError as error:
            raise self._error(str(error)) from None
        if verify == "full":
            for name, entry in self._entries.items():
                self._bytes(name)
                if entry.role == "array":
                    self.array(name)

    @classmethod
    def open(cls, source: str | os.PathLike[str] | bytes, *, verify: Verify = "full") -> Self:
        """Open a package.

        Args:
            source: a path, or the whole file as bytes.
            verify: ``"full"`` checks the hash and the values of every entry now; ``"lazy"`` checks those of
                an entry when it is first used.

        Raises:
            PackageError: there is no such file, or it is not a package, damaged, hostile or too new.
            UsageError: ``source`` is neither a path nor bytes, or ``verify`` neither of the two.
        """
        if verify not in ("full", "lazy"):
            raise UsageError(f"verify must be 'full' or 'lazy', found {verify!r}")
        if isinstance(source, bytes):
            return cls(memoryview(source), where="package in memory", verify=verify)
        if not isinstance(source, (str, os.PathLike)):
            raise UsageError(f"a package is opened by its path or its bytes; got {type(source).__name__}")
        path = os.fspath(source)
        return cls(memoryview(_map(path)), where=path, verify=verify)

    @property
    def attributes(self) -> tuple[AttributeInfo, ...]:
        """The typed columns of the catalogue."""
        return self.manifest.catalogue.attributes

    @property
    def text_dim(self) -> int:
        """Width of the item text vectors and of encoded queries; 0 for a package without texts."""
        signals = self.manifest.signals
        text = signals.content or signals.semantic
        return text.dim if text else 0

    def has(self, name: str) -> bool:
        """Whether the package has an entry of this name."""
        return name in self._entries

    def array(self, name: str) -> NDArray[Any]:
        """The array of one entry: a read-only view of the file, in the dtype and shape of the manifest.

        Raises:
            PackageError: no such array, or its bytes or values fail their check.
        """
        view = self._arrays.get(name)
        if view is not None and self._data is not None:
            return view
        entry = self._entry(name)
        if entry.role != "array":
            raise self._error(f"entry {name!r} is a {entry.role}, not an array")
        view = np.ndarray(entry.shape, DTYPES[str(entry.dtype)], buffer=self._bytes(name))
        try:
            check_values(name, view, self._rules.get(name), self._lengths)
        except PackageError as error:
            raise self._error(str(error)) from None
        self._arrays[name] = view
        return view

    def dense_rows(self, table: str, index: NDArray[np.int64]) -> NDArray[np.float32]:
        """float32 [R, D]: dequantized rows of a dense table."""
        value, scale = self.array(f"{table}/value"), self.array(f"{table}/scale")
        return dequantize(value[index], scale[index], bits=self.bits(table))

    def bits(self, table: str) -> int:
        """Bits of one code of a dense table: 8, or what the encoder says of its tokens."""
        encoder = self.manifest.encoder
        return encoder.bits if table == "tokens" and encoder is not None else 8

    def blob(self, name: str) -> memoryview:
        """The bytes of one entry, of any role: a read-only view of the file.

        Raises:
            PackageError: no such entry, or its bytes do not have the hash of the manifest.
        """
        return self._bytes(name)

    def strings(self, prefix: str) -> StringTable:
        """The string table stored as ``prefix.offset``, ``prefix.text`` and, for lookup, ``prefix.slot``."""
        slot = f"{prefix}.slot"
        return StringTable(
            self.array(f"{prefix}.offset"),
            self.array(f"{prefix}.text"),
            self.array(slot) if self.has(slot) else None,
        )

    def sizes(self) -> dict[str, int]:
        """Bytes of each entry's data, in file order."""
        return {name: entry.size for name, entry in self._located.items()}

    def close(self) -> None:
        """Let go of the file. The mapping ends when the last view given out is gone."""
        self._data = None
        self._arrays.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Package {self.manifest.name!r}: {self.manifest.catalogue.items} items, {self.size_bytes} bytes>"

    def _error(self, message: str) -> PackageError:
        return PackageError(f"{self._where}: {message}")

    def _entry(self, name: str) -> Entry:
        entry = self._entries.get(name)
        if entry is None:
            raise self._error(f"the package has no entry {name!r}")
        return entry

    def _bytes(self, name: str) -> memoryview:
        """The bytes of an entry, hashed when they are first asked for."""
        data = self._data
        if data is None:
            raise self._error("the package is closed")
        entry, located = self._entry(name), self._located[name]
        view = data[located.offset : located.offset + located.size]
        if name not in self._verified:
            if hashlib.sha256(view).hexdigest() != entry.sha256:
                raise self._error(f"entry {name!r} is damaged: its SHA-256 is not the manifest's")
            self._verified.add(name)
        return view


def _map(path: str) -> mmap.mmap:
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            kind = "a directory" if stat.S_ISDIR(status.st_mode) else "not a regular file"
            raise PackageError(f"{path}: expected a package file, found {kind}")
        if status.st_size == 0:
            raise PackageError(f"{path}: expected a package file, found an empty one")
        with open(path, "rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError:
        raise PackageError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path, or a file emptied meanwhile
        raise PackageError(f"{path}: cannot be read: {error}") from error


def _manifest_bytes(data: memoryview, entry: ArchiveEntry) -> bytes:
    """The manifest's bytes; its CRC guards it as its own SHA-256s guard the other entries."""
    if entry.size > MAX_MANIFEST_BYTES:
        raise PackageError(f"manifest.json has {entry.size} bytes, expected at most {MAX_MANIFEST_BYTES}")
    raw = bytes(data[entry.offset : entry.offset + entry.size])
    if zlib.crc32(raw) != entry.crc:
        raise PackageError("manifest.json is damaged: its CRC-32 is not the one in the ZIP header")
    return raw


def _match(declared: tuple[Entry, ...], located: list[ArchiveEntry]) -> dict[str, Entry]:
    """Entries by name, after checking that manifest and archive list the same ones in the same order."""
    if len(declared) != len(located):
        raise PackageError(f"the manifest lists {len(declared)} entries, the archive has {len(located)} beside it")
    for ours, theirs in zip(declared, located, strict=True):
        if (ours.name, ours.size) != (theirs.name, theirs.size):
            raise PackageError(
                f"the manifest has entry {ours.name!r} of {ours.size} bytes where the archive has "
                f"{theirs.name!r} of {theirs.size}"
            )
    return {entry.name: entry for entry in declared}
