"""Do reasons tell the truth? Take the cited item out of the history and rank again.

usage: python benchmarks/reasons.py DATA [--work build/quality] [--sets NAME ...] [--splits 0 1] [--users 150]

For each test user and each item of their list of ten, the history item that is cited first is removed, then each of the
strongest three, and each that is told (`Recommendation.main_reasons`, three at most). Reported: how often the item's
whole score falls, and how far the contributions of all reasons are from the score. The packages are those that
quality.py left.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pocketrec
from fold import SETS, open_fold
from machine import save

BAR = 0.97
CITED = 3


def main() -> int:
    """Measure every set, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--work", type=Path, default=Path("build/quality"))
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--splits", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--users", type=int, default=150)
    args = parser.parse_args()
    rows = [
        {"set": name, "split": split}
        | measure(args.data / name, args.work / f"{name}-{split}" / "x.pocketrec", split, args.users)
        for name in args.sets
        for split in args.splits
    ]
    print(f"{'set':<18}{'first':>9}{'any of 3':>10}{'told':>9}{'told/list':>11}{'removals':>10}{'largest gap':>13}")
    for row in rows:
        shares = f"{row['falls_first']:>9.2%}{row['falls_cited']:>10.2%}{row['falls_told']:>9.2%}"
        told = f"{row['told']:>11.2f}{'' if row['falls_told'] >= BAR else '  below the bar'}"
        print(f"{row['set']:<18}{shares}{told}{row['removals']:>10,}{row['largest_relative_gap']:>13.1e}")
    print(f"\nwrote {save('reasons', rows)}")
    return 0


def measure(folder: Path, package: Path, split: int, users: int) -> dict[str, Any]:
    """One package, its first test users."""
    recommender, dataset = open_fold(folder, package, split)
    falls: list[list[bool]] = [[] for _ in range(CITED)]
    told: list[bool] = []
    gap, items = 0.0, 0
    with recommender:
        for history in dataset.test.history[:users]:
            ids = [dataset.items[i] for i in history.tolist()]
            for item in recommender.recommend(ids, k=10, explain=True):
                total = sum(reason.contribution for reason in item.reasons)
                gap = max(gap, abs(total - item.score) / abs(item.score))
                cited = [reason for reason in item.reasons if reason.kind == "item" and reason.contribution > 0]
                said, items = item.main_reasons(CITED), items + 1
                for place, reason in enumerate(cited[:CITED]):
                    rest = [id for id in ids if id != reason.id]
                    falls[place].append(score_of(recommender, rest, item.item) < item.score)
                    if reason in said:
                        told.append(falls[place][-1])
    return {
        "falls_first": float(np.mean(falls[0])),
        "falls_cited": float(np.mean(np.concatenate(falls))),
        "falls_told": float(np.mean(told)),
        "told": len(told) / items,
        "removals": sum(map(len, falls)),
        "largest_relative_gap": gap,
    }


def score_of(recommender: pocketrec.Recommender, history: Sequence[str], item: str) -> float:
    """The score of one item, which may be anywhere in the ranking."""
    for k in (50, len(recommender.catalogue)):
        for found in recommender.recommend(history, k=k):
            if found.item == item:
                return found.score
    raise AssertionError(f"{item} is not ranked")


if __name__ == "__main__":
    sys.exit(main())
