"""Chooses how cold items are estimated: a tenth of the warm items is taken for cold, and validation users look for it.

These items lose their factors and neighbours and get estimates from the others. Users' histories are their other items.
Two lists are measured, each by mean NDCG@10 + NDCG@100: of the cold items alone, where a user's cold items of any part
are to be found, and of all items, where the usual targets are, too. The first says what estimates are worth beside each
other and beside the texts, the second how large they may be: too small and cold items never show, too large and they
push others aside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from pocketrec.placing import affine, mean_rows, near_items

from pocketrec_export import content, factors
from pocketrec_export.cold import ColdSettings, Kernel
from pocketrec_export.cold_device import DeviceTexts, matrix
from pocketrec_export.dataset import Heldout
from pocketrec_export.full_model import FullModel
from pocketrec_export.samples import sample_users

SHARE = 0.1
"""Of the anchors, taken for cold."""
RIDGES = (1.0, 3.0, 10.0)
SCALES = (0.25, 0.5, 1.0, 2.0, 4.0)

Estimate = Callable[["_User"], NDArray[np.float32]]
"""A user to the unweighted signals of the cold items, float32[S, C]."""


@dataclass(frozen=True)
class _User:
    """One validation user.

    Attributes:
        history: int[H], what they are known by.
        value: float32[S, I], the unweighted signals.
        weight: float32[S], the blend.
        cold: bool[C], which of the cold items are theirs.
        targets: int[T], what is to be found among all items.
    """

    history: NDArray[np.int64]
    value: NDArray[np.float32]
    weight: NDArray[np.float32]
    cold: NDArray[np.bool_]
    targets: NDArray[np.int64]


class Choice:
    """The validation users and the items that are taken for cold.

    Args:
        model: as stored, with its blend.
        warm: bool[I].
        anchors: warm items with text, of which the cold ones are drawn.
        validation: held-out users.
        seed: of the draw of items and users.
    """

    def __init__(
        self,
        model: FullModel,
        *,
        warm: NDArray[np.bool_],
        anchors: NDArray[np.int64],
        validation: Heldout,
        seed: int,
    ) -> None:
        self._model, self._warm = model, warm
        self.cold = np.sort(np.random.default_rng(seed + 1).choice(anchors, int(len(anchors) * SHARE), replace=False))
        self.known = np.setdiff1d(anchors, self.cold)
        estimable = model.factors is not None or model.neighbours is not None
        self._users = list(self._of(validation, seed)) if estimable and len(self.cold) > 1 else []

    def _of(self, validation: Heldout, seed: int) -> Iterator[_User]:
        for user in sample_users(len(validation), seed=seed):
            shown, wanted = validation.history[user], validation.targets[user]
            history = shown[~np.isin(shown, self.cold)].astype(np.int64)
            if not len(history):
                continue
            found = np.union1d(wanted, shown[np.isin(shown, self.cold)]).astype(np.int64)
            value = self._model.signals(history, np.ones(len(history), np.float32))
            weight = self._model.weights(float(len(history)))
            yield _User(history, value, weight, np.isin(self.cold, found), found)

    def export(self, kernel: Kernel) -> ColdSettings:
        """The settings for items of the catalogue; the defaults without users."""
        best = (-1.0, ColdSettings())
        for ridge in RIDGES if self._users else ():
            weights = kernel.weights(self.known, ridge=ridge)(self.cold)
            objective, scales = self._scales(lambda user, weights=weights: self._smoothed(user, weights))  # type: ignore[misc]
            if objective > best[0]:
                best = objective, ColdSettings(ridge, *scales)
        return best[1]

    def device(self, texts: DeviceTexts) -> tuple[float, float]:
        """What factors and neighbours of items added on the device are multiplied with; 1 and 1 without users."""
        if not self._users:
            return 1.0, 1.0
        vectors = texts.vectors[self.cold]
        skip = np.isin(np.arange(len(texts.anchors)), self.cold)
        near = near_items(vectors, texts.anchors, texts.info, texts.center[0], texts.likeness(self.cold), skip=skip)
        learned = self.known[self.known < len(texts.anchors)]
        rows = None
        if self._model.factors is not None:
            said = affine(vectors, matrix(self._model, texts, learned))
            rows = (said + mean_rows(self._model.factors.table, near)) / np.float32(2)

        def estimate(user: _User) -> NDArray[np.float32]:
            ones = np.ones(len(user.history), np.float32)
            result = np.zeros((len(user.value), len(self.cold)), np.float32)
            for row, name in enumerate(self._model.names):
                if name == "factors" and rows is not None and self._model.factors is not None:
                    table, alpha = self._model.factors.table, self._model.factors.alpha
                    result[row] = rows @ factors.fold_in(table, index=user.history, weight=ones, alpha=alpha)
                elif name == "neighbours":
                    result[row] = (user.value[row][near.index] * near.weight).sum(axis=1)
                elif name == "content" and self._model.text is not None:
                    result[row] = vectors @ content.profile(self._model.text, index=user.history, weight=ones)
            return result

        return self._scales(estimate)[1]

    def _smoothed(self, user: _User, weights: NDArray[np.float32]) -> NDArray[np.float32]:
        """The signals of the cold items, float32[S, C]; what is linear in the tables is estimated like them."""
        result = user.value[:, self.cold].copy()
        for row, name in enumerate(self._model.names):
            known = user.value[row, self.known]
            if name == "factors":
                result[row] = known.mean() + weights @ (known - known.mean())
            elif name == "neighbours":
                result[row] = weights @ known
            elif name == "popularity":
                result[row] = 0
        return result

    def _scales(self, estimate: Estimate) -> tuple[float, tuple[float, float]]:
        """The best objective, and the scales of factors and neighbours that reach it."""
        users = [(user, estimate(user) * user.weight[:, None], user.weight @ user.value) for user in self._users]
        there = (self._model.factors is not None, self._model.neighbours is not None)
        best = (-1.0, (1.0, 1.0))
        grid = product(*(SCALES if one else (1.0,) for one in there))
        for scales in sorted(grid, key=_far_from_one):
            named = dict(zip(("factors", "neighbours"), scales, strict=True))
            vector = np.array([named.get(name, 1.0) for name in self._model.names], np.float32)
            found = self._measure(users, vector)
            if found > best[0] + 1e-6:
                best = found, (scales[0], scales[1])
        return best

    def _measure(
        self,
        users: list[tuple[_User, NDArray[np.float32], NDArray[np.float32]]],
        vector: NDArray[np.float32],
    ) -> float:
        alone, among_all = [], []
        for user, signals, warm in users:
            cold = vector @ signals
            if user.cold.any():
                alone.append(_ndcg(cold, np.flatnonzero(user.cold)))
            score = np.where(self._warm, warm, -np.inf).astype(np.float32)
            score[self.cold] = cold
            score[user.history] = -np.inf
            if len(user.targets):
                among_all.append(_ndcg(score, user.targets))
        return float(np.mean(alone) if alone else 0.0) + float(np.mean(among_all) if among_all else 0.0)


def _far_from_one(scales: tuple[float, ...]) -> float:
    """Of settings that are worth the same, the one nearest to no change comes first."""
    return float(sum(abs(np.log(scale)) for scale in scales))


def _ndcg(score: NDArray[np.float32], wanted: NDArray[np.int64]) -> float:
    """NDCG@10 + NDCG@100."""
    own = score[wanted]
    rank = np.sort([int(np.count_nonzero(score > value)) for value in own.tolist()])
    rank = np.maximum(rank, np.arange(len(rank)))  # equal scores share no place
    gain = 1 / np.log2(rank + 2.0)
    ideal = 1 / np.log2(np.arange(2, 102))
    return sum(float(gain[rank < k].sum() / ideal[: min(k, len(wanted))].sum()) for k in (10, 100))
