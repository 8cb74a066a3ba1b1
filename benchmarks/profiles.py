"""A full profile: adding one event and recommending with it, opening, memory of the file.

usage: OMP_NUM_THREADS=1 python benchmarks/profiles.py build/demo.pocketrec [--events 10000] [--calls 400]

One thread. Events are seeded draws over the catalogue, half of them from its first tenth. Timed is an `add`
followed by a `recommend` that knows of it, at a full profile; and the add that makes room for a tenth.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pocketrec
from machine import save

NOW, WARM_UP, K = 1_800_000_000.0, 50, 10


def main() -> int:
    """Measure each engine and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=Path)
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--calls", type=int, default=400)
    args = parser.parse_args()
    rows = [measure(args.package, engine, args.events, args.calls) for engine in ("onnx", "numpy")]
    for key in rows[0]:
        print(f"{key:<26}" + "".join(f"{row[key]:>12,.3f}" if key != "engine" else f"{row[key]:>12}" for row in rows))
    print(f"\nwrote {save('profiles', rows)}")
    return 0


def measure(package: Path, engine: str, events: int, calls: int) -> dict[str, Any]:
    """One engine, a profile of ``events`` events."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder, pocketrec.open(package, engine=engine) as recommender:
        path, size = Path(folder) / "me.profile", len(recommender.catalogue)
        popular = rng.random(events + calls + WARM_UP) < 0.5
        index = np.where(popular, rng.integers(0, size // 10, len(popular)), rng.integers(0, size, len(popular)))
        items = [recommender.catalogue.id(int(i)) for i in index]
        with pocketrec.Profile.open(path, max_events=events + calls + WARM_UP) as profile:
            for i in range(events):
                profile.add(items[i], when=NOW - 3600 * (events - i))
        opened = [_timed(lambda: pocketrec.Profile.open(path, write=False).close()) for _ in range(5)]
        bytes_full = path.stat().st_size
        times: dict[str, list[float]] = {"add": [], "recommend": [], "both": []}
        with pocketrec.Profile.open(path, max_events=events + calls + WARM_UP) as profile:
            for i, item in enumerate(items[events:]):
                added = _timed(lambda item=item: profile.add(item, when=NOW))  # type: ignore[misc]
                answered = _timed(lambda: recommender.recommend(profile=profile, k=K, now=NOW))
                if i >= WARM_UP:
                    for name, value in (("add", added), ("recommend", answered), ("both", added + answered)):
                        times[name].append(value)
        with pocketrec.Profile.open(path, max_events=events) as profile:
            making_room = _timed(lambda: profile.add(items[0], when=NOW))
    row: dict[str, Any] = {"engine": engine, "events": events, "distinct_items": len(set(items[:events]))}
    for name, values in times.items():
        row |= {f"{name}_p{q}_ms": float(np.percentile(values, q)) for q in (50, 95, 99)}
    return row | {"open_ms": float(np.median(opened)), "making_room_ms": making_room, "file_bytes": bytes_full}


def _timed(call: Any) -> float:
    started = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - started)


if __name__ == "__main__":
    sys.exit(main())
