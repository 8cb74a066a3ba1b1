"""What screening costs against the dense solve, on catalogues where both are possible.

usage: python benchmarks/screening.py DATA [--sets NAME ...] [--splits 0 1] [--cache DIR] [--no-texts]

For each solver the ridge is chosen on validation users, then the neighbours alone rank for the test users. Seconds are
of one fit with one thread; the dense solve grows with the cube of the items, screening with the items. DATA is what
`quality.py` takes.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from machine import save
from pocketrec_export.dataset import make_dataset
from pocketrec_export.full_model import FullModel
from pocketrec_export.heldout import Bench
from pocketrec_export.learning import Learning
from pocketrec_export.presets import NEIGHBOURS
from pocketrec_export.read import read_interactions, read_items
from pocketrec_export.samples import metrics
from pocketrec_export.search import defaults
from pocketrec_export.split_files import read_split
from pocketrec_export.teacher import load_teacher
from pocketrec_export.text_space import fit_projection, project
from pocketrec_export.weak import weak_interactions

SETS = ("ml-latest-small", "movietweetings", "online-retail")
CANDIDATES = (0, 100, 200, 300)
"""0 is the dense solve."""
TEXT_DIM = 128


def main() -> int:
    """Measure, then print means over the splits."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--splits", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--cache", type=Path, default=Path("build/quality/cache"))
    parser.add_argument("--no-texts", action="store_true")
    args = parser.parse_args()
    rows = [row for name in args.sets for split in args.splits for row in measure(args, name, split)]
    print("\n".join(table(rows)))
    print(f"\nwrote {save('screening', rows)}")
    return 0


def measure(args: argparse.Namespace, name: str, split: int) -> list[dict[str, Any]]:
    """One row for each solver."""
    folder = args.data / name
    events, items = read_interactions(folder / "interactions.parquet"), read_items(folder / "items.parquet")
    dataset = make_dataset(events, read_split(folder / f"split-{split}.parquet"), catalogue=items.ids)
    text = None
    if not args.no_texts:
        args.cache.mkdir(parents=True, exist_ok=True)
        vectors = load_teacher(None, cache=args.cache).encode(items.encoder_text(), lambda *_: None)
        row = {id: index for index, id in enumerate(items.ids)}
        text = np.zeros((len(dataset.items), vectors.shape[1]), np.float32)
        for index, id in enumerate(dataset.items):
            if id in row:
                text[index] = vectors[row[id]]
        text = project(text, fit_projection(vectors, dim=TEXT_DIM))
    learning = Learning(dataset.train, text=text, weak=weak_interactions(events, dataset), min_users=2)
    chosen = Bench(dataset.validation, eligible=dataset.train_items, train=dataset.train)
    tested = Bench(dataset.test, eligible=dataset.train_items, train=dataset.train)
    rows = []
    for candidates in CANDIDATES:
        best: tuple[float, FullModel, float, float] | None = None
        for l2 in NEIGHBOURS["l2"].values:
            started = time.perf_counter()
            model = FullModel(
                neighbours=learning.neighbours({**defaults(NEIGHBOURS), "candidates": candidates, "l2": l2})
            )
            seconds = time.perf_counter() - started
            objective = chosen.objective(model) or 0.0
            if best is None or objective > best[0]:
                best = objective, model, float(l2), seconds
        assert best is not None
        samples = tested.samples(best[1])
        figures = metrics(samples, np.ones((len(samples), 1), np.float32))
        rows.append(
            {"set": name, "split": split, "candidates": candidates, "l2": best[2], "seconds": round(best[3], 1)}
            | {"items": learning.warm_items, "validation": best[0], "test": figures}
        )
    return rows


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Means over splits, and the change against the dense solve."""
    lines = ["set               items  solver          validation  NDCG@10  Recall@20  NDCG@100   NDCG@10 / dense   s"]
    for name in dict.fromkeys(row["set"] for row in rows):
        dense = 0.0
        for candidates in CANDIDATES:
            mine = [row for row in rows if row["set"] == name and row["candidates"] == candidates]
            test = [float(np.mean([row["test"][key] for row in mine])) for key in ("ndcg10", "recall20", "ndcg100")]
            dense = dense or test[0]
            validation, seconds = (float(np.mean([row[key] for row in mine])) for key in ("validation", "seconds"))
            solver = f"{candidates} candidates" if candidates else "dense"
            lines.append(
                f"{name:<17} {mine[0]['items']:>5}  {solver:<15} {validation:>10.4f}  {test[0]:.4f}  {test[1]:>9.4f}"
                f"  {test[2]:>8.4f}   {test[0] / dense:>15.4f}  {seconds:>3.0f}"
            )
    return lines


if __name__ == "__main__":
    sys.exit(main())
