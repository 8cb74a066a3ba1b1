"""Published recommenders to be compared with, tuned on the same validation users.

Each is a function ``fit(train, settings) -> scorer`` with ``scorer(history) -> float32[I]``; `BASELINES` names them
with the grids that `tune_baseline` tries. None of them shares code with the model, but for the ALS of `implicit`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags, vstack

from pocketrec_export import factors
from pocketrec_export.dataset import Heldout
from pocketrec_export.metrics import DEPTH, figures

Settings = Mapping[str, float]
Scorer = Callable[[NDArray[np.integer[Any]]], NDArray[np.float32]]
"""Item positions of a history, each of weight 1 -> float32[I], bigger is better."""

MAX_DENSE = 20_000
"""Items of EASE's dense matrix, 1.6 GB; less popular ones beyond that score 0."""
_CHUNK = 1024  # rows of an item-item matrix that are dense at once


@dataclass(frozen=True)
class Baseline:
    """A recommender and what is tried of it.

    Attributes:
        fit: (csr float32[U, I] of ones, settings) -> scorer.
        grid: setting -> values; every combination is tried.
    """

    fit: Callable[[csr_matrix, Settings], Scorer]
    grid: Mapping[str, Sequence[float]]

    def candidates(self) -> list[dict[str, float]]:
        """Every combination of the grid."""
        return [dict(zip(self.grid, values, strict=True)) for values in product(*self.grid.values())]


@dataclass(frozen=True)
class TunedBaseline:
    """The best of a grid.

    Attributes:
        scorer: fitted on train rows.
        settings: chosen.
        objective: mean NDCG@10 on the validation users, None without any (then the first candidate).
        tried: number of candidates.
    """

    scorer: Scorer
    settings: Mapping[str, float]
    objective: float | None
    tried: int

    def as_dict(self) -> dict[str, Any]:
        """What was chosen, and how, as plain JSON values."""
        return {"settings": dict(self.settings), "validation_ndcg10": self.objective, "tried": self.tried}


def popularity(train: csr_matrix, settings: Settings) -> Scorer:
    """How many train users chose each item, whoever asks."""
    count = np.asarray(train.sum(axis=0), np.float32).ravel()
    return lambda history: count


def item_knn(train: csr_matrix, settings: Settings) -> Scorer:
    """Sum over the history of cos(i, j) = x_i.x_j / (|x_i| |x_j| + shrink), among the k items j nearest to i.

    Source: Sarwar et al. 2001; shrinkage as in Bell and Koren 2007.
    """
    length = np.sqrt(np.asarray(train.multiply(train).sum(axis=0)).ravel())
    columns = train.T.tocsr()

    def similar(rows: slice) -> NDArray[np.float32]:
        dot = (columns[rows] @ train).toarray()
        return np.asarray(dot / np.maximum(length[rows][:, None] * length + settings["shrink"], 1e-9), np.float32)

    by_target = _nearest(similar, train.shape[1], k=int(settings["k"]))
    return _sum_of_rows(csr_matrix(by_target.T))


def user_knn(train: csr_matrix, settings: Settings) -> Scorer:
    """Sum of the rows of the k train users u nearest to the history h, each by h.x_u / (|h| |x_u| + shrink).

    Source: Resnick et al. 1994; cosine over binary rows.
    """
    length = np.sqrt(np.asarray(train.multiply(train).sum(axis=1)).ravel())
    columns = train.tocsc()

    def score(history: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
        dot = np.asarray(columns[:, history].sum(axis=1)).ravel()
        similarity = dot / np.maximum(np.sqrt(len(history)) * length + settings["shrink"], 1e-9)
        near = np.argsort(-similarity, kind="stable")[: int(settings["k"])]
        return np.asarray(similarity[near] @ train[near], np.float32).ravel()

    return score


def als(train: csr_matrix, settings: Settings) -> Scorer:
    """Implicit ALS with the user solved exactly from the history.

    Source: Hu, Koren and Volinsky 2008, in the library `implicit`.
    """
    fitted = factors.fit(
        train, dim=int(settings["dim"]), alpha=settings["alpha"], regularization=settings["regularization"]
    )

    def score(history: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
        weight = np.ones(len(history), np.float32)
        index = np.asarray(history, np.int64)
        user = factors.fold_in(fitted.table, index=index, weight=weight, alpha=fitted.alpha)
        return np.asarray(fitted.table @ user)

    return score


def ease(train: csr_matrix, settings: Settings) -> Scorer:
    """Sum over the history of B_ji, B = P / -diag(P) with a zero diagonal, P = (X^T X + l2 I)^-1.

    Source: Steck 2019, Embarrassingly shallow autoencoders for sparse data, eq. 8.
    """
    count = np.asarray(train.sum(axis=0)).ravel()
    kept = np.sort(np.argsort(-count, kind="stable")[:MAX_DENSE])
    known = train[:, kept]
    gram = (known.T @ known).toarray()
    gram[np.diag_indices_from(gram)] += settings["l2"]
    inverse = np.linalg.inv(gram)
    table = inverse / -np.diag(inverse)
    np.fill_diagonal(table, 0)
    row = np.full(train.shape[1], -1)
    row[kept] = np.arange(len(kept))

    def score(history: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
        result = np.zeros(train.shape[1], np.float32)
        rows = row[history]
        result[kept] = table[rows[rows >= 0]].sum(axis=0)
        return result

    return score


def rp3beta(train: csr_matrix, settings: Settings) -> Scorer:
    """Walks of three steps user -> item -> user -> item, transitions to the power alpha, over popularity^beta.

    The k strongest targets of every item are kept.

    Source: Paudel et al. 2017, Updatable, accurate, diverse, and scalable recommendations for interactive
    applications, section 4.
    """
    per_user, per_item = (np.maximum(np.asarray(train.sum(axis=axis)).ravel(), 1) for axis in (1, 0))
    to_item = csr_matrix((diags(1 / per_user) @ train).power(settings["alpha"]))  # [U, I]
    to_user = csr_matrix((diags(1 / per_item) @ train.T).power(settings["alpha"]))  # [I, U]
    penalty = per_item ** -settings["beta"]

    def reached(rows: slice) -> NDArray[np.float32]:
        return np.asarray((to_user[rows] @ to_item).toarray() * penalty, np.float32)

    return _sum_of_rows(_nearest(reached, train.shape[1], k=int(settings["k"])))


BASELINES = {
    "popularity": Baseline(popularity, {}),
    "item_knn": Baseline(item_knn, {"k": (5, 10, 20, 50, 100, 200, 400), "shrink": (0, 5, 20, 50, 100)}),
    "user_knn": Baseline(user_knn, {"k": (12, 25, 50, 100, 200, 400, 800), "shrink": (0, 5, 20)}),
    "als": Baseline(als, {"dim": (64, 128), "alpha": (0.5, 1, 3, 10, 30), "regularization": (1, 3, 10, 30, 100)}),
    "ease": Baseline(ease, {"l2": (10, 30, 100, 200, 300, 500, 1000)}),
    "rp3beta": Baseline(
        rp3beta, {"k": (20, 50, 100, 400), "alpha": (0.4, 0.7, 1, 1.3), "beta": (0, 0.2, 0.4, 0.6, 0.8)}
    ),
}
"""A train matrix of other values than ones (say, decayed by age) is allowed: each formula reads them as weights."""


def tune_baseline(
    baseline: Baseline, train: csr_matrix, *, validation: Heldout, eligible: NDArray[np.bool_]
) -> TunedBaseline:
    """The candidate with the best mean NDCG@10 on validation users; ties to the first.

    Args:
        baseline: what is tried.
        train: csr float32[U, I].
        validation: users to choose by.
        eligible: bool[I], what may be ranked.
    """
    best: TunedBaseline | None = None
    candidates = baseline.candidates() if len(validation) else baseline.candidates()[:1]
    for settings in candidates:
        scorer = baseline.fit(train, settings)
        objective = None
        if len(validation):
            ranked = rank_with_scorer(scorer, validation, eligible=eligible)
            measured = figures(ranked, validation.targets, missing=validation.missing)
            objective = float(measured["ndcg10"].mean())
        if best is None or (objective or 0) > (best.objective or 0):
            best = TunedBaseline(scorer, settings, objective, len(candidates))
    assert best is not None  # a grid holds at least the empty combination
    return best


def rank_with_scorer(scorer: Scorer, users: Heldout, *, eligible: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """The best `DEPTH` eligible items of each user outside the history, ties by lower index."""
    ranked = []
    for history in users.history:
        allowed = eligible.copy()
        allowed[history] = False
        pool = np.flatnonzero(allowed)
        ranked.append(pool[np.argsort(-scorer(history)[pool], kind="stable")[:DEPTH]])
    return ranked


def _nearest(rows_of: Callable[[slice], NDArray[np.float32]], items: int, *, k: int) -> csr_matrix:
    """csr float32[I, I] of the k largest positive values of each row, the diagonal left out.

    Args:
        rows_of: slice of rows -> float[rows, I].
        items: I.
        k: values kept in a row.
    """
    kept, k = [], min(k, items)
    for start in range(0, items, _CHUNK):
        block = np.asarray(rows_of(slice(start, start + _CHUNK)), np.float32)
        own = np.arange(len(block))
        block[own, start + own] = 0
        column = np.argpartition(-block, k - 1, axis=1)[:, :k]
        value = np.take_along_axis(block, column, axis=1)
        part = csr_matrix((value.ravel(), (np.repeat(own, k), column.ravel())), shape=block.shape)
        part.eliminate_zeros()
        kept.append(part)
    return csr_matrix(vstack(kept))


def _sum_of_rows(table: csr_matrix) -> Scorer:
    return lambda history: np.asarray(table[history].sum(axis=0), np.float32).ravel()
