"""tflite-runtime 2.14 in an environment of its own, and the self-test that refuses what it answers to other models."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from agreement import assert_agree
from crafted_zip import contents, repack
from pocketrec import self_test
from pocketrec.engine import RankerOutput
from pocketrec.engine_numpy import NumpyEngine
from pocketrec.errors import EngineError
from pocketrec.inspection import GOLDEN, golden_case
from pocketrec.opening import open_package
from pocketrec.package import Package
from pocketrec.recommender import Recommender
from pocketrec_export import tflite_graphs
from pocketrec_export.targets import TARGETS, retarget
from pocketrec_export.tflite_model import Tensor
from test_engines import assert_lawful, random_task
from tflite_probe import FIELDS
from worlds import random_world, tiny_world

RUNTIME = Path(self_test.__file__).parents[1]
PROBE = Path(__file__).with_name("tflite_probe.py")


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with tflite-runtime and its numpy. Needs a package index, as any installation does."""
    if sys.version_info >= (3, 12) or not sys.platform.startswith("linux"):
        pytest.skip("tflite-runtime 2.14 has no wheel for this Python or system")
    folder = tmp_path_factory.mktemp("tflite") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "tflite-runtime==2.14.0", "numpy==1.26.4"], check=True)
    return folder / "bin/python"


def probe(python: Path, *words: Path | str) -> subprocess.CompletedProcess[str]:
    shell = os.environ | {"PYTHONPATH": str(RUNTIME)}
    return subprocess.run([python, PROBE, *words], env=shell, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random world with golden cases."""
    return with_golden(random_world(tmp_path_factory.mktemp("world") / "world.pocketrec"))


def with_golden(path: Path) -> Path:
    """The same package with what the numpy engine answers."""
    with Package.open(path) as package:
        recommender = Recommender(package, NumpyEngine(package), clock=None)
        ids = [recommender.catalogue.id(index) for index in (3, 5, 6)]
        arguments: list[tuple[str, Any]] = [("recommend", [[item, 1.0] for item in ids]), ("similar", ids[0])]
        cases = [golden_case(recommender, verb, argument, k=3) for verb, argument in arguments]
    return replaced(path, path, {GOLDEN: json.dumps({"cases": cases}).encode()})


def replaced(path: Path, out: Path, parts: dict[str, bytes]) -> Path:
    """A package with other bytes in some entries."""
    old = contents(path.read_bytes())
    manifest = json.loads(old["manifest.json"])
    for entry in manifest["entries"]:
        data = (old | parts)[entry["name"]]
        entry |= {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    out.write_bytes(repack(old | parts | {"manifest.json": json.dumps(manifest).encode()}))
    return out


def test_the_contract_on_tflite_runtime(python: Path, world: Path, tmp_path: Path) -> None:
    package = Package.open(world)
    shapes = [(0, True, 10), (0, False, 3), (1, False, 10), (30, True, 500), (130, True, 1), (512, False, 50)]
    tasks = [random_task(package, seed=i, length=h, query=q, n=n) for i, (h, q, n) in enumerate(shapes)]
    tasks.append(replace(tasks[3], history_weight=-np.abs(tasks[3].history_weight)))
    arrays = {f"{i}.{name}": getattr(task, name) for i, task in enumerate(tasks) for name in (*FIELDS, "n")}
    np.savez(tmp_path / "tasks.npz", count=len(tasks), **arrays)
    done = probe(python, "rank", world, tmp_path / "tasks.npz", tmp_path / "out.npz")
    assert done.returncode == 0, done.stderr
    engine = NumpyEngine(package)
    with np.load(tmp_path / "out.npz") as file:
        for i, task in enumerate(tasks):
            output = RankerOutput(*(file[f"{i}.{name}"] for name in ("index", "score", "signals")))
            assert_lawful(task, output)
            assert_agree(package, task, output)
        expected = [engine.encode(np.arange(count, dtype=np.int64)) for count in (0, 1, 16, 17, 100, 256)]
        np.testing.assert_allclose(file["vectors"], expected, rtol=1e-5, atol=1e-6)


def test_a_package_opens_there_without_being_asked_for_an_engine(python: Path, world: Path) -> None:
    done = probe(python, "open", world)
    assert done.returncode == 0, done.stderr


class PerChannel(tflite_graphs._Graph):
    """Products as today's converters write them: the scales of the rows belong to the quantized table."""

    def table_dot(self, table: str, blocks: Any) -> Tensor:
        total: Tensor | None = None
        for number, vector in enumerate(blocks):
            codes, step = self._quantized(vector)
            scale = self._tables.get(f"{table}/scale").ravel()
            scale = np.where(scale > 0, scale, np.float32(1))  # of the row of zeros
            weights = self._graph.constant(self._tables.get(f"{table}:{number}").copy(), name="w", scale=scale)
            dot = self.node("FULLY_CONNECTED", codes, weights, dtype="float32",
                            keep_num_dims=1, asymmetric_quantize_inputs=1)  # fmt: skip
            part = self.node("MUL", dot, step)
            total = part if total is None else self.node("ADD", total, part)
        assert total is not None
        return total


def test_its_silent_garbage_is_refused(
    python: Path, world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dynamically quantized model with a scale per channel: right on LiteRT, noise on tflite-runtime 2.14."""
    monkeypatch.setattr(tflite_graphs, "_Graph", PerChannel)
    per_channel = tmp_path / "per-channel.pocketrec"
    retarget(world, per_channel, targets=TARGETS)
    monkeypatch.undo()
    runtime = [Path(sys.executable), python]
    outcomes = [probe(interpreter, "lenient", per_channel, world) for interpreter in runtime]
    assert outcomes[0].returncode == 0, outcomes[0].stderr
    assert outcomes[1].returncode == 1
    assert "the litert engine fails this package's self-test: recommend is" in outcomes[1].stderr
    # Our own reader does not even load it.
    assert "quantized in another way than ours" in probe(python, "open", per_channel).stderr


@pytest.mark.parametrize("engine", ["onnx", "litert"])
def test_an_engine_that_answers_otherwise_is_refused(tmp_path: Path, engine: str) -> None:
    """Golden cases of another package stand for a runtime that computes something else."""
    path = with_golden(tiny_world(tmp_path / "tiny.pocketrec"))
    open_package(path, engine=engine).close()
    cases = json.loads(contents(path.read_bytes())[GOLDEN])["cases"]
    cases[1]["scores"] = [score / 2 for score in cases[1]["scores"]]
    wrong = replaced(path, tmp_path / "wrong.pocketrec", {GOLDEN: json.dumps({"cases": cases}).encode()})
    with pytest.raises(EngineError, match=f"the {engine} engine fails this package's self-test: similar is"):
        open_package(wrong, engine=engine)
    open_package(wrong, engine="numpy").close()


def test_the_self_test_runs_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = with_golden(tiny_world(tmp_path / "tiny.pocketrec"))
    open_package(path, engine="onnx").close()
    monkeypatch.setattr(self_test, "gap_of", lambda *_: pytest.fail("tested again"))
    open_package(path, engine="onnx").close()
