"""What ``verify`` finds: a package whose answers, hashes or graphs are not what it says they are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from crafted_zip import contents, repack
from pocketrec import engine_litert, engine_onnx
from pocketrec.engine import ENGINES, open_engine
from pocketrec.errors import PackageError
from pocketrec.inspection import (
    GOLDEN,
    MAX_GOLDEN,
    describe_package,
    golden_case,
    read_golden,
    report_lines,
    verify_package,
)
from pocketrec.package import Package
from pocketrec.recommender import Recommender
from worlds import random_world, tiny_world

Save = Callable[..., Path]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return tiny_world(tmp_path_factory.mktemp("inspection") / "tiny.pocketrec").read_bytes()


@pytest.fixture(scope="module")
def cases(good: bytes) -> list[dict[str, Any]]:
    """True golden cases of the tiny world."""
    package = Package.open(good)
    with Recommender(package, open_engine(package, "numpy")) as recommender:
        return [
            golden_case(recommender, "recommend", [["tea-1", 2.0], ["book-0", -1]]),
            golden_case(recommender, "recommend", []),
            golden_case(recommender, "search", "mint tea"),
            golden_case(recommender, "similar", "book-3"),
        ]


@pytest.fixture
def save(good: bytes, tmp_path: Path) -> Save:
    """Writes the tiny package with other entries, all their hashes right, and an edited manifest."""

    def write(entries: dict[str, bytes] | None = None, edit: Callable[[dict[str, Any]], None] = lambda m: None) -> Path:
        parts = contents(good) | (entries or {})
        manifest = json.loads(parts["manifest.json"])
        for entry in manifest["entries"]:
            data = parts[entry["name"]]
            entry |= {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        edit(manifest)
        path = tmp_path / "x.pocketrec"
        path.write_bytes(repack(parts | {"manifest.json": json.dumps(manifest).encode()}))
        return path

    return write


def golden(*cases: Any) -> dict[str, bytes]:
    return {GOLDEN: json.dumps({"cases": cases}).encode()}


def outcome(path: Path) -> dict[str, tuple[bool, bool]]:
    return {name: (engine["ok"], engine["ran"]) for name, engine in verify_package(path)["engines"].items()}


def everywhere(ok: bool, ran: bool, **others: tuple[bool, bool]) -> dict[str, tuple[bool, bool]]:
    """The same outcome on every engine but for others."""
    return dict.fromkeys(ENGINES, (ok, ran)) | others


def test_true_cases_are_ok(save: Save, cases: list[dict[str, Any]]) -> None:
    facts = verify_package(save(golden(*cases)))
    assert facts["engines"].keys() == set(ENGINES)
    for engine in facts["engines"].values():
        assert (engine["ok"], engine["ran"], engine["cases"]) == (True, True, 4)
        assert engine["largest_gap"] < 1e-6


def _swapped(case: dict[str, Any]) -> None:
    case["items"][0], case["items"][-1] = case["items"][-1], case["items"][0]


def _unknown(case: dict[str, Any]) -> None:
    case["items"][-1] = "nobody's"


def _from_history(case: dict[str, Any]) -> None:
    case["items"][-1] = "tea-1"


def _cut_of_its_best(case: dict[str, Any]) -> None:
    case["items"], case["scores"] = case["items"][1:], case["scores"][1:]


def _empty(case: dict[str, Any]) -> None:
    case["items"], case["scores"] = [], []


def _longer(case: dict[str, Any]) -> None:
    case["items"], case["scores"] = case["items"] * 2, case["scores"] * 2


def _scores_off(case: dict[str, Any]) -> None:
    case["scores"] = [score * 1.02 for score in case["scores"]]


@pytest.mark.parametrize(
    "lie", [_swapped, _unknown, _from_history, _cut_of_its_best, _empty, _longer, _scores_off], ids=lambda f: f.__name__
)
def test_a_case_that_is_not_what_the_engines_answer(
    save: Save, cases: list[dict[str, Any]], lie: Callable[[dict[str, Any]], None]
) -> None:
    case = json.loads(json.dumps(cases[0]))
    lie(case)
    assert outcome(save(golden(case))) == everywhere(False, True)


def test_items_below_the_depth_may_stand_in_for_equals(tmp_path: Path) -> None:
    """Popularity alone, all equal: which ten of 300 are listed proves nothing, so it is no failure."""
    flat = {"popularity/value": np.full(300, 0.5, np.float32)}
    path = random_world(tmp_path / "w", items=300, signals=["popularity"], more=flat)
    case = {"verb": "recommend", "argument": [], "items": [str(i) for i in range(290, 300)], "scores": [0.05] * 10}
    parts = contents(path.read_bytes()) | golden(case)
    manifest = json.loads(parts["manifest.json"])
    for entry in manifest["entries"]:
        data = parts[entry["name"]]
        entry |= {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    path.write_bytes(repack(parts | {"manifest.json": json.dumps(manifest).encode()}))
    assert outcome(path) == everywhere(True, True)


GOOD = {"verb": "similar", "argument": "tea-1", "items": ["tea-0"], "scores": [1.0]}


@pytest.mark.parametrize(
    "change",
    [
        *({"verb": "recommend", "argument": value} for value in (None, "tea-1", {}, ["tea-1"], [["tea-1"]])),
        *({"verb": "recommend", "argument": [pair]} for pair in (["a", "1"], [1, 1], ["a", True], ["a", 1, 2], None)),
        {"verb": "recommend", "argument": [["a", float("nan")]]},
        {"verb": "recommend", "argument": [["a", 10**400]]},
        *({"verb": verb, "argument": value} for verb in ("search", "similar") for value in (None, 1, [], ["a"], {})),
        {"verb": "delete"},
        {"verb": {}},
        *({"items": value} for value in (None, "a", [1], [None], [], {"tea-0": 1})),
        *({"scores": value} for value in (None, 1, ["1"], [True], [float("inf")], [None], [[1]], {"1": 1})),
        *(dict.fromkeys([key], ...) for key in GOOD),
    ],
)
def test_golden_cases_of_a_wrong_kind(save: Save, change: dict[str, Any]) -> None:
    case = {key: value for key, value in (GOOD | change).items() if value is not ...}
    with pytest.raises(PackageError, match=r"golden.json is not a list of golden cases"):
        verify_package(save(golden(case)))


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"cases": 1}', b'{"cases": [1]}', b"[" * 100_000, b"\xff"])
def test_golden_entries_that_are_none(save: Save, raw: bytes) -> None:
    with pytest.raises(PackageError, match="is not a list of golden cases"):
        verify_package(save({GOLDEN: raw}))


def test_more_golden_cases_than_anyone_runs(save: Save) -> None:
    assert len(read_golden(Package.open(save(golden(*[GOOD] * MAX_GOLDEN))))) == MAX_GOLDEN
    with pytest.raises(PackageError, match="at most 1000"):
        verify_package(save(golden(*[GOOD] * (MAX_GOLDEN + 1))))


def test_an_item_that_the_catalogue_does_not_hold_is_a_failure(save: Save) -> None:
    facts = verify_package(save(golden(GOOD | {"argument": "\ud800"})))
    for engine in facts["engines"].values():
        assert (engine["ok"], engine["ran"]) == (False, False)
        assert "not in the catalogue" in engine["message"]


def test_a_graph_that_does_not_load_is_a_failure(save: Save, good: bytes) -> None:
    name = "graphs/ranker.onnx"
    assert outcome(save({name: b"\x08\x80"})) == everywhere(True, True, onnx=(False, False))
    model = onnx.load_model_from_string(contents(good)[name])
    model.graph.node[0].output[0] = "nowhere"
    path = save({name: model.SerializeToString()})
    assert outcome(path) == everywhere(True, True, onnx=(False, False))
    assert verify_package(path)["engines"]["onnx"]["message"].startswith("failed: ")


def test_an_engine_that_is_not_there_is_no_failure(save: Save, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without = tiny_world(tmp_path / "without", graphs=False)
    assert outcome(without) == everywhere(True, False, numpy=(True, True))
    for module in (engine_onnx, engine_litert):
        monkeypatch.setattr(module, "find_spec", lambda name: None)
    assert outcome(save()) == everywhere(True, False, numpy=(True, True))


@pytest.mark.parametrize("key", ["catalogue", "encoder"])
def test_a_fingerprint_of_something_else(save: Save, key: str) -> None:
    path = save(edit=lambda manifest: manifest[key].update(fingerprint="0" * 64))
    with pytest.raises(PackageError, match=f"{key}.fingerprint is 0000"):
        verify_package(path)


def test_inspect_says_what_each_target_needs(save: Save) -> None:
    with Package.open(save()) as package:
        facts, sizes = describe_package(package), package.sizes()
    assert facts["engines"].keys() == set(ENGINES)
    for target, operator in (("onnx", "com.microsoft:MatMulNBits"), ("tflite", "FULLY_CONNECTED")):
        about = facts["targets"][target]
        assert about["bytes"] == sum(size for name, size in sizes.items() if name.endswith(target))
        assert operator in about["operators"]
    text = "\n".join(report_lines(facts))
    assert "tflite-runtime >=2.14" in text
    assert "SCATTER_ND" in text
