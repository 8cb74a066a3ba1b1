"""One package as figures: plain JSON, so that a file of them can be a later run's baseline."""

from __future__ import annotations

import statistics
from dataclasses import asdict
from typing import Any

import numpy as np

from pocketrec.bench.accuracy import Accuracy
from pocketrec.bench.instructions import Count
from pocketrec.bench.session import STARTED, Measured
from pocketrec.package import Package

SCHEMA = 1
QUANTILES = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}


def figures_of(
    package: Package, measured: Measured | None, count: Count, accuracy: Accuracy | None, *, session: str
) -> dict[str, Any]:
    """All figures of one package.

    Args:
        package: open.
        measured: what its processes said, None where latency was not asked for.
        count: its instructions.
        accuracy: how good it is, None where nobody knows.
        session: the same for packages that were measured in turn.
    """
    manifest = package.manifest
    return {
        "schema": SCHEMA,
        "session": session,
        "name": manifest.name,
        "id": package.id,
        "generator": manifest.generator,
        "catalogue": manifest.catalogue.fingerprint,
        "items": manifest.catalogue.items,
        "bytes": package.size_bytes,
        "device": measured.device if measured else None,
        "start": _start(measured) if measured else None,
        "rss_mb": statistics.median(measured.memory) if measured and measured.memory else None,
        "latency": _latency(measured) if measured else {},
        "accuracy": None if accuracy is None else asdict(accuracy),
        "instructions": asdict(count),
    }


def _start(measured: Measured) -> dict[str, float]:
    """Medians over the processes."""
    return {key: statistics.median(started[key] for started in measured.started) for key in STARTED}


def _latency(measured: Measured) -> dict[str, Any]:
    """Of each verb: the median over processes of their percentiles, and the medians of all blocks, float [P, B]."""
    result = {}
    for verb, times in measured.times.items():
        each = np.quantile(times.reshape(len(times), -1), list(QUANTILES.values()), axis=1)
        result[verb] = {
            **dict(zip(QUANTILES, np.median(each, axis=1).tolist(), strict=True)),
            "processes_p50_ms": each[0].tolist(),
            "calls": int(times.size),
            "blocks_ms": np.round(np.median(times, axis=2), 6).tolist(),
        }
    return result
