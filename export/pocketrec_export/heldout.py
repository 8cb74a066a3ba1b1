"""Held-out users, measured again and again: one number for a model, and the samples its blend is fitted on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from pocketrec.manifest import SIGNALS
from scipy.sparse import csr_matrix

from pocketrec_export import blend
from pocketrec_export.dataset import Heldout
from pocketrec_export.full_model import MAX_HISTORY, FullModel


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

    def objective(self, model: FullModel, *, beside: blend.Samples | None = None) -> float | None:
        """Mean NDCG@10 + NDCG@100 of a model with one signal; None without users.

        Args:
            model: holds one signal.
            beside: `samples` of other signals; with them the default blend of all is measured, because the best
                table next to factors and popularity is not the best one alone.
        """
        if not self.users:
            return None
        samples = self.samples(model)
        if beside is None:
            return blend.measure(samples, np.ones((len(samples.value), 1), dtype=np.float32))
        together = sorted((*samples.names, *beside.names), key=SIGNALS.index)
        row = [(*samples.names, *beside.names).index(name) for name in together]
        value = np.concatenate((samples.value, beside.value), axis=1)[:, row]
        return blend.measure_default(replace(samples, names=tuple(together), value=value))

    def blended(self, model: FullModel) -> tuple[FullModel, blend.BlendFit]:
        """The model with the blend fitted for it; the default blend without users."""
        fitted = blend.fit(self.samples(model), scale_only=not self.users)
        return replace(model, blend=fitted.blend), fitted

    def samples(self, model: FullModel) -> blend.Samples:
        """The signals of the users (a seeded draw of many) over the items that may be ranked."""
        held = self._validation
        chosen = blend.sample_users(len(self.histories), signals=4, items=len(self._eligible), seed=self._seed)
        histories = self.histories
        value = np.empty((len(chosen), len(model.names), len(self._eligible)), dtype=np.float32)
        for row, user in enumerate(chosen):
            history = histories[user]
            value[row] = model.signals(history, np.ones(len(history), np.float32))[:, self._eligible]
        targets = [self._position[held.targets[u]] for u in chosen] if self.users else []
        return blend.Samples(
            names=model.names,
            value=value,
            seen=[self._position[histories[u]] for u in chosen],
            targets=targets,
            total=np.array([max(1, min(len(histories[u]), MAX_HISTORY)) for u in chosen], dtype=np.float64),
            wanted=np.array([len(t) + held.missing[u] for t, u in zip(targets, chosen, strict=False)], np.int64),
        )
