"""A global time split: package and full model against tuned baselines, popularity that fades with age among them.

usage: python benchmarks/time_split.py DATA [--sets NAME ...] [--test SHARE ...] [--preset quick] [--threads N]

DATA holds one folder a set with interactions.parquet (with timestamps) and items.parquet. The split is that of
`pocketrec split --by time`: the latest part of the positives is test, a part of the same size before it validation; see
docs/EVALUATION.md. Few users of a small set have a history before one moment and something to find after it, so
several moments may be tried (``--test 0.1 0.2 0.3``), each with a build of its own. Sets and moments that are not
measured this time keep what was measured before by the same commit; each row says where it comes from.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from machine import RESULTS, machine, save
from pocketrec_export.divide import divide
from pocketrec_export.evaluate import evaluate
from pocketrec_export.pipeline import build

SETS = ("ml-latest-small", "movietweetings")
KEYS = ("ndcg10", "recall20", "ndcg100", "mrr")


def main() -> int:
    """Split, build and measure every set and moment, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--test", nargs="+", type=float, default=[0.1])
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--work", type=Path, default=Path("build/time_split"))
    args = parser.parse_args()
    rows = [measure(args, name, share) for name in args.sets for share in args.test]
    print("\n".join(table(rows)))
    print(f"\nwrote {save('time_split', kept(rows) + rows)}")
    return 0


def kept(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Earlier rows of the same commit for other sets or moments."""
    path = RESULTS / "time_split.json"
    before = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []
    new, commit = {(row["set"], row["test_share"]) for row in rows}, machine()["commit"]
    return [
        row
        for row in before
        if (row["set"], row["test_share"]) not in new and row.get("machine", {}).get("commit") == commit
    ]


def measure(args: argparse.Namespace, name: str, share: float) -> dict[str, Any]:
    """One set and moment: split, build, compare."""
    source, items = args.data / name / "interactions.parquet", args.data / name / "items.parquet"
    work = args.work / f"{name}-{share:g}"
    work.mkdir(parents=True, exist_ok=True)
    parts, package, full = work / "split.parquet", work / "x.pocketrec", work / "full"
    split = divide(source, out=parts, by="time", test=share, validation=share, overwrite=True).as_dict()
    del split["path"]
    started = time.perf_counter()
    report = build(
        source,
        items,
        out=package,
        split=parts,
        preset=args.preset,
        save_full=full,
        cache=args.work.parent / "quality" / "cache",
        threads=args.threads,
        overwrite=True,
    )
    seconds = time.perf_counter() - started
    compared = evaluate(package, source, split=parts, full=full, baselines=True).as_dict()
    row = {
        "set": name,
        "test_share": share,
        "machine": machine(),
        "split": split,
        "compared": compared,
        "settings": report.settings,
        "bytes": report.facts["bytes"],
        "full_bytes": report.full_bytes,
        "build_s": round(seconds, 1),
    }
    print("\n".join(table([row])), flush=True)
    return row


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Every model on every set; v marks the baseline that validation chooses, * the one best on the test users."""
    lines = []
    for row in rows:
        compared = row["compared"]
        best = compared["best_baseline"]["ndcg10"]
        chosen = max(compared["baselines"], key=lambda name: float(compared["baselines"][name]["validation_ndcg10"]))
        lines.append(f"{row['set']}, latest {row['test_share']:.0%}: {compared['package']['users']:,} test users")
        models = {**compared["baselines"], "full model": compared["full"], "package": compared["package"]}
        for name, values in models.items():
            mark = " v" * (name == chosen) + " *" * (name == best)
            lines.append(f"  {name:<20}" + "".join(f"{values[key]:9.4f}" for key in KEYS) + mark)
        for name in dict.fromkeys((chosen, best)):
            difference = compared["differences"][name]["ndcg10"]
            low, high = difference["ci95"]
            lines.append(f"  package - {name}: NDCG@10 {difference['mean']:+.4f} ({low:+.4f} to {high:+.4f})")
    return lines


if __name__ == "__main__":
    sys.exit(main())
