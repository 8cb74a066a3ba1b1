"""What is asked of a package: its own golden cases first, then seeded histories and titles. No user data."""

from __future__ import annotations

from typing import Any

import numpy as np

from pocketrec.catalogue import Catalogue
from pocketrec.inspection import read_golden
from pocketrec.package import Package

COUNT = 64
POPULAR = 3000
"""Seeded histories are of the first items: exporters order a catalogue by nothing that matters here."""


def requests_of(package: Package, *, history: int, seed: int = 0) -> dict[str, list[Any]]:
    """Verb -> `COUNT` requests, of the verbs that the package can answer.

    Args:
        package: an open package.
        history: items of a seeded history, as far as the catalogue has them.
        seed: of the draws; two packages with one catalogue and the same golden requests are asked the same.
    """
    catalogue = Catalogue(package)
    generator = np.random.default_rng(seed)
    size = len(catalogue)
    golden = read_golden(package)
    asked: dict[str, list[Any]] = {
        verb: [case["argument"] for case in golden if case["verb"] == verb and len(case["argument"])][: COUNT // 2]
        for verb in ("recommend", "search")
    }
    while len(asked["recommend"]) < COUNT:
        rows = generator.choice(min(size, POPULAR), min(size, history), replace=False)
        asked["recommend"].append([[catalogue.id(int(row)), 1.0] for row in rows])
    while len(asked["search"]) < COUNT:
        asked["search"].append(catalogue.title(int(generator.integers(size))))
    if package.manifest.encoder is None and "lexical" not in package.manifest.signals:
        del asked["search"]
    return asked
