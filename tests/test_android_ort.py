"""The ONNX Runtime engine in Kotlin: the graphs of many packages, on the Java classes that an app ships."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from agreement import assert_agree, everything
from android import ask, kotlin, need_tools, python_answer
from pocketrec.engine import RankerInput, RankerOutput
from pocketrec.engine_numpy import NumpyEngine
from pocketrec.engine_onnx import _largest
from pocketrec.errors import PackageError
from pocketrec.manifest import SIGNALS
from pocketrec.onnx_guard import check_model
from pocketrec.package import Package
from pocketrec.recommender import Recommender
from sdkless import compile, desktop, modules
from sdkless.places import SAMPLE
from test_onnx_guard import BOMBS, HOSTILE, _nodes
from worlds import random_world, tiny_world

need_tools("gcc")

REQUESTS = [
    ("recommend", 20, "3:1.0,77:2.0,500:-1.0,1200:0.5"),
    ("recommend", 50, ",".join(f"{i}:1.0" for i in range(100, 200, 3))),
    ("recommend", 10, ""),
    ("search", 20, "w5 w17 w250"),
    ("search", 7, "Item 12"),
    ("similar", 30, "42"),
]


class Watched(NumpyEngine):
    """The reference engine, which remembers what it was asked."""

    def rank(self, task: RankerInput) -> RankerOutput:
        self.task = task
        return super().rank(task)


@pytest.mark.parametrize(
    ("items", "bits", "signals"),
    [
        (2_000, 8, SIGNALS),
        (2_000, 4, SIGNALS),
        (2_000, 8, ("factors", "neighbours", "popularity")),
        (2_000, 8, ("semantic", "lexical")),
        (40_000, 8, ("neighbours", "content", "semantic", "lexical")),  # positions beyond a signed 16-bit number
        (70_000, 8, ("neighbours", "popularity")),  # positions of 32 bits
    ],
)
def test_lists_agree_by_the_rule(tmp_path: Path, items: int, bits: int, signals: tuple[str, ...]) -> None:
    path = random_world(tmp_path / "x.pocketrec", items=items, bits=bits, signals=signals, per_target=5)
    requests = [request for request in REQUESTS if request[0] != "search" or "semantic" in signals]
    answers = ask("onnx", path, requests)
    package = Package.open(path)
    engine = Watched(package)
    with Recommender(package, engine, clock=lambda: 0.0) as recommender:
        for request, answer in zip(requests, answers, strict=True):
            expected = python_answer(recommender, *request)
            assert len(answer) == len(expected) == request[1]
            index = np.array([recommender.catalogue.index(item) for item, _ in answer])
            score = np.array([score for _, score in answer], np.float32)
            assert (np.diff(score) <= 0).all()
            reference = everything(package, engine.task)
            place = np.argsort(reference.index)[np.searchsorted(np.sort(reference.index), index)]
            np.testing.assert_allclose(score, reference.score[place], rtol=2e-3, atol=2e-3)
            assert_agree(package, engine.task, RankerOutput(index, score, reference.signals[:, place]))


def test_hostile_graphs_are_refused_as_in_python(tmp_path: Path) -> None:
    path = tiny_world(tmp_path / "tiny.pocketrec")
    package = Package.open(path)
    ranker = bytes(package.blob("graphs/ranker.onnx"))
    folder = tmp_path / "graphs"
    folder.mkdir()
    for name, data in _variants(ranker).items():
        (folder / name).write_bytes(data)
    verdicts = dict(line.split(" ") for line in kotlin("Guard", path, folder))
    accepted = {name for name, data in _variants(ranker).items() if _accepts(package, data)}
    assert accepted == {name for name, verdict in verdicts.items() if verdict == "accepted"}
    assert "itself" in accepted
    assert 10 < len(accepted) < len(verdicts) - 1000


def _accepts(package: Package, data: bytes) -> bool:
    try:
        check_model(data, allowed=lambda name: package.has(name.removesuffix("|blocks")), inputs=_inputs(package))
    except PackageError:
        return False
    return True


def _inputs(package: Package) -> dict[str, tuple[int, ...]]:
    return _largest(package, RankerInput.__slots__)  # tiny_world has all signals, so its ranker takes every input


def _variants(ranker: bytes) -> dict[str, bytes]:
    """The graph itself, cut short, with one bit flipped, and with each of the known attacks, by name."""
    found = {"itself": ranker} | {f"cut-{at:05}": ranker[:at] for at in range(0, len(ranker), 37)}
    rng = np.random.default_rng(0)
    for at, bit in zip(rng.integers(0, len(ranker), 3000).tolist(), rng.integers(0, 8, 3000).tolist(), strict=True):
        changed = bytearray(ranker)
        changed[at] ^= 1 << bit
        found[f"flip-{at:05}-{bit}"] = bytes(changed)
    changes = {f"attack-{number:02}": change for number, change in enumerate(HOSTILE)}
    changes |= {f"bomb-{number:02}": _nodes(*nodes) for number, nodes in enumerate(BOMBS.values())}
    for name, change in changes.items():
        model = onnx.load_model_from_string(ranker)
        change(model)
        found[name] = model.SerializeToString(deterministic=True)
    return found


def test_a_missing_native_library_is_an_engine_error() -> None:
    program = [modules.ort_tests(), modules.ort(), modules.core(), desktop.java_classes()]
    said = compile.program(program, "dev.pocketrec.ort.Missing", SAMPLE).splitlines()
    assert len(said) == 2
    assert all(line.startswith("the native library of onnxruntime does not load") for line in said)
