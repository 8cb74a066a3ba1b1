"""How far predicted ratings are from those that held-out users gave.

Ranking needs only what users liked; an error of ratings needs what they disliked as well. So here a test user's rows
that no part of the split holds, the ratings that were not liked, are taken in too: under a split of users a seeded
fifth of them is asked for and the rest told, under a split by time those of the test period are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pocketrec.recommender import Recommender

from pocketrec_export.dataset import Dataset
from pocketrec_export.metrics import rmse
from pocketrec_export.read import Interactions

SEED = 0
SHARE = 0.2
"""Of the ratings that no part of the split holds: as large as the share of targets among those it holds."""


def rating_error(recommender: Recommender, interactions: Interactions, dataset: Dataset) -> Mapping[str, Any] | None:
    """``package`` and ``averages``: RMSE on the test users' ratings, and that of the items' averages; their number.

    Args:
        recommender: the package.
        interactions: what ``dataset`` was made from.
        dataset: with test users.

    Returns:
        ``{"package", "averages", "ratings", "users"}``, on the scale of the input. None where the package predicts no
        ratings or no test user has one to ask for.
    """
    settings = recommender.package.manifest.ratings
    if settings is None or interactions.value_kind != "rating":
        return None
    rows, asked = _rows(interactions, dataset)
    keep = (interactions.value[rows] >= settings.low) & (interactions.value[rows] <= settings.high)
    rows, asked = rows[keep], asked[keep]
    starts = np.flatnonzero(np.diff(interactions.user_index[rows])) + 1
    predicted: list[float | None] = []
    average: list[float | None] = []
    given: list[float] = []
    users = 0
    for mine, wanted in zip(np.split(rows, starts), np.split(asked, starts), strict=True):
        if not wanted.any():
            continue
        item = [interactions.items[index] for index in interactions.item_index[mine]]
        value = interactions.value[mine].tolist()
        told = {item[n]: value[n] for n in np.flatnonzero(~wanted)}
        of = [item[n] for n in np.flatnonzero(wanted)]
        predicted += recommender.predict(told, of)
        average += recommender.predict({}, of)
        given += [value[n] for n in np.flatnonzero(wanted)]
        users += 1
    if not users:
        return None
    errors = {
        name: rmse(np.array(found, np.float64), np.array(given))
        for name, found in (("package", predicted), ("averages", average))
    }
    return {**errors, "ratings": len(given), "users": users}


def _rows(interactions: Interactions, dataset: Dataset) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """int64[R], bool[R]: the rated rows of test users on items of train, and which of them are asked for."""
    test = dataset.test
    place = {item: index for index, item in enumerate(dataset.items) if dataset.train_items[index]}
    item_of = np.array([place.get(item, -1) for item in interactions.items], np.int64)
    user_of = {user: number for number, user in enumerate(test.users)}
    number = np.array([user_of.get(user, -1) for user in interactions.users], np.int64)[interactions.user_index]
    item = item_of[interactions.item_index]
    rows = np.flatnonzero((number >= 0) & (item >= 0) & np.isfinite(interactions.value))
    if test.since is not None and interactions.timestamp is not None:
        return rows, interactions.timestamp[rows] >= test.since
    pair = number[rows] * len(dataset.items) + item[rows]
    targets, history = (_pairs(listed, len(dataset.items)) for listed in (test.targets, test.history))
    chance = np.random.default_rng(SEED).random(len(rows)) < SHARE
    return rows, np.isin(pair, targets) | (~np.isin(pair, history) & chance)


def _pairs(lists: list[NDArray[np.int32]], items: int) -> NDArray[np.int64]:
    """One number for each (user, item)."""
    return np.array([user * items + int(item) for user, listed in enumerate(lists) for item in listed], np.int64)
