"""How build time, memory, bytes and latency grow with items, users and interactions, with the exponents that fit them.

usage: python benchmarks/scale.py [--sweeps items users events] [--largest 1000000] [--events 25000000] [--threads 2]

Each point draws data (`large_build.py`), builds a package without texts in a process of its own and serves it as
`pocketrec bench` does. Points are kept in results/scale.json one by one: a run that was stopped goes on where it was.
The exponent b of y = a x^b is the slope of log y over log x from the third point of a sweep on: below, what is
constant hides it. The floor of a ranking is the bytes of its dense tables over the measured bandwidth of memory.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from machine import RESULTS, machine

NAME = "scale"
SIZES = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
EVENTS = (100_000, 300_000, 1_000_000, 3_000_000, 10_000_000, 25_000_000)
MEASURES = ("build_s", "peak_gb", "bytes", "rss_mb", "rank_p50_ms", "recommend_p50_ms")


def main() -> int:
    """Build the points that are missing, then print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--sweeps", nargs="+", choices=["items", "users", "events"], default=["items", "users", "events"]
    )
    parser.add_argument("--largest", type=int, default=SIZES[-1], help="items and users at most")
    parser.add_argument("--events", type=int, default=EVENTS[-1], help="interactions at most")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--processes", type=int, default=5)
    parser.add_argument("--again", action="store_true", help="measure the points that are there, too")
    parser.add_argument("--child", type=json.loads, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        print(json.dumps(point(args.child, args.threads, args.processes)))
        return 0
    rows = [] if args.again or not _path().exists() else json.loads(_path().read_text(encoding="utf-8"))["rows"]
    done = {_key(row) for row in rows}
    for wanted in points(args):
        if _key(wanted) not in done:
            print(f"{wanted}", file=sys.stderr)
            rows.append(_child(wanted, args))
            save(rows)
    print("\n".join(table(rows)))
    return 0


def points(args: argparse.Namespace) -> list[dict[str, Any]]:
    """What to build: one of the three grows, the others stay (20 events an item or user, at least 100,000)."""
    found = []
    for sweep in args.sweeps:
        for size in EVENTS if sweep == "events" else SIZES:
            if size > (args.events if sweep == "events" else args.largest):
                continue
            events = size if sweep == "events" else max(100_000, 20 * size)
            items = size if sweep == "items" else 10_000
            users = size if sweep == "users" else max(2_000, events // 50)
            found.append({"sweep": sweep, "items": items, "users": users, "events": events})
    return found


def _key(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("sweep", "items", "users", "events"))


def _path() -> Path:
    return RESULTS / f"{NAME}.json"


def save(rows: list[dict[str, Any]]) -> None:
    """All points so far."""
    report = {"machine": machine(), "bandwidth_gb_s": bandwidth(), "rows": rows}
    _path().write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def bandwidth() -> float:
    """Gigabytes a second that one thread reads from memory: the best of ten sums over 256 MB."""
    block = np.ones(1 << 25, np.int64)
    best = np.inf
    for _ in range(10):
        started = time.perf_counter()
        block.max()
        best = min(best, time.perf_counter() - started)
    return float(block.nbytes / best / 1e9)


def _child(wanted: dict[str, Any], args: argparse.Namespace) -> dict[str, Any]:
    command = [sys.executable, __file__, "--child", json.dumps(wanted)]
    command += ["--threads", str(args.threads), "--processes", str(args.processes)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return row


def point(wanted: dict[str, Any], threads: int, processes: int) -> dict[str, Any]:
    """Draw, build, serve."""
    import resource

    from large_build import draw
    from pocketrec.bench.requests import requests_of
    from pocketrec.bench.session import Side, measure
    from pocketrec.package import Package
    from pocketrec_export.pipeline import build

    frame = draw(items=wanted["items"], events=wanted["events"], users=wanted["users"], seed=0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.pocketrec"
        started = time.perf_counter()
        report = build(frame, out=path, threads=threads, seed=0, quiet=True)
        seconds = time.perf_counter() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        with Package.open(path) as package:
            requests = requests_of(package, history=30)
            size = package.size_bytes
            sizes = package.sizes()
            signals = list(package.manifest.signals.names)
        dense = sum(
            n for name, n in sizes.items() if name.startswith(("factors/", "text/", "attributes/", "popularity/"))
        )
        side = measure([Side(path, threads=1)], requests, k=10, processes=processes, blocks=20)[0]
    times = {
        f"{verb}_{label}_ms": float(np.median(np.quantile(found.reshape(len(found), -1), share, axis=1)))
        for verb, found in side.times.items()
        for label, share in (("p50", 0.5), ("p99", 0.99))
    }
    return {
        **wanted,
        "kept": {"items": int(frame["item"].nunique()), "users": int(frame["user"].nunique()), "events": len(frame)},
        "threads": threads,
        "build_s": seconds,
        "stages_s": {stage: round(value, 2) for stage, value in report.seconds.items()},
        "peak_gb": peak,
        "bytes": size,
        "dense_bytes": dense,
        "signals": signals,
        "rss_mb": float(np.median(side.memory)) if side.memory else None,
        **times,
    }


def exponents(rows: list[dict[str, Any]], sweep: str) -> dict[str, float | None]:
    """Measure -> slope over the points of a sweep from the third on; None with fewer than two."""
    mine = sorted((row for row in rows if row["sweep"] == sweep), key=lambda row: row["kept"][sweep])[2:]
    x = [row["kept"][sweep] for row in mine]
    return {
        name: float(np.polyfit(np.log(x), np.log([row[name] for row in mine]), 1)[0]) if len(mine) > 1 else None
        for name in MEASURES
    }


def table(rows: list[dict[str, Any]]) -> list[str]:
    """A line a point, and the exponents."""
    lines = [f"{'sweep':<8}{'items':>10}{'users':>10}{'events':>12}" + "".join(f"{name:>18}" for name in MEASURES)]
    for row in rows:
        cells = "".join(f"{row[name]:18,.3f}" for name in MEASURES)
        lines.append(f"{row['sweep']:<8}{row['items']:>10,}{row['users']:>10,}{row['events']:>12,}{cells}")
    for sweep in dict.fromkeys(row["sweep"] for row in rows):
        fitted = exponents(rows, sweep).values()
        lines.append(f"exponent over {sweep:<26}" + "".join(f"{'' if b is None else f'{b:.2f}':>18}" for b in fitted))
    return lines


if __name__ == "__main__":
    sys.exit(main())
