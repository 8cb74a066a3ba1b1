"""Mirror a build's figures to an experiment tracker: TensorBoard's files, or Weights & Biases kept offline.

Both write into ``runs/NAME`` beside the package. Nothing leaves the machine unless WANDB_MODE asks for it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from pocketrec.errors import PocketrecError, UsageError

FOLDER = "runs"


class Tracker(Protocol):
    """Where figures go."""

    def scalar(self, name: str, value: float, *, step: int) -> None:
        """One point of a curve; a figure without steps is at step 0."""

    def close(self) -> None:
        """Everything is on disk afterwards."""


class _TensorBoard:
    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder))
        for signal, chosen in settings.items():
            self._writer.add_text(f"settings/{signal}", str(chosen))

    def scalar(self, name: str, value: float, *, step: int) -> None:
        self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()


class _Wandb:
    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        import wandb

        mode: Any = os.environ.get("WANDB_MODE", "offline")
        folder.mkdir(parents=True, exist_ok=True)
        self._run = wandb.init(project="pocketrec", name=folder.name, dir=folder, mode=mode, config=dict(settings))
        self._run.define_metric("*", step_metric="epoch")

    def scalar(self, name: str, value: float, *, step: int) -> None:
        self._run.log({name: value, "epoch": step})

    def close(self) -> None:
        self._run.finish()


TRACKERS: dict[str, type[_TensorBoard] | type[_Wandb]] = {"tensorboard": _TensorBoard, "wandb": _Wandb}


def check_tracker(name: str | None) -> None:
    """Refuse, before any work, a tracker that is unknown or not installed.

    Raises:
        UsageError: an unknown name.
        PocketrecError: its package is missing; says how to install it.
    """
    if name is None:
        return
    if name not in TRACKERS:
        raise UsageError(f"track is {name!r}; expected one of {', '.join(TRACKERS)}")
    try:
        __import__(name)
    except ModuleNotFoundError as error:
        raise PocketrecError(f"tracking to {name} needs {error.name}: pip install 'pocketrec[track]'") from error


def track(report: Mapping[str, Any], *, tracker: str, folder: str | Path) -> None:
    """Write all figures of a build to a tracker.

    Args:
        report: `BuildReport.as_dict`.
        tracker: a key of ``TRACKERS``.
        folder: where its files go.
    """
    check_tracker(tracker)
    writer: Tracker = TRACKERS[tracker](Path(folder), report["settings"])
    try:
        for name, value, step in figures(report):
            writer.scalar(name, value, step=step)
    finally:
        writer.close()


def figures(report: Mapping[str, Any]) -> Iterator[tuple[str, float, int]]:
    """(name, value, step) of everything in a report that is a number to follow over builds."""
    for title, series in report["curves"].items():
        for name, points in series.items():
            for epoch, loss in points:
                yield f"loss/{title}/{name}", float(loss), int(epoch)
    yield "bytes/package", float(report["bytes"]), 0
    yield "bytes/full", float(report["full_bytes"]), 0
    for part, size in report["facts"]["parts"].items():
        yield f"bytes/{part}", float(size), 0
    for stage, taken in report["seconds"].items():
        yield f"seconds/{stage}", float(taken), 0
    for name, value in (report["student"] or {}).items():
        yield f"student/{name}", float(value), 0
    comparison = report["comparison"] or {}
    for model in ("package", "full", "ratio"):
        for name, value in comparison.get(model, {}).items():
            if isinstance(value, (int, float)):
                yield f"{model}/{name}", float(value), 0
    for step, trial in enumerate(report["trials"]):
        if trial["objective"] is not None:
            yield f"trials/{trial['signal']}", float(trial["objective"]), step
