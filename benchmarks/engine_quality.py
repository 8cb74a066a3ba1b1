"""NDCG@10 of every engine on the same test users: the packages of `quality.py`, with graphs of both formats.

usage: python benchmarks/engine_quality.py DATA [--sets ...] [--work build/quality]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

from machine import save
from pocketrec.engine import ENGINES
from pocketrec_export.evaluate import evaluate
from pocketrec_export.targets import TARGETS, retarget

SETS = ("ml-latest-small", "movietweetings", "online-retail")
ALLOWED = 0.002
"""Relative difference of two engines' NDCG@10."""


def main() -> int:
    """Measure, print, save; exit code 3 where engines differ by more than is allowed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="one folder a set with interactions.parquet and split-N.parquet")
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--splits", type=int, nargs="+", default=[0])
    parser.add_argument("--work", type=Path, default=Path("build/quality"), help="where quality.py left its packages")
    args = parser.parse_args()
    rows = [measure(args, name, split) for name in args.sets for split in args.splits]
    for row in rows:
        figures = "  ".join(f"{engine} {row[engine]:.6f}" for engine in ENGINES)
        print(f"{row['set']:<18}{row['split']}  {figures}  apart {100 * row['apart']:.4f} %")
    print(f"wrote {save('engine_quality', rows)}")
    return 0 if all(row["apart"] <= ALLOWED for row in rows) else 3


def measure(args: argparse.Namespace, name: str, split: int) -> dict[str, Any]:
    """NDCG@10 of one package by engine, and how far apart they are."""
    folder = args.data / name
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="pocketrec-") as work:
        package = Path(work) / "both.pocketrec"
        retarget(args.work / f"{name}-{split}" / "x.pocketrec", package, targets=TARGETS)
        for engine in ENGINES:
            compared = evaluate(
                package, folder / "interactions.parquet", split=folder / f"split-{split}.parquet", engine=engine
            )
            found[engine] = float(compared.package["ndcg10"].mean())
    apart = (max(found.values()) - min(found.values())) / max(found.values())
    return {"set": name, "split": split, **found, "apart": apart}


if __name__ == "__main__":
    sys.exit(main())
