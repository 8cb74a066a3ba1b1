"""From a build's plain values to the page: which numbers stand where, which are drawn, what they say in words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from pocketrec_export.atomic import whole_folder
from pocketrec_export.comparison import BEYOND, COLUMNS, LABELS
from pocketrec_export.page import charts
from pocketrec_export.report import DATA, PAGE, BuildReport

SECTIONS = {
    "data": "Data",
    "training": "Training",
    "ablation": "Signals",
    "quality": "Quality",
    "lists": "Lists",
    "bytes": "Bytes",
    "answers": "Answers",
    "how": "How",
}


def write_report(report: BuildReport, folder: str | Path) -> Path:
    """Write the page and the same values as JSON; returns the page's path. A previous report is replaced."""
    data = report.as_dict()
    with whole_folder(Path(folder)) as new:
        (new / PAGE).write_text(render(data), encoding="utf-8")
        (new / DATA).write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return Path(folder) / PAGE


def render(data: Mapping[str, Any]) -> str:
    """The page of a build.

    Args:
        data: `BuildReport.as_dict`, or the same read back from its JSON.
    """
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["chosen"] = _chosen
    template = environment.from_string((files(__package__) / "report.html.j2").read_text(encoding="utf-8"))
    values = {
        **data,
        **_data(data),
        **_training(data),
        **_ablation(data),
        **_quality(data),
        **_bytes(data),
        "name": data["facts"]["name"],
        "how": _how(data),
    }
    absent = {
        "training": not (values["curve_charts"] or data["trials"]),
        "ablation": not values["ablation_rows"],
        "quality": not values["models"],
        "lists": not values["models"],
        "answers": not data["answers"],
    }
    sections = [(id, title) for id, title in SECTIONS.items() if not absent.get(id)]
    return template.render(**values, sections=sections)


def _chosen(settings: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{key} {value:g}" if isinstance(value, float) else f"{key} {value}" for key, value in settings.items()
    )


def _drawn(svg: str) -> Markup:
    """A chart of ours, whose texts are escaped already."""
    return Markup(svg)


def _data(data: Mapping[str, Any]) -> dict[str, Any]:
    tail = data["tail"]
    chart = line = None
    if tail:
        chart = _drawn(
            charts.lines(
                {"interactions": tail},
                x_label="share of the items, most popular first",
                y_label="share of interactions",
                filled=True,
            )
        )
        tenth = next(share for items, share in tail if items >= 0.1)
        line = f"The most popular tenth of the items has {tenth:.0%} of the interactions."
    return {
        "data_lines": list(data["data"]),
        "cleaning": list(data["cleaning"]),
        "tail_chart": chart,
        "tail_line": line,
    }


def _training(data: Mapping[str, Any]) -> dict[str, Any]:
    drawn = []
    for title, series in data["curves"].items():
        chart = charts.lines(series, x_label="epoch", y_label="loss")
        last = ", ".join(f"{name} {points[0][1]:.4f} to {points[-1][1]:.4f}" for name, points in series.items())
        drawn.append((title, _drawn(chart), f"From the first epoch to the last: {last}."))
    return {"curve_charts": drawn}


def _ablation(data: Mapping[str, Any]) -> dict[str, Any]:
    ablation = data["ablation"]
    rows = [] if not ablation else list(ablation["rows"])
    chart = None
    if rows:
        bars = [(row["name"], row["validation"]) for row in rows]
        ours = [row["name"] for row in rows if row["ours"]]
        chart = _drawn(charts.bars(bars, label=ablation["measure"] + ", validation users", marked=ours))
    return {
        "ablation_rows": rows,
        "ablation_chart": chart,
        "ablation_line": ablation["line"] if ablation else "",
    }


def _quality(data: Mapping[str, Any]) -> dict[str, Any]:
    comparison = data["comparison"]
    empty: dict[str, Any] = {"models": {}, "exposure_chart": None, "exposure_line": "", "fairness_lines": []}
    if not comparison or not comparison["package"]["users"]:
        return empty
    models = dict(comparison.get("baselines", {}))
    models |= {LABELS[name]: comparison[name] for name in ("full", "package") if name in comparison}
    chart = charts.bars(
        [(name, figures["ndcg10"]) for name, figures in models.items()],
        label="NDCG@10, test users",
        intervals=[tuple(figures["ndcg10_ci95"]) for figures in models.values()],
        marked=["package"],
    )
    rows = [
        {"name": LABELS.get(name, name), **_paired(difference["ndcg10"])}
        for name, difference in comparison.get("differences", {}).items()
    ]
    fairness = comparison.get("fairness")
    if fairness:
        shares = [(f"{name} of 10", group["exposure"]) for name, group in fairness["deciles"].items()]
        empty |= {
            "exposure_chart": _drawn(
                charts.bars(shares, label="share of exposure by tenth of popularity", fmt="{:.3f}")
            ),
            "exposure_line": "The first tenth holds the least popular items, the last the most popular ones.",
            "fairness_lines": fairness["reading"],
        }
    line = "The bars' lines are 95 % intervals over users; models are told apart by the paired differences below."
    return {
        **empty,
        "models": models,
        "accuracy": COLUMNS,
        "beyond": {key: title for key, title in BEYOND.items() if key in comparison["package"]},
        "quality_chart": _drawn(chart),
        "quality_line": line,
        "difference_rows": rows,
    }


def _paired(difference: Mapping[str, Any]) -> dict[str, Any]:
    low, high = difference["ci95"]
    reading = "not told apart" if low <= 0 <= high else "better" if low > 0 else "worse"
    return {"mean": difference["mean"], "low": low, "high": high, "reading": reading}


def _bytes(data: Mapping[str, Any]) -> dict[str, Any]:
    parts = sorted(data["facts"]["parts"].items(), key=lambda entry: -entry[1])
    unit, label = (1e6, "MB") if data["bytes"] >= 1e6 else (1e3, "kB")
    chart = charts.bars([(name, size / unit) for name, size in parts], label=label, fmt="{:.2f}")
    return {"parts": parts, "bytes_chart": _drawn(chart)}


def _how(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    facts = data["facts"]
    encoder = facts.get("encoder")
    rows = [
        ("package id", facts["id"]),
        ("signals", ", ".join(facts["signals"])),
        ("threads", f"{data['threads']} (another number may give other bytes)"),
        ("license of the data", facts["data"]["license"] or "not stated"),
        ("attribution", facts["data"]["attribution"] or "not stated"),
    ]
    if encoder:
        rows.insert(2, ("text encoder", f"{encoder['kind']}, {encoder['dim']} wide, taught by {encoder['teacher']}"))
    return rows
