"""The Kotlin library: its own tests, and the raw engine's answers on packages of many shapes, to the last bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pocketrec
import pytest
from android import ask, need_tools, python_answer
from pocketrec.manifest import SIGNALS
from sdkless import compile, modules
from sdkless.places import PROJECT, SAMPLE
from sdkless.run import classpath, run
from worlds import random_world

need_tools("gcc")

RNG = np.random.default_rng(7)


def test_the_tests_in_kotlin_pass() -> None:
    assert "OK (" in modules.test_core()


def test_java_uses_every_verb(tmp_path: Path) -> None:
    libraries = [modules.core(), *compile.LIBRARIES]
    source = PROJECT / "pocketrec-core/src/test/java/dev/pocketrec/JavaUse.java"
    run(["javac", "--release", "8", "-Xlint:-options", "-d", tmp_path, "-cp", classpath(*libraries), source])
    lines = compile.program([tmp_path, *libraries], "dev.pocketrec.JavaUse", SAMPLE).splitlines()
    with pocketrec.open_sample(engine="numpy") as films:
        found = films.search("space adventure with robots", k=3)
    assert [(item, np.float32(score)) for item, score in (line.split("\t") for line in lines[:3])] == [
        (film.item, np.float32(film.score)) for film in found
    ]
    assert lines[6:] == [
        "recommended\t10.0",
        "similar\t4.0",
        "item 'no such film' is not in the catalogue of 1000 items\t0.0",
        "raw\t1000.0",
    ]


@pytest.mark.parametrize(
    ("items", "bits", "signals"),
    [
        (2_000, 8, SIGNALS),
        (2_000, 4, SIGNALS),
        (2_000, 8, ("factors", "neighbours", "popularity")),
        (2_000, 8, ("semantic", "lexical")),
        (40_000, 8, ("neighbours", "content", "semantic", "lexical")),  # positions beyond a signed 16-bit number
        (70_000, 8, ("factors", "neighbours", "attributes")),  # positions of 32 bits
    ],
)
def test_raw_answers_are_equal(tmp_path: Path, items: int, bits: int, signals: tuple[str, ...]) -> None:
    path = random_world(tmp_path / "x.pocketrec", items=items, bits=bits, signals=signals, per_target=5, graphs=False)
    requests = [("recommend", 20, history(items, size)) for size in (0, 1, 5, 30, 100, 600) for _ in range(5)]
    requests += [("similar", 30, str(item)) for item in RNG.integers(0, items, 10)]
    if "lexical" in signals:
        requests += [("search", 20, " ".join(f"w{word}" for word in RNG.integers(0, 600, 4))) for _ in range(20)]
    with pocketrec.open(path, engine="numpy") as recommender:
        for request, answer in zip(requests, ask("raw", path, requests), strict=True):
            expected = python_answer(recommender, *request)
            assert [item for item, _ in answer] == [item for item, _ in expected], request
            assert [np.float32(score) for _, score in answer] == [np.float32(score) for _, score in expected], request


def history(items: int, size: int) -> str:
    """Random items with weights from -2 to 3, in the words of the command line."""
    weights = np.round(RNG.uniform(-2, 3, size), 3)
    return ",".join(f"{item}:{weight}" for item, weight in zip(RNG.integers(0, items, size), weights, strict=True))
