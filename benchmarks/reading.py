"""How fast interactions are read and cleaned, and in how much memory.

usage: python benchmarks/reading.py [--rows 25000000] [--folder build/reading] [--repeats 1]

Makes its own files, seeded, like MovieLens 25M in shape (162,000 users, 59,000 items, a long tail, half-star
ratings) with a little dirt for most rules; then reads each of them with `read_interactions` in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from machine import save

USERS, ITEMS, PART = 162_000, 59_000, 1_000_000
NEWEST = 1_700_000_000
SEED = 25


def main() -> int:
    """Make the files that are not there, read each, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=25_000_000)
    parser.add_argument("--folder", type=Path, default=Path("build/reading"))
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)  # what a process of its own does
    args = parser.parse_args()
    if args.read is not None:
        print(json.dumps(read(args.read)))
        return 0
    args.folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for suffix in ("parquet", "csv"):
        path = args.folder / f"{args.rows}.{suffix}"
        if not path.exists():
            write(path, args.rows)
        runs = [measured(path) for _ in range(args.repeats)]
        rows.append(
            {
                **runs[0],
                "format": suffix,
                "file_mb": round(path.stat().st_size / 1e6, 1),
                "read_s": statistics.median(run["read_s"] for run in runs),
                "peak_rss_mb": max(run["peak_rss_mb"] for run in runs),
                "repeats": args.repeats,
            }
        )
    print(f"{'format':<8} {'rows':>12} {'file MB':>9} {'seconds':>8} {'rows/s':>11} {'peak RSS MB':>12}")
    for row in rows:
        row["rows_per_s"] = round(row["rows_read"] / row["read_s"])
        cells = f"{row['file_mb']:>9,.0f} {row['read_s']:>8.1f} {row['rows_per_s']:>11,} {row['peak_rss_mb']:>12,.0f}"
        print(f"{row['format']:<8} {row['rows_read']:>12,} {cells}")
    print(f"wrote {save('reading', rows)}")
    return 0


def measured(path: Path) -> dict[str, Any]:
    """One reading in a new process."""
    command = [sys.executable, __file__, "--read", str(path)]
    result: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return result


def read(path: Path) -> dict[str, Any]:
    """Seconds and peak memory of this process, and what came out, so that a fast nothing shows."""
    import resource

    from pocketrec_export.read import read_interactions
    from pocketrec_export.rules import Rules

    started = time.perf_counter()
    found = read_interactions(path, rules=Rules(now=float(NEWEST)))
    seconds = time.perf_counter() - started
    unit = 1024 if sys.platform == "darwin" else 1
    return {
        "read_s": round(seconds, 2),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 / unit),
        "rows_read": found.cleaning.rows_read,
        "rows_kept": found.cleaning.rows_kept,
        "pairs": len(found),
        "users": len(found.users),
        "items": len(found.items),
        "value_kind": found.value_kind,
        "findings": {note.name: note.count for note in found.cleaning.findings if note.name},
    }


def write(path: Path, rows: int) -> None:
    """The seeded file, a million rows at a time."""
    text = pa.string()
    schema = pa.schema([("user", text), ("item", text), ("rating", text), ("timestamp", pa.int64())])
    temporary = path.with_suffix(".tmp")
    writer = pq.ParquetWriter if path.suffix == ".parquet" else pacsv.CSVWriter
    with writer(temporary, schema) as file:
        for table in parts(rows, schema):
            file.write_table(table)
    temporary.rename(path)


def parts(rows: int, schema: pa.Schema) -> Iterator[pa.Table]:
    """Rows in order of time, as a log has them."""
    rng = np.random.default_rng(SEED)
    users = pa.array([str(100_000 + user) for user in range(USERS)])
    items = pa.array([f"m{item}" for item in range(ITEMS)])
    stars = pa.array(["0.5", "1", "1.5", "2", "2.5", "3", "3.5", "4", "4.5", "5", "", "bad", "45", "-1"])
    share = np.array([1, 3, 2, 7, 5, 20, 13, 27, 9, 13, 0.05, 0.02, 0.02, 0.02])
    for first in range(0, rows, PART):
        size = min(PART, rows - first)
        time_s = NEWEST - 800_000_000 + np.sort(rng.integers(0, 800_000_000, size)) * (first + size) // rows
        time_s[rng.random(size) < 1e-5] = 0
        time_s[rng.random(size) < 1e-5] = 32_503_680_000
        columns = [
            users.take(pa.array((rng.beta(0.7, 2.5, size) * USERS).astype(np.int64))),
            items.take(pa.array((rng.beta(0.4, 6.0, size) * ITEMS).astype(np.int64))),
            stars.take(pa.array(rng.choice(len(stars), size, p=share / share.sum()))),
            pa.array(time_s),
        ]
        yield pa.table(columns, schema=schema)


if __name__ == "__main__":
    sys.exit(main())
