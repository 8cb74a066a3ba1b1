"""What a package says of itself, and whether it keeps its word: the facts behind ``inspect`` and ``verify``."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from pocketrec.errors import EngineError, PackageError, PocketrecError
from pocketrec.package import Package

GOLDEN = "golden.json"
GOLDEN_TOLERANCE = 0.01
"""Largest gap between a golden score and an engine's, as a share of the largest score of its list. Engines may
round the 8-bit query differently by one step, which moves a score by a few thousandths of that."""


def describe_package(package: Package) -> dict[str, Any]:
    """Facts for people and scripts; every value is plain JSON."""
    manifest = package.manifest
    parts: dict[str, int] = {}
    for name, size in package.sizes().items():
        part = name.split("/")[0]
        parts[part] = parts.get(part, 0) + size
    parts["zip framing"] = package.size_bytes - sum(parts.values())
    onnx = manifest.graphs.onnx
    return {
        "name": manifest.name,
        "id": package.id,
        "format": manifest.format,
        "generator": manifest.generator,
        "bytes": package.size_bytes,
        "parts": parts,
        "items": manifest.catalogue.items,
        "categories": manifest.catalogue.categories,
        "signals": {
            name: {task: blend[name].weight if name in blend else 0.0 for task, blend in manifest.blend.items()}
            for name in manifest.signals
        },
        "encoder": None
        if manifest.encoder is None
        else {
            "kind": manifest.encoder.kind,
            "dim": manifest.encoder.dim,
            "max_tokens": manifest.encoder.max_tokens,
            "teacher": manifest.encoder.teacher,
        },
        "engines": {"numpy": ">=1.26", **({"onnx": f">={onnx.min_onnxruntime},<1.29"} if onnx else {})},
        "input": {
            "value_kind": manifest.input.value_kind,
            "reason": manifest.input.reason,
            "positive": manifest.input.positive,
            "split_sha256": manifest.input.split_sha256,
        },
        "metrics": dict(manifest.metrics),
        "data": {"license": manifest.data.license, "attribution": manifest.data.attribution},
    }


def report_lines(facts: dict[str, Any]) -> list[str]:
    """The facts as lines for a terminal."""
    total = facts["bytes"]
    lines = [
        f"{facts['name']}  ({facts['generator']}, format {facts['format']}, id {facts['id'][:16]})",
        f"{facts['items']:,} items, {facts['categories']:,} categories, {total:,} bytes",
        "",
        "bytes by part",
    ]
    for part, size in sorted(facts["parts"].items(), key=lambda entry: -entry[1]):
        lines.append(f"  {part:<14}{size:>12,}  {100 * size / total:5.1f} %")
    lines += ["", "signals        recommend    search   similar"]
    for name, weights in facts["signals"].items():
        columns = "".join(f"{weights[task]:>10.4f}" for task in ("recommend", "search", "similar"))
        lines.append(f"  {name:<12}{columns}")
    encoder = facts["encoder"]
    if encoder:
        lines += ["", f"encoder        {encoder['kind']}, {encoder['dim']} dimensions, from {encoder['teacher']}"]
    lines += ["", "engines        " + ", ".join(f"{name} {floor}" for name, floor in facts["engines"].items())]
    positive = facts["input"]["positive"]
    lines.append(f"input          {facts['input']['value_kind']}: {facts['input']['reason']}")
    if positive:
        lines.append(f"               liked means {positive}")
    for name, figures in facts["metrics"].items():
        lines.append(f"{name:<14} {_figures(figures)}")
    if facts["data"]["license"]:
        lines.append(f"license        {facts['data']['license']}")
    if facts["data"]["attribution"]:
        lines.append(f"attribution    {facts['data']['attribution']}")
    return lines


def _figures(figures: Any) -> str:
    if not isinstance(figures, dict):
        return str(figures)
    return ", ".join(
        f"{key} {value:.4f}" if isinstance(value, float) else f"{key} {value}" for key, value in figures.items()
    )


def verify_package(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Check every hash, then run the golden cases on each engine.

    An engine that is not installed is reported and is no failure; one that disagrees is.

    Raises:
        PackageError: a hash or a structural rule is broken, or the golden cases cannot be read.
    """
    from pocketrec.engine import ENGINES, open_engine
    from pocketrec.recommender import Recommender

    with Package.open(path) as package:
        facts: dict[str, Any] = {
            "id": package.id,
            "bytes": package.size_bytes,
            "entries": len(package.manifest.entries) + 1,
            "engines": {},
        }
        cases = read_golden(package)
        for name in ENGINES:
            try:
                engine = open_engine(package, name)
            except EngineError as error:
                facts["engines"][name] = {"ok": True, "ran": False, "message": f"not run: {error}"}
                continue
            gaps = [_gap(Recommender(package, engine), case) for case in cases]
            worst = max(gaps, default=0.0)
            facts["engines"][name] = {
                "ok": worst <= GOLDEN_TOLERANCE,
                "ran": True,
                "cases": len(cases),
                "largest_gap": worst,
                "message": f"{len(cases)} golden cases, largest score gap {100 * worst:.3f} % "
                f"({'ok' if worst <= GOLDEN_TOLERANCE else f'more than {100 * GOLDEN_TOLERANCE:g} %: do not use it'})",
            }
            engine.close()
    return facts


def read_golden(package: Package) -> list[dict[str, Any]]:
    """The golden cases: each a verb, its arguments, and the items and scores of the reference engine.

    Raises:
        PackageError: the entry is not a list of such cases.
    """
    if not package.has(GOLDEN):
        return []
    try:
        cases = json.loads(bytes(package.blob(GOLDEN)))["cases"]
        for case in cases:
            if case["verb"] not in _VERBS or len(case["items"]) != len(case["scores"]):
                raise ValueError("unknown verb, or items and scores of different length")
            if case["verb"] == "recommend" and not all(isinstance(pair, list) for pair in case["argument"]):
                raise ValueError("a history that is not a list of pairs")
            if not np.isfinite(np.asarray(case["scores"], np.float64)).all():
                raise ValueError("a score that is not finite")
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise PackageError(f"{GOLDEN} is not a list of golden cases: {error}") from error
    return list(cases)


_VERBS: dict[str, Callable[[Any, Any, int], Any]] = {
    "recommend": lambda recommender, history, k: recommender.recommend([tuple(pair) for pair in history], k=k),
    "search": lambda recommender, text, k: recommender.search(text, k=k),
    "similar": lambda recommender, item, k: recommender.similar(item, k=k),
}


def golden_case(recommender: Any, verb: str, argument: Any, k: int = 10) -> dict[str, Any]:
    """A golden case as the recommender answers it now."""
    results = _VERBS[verb](recommender, argument, k)
    return {
        "verb": verb,
        "argument": argument,
        "items": [item.item for item in results],
        "scores": [item.score for item in results],
    }


def _gap(recommender: Any, case: dict[str, Any]) -> float:
    """The largest score difference at any rank, relative to the largest score; 1 where the call fails."""
    try:
        found = golden_case(recommender, case["verb"], case["argument"], len(case["items"]))
    except PocketrecError:
        return 1.0
    if len(found["scores"]) != len(case["scores"]):
        return 1.0
    wanted = np.asarray(case["scores"], np.float64)
    size = np.abs(wanted).max(initial=0.0) or 1.0
    gap = float((np.abs(wanted - np.asarray(found["scores"])) / size).max(initial=0.0))
    return gap if np.isfinite(gap) else 1.0
