"""Latency, cold start, memory and size of a package, each engine in processes of its own.

usage: python benchmarks/serving.py build/demo.pocketrec [--processes 5]

One thread. In every process: open, warm up, then time single calls over 200 synthetic histories of 30 items
and 200 queries made of catalogue titles. Reported are medians over the processes of each process's p50, p95
and p99, the engines in turn. "naive" is the same scoring of the factors in plain numpy float32: exact fold-in
by a dense solve, one matrix product, argpartition.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ENGINES = ("onnx", "numpy")
HISTORY, K, CALLS, WARM_UP = 30, 10, 200, 50
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
HEAVY = ("torch", "transformers", "pandas", "scipy", "onnx", "pyarrow", "implicit", "tokenizers")


def main() -> int:
    """Run the processes and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=Path)
    parser.add_argument("--processes", type=int, default=5)
    parser.add_argument("--child", choices=[*ENGINES, "cold-onnx", "cold-numpy"], help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        cold = args.child.startswith("cold-")
        engine = args.child.removeprefix("cold-")
        print(json.dumps(cold_start(args.package, engine) if cold else serve(args.package, engine)))
        return 0
    from machine import save

    runs: dict[str, list[dict[str, float]]] = {}
    for _ in range(args.processes):
        for child in (*ENGINES, *(f"cold-{engine}" for engine in ENGINES)):
            runs.setdefault(child, []).append(_child(args.package, child))
    rows = [
        {
            "engine": engine,
            "package_bytes": args.package.stat().st_size,
            **_medians(runs[engine]),
            **_medians(runs[f"cold-{engine}"]),
        }
        for engine in ENGINES
    ]
    print("\n".join(table(rows)))
    print(f"\nwrote {save('serving', rows)}")
    return 0


def _child(package: Path, child: str) -> dict[str, float]:
    command = [sys.executable, __file__, os.fspath(package), "--child", child]
    started = time.perf_counter()
    done = subprocess.run(command, env={**os.environ, **ONE_THREAD}, check=True, capture_output=True, text=True)
    figures: dict[str, float] = json.loads(done.stdout)
    if child.startswith("cold-"):
        figures["process_ms"] = 1000 * (time.perf_counter() - started)
    return figures


def _medians(runs: list[dict[str, float]]) -> dict[str, float]:
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def cold_start(path: Path, engine: str) -> dict[str, float]:
    """Import, open and the first recommendation and search of a new process."""
    started = time.perf_counter()
    import pocketrec

    imported = time.perf_counter()
    with pocketrec.open(path, engine=engine) as recommender:
        opened = time.perf_counter()
        recommender.recommend([recommender.catalogue.id(index) for index in range(HISTORY)], k=K)
        if recommender.package.manifest.encoder:
            recommender.search("space adventure with robots", k=K)
        answered = time.perf_counter()
    loaded = [name for name in HEAVY if name in sys.modules]
    assert not loaded, f"the runtime imported {loaded}"
    return {
        "import_ms": 1000 * (imported - started),
        "open_ms": 1000 * (opened - imported),
        "first_answers_ms": 1000 * (answered - opened),
    }


def serve(path: Path, engine: str) -> dict[str, float]:
    """Percentiles of warm calls, and the memory of the process."""
    import numpy as np
    import pocketrec

    with pocketrec.open(path, engine=engine) as recommender:
        catalogue = recommender.catalogue
        rng = np.random.default_rng(0)
        size = len(catalogue)
        histories = [
            [catalogue.id(int(index)) for index in rng.choice(min(size, 3000), HISTORY, replace=False)]
            for _ in range(CALLS)
        ]
        texts = [catalogue.title(int(index)) for index in rng.choice(size, CALLS)]
        figures = _percentiles("recommend", lambda i: recommender.recommend(histories[i], k=K))
        if recommender.package.manifest.encoder:
            figures |= _percentiles("search", lambda i: recommender.search(texts[i], k=K))
        figures |= _percentiles("similar", lambda i: recommender.similar(histories[i][0], k=K))
        figures["peak_rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        figures["rss_mb"] = _resident_mb()
        # After the memory is read: the reference needs tables of its own.
        if recommender.package.has("factors/value"):
            figures |= _percentiles("naive", _naive(recommender, histories))
    return figures


def _naive(recommender: Any, histories: list[list[str]]) -> Callable[[int], Any]:
    import numpy as np

    package, alpha = recommender.package, recommender.package.manifest.signals.factors.alpha
    scale = package.array("factors/scale")[:, None]
    table = (package.array("factors/value").astype(np.float32) - 128) * scale
    index = [np.array([recommender.catalogue.index(item) for item in history]) for history in histories]
    identity = np.eye(table.shape[1], dtype=np.float32)

    def call(i: int) -> Any:
        rows = table[index[i]]
        user = np.linalg.solve(identity + (alpha - 1) * rows.T @ rows, alpha * rows.sum(0))
        score = table @ user.astype(np.float32)
        score[index[i]] = -np.inf
        best = np.argpartition(-score, K)[:K]
        return best[np.argsort(-score[best])]

    return call


def _percentiles(name: str, call: Callable[[int], Any]) -> dict[str, float]:
    for i in range(WARM_UP):
        call(i)
    times = []
    for i in range(CALLS):
        started = time.perf_counter()
        call(i)
        times.append(1000 * (time.perf_counter() - started))
    cuts = statistics.quantiles(times, n=100)
    return {f"{name}_p50_ms": statistics.median(times), f"{name}_p95_ms": cuts[94], f"{name}_p99_ms": cuts[98]}


def _resident_mb() -> float:
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    except OSError:
        return float("nan")
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def table(rows: list[dict[str, Any]]) -> list[str]:
    """One column an engine."""
    lines = [f"{'':<28}" + "".join(f"{row['engine']:>12}" for row in rows)]
    for key in rows[0]:
        if key not in ("engine",):
            cells = "".join(f"{row[key]:>12,.3f}" if row[key] < 1e5 else f"{row[key]:>12,.0f}" for row in rows)
            lines.append(f"{key:<28}{cells}")
    return lines


if __name__ == "__main__":
    sys.exit(main())
