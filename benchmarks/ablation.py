"""What each signal is worth: alone, and to the blend, on validation users, with test users beside.

usage: python benchmarks/ablation.py DATA [--sets NAME ...] [--splits 0 1] [--preset quick] [--min-users 2]

DATA is what `quality.py` takes. A row without a package's weight is a signal that is left out of it, so the blend
beside it is fitted *with* the signal. Means over the splits; raw figures go to `results/ablation.json`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from machine import save
from pocketrec_export.pipeline import build

SETS = ("ml-latest-small", "movietweetings", "online-retail")
GROUPS = ("validation", "test")


def main() -> int:
    """Build every set and split, then print one table a set; 3 where the blend is not the best on validation."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--splits", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--min-users", type=int, default=2)
    parser.add_argument("--work", type=Path, default=Path("build/quality"))
    args = parser.parse_args()
    rows = [measure(args, name, split) for name in args.sets for split in args.splits]
    print("\n".join(line for name in args.sets for line in table([row for row in rows if row["set"] == name])))
    print(f"\nwrote {save('ablation', rows)}")
    return 0 if all(best_is_blend(row["signals"]) for row in rows) else 3


def measure(args: argparse.Namespace, name: str, split: int) -> dict[str, Any]:
    """The ablation of one set and split."""
    folder, work = args.data / name, args.work / f"{name}-{split}"
    work.mkdir(parents=True, exist_ok=True)
    report = build(
        folder / "interactions.parquet",
        folder / "items.parquet",
        out=work / "ablation.pocketrec",
        split=folder / f"split-{split}.parquet",
        preset=args.preset,
        min_users=args.min_users,
        cache=args.work / "cache",
        overwrite=True,
    )
    assert report.ablation is not None  # the splits hold validation users
    return {"set": name, "split": split, "signals": report.ablation["signals"]}


def best_is_blend(signals: list[dict[str, Any]]) -> bool:
    """Whether no packaged signal alone beats the blend on validation users, by what both were chosen for."""

    def objective(figures: dict[str, float]) -> float:
        return figures["ndcg10"] + figures["ndcg100"]

    blend = objective(signals[0]["blend"]["validation"])
    return all(blend >= objective(row["alone"]["validation"]) for row in signals[1:] if row["packaged"])


def table(rows: list[dict[str, Any]]) -> list[str]:
    """NDCG@10 of one set, means over its splits."""
    lines = [
        f"\n{rows[0]['set']:<18} NDCG@10       alone: validation   test      blend fitted again: validation   test"
    ]
    for name in [row["signal"] for row in rows[0]["signals"]]:
        mine = [next(row for row in split["signals"] if row["signal"] == name) for split in rows]
        in_package = sum(row["packaged"] for row in mine)
        kind = (
            "" if name == "blend" else ("without" if in_package == len(mine) else "with" if not in_package else "mixed")
        )
        cells = [
            f"{sum(row[key][group]['ndcg10'] for row in mine) / len(mine):.4f}" if key in mine[0] else "      "
            for key in ("alone", "blend")
            for group in GROUPS
        ]
        lines.append(f"  {name:<30} {cells[0]:>18} {cells[1]:>6} {kind:>26} {cells[2]:>10} {cells[3]:>6}")
    return lines


if __name__ == "__main__":
    sys.exit(main())
