"""What a package says of itself, and whether it keeps its word: the facts behind ``inspect`` and ``verify``."""

from __future__ import annotations

import hashlib
import json
import math
import os
import textwrap
from collections.abc import Callable
from typing import Any

import numpy as np

from pocketrec import onnx_guard, tflite_guard
from pocketrec.errors import PackageError, PocketrecError
from pocketrec.manifest import Manifest
from pocketrec.package import Package
from pocketrec.times import LARGEST_TIME

GOLDEN = "golden.json"
GOLDEN_TOLERANCE = 0.01
"""Largest gap between a golden score and an engine's, as a share of the largest score of its list. Engines may
round the 8-bit query differently by one step, which moves a score by a few thousandths of that."""
GOLDEN_DEPTH = 100
"""How many ranks below a golden list its items are looked for: engines may order equal scores differently."""
PREDICT = "predict"
"""The verb whose golden cases list the items asked for with their ratings, not the best with their scores."""
CLASSIFY = "classify"
"""The verb whose golden cases list a head and label for each probability."""
MAX_GOLDEN = 1000
"""Cases that are run at most; exporters write a dozen."""
FINGERPRINTS = {
    "catalogue": ("catalogue/id.offset", "catalogue/id.text"),
    "encoder": ("tokens/value", "tokens/scale", "tokenizer/vocab.offset", "tokenizer/vocab.text"),
}
"""The arrays that each fingerprint of the manifest stands for."""


def describe_package(package: Package) -> dict[str, Any]:
    """Facts for people and scripts; every value is plain JSON."""
    manifest = package.manifest
    parts: dict[str, int] = {}
    for name, size in package.sizes().items():
        part = name.split("/")[0]
        parts[part] = parts.get(part, 0) + size
    parts["zip framing"] = package.size_bytes - sum(parts.values())
    return {
        "name": manifest.name,
        "id": package.id,
        "format": manifest.format,
        "generator": manifest.generator,
        "bytes": package.size_bytes,
        "parts": parts,
        "items": manifest.catalogue.items,
        "attributes": {
            info.name: {"kind": info.kind} | ({"values": info.values} if info.kind == "category" else {})
            for info in manifest.catalogue.attributes
        },
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
        "heads": {head.name: head.labels for head in manifest.heads},
        "ratings": None
        if manifest.ratings is None
        else {"low": manifest.ratings.low, "high": manifest.ratings.high, "dim": manifest.ratings.dim},
        "engines": _floors(manifest),
        "targets": _targets(package),
        "input": {
            "value_kind": manifest.input.value_kind,
            "reason": manifest.input.reason,
            "positive": manifest.input.positive,
            "split_sha256": manifest.input.split_sha256,
        },
        "metrics": dict(manifest.metrics),
        "data": {"license": manifest.data.license, "attribution": manifest.data.attribution},
    }


def _floors(manifest: Manifest) -> dict[str, str]:
    """What each engine needs to run the package, of those that can."""
    onnx, tflite = manifest.graphs.onnx, manifest.graphs.tflite
    return {
        "numpy": ">=1.26",
        **({"onnx": f">={onnx.min_onnxruntime},<1.29"} if onnx else {}),
        **({"litert": " or ".join(f"{name} >={floor}" for name, floor in tflite.floors.items())} if tflite else {}),
    }


def _targets(package: Package) -> dict[str, Any]:
    """Of each format of graphs: its bytes, tables that it embeds among them, and the operators of a reduced build."""
    sizes, readers = package.sizes(), {"onnx": onnx_guard.operators_of, "tflite": tflite_guard.operators_of}
    found = {}
    for target, operators_of in readers.items():
        graphs = getattr(package.manifest.graphs, target)
        if graphs is not None:
            entries = [entry for entry in (graphs.ranker, graphs.encoder) if entry is not None]
            operators = set().union(*(operators_of(package.blob(entry)) for entry in entries))
            found[target] = {"bytes": sum(sizes[entry] for entry in entries), "operators": sorted(operators)}
    return found


def report_lines(facts: dict[str, Any]) -> list[str]:
    """The facts as lines for a terminal."""
    total = facts["bytes"]
    lines = [
        f"{facts['name']}  ({facts['generator']}, format {facts['format']}, id {facts['id'][:16]})",
        f"{facts['items']:,} items, {total:,} bytes",
        "",
        "bytes by part",
    ]
    for part, size in sorted(facts["parts"].items(), key=lambda entry: -entry[1]):
        lines.append(f"  {part:<14}{size:>12,}  {100 * size / total:5.1f} %")
    for name, about in facts["attributes"].items():
        values = f" of {about['values']:,}" if "values" in about else ""
        lines.append(f"attribute      {name}: {about['kind']}{values}")
    if facts["signals"]:
        lines += ["", "signals        recommend    search   similar"]
    for name, weights in facts["signals"].items():
        columns = "".join(f"{weights[task]:>10.4f}" for task in ("recommend", "search", "similar"))
        lines.append(f"  {name:<12}{columns}")
    encoder = facts["encoder"]
    if encoder:
        lines += ["", f"encoder        {encoder['kind']}, {encoder['dim']} dimensions, from {encoder['teacher']}"]
    for name, labels in facts["heads"].items():
        lines.append(f"labels         {name}: {labels:,}")
    ratings = facts["ratings"]
    if ratings:
        lines += ["", f"ratings        {ratings['low']:g} to {ratings['high']:g}, {ratings['dim']} dimensions"]
    lines += ["", "engines        " + ", ".join(f"{name} {floor}" for name, floor in facts["engines"].items())]
    for target, about in facts["targets"].items():
        words = f"{target:<14} {about['bytes']:,} bytes; operators: {', '.join(about['operators'])}"
        lines += textwrap.wrap(words, 100, subsequent_indent=" " * 15)
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
    """Numbers to four digits; nested values in the order of the manifest."""
    if isinstance(figures, dict):
        return ", ".join(f"{key} {_figures(value)}" for key, value in figures.items())
    if isinstance(figures, list):
        return " to ".join(_figures(value) for value in figures)
    return f"{figures:.4f}" if isinstance(figures, float) else str(figures)


def verify_package(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Check every hash, then run the golden cases on each engine.

    An engine that cannot run here (not installed, of another version, no graph for it) is reported and is no
    failure. One that fails to open or to answer, or that disagrees with the golden cases, is.

    Raises:
        PackageError: a hash, a fingerprint or a structural rule is broken, or the golden cases cannot be read.
    """
    from pocketrec.engine import ENGINES

    with Package.open(path) as package:
        check_fingerprints(package)
        cases = read_golden(package)
        return {
            "id": package.id,
            "bytes": package.size_bytes,
            "entries": len(package.manifest.entries) + 1,
            "engines": {name: _run_golden(package, name, cases) for name in ENGINES},
        }


def _run_golden(package: Package, name: str, cases: list[dict[str, Any]]) -> dict[str, Any]:
    """What became of the golden cases on one engine."""
    from pocketrec.engine import open_engine, unusable
    from pocketrec.recommender import Recommender

    try:
        reason = unusable(package, name)
        if reason is not None:
            return {"ok": True, "ran": False, "message": f"not run: {reason}"}
        engine = open_engine(package, name)
        try:
            recommender = Recommender(package, engine, clock=None)
            worst = max((gap_of(recommender, case) for case in cases), default=0.0)
        finally:
            engine.close()
    except PocketrecError as error:
        return {"ok": False, "ran": False, "message": f"failed: {error}"}
    ok = worst <= GOLDEN_TOLERANCE
    return {
        "ok": ok,
        "ran": True,
        "cases": len(cases),
        "largest_gap": worst,
        "message": f"{len(cases)} golden cases, largest score gap {100 * worst:.3f} % "
        f"({'ok' if ok else f'more than {100 * GOLDEN_TOLERANCE:g} %: do not use it'})",
    }


def check_fingerprints(package: Package) -> None:
    """Check the hashes by which profiles and caches recognize a catalogue and an encoder.

    Raises:
        PackageError: one is not the SHA-256 of the arrays that it stands for.
    """
    manifest = package.manifest
    for key, part in (("catalogue", manifest.catalogue), ("encoder", manifest.encoder)):
        if part is None:
            continue
        digest = hashlib.sha256()
        for name in FINGERPRINTS[key]:
            digest.update(package.blob(name))
        if digest.hexdigest() != part.fingerprint:
            raise PackageError(
                f"manifest: {key}.fingerprint is {part.fingerprint[:16]}..., "
                f"the SHA-256 of {', '.join(FINGERPRINTS[key])} is {digest.hexdigest()[:16]}..."
            )


def read_golden(package: Package) -> list[dict[str, Any]]:
    """The golden cases: each a verb, its arguments, and the items and scores of the reference engine.

    Raises:
        PackageError: the entry is not a list of such cases.
    """
    if not package.has(GOLDEN):
        return []
    try:
        cases = json.loads(bytes(package.blob(GOLDEN)))["cases"]
        if not isinstance(cases, list) or len(cases) > MAX_GOLDEN:
            raise ValueError(f"expected a list of at most {MAX_GOLDEN}")
        for case in cases:
            _check_case(case)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise PackageError(f"{GOLDEN} is not a list of golden cases: {error}") from error
    return cases


def _check_case(case: dict[str, Any]) -> None:
    """Raises one of the errors that `read_golden` turns into a PackageError."""
    verb, argument, items, scores = (case[key] for key in ("verb", "argument", "items", "scores"))
    if verb not in (*_VERBS, PREDICT, CLASSIFY):
        raise ValueError(f"unknown verb {verb!r:.80}")
    paired = verb in ("recommend", PREDICT)
    if not (_is_history(argument) if paired else isinstance(argument, str)):
        raise ValueError(f"{verb} takes {'[id, number] pairs' if paired else 'a string'}")
    if not (isinstance(items, list) and all(isinstance(item, str) for item in items)):
        raise ValueError("items that are not strings")
    if not (isinstance(scores, list) and all(map(_is_finite, scores))):
        raise ValueError("a score that is not a finite number")
    now = case.get("now")
    if now is not None and not (isinstance(now, int) and _is_finite(now) and abs(now) <= LARGEST_TIME):
        raise ValueError("a time that is no number of seconds")
    if len(items) != len(scores):
        raise ValueError(f"{len(items)} items, but {len(scores)} scores")


def _is_history(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str) and _is_finite(pair[1]) for pair in value
    )


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


_VERBS: dict[str, Callable[..., Any]] = {
    "recommend": lambda recommender, history, **more: recommender.recommend([tuple(pair) for pair in history], **more),
    "search": lambda recommender, text, **more: recommender.search(text, **more),
    "similar": lambda recommender, item, **more: recommender.similar(item, **more),
}


def golden_case(recommender: Any, verb: str, argument: Any, k: int = 10, now: int | None = None) -> dict[str, Any]:
    """A golden case as the recommender answers it; ``now`` where its items may be unpublished or expired."""
    results = _VERBS[verb](recommender, argument, k=k, now=now)
    return {
        "verb": verb,
        "argument": argument,
        **({} if now is None else {"now": now}),
        "items": [item.item for item in results],
        "scores": [item.score for item in results],
    }


def predicted_case(recommender: Any, history: list[Any], items: list[str]) -> dict[str, Any]:
    """A golden case of ratings, as the recommender answers it now."""
    ratings = recommender.predict([tuple(pair) for pair in history], items, strict=True)
    return {"verb": PREDICT, "argument": history, "items": items, "scores": ratings}


def labelled_case(recommender: Any, text: str) -> dict[str, Any]:
    """A golden case of labels, as the recommender answers it now."""
    found = recommender.classify(text)
    rows = [(f"{head}={label}", p) for head, one in found.items() for label, p in one.probabilities.items()]
    return {"verb": CLASSIFY, "argument": text, "items": [row[0] for row in rows], "scores": [row[1] for row in rows]}


def _label_gap(recommender: Any, case: dict[str, Any]) -> float:
    """The largest difference of a probability; 1 where the labels differ."""
    found = labelled_case(recommender, case["argument"])
    if found["items"] != case["items"]:
        return 1.0
    return float(np.abs(np.subtract(found["scores"], case["scores"])).max(initial=0.0))


def _rating_gap(recommender: Any, case: dict[str, Any]) -> float:
    """The largest difference of a rating, as a share of the scale."""
    found = predicted_case(recommender, case["argument"], case["items"])["scores"]
    scale = recommender.package.manifest.ratings
    return float(np.abs(np.subtract(found, case["scores"])).max(initial=0.0) / (scale.high - scale.low))


def gap_of(recommender: Any, case: dict[str, Any]) -> float:
    """The largest score difference, at any rank and of any golden item, relative to the largest score.

    A golden item beyond the ranks looked at is taken to score what the last of them does, or
    what it should if that is less. Where there are no further ranks it is no answer at all, and the gap is 1.

    Raises:
        PocketrecError: the engine cannot answer.
    """
    if case["verb"] == PREDICT:
        return _rating_gap(recommender, case)
    if case["verb"] == CLASSIFY:
        return _label_gap(recommender, case)
    items, wanted = case["items"], np.asarray(case["scores"], np.float64)
    asked = len(items) + GOLDEN_DEPTH
    found = golden_case(recommender, case["verb"], case["argument"], asked, case.get("now"))
    score_of = dict(zip(found["items"], found["scores"], strict=True))
    complete = len(score_of) < asked
    if len(score_of) < len(items) or (score_of and not items) or (complete and not score_of.keys() >= set(items)):
        return 1.0
    lowest = min(score_of.values(), default=0.0)
    by_rank = wanted - np.asarray(found["scores"][: len(items)], np.float64)
    by_item = wanted - np.array(
        [score_of.get(item, min(lowest, score)) for item, score in zip(items, wanted, strict=True)]
    )
    size = np.abs(wanted).max(initial=0.0) or 1.0
    gap = float(np.abs([by_rank, by_item]).max(initial=0.0) / size)
    return gap if np.isfinite(gap) else 1.0
