"""Writes ``labels`` and ``answers`` of ``tests/golden``: what is said of texts, for readers in other languages.

Run from the repository root: ``python tests/make_labels_golden.py``. The package of labels has no items; it reads texts
with a unigram model of a few pieces, and two heads of random weights label them. That of answers is the tiny world.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pocketrec
from pocketrec_export.quantize import quantize_halves
from pocketrec_export.tokenizer_tables import tokenizer_arrays
from pocketrec_export.writer import string_table, write_package
from test_unigram import TINY
from worlds import TINY_GROUP, manifest_by_hand, tiny_world

FOLDER = Path(__file__).parent / "golden"
PACKAGE, GOLDEN = FOLDER / "labels.pocketrec", FOLDER / "labels.json"
ANSWERS, GOLDEN_ANSWERS = FOLDER / "answers.pocketrec", FOLDER / "answers.json"
HEADS = {"mood": ["negative", "neutral", "positive"], "topic": ["loan", "letter", "花呗", "positive"]}
TEXTS = [
    "ab",
    "Abc a",
    "花呗花",
    "xy a",
    "",
    " \t",
    "\u200d",
    "c" * 40,
    "花呗 花呗 abc",
    "ﬁ b",
    "a \ud800 b",
    "ab " * 300,
]
ALERTS = ["negative>0.3", "topic=positive>0.2", "mood=positive>0.5", "loan>0"]


def write(path: Path) -> None:
    """The package."""
    rng = np.random.default_rng(20261124)
    made: dict[str, Any] = string_table("catalogue/id", [], lookup=True)
    made |= string_table("catalogue/title", [], lookup=False) | tokenizer_arrays(TINY)
    made["tokens/value"], made["tokens/scale"] = quantize_halves(rng.standard_normal((len(TINY), 64)))
    for number, labels in enumerate(HEADS.values()):
        made[f"heads/{number}.weight"] = rng.standard_normal((len(labels), 64)).astype(np.float32) * 2
        made[f"heads/{number}.bias"] = rng.standard_normal(len(labels)).astype(np.float32)
        made |= string_table(f"heads/{number}_label", labels, lookup=False)
    nothing: dict[str, Any] = {"recommend": {}, "search": {}, "similar": {}}
    manifest = manifest_by_hand({"semantic": {"dim": 64}}, nothing, made, graphs={})
    manifest["signals"] = {}
    manifest["heads"] = [{"name": name, "labels": len(labels)} for name, labels in HEADS.items()]
    manifest["encoder"] |= {"tokenizer": "unigram", "lowercase": False, "unknown": "<unk>", "max_tokens": 128}
    write_package(path, manifest=manifest, arrays=made, files={}, overwrite=True)


QUESTIONS = ["mint tea", "old novel", "tea", "novel green", "gren tee", "", "nothing known here", "white"]
SETTINGS = {"answers": 2, "pool": 8, "bias": -2.5, "score": 0.4, "margin": 0.7, "threshold": 0.45}


def write_answers(path: Path) -> None:
    """The tiny world: what asks of a tea is answered with "drink it", of a novel with "read it"."""
    more: dict[str, Any] = string_table("answers/text", ["drink it", "read it"], lookup=False)
    more["answers/item"] = np.array(TINY_GROUP, np.uint32)
    tiny_world(path, signals=("semantic", "lexical"), graphs=False, settings={"answers": SETTINGS}, more=more)


def golden_answers() -> dict[str, Any]:
    """What Python answers."""
    with pocketrec.open(ANSWERS, engine="numpy") as package:
        cases = [
            {"text": text, "threshold": threshold, "exclude": exclude}
            | package.answer(text, threshold=threshold, exclude=exclude).as_dict()
            for text in QUESTIONS
            for threshold in (None, 0.9)
            for exclude in ([], ["tea-2", "book-0"])
        ]
    return {"about": "tests/make_labels_golden.py", "cases": cases}


def golden() -> dict[str, Any]:
    """What Python says of each text."""
    with pocketrec.open(PACKAGE, engine="numpy") as labeller:
        cases = [{"text": text} | labeller.classify(text, alerts=ALERTS).as_dict() for text in TEXTS]
    return {"about": "tests/make_labels_golden.py", "alerts": ALERTS, "cases": cases}


def main() -> None:
    """Write both files."""
    write(PACKAGE)
    ANSWERS.unlink(missing_ok=True)
    write_answers(ANSWERS)
    GOLDEN_ANSWERS.write_text(json.dumps(golden_answers(), indent=1) + "\n", encoding="ascii")
    GOLDEN.write_text(json.dumps(golden(), indent=1) + "\n", encoding="ascii")
    print(f"{PACKAGE}: {PACKAGE.stat().st_size:,} bytes; {GOLDEN}: {GOLDEN.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
