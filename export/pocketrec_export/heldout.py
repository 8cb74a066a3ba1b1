"""Held-out users, measured again and again: one number for a model, and the samples its blend is fitted on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from pocketrec.manifest import BlendTerm
from scipy.sparse import csr_matrix

from pocketrec_export import blend
from pocketrec_export.dataset import Heldout
from pocketrec_export.full_model import MAX_HISTORY, FullModel
from pocketrec_export.samples import Samples, sample_users, shortlist

Signal = Callable[[NDArray[np.int32]], NDArray[np.float32]]
"""A signal beside those of a model: a history, int32[H], to float32[I]."""


LEAST_POPULARITY = 1e-3
"""Least weight of popularity, where typical scores have a spread of one: it orders what is equal, and no more."""


class Bench:
    """The validation users, measured again and again."""

    def __init__(self, validation: Heldout, *, eligible: NDArray[np.bool_], train: csr_matrix, seed: int = 0) -> None:
        self.users = len(validation)
        self._eligible = np.flatnonzero(eligible)
        self._position = np.full(len(eligible), -1, dtype=np.int64)
        self._position[self._eligible] = np.arange(len(self._eligible))
        self._seed = seed
        self._validation = validation
        self.histories: list[NDArray[np.int32]] = list(validation.history)
        if not self.users:
            # Only for the scales of the default blend: a few train users show how large each signal gets.
            rows = range(0, train.shape[0], -(-train.shape[0] // 200))
            self.histories = [train.indices[train.indptr[u] : train.indptr[u + 1]] for u in rows]

    @property
    def arrays(self) -> list[NDArray[np.int64]]:
        """What figures depend on besides the model: histories, targets, what may be ranked."""
        held = self._validation
        parts = [np.concatenate([*lists, np.zeros(0, np.int64)]) for lists in (held.history, held.targets)]
        sizes = [np.array([len(row) for row in lists], np.int64) for lists in (held.history, held.targets)]
        return [*(part.astype(np.int64) for part in parts), *sizes, held.missing.astype(np.int64), self._eligible]

    def objective(self, model: FullModel) -> float | None:
        """Mean NDCG@10 + NDCG@100 of a model under the default blend of its signals; None without users."""
        return blend.measure_default(self.samples(model)) if self.users else None

    def blended(self, model: FullModel) -> tuple[FullModel, blend.BlendFit]:
        """The model with the blend fitted for it, and the fit; the default blend without users.

        Validation users have a history, so that popularity may get no weight from them. It keeps `LEAST_POPULARITY`
        all the same: whoever has no history yet has nothing else.
        """
        fitted = blend.fit(self.samples(model), scale_only=not self.users)
        terms = dict(fitted.blend)
        if model.popularity is not None and terms["popularity"].weight < LEAST_POPULARITY:
            terms["popularity"] = BlendTerm(LEAST_POPULARITY, 0.0)
        return replace(model, blend=terms), fitted

    def own_or(self, given: Mapping[str, BlendTerm], model: FullModel) -> Mapping[str, BlendTerm]:
        """The blend fitted for a model, where it is clearly better than a given one; the given one otherwise.

        Without users it is the model's own, which has the scales of its signals. A signal that is not given weighs
        nothing.
        """
        own = self.blended(model)[0].blend
        given = {name: given.get(name, BlendTerm(0.0, 0.0)) for name in model.names}
        return own if not self.users or blend.clearly_better(self.samples(model), own, given) else given

    def samples(self, model: FullModel, *, beside: Mapping[str, Signal] | None = None) -> Samples:
        """The signals of the users (a seeded draw of many) over the items that may win.

        Args:
            model: its signals come first.
            beside: more signals by name.
        """
        held, more = self._validation, dict(beside or {})
        chosen = sample_users(len(self.histories), seed=self._seed)
        values, places, deviation = [], [], []
        for user in chosen:
            history = self.histories[user]
            value = model.signals(history, np.ones(len(history), np.float32))
            if more:
                value = np.vstack([value, *(signal(history) for signal in more.values())])
            value = value[:, self._eligible]
            deviation.append(value.std(axis=1, dtype=np.float64))
            targets = self._position[held.targets[user]] if self.users else np.zeros(0, np.int64)
            short, place = shortlist(value, seen=self._position[history], targets=targets)
            values.append(short)
            places.append(place)
        missing = held.missing[chosen] if self.users else np.zeros(len(chosen), np.int64)
        names = (*model.names, *more)
        return Samples(
            names=names,
            value=values,
            targets=places,
            deviation=np.array(deviation, dtype=np.float64).reshape(len(chosen), len(names)),
            total=np.array([max(1, min(len(self.histories[u]), MAX_HISTORY)) for u in chosen], dtype=np.float64),
            wanted=np.array([len(place) for place in places], np.int64) + missing,
        )
