"""Writes ``tests/golden/tiny.pocketrec`` and ``hostile.json``: packages that lie, for readers in other languages.

Run from the repository root: ``python tests/make_hostile_golden.py``. The lies are those of ``test_archive.py`` and
``test_hostile.py``, collected by running their tests. A case is the test's name, what Python says, and the file as
parts to be joined: [start, length] of the untouched package, or bytes as raw deflate in base64, whose dictionary is the
first and the last 12,288 bytes of that package.
"""

from __future__ import annotations

import base64
import inspect
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import test_archive
import test_hostile
from pocketrec.errors import PackageError
from pocketrec.package import Package
from tiny_package import write_tiny

FOLDER = Path(__file__).parent / "golden"
BLOCK, END = 64, 12_288
TINY, GOLDEN = FOLDER / "tiny.pocketrec", FOLDER / "hostile.json"


def lies(good: bytes) -> Iterator[tuple[str, bytes]]:
    """(name of the test, file) for each file that a test expects to be refused."""
    for module in (test_archive, test_hostile):
        for name, test in vars(module).items():
            tells = name.startswith("test_") and not hasattr(test, "hypothesis")
            if tells and "refused(" in inspect.getsource(test):
                for arguments in _calls(module, test, good):
                    yield from ((name.removeprefix("test_"), file) for file in _recorded(module, test, arguments))


def _calls(module: ModuleType, test: Any, good: bytes) -> Iterator[dict[str, Any]]:
    """The arguments of each run of a test, unless it needs a fixture that only pytest has."""
    fixtures: dict[str, Any] = {"good": good}
    if module is test_hostile:
        fixtures["halves"] = test_hostile.halves.__wrapped__(good)
    runs: list[dict[str, Any]] = [{}]
    for mark in getattr(test, "pytestmark", ()):
        names = mark.args[0] if isinstance(mark.args[0], tuple) else tuple(mark.args[0].split(","))
        values = [value if len(names) > 1 else (value,) for value in mark.args[1]]
        runs = [run | dict(zip(names, value, strict=True)) for run in runs for value in values]
    for run in runs:
        needed = inspect.signature(test).parameters
        arguments = {name: run.get(name, fixtures.get(name)) for name in needed}
        if all(name in run or name in fixtures for name in needed):
            yield arguments


def _recorded(module: ModuleType, test: Any, arguments: dict[str, Any]) -> list[bytes]:
    """The files that one run of a test expects to be refused."""
    files: list[bytes] = []
    kept, module.refused = module.refused, lambda file, message="": files.append(file)  # type: ignore[attr-defined]
    try:
        test(**arguments)
    finally:
        module.refused = kept  # type: ignore[attr-defined]
    return files


LIES: list[tuple[str, Any]] = [
    ("heads", []),
    ("heads", {}),
    ("heads", [1]),
    ("heads", [{"name": "mood", "labels": 2}] * 65),
    ("heads", [{"labels": 2}]),
    ("heads", [{"name": "", "labels": 2}]),
    ("heads", [{"name": "mood", "labels": 2}] * 2),
    ("heads", [{"name": "mood", "labels": 1}]),
    ("heads", [{"name": "mood", "labels": 65537}]),
    ("heads", [{"name": "mood", "labels": 2}]),
    ("answers", []),
    ("answers", {"answers": 0}),
    ("answers", {"answers": 2, "pool": 1001}),
    ("answers", {"answers": 2, "pool": 8, "bias": 0, "score": 1e7}),
    ("answers", {"answers": 2, "pool": 8, "bias": 0, "score": 1, "margin": 1, "threshold": 2}),
    ("answers", {"answers": 3, "pool": 8, "bias": 0, "score": 1, "margin": 1, "threshold": 1}),
    ("encoder.tokenizer", "unigram"),
    ("graphs.tflite", {"ranker": "nope", "min_litert": "1", "min_tflite_runtime": "2.14"}),
    ("graphs.tflite", {"ranker": "nope", "min_litert": "1"}),
    ("graphs.tflite", {"ranker": "nope", "min_litert": "new", "min_tflite_runtime": "2.14"}),
]
"""Of parts of the format that have tests of their own, whose packages are others."""


def more(good: bytes) -> Iterator[tuple[str, bytes]]:
    """Files with one more lie in their manifest."""
    for path, value in LIES:
        yield f"manifest {path}", test_hostile.edited(good, test_hostile._set(path, value))


def values(good: bytes) -> Iterator[tuple[str, bytes]]:
    """Files whose frame and hashes are right, and one value of an array is not."""
    for name, where, value, _ in test_hostile.BAD_VALUES:
        yield (
            f"value_out_of_range {name}",
            test_hostile.with_array(good, name, test_hostile.changed(name, where, value)),
        )


def said(file: bytes) -> str:
    """What Python says of a hostile file; empty for one that no lie came into, as it is spaced differently."""
    try:
        Package.open(file)
    except PackageError as error:
        return str(error).removeprefix("package in memory: ")
    return ""


def parts_of(file: bytes, good: bytes) -> list[list[int] | str]:
    """The file as pieces of the untouched package and what lies between them.

    Data of entries starts at multiples of 64, so pieces of 64 bytes that are in both files are found by a table.
    """
    places = {good[at : at + BLOCK]: at for at in range(0, len(good) - BLOCK + 1, BLOCK)}
    parts: list[list[int] | str] = []
    new = bytearray()
    at = 0
    while at < len(file):
        place = places.get(bytes(file[at : at + BLOCK]))
        if place is None:
            new += file[at : at + BLOCK]
        else:
            if new:
                parts.append(packed(bytes(new), good))
                new.clear()
            last = parts[-1] if parts else ""
            if isinstance(last, list) and last[0] + last[1] == place:
                last[1] += BLOCK
            else:
                parts.append([place, BLOCK])
        at += BLOCK
    return [*parts, packed(bytes(new), good)] if new else parts


def packed(data: bytes, good: bytes) -> str:
    """Raw deflate with both ends of the untouched package as dictionary, in base64."""
    deflate = zlib.compressobj(9, wbits=-15, zdict=good[:END] + good[-END:])
    return base64.b64encode(deflate.compress(data) + deflate.flush()).decode()


def joined(parts: list[list[int] | str], good: bytes) -> bytes:
    """The file that `parts_of` took apart."""
    whole = b""
    for part in parts:
        if isinstance(part, str):
            inflate = zlib.decompressobj(wbits=-15, zdict=good[:END] + good[-END:])
            whole += inflate.decompress(base64.b64decode(part)) + inflate.flush()
        else:
            whole += good[part[0] : part[0] + part[1]]
    return whole


def main() -> None:
    """Write both files."""
    TINY.unlink(missing_ok=True)
    write_tiny(TINY)
    good = test_hostile.edited(TINY.read_bytes(), lambda manifest: None)  # spaced and framed as the lies are
    TINY.write_bytes(good)
    cases: dict[bytes, tuple[str, str]] = {}
    for name, file in (*lies(good), *values(good), *more(good)):
        # Every truncation is a test in itself; a few stand for all.
        if name != "every_truncation" or len(file) % 29 == 0:
            cases.setdefault(file, (name, said(file)))
    made = [[name, message, parts_of(file, good)] for file, (name, message) in cases.items() if message]
    assert len(cases) - len(made) <= 1
    about = "tests/make_hostile_golden.py; [test, what Python says, parts of the file], see there"
    rows = ",\n".join(json.dumps(case) for case in made)
    GOLDEN.write_text(f'{{"about": {json.dumps(about)}, "cases": [\n{rows}\n]}}\n', encoding="ascii")
    print(f"{GOLDEN}: {len(made)} files, {GOLDEN.stat().st_size:,} bytes; {TINY}: {len(good):,} bytes")


if __name__ == "__main__":
    main()
