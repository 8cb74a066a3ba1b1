"""The recipes of docs/ci: data that are the same everywhere, and a script that fails where head is worse than base."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from worlds import tiny_world

ROOT = Path(__file__).resolve().parent.parent
RECIPES = ROOT / "docs" / "ci"
BUILD = 'cp built.pocketrec "$OUT"'


def git(folder, *words):
    who = ("-c", "user.name=ci", "-c", "user.email=ci@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path):
    """A repository of two commits: a package that grows by a text in its manifest."""
    folder = tmp_path / "repo"
    folder.mkdir()
    git(folder, "init", "-q")
    for metrics in ({}, {"note": "x" * 2000}):
        (folder / "built.pocketrec").unlink(missing_ok=True)
        tiny_world(folder / "built.pocketrec", settings={"metrics": metrics})
        git(folder, "add", ".")
        git(folder, "commit", "-qm", "a package")
    return folder


def gate(folder, base, **environment):
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    known = {"PATH": path, "PYTHONPATH": str(ROOT / "runtime"), "OPTIONS": "--gates bytes"}
    return subprocess.run(
        ["bash", str(RECIPES / "bench.sh"), base],
        cwd=folder,
        env=known | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_head_that_is_larger_than_base_fails(checkout):
    done = gate(checkout, "HEAD^", BUILD=BUILD, GITHUB_STEP_SUMMARY=str(checkout / "summary.md"))
    assert done.returncode == 3, done.stderr
    assert "failed        bytes" in done.stdout
    assert (checkout / "build/bench/bench.xml").exists()
    assert "**failed** | bytes" in (checkout / "summary.md").read_text()
    assert not (checkout / "build/bench/base").exists()


def test_head_that_is_base_passes(checkout):
    done = gate(checkout, "HEAD", BUILD=BUILD)
    assert done.returncode == 0, done.stderr
    assert "passed        bytes" in done.stdout


@pytest.mark.parametrize(("base", "build"), [("no-such-ref", BUILD), ("HEAD^", "false")])
def test_no_base_has_its_own_code(checkout, base, build):
    assert gate(checkout, base, BUILD=build).returncode == 4


def test_the_data_are_the_same_everywhere(tmp_path):
    subprocess.run([sys.executable, str(RECIPES / "make_data.py"), str(tmp_path)], check=True)
    assert hashlib.sha256((tmp_path / "interactions.csv").read_bytes()).hexdigest().startswith("de55a016b5e1692d")
    assert hashlib.sha256((tmp_path / "items.csv").read_bytes()).hexdigest().startswith("a1a1a69e4b1de505")


def test_the_workflow_runs_the_script():
    workflow = yaml.safe_load((RECIPES / "github-actions.yml").read_text())
    steps = workflow["jobs"]["bench"]["steps"]
    (measuring,) = [step for step in steps if "bench.sh" in step.get("run", "")]
    assert measuring["env"].keys() >= {"BUILD", "OPTIONS"}
    assert "$OUT" in measuring["env"]["BUILD"]
