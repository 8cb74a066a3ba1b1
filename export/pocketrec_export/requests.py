"""What can be refused of a build's arguments before any work is done."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pocketrec.errors import UsageError

from pocketrec_export.evaluate import CATALOGUE
from pocketrec_export.presets import PRESETS, SIGNALS
from pocketrec_export.report import DATA, PAGE


def check_arguments(
    interactions: Any,
    items: Any,
    split: Any,
    preset: str,
    trials: int | None,
    min_users: int,
    seed: int,
    threads: int,
    signals: Sequence[str],
) -> None:
    """What can be refused of the arguments before any work is done."""
    if interactions is None and items is None:
        raise UsageError("give interactions, items, or both")
    if split is not None and interactions is None:
        raise UsageError("a split divides interactions; give them too")
    if preset not in PRESETS:
        raise UsageError(f"preset is {preset!r}; expected one of {', '.join(PRESETS)}")
    if trials is not None and trials < 0:
        raise UsageError(f"trials is {trials}; expected 0 or more")
    unknown = [signal for signal in signals if signal not in SIGNALS]
    if unknown or not signals:
        raise UsageError(f"signals are {', '.join(signals) or 'none'}; expected some of {', '.join(SIGNALS)}")
    if min_users < 1:
        raise UsageError(f"min_users is {min_users}; expected 1 or more")
    if not 0 <= seed < 2**32:
        raise UsageError(f"seed is {seed}; expected 0 to 4294967295")
    if threads < 1:
        raise UsageError(f"threads is {threads}; expected 1 or more")


def check_targets(path: Path, overwrite: bool, *, save_full: Path | None = None, report: Path | None = None) -> None:
    """What can be refused of the places to write to: nothing is replaced unasked, and only what a build wrote."""
    for target in filter(None, (path, save_full, report)):
        if not target.parent.is_dir():
            raise UsageError(f"{target.parent} is not a folder; create it first")
    if path.is_dir():
        raise UsageError(f"{path} is a folder; expected the name of a file to write the package to")
    for target in filter(None, (path, save_full, report)):
        if target.exists() and not overwrite:
            raise UsageError(f"{target} exists; choose another name or ask to overwrite it")
    _check_folder(save_full, "a full model", _is_full_model, outside=(path, report))
    _check_folder(report, "a report", _is_report, outside=(path, save_full))


def _check_folder(
    folder: Path | None, what: str, ours: Callable[[set[str]], bool], *, outside: tuple[Path | None, ...]
) -> None:
    """Refuse a folder that would be replaced as a whole although it holds something else."""
    if folder is None:
        return
    for other in filter(None, outside):
        if folder.resolve() in (other.resolve(), *other.resolve().parents):
            raise UsageError(f"{other} is in {folder}, which is replaced as a whole; keep it outside of that folder")
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UsageError(f"{folder} is a file; expected a folder to keep {what} in")
    names = set(os.listdir(folder))
    if names and not ours(names):
        raise UsageError(f"{folder} holds other files than {what}; it would be replaced: choose another folder")


def _is_full_model(names: set[str]) -> bool:
    return CATALOGUE in names and all(name.endswith((".npy", ".json")) for name in names)


def _is_report(names: set[str]) -> bool:
    return names <= {PAGE, DATA}
