"""Packages that quality.py left, opened beside the fold they were built on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pocketrec
from pocketrec_export.dataset import Dataset, Heldout, make_dataset
from pocketrec_export.read import read_interactions
from pocketrec_export.split_files import read_split

SETS = ("ml-latest-small", "movietweetings", "online-retail")


def open_fold(folder: Path, package: Path, split: int) -> tuple[pocketrec.Recommender, Dataset]:
    """A package and the fold it was built on."""
    recommender = pocketrec.open(package)
    info = recommender.package.manifest.input
    parts = read_split(folder / f"split-{split}.parquet")
    if info.split_sha256 != parts.sha256:
        raise SystemExit(f"{package} was built with another split; run benchmarks/quality.py first")
    rows = read_interactions(
        folder / "interactions.parquet",
        value=info.value_kind,
        positive=info.positive,  # type: ignore[arg-type]
    )
    catalogue = recommender.catalogue
    return recommender, make_dataset(rows, parts, catalogue=[catalogue.id(i) for i in range(len(catalogue))])


def lists(
    recommender: pocketrec.Recommender, dataset: Dataset, users: Heldout, k: int = 10, **wishes: Any
) -> Iterator[np.ndarray]:
    """The list of each user, as positions in the dataset's items."""
    position = {item: index for index, item in enumerate(dataset.items)}
    outside = [item for item, ranked in zip(dataset.items, dataset.train_items, strict=True) if not ranked]
    for history in users.history:
        results = recommender.recommend([dataset.items[i] for i in history.tolist()], k=k, exclude=outside, **wishes)
        yield np.array([position[item.item] for item in results], np.int64)
