"""How often `pocketrec bench --baseline` cries wolf, and how often it finds a ranker that is slower.

usage: python benchmarks/false_alarms.py X.pocketrec [--runs 20] [--engine onnx] [--slower 0 0.1 0.25]

X against itself, again and again, at the default limits: every failure is a false alarm. With a share of slowness the
new side runs on a copy of this runtime whose ranker, after each ranking, burns that share of the time that it took.
Prints how many runs failed, and the largest and smallest ratio and lower bound of any verb.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pocketrec
from machine import save

RUNTIME = Path(pocketrec.__file__).resolve().parent
CLASSES = {"onnx": "OnnxEngine", "numpy": "NumpyEngine"}
SLOWED = """

import time

_rank = {name}.rank


def _slowed(self, task):
    started = time.perf_counter_ns()
    answer = _rank(self, task)
    ended = time.perf_counter_ns()
    until = ended + int({share} * (ended - started))
    while time.perf_counter_ns() < until:
        pass
    return answer


{name}.rank = _slowed
"""


def main() -> int:
    """Run and count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=Path)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--engine", choices=list(CLASSES), default="onnx")
    parser.add_argument("--slower", type=float, nargs="+", default=[0.0, 0.10, 0.25])
    args = parser.parse_args()
    rows = []
    for share in args.slower:
        runs = [run(args, share, seed) for seed in range(args.runs)]
        rows.append({"slower": share, "engine": args.engine, **summary(runs)})
        print(json.dumps(rows[-1]))
    print(f"\nwrote {save('false_alarms', rows)}")
    return 3 if any(row["failed"] and not row["slower"] for row in rows) else 0


def run(args: argparse.Namespace, share: float, seed: int) -> dict[str, Any]:
    """One comparison; verb -> outcome."""
    with tempfile.TemporaryDirectory() as folder:
        runtime = slowed_runtime(Path(folder), args.engine, share) if share else RUNTIME.parent
        command = [sys.executable, "-P", "-m", "pocketrec", "bench", str(args.package), "--baseline", str(args.package)]
        command += ["--baseline-runtime", str(RUNTIME.parent), "--engine", args.engine, "--gates", "latency", "--json"]
        environment = {**os.environ, "PYTHONPATH": str(runtime)}
        done = subprocess.run(
            [*command, "--seed", str(seed)], env=environment, stdout=subprocess.PIPE, text=True, check=False
        )
    found = {outcome["name"].removeprefix("latency: "): outcome for outcome in json.loads(done.stdout)["outcomes"]}
    assert (done.returncode == 3) == any(outcome["status"] == "failed" for outcome in found.values())
    return found


def slowed_runtime(folder: Path, engine: str, share: float) -> Path:
    """A copy of this runtime with a slower ranker."""
    shutil.copytree(RUNTIME, folder / "pocketrec", ignore=shutil.ignore_patterns("__pycache__"))
    with (folder / "pocketrec" / f"engine_{engine}.py").open("a", encoding="utf-8") as module:
        module.write(SLOWED.format(name=CLASSES[engine], share=share))
    return folder


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Runs that failed, and the range of each verb's ratio and lower bound."""
    verbs = {
        verb: {
            "failed": sum(found[verb]["status"] == "failed" for found in runs),
            "ratio": [min(found[verb]["ratio"] for found in runs), max(found[verb]["ratio"] for found in runs)],
            "low": [min(found[verb]["bounds"][0] for found in runs), max(found[verb]["bounds"][0] for found in runs)],
        }
        for verb in runs[0]
    }
    failed = sum(any(outcome["status"] == "failed" for outcome in found.values()) for found in runs)
    return {"runs": len(runs), "failed": failed, "verbs": verbs}


if __name__ == "__main__":
    sys.exit(main())
