"""The plots of docs/benchmarks.md, from the raw results, as SVG: same results, same bytes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
from speed_tables import SWEEPS, tier_means

HERE = Path(__file__).parent
FOLDER = HERE.parent / "docs" / "plots"
STYLE = {
    "svg.hashsalt": "pocketrec",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "axes.spines.top": False,
    "axes.spines.right": False,
}
MARKS = {"float32": ("o", "#7f7f7f"), "int8": ("s", "#1f77b4"), "int4": ("^", "#d62728"), "package": ("*", "#000000")}


def _report(name: str) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((HERE / "results" / f"{name}.json").read_text(encoding="utf-8"))
    return report


def tiers() -> Any:
    """Quality against bytes, a panel a data set."""
    means = tier_means(_report("tiers")["rows"])
    names = list(dict.fromkeys(name for name, _, _ in means))
    figure, axes = plt.subplots(1, len(names), figsize=(4.2 * len(names), 3.4), squeeze=False)
    for panel, name in zip(axes[0], names, strict=True):
        for tier, (mark, color) in MARKS.items():
            points = sorted(
                (mean["bytes"] / 1e6, mean["ndcg10"]) for key, mean in means.items() if key[:2] == (name, tier)
            )
            size = 12 if tier == "package" else 6
            panel.plot(*zip(*points, strict=True), marker=mark, color=color, label=tier, markersize=size, linewidth=1)
        panel.set(title=name, xlabel="MB", ylabel="NDCG@10", xscale="log")
    axes[0][0].legend(frameon=False)
    return figure


def peers() -> Any:
    """Median time against recall, a panel a size; ours filled."""
    rows = _report("peers")["rows"]
    sizes = list(dict.fromkeys(row["items"] for row in rows))
    figure, axes = plt.subplots(1, len(sizes), figsize=(4.6 * len(sizes), 4), squeeze=False)
    for panel, items in zip(axes[0], sizes, strict=True):
        for row in (row for row in rows if row["items"] == items):
            ours = "pocketrec" in row["method"]
            panel.plot(row["p50_ms"], row["recall10"], "o", color="#1f77b4", fillstyle="full" if ours else "none")
            label = row["method"].strip("*").replace(", ONNX Runtime", "")
            panel.annotate(
                label, (row["p50_ms"], row["recall10"]), fontsize=6, xytext=(4, 2), textcoords="offset points"
            )
        panel.set(title=f"{items:,} items", xlabel="p50, ms", ylabel="recall@10", xscale="log")
    return figure


def scale() -> Any:
    """Build time, bytes and latency over what grows, with the floor of reading the tables."""
    report = _report("scale")
    shown = {"build_s": "build, s", "bytes": "package, bytes", "rank_p50_ms": "rank p50, ms"}
    sweeps = [sweep for sweep in SWEEPS if any(row["sweep"] == sweep for row in report["rows"])]
    figure, axes = plt.subplots(len(sweeps), len(shown), figsize=(12, 3.2 * len(sweeps)), squeeze=False)
    for line, sweep in zip(axes, sweeps, strict=True):
        mine = sorted((row for row in report["rows"] if row["sweep"] == sweep), key=lambda row: row["kept"][sweep])
        x = [row["kept"][sweep] for row in mine]
        for panel, (key, label) in zip(line, shown.items(), strict=True):
            panel.plot(x, [row[key] for row in mine], "o-", color="#1f77b4")
            if key == "rank_p50_ms":
                floor = [row["dense_bytes"] / report["bandwidth_gb_s"] / 1e6 for row in mine]
                panel.plot(x, floor, "--", color="#7f7f7f", label="floor: bytes / bandwidth")
                panel.legend(frameon=False)
            panel.set(xlabel=SWEEPS[sweep], ylabel=label, xscale="log", yscale="log")
    return figure


PLOTS: dict[str, Callable[[], Any]] = {"tiers": tiers, "peers": peers, "scale": scale}


def draw() -> list[Path]:
    """Draw every plot whose results are there; returns the files."""
    FOLDER.mkdir(exist_ok=True)
    written = []
    for name, plot in PLOTS.items():
        if (HERE / "results" / f"{name}.json").exists():
            with matplotlib.rc_context(STYLE):
                figure = plot()
                figure.tight_layout()
                path = FOLDER / f"{name}.svg"
                figure.savefig(path, metadata={"Date": None})
                plt.close(figure)
            path.write_text("\n".join(line.rstrip() for line in path.read_text().splitlines()) + "\n")
            written.append(path)
    return written
