"""Whether counts and age help: factors and neighbours on validation users, each with one setting of the preset.

usage: python benchmarks/weights.py DATA [--sets NAME ...] [--splits 0 1]

DATA as for `quality.py`. Prints NDCG@10 + NDCG@100 (what settings are chosen by) of each signal, weighed by plain ones,
by log2(1 + count), and with half-lives. Nothing here looks at test users.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from machine import save
from pocketrec_export.dataset import make_dataset
from pocketrec_export.full_model import FullModel
from pocketrec_export.heldout import Bench
from pocketrec_export.learning import Learning
from pocketrec_export.presets import QUICK, possible
from pocketrec_export.read import read_interactions
from pocketrec_export.search import Space
from pocketrec_export.split_files import read_split
from pocketrec_export.strength import Weighting
from pocketrec_export.weak import weak_interactions

SETS = ("ml-latest-small", "movietweetings", "online-retail")
WEIGHTINGS = {
    "plain": Weighting(),
    "log counts": Weighting(counts="log"),
    "half-life 30 days": Weighting(half_life=30),
    "half-life 1 year": Weighting(half_life=365),
    "half-life 5 years": Weighting(half_life=5 * 365),
}


def main() -> int:
    """Measure every set, split and weighting."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--splits", nargs="+", type=int, default=[0, 1])
    args = parser.parse_args()
    rows = []
    print(f"{'set':<16} {'weighting':<18} {'factors':>8} {'neighbours':>11}")
    for name in args.sets:
        for label, weighting in WEIGHTINGS.items():
            found = [measure(args.data / name, split, weighting) for split in args.splits]
            mean = {key: round(sum(one[key] for one in found) / len(found), 4) for key in found[0]}
            rows.append({"set": name, "weighting": label, "splits": args.splits, **mean})
            print(f"{name:<16} {label:<18} {mean['factors']:>8.4f} {mean['neighbours']:>11.4f}", flush=True)
    print(f"wrote {save('weights', rows)}")
    return 0


def measure(folder: Path, split: int, weighting: Weighting) -> dict[str, float]:
    """Validation objective of each signal alone."""
    events = read_interactions(folder / "interactions.parquet", weighting=weighting)
    dataset = make_dataset(events, read_split(folder / f"split-{split}.parquet"))
    learning = Learning(dataset.train, weak=weak_interactions(events, dataset), min_users=2)
    bench = Bench(dataset.validation, eligible=dataset.train_items, train=dataset.train)
    space = possible(QUICK.neighbours, texts=False, weak=learning.has_weak)
    models: dict[str, Any] = {
        "factors": FullModel(factors=learning.factors(_first(QUICK.factors))),
        "neighbours": FullModel(neighbours=learning.neighbours(_first(space))),
    }
    return {name: bench.objective(model) or 0.0 for name, model in models.items()}


def _first(space: Space) -> dict[str, Any]:
    return {name: setting.values[0] for name, setting in space.items()}


if __name__ == "__main__":
    sys.exit(main())
