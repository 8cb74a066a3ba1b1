"""Writes ``tests/golden/overlay.json``: items that are added to ``wishes.pocketrec``, their file, the answers then.

Run from the repository root: ``python tests/make_overlay_golden.py``, after ``make_wishes_golden.py``. Where items
stand and the answers are those of the numpy engine; broken files are told apart in those that are refused and those
whose vectors are made again.
"""

from __future__ import annotations

import base64
import json
import struct
import tempfile
import zlib
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pocketrec
from make_wishes_golden import DAY, FOLDER, LIKES, NOW, PACKAGE, answer
from pocketrec.added import AddedItem
from pocketrec.errors import DataError, UsageError
from pocketrec.overlay_file import read_overlay

GOLDEN = FOLDER / "overlay.json"
ITEMS: list[dict[str, Any]] = [
    {
        "item": "new-1",
        "title": "W3 w20",
        "text": "w3 w71 robots",
        "category": "noir|war",
        "price": 12.5,
        "in stock": True,
    },
    {
        "item": "new-2",
        "title": "w5 Wéird",
        "text": "W5 weird: w6 w7 w73.",
        "published": "2026-05-31",
        "maker": ["Acme", "Ours"],
    },
    {"item": "new-3", "title": "", "text": "w70 w70 w70", "weight": -1e-7, "published": NOW + DAY},
    {"item": "w72", "category": ["drama", " drama ", "", "w72 w1"]},
    {"item": "né ☃ \U0001f916", "title": "w31! (1999)", "text": "", "expires": NOW - DAY},
    {"item": "new-6", "title": "nothing known", "text": "zzzz 東京 qqqq", "price": 19.99, "in stock": False},
    {"item": "new-7", "title": "  The w15, w4.  ", "text": "x" * 70 + " w74 w75\n\tw10", "weight": 123456789.5},
    {"item": "new-8", "title": "W0 w20", "text": "w0 w20 w70", "maker": "Éclair"},
]
ODD: list[dict[str, Any]] = [
    {"item": "long", "title": "ab" * 600, "text": "w1 " * 6_670},
    {"item": "half", "title": "\ud83e smile \udd16", "category": "a\ud800|b"},
    {"item": "many", "category": [f"c{i}" for i in range(70)] + ["x" * 300]},
    {"item": "dates", "published": "2026", "expires": 5.9},
    {"item": "pair", "title": "\U0001f916" * 1_001, "weight": 3},
]
REFUSED: list[dict[str, Any]] = [
    {"item": ""},
    {"item": "\ud800"},
    {"item": "x" * 5_000},
    {"item": "é" * 2_049},
    {"item": "a", "size": 3},
    {"item": "a", "price": "cheap"},
    {"item": "a", "price": True},
    {"item": "a", "in stock": 1},
    {"item": "a", "in stock": "yes"},
    {"item": "a", "published": "soon"},
    {"item": "a", "published": True},
    {"item": "a", "maker": 3},
    {"item": "a", "maker": ["b", 3]},
]


def calls() -> list[dict[str, Any]]:
    """What is asked once they are added."""
    found: list[dict[str, Any]] = []

    def call(
        verb: str, subject: str = "", history: Sequence[Any] = (), *, pages: int = 1, k: int = 12, **options: Any
    ) -> None:
        found.append(
            {"verb": verb, "subject": subject, "history": list(history), "k": k, "pages": pages}
            | {"options": {"now": NOW} | options}
        )

    call("recommend", history=LIKES, k=140)
    call("recommend", history=LIKES, k=25, explain=True)
    call("recommend", history=[*LIKES, ["new-1", 2.0], ["new-2", -1.0], ["new-3", 0.5]], explain=True, pages=3)
    call("recommend", history=[["new-1", 1.0]], explain=True)
    call("recommend", history=LIKES, explain=True, interests=["w70 w3", "robots, w71"])
    call("recommend", interests=["w5", "nothing known at all", "w5 "], explain=True)
    call("recommend", history=LIKES, filter=["category=noir"], k=40)
    call("recommend", filter=["maker=Ours", "maker=Éclair", "price=12.5"], k=40)
    call("recommend", filter=["weight<0"], k=140)
    call("recommend", history=LIKES, k=40, diversity=0.6, distinct=True, pages=2)
    call("recommend", k=30, max_per={"maker": 2})
    call("recommend", history=LIKES, now=NOW + 2 * DAY, k=140)
    for text in ("w3 w20", "weird", "the w15", "w31 1999", "w70", "zzzz", "東京", "robot", "w72 w71"):
        call("search", text, explain=True)
    call("search", "w3", [*LIKES, ["new-8", 1.0]], explain=True, pages=2)
    call("similar", "new-1", explain=True)
    call("similar", "item-50", k=127)
    call("similar", "new-6", k=5, explain=True)
    return found


def sealed(text: bytes, body: bytes) -> bytes:
    """A file of these parts, with true lengths and checksums."""
    return (
        struct.pack("<8sII", b"PKTROVL1", len(text), zlib.crc32(text))
        + text
        + struct.pack("<I", zlib.crc32(body))
        + body
    )


def broken(good: bytes) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Files that are refused, and files whose vectors are made again."""
    (size,) = struct.unpack_from("<I", good, 8)
    text, body = good[16 : 16 + size], good[20 + size :]
    header = json.loads(text)

    def with_header(**changes: Any) -> bytes:
        return sealed(json.dumps(header | changes, ensure_ascii=False).encode(), body)

    first = header["items"][0]
    refused = {
        "empty": b"",
        "another magic": b"PKTROVL2" + good[8:],
        "cut in the head": good[:12],
        "cut in the items": good[: size // 2],
        "a flipped bit in the items": good[:40] + bytes([good[40] ^ 1]) + good[41:],
        "a length of 2^31": good[:8] + struct.pack("<I", 2**31) + good[12:],
        "a length of 2^32 - 1": good[:8] + struct.pack("<I", 2**32 - 1) + good[12:],
        "no JSON": sealed(b"{", body),
        "a list": sealed(b"[]", body),
        "not UTF-8": sealed(b'{"encoder":"\xff"}', body),
        "deep": sealed(b"[" * 50_000, body),
        "no items": sealed(b"{}", body),
        "items that are none": with_header(items=7),
        "an item that is none": with_header(items=[7]),
        "an id twice": with_header(items=[first, first]),
        "an item without id": with_header(items=[{"title": "a"}]),
        "an id that is too long": with_header(items=[first | {"item": "x" * 5_000}]),
        "a title that is a number": with_header(items=[first | {"title": 3}]),
        "an encoder that is a number": with_header(encoder=3),
        "more items than fit": with_header(items=[{"item": str(i)} for i in range(10_001)]),
    }
    nan = struct.pack("<f", float("nan"))
    again = {
        "a flipped bit in the vectors": good[:-1] + bytes([good[-1] ^ 1]),
        "vectors cut short": good[:-4],
        "vectors too many": good + b"\0" * 4,
        "no vectors": sealed(text, b""),
        "vectors that are not finite": sealed(text, nan + body[4:]),
        "vectors that are long": sealed(text, struct.pack("<f", 1e30) + body[4:]),
        "another width": with_header(dim=32),
        "a width of 0": with_header(dim=0),
        "a width that is none": with_header(dim="64"),
        "another encoder": with_header(encoder="x"),
        "attributes that the package does not know": with_header(
            items=[first | {"color": 3, "price": "red"}, *header["items"][1:]]
        ),
    }
    return refused, again


def main() -> None:
    """Write the file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "films.overlay"
        with pocketrec.open(PACKAGE, engine="numpy", overlay=path) as films:
            kinds = films.catalogue.attributes
            films.add_items(ITEMS)
            overlay = films.answers.additions.view.overlay
            assert overlay is not None
            placed = overlay.placed
            stands = [
                {
                    "near": placed.near.index[row].tolist(),
                    "weight": placed.near.weight[row].tolist(),
                    "factors": placed.factors[row].tolist(),
                    "sources": {
                        str(s): v
                        for s, v in zip(placed.source[row].tolist(), placed.strength[row].tolist(), strict=True)
                        if v
                    },
                }
                for row in range(len(ITEMS))
            ]
            cases = [call | answer(films, call, Path(folder)) for call in calls()]
        good = path.read_bytes()
        refused, again = broken(good)
        for name, data in {**refused, **again}.items():
            path.write_bytes(data)
            try:
                stored = read_overlay(path, kinds)
                assert name in again, name
                assert name.startswith(("another encoder", "attributes")) or (stored and stored.vectors is None), name
            except DataError:
                assert name in refused, name
        for item in REFUSED:
            try:
                AddedItem.of(item, kinds)
            except UsageError:
                continue
            raise AssertionError(item)
    golden = {
        "provenance": {"command": "python tests/make_overlay_golden.py", "date": date.today().isoformat()},
        "items": ITEMS,
        "file": base64.b64encode(good).decode(),
        "stands": stands,
        "cases": cases,
        "odd": [[item, AddedItem.of(item, kinds).as_dict()] for item in ODD],
        "refused_items": REFUSED,
        "refused_files": {name: packed(data) for name, data in refused.items()},
        "remade_files": {name: packed(data) for name, data in again.items()},
    }
    GOLDEN.write_text(json.dumps(golden, separators=(",", ":")) + "\n", encoding="utf-8")


def packed(data: bytes) -> str:
    """Bytes as deflate in base64."""
    return base64.b64encode(zlib.compress(data, 9)).decode()


if __name__ == "__main__":
    main()
