"""Ten best items for a history of 30, by Pocketrec and its peers: time, recall, bytes, memory, build time in one row.

usage: python benchmarks/peers.py --python PEERS_PYTHON [--items 10000 100000 1000000] [--processes 5] [--only NAME ...]

PEERS_PYTHON is the interpreter of an environment with the peers (see README.md); all that is timed runs there. The
factors are drawn (`made_packages.py`). First every method is built, its dial is tuned on 200 queries to recall@10 >=
0.99, and its lists for 200 others are compared with an exact search in float64. Then rounds of processes, methods in
random order, one thread, 20 calls to warm up, 200 timed. Shown are medians over the processes of each one's p50, p95
and p99; a call folds the user in, searches and leaves out the history, whoever does which.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

SIZES = (10_000, 100_000, 1_000_000)
TUNING, TIMED, WARM_UP, ENOUGH = 200, 200, 20, 0.99
HERE = Path(__file__).resolve().parent
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def main() -> int:
    """Build, check, time, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable, help="of the environment with the peers")
    parser.add_argument("--items", type=int, nargs="+", default=SIZES)
    parser.add_argument("--processes", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2, help="of building an index, where it can use them")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="methods whose name holds one of these")
    parser.add_argument("--work", type=Path, default=Path("build/peers"))
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        print(json.dumps((build if args.child[0] == "build" else timed)(args.work, args.child[1], args.threads)))
        return 0
    from machine import save
    from peer_methods import METHODS

    names = [name for name in METHODS if not args.only or any(part in name for part in args.only)]
    rows = [row for items in args.items for row in measure(args, items, names)]
    print("\n".join(table(rows)))
    print(f"\nwrote {save('peers', rows)}")
    return 0


def measure(args: argparse.Namespace, items: int, names: list[str]) -> list[dict[str, Any]]:
    """All methods on one size."""
    folder = args.work / str(items)
    if not (folder / "best.npy").exists():
        draw(folder, items)
    built = {}
    for name in names:
        print(f"{items:,} items: building {name}", file=sys.stderr)
        built[name] = child(args, folder, "build", name)
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    order = random.Random(0)
    for number in range(args.processes):
        print(f"{items:,} items: round {number + 1} of {args.processes}", file=sys.stderr)
        for name in order.sample(names, len(names)):
            runs[name].append(child(args, folder, "time", name))
    return [
        {"items": items, "method": name, **built[name]}
        | {key: statistics.median(run[key] for run in runs[name]) for key in runs[name][0]}
        for name in names
    ]


def draw(folder: Path, items: int) -> None:
    """The data of one size, and the package of its factors."""
    import numpy as np
    from made_packages import draw_world, exact_best, write_made

    folder.mkdir(parents=True, exist_ok=True)
    world = draw_world(items, queries=TUNING + TIMED)
    write_made(folder / "factors.pocketrec", world.white, full=False)
    for name in ("factors", "white", "histories"):
        np.save(folder / f"{name}.npy", getattr(world, name))
    np.save(folder / "best.npy", exact_best(world, 10))


def child(args: argparse.Namespace, folder: Path, what: str, name: str) -> dict[str, Any]:
    """A process of the peers' environment."""
    command = [args.python, os.fspath(HERE / "peers.py"), "--work", os.fspath(folder), "--child", what, name]
    command += ["--threads", str(args.threads)]
    path = os.pathsep.join(str(HERE.parent / part) for part in ("runtime", "export", "benchmarks"))
    environment = {**os.environ, **(ONE_THREAD if what == "time" else {}), "PYTHONPATH": path}
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _files(folder: Path, name: str) -> Path:
    return folder / f"{''.join(char if char.isalnum() else '-' for char in name)}.index"


def build(folder: Path, name: str, threads: int) -> dict[str, Any]:
    """Build one index, tune its dial, compare its lists with the reference."""
    from peer_methods import METHODS, Data

    data, method, path = Data(folder), METHODS[name], _files(folder, name)
    started = time.perf_counter()
    method.build(data, path, threads)
    seconds = time.perf_counter() - started
    method.open(data, path)
    chosen = None
    for dial in method.dials:
        method.turn(dial)
        chosen = dial
        if recall(method, data, range(TUNING)) >= ENOUGH:
            break
    path.with_suffix(".json").write_text(json.dumps({"dial": chosen}), encoding="utf-8")
    return {
        "build_s": seconds,
        "bytes": path.stat().st_size,
        "dial": chosen,
        "recall10": recall(method, data, range(TUNING, TUNING + TIMED)),
    }


def recall(method: Any, data: Any, queries: range) -> float:
    """Share of the reference's ten best that are found, mean over queries."""
    found = [len(set(map(int, method.recommend(query))) & set(data.best[query].tolist())) for query in queries]
    return sum(found) / (10 * len(found))


def timed(folder: Path, name: str, threads: int) -> dict[str, Any]:
    """Percentiles of one process, and what it holds in memory."""
    from peer_methods import METHODS, Data, facts_of

    data, method, path = Data(folder), METHODS[name], _files(folder, name)
    before = _resident_mb()
    method.open(data, path)
    dial = facts_of(path)["dial"]
    if dial is not None:
        method.turn(dial)
    for query in range(WARM_UP):
        method.recommend(query)
    times = []
    for query in range(TUNING, TUNING + TIMED):
        started = time.perf_counter()
        method.recommend(query)
        times.append(1000 * (time.perf_counter() - started))
    cuts = statistics.quantiles(times, n=100)
    memory = _resident_mb() - before
    return {"p50_ms": cuts[49], "p95_ms": cuts[94], "p99_ms": cuts[98], "rss_mb": memory}


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def table(rows: list[dict[str, Any]]) -> list[str]:
    """A line a method."""
    lines = [f"{'items':>9}  {'method':<42}{'p50':>9}{'p95':>9}{'p99':>9} ms  recall  {'MB':>8}{'RSS':>8}  build s"]
    for row in rows:
        times = "".join(f"{row[key]:9.3f}" for key in ("p50_ms", "p95_ms", "p99_ms"))
        lines.append(
            f"{row['items']:>9,}  {row['method'].strip('*'):<42}{times}     {row['recall10']:.4f}"
            f"{row['bytes'] / 1e6:9.1f}{row['rss_mb']:8.1f}{row['build_s']:9.1f}"
        )
    return lines


if __name__ == "__main__":
    sys.exit(main())
