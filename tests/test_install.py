"""The runtime alone, in an environment of its own: what a device installs, and nothing of the export pipeline."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HEAVY = ("torch", "transformers", "tokenizers", "pandas", "scipy", "pyarrow", "onnx", "implicit")
SAMPLE = ROOT / "runtime" / "pocketrec" / "sample.pocketrec"
FLOORS = ("numpy==1.26.4", "onnxruntime==1.25.0")  # of pyproject.toml
PROBE = f"""
import json, sys, pocketrec
with pocketrec.open_sample() as films:
    found = films.search("robots in space", k=3)
    like = films.similar(found[0].item, k=3)
    engine = films.engine.name
loaded = [name for name in {HEAVY!r} + ("pocketrec_export", "onnxruntime") if name in sys.modules]
print(json.dumps({{"found": len(found), "like": len(like), "engine": engine, "loaded": loaded}}))
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """A virtual environment with the built wheel and numpy. Needs a package index, as any installation does."""
    folder = tmp_path_factory.mktemp("install")
    wheels = folder / "wheels"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    run([*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", wheels, ROOT])
    python = new_environment(folder / "venv")
    (wheel,) = wheels.glob("pocketrec-*.whl")
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-c", ROOT / "constraints.txt"]
    run([*install, wheel])
    return python, install, wheel


def new_environment(folder):
    run([sys.executable, "-m", "venv", folder])
    return folder / ("Scripts" if os.name == "nt" else "bin") / "python"


def run(command, **options):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=600, check=False, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_numpy_is_enough_and_onnxruntime_is_picked_up(environment, tmp_path):
    python, install, wheel = environment
    listed = {package["name"] for package in json.loads(run([python, "-m", "pip", "list", "--format=json"]))}
    assert listed <= {"pocketrec", "numpy", "pip", "setuptools"}
    alone = json.loads(run([python, "-c", PROBE], cwd=tmp_path))
    assert alone == {"found": 3, "like": 3, "engine": "numpy", "loaded": []}
    demo = python.parent / "pocketrec"
    assert "similar to" in run([demo, "demo"], cwd=tmp_path)
    refused = subprocess.run(
        [demo, "build", "--items", "x.csv", "--out", "x.pocketrec"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert (refused.returncode, "pip install 'pocketrec[export]'" in refused.stderr) == (1, True)

    run([*install, f"{wheel}[onnx]"])
    both = json.loads(run([python, "-c", PROBE], cwd=tmp_path))
    assert both == {"found": 3, "like": 3, "engine": "onnx", "loaded": ["onnxruntime"]}
    assert '"ran": true' in run([demo, "verify", SAMPLE, "--json"], cwd=tmp_path)


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="numpy 1.26 has no wheel for this Python")
def test_the_oldest_versions_that_are_allowed_answer_alike(environment, tmp_path):
    _, _, wheel = environment
    python = new_environment(tmp_path / "floors")
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run([*install, f"{wheel}[onnx]", *FLOORS])
    facts = json.loads(run([python.parent / "pocketrec", "verify", SAMPLE, "--json"], cwd=tmp_path))
    assert {name: (engine["ok"], engine["ran"]) for name, engine in facts["engines"].items()} == {
        "onnx": (True, True),
        "litert": (True, False),  # not installed here
        "numpy": (True, True),
    }
    answers = [
        json.loads(run([python.parent / "pocketrec", "search", SAMPLE, "robots", "--engine", engine, "--json"]))
        for engine in ("onnx", "numpy")
    ]
    ids = [[item["item"] for item in answer["results"]] for answer in answers]
    assert ids[0] == ids[1]
    assert len(ids[0]) == 10


def test_the_runtime_never_imports_the_export_pipeline():
    for path in (ROOT / "runtime").rglob("*.py"):
        assert "pocketrec_export" not in path.read_text(encoding="utf-8"), path
