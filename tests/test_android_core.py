"""The Kotlin library: its own tests, and the raw engine's answers on packages of many shapes, to the last bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pocketrec
import pytest
from android import ask, need_tools, python_answer
from pocketrec.manifest import SIGNALS
from sdkless import modules
from worlds import random_world

need_tools("gcc")

RNG = np.random.default_rng(7)


def test_the_tests_in_kotlin_pass() -> None:
    assert "OK (" in modules.test_core()


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
