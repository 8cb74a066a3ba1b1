"""What a build says: two lines on its input while it runs, and the report at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from pocketrec_export.comparison import table_lines
from pocketrec_export.dataset import Dataset
from pocketrec_export.read import Interactions, Items

PAGE, DATA = "index.html", "report.json"
"""The files of a report's folder."""
ON_SPLIT = "test users of the split"
BEFORE_REFIT = "15 % of users held out; fitted again on all rows afterwards"


def interactions_line(events: Interactions) -> str:
    """How many there are, and what their values were taken for."""
    counts = f"{len(events):,} rows, {len(events.users):,} users, {len(events.items):,} items"
    if events.value_kind == "none":
        return f"interactions: {counts}; {events.value_reason}"
    liked = f"liked means {events.positive} ({int(events.is_positive.sum()):,} rows)"
    return f"interactions: {counts}; values are {events.value_kind}s ({events.value_reason}), {liked}"


def split_line(dataset: Dataset) -> str:
    """Who teaches and who is held out."""
    chosen, test = len(dataset.validation), len(dataset.test)
    held_out = f"held out: {chosen:,} users to choose settings, {test:,} to test" if chosen + test else "none held out"
    return (
        f"split: {int(dataset.train_items.sum()):,} of {len(dataset.items):,} items in train; "
        f"{len(dataset.users):,} users to learn from, {held_out}"
    )


def long_tail(train: csr_matrix, *, points: int = 100) -> tuple[tuple[float, float], ...]:
    """(share of the items, share of the interactions), most popular items first, from (0, 0) to (1, 1).

    Args:
        train: csr [U, I], one stored value an interaction.
        points: of the curve, the origin not counted.
    """
    count = np.sort(np.bincount(train.indices, minlength=train.shape[1]))[::-1]
    if not count.sum():
        return ()
    total = np.concatenate([[0], np.cumsum(count)]) / count.sum()
    at = np.unique(np.linspace(0, len(count), min(points, len(count)) + 1).round().astype(int))
    return tuple((int(items) / len(count), float(total[items])) for items in at)


def cleaning_rows(*sources: Interactions | Items | None) -> tuple[dict[str, Any], ...]:
    """One mapping for each rule that was met in reading: source, rule, count, example."""
    return tuple(
        {"source": source.name, "rule": note.rule, "count": note.count, "example": note.example}
        for source in sources
        if source is not None
        for note in source.notes
    )


def loss_curves(
    distillation: Sequence[float] | None, ratings: Mapping[str, Any] | None
) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """What was trained by epochs: title -> series -> (epoch, loss).

    Args:
        distillation: loss of each epoch of the query encoder, or None.
        ratings: `RatingFit.as_dict`, or None; the curve is that of the chosen candidate.
    """
    curves: dict[str, dict[str, list[tuple[float, float]]]] = {}
    if distillation:
        curves["The query encoder learns from the teacher"] = {"distillation": list(enumerate(distillation, 1))}
    if ratings and ratings["trials"]:
        chosen = min(ratings["trials"], key=lambda trial: float(trial["validation_rmse"]))
        curves["Ratings: root mean squared error"] = {
            name: [(epoch, point[f"{name}_rmse"]) for epoch, point in enumerate(chosen["curve"], 1)]
            for name in ("train", "validation")
        }
    return curves


def tier_lines(tiers: Sequence[Mapping[str, Any]], shipped: int | None) -> list[str]:
    """The ways to store the table of tokens with what each loses; an arrow at the one that ships. Empty without any."""
    lines = [f"   {'table of tokens':<18}{'MB':>7}{'overlap@10':>12}{'NDCG@10':>10}{'lost':>9}"] if tiers else []
    for tier in tiers:
        mark = "->" if tier["bits"] == shipped else "  "
        lines.append(
            f"{mark} {tier['name']:<18}{tier['size_bytes'] / 1e6:7.2f}{tier['overlap_at_10']:12.4f}"
            f"{tier['ndcg_at_10']:10.4f}{100 * tier['loss']:8.2f}%"
        )
    return lines


@dataclass(frozen=True)
class BuildReport:
    """What a build read, chose, measured and wrote.

    Attributes:
        path: the package.
        facts: as `pocketrec inspect --json` prints them.
        notes: what reading repaired, removed or assumed, a sentence each; printed while building.
        settings: chosen settings by signal.
        trials: every candidate with its validation objective.
        comparison: test figures of package and full model, None where no user could be held out.
        measured_on: `ON_SPLIT`, `BEFORE_REFIT`, or None without figures.
        ratings: of the model that predicts ratings (see `rating_stage.RatingFit.as_dict`): settings, RMSE on held-out
            ratings, loss curves; None without one.
        student: fidelity of the student on held-out queries, None without texts.
        full_bytes: bytes of the full float32 model, teacher included.
        teacher_bytes: of these the teacher's, 0 without texts.
        threads: of the numeric libraries; another number may give other bytes.
        gave: what was left out to stay within the size asked for, a sentence; empty where nothing was.
        tiers: what each way to store the table of tokens costs (`tiers.Tier`), empty without texts.
        bits: of a number in the table that was written, None without texts.
        reused: what came from the cache instead of being computed, a line each.
        seconds: of each stage; printed only, never written into the package.
        data: what was read and how it was split, a sentence each.
        cleaning: one mapping for each rule that was met: rule, count, example.
        tail: (share of the items, share of the interactions), most popular items first; empty without any.
        curves: title -> series -> (epoch, loss) points of everything that was trained by epochs.
        ablation: what each signal buys, or None where nothing was chosen on validation users.
        answers: sample answers with reasons, where a page was asked for.
    """

    path: Path
    facts: Mapping[str, Any]
    notes: tuple[str, ...]
    settings: Mapping[str, Any]
    trials: tuple[Mapping[str, Any], ...]
    comparison: Mapping[str, Any] | None
    measured_on: str | None
    ratings: Mapping[str, Any] | None
    student: Mapping[str, float] | None
    full_bytes: int
    teacher_bytes: int
    threads: int
    gave: str = ""
    tiers: tuple[Mapping[str, Any], ...] = ()
    bits: int | None = None
    reused: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    data: tuple[str, ...] = ()
    cleaning: tuple[Mapping[str, Any], ...] = ()
    tail: tuple[tuple[float, float], ...] = ()
    curves: Mapping[str, Mapping[str, Sequence[tuple[float, float]]]] = field(default_factory=dict)
    ablation: Mapping[str, Any] | None = None
    answers: tuple[Mapping[str, Any], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "path": str(self.path),
            "bytes": self.facts["bytes"],
            "full_bytes": self.full_bytes,
            "teacher_bytes": self.teacher_bytes,
            "facts": dict(self.facts),
            "notes": list(self.notes),
            "gave": self.gave,
            "tiers": list(self.tiers),
            "bits": self.bits,
            "settings": dict(self.settings),
            "trials": list(self.trials),
            "comparison": self.comparison,
            "measured_on": self.measured_on,
            "ratings": self.ratings,
            "student": self.student,
            "threads": self.threads,
            "reused": list(self.reused),
            "seconds": dict(self.seconds),
            "data": list(self.data),
            "cleaning": list(self.cleaning),
            "tail": list(self.tail),
            "curves": {title: dict(series) for title, series in self.curves.items()},
            "ablation": self.ablation,
            "answers": list(self.answers),
        }

    def lines(self) -> list[str]:
        """A summary for a terminal."""
        lines: list[str] = []
        if self.comparison is not None:
            lines += [*table_lines(self.comparison)]
            if self.measured_on == BEFORE_REFIT:
                lines.append(
                    "measured on a model fitted without these users; the package was then fitted again on all rows"
                )
            lines.append("")
        if self.ratings is not None and self.ratings["rmse"] is not None:
            rmse = self.ratings["rmse"]
            lines += [
                f"RMSE on {rmse['ratings']:,} held-out ratings: package {rmse['package']:.4f}, "
                f"full model {rmse['full']:.4f}, biases alone {rmse['biases']:.4f}",
                "",
            ]
        if self.student is not None:
            figures = ", ".join(f"{name} {value:.4f}" for name, value in self.student.items())
            lines += [f"queries by the student against queries by the teacher: {figures}"]
            lines += [*tier_lines(self.tiers, self.bits), ""]
        size = self.facts["bytes"]
        teacher = f" (teacher {self.teacher_bytes / 1e6:,.1f} MB included)" if self.teacher_bytes else ""
        lines.append(
            f"full model {self.full_bytes / 1e6:,.1f} MB{teacher}, package {size / 1e6:,.2f} MB: "
            f"{self.full_bytes / size:.1f} x smaller"
        )
        if self.gave:
            lines.append(self.gave)
        for part, part_size in sorted(self.facts["parts"].items(), key=lambda entry: -entry[1]):
            lines.append(f"  {part:<14}{part_size:>12,}  {100 * part_size / size:5.1f} %")
        lines += [f"reused from the cache: {what}" for what in self.reused]
        lines += ["", f"wrote {self.path} in {sum(self.seconds.values()):.0f} s"]
        return lines
