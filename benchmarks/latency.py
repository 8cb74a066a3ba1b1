"""Packages of 10,000 to 1,000,000 items, factors alone and all signals: what one call and one ranking cost.

usage: python benchmarks/latency.py [--factors 100000 1000000] [--full 10000 100000] [--processes 5]

The packages are drawn (`made_packages.py`); the times are those of `pocketrec bench`: processes of the engines take
turns, one thread, median over the processes of each one's p50, p95 and p99. "rank" is the engine alone: fold-in of a
history of 30, scores of every item, mask, top 10 with each signal's contribution. "recommend" and "search" are the
Python calls, texts tokenized and encoded, results with titles.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path
from typing import Any

import numpy as np
from machine import save
from made_packages import HISTORY, draw_world, write_made
from pocketrec.bench.requests import requests_of
from pocketrec.bench.session import Side, measure
from pocketrec.package import Package
from pocketrec_export.targets import TARGETS, retarget

ENGINES = ("onnx", "litert", "numpy")


def main() -> int:
    """Measure every package and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--factors", type=int, nargs="*", default=[100_000, 1_000_000], metavar="ITEMS")
    parser.add_argument("--full", type=int, nargs="*", default=[10_000, 100_000], metavar="ITEMS")
    parser.add_argument("--processes", type=int, default=5)
    parser.add_argument("--blocks", type=int, default=40)
    parser.add_argument("--work", type=Path, default=Path("build/latency"))
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    rows = []
    for full, sizes in ((False, args.factors), (True, args.full)):
        for items in sizes:
            path = args.work / f"{'full' if full else 'factors'}-{items}.pocketrec"
            if not path.exists():
                write_made(path, draw_world(items, queries=1).white, full=full)
                retarget(path, path, targets=TARGETS, overwrite=True)
            rows += engines(path, items, full, args)
    print("\n".join(table(rows)))
    print(f"\nwrote {save('latency', rows)}")
    return 0


def engines(path: Path, items: int, full: bool, args: argparse.Namespace) -> list[dict[str, Any]]:
    """Every engine on one package, a row each."""
    with Package.open(path) as package:
        requests = requests_of(package, history=HISTORY)
    sides = [Side(path, engine=engine) for engine in ENGINES]
    found = measure(sides, requests, k=10, processes=args.processes, blocks=args.blocks)
    rows = []
    for engine, side in zip(ENGINES, found, strict=True):
        times = {}
        for verb, measured in side.times.items():
            cuts = np.quantile(measured.reshape(len(measured), -1), [0.5, 0.95, 0.99], axis=1)
            times[verb] = dict(zip(("p50_ms", "p95_ms", "p99_ms"), np.median(cuts, axis=1).tolist(), strict=True))
        rows.append(
            {
                "items": items,
                "signals": "all" if full else "factors",
                "engine": engine,
                "bytes": path.stat().st_size,
                "rss_mb": statistics.median(side.memory) if side.memory else None,
                "open_ms": statistics.median(started["open_ms"] for started in side.started),
                "times": times,
            }
        )
    return rows


def table(rows: list[dict[str, Any]]) -> list[str]:
    """A line for each verb of a row."""
    lines = [
        f"{'items':>9} {'signals':<9}{'engine':<8}{'verb':<11}{'p50':>9}{'p95':>9}{'p99':>9} ms{'MB':>8}{'RSS':>8}"
    ]
    for row in rows:
        for verb, cuts in row["times"].items():
            times = "".join(f"{value:9.3f}" for value in cuts.values())
            lines.append(
                f"{row['items']:>9,} {row['signals']:<9}{row['engine']:<8}{verb:<11}{times}   "
                f"{row['bytes'] / 1e6:8.1f}{row['rss_mb'] or 0:8.1f}"
            )
    return lines


if __name__ == "__main__":
    sys.exit(main())
