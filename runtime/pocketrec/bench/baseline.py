"""The older side of a comparison: a package, or the figures that an earlier `bench --json` printed."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from pocketrec.bench.figures import SCHEMA
from pocketrec.errors import BaselineError, OtherCatalogueError, OtherDeviceError

TIMED = ("latency", "instructions")
"""Gates whose figures belong to a device."""
LIMIT_BYTES = 64 << 20


def is_package(path: Path) -> bool:
    """Whether the baseline is a package, not figures.

    Raises:
        BaselineError: there is no such file.
    """
    if not path.is_file():
        raise BaselineError(f"no baseline at {path}: build the old package first, or keep what `bench --json` prints")
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"


def read_figures(path: Path) -> dict[str, Any]:
    """The figures of the package in a file that `pocketrec bench --json` printed.

    Raises:
        BaselineError: the file holds something else.
        OtherDeviceError: another version wrote it.
    """
    what = f"baseline {path} is neither a package nor what `pocketrec bench --json` prints"
    if path.stat().st_size > LIMIT_BYTES:
        raise BaselineError(f"{what}: it has more than {LIMIT_BYTES >> 20} MB")
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        figures = report["package"]
        schema = figures["schema"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BaselineError(f"{what}: {type(error).__name__} {error}") from error
    if schema != SCHEMA:
        raise OtherDeviceError(
            f"baseline {path} has figures of schema {schema}, this version compares {SCHEMA}: measure it again"
        )
    if not isinstance(figures, dict) or not figures.keys() >= {"catalogue", "bytes", "device", "latency", "accuracy"}:
        raise BaselineError(f"{what}: figures are missing")
    return figures


def check_comparable(old: dict[str, Any], new: dict[str, Any], gates: Collection[str]) -> None:
    """Refuse what would compare two different things.

    Raises:
        OtherCatalogueError: the packages hold other items.
        OtherDeviceError: their times are of other devices, engines or versions of them.
    """
    if old["catalogue"] != new["catalogue"]:
        raise OtherCatalogueError(
            f"the baseline holds another catalogue: {old['items']:,} items ({old['catalogue'][:16]}), the package "
            f"{new['items']:,} ({new['catalogue'][:16]}); build both from the same items"
        )
    if not any(gate in TIMED for gate in gates):
        return
    before, after = old["device"] or {}, new["device"] or {}
    for key in after:
        if before.get(key) != after[key] and key != "dispatch":
            raise OtherDeviceError(
                f"the baseline was measured with {key} {before.get(key)!r}, the package with {after[key]!r}; measure "
                "both here, or compare without times: --gates bytes,accuracy"
            )
