"""Package against full model on held-out users of evaluation sets, scored by an independent scorer.

usage: python benchmarks/quality.py DATA [--scorer score.py] [--sets NAME ...] [--splits 0 1] [--min-users 2]
       [--baselines]

DATA holds one folder a set with interactions.parquet, items.parquet and split-N.parquet. Every figure of the
table comes from the scorer (default: score.py beside DATA), which reads only the lists that
`pocketrec evaluate` wrote. Baselines are those of `baselines.json`, beside this script; `--baselines` also tunes the
repository's own on the same validation users and measures them on the same test users (``compared`` of the results).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from machine import save
from pocketrec_export.evaluate import evaluate
from pocketrec_export.pipeline import build

SETS = ("ml-latest-small", "movietweetings", "online-retail")
BASELINES = json.loads((Path(__file__).parent / "baselines.json").read_text(encoding="utf-8"))
DEFAULT_MIN_USERS = 2
KEYS = ("ndcg10", "recall20", "ndcg100")


def main() -> int:
    """Build, rank and score every set and split, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--scorer", type=Path)
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--splits", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--min-users", type=int, default=DEFAULT_MIN_USERS)
    parser.add_argument("--baselines", action="store_true", help="tune the baselines here, not only copy them")
    parser.add_argument("--work", type=Path, default=Path("build/quality"))
    args = parser.parse_args()
    scorer = args.scorer or args.data.parent / "score.py"
    rows = [measure(args, scorer, name, split) for name in args.sets for split in args.splits]
    print("\n".join(table(rows)))
    name = "quality" if args.min_users == DEFAULT_MIN_USERS else f"quality-min-users-{args.min_users}"
    print(f"\nwrote {save(name, rows)}")
    return 0


def measure(args: argparse.Namespace, scorer: Path, name: str, split: int) -> dict[str, Any]:
    """One build of one set and split."""
    folder, work = args.data / name, args.work / f"{name}-{split}"
    work.mkdir(parents=True, exist_ok=True)
    package, full = work / "x.pocketrec", work / "full"
    lists = {"package": work / "recs.parquet", "full": work / "full-recs.parquet"}
    parts = folder / f"split-{split}.parquet"
    started = time.perf_counter()
    report = build(
        folder / "interactions.parquet",
        folder / "items.parquet",
        out=package,
        split=parts,
        preset=args.preset,
        min_users=args.min_users,
        save_full=full,
        cache=args.work / "cache",
        overwrite=True,
    )
    seconds = time.perf_counter() - started
    compared = evaluate(
        package,
        folder / "interactions.parquet",
        split=parts,
        full=full,
        recs=lists["package"],
        full_recs=lists["full"],
        baselines=args.baselines,
        overwrite=True,
    ).as_dict()
    scored = {
        model: json.loads(
            subprocess.run(
                [sys.executable, os.fspath(scorer), os.fspath(folder), str(split), os.fspath(path)],
                check=True,
                capture_output=True,
                text=True,
            ).stdout
        )
        for model, path in lists.items()
    }
    return {
        "set": name,
        "split": split,
        **scored,
        "difference": compared["differences"]["full"]["ndcg10"],
        "compared": compared,
        "bytes": report.facts["bytes"],
        "full_bytes": report.full_bytes,
        "student": report.student,
        "settings": report.settings,
        "min_users": args.min_users,
        "build_s": round(seconds, 1),
    }


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Means over splits, against the best tuned baseline in each column."""
    lines = ["set               model            NDCG@10  Recall@20  NDCG@100      MB   package/full"]
    for name in dict.fromkeys(row["set"] for row in rows):
        mine = [row for row in rows if row["set"] == name]
        figures = {
            "baseline": [BASELINES[name]["best"][key] for key in KEYS],
            **own_baselines(mine),
            "full model": [mean(row["full"][key] for row in mine) for key in KEYS],
            "package": [mean(row["package"][key] for row in mine) for key in KEYS],
        }
        ratio = figures["package"][0] / figures["full model"][0]
        sizes = {
            key: mean(row[of] for row in mine) / 1e6 for key, of in (("package", "bytes"), ("full model", "full_bytes"))
        }
        for model, values in figures.items():
            size = f"{sizes[model]:8.2f}" if model in sizes else " " * 8
            tail = f"   {ratio:.4f}" if model == "package" else ""
            lines.append(f"{name:<17} {model:<15} " + "".join(f"{value:9.4f}" for value in values) + size + tail)
    return lines


def own_baselines(rows: list[dict[str, Any]]) -> dict[str, list[float]]:
    """Name -> means over the splits of one set's rows; empty where none were tuned."""
    tuned = [row["compared"].get("baselines", {}) for row in rows]
    return {name: [mean(found[name][key] for found in tuned) for key in KEYS] for name in tuned[0]}


def mean(values: Any) -> float:
    """The arithmetic mean."""
    listed = list(values)
    return float(sum(listed) / len(listed))


if __name__ == "__main__":
    sys.exit(main())
