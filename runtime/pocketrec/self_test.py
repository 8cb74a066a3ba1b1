"""Does an engine compute, on this machine, what the package says? Asked once, before the first answer.

Runtimes fail silently: tflite-runtime 2.14 answers per-channel quantized models with noise, integer products saturate
on some CPUs, a new version may round differently. A package carries golden cases with the answers of the numpy engine,
so a few of them tell.
"""

from __future__ import annotations

from typing import Any

from pocketrec.engine import Engine
from pocketrec.errors import EngineError, PocketrecError
from pocketrec.inspection import GOLDEN_TOLERANCE, PREDICT, gap_of, read_golden
from pocketrec.package import Package
from pocketrec.recommender import Recommender

_passed: set[tuple[str, str]] = set()
"""Packages by their id and engines that this process has tested."""


def check_engine(package: Package, engine: Engine) -> None:
    """Run one golden case of each verb, the longest history of `recommend`; nothing for the numpy engine.

    Raises:
        EngineError: the engine answers one of them wrongly, or not at all.
        PackageError: the golden cases cannot be read.
    """
    key = (package.id, engine.name)
    if engine.name == "numpy" or key in _passed:
        return
    cases = {case["verb"]: case for case in read_golden(package) if case["verb"] != PREDICT}
    recommender = Recommender(package, engine, clock=None)  # without whatever a device has added
    for verb, case in cases.items():
        said = _wrong(recommender, case)
        if said:
            raise EngineError(
                f"the {engine.name} engine fails this package's self-test: {verb} {said}. Its version, or the build of "
                "it on this machine, is not to be trusted; install another version, or use engine='numpy'"
            )
    _passed.add(key)


def _wrong(recommender: Recommender, case: dict[str, Any]) -> str:
    """What is wrong with the answer to a golden case; empty if nothing is."""
    try:
        gap = gap_of(recommender, case)
    except PocketrecError as error:
        return f"gives no answer ({error})"
    return "" if gap <= GOLDEN_TOLERANCE else f"is {100 * gap:.0f} % off where {100 * GOLDEN_TOLERANCE:g} % may be"
