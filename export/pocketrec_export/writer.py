"""Arrays, graphs and a manifest in; one package file out: the same bytes for the same input, or no file."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from pocketrec.archive import (
    ALIGNMENT,
    CENTRAL,
    CENTRAL_MARK,
    END,
    END_MARK,
    LOCAL,
    LOCAL_MARK,
    MANIFEST_NAME,
    MAX_ENTRIES,
    check_name,
)
from pocketrec.errors import DataError, PackageError, UsageError
from pocketrec.manifest import ITEM_SIZE, ROLES
from pocketrec.package import Package
from pocketrec.strings import EMPTY_SLOT

ARRAY_ORDER = (
    "catalogue/",
    "factors/",
    "neighbours/",
    "text/",
    "attributes/",
    "lexical/",
    "popularity/",
    "boost/",
    "ratings/",
    "cold/",
    "tokens/",
    "tokenizer/",
)
_DATE = (0, 33)  # 1980-01-01 00:00, the first moment a ZIP can name
_VERSION = 20  # what a reader needs for stored entries in folders
_PADDING_TAG = 0xD935  # Android zipalign's extra field: alignment, then zeros
_ZIP_LIMIT = 2**32 - 1


def write_package(
    path: str | os.PathLike[str],
    *,
    manifest: Mapping[str, Any],
    arrays: Mapping[str, NDArray[Any]],
    files: Mapping[str, tuple[str, bytes]],
    overwrite: bool = False,
) -> None:
    """Write a package, verify it, and only then give it its name.

    Args:
        path: the file to write.
        manifest: all of the manifest but ``entries``. The two fingerprints are worked out here.
        arrays: name to array, of an allowed dtype.
        files: name to role (``graph``, ``golden`` or ``document``) and bytes.
        overwrite: replace an existing file.

    Raises:
        UsageError: ``path`` exists and ``overwrite`` is False, or an argument cannot be stored.
        PackageError: the package would not be valid.
        OSError: the disk is full or refuses. After any exception no file is left and an existing one untouched.
    """
    path = Path(path)
    _refuse_existing(path, overwrite)
    contents = _contents(manifest, arrays, files)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with open(temporary, "xb") as file:
            _write_archive(file, contents)
            file.flush()
            os.fsync(file.fileno())
        _verify(temporary, path)
        _refuse_existing(path, overwrite)
        os.replace(temporary, path)
    finally:  # also on KeyboardInterrupt; after the rename there is nothing left to remove
        temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)


def package_size(
    *, manifest: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], files: Mapping[str, tuple[str, bytes]]
) -> int:
    """Bytes of the file that `write_package` would write."""
    sink = _Counter()
    _write_archive(sink, _contents(manifest, arrays, files))
    return sink.size


class _Counter:
    """A file that only counts."""

    size = 0

    def write(self, data: bytes | memoryview) -> None:
        self.size += len(data)


def _contents(
    manifest: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], files: Mapping[str, tuple[str, bytes]]
) -> dict[str, memoryview]:
    """All entries by name, in the order of the file."""
    arrays = {name: _little_endian(name, arrays[name]) for name in sorted(arrays, key=_array_rank)}
    names = sorted(files, key=lambda name: (_role_rank(name, files[name][0]), name))
    described = [_describe_array(name, array) for name, array in arrays.items()]
    described += [_describe(name, files[name][0], files[name][1]) for name in names]
    header = _manifest_json(_with_fingerprints(manifest, arrays), described)
    contents: dict[str, memoryview] = {MANIFEST_NAME: memoryview(header)}
    contents |= {name: _bytes(array) for name, array in arrays.items()}
    contents |= {name: memoryview(files[name][1]) for name in names}
    if len(contents) != 1 + len(described):
        raise UsageError("two entries have the same name")
    return contents


def string_table(prefix: str, strings: Iterable[str], *, lookup: bool) -> dict[str, NDArray[Any]]:
    """The arrays of a string table, named ``prefix.offset``, ``prefix.text`` and, for lookup, ``prefix.slot``.

    Raises:
        DataError: a string is not valid Unicode, appears twice in a table with lookup, or all are too long.
    """
    try:
        rows = [string.encode() for string in strings]
    except UnicodeEncodeError as error:
        raise DataError(f"{prefix}: {error.object[:80]!r} is not valid Unicode: {error.reason}") from None
    ends = np.cumsum([len(row) for row in rows], dtype=np.int64)
    if len(rows) >= _ZIP_LIMIT // 4 or (len(rows) and ends[-1] > _ZIP_LIMIT):
        raise DataError(f"{prefix}: {len(rows)} strings do not fit a table of 4 GiB")
    table: dict[str, NDArray[Any]] = {
        f"{prefix}.offset": np.concatenate(([0], ends)).astype(np.uint32),
        f"{prefix}.text": np.frombuffer(b"".join(rows), np.uint8),
    }
    if lookup:
        if len(set(rows)) != len(rows):
            twice = next(row for row, times in Counter(rows).items() if times > 1)
            raise DataError(f"{prefix}: {twice.decode()[:80]!r} appears twice")
        table[f"{prefix}.slot"] = _slots(rows)
    return table


def _slots(rows: Sequence[bytes]) -> NDArray[Any]:
    """The hash table: 2^m slots, at most half of them full, linear probing, in row order; uint16 if that does."""
    dtype = "uint16" if len(rows) <= EMPTY_SLOT["uint16"] else "uint32"
    empty = EMPTY_SLOT[dtype]
    count = 1 << max(1, (2 * len(rows) - 1).bit_length())
    slots, mask = [empty] * count, count - 1
    for row, key in enumerate(rows):
        at = zlib.crc32(key) & mask
        while slots[at] != empty:
            at = (at + 1) & mask
        slots[at] = row
    return np.array(slots, dtype)


def fingerprint(*arrays: NDArray[Any]) -> str:
    """SHA-256 over the bytes of arrays, one after the other."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(_bytes(array))
    return digest.hexdigest()


def _with_fingerprints(manifest: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """The manifest with the hashes by which profiles and caches recognize a catalogue and an encoder."""
    parts = {
        "catalogue": ("catalogue/id.offset", "catalogue/id.text"),
        "encoder": ("tokens/value", "tokens/scale", "tokenizer/vocab.offset", "tokenizer/vocab.text"),
    }
    result = dict(manifest)
    for key, names in parts.items():
        if result.get(key) is not None and all(name in arrays for name in names):
            result[key] = {**result[key], "fingerprint": fingerprint(*(arrays[name] for name in names))}
    return result


def _manifest_json(manifest: Mapping[str, Any], entries: list[dict[str, Any]]) -> bytes:
    first = {key: manifest[key] for key in ("format", "name", "generator") if key in manifest}
    try:
        text = json.dumps(
            {**first, "entries": entries, **{k: v for k, v in manifest.items() if k != "entries"}},
            ensure_ascii=False,
            allow_nan=False,
            separators=(",", ":"),
        )
        return text.encode()
    except (TypeError, ValueError) as error:
        raise UsageError(f"the manifest cannot be written as JSON: {error}") from error


def _array_rank(name: str) -> tuple[int, str]:
    rank = next((i for i, prefix in enumerate(ARRAY_ORDER) if name.startswith(prefix)), len(ARRAY_ORDER))
    return rank, name


def _role_rank(name: str, role: str) -> int:
    if role not in ROLES[1:]:
        raise UsageError(f"file {name!r} has role {role!r}, expected one of {', '.join(ROLES[1:])}")
    return ROLES.index(role)


def _little_endian(name: str, array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype.name not in ITEM_SIZE:
        raise UsageError(f"array {name!r} is {array.dtype}, expected one of {', '.join(ITEM_SIZE)}")
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<"))


def _bytes(array: NDArray[Any]) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


def _describe(name: str, role: str, data: bytes | memoryview) -> dict[str, Any]:
    return {"name": name, "role": role, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _describe_array(name: str, array: NDArray[Any]) -> dict[str, Any]:
    return {**_describe(name, "array", _bytes(array)), "dtype": array.dtype.name, "shape": list(array.shape)}


def _write_archive(file: BinaryIO | _Counter, contents: Mapping[str, memoryview]) -> None:
    """Write stored, aligned entries back to back, then the directory."""
    if len(contents) > MAX_ENTRIES:
        raise UsageError(f"{len(contents)} entries, expected at most {MAX_ENTRIES}")
    directory = b""
    position = 0
    for name, data in contents.items():
        label = check_name(name).encode()
        offset, size = position, len(data)
        padding = -(position + LOCAL.size + len(label) + 6) % ALIGNMENT
        extra = b"".join(n.to_bytes(2, "little") for n in (_PADDING_TAG, 2 + padding, ALIGNMENT)) + bytes(padding)
        position += LOCAL.size + len(label) + len(extra) + size
        if position + len(directory) > _ZIP_LIMIT - (1 << 20):
            raise UsageError(f"the package passes 4 GiB at entry {name!r}; the format ends there")
        common = (_VERSION, 0, 0, *_DATE, zlib.crc32(data), size, size, len(label))
        file.write(LOCAL.pack(LOCAL_MARK, *common, len(extra)) + label + extra)
        file.write(data)
        directory += CENTRAL.pack(CENTRAL_MARK, _VERSION, *common, 0, 0, 0, 0, 0, offset) + label
    file.write(directory)
    count = len(contents)
    file.write(END.pack(END_MARK, 0, 0, count, count, len(directory), position, 0))


def _verify(temporary: Path, path: Path) -> None:
    """Open the file as a user would; an error names the file that was asked for."""
    try:
        Package.open(temporary).close()
    except PackageError as error:
        raise PackageError(str(error).replace(str(temporary), f"{path} would not be valid")) from None


def _refuse_existing(path: Path, overwrite: bool) -> None:
    if not path.parent.is_dir():
        raise UsageError(f"{path.parent} is not a folder; create it first")
    if path.is_dir() or (path.exists() and not overwrite):
        raise UsageError(f"{path} exists; choose another name or ask to overwrite it")


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where the system lets a folder be synced."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)
