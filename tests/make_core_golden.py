"""Writes ``tests/golden/world.pocketrec`` and ``core.json``: answers of the numpy engine, for other languages.

Run from the repository root: ``python tests/make_core_golden.py``, after a change of the sample package, of the golden
tiny package or of what they are asked. Scores and contributions are float32, written so that they read back exactly.
"""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pocketrec
from pocketrec.lexicon import Lexicon
from pocketrec.package import Package
from pocketrec.recommender import Recommender
from pocketrec.results import Results
from pocketrec.spelling import Spelling
from pocketrec.strings import SortedStrings
from worlds import random_world

FOLDER = Path(__file__).parent / "golden"
WORLD, TINY, GOLDEN = FOLDER / "world.pocketrec", FOLDER / "tiny.pocketrec", FOLDER / "core.json"
SAMPLE = Path(str(pocketrec.__file__)).parent / "sample.pocketrec"
SEED = 20261124
MOST = 10
"""Items of an answer whose scores are written down."""

ENCODED = ["space adventure with robots", "a heist that goes wrong", "", "x", "中文电影 love", "the the the", "[UNK]"]


def hostile_texts(count: int) -> list[str]:
    """Some of the strings that the tokenizers are compared on."""
    cases = json.loads((FOLDER / "wordpiece.json").read_text("ascii"))["cases"]
    return [text for text, _ in cases[:: len(cases) // count]][:count]


def slips(words: Iterable[str], rng: random.Random) -> list[str]:
    """Each word with one or two slips, cut short, or run together with the next."""
    listed = list(words)
    changed = []
    for word, after in zip(listed, [*listed[1:], listed[0]], strict=True):
        at = rng.randrange(len(word))
        letter = rng.choice("abcdefghijklmnopqrstuvwxyz\u00e9\u4e2d")
        swapped = word[:at] + word[at + 1 : at + 2] + word[at : at + 1] + word[at + 2 :]
        twice = letter + swapped[:-1]
        changed.append(rng.choice([word[:at] + letter + word[at:], word[:at] + word[at + 1 :], swapped, twice,
                                   word[: max(3, at)], word + after]))  # fmt: skip
    return changed


def encoder(films: Recommender) -> dict[str, Any]:
    """Vectors of the sample's encoder."""
    texts = [*ENCODED, " ".join(ENCODED * 40)]
    vectors = np.array([films.encode(text) for text in texts], "<f4")
    return {"texts": texts, "vectors": base64.b64encode(vectors.tobytes()).decode()}


def spelling(films: Recommender, rng: random.Random) -> list[Any]:
    """[word, unfinished, [[row, weight], ...]] of the sample's words."""
    package = films.package
    words = SortedStrings(package.array("lexical/word.offset"), package.array("lexical/word.text"))
    known = Spelling(words, np.diff(package.array("lexical/start")).astype(np.int64))
    chosen = rng.sample(list(words), 300)
    return [
        [word, unfinished, [list(meant) for meant in known.meant(word, unfinished=unfinished)]]
        for word in slips(chosen, rng)
        if words.find(word) < 0
        for unfinished in (False, True)
    ]


def shortest(value: float) -> float:
    """The shortest decimal that reads back as the same float32."""
    return float(str(np.float32(value)))


def answer(results: Results) -> dict[str, Any]:
    """What a call returned, without its reasons; scores of the first items."""
    shown = results[:MOST]
    signals = list(shown[0].signals) if shown else []
    return {
        "items": [item.item for item in results],
        "scores": [shortest(item.score) for item in shown],
        "signals": {name: [shortest(item.signals[name]) for item in shown] for name in signals},
        "unknown": list(results.unknown),
        "truncated": results.truncated,
    }


def searches(films: Recommender, rng: random.Random) -> list[dict[str, Any]]:
    """Searches in the sample: titles as they are typed, words with slips, and texts that no one would search for."""
    lexicon = Lexicon(films.package)
    titles = [films.catalogue.title(index) for index in rng.sample(range(len(films.catalogue)), 60)]
    words = [word for title in titles for word in lexicon._analyzer.words(title) if len(word) > 3]
    typed = [*titles, *(title.lower().rpartition(" (")[0] for title in titles), *(title[:-7] for title in titles[:20])]
    mixed = [" ".join(rng.sample(words, 3)) for _ in range(30)] + [
        " ".join(slips(rng.sample(words, 3), rng)) for _ in range(30)
    ]
    long = " ".join(words * 20)
    return [{"text": text} | answer(films.search(text, k=5)) for text in [*typed, *mixed, long, *hostile_texts(150)]]


def rankings(world: Recommender, rng: random.Random) -> list[dict[str, Any]]:
    """Rankings by all signals at once."""
    ids = [world.catalogue.id(index) for index in range(len(world.catalogue))]
    histories: list[list[list[Any]]] = [
        [],
        [["7", 1.0]],
        [["7", -1.0]],
        [["7", 2.5], ["9", 1.0], ["7", -2.5]],
        [["7", 1e300], ["nobody", 1.0], ["8", -1e300], ["7", 0.001]],
        [["3", 1e-30], ["4", 1e-30]],
        [[id, 1.0] for id in rng.sample(ids, 30)],
        [[id, rng.choice([1.0, 3.0, -2.0, 0.37])] for id in rng.sample(ids, 60)],
        [[id, 1.0] for id in ids[:350]],
        [[rng.choice(ids), rng.uniform(-1, 2)] for _ in range(900)],
        *([[id, rng.choice([0.5, 1.0, 3.0])] for id in rng.sample(ids, rng.randrange(1, 40))] for _ in range(40)),
    ]
    cases = []
    for place, history in enumerate(histories):
        pairs = [(id, weight) for id, weight in history]
        weights = {"factors": 0.3, "boost": -2.0, "neighbours": 0.0} if place % 5 == 4 else None
        exclude = rng.sample(ids, 20) if place % 3 == 2 else []
        k = 1000 if place == 8 else rng.choice([1, 5, 10])
        shared = {"history": history, "k": k, "exclude": exclude, "weights": weights or {}}
        found = world.recommend(pairs, k=k, exclude=exclude, weights=weights)
        cases.append({"verb": "recommend", **shared} | answer(found))
        text = " ".join(f"w{rng.randrange(600)}" for _ in range(rng.randrange(1, 6)))
        found = world.search(text, history=pairs, k=k, exclude=exclude, weights=weights)
        cases.append({"verb": "search", "text": text, **shared} | answer(found))
    for item in rng.sample(ids, 10):
        cases.append({"verb": "similar", "item": item, "k": 10} | answer(world.similar(item)))
    return cases


def predictions(tiny: Recommender) -> list[dict[str, Any]]:
    """Ratings in the tiny package."""
    histories = [
        {},
        {"tea": 5.0},
        {"tea": 1.0, "mug": 5.0, "nobody": 3.0},
        {"tea": 2.0, "mug": 3.0, "pot": 4.5, "novel": 1.0},
    ]
    items = ["tea", "mug", "pot", "novel", "caf\u00e9", "nothing"]
    return [{"history": history, "items": items, "ratings": tiny.predict(history, items)} for history in histories]


def golden() -> dict[str, Any]:
    """All answers of today."""
    rng = random.Random(SEED)
    with (
        pocketrec.open(SAMPLE, engine="numpy") as films,
        pocketrec.open(WORLD, engine="numpy") as world,
        pocketrec.open(TINY, engine="numpy") as tiny,
    ):
        return {
            "provenance": {
                "engine": "numpy",
                "packages": {path.name: Package.open(path).id for path in (SAMPLE, WORLD, TINY)},
                "command": "python tests/make_core_golden.py",
                "seed": SEED,
            },
            "encoder": encoder(films),
            "spelling": spelling(films, rng),
            "searches": searches(films, rng),
            "rankings": rankings(world, rng),
            "predictions": predictions(tiny),
        }


def main() -> None:
    """Write both files."""
    WORLD.unlink(missing_ok=True)
    random_world(WORLD, items=400, dim=64, text_dim=64, per_target=20, bits=4, graphs=False, seed=SEED)
    GOLDEN.write_text(json.dumps(golden(), separators=(",", ":")) + "\n", encoding="ascii")
    print(f"{WORLD}: {WORLD.stat().st_size:,} bytes; {GOLDEN}: {GOLDEN.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
