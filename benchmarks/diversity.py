"""What diversity costs: distance between the items of a list against NDCG@10, with the packages that quality.py left.

usage: python benchmarks/diversity.py DATA [--work build/quality] [--sets NAME ...] [--splits 0 1]

For each set, `diversity` is raised step by step through the public interface. The largest step that loses at most
2 % of NDCG@10 on the validation users (mean of the splits) is chosen there and reported on the test users, and so is
the step that brings a fifth more distance. Distance is the mean of 1 - cos over the pairs of a list of ten: of the
texts, which `diversity` compares, of the factors, and the mean of both (`list_metrics.text_diversity`).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from fold import SETS, lists, open_fold
from machine import save
from pocketrec_export.bootstrap import paired_interval
from pocketrec_export.list_metrics import text_diversity
from pocketrec_export.metrics import Figures, figures
from pocketrec_export.rankings import facts_of

STEPS = (0.0, 0.3, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9)
LOSS, GAIN = 0.02, 0.20
DISTANCES = ("text", "factors", "both", "category")


def main() -> int:
    """Measure every set and step, then print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--work", type=Path, default=Path("build/quality"))
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--splits", nargs="+", type=int, default=[0, 1])
    args = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for name in args.sets:
        for split in args.splits:
            rows += measure(args.data / name, args.work / f"{name}-{split}" / "x.pocketrec", split)
    print("\n".join(frontier(rows)))
    print("\n".join(chosen(rows)))
    print(f"\nwrote {save('diversity', rows)}")
    return 0


def measure(folder: Path, package: Path, split: int) -> list[dict[str, Any]]:
    """A row for each part and step of one package."""
    recommender, dataset = open_fold(folder, package, split)
    rows = []
    with recommender:
        facts, held = facts_of(recommender, dataset), recommender.package
        factors = None
        if held.has("factors/value"):
            index = np.array([recommender.catalogue.index(item) for item in dataset.items], np.int64)
            factors = replace(facts, text=held.dense_rows("factors", index))
        for part, users in (("validation", dataset.validation), ("test", dataset.test)):
            plain: Figures | None = None
            for step in STEPS:
                ranked = list(lists(recommender, dataset, users, diversity=step))
                found = figures(ranked, users.targets, missing=users.missing, facts=facts)
                plain = plain or found
                low, high = paired_interval(found["ndcg10"], plain["ndcg10"])[1:]
                distance = {"text": float(np.nanmean(found["text_diversity"]))}
                if factors is not None:
                    distance["factors"] = float(np.nanmean(text_diversity(np.array(ranked), factors)))
                    distance["both"] = (distance["text"] + distance["factors"]) / 2
                if "category_diversity" in found.per_user:
                    distance["category"] = float(np.nanmean(found["category_diversity"]))
                rows.append(
                    {"set": folder.name, "split": split, "part": part, "diversity": step, "users": len(found)}
                    | {"ndcg10": float(found["ndcg10"].mean()), "ndcg10_difference_ci95": [low, high]}
                    | distance
                )
    return rows


def frontier(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Every step on the test users, against none."""
    lines = [f"{'set':<17}{'step':>7}{'NDCG@10':>10}" + "".join(f"{key:>10}" for key in DISTANCES) + "   (test users)"]
    for name in dict.fromkeys(row["set"] for row in rows):
        for step in STEPS[1:]:
            lines.append(f"{name:<17}{step:>7}" + _cells(rows, name, step))
    return lines


def chosen(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The steps that validation users choose, on test users: for the loss that is allowed, and for the gain asked."""
    lines = [f"\n{'set':<17}{'chosen':>7}{'NDCG@10':>10}" + "".join(f"{key:>10}" for key in DISTANCES)]
    for name in dict.fromkeys(row["set"] for row in rows):
        within = [s for s in STEPS if relative(rows, name, "validation", s, "ndcg10") >= -LOSS]
        most = max(s for s in within if all(t in within for t in STEPS if t <= s))
        far = [s for s in STEPS if relative(rows, name, "validation", s, "text") >= GAIN]
        for label, step in (
            (f" (at most {LOSS:.0%} lost)", most),
            (f" (+{GAIN:.0%} text)", min(far, default=STEPS[-1])),
        ):
            lines.append(f"{name:<17}{step:>7}" + _cells(rows, name, step) + label)
    return lines


def _cells(rows: Sequence[dict[str, Any]], name: str, step: float) -> str:
    return "".join(f"{relative(rows, name, 'test', step, key):>+10.1%}" for key in ("ndcg10", *DISTANCES))


def relative(rows: Sequence[dict[str, Any]], name: str, part: str, step: float, key: str) -> float:
    """The mean over splits of a figure, against that of no diversity; NaN where it is not defined."""

    def mean(at: float) -> float:
        mine = [row for row in rows if (row["set"], row["part"], row["diversity"]) == (name, part, at)]
        return float(np.mean([row.get(key, np.nan) for row in mine]))

    return mean(step) / mean(0.0) - 1


if __name__ == "__main__":
    sys.exit(main())
