"""Models side by side on the same test users: means, ratios, paired intervals, as plain values and as a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pocketrec_export.bootstrap import paired
from pocketrec_export.metrics import ACCURACY, Figures, summarize

LABELS = {"full": "full model", "package": "package"}
COLUMNS = {"ndcg10": "NDCG@10", "recall20": "Recall@20", "ndcg100": "NDCG@100", "mrr": "MRR"}
BEYOND = {
    "text_diversity": "diversity",
    "category_diversity": "of categories",
    "novelty": "novelty",
    "coverage10": "coverage",
    "gini10": "Gini",
}


@dataclass(frozen=True)
class Comparison:
    """Test figures of the package, of the full model where there is one, and of baselines.

    Attributes:
        package: metrics of the package.
        full: the same of the full model, or None.
        baselines: name -> the same of a baseline.
        settings: name -> what was chosen for that baseline, and how.
        fairness: of the package's lists, see `fairness.assess`.
        rating_error: of the package's predicted ratings, see `rating_error.rating_error`.
    """

    package: Figures
    full: Figures | None
    baselines: Mapping[str, Figures] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    fairness: Mapping[str, Any] | None = None
    rating_error: Mapping[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Means, ratios and intervals as plain JSON values; ``differences`` are package minus the other."""
        report: dict[str, Any] = {"package": summarize(self.package)}
        if not len(self.package):
            return report
        if self.fairness is not None:
            report["fairness"] = dict(self.fairness)
        if self.rating_error is not None:
            report["rmse"] = dict(self.rating_error)
        others = dict(self.baselines)
        if self.full is not None:
            others = {"full": self.full, **others}
            report["full"] = summarize(self.full)
            report["ratio"] = {
                key: report["package"][key] / report["full"][key] if report["full"][key] else None for key in ACCURACY
            }
        if self.baselines:
            report["baselines"] = {
                name: {**summarize(measured), **self.settings.get(name, {})}
                for name, measured in self.baselines.items()
            }
            report["best_baseline"] = {
                key: max(self.baselines, key=lambda name: float(self.baselines[name][key].mean())) for key in ACCURACY
            }
        if others:
            report["differences"] = {
                name: paired(self.package.per_user, measured.per_user) for name, measured in others.items()
            }
        return report

    def lines(self) -> list[str]:
        """A table for a terminal."""
        return table_lines(self.as_dict())


def table_lines(report: Mapping[str, Any]) -> list[str]:
    """The table of `Comparison.as_dict`."""
    package = report["package"]
    if not package["users"]:
        return ["no test users: too few users to hold any out"]
    models = {LABELS[name]: report[name] for name in ("full", "package") if name in report}
    models = dict(report.get("baselines", {})) | models
    users = f"{package['users']:,} test users"
    lines = [f"{users:<20}" + _aligned(list(COLUMNS.values()))]
    for label, figures in models.items():
        low, high = figures["ndcg10_ci95"]
        lines.append(f"  {label:<18}{_cells(figures)}   (95 % of NDCG@10: {low:.4f} to {high:.4f})")
    if "ratio" in report:
        lines.append(f"  {'package / full':<18}{_cells(report['ratio'])}")
    best = report.get("best_baseline", {}).get("ndcg10")
    for name, difference in report.get("differences", {}).items():
        if name in ("full", best):
            low, high = difference["ndcg10"]["ci95"]
            lines.append(
                f"  package - {LABELS.get(name, name)}: NDCG@10 {difference['ndcg10']['mean']:+.4f}, "
                f"95 % of the paired difference {low:+.4f} to {high:+.4f}"
            )
    shown = [key for key in BEYOND if key in package]
    if shown:
        lines += ["", f"{'first ten ranks':<20}" + "  ".join(f"{BEYOND[key]:>13}" for key in shown)]
        for label, figures in models.items():
            cells = ["-" if figures[key] is None else f"{figures[key]:.4f}" for key in shown]
            lines.append(f"  {label:<18}" + "  ".join(f"{cell:>13}" for cell in cells))
    if "rmse" in report:
        error = report["rmse"]
        lines += [
            "",
            f"RMSE of {error['ratings']:,} predicted ratings of {error['users']:,} test users: package "
            f"{error['package']:.4f}, the items' averages {error['averages']:.4f}",
        ]
    return lines


def _cells(figures: Mapping[str, Any]) -> str:
    return _aligned(["-" if figures[key] is None else f"{figures[key]:.4f}" for key in COLUMNS])


def _aligned(cells: list[str]) -> str:
    return "  ".join(f"{cell:>9}" for cell in cells)
