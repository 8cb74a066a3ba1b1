"""Writes ``tests/golden/wishes.pocketrec`` and ``wishes.json``: calls with filters, profile, display, reasons, pages.

Run from the repository root: ``python tests/make_wishes_golden.py``. The package has every signal, attributes of every
kind and titles that occur twice; the answers are those of the numpy engine. The file is for readers in other languages.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pocketrec
from numpy.typing import NDArray
from pocketrec import arguments
from pocketrec.event_log import MAGIC, Event, encode
from pocketrec.manifest import SIGNALS
from pocketrec_export.writer import string_table
from scipy import sparse
from worlds import _tables, _write

FOLDER = Path(__file__).parent / "golden"
PACKAGE, GOLDEN = FOLDER / "wishes.pocketrec", FOLDER / "wishes.json"
ITEMS, DIM, TOPICS = 120, 64, 6
NOW = 1_800_000_000.0
DAY = 86_400
GENRES, MAKERS = ["comedy", "drama", "noir", "robots", "space", "war"], ["Acme", "Éclair", "Small Press"]
WORDS = [f"w{i}" for i in range(90)]


def write_world(path: Path) -> None:
    """120 items of six topics: words, texts, neighbours and factors follow the topic."""
    rng = np.random.default_rng(5)
    topic = rng.integers(TOPICS, size=ITEMS)
    centers = rng.standard_normal((TOPICS, DIM)).astype(np.float32)
    tokens = rng.standard_normal((len(WORDS) + 1, DIM)).astype(np.float32)
    titles = [f"W{topic[i]} w{10 + i // 2}" + ("!" if i % 2 else "") for i in range(ITEMS)]  # each title twice
    text = _unit(centers[topic] + rng.standard_normal((ITEMS, DIM)).astype(np.float32))
    text[7] = text[8]  # one text twice
    text[9] = 0  # no text
    same = topic[:, None] == topic[None, :]
    near = np.where(same & (rng.random((ITEMS, ITEMS)) < 0.4), rng.gamma(1.0, 0.3, (ITEMS, ITEMS)), 0)
    near -= np.where(rng.random((ITEMS, ITEMS)) < 0.02, 0.2, 0)
    np.fill_diagonal(near, 0)
    factors = (0.3 * (centers[topic] + rng.standard_normal((ITEMS, DIM)))).astype(np.float32)
    words = [set(title.lower().replace("!", "").split()) | {f"w{70 + topic[i]}"} for i, title in enumerate(titles)]
    impacts = np.array([[1.0 * (word in said) for said in words] for word in sorted(WORDS)])
    arrays = _tables(
        SIGNALS,
        factors=factors,
        neighbours=sparse.csr_array(near),
        text=text,
        attributes=_unit(rng.standard_normal((ITEMS, DIM)).astype(np.float32)),
        popularity=rng.random(ITEMS, np.float32),
        boost=rng.choice(np.array([0, 0, 0, 0.2, -0.1], np.float32), ITEMS),
        words=sorted(WORDS),
        impacts=impacts * rng.gamma(2.0, 1.0, (len(WORDS), 1)),
        titles=titles,
        tokens=tokens,
        vocabulary=["[UNK]", *WORDS],
    )
    arrays |= string_table("catalogue/id", [f"item-{i}" for i in range(ITEMS)], lookup=True)
    arrays |= string_table("catalogue/title", titles, lookup=False)
    arrays |= _attributes(rng, topic)
    arrays["cold/center"] = (0.1 * rng.standard_normal((2, DIM))).astype(np.float32)
    arrays["cold/factors"] = (0.1 * rng.standard_normal((DIM + 1, DIM))).astype(np.float32)
    settings = {
        "name": "wishes",
        "catalogue": {
            "items": ITEMS,
            "categories": len(GENRES),
            "attributes": [
                {"name": "price", "kind": "number"},
                {"name": "weight", "kind": "number"},
                {"name": "in stock", "kind": "boolean"},
                {"name": "published", "kind": "date"},
                {"name": "expires", "kind": "date"},
                {"name": "maker", "kind": "category", "values": len(MAKERS)},
            ],
        },
        "cold": {"anchors": 100, "near": 12, "power": 4.0, "tokens": 40, "factors": 0.8, "neighbours": 0.7},
    }
    path.unlink(missing_ok=True)
    _write(path, SIGNALS, arrays, graphs=False, settings=settings, alpha=4.0)


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    unit: NDArray[np.float32] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


def _attributes(rng: np.random.Generator, topic: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    none = -(1 << 63)
    sets = [[g for g in range(TOPICS) if g == topic[i] or rng.random() < 0.15] if i % 20 else [] for i in range(ITEMS)]
    makers = [[] if i % 9 == 0 else [int(rng.choice(3, p=[0.6, 0.3, 0.1]))] for i in range(ITEMS)]
    price = rng.choice([19.99, 5, 0.1, 1e-7, 123456.78, 3e20, -2.5], ITEMS).astype(np.float32)
    price[::11] = np.nan
    published = NOW + DAY * rng.integers(-2000, 20, ITEMS)
    expires = NOW + DAY * rng.integers(-5, 900, ITEMS)
    columns: dict[str, NDArray[Any]] = {
        "column-0.value": price,
        "column-1.value": np.where(rng.random(ITEMS) < 0.2, np.nan, rng.normal(0, 1e3, ITEMS)),
        "column-2.value": rng.choice(np.array([0, 1, 1, 2], np.uint8), ITEMS),
        "column-3.value": np.where(rng.random(ITEMS) < 0.3, none, published).astype(np.int64),
        "column-4.value": np.where(rng.random(ITEMS) < 0.6, none, expires).astype(np.int64),
    }
    for prefix, names, held in (("category", GENRES, sets), ("column-5", MAKERS, makers)):
        columns[f"{prefix}.start"] = np.cumsum([0, *map(len, held)]).astype(np.uint32)
        columns[f"{prefix}.index"] = np.array([row for rows in held for row in rows], np.uint32)
        columns |= string_table(f"{prefix}_name", names, lookup=True)
    return {name if name.startswith("catalogue") else f"catalogue/{name}": array for name, array in columns.items()}


LIKES = [["item-3", 1.0], ["item-40", 2.5], ["item-77", -1.0], ["item-100", 0.5], ["nobody", 1.0], ["item-5", 0.0]]
EVENTS = [
    ["item-11", "like", NOW - 40 * DAY],
    ["item-12", "dislike", NOW - 3 * DAY],
    ["item-40", "click", NOW + DAY],
    ["lost", "view", NOW],
    ["item-11", "purchase", NOW - 400.5 * DAY],
    ["item-60", "stare", NOW],
]
SEARCHES = ["w3 w20", "W2 w31", "w71 robots", "the w1 w15", "w4"]


def calls() -> list[dict[str, Any]]:
    """Every call: verb, subject, history and options."""
    found: list[dict[str, Any]] = []

    def call(
        verb: str, subject: str = "", history: Sequence[Any] = (), *, pages: int = 1, k: int = 8, **options: Any
    ) -> None:
        found.append(
            {"verb": verb, "subject": subject, "history": list(history), "k": k, "pages": pages}
            | {"options": {"now": NOW} | options}
        )

    filters = [
        ["category=noir"],
        ["category=noir", "category=war", "price<20"],
        ["price>=19.99"],
        ["price=19.99"],
        ["price<1e-6"],
        ["weight>0", "weight<=500.5"],
        ["in stock=yes"],
        ["in stock=FALSE", "maker=Éclair"],
        ["published>=2026"],
        ["published<2025-06-01T12:00:00+02:00", "published>2023-03"],
        ["expires=2027"],
        ["category=nothing"],
        ["maker=Small Press", "maker=Acme", "published<=1790000000"],
    ]
    for words in filters:
        call("recommend", history=LIKES, filter=words, k=30)
    call("search", "w3 w20", filter=["in stock=true"], explain=True)
    call("similar", "item-50", filter=["weight<0"])
    for now in (NOW - 1000 * DAY, NOW + 0.5, NOW + 1e8):
        call("recommend", history=LIKES, now=now, k=200)
    displays: list[dict[str, Any]] = [
        {"diversity": 0.5},
        {"diversity": 1.0},
        {"distinct": True},
        {"max_per": {"category": 2}},
        {"max_per": {"price": 1, "in stock": 3}},
        {"max_per": {"published": 1}},
        {"min_share": {"maker": {"Small Press": 0.3}}},
        {"diversity": 0.3, "distinct": True, "max_per": {"maker": 4}, "min_share": {"category": {"noir": 0.25}}},
    ]
    for display in displays:
        call("recommend", history=LIKES, pages=3, **display)
        call("search", "w71 w3", pages=2, explain=True, **display)
    call("similar", "item-8", distinct=True, k=20)
    call("recommend", history=LIKES, pages=20, k=9, filter=["category=drama", "price>1"])
    call("recommend", history=LIKES, explain=True, k=15)
    call("recommend", k=5, explain=True)
    call(
        "recommend",
        history=LIKES,
        weights={"popularity": 2.0, "factors": -1.0, "boost": 1.5},
        explain=True,
        exclude=["item-1", "zzz"],
    )
    for text in SEARCHES:
        call("search", text, explain=True)
        call("search", text, LIKES, explain=True, pages=2)
    call("similar", "item-50", explain=True, pages=2)
    call("recommend", profile=EVENTS, explain=True)
    call("recommend", history=LIKES, profile=EVENTS, pages=2, explain=True)
    call("search", "w2", profile=EVENTS, explain=True)
    call("similar", "item-50", profile=EVENTS, k=20)
    call("recommend", history=[[f"item-{i}", 1.0 + i / 7] for i in range(0, 120, 2)], explain=True, k=5)
    return found


def answer(films: pocketrec.Recommender, call: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The pages of one call, and the cursor after the first."""
    options = dict(call["options"])
    options["filter"] = arguments.filters(options.pop("filter", [])) or None
    if "profile" in options:
        path = folder / "me.profile"
        path.write_bytes(MAGIC + b"".join(encode(Event(*event)) for event in options["profile"]))
        options["profile"] = pocketrec.Profile.open(path, write=False)
    history, k = [(item, weight) for item, weight in call["history"]], call["k"]
    options["exclude"] = list(options.get("exclude", []))
    if call["verb"] == "recommend":
        page = films.recommend(history, k=k, **options)
    elif call["verb"] == "search":
        page = films.search(call["subject"], k=k, history=history, **options)
    else:
        page = films.similar(call["subject"], k=k, **options)
    pages, cursor, unknown = [as_plain(page)], page.next, list(page.unknown)
    while page.next is not None and len(pages) < call["pages"]:
        page = films.more(page.next)
        pages.append(as_plain(page))
    return {"results": pages, "next": cursor, "unknown": unknown}


def as_plain(page: pocketrec.Results) -> list[Any]:
    """[id, title, score, [[kind, id, text, contribution, signals], ...]] of each item."""
    return [
        [r.item, r.title, r.score, [[w.kind, w.id, w.text, w.contribution, dict(w.signals)] for w in r.reasons]]
        for r in page
    ]


def main() -> None:
    """Write both files."""
    write_world(PACKAGE)
    with pocketrec.open(PACKAGE, engine="numpy") as films, tempfile.TemporaryDirectory() as folder:
        cases = [call | answer(films, call, Path(folder)) for call in calls()]
    golden = {
        "provenance": {
            "engine": "numpy",
            "command": "python tests/make_wishes_golden.py",
            "date": date.today().isoformat(),
        },
        "cases": cases,
    }
    GOLDEN.write_text(json.dumps(golden, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
