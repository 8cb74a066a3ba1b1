"""What items added on the device cost: the time to add them, and what they add to every call.

usage: python benchmarks/overlay.py X.pocketrec [--items 1000] [--calls 300]

One thread. Texts are made of the package's own titles and categories, three titles each; ids are new. They are added at
once to an open package to which one item was added before, so that its words and neighbours have been read; then p50 of
recommend with a history of 30 items, without and with the added items, in turn.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ENGINES = ("onnx", "numpy")
HISTORY, K, WARM_UP = 30, 10, 50
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def main() -> int:
    """Run a process for each engine and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=Path)
    parser.add_argument("--items", type=int, default=1000)
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--child", choices=ENGINES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        print(json.dumps(measure(args.package, args.child, args.items, args.calls)))
        return 0
    from machine import save

    rows = [_child(args, engine) for engine in ENGINES]
    for key in rows[0]:
        cells = "".join(f"{row[key]:>12}" if isinstance(row[key], str) else f"{row[key]:>12.3f}" for row in rows)
        print(f"{key:<28}{cells}")
    print(f"\nwrote {save('overlay', rows)}")
    return 0


def _child(args: argparse.Namespace, engine: str) -> dict[str, Any]:
    command = [sys.executable, __file__, os.fspath(args.package), "--child", engine]
    command += ["--items", str(args.items), "--calls", str(args.calls)]
    done = subprocess.run(command, env={**os.environ, **ONE_THREAD}, check=True, capture_output=True, text=True)
    row: dict[str, Any] = json.loads(done.stdout)
    return row


def measure(path: Path, engine: str, count: int, calls: int) -> dict[str, Any]:
    """Seconds to add, and p50 without and with the added items, calls taken in turn."""
    import numpy as np
    import pocketrec

    rng = np.random.default_rng(0)
    with pocketrec.open(path, engine=engine) as plain, pocketrec.open(path, engine=engine) as added:
        catalogue = plain.catalogue
        size = len(catalogue)
        histories = [[catalogue.id(int(i)) for i in rng.choice(min(size, 3000), HISTORY)] for _ in range(calls)]
        items = [_item(catalogue, rng.choice(size, 3).tolist(), number) for number in range(count + 1)]
        started = time.perf_counter()
        added.add_items(items[:1])
        first_ms = 1000 * (time.perf_counter() - started)
        started = time.perf_counter()
        added.add_items(items[1:])
        add_ms = 1000 * (time.perf_counter() - started)
        times: dict[str, list[float]] = {"plain": [], "added": []}
        for name, recommender in (("plain", plain), ("added", added)):
            for history in histories[:WARM_UP]:
                recommender.recommend(history, k=K)
            times[name].clear()
        for history in histories:
            for name, recommender in (("plain", plain), ("added", added)):
                started = time.perf_counter()
                recommender.recommend(history, k=K)
                times[name].append(1000 * (time.perf_counter() - started))
        p50 = {name: statistics.median(listed) for name, listed in times.items()}
    return {
        "engine": engine,
        "items": count,
        "first_ms": first_ms,
        "add_ms": add_ms,
        "plain_p50_ms": p50["plain"],
        "added_p50_ms": p50["added"],
        "growth": p50["added"] / p50["plain"] - 1,
    }


def _item(catalogue: Any, rows: list[int], number: int) -> dict[str, Any]:
    titles = [catalogue.title(row) for row in rows]
    categories = catalogue.categories(rows[0])
    text = f"{titles[0]}. {', '.join(categories)}. {' '.join(titles[1:])}."
    return {"item": f"new-{number}", "title": titles[0], "text": text, "category": categories}


if __name__ == "__main__":
    sys.exit(main())
