"""Interactions of train users that are not positive: low ratings, which still say what is met together."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from pocketrec_export.dataset import Dataset
from pocketrec_export.read import Interactions


def weak_interactions(interactions: Interactions, dataset: Dataset) -> csr_matrix:
    """1 for each interaction of a train user that is not positive, csr float32[U, I] in the dataset's order.

    Under a split by user no row of a held-out user is used, because `make_dataset` lets none of them be a train user;
    under one by time no row after train. Pairs that are in ``dataset.train`` are left out.

    Args:
        interactions: clean interactions, the source of `dataset`.
        dataset: the fold.
    """
    user_row = {user: row for row, user in enumerate(dataset.users)}
    item_column = {item: column for column, item in enumerate(dataset.items)}
    rows = np.array([user_row.get(user, -1) for user in interactions.users], np.int64)[interactions.user_index]
    columns = np.array([item_column.get(i, -1) for i in interactions.items], np.int64)[interactions.item_index]
    chosen = ~interactions.is_positive & (rows >= 0) & (columns >= 0)
    if dataset.until is not None and interactions.timestamp is not None:
        chosen &= interactions.timestamp < dataset.until
    ones = np.ones(int(chosen.sum()), np.float32)
    weak = csr_matrix((ones, (rows[chosen], columns[chosen])), shape=dataset.train.shape)
    weak = csr_matrix(weak - weak.multiply(dataset.train.astype(bool)))
    weak.eliminate_zeros()
    return weak
