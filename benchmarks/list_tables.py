"""Tables of new items, diversity, fairness and reasons. Each function makes lines of the rows of one result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Rows = Sequence[Mapping[str, Any]]
STEPS = (0.3, 0.5, 0.6, 0.7, 0.8, 0.9)


def cold_items(rows: Rows, baselines: Mapping[str, Any]) -> list[str]:
    """Items that nobody has chosen yet; means over the splits, as multiples of the cosine of texts."""
    lines = [
        "| data | cold items | NDCG@10 | Recall@20 | x text cosine | Recall@20 among all items |",
        "|---|---|---|---|---|---|",
    ]
    for name, mine in _by_set(rows).items():
        bar = baselines[name]["cold_text_cosine"]
        lines.append(f"| {name} | cosine of texts | {bar['ndcg10']:.4f} | {bar['recall20']:.4f} |  |  |")
        for way, label in (("export", "in the items table"), ("device", "added on the device")):
            mean = {key: _mean(row[way][key] for row in mine) for key in ("ndcg10", "recall20", "recall20_among_all")}
            cells = f"{mean['ndcg10']:.4f} | {mean['recall20']:.4f} | {mean['ndcg10'] / bar['ndcg10']:.2f}"
            lines.append(f"| {name} | {label} | {cells} | {mean['recall20_among_all']:.4f} |")
    return lines


def diversity(rows: Rows) -> list[str]:
    """What each step of `diversity` costs and brings on the test users; means over the splits, against none."""
    lines = [
        "| data | diversity | NDCG@10 | text distance | factor distance | mean of both |",
        "|---|---|---|---|---|---|",
    ]
    for name, mine in _by_set(rows).items():
        tested = [row for row in mine if row["part"] == "test"]
        for step in STEPS:
            cells = " | ".join(_change(tested, step, key) for key in ("ndcg10", "text", "factors", "both"))
            lines.append(f"| {name} | {step} | {cells} |")
    return lines


def fairness(rows: Rows) -> list[str]:
    """What floors cost, and how far exchanged words move a search; means over the splits."""
    lines = ["| data | floor | places before | with it | NDCG@10 |", "|---|---|---|---|---|"]
    words = ["", "| data | words | exchanged | a synonym | unrelated, as rare |", "|---|---|---|---|---|"]
    for name, mine in _by_set(rows).items():
        for place, floor in enumerate(mine[0]["floors"]):
            mean = {k: _mean(row["floors"][place][k] for row in mine) for k in ("before", "places", "ndcg10", "plain")}
            cost = mean["ndcg10"] / mean["plain"] - 1
            cells = f"{mean['before']:.1%} | {mean['places']:.1%} | {cost:+.2%}"
            lines.append(f"| {name} | {floor['share']:.0%} for the {floor['group']} | {cells} |")
        for kind in mine[0]["words"]:
            found = [row["words"][kind] for row in mine]
            moved = [[one.get(key) for one in found] for key in ("swapped", "synonym", "unrelated")]
            cells = " | ".join("" if None in each else f"{_mean(each):.1%}" for each in moved)
            words.append(f"| {name} | {kind} | {cells} |")
    return lines + words


def reasons(rows: Rows) -> list[str]:
    """How often the score falls when a cited item leaves the history."""
    lines = [
        "| data | first cited | any of the strongest three | any that is told | told per item |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        shares = " | ".join(f"{row[key]:.1%}" for key in ("falls_first", "falls_cited", "falls_told"))
        lines.append(f"| {row['set']}, split {row['split']} | {shares} | {row['told']:.1f} |")
    return lines


def _by_set(rows: Rows) -> dict[str, list[Mapping[str, Any]]]:
    return {name: [row for row in rows if row["set"] == name] for name in dict.fromkeys(row["set"] for row in rows)}


def _change(rows: Rows, step: float, key: str) -> str:
    """A figure at one step against none; empty where it is not defined."""
    at, none = ([row.get(key) for row in rows if row["diversity"] == which] for which in (step, 0.0))
    return "" if None in (*at, *none) or not at else f"{_mean(at) / _mean(none) - 1:+.1%}"


def _mean(values: Any) -> float:
    listed = list(values)
    return float(sum(listed) / len(listed))
