"""Writes ``tests/golden/values.json``: times, numbers as text, filters, cursors, sentences.

Run from the repository root: ``python tests/make_values_golden.py``. Numbers come as the bits of float64 and float32 in
hexadecimal; null stands for what is refused.
"""

from __future__ import annotations

import base64
import json
import random
import struct
import zlib
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from pocketrec.errors import UsageError
from pocketrec.filters import parse_filter
from pocketrec.pages import Request, read_cursor, write_cursor
from pocketrec.phrases import LANGUAGES, describe
from pocketrec.rerank import Display
from pocketrec.results import Reason
from pocketrec.times import as_text, period

GOLDEN = Path(__file__).parent / "golden" / "values.json"
TIMES: list[str | float] = [
    *("2026", "1970", "0001", "9999", "0000", "2024-02", "2023-02", "9999-12", "2026-13", "2026-00", "2026-05-31"),
    *("2024-02-29", "2023-02-29", "1900-02-29", "2000-02-29", "2026-04-31", "2026-05-00"),
    *(" 2026-05-31\u3000", "\u00852026"),
    *("20260531", "12345", "-12345", "999999999999", "1234567890123", "1e9", "1780185600.9", "1780185600."),
    *("-0.5", "1234"),
    *("2026-05-31T18:00:00Z", "2026-05-31t18:00:00z", "2026-05-31 18:00", "2026-05-31T18", "20260531T180000Z"),
    *("20260531T1800+0530", "2026-05-31T18:00:00.123456789-23:59", "2026-05-31T18:00:00,5+02", "2026-05-31T18:00:00."),
    *("2026-05-31T24:00", "2026-05-31T23:60", "2026-05-31T23:59:60"),
    *("2026-05-31T18:00+24:00", "2026-05-31T18:00+01:60"),
    *("2026-W01-1", "2026-05-31x18:00", "2026-05-31T", "2026-5-31", "２０２６"),
    *("0001-01-01T00:00:00+23:59", "soon", ""),
    *(0.0, -1.5, 1780185600.9, 2.0**38, 2.0**38 + 1, -(2.0**38), 1e12, 86399.999),
]  # fmt: skip
SECONDS = [
    0,
    1,
    -1,
    86_399,
    86_400,
    -86_400,
    -62_135_596_800,
    -62_135_596_801,
    253_402_300_799,
    253_402_300_800,
    2**38,
    951_827_696,
]
FILTERS = [
    "price<20",
    "price <= 20 ",
    "a<=b=c",
    " a = <b ",
    "a>",
    "category=Comedy",
    "a>=<1",
    "price",
    "=8",
    " <8",
    "",
    "\u3000=1",
]
NUMBERS = [
    *(0.0, -0.0, 1.0, 0.1, 19.99, 1e16, 9999999999999998.0, 1e15, 123456789.125, 1e-4, 1e-5),
    *(1.5e-7, 5e-324, 1.7976931348623157e308),
    *(2.0**-44, 2.0**-1022, 9007199254740993.0, 2.0**53, 1e22, 1e23, 8.41e21, 5e-309, 4.35, 0.3, 2 / 3),
    *(100.0, -2.5, 2.0**-24),
]  # fmt: skip

SAID: list[tuple[str, str, float, str]] = [
    ("item", "Alien (1979)", 1.0, "en"),
    ("item", "{text} {0} $1 \\", -0.5, "en"),
    ("item", "异形", 0.25, "zh"),
    ("word", "robots", 0.0, "en"),
    ("interest", "noir films", -1e-9, "zh"),
    ("popularity", "", 1.0, "zh"),
    ("boost", "", -1.0, "en"),
    ("omen", "a crow", 1.0, "zh"),
]
"""Kind, text, contribution and language of reasons."""


def or_none(read: Callable[[Any], Any], value: Any) -> Any:
    """What is read, None where it is refused."""
    try:
        return read(value)
    except UsageError:
        return None


def folded(data: bytes, *, crc: int | None = None) -> str:
    """Bytes as a cursor, whatever they say."""
    return base64.urlsafe_b64encode(struct.pack("<I", zlib.crc32(data) if crc is None else crc) + data).decode()


def cursors() -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Good cursors with the JSON that they hold, and bad ones by name."""
    wide = Request(
        "search",
        "naïve \ud800 \U0001f916",
        7,
        {"category": ["A", ("=", "B")], "price": (">=", 1.5), "in stock": True, "none": [], "tuple": ("red", "blue")},
        [1, "two"],
        {"factors": -0.25},
        True,
        1.8e9,
        Display(0.3, {"category": 2}, True, {"maker": {"Acme": 0.2}}),
        ("a", "b"),
        ("noir",),
    )
    good = [
        write_cursor("state", [], Request("recommend", "", 10, exclude=[])),
        write_cursor("x" * 40, [("a", 1.0), ("b", -0.1), ("c", 0.0)], wide),
        write_cursor(
            "state", [("é", 1e-7)], Request("similar", "item", 0, exclude=[], shown=tuple(map(str, range(100))))
        ),
    ]
    text = good[0]
    raw = base64.urlsafe_b64decode(text)
    plain = zlib.decompress(raw[4:])
    other = json.loads(plain)

    def changed(*path: int, to: Any) -> str:
        value = json.loads(plain)
        inner = value
        for at in path[:-1]:
            inner = inner[at]
        inner[path[-1]] = to
        return folded(zlib.compress(json.dumps(value).encode()))

    bad = {
        "nothing": "",
        "no base64": "*" * 20,
        "four bytes": folded(b""),
        "cut": text[:-5],
        "another checksum": folded(raw[4:], crc=1),
        "no deflate": folded(b"abcdefgh"),
        "deflate that is cut": folded(raw[4:-6]),
        "no JSON": folded(zlib.compress(b"{")),
        "not UTF-8": folded(zlib.compress(b'["\xff"]')),
        "deep": folded(zlib.compress(b"[" * 100_000)),
        "a bomb": folded(zlib.compress(b" " * (17 << 20))),
        "a number": folded(zlib.compress(b"7")),
        "three parts": folded(zlib.compress(json.dumps(other[:3]).encode())),
        "another verb": changed(3, 0, to="erase"),
        "a state that is a number": changed(0, to=5),
        "shown numbers": changed(3, 8, to={"t": [1]}),
        "diversity of 2": changed(2, 0, to=2.0),
        "distinct of 1": changed(2, 2, to=1),
        "a tag that is none": changed(3, 3, to={"x": []}),
        "a quota of 0": changed(2, 1, to={"m": [["category", 0]]}),
        "one part more": changed(3, to=[*other[3], 1]),
    }
    return [
        {"cursor": cursor, "json": zlib.decompress(base64.urlsafe_b64decode(cursor)[4:]).decode()} for cursor in good
    ], bad


def main() -> None:
    """Write the file."""
    rng = random.Random(3)
    doubles = NUMBERS + [rng.uniform(-1, 1) * 10 ** rng.uniform(-20, 20) for _ in range(300)]
    doubles += [value for _ in range(300) if np.isfinite(value := struct.unpack("<d", rng.randbytes(8))[0])]
    floats = [np.float32(value) for value in doubles if abs(value) < 3e38]
    floats += [value for _ in range(300) if np.isfinite(value := np.frombuffer(rng.randbytes(4), np.float32)[0])]
    good, bad = cursors()
    for text in bad.values():
        assert or_none(read_cursor, text) is None
    golden = {
        "provenance": {"command": "python tests/make_values_golden.py", "date": date.today().isoformat()},
        "times": [[time, or_none(period, time)] for time in TIMES],
        "texts": [[seconds, as_text(seconds)] for seconds in SECONDS],
        "filters": [[word, or_none(parse_filter, word)] for word in FILTERS],
        "doubles": [[struct.pack(">d", value).hex(), repr(value)] for value in doubles],
        "floats": [[struct.pack(">f", value).hex(), repr(float(str(value)))] for value in floats],
        "cursors": good,
        "bad_cursors": bad,
        "phrases": LANGUAGES,
        "said": [[*said, describe(Reason(said[0], "", said[1], said[2], {}), language=said[3])] for said in SAID],
    }
    GOLDEN.write_text(json.dumps(golden, indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
