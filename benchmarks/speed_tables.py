"""The tables of docs/benchmarks.md, from the raw results; `tables.py` knows them all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
VERBS = {"rank": "rank (the engine alone)", "recommend": "recommend", "search": "search"}
SWEEPS = {"items": "items", "users": "users", "events": "interactions"}


def _report(name: str) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((HERE / "results" / f"{name}.json").read_text(encoding="utf-8"))
    return report


def _where(report: dict[str, Any]) -> str:
    about = report["machine"]
    versions = ", ".join(f"{name} {about['versions'][name]}" for name in ("numpy", "onnxruntime"))
    device = f"{about['cpu']}, {about['cores']} cores, Python {about['python']}"
    return f"{device}, {versions}, {about['date']}: `{about['command']}`"


def _times(row: dict[str, Any]) -> str:
    return " / ".join(_figure(row[key]) for key in ("p50_ms", "p95_ms", "p99_ms"))


def _figure(value: float) -> str:
    return f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 10 else f"{value:.0f}"


def latency() -> list[str]:
    """Drawn packages by size."""
    report = _report("latency")
    lines = [
        "| items | signals | engine | | p50 / p95 / p99, ms | package, MB | resident, MB | open, ms |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in report["rows"]:
        for verb, cuts in row["times"].items():
            lines.append(
                f"| {row['items']:,} | {row['signals']} | {row['engine']} | {VERBS[verb]} | {_times(cuts)} "
                f"| {row['bytes'] / 1e6:.1f} | {row['rss_mb']:.0f} | {row['open_ms']:.0f} |"
            )
    return [*lines, "", _where(report)]


def peers() -> list[str]:
    """Ten best items for a history of 30."""
    report = _report("peers")
    lines = [
        "| items | method | p50 / p95 / p99, ms | recall@10 | index, MB | memory, MB | build, s |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in report["rows"]:
        lines.append(
            f"| {row['items']:,} | {row['method']} | {_times(row)} | {row['recall10']:.4f} | {row['bytes'] / 1e6:.1f} "
            f"| {row['rss_mb']:.0f} | {row['build_s']:.1f} |"
        )
    return [*lines, "", "![time and recall](plots/peers.svg)", "", _where(report)]


def peers_text() -> list[str]:
    """From a typed query to the ten nearest items."""
    report = _report("peers_text")
    lines = [
        "| method | p50 / p95 / p99, ms | the teacher's ten | MRR | encoder, MB | item vectors, MB | resident, MB |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in report["rows"]:
        lines.append(
            f"| {row['method']} | {_times(row)} | {row['overlap10']:.1%} | {row['mrr']:.4f} "
            f"| {row['encoder_bytes'] / 1e6:.1f} | {row['items_bytes'] / 1e6:.1f} | {row['rss_mb']:.0f} |"
        )
    return [*lines, "", _where(report)]


def tiers() -> list[str]:
    """Bits and widths against quality and bytes, means over the splits."""
    report = _report("tiers")
    lines = ["| data | tables | text width | MB | NDCG@10 | Recall@20 | NDCG@100 |", "|---|---|---|---|---|---|---|"]
    for (name, tier, width), mean in tier_means(report["rows"]).items():
        label = "**package, all of it**" if tier == "package" else tier
        lines.append(
            f"| {name} | {label} | {width or ''} | {mean['bytes'] / 1e6:.2f} | {mean['ndcg10']:.4f} "
            f"| {mean['recall20']:.4f} | {mean['ndcg100']:.4f} |"
        )
    return [*lines, "", "![quality against bytes](plots/tiers.svg)"]


def tier_means(rows: list[dict[str, Any]]) -> dict[tuple[str, str, int | None], dict[str, float]]:
    """(set, tier, width) -> means over the splits."""
    groups: dict[tuple[str, str, int | None], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["set"], row["tier"], row["width"]), []).append(row)
    keys = ("bytes", "ndcg10", "recall20", "ndcg100")
    return {key: {name: sum(row[name] for row in mine) / len(mine) for name in keys} for key, mine in groups.items()}


def scale() -> list[str]:
    """Growth, a line a point and the exponents below."""
    from scale import MEASURES, exponents

    report = _report("scale")
    heads = ("grows", "items", "users", "interactions", "build, s", "peak, GB", "package, MB", "resident, MB")
    lines = [f"| {' | '.join((*heads, 'rank, ms', 'recommend, ms'))} |", "|---" * (len(heads) + 2) + "|"]
    for row in report["rows"]:
        kept = [f"{row['kept'][name]:,}" for name in SWEEPS]
        costs = [f"{row['build_s']:.0f}", f"{row['peak_gb']:.2f}", f"{row['bytes'] / 1e6:.2f}", f"{row['rss_mb']:.0f}"]
        times = [_figure(row["rank_p50_ms"]), _figure(row["recommend_p50_ms"])]
        lines.append(f"| {' | '.join([SWEEPS[row['sweep']], *kept, *costs, *times])} |")
    for sweep in dict.fromkeys(row["sweep"] for row in report["rows"]):
        fitted = exponents(report["rows"], sweep)
        cells = " | ".join("" if fitted[name] is None else f"{fitted[name]:.2f}" for name in MEASURES)
        lines.append(f"| exponent over {SWEEPS[sweep]} | | | | {cells} |")
    floor = f"One thread reads {report['bandwidth_gb_s']:.1f} GB/s here: the floor in the plot."
    return [*lines, "", "![growth](plots/scale.svg)", "", floor, "", _where(report)]


def false_alarms() -> list[str]:
    """What the gate said of equal packages and of slower rankers."""
    report = _report("false_alarms")
    lines = [
        "| ranker slower by | runs | runs that failed | ratio of rank | lower bound of rank |",
        "|---|---|---|---|---|",
    ]
    for row in report["rows"]:
        rank = row["verbs"]["rank"]
        spans = [f"{rank[key][0]:.3f} to {rank[key][1]:.3f}" for key in ("ratio", "low")]
        lines.append(f"| {row['slower']:.0%} | {row['runs']} | {row['failed']} | {spans[0]} | {spans[1]} |")
    return [*lines, "", _where(report)]


TABLES = {
    "latency": latency,
    "peers": peers,
    "peers_text": peers_text,
    "tiers": tiers,
    "scale": scale,
    "false_alarms": false_alarms,
}
