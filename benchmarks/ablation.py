"""What each signal is worth: alone, and to the blend, on validation users, with test users beside.

usage: python benchmarks/ablation.py [NAME]

Reads what the builds of `quality.py` found (`results/NAME.json`, by default quality) and keeps it in
`results/ablation.json`. A row without a package's weight is a signal that
is left out of it, so the blend beside it is fitted *with* the signal. Means over the splits. The exit code is 3 where a
packaged signal alone beats the blend on validation users.
"""

from __future__ import annotations

import sys
from typing import Any

from machine import save
from tables import load

GROUPS = ("validation", "test")


def main() -> int:
    """Print one table a set; 3 where the blend is not the best on validation."""
    rows = [
        {"set": row["set"], "split": row["split"], "signals": row["ablation"]["signals"]}
        for row in load(sys.argv[1] if len(sys.argv) > 1 else "quality")["rows"]
        if row.get("ablation")
    ]
    for name in dict.fromkeys(row["set"] for row in rows):
        print("\n".join(table([row for row in rows if row["set"] == name])))
    print(f"\nwrote {save('ablation', rows)}")
    return 0 if all(best_is_blend(row["signals"]) for row in rows) else 3


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
