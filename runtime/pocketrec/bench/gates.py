"""Figures and limits in, outcomes out: what may a new package cost that the old one did not?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from pocketrec.bench.intervals import Ratio, ratio_of_medians

Status = Literal["passed", "failed", "not measured"]
GATES = ("latency", "bytes", "accuracy", "instructions")


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be lost, as shares of the old figure.

    Attributes:
        latency: by how much the median of a verb may grow, for sure (the lower bound of the ratio decides).
        bytes: by how much the file may grow.
        accuracy: how much of a metric may be lost.
        instructions: by how much the instructions of a call may grow.
    """

    latency: float = 0.05
    bytes: float = 0.01
    accuracy: float = 0.005
    instructions: float = 0.03


@dataclass(frozen=True, slots=True)
class Outcome:
    """One comparison.

    Attributes:
        name: the gate and what of it, for example ``latency: search``.
        status: ``"not measured"`` is never a pass.
        old: the figure of the baseline, None where there is none.
        new: the figure of the package.
        unit: of both.
        ratio: new / old.
        bounds: of the ratio, where it is uncertain.
        limit: what the ratio, or its lower bound, must not pass; of accuracy: what it must reach.
        note: why not measured, or what is not certain.
    """

    name: str
    status: Status
    old: float | None = None
    new: float | None = None
    unit: str = ""
    ratio: float | None = None
    bounds: tuple[float, float] | None = None
    limit: float | None = None
    note: str = ""


def judge(old: dict[str, Any], new: dict[str, Any], limits: Limits, gates: Iterable[str]) -> list[Outcome]:
    """The outcomes of these gates.

    Args:
        old: figures as `figures.figures_of` makes them.
        new: the same of the new package.
        limits: what may be lost.
        gates: of `GATES`.
    """
    judges = {"latency": _latency, "bytes": _bytes, "accuracy": _accuracy, "instructions": _instructions}
    return [outcome for gate in gates for outcome in judges[gate](old, new, limits)]


def _latency(old: dict[str, Any], new: dict[str, Any], limits: Limits) -> Iterator[Outcome]:
    limit = 1 + limits.latency
    paired = old["session"] == new["session"]
    for verb, measured in new["latency"].items():
        name = f"latency: {verb}"
        if verb not in old["latency"]:
            yield Outcome(name, "not measured", note="the baseline was not asked this")
            continue
        before, after = np.array(old["latency"][verb]["blocks_ms"]), np.array(measured["blocks_ms"])
        ratio = ratio_of_medians(before, after, paired=paired)
        yield Outcome(
            name,
            "failed" if ratio.low > limit else "passed",
            float(np.median(before)),
            float(np.median(after)),
            "ms",
            ratio.value,
            (ratio.low, ratio.high),
            limit,
            _certainty(ratio, limit),
        )


def _certainty(ratio: Ratio, limit: float) -> str:
    if ratio.low <= limit < ratio.high:
        return "too noisy to tell on which side of the limit it is; more --processes narrow it"
    return ""


def _bytes(old: dict[str, Any], new: dict[str, Any], limits: Limits) -> Iterator[Outcome]:
    yield _grown("bytes", old["bytes"], new["bytes"], "bytes", 1 + limits.bytes)


def _accuracy(old: dict[str, Any], new: dict[str, Any], limits: Limits) -> Iterator[Outcome]:
    before, after = old["accuracy"], new["accuracy"]
    if before is None or after is None:
        whose = "either package" if before is after else "the baseline" if before is None else "the package"
        yield Outcome("accuracy", "not measured", note=f"no figures of {whose}; give --interactions and --split")
        return
    if before["source"] != after["source"]:
        note = f"not of the same users: {before['source']} against {after['source']}; give --interactions and --split"
        yield Outcome("accuracy", "not measured", note=note)
        return
    for metric, value in after["figures"].items():
        was = before["figures"].get(metric)
        name = f"accuracy: {metric}"
        if not was:
            yield Outcome(name, "not measured", was, value, note="the baseline has none")
            continue
        limit = 1 - limits.accuracy
        yield Outcome(name, "failed" if value < limit * was else "passed", was, value, "", value / was, None, limit)


def _instructions(old: dict[str, Any], new: dict[str, Any], limits: Limits) -> Iterator[Outcome]:
    before, after = old["instructions"], new["instructions"]
    reason = after["reason"] or before["reason"]
    if not reason and before["tool"] != after["tool"]:
        reason = f"counted by {before['tool']} and by {after['tool']}"
    if not reason and before["dispatch"] != after["dispatch"]:
        reason = "counted on CPUs with other vector instructions, so with other kernels"
    if reason:
        yield Outcome("instructions", "not measured", note=reason)
        return
    for verb, value in after["per_call"].items():
        was = before["per_call"].get(verb)
        name = f"instructions: {verb}"
        if not was:
            yield Outcome(name, "not measured", note="the baseline was not asked this")
        else:
            yield _grown(name, was, value, "a call", 1 + limits.instructions)


def _grown(name: str, old: float, new: float, unit: str, limit: float) -> Outcome:
    ratio = new / old
    return Outcome(name, "failed" if ratio > limit else "passed", old, new, unit, ratio, None, limit)
