"""Latency of the Kotlin library on the JVM: verbs on a package, search in 100,000 items, tokenizing.

usage: PYTHONPATH=android_demo:tests python benchmarks/android_core.py build/demo.pocketrec [--processes 5]

One thread, no native code. Each process opens the packages, warms up until the JVM has compiled what is measured, and
times single calls; reported are medians over the processes of each process's p50 and p95. The package of 100,000 items
holds random texts of 256 numbers as its only signal.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path

from sdkless import compile, modules
from sdkless.fetch import fetch_all
from worlds import random_world

LARGE = Path("build/android-large.pocketrec")


def main() -> int:
    """Run the processes and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=Path)
    parser.add_argument("--processes", type=int, default=5)
    args = parser.parse_args()
    from machine import save

    fetch_all()
    if not LARGE.exists():
        random_world(LARGE, items=100_000, signals=("semantic",), text_dim=256, graphs=False)
    paths = [path.resolve() for path in (args.package, LARGE)]
    classes = [modules.core_tests(), modules.core()]
    runs = [
        json.loads(compile.program(classes, "dev.pocketrec.bench.CoreBenchmark", *paths)) for _ in range(args.processes)
    ]
    figures = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
    print("\n".join(f"{key:<36}{value:>12,.4f}" for key, value in figures.items()))
    print(f"\nwrote {save('android-core', [figures])}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
