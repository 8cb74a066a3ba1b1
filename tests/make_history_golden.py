"""Writes ``tests/golden/history.json``: histories in, what the ranker reads out; and blocks of a sparse table.

Run from the repository root: ``python tests/make_history_golden.py``. The rule is written here a second time, plainly.
"""

from __future__ import annotations

import json
import random
import struct
from datetime import date
from pathlib import Path
from typing import Any

GOLDEN = Path(__file__).parent / "golden" / "history.json"
CATALOGUE = 40


def float32(value: float) -> float:
    """The float32 nearest to a number."""
    nearest: float = struct.unpack("<f", struct.pack("<f", value))[0]
    return nearest


def strongest(weights: list[float], places: list[int], n: int) -> list[int]:
    """The n largest by absolute weight, of equal ones the later, in order."""
    return sorted(sorted(places, key=lambda place: (-abs(weights[place]), -place))[:n])


def resolved(case: dict[str, Any]) -> dict[str, Any]:
    """Item ``iN`` is at N, others are unknown."""
    sums: dict[int, float] = {index: weight for index, weight in case["known"] if index >= 0}
    unknown = [f"k{place}" for place, (index, _) in enumerate(case["known"]) if index < 0]
    for item, weight in case["history"]:
        if item.startswith("i") and int(item[1:]) < CATALOGUE:
            index = int(item[1:])
            sums[index] = sums.get(index, 0.0) + weight
        elif item not in unknown:
            unknown.append(item)
    most = case["max_weight"]
    weights = [float32(min(most, max(-most, total))) for total in sums.values()]
    kept = [place for place, weight in enumerate(weights) if weight != 0.0]
    truncated = len(kept) > case["max_items"]
    kept = strongest(weights, kept, case["max_items"]) if truncated else kept
    seen = list(sums)
    return {
        "index": [seen[place] for place in kept],
        "weight": [weights[place] for place in kept],
        "seen": seen,
        "unknown": unknown,
        "truncated": truncated,
    }


def gathered(case: dict[str, Any]) -> dict[str, Any]:
    """Blocks of each row in turn; beyond the budget the weakest rows lose theirs, the least recent first."""
    count = [case["start"][row + 1] - case["start"][row] for row in case["rows"]]
    left = case["budget"]
    for place in sorted(range(len(count)), key=lambda place: (-abs(case["weights"][place]), -place)):
        count[place] = min(count[place], left)
        left -= count[place]
    blocks = [
        (case["start"][row] + at, float32(weight * case["scale"][row]), place)
        for place, (row, weight) in enumerate(zip(case["rows"], case["weights"], strict=True))
        for at in range(count[place])
    ]
    whole = sum(case["start"][row + 1] - case["start"][row] for row in case["rows"])
    index, weight, owner = [list(column) for column in zip(*blocks, strict=True)] if blocks else [[], [], []]
    return {"index": index, "weight": weight, "owner": owner, "truncated": whole > case["budget"]}


def histories() -> list[dict[str, Any]]:
    """By hand, then drawn."""
    rng = random.Random(8)

    def case(
        history: list[Any], known: list[Any] | None = None, *, items: int = 512, weight: float = 8.0
    ) -> dict[str, Any]:
        made = {"history": history, "known": known or [], "max_items": items, "max_weight": weight}
        return made | resolved(made)

    def drawn(size: int) -> list[Any]:
        return [
            [f"i{rng.randrange(44)}", rng.choice([1.0, 1.0, -1.0, 0.0, 0.3, 5.5, -9.0, 1e-60, 3.3])]
            for _ in range(size)
        ]

    return [
        case([]),
        case([["i3", 1.0], ["x", 1.0], ["i3", 0.5], ["x", 2.0], ["", 1.0]]),
        case([["i1", 1.0], ["i2", 2.0], ["i1", -1.0]]),  # adds up to nothing, and is still known
        case([["i1", 20.0], ["i2", -20.0], ["i3", 0.1], ["i4", 1e300], ["i4", 1e300]]),
        case([["i1", 1e-60]]),  # nothing in float32
        case([["i5", 1.0], ["i6", 1.0], ["i7", -1.0], ["i8", 1.0]], items=2),  # of equal ones the later
        case([["i5", 3.0], ["i6", 1.0], ["i7", -2.0], ["i8", 1.0]], items=3),
        case([["i9", 1.0], ["i2", 1.0]], [[2, 0.5], [-1, 3.0], [9, -1.0], [4, 0.0]]),
        *(case(drawn(60), items=rng.randrange(1, 30), weight=rng.choice([1.0, 8.0])) for _ in range(20)),
        *(
            case(drawn(9), [[index, rng.uniform(-4, 4)] for index in (5, -1, 30, 31, -1, 2)], items=6)
            for _ in range(10)
        ),
    ]


def tables() -> list[dict[str, Any]]:
    """Rows of a block table, within and beyond the budget."""
    rng = random.Random(9)
    cases = []
    for _ in range(30):
        start = [0]
        for _ in range(12):
            start.append(start[-1] + rng.choice([0, 0, 1, 2, 5]))
        rows = rng.sample(range(12), rng.randrange(0, 12))
        made = {
            "start": start,
            "scale": [float32(rng.uniform(0, 2)) for _ in range(12)],
            "rows": rows,
            "weights": [float32(rng.choice([1.0, -1.0, 0.5, 2.25, -3.0])) for _ in rows],
            "budget": rng.choice([0, 3, 7, 100]),
        }
        cases.append(made | gathered(made))
    return cases


def main() -> None:
    """Write the file."""
    golden = {
        "provenance": {"command": "python tests/make_history_golden.py", "date": date.today().isoformat()},
        "histories": histories(),
        "blocks": tables(),
    }
    GOLDEN.write_text(json.dumps(golden, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
