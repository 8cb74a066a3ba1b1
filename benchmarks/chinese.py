"""Chinese end to end: a package of AFQMC questions by multilingual-e5-small, and its student on pairs of questions.

usage: python benchmarks/chinese.py DATA [--items N] [--pairs N] [--cache DIR]

DATA holds ``zh-afqmc/{train,dev}.parquet`` (a, b, label). The package is built by `build` from questions of the train
part alone, with the teacher from its Python package. Then the dev pairs: is the cosine of a pair's vectors larger where
the questions mean the same? AUC of the teacher's vectors and of those that the package's own encoder gives, and their
ratio with a 95 % interval over pairs; the package's bytes. Writes results/chinese.json.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pocketrec
from machine import save
from numpy.typing import NDArray
from pocketrec_export.pipeline import build
from pocketrec_export.teacher import load_teacher
from sklearn.metrics import roc_auc_score

DRAWS = 1000


def main() -> None:
    """Build, compare, print and save."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--items", type=int, default=6000, help="questions in the catalogue (default 6000)")
    parser.add_argument("--pairs", type=int, default=None, help="dev pairs (default: all)")
    parser.add_argument("--vocabulary", type=int, default=12_000, help="pieces of the student (default 12000)")
    parser.add_argument("--cache", default=None, help="folder to keep the teacher's vectors in")
    args = parser.parse_args()
    train = pd.read_parquet(args.data / "zh-afqmc" / "train.parquet")
    dev = pd.read_parquet(args.data / "zh-afqmc" / "dev.parquet").iloc[: args.pairs]
    known = {*dev.a, *dev.b}
    texts = [text for text in dict.fromkeys([*train.a, *train.b]) if text not in known]
    chosen = np.random.default_rng(0).permutation(len(texts))[: args.items]
    items = pd.DataFrame({"item": [str(row) for row in chosen], "title": [texts[row] for row in chosen]})
    label = dev.label.astype(int).to_numpy()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "afqmc.pocketrec"
        report = build(
            None, items, out=path, teacher="e5", vocabulary=args.vocabulary, cache=args.cache, threads=1, quiet=True
        )
        size = path.stat().st_size
        with pocketrec.open(path) as package:
            student = [np.array([package.encode(text) for text in dev[side]]) for side in ("a", "b")]
            example = [found.title for found in package.search(dev.a.iloc[0], k=3)]
    teacher = load_teacher("e5", cache=None if args.cache is None else Path(args.cache))
    theirs = [teacher.encode(list(dev[side])) for side in ("a", "b")]
    cosine = {"teacher": (theirs[0] * theirs[1]).sum(axis=1), "student": (student[0] * student[1]).sum(axis=1)}
    auc = {name: float(roc_auc_score(label, value)) for name, value in cosine.items()}
    low, high = _interval(cosine["student"], cosine["teacher"], label)
    row = {
        "pairs": len(dev),
        "items": len(items),
        "auc": auc,
        "ratio": auc["student"] / auc["teacher"],
        "ratio_interval": [low, high],
        "bytes": size,
        "student": report.student,
        "example": {"query": dev.a.iloc[0], "found": example},
    }
    print(
        f"AFQMC dev, {len(dev):,} pairs: AUC teacher {auc['teacher']:.4f}, student {auc['student']:.4f}, "
        f"ratio {row['ratio']:.3f} ({low:.3f} to {high:.3f}); {size / 1e6:.2f} MB"
    )
    print(f"{row['example']['query']} -> {' | '.join(example)}")
    print(save("chinese", [row]))


def _interval(ours: NDArray[np.float32], theirs: NDArray[np.float32], label: NDArray[np.int64]) -> tuple[float, float]:
    """The ratio of AUCs over pairs drawn with replacement, 2.5 and 97.5 %."""
    rng = np.random.default_rng(0)
    ratios = []
    for _ in range(DRAWS):
        rows = rng.integers(0, len(label), len(label))
        ratios.append(roc_auc_score(label[rows], ours[rows]) / roc_auc_score(label[rows], theirs[rows]))
    return float(np.quantile(ratios, 0.025)), float(np.quantile(ratios, 0.975))


if __name__ == "__main__":
    main()
