"""How good a package is: measured by `pocketrec evaluate`, or as its manifest says."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pocketrec.bench.session import Side
from pocketrec.errors import DataError
from pocketrec.manifest import Manifest

METRICS = ("ndcg10", "recall20")


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Figures, and what they were measured on: only figures of one `source` can be compared."""

    figures: Mapping[str, float]
    source: str


def of_manifest(manifest: Manifest) -> Accuracy | None:
    """What the build measured, None where it did not.

    The source names the split, or the share of users that was held out and how many they were.
    """
    package = manifest.metrics.get("package")
    if not isinstance(package, Mapping):
        return None
    figures = {name: float(package[name]) for name in METRICS if isinstance(package.get(name), int | float)}
    if not figures:
        return None
    return Accuracy(figures, _source(manifest, package.get("users")))


def _source(manifest: Manifest, users: object) -> str:
    split = manifest.input.split_sha256
    held_out = f"split {split[:16]}" if split else manifest.metrics.get("measured_on", "users held out")
    return f"{held_out}, {users} users"


def evaluated(side: Side, manifest: Manifest, words: Sequence[str]) -> Accuracy:
    """What `pocketrec evaluate` of that side's runtime measures now.

    Args:
        side: the package, and the path of imports.
        manifest: of that package.
        words: ``--interactions F --split F`` and more options of `evaluate`.

    Raises:
        DataError: it failed; with what it said.
    """
    command = [sys.executable, "-P", "-m", "pocketrec", "evaluate", str(side.package.resolve()), *words]
    command += ["--json", "--quiet", *(["--engine", side.engine] if side.engine else [])]
    done = subprocess.run(command, env=side.environment(), capture_output=True, text=True)
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["nothing"]
        raise DataError(f"pocketrec evaluate {side.package} failed: {said[-1].removeprefix('error: ')}")
    report: dict[str, Any] = json.loads(done.stdout)
    package = report["package"]
    figures = {name: float(package[name]) for name in METRICS if name in package}
    return Accuracy(figures, _source(manifest, package["users"]))
