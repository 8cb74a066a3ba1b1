"""Popularity that fades: what a split by time must be compared with, because tomorrow's favorites are today's."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from pocketrec_export.baselines import Baseline, Scorer, Settings, popularity
from pocketrec_export.dataset import Dataset

HALF_LIVES = (3, 7, 14, 30, 90, 365, 1500)
"""Days that are tried."""


def recent_popularity(dataset: Dataset) -> Baseline:
    """A baseline that counts choices, each halved for every half-life before the newest of train.

    Args:
        dataset: of interactions with timestamps.

    Source: Ji et al. 2020, A re-visit of the popularity baseline in recommender systems.
    """
    age = dataset.age
    assert age is not None  # a split by time has refused rows without timestamps

    def fit(train: csr_matrix, settings: Settings) -> Scorer:
        value = train.data * np.exp2(-age.data / settings["half_life_days"])
        return popularity(csr_matrix((value, train.indices, train.indptr), shape=train.shape), settings)

    return Baseline(fit, {"half_life_days": HALF_LIVES})
