"""Items that nobody has chosen yet: how well users find them, at export and as items added on the device.

usage: python benchmarks/cold_items.py DATA [--scorer score.py] [--sets NAME ...] [--splits 0 1]

DATA as for `quality.py`; ``cold-items.json`` of each set names a tenth of its items. All their events are removed, then
a package is built; test users' histories are their other items, and their cold items are to be found among the cold
ones (every figure by the scorer) and among all items (Recall@20 of the lists here). ``export``: the items table had the
cold items. ``device``: it had not, and they were added to the open package. The bar is the cosine of texts by the
teacher, of `baselines.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pocketrec
from machine import save
from pocketrec_export.pipeline import build

SETS = ("ml-latest-small", "movietweetings", "online-retail")
BASELINES = json.loads((Path(__file__).parent / "baselines.json").read_text(encoding="utf-8"))
KEYS = ("ndcg10", "recall20")
DEPTH = 100


def main() -> int:
    """Build, add, rank and score every set and split, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--scorer", type=Path)
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--splits", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--work", type=Path, default=Path("build/cold"))
    parser.add_argument("--cache", type=Path, default=Path("build/quality/cache"))
    args = parser.parse_args()
    rows = [measure(args, name, split) for name in args.sets for split in args.splits]
    print("\n".join(table(rows)))
    if list(args.sets) == list(SETS) and len(args.splits) == 2:
        print(f"\nwrote {save('cold_items', rows)}")
    return 0


def measure(args: argparse.Namespace, name: str, split: int) -> dict[str, Any]:
    """One set and split, both ways."""
    folder, work = args.data / name, args.work / f"{name}-{split}"
    work.mkdir(parents=True, exist_ok=True)
    parts = pd.read_parquet(folder / f"split-{split}.parquet").astype({"user": str, "item": str})
    events = pd.read_parquet(folder / "interactions.parquet").astype({"user": str, "item": str})
    items = pd.read_parquet(folder / "items.parquet").astype({"item": str})
    cold = set(map(str, json.loads((folder / "cold-items.json").read_text(encoding="utf-8"))))
    row: dict[str, Any] = {"set": name, "split": split, "cold_items": len(cold)}
    for way in args.ways:
        package = work / f"{way}.pocketrec"
        report = build(
            events[~events["item"].isin(cold)],
            items if way == "export" else items[~items["item"].isin(cold)],
            out=package,
            split=parts[~parts["item"].isin(cold)],
            predict=False,
            cache=args.cache,
            overwrite=True,
            quiet=True,
        )
        with pocketrec.open(package) as recommender:
            if way == "device":
                recommender.add_items(_new(items[items["item"].isin(cold)]))
            found = ranked(recommender, parts, cold, warm=sorted(set(items["item"]) | set(events["item"])))
        found["recs"].to_parquet(work / f"{way}.parquet")
        row[way] = score(args, folder, split, work / f"{way}.parquet") | {
            "recall20_among_all": found["recall20"],
            "share_of_lists": found["share"],
            "settings": report.settings.get("cold"),
            "bytes": report.facts["bytes"],
        }
        print(json.dumps({"set": name, "split": split, "way": way, **row[way]}), file=sys.stderr, flush=True)
    return row


def _new(items: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {
            "item": row["item"],
            "title": row["title"],
            "text": row["text"] or "",
            "category": [name for name in (row["category"] or "").split(", ") if name],
        }
        for row in items.to_dict("records")
    ]


def ranked(recommender: Any, parts: pd.DataFrame, cold: set[str], *, warm: Sequence[str]) -> dict[str, Any]:
    """Lists of the cold items for each test user with both kinds of items, and figures of lists of all items."""
    others = [item for item in warm if item not in cold]
    in_train = set(parts.loc[parts["part"] == "train", "item"]) - cold
    rows, recalls, shares = [], [], []
    for user, mine in parts[parts["part"].isin(["test_in", "test_out"])].groupby("user"):
        history = [item for item in mine["item"] if item in in_train]
        targets = set(mine["item"]) & cold
        if not history or not targets:
            continue
        top = recommender.recommend(history, k=DEPTH, exclude=others)
        rows += [(user, result.item, rank) for rank, result in enumerate(top, 1)]
        mixed = [result.item for result in recommender.recommend(history, k=20)]
        recalls.append(len(targets & set(mixed)) / min(20, len(targets)))
        shares.append(len(cold & set(mixed)) / max(1, len(mixed)))
    recs = pd.DataFrame(rows, columns=["user", "item", "rank"])
    return {"recs": recs, "recall20": float(np.mean(recalls)), "share": float(np.mean(shares))}


def score(args: argparse.Namespace, folder: Path, split: int, recs: Path) -> dict[str, Any]:
    """The scorer's figures of a list among cold items."""
    scorer = args.scorer or args.data.parent / "score.py"
    command = [sys.executable, os.fspath(scorer), os.fspath(folder), str(split), os.fspath(recs), "--cold"]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Means over splits, as multiples of the text cosine's NDCG@10."""
    lines = [f"{'set':<17} {'way':<12}  NDCG@10  Recall@20  x cosine  among all   share     MB"]
    ratios: dict[str, list[float]] = {}
    for name in dict.fromkeys(row["set"] for row in rows):
        mine = [row for row in rows if row["set"] == name]
        bar = BASELINES[name]["cold_text_cosine"]
        lines.append(f"{name:<17} {'text cosine':<12} {bar['ndcg10']:8.4f} {bar['recall20']:10.4f}")
        for way in (way for way in WAYS if way in mine[0]):
            mean = {key: float(np.mean([row[way][key] for row in mine])) for key in (*KEYS, *MIXED, "bytes")}
            ratio = mean["ndcg10"] / bar["ndcg10"]
            ratios.setdefault(way, []).append(ratio)
            lines.append(
                f"{name:<17} {way:<12} {mean['ndcg10']:8.4f} {mean['recall20']:10.4f} {ratio:9.3f}"
                f" {mean[MIXED[0]]:10.4f} {mean[MIXED[1]]:7.4f} {mean['bytes'] / 1e6:6.2f}"
            )
    return lines + [f"mean x cosine, {way}: {np.mean(values):.3f}" for way, values in ratios.items()]


WAYS = ("export", "device")
MIXED = ("recall20_among_all", "share_of_lists")


if __name__ == "__main__":
    sys.exit(main())
