"""Ranks for held-out users: with the package through its public interface, and with the full model."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pocketrec.recommender import Recommender
from scipy.sparse import csr_matrix

from pocketrec_export.atomic import write_whole
from pocketrec_export.dataset import Dataset, Heldout
from pocketrec_export.full_model import FullModel
from pocketrec_export.list_metrics import ItemFacts
from pocketrec_export.metrics import DEPTH

Rankings = list[NDArray[np.int64]]
"""Per user the best `DEPTH` eligible items outside the history, as positions in the dataset's items."""
Weights = Sequence[NDArray[np.float32]]
"""Per user the weights of the history, in its order."""


def rank_with_package(
    recommender: Recommender,
    users: Heldout,
    *,
    items: Sequence[str],
    eligible: NDArray[np.bool_],
    weights: Weights | None = None,
) -> Rankings:
    """The best `DEPTH` eligible items of each user, as positions in ``items``.

    Args:
        recommender: an open package; its catalogue may be in another order than ``items``.
        users: U users with their histories.
        items: I ids.
        eligible: bool [I], what may be ranked.
        weights: of the histories; 1 each by default.
    """
    position = {item: index for index, item in enumerate(items)}
    outside = [item for item, ranked in zip(items, eligible, strict=True) if not ranked]
    ranked = []
    for history, weight in zip(users.history, weights or _ones(users), strict=True):
        known = [(items[i], w) for i, w in zip(history.tolist(), weight.tolist(), strict=True)]
        results = recommender.recommend(known, k=DEPTH, exclude=outside)
        ranked.append(np.array([position[item.item] for item in results], np.int64))
    return ranked


def rank_with_full(
    model: FullModel, users: Heldout, *, eligible: NDArray[np.bool_], weights: Weights | None = None
) -> Rankings:
    """The same with the full model, whose rows are the dataset's."""
    return [
        model.recommend(history, weight, k=DEPTH, eligible=eligible)
        for history, weight in zip(users.history, weights or _ones(users), strict=True)
    ]


def _ones(users: Heldout) -> Weights:
    return [np.ones(len(history), np.float32) for history in users.history]


def facts_of(recommender: Recommender, dataset: Dataset) -> ItemFacts:
    """What the metrics of lists need to know of the dataset's items; texts and categories are the package's."""
    package, catalogue = recommender.package, recommender.catalogue
    index = np.array([catalogue.index(item) for item in dataset.items], np.int64)
    text = category = None
    if package.has("text/value"):
        value = package.array("text/value")[index].astype(np.float32)
        text = (value - np.float32(128)) * package.array("text/scale")[index][:, None]
    names = [catalogue.categories(i) for i in index.tolist()]
    column = {name: c for c, name in enumerate(sorted({name for own in names for name in own}))}
    if column:
        pairs = [(row, column[name]) for row, own in enumerate(names) for name in own]
        rows, columns = np.array(pairs).T
        category = csr_matrix((np.ones(len(pairs), np.float32), (rows, columns)), shape=(len(names), len(column)))
    count = np.bincount(dataset.train.indices, minlength=len(dataset.items)).astype(np.int64)
    return ItemFacts(dataset.train_items, count, len(dataset.users), text, category)


def write_recs(path: str | os.PathLike[str], dataset: Dataset, ranked: Rankings) -> None:
    """Write user, item, rank (1 is the best) of the test users; the file appears whole or not at all."""
    target = Path(path)
    items = np.array(dataset.items, object)
    lengths = [len(order) for order in ranked]
    table = pa.table(
        {
            "user": pa.array(np.repeat(np.array(dataset.test.users, object), lengths), pa.string()),
            "item": pa.array(items[np.concatenate([*ranked, np.empty(0, np.int64)])], pa.string()),
            "rank": pa.array(np.concatenate([np.arange(1, n + 1) for n in [*lengths, 0]]), pa.int32()),
        }
    )
    write_whole(target, lambda temporary: pq.write_table(table, temporary))
