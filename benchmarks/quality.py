"""Package against full model on held-out users of evaluation sets, scored by an independent scorer.

usage: python benchmarks/quality.py DATA [--scorer score.py] [--sets NAME ...] [--splits 0 1] [--min-users 2]
       [--baselines | --baselines-only]

DATA holds one folder a set with interactions.parquet, items.parquet and split-N.parquet. Every figure of the
table comes from the scorer (default: score.py beside DATA), which reads only the lists that
`pocketrec evaluate` wrote. Baselines are those of `baselines.json`, beside this script. `--baselines` also tunes
the repository's own on the same validation users and compares them on the same test users (``compared`` of the
results); `--baselines-only` tunes them, has the scorer measure them, and builds nothing.
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
from pocketrec_export.baselines import rank_with_scorer
from pocketrec_export.dataset import make_dataset
from pocketrec_export.evaluate import evaluate, tuned_baselines
from pocketrec_export.pipeline import build
from pocketrec_export.progress import Progress
from pocketrec_export.rankings import write_recs
from pocketrec_export.read import read_interactions
from pocketrec_export.split_files import read_split

SETS = ("ml-latest-small", "movietweetings", "online-retail")
BASELINES = json.loads((Path(__file__).parent / "baselines.json").read_text(encoding="utf-8"))
KNOWN = {"item_knn": "item-kNN", "als": "iALS", "ease": "EASE"}
"""Names in `baselines.json` of the repository's baselines."""
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
    parser.add_argument("--baselines-only", action="store_true", help="tune and measure the baselines, build nothing")
    parser.add_argument("--work", type=Path, default=Path("build/quality"))
    args = parser.parse_args()
    scorer = args.scorer or args.data.parent / "score.py"
    folds = [(name, split) for name in args.sets for split in args.splits]
    if args.baselines_only:
        found = [measure_baselines(args, scorer, name, split) for name, split in folds]
        print("\n".join(baselines_table(found)))
        print(f"\nwrote {save('baselines', found)}")
        return 0
    rows = [measure(args, scorer, name, split) for name, split in folds]
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
    scored = {model: score(scorer, folder, split, path) for model, path in lists.items()}
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
        "ablation": report.ablation,
        "min_users": args.min_users,
        "build_s": round(seconds, 1),
    }


def measure_baselines(args: argparse.Namespace, scorer: Path, name: str, split: int) -> dict[str, Any]:
    """The repository's own baselines on one set and split."""
    folder, work = args.data / name, args.work / f"{name}-{split}"
    work.mkdir(parents=True, exist_ok=True)
    events = read_interactions(folder / "interactions.parquet")
    dataset = make_dataset(events, read_split(folder / f"split-{split}.parquet"))
    found = {}
    for baseline, tuned in tuned_baselines(dataset, progress=Progress()).items():
        path = work / f"{baseline}-recs.parquet"
        write_recs(path, dataset, rank_with_scorer(tuned.scorer, dataset.test, eligible=dataset.train_items))
        found[baseline] = {**score(scorer, folder, split, path), **tuned.as_dict()}
    return {"set": name, "split": split, "baselines": found}


def score(scorer: Path, folder: Path, split: int, lists: Path) -> dict[str, Any]:
    """What the independent scorer says of lists."""
    words = [sys.executable, os.fspath(scorer), os.fspath(folder), str(split), os.fspath(lists)]
    result: dict[str, Any] = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    return result


def baselines_table(rows: list[dict[str, Any]]) -> list[str]:
    """Means over splits of every baseline, the known figure for NDCG@10 beside."""
    lines = ["set               baseline         NDCG@10  Recall@20  NDCG@100   known NDCG@10"]
    for name in dict.fromkeys(row["set"] for row in rows):
        mine = [row["baselines"] for row in rows if row["set"] == name]
        for baseline in mine[0]:
            values = [mean(found[baseline][key] for found in mine) for key in KEYS]
            known = BASELINES[name].get(KNOWN.get(baseline, baseline), {}).get("ndcg10")
            tail = "" if known is None else f"{known:12.4f}"
            lines.append(f"{name:<17} {baseline:<15} " + "".join(f"{value:9.4f}" for value in values) + tail)
    return lines


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
