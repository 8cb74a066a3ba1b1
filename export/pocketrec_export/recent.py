"""Popularity that fades: what a split by time must be compared with, because tomorrow's favorites are today's."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from pocketrec_export.baselines import Baseline, Scorer, Settings, popularity
from pocketrec_export.dataset import Dataset
from pocketrec_export.read import Interactions

HALF_LIVES = (3, 7, 14, 30, 90, 365, 1500)
"""Days that are tried."""
_DAY = 86_400


def recent_popularity(interactions: Interactions, dataset: Dataset) -> Baseline:
    """A baseline that counts choices, each halved for every half-life before the end of train.

    Source: Ji et al. 2020, A re-visit of the popularity baseline in recommender systems.
    """

    def fit(train: csr_matrix, settings: Settings) -> Scorer:
        return popularity(aged(interactions, dataset, half_life=settings["half_life_days"]), settings)

    return Baseline(fit, {"half_life_days": HALF_LIVES})


def aged(interactions: Interactions, dataset: Dataset, *, half_life: float) -> csr_matrix:
    """The train matrix, each value halved for every half-life (days) that its row lies before the end of train.

    Args:
        interactions: with timestamps, the source of ``dataset``.
        dataset: of a split by time.
        half_life: days.
    """
    assert interactions.timestamp is not None  # a split by time has refused rows without
    assert dataset.until is not None
    user_row = {user: row for row, user in enumerate(dataset.users)}
    item_column = {item: column for column, item in enumerate(dataset.items)}
    rows = np.array([user_row.get(user, -1) for user in interactions.users], np.int64)[interactions.user_index]
    columns = np.array([item_column.get(i, -1) for i in interactions.items], np.int64)[interactions.item_index]
    chosen = (rows >= 0) & (columns >= 0) & (interactions.timestamp < dataset.until)
    age = (dataset.until - interactions.timestamp[chosen]) / (half_life * _DAY)
    shape = dataset.train.shape
    fading = csr_matrix((np.exp2(-age).astype(np.float32), (rows[chosen], columns[chosen])), shape=shape)
    return csr_matrix(dataset.train.multiply(fading))
