"""What can be refused of a build's arguments before any work is done."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pocketrec.errors import UsageError

from pocketrec_export.evaluate import CATALOGUE
from pocketrec_export.tune import PRESETS


def check_arguments(
    interactions: Any, items: Any, split: Any, preset: str, min_users: int, seed: int, threads: int
) -> None:
    """What can be refused of the arguments before any work is done."""
    if interactions is None and items is None:
        raise UsageError("give interactions, items, or both")
    if split is not None and interactions is None:
        raise UsageError("a split divides interactions; give them too")
    if preset not in PRESETS:
        raise UsageError(f"preset is {preset!r}; expected one of {', '.join(PRESETS)}")
    if min_users < 1:
        raise UsageError(f"min_users is {min_users}; expected 1 or more")
    if not 0 <= seed < 2**32:
        raise UsageError(f"seed is {seed}; expected 0 to 4294967295")
    if threads < 1:
        raise UsageError(f"threads is {threads}; expected 1 or more")


def check_targets(path: Path, save_full: Path | None, overwrite: bool) -> None:
    """What can be refused of the places to write to: nothing is replaced unasked, and only what a build wrote."""
    for target in filter(None, (path, save_full)):
        if not target.parent.is_dir():
            raise UsageError(f"{target.parent} is not a folder; create it first")
    if save_full is not None and save_full in (path.resolve(), *path.resolve().parents):
        raise UsageError(f"{path} is in {save_full}, which is replaced as a whole; keep the package outside of it")
    if path.is_dir():
        raise UsageError(f"{path} is a folder; expected the name of a file to write the package to")
    for target in filter(None, (path, save_full)):
        if target.exists() and not overwrite:
            raise UsageError(f"{target} exists; choose another name or ask to overwrite it")
    if save_full is None or not save_full.exists():
        return
    if not save_full.is_dir():
        raise UsageError(f"{save_full} is a file; expected a folder to keep the full model in")
    names = os.listdir(save_full)
    if names and not (CATALOGUE in names and all(name.endswith((".npy", ".json")) for name in names)):
        raise UsageError(
            f"{save_full} holds other files than a full model; it would be replaced: choose another folder"
        )
