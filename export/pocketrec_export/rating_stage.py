"""The stage of explicit ratings: width and regularization chosen on held-out ratings, figures on others, one last fit.

Ratings are split at random, 80 % to fit, 10 % to choose, 10 % to report. Each of the 10 % is predicted from its
user's 80 %. What was chosen is then fitted again on all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pocketrec.manifest import MAX_RATING, RatingSettings
from pocketrec.ratings import RatingTables

from pocketrec_export.explicit import Epoch, Explicit, Ratings, fit
from pocketrec_export.metrics import rmse
from pocketrec_export.quantize import quantize_rows
from pocketrec_export.read import Interactions

GRIDS: Mapping[str, tuple[tuple[int, float], ...]] = {
    "quick": ((16, 0.2), (32, 0.3)),
    "full": ((16, 0.2), (32, 0.2), (32, 0.3), (48, 0.3), (64, 0.3)),
}
"""Pairs of width and share (see `explicit.fit`) to choose from; the first where there is too little to choose by."""
MIN_RATINGS = 500
"""With fewer ratings than this, a tenth of them would measure nothing."""
MAX_CHOICE = 2_000_000
"""Ratings to choose by: of more, those of a random part of the users."""
MAX_TEST_USERS = 2_000
"""Users for whom the figures are measured."""
SHORT_FIT = 10
"""Epochs where there is nothing to stop by."""
LEAST_SPAN = 1e-3
"""Of a scale on which differences mean something in the tables' float32."""


@dataclass(frozen=True)
class RatingFit:
    """A model of ratings and how it came about.

    Attributes:
        items: id -> row of the model.
        model: fitted on all ratings it was given.
        low: the lowest rating.
        high: the highest.
        settings: chosen width and share, and the epochs.
        trials: every candidate, with its losses an epoch.
        figures: RMSE on held-out ratings of ``package``, ``full``, ``biases`` and their number; None where there
            were too few.
    """

    items: Mapping[str, int]
    model: Explicit
    low: float
    high: float
    settings: Mapping[str, Any]
    trials: tuple[Mapping[str, Any], ...]
    figures: Mapping[str, Any] | None

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values: settings, figures, and the loss curves of all candidates and of the last fit."""
        return {
            "settings": dict(self.settings),
            "rmse": None if self.figures is None else dict(self.figures),
            "trials": [dict(trial) for trial in self.trials],
            "curve": _curve(self.model.curve),
        }

    def tables(self, ids: list[str]) -> RatingTables:
        """The package's tables for the items ``ids``, in their order."""
        rows = np.array([self.items.get(id, -1) for id in ids], np.int64)
        return rating_tables(self.model, rows, self.low, self.high)


def rating_tables(model: Explicit, rows: NDArray[np.int64], low: float, high: float) -> RatingTables:
    """The model in the package's form: int8 vectors, no user.

    Args:
        model: over any items.
        rows: int64[I], the model's row of each item of the package, -1 where it has none.
        low: the lowest rating.
        high: the highest.
    """
    vectors = np.where(rows[:, None] >= 0, model.item_vectors[rows], np.float32(0))
    bias = np.where(rows >= 0, model.item_bias[rows], np.float32(model.new_item_bias))
    spread = np.stack((model.item_variance, model.item_covariance))
    settings = RatingSettings(
        dim=vectors.shape[1],
        low=low,
        high=high,
        mean=model.mean,
        regularization=model.regularization,
        bias_regularization=model.bias_regularization,
    )
    return RatingTables(settings, *quantize_rows(vectors), bias.astype(np.float32), spread)


def ratings_of(interactions: Interactions, users: list[str] | None, *, min_users: int) -> Ratings | None:
    """The ratings among interactions, None where there are none to predict from.

    Args:
        interactions: of any kind.
        users: whose rows may be used; None is everybody's.
        min_users: an item's ratings count only if so many users rated it, so that no item tells of a single user.
    """
    if interactions.value_kind != "rating":
        return None
    keep = np.isfinite(interactions.value)
    if users is not None:
        allowed = set(users)
        keep &= np.array([user in allowed for user in interactions.users])[interactions.user_index]
    raters = np.bincount(interactions.item_index[keep], minlength=len(interactions.items))
    keep &= raters[interactions.item_index] >= min_users
    value = interactions.value[keep]
    if not len(value) or not float(value.max()) - float(value.min()) >= LEAST_SPAN or np.abs(value).max() > MAX_RATING:
        return None
    user, item = interactions.user_index[keep], interactions.item_index[keep]
    return Ratings(user, item, value, len(interactions.users), len(interactions.items))


def fit_ratings(
    ratings: Ratings,
    items: list[str],
    *,
    preset: str,
    seed: int,
    threads: int,
    progress: Callable[[int], None] = lambda _: None,
) -> RatingFit:
    """Choose, measure, and fit again.

    Args:
        ratings: at least one.
        items: ids of the I items.
        preset: ``"quick"`` or ``"full"``.
        seed: of the split and of the fits.
        threads: of the fits.
        progress: called with 1 after each fit.
    """
    low, high = float(ratings.value.min()), float(ratings.value.max())
    grid = GRIDS[preset]
    dim, share, epochs, trials, figures = *grid[0], SHORT_FIT, [], None
    if len(ratings) >= MIN_RATINGS:
        train, validation, test = _split(_sample(ratings, seed), seed)
        fitted = []
        for width, part in grid:
            fitted.append(fit(train, validation, dim=width, share=part, seed=seed, threads=threads))
            progress(1)
        errors = [_lowest(model.curve) for model in fitted]
        trials = [
            {"dim": width, "share": part, "validation_rmse": error, "curve": _curve(model.curve)}
            for (width, part), error, model in zip(grid, errors, fitted, strict=True)
        ]
        best = int(np.argmin(errors))
        dim, share = grid[best]
        epochs = 1 + min(range(len(fitted[best].curve)), key=lambda n: fitted[best].curve[n].validation_rmse or 0)
        biases = fit(train, validation, dim=0, seed=seed, threads=threads)
        figures = _figures(fitted[best], biases, train, _of_some_users(test, seed), (low, high))
    model = fit(ratings, dim=dim, share=share, epochs=epochs, seed=seed, threads=threads)
    progress(1)
    settings = {"dim": dim, "share": share, "epochs": epochs}
    rows = {id: row for row, id in enumerate(items)}
    return RatingFit(rows, model, low, high, settings, tuple(trials), figures)


def folded(tables: RatingTables, history: Ratings, wanted: Ratings) -> NDArray[np.float64]:
    """float64[R]: what the tables predict for ``wanted``, each user folded in from its rows of ``history``."""
    result = np.empty(len(wanted))
    for shown, asked in zip(_by_user(history), _by_user(wanted), strict=True):
        if len(asked):
            user = tables.fold_in(history.item[shown].astype(np.int64), history.value[shown].astype(np.float64))
            result[asked] = tables.ratings(user, wanted.item[asked].astype(np.int64))
    return result


def _by_user(ratings: Ratings) -> list[NDArray[np.int64]]:
    """The rows of each user."""
    order = np.argsort(ratings.user, kind="stable")
    return np.split(order, np.cumsum(np.bincount(ratings.user, minlength=ratings.users))[:-1])


def _figures(
    model: Explicit, biases: Explicit, train: Ratings, test: Ratings, scale: tuple[float, float]
) -> dict[str, Any]:
    low, high = scale
    tables = rating_tables(model, np.arange(train.items), low, high)
    return {
        "package": rmse(folded(tables, train, test), test.value),
        "full": rmse(np.clip(model.predict(test.user, test.item), low, high), test.value),
        "biases": rmse(np.clip(biases.predict(test.user, test.item), low, high), test.value),
        "ratings": len(test),
    }


def _of_some_users(test: Ratings, seed: int) -> Ratings:
    users = np.unique(test.user)
    if len(users) <= MAX_TEST_USERS:
        return test
    chosen = np.random.default_rng(seed).choice(users, MAX_TEST_USERS, replace=False)
    return test.take(np.isin(test.user, chosen))


def _sample(ratings: Ratings, seed: int) -> Ratings:
    """The ratings of a random part of the users, about `MAX_CHOICE` of them."""
    if len(ratings) <= MAX_CHOICE:
        return ratings
    chosen = np.random.default_rng(seed).random(ratings.users) < MAX_CHOICE / len(ratings)
    return ratings.take(chosen[ratings.user])


def _split(ratings: Ratings, seed: int) -> tuple[Ratings, Ratings, Ratings]:
    """80 % to fit, 10 % to choose, 10 % to report."""
    order = np.random.default_rng(seed).permutation(len(ratings))
    tenth = len(ratings) // 10
    parts = order[2 * tenth :], order[:tenth], order[tenth : 2 * tenth]
    train, validation, test = (ratings.take(np.sort(rows)) for rows in parts)
    return train, validation, test


def _lowest(curve: tuple[Epoch, ...]) -> float:
    return min(epoch.validation_rmse for epoch in curve if epoch.validation_rmse is not None)


def _curve(curve: tuple[Epoch, ...]) -> list[dict[str, float | None]]:
    return [{"objective": e.objective, "train_rmse": e.train_rmse, "validation_rmse": e.validation_rmse} for e in curve]
