"""What diversity costs: intra-list distance against NDCG@10, with the packages that quality.py left.

usage: python benchmarks/diversity.py DATA [--work build/quality] [--sets NAME ...] [--splits 0 1]

For each set, `diversity` is raised step by step through the public interface. The largest step that loses at most
2 % of NDCG@10 on the validation users (mean of the splits) is chosen there and reported on the test users. Distance
is the mean of 1 - cos of the texts over the pairs of a list of ten (`list_metrics.text_diversity`).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from fold import SETS, lists, open_fold
from machine import save
from pocketrec_export.bootstrap import paired_interval
from pocketrec_export.metrics import Figures, figures
from pocketrec_export.rankings import facts_of

STEPS = (0.0, 0.2, 0.3, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9)
LOSS, GAIN = 0.02, 0.20
MEASURES = ("text_diversity", "category_diversity", "novelty")


def main() -> int:
    """Measure every set and step, then print the table."""
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
    print("\n".join(table(rows)))
    print(f"\nwrote {save('diversity', rows)}")
    return 0


def measure(folder: Path, package: Path, split: int) -> list[dict[str, Any]]:
    """A row for each part and step of one package."""
    recommender, dataset = open_fold(folder, package, split)
    rows = []
    with recommender:
        facts = facts_of(recommender, dataset)
        for part, users in (("validation", dataset.validation), ("test", dataset.test)):
            plain: Figures | None = None
            for step in STEPS:
                ranked = list(lists(recommender, dataset, users, diversity=step))
                found = figures(ranked, users.targets, missing=users.missing, facts=facts)
                plain = plain or found
                low, high = paired_interval(found["ndcg10"], plain["ndcg10"])[1:]
                rows.append(
                    {"set": folder.name, "split": split, "part": part, "diversity": step, "users": len(found)}
                    | {"ndcg10": float(found["ndcg10"].mean()), "ndcg10_difference_ci95": [low, high]}
                    | {key: float(np.nanmean(found[key])) for key in MEASURES if key in found.per_user}
                )
    return rows


def table(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The chosen step of each set on test users, and the step that reaches the gain."""
    lines = [f"{'set':<17}{'chosen':>9}{'NDCG@10':>10}{'distance':>10}{'category':>10}   (test users, relative)"]
    for name in dict.fromkeys(row["set"] for row in rows):
        within = [s for s in STEPS if relative(rows, name, "validation", s, "ndcg10") >= -LOSS]
        chosen = max(s for s in within if all(t in within for t in STEPS if t <= s))
        far = [s for s in STEPS if relative(rows, name, "validation", s, "text_diversity") >= GAIN]
        for label, step in (("", chosen), (f" (+{GAIN:.0%} distance)", min(far, default=STEPS[-1]))):
            cells = "".join(
                f"{relative(rows, name, 'test', step, key):>+10.1%}"
                for key in ("ndcg10", "text_diversity", "category_diversity")
            )
            lines.append(f"{name:<17}{step:>9}{cells}{label}")
    return lines


def relative(rows: Sequence[dict[str, Any]], name: str, part: str, step: float, key: str) -> float:
    """The mean over splits of a figure, against that of no diversity; NaN where it is not defined."""

    def mean(at: float) -> float:
        mine = [row for row in rows if (row["set"], row["part"], row["diversity"]) == (name, part, at)]
        return float(np.mean([row.get(key, np.nan) for row in mine]))

    return mean(step) / mean(0.0) - 1


if __name__ == "__main__":
    sys.exit(main())
