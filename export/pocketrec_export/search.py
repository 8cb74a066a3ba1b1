"""Hyperparameter search: each setting by itself first, then Optuna's TPE for the rest of the budget.

The budget counts trials, never seconds, and the sampler is seeded, so the same data, seed and threads choose the same
settings. With a folder every result is kept in an Optuna journal: a search that was cut off goes on, and one that was
finished costs nothing the second time. The journal is only a memory: what is tried, and in which order, does not
depend on it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from scipy.sparse import csr_matrix

Settings = dict[str, float | int]
JOURNAL = "search.journal"
STARTUP_TRIALS = 10
"""Random trials before TPE models anything; the one-at-a-time trials count among them."""


@dataclass(frozen=True)
class Setting:
    """What one setting may be.

    Attributes:
        values: tried one by one while all else is the best so far; the first is the default.
        low: with `high`, TPE draws from this range instead of from `values`.
        high: upper end.
        log: draw the logarithm evenly.
    """

    values: tuple[float | int, ...]
    low: float | None = None
    high: float | None = None
    log: bool = False

    @property
    def distribution(self) -> BaseDistribution:
        """For Optuna."""
        if self.low is None or self.high is None:
            return CategoricalDistribution(self.values)
        return FloatDistribution(self.low, self.high, log=self.log)


Space = Mapping[str, Setting]


def defaults(space: Space) -> Settings:
    """The first value of each setting."""
    return {name: setting.values[0] for name, setting in space.items()}


class Memory:
    """Results of earlier searches on the same data.

    Args:
        folder: where the journal lies; None remembers nothing.
        about: all that a result depends on besides its settings.
    """

    def __init__(self, folder: Path | None, *about: Any) -> None:
        self._study: optuna.Study | None = None
        self._known: dict[str, float] = {}
        if folder is None:
            return
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        folder.mkdir(parents=True, exist_ok=True)
        storage = JournalStorage(JournalFileBackend(str(folder / JOURNAL)))
        with _quiet():
            self._study = optuna.create_study(
                storage=storage, study_name=fingerprint(*about), direction="maximize", load_if_exists=True
            )
        self._known = {_key(trial.params): float(trial.value or 0) for trial in self._study.trials}

    def get(self, settings: Settings) -> float | None:
        """The objective of these settings, None if they were never tried."""
        return self._known.get(_key(settings))

    def keep(self, settings: Settings, space: Space, objective: float) -> None:
        """Remember it."""
        if self._study is not None and _key(settings) not in self._known:
            self._known[_key(settings)] = objective
            self._study.add_trial(_trial(settings, space, objective))


def search(
    space: Space,
    measure: Callable[[Settings], float],
    *,
    trials: int,
    seed: int,
    memory: Memory | None = None,
    remembered: Callable[[Settings, float], None] | None = None,
) -> Settings:
    """The settings with the largest measure; of equal ones the first.

    Args:
        space: what may be tried, in the order in which single settings are.
        measure: bigger is better.
        trials: in all; the one-at-a-time trials are made whatever it is.
        seed: of TPE.
        memory: results that need not be measured again.
        remembered: told of each that was not.
    """
    seen: dict[str, float] = {}
    with _quiet():
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=STARTUP_TRIALS)
        study = optuna.create_study(direction="maximize", sampler=sampler)

    def objective_of(settings: Settings) -> float:
        key = _key(settings)
        if key in seen:
            return seen[key]
        known = None if memory is None else memory.get(settings)
        value = measure(settings) if known is None else known
        if known is not None and remembered is not None:
            remembered(settings, known)
        if memory is not None:
            memory.keep(settings, space, value)
        seen[key] = value
        return value

    best = defaults(space)
    largest = objective_of(best)
    study.add_trial(_trial(best, space, largest))
    for name, setting in space.items():
        for value in setting.values:
            settings = {**best, name: value}
            if _key(settings) in seen:
                continue
            objective = objective_of(settings)
            study.add_trial(_trial(settings, space, objective))
            if objective > largest:
                best, largest = settings, objective
    while len(study.trials) < trials:
        trial = study.ask({name: setting.distribution for name, setting in space.items()})
        settings = {name: trial.params[name] for name in space}
        objective = objective_of(settings)
        study.tell(trial, objective)
        if objective > largest:
            best, largest = settings, objective
    return best


def fingerprint(*parts: Any) -> str:
    """SHA-256 of arrays, sparse matrices and plain values, 32 hexadecimal digits."""
    digest = hashlib.sha256()
    for part in parts:
        for array in _arrays(part):
            digest.update(f"{array.dtype}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:32]


def _arrays(part: Any) -> list[NDArray[Any]]:
    if isinstance(part, csr_matrix):
        return [np.array(part.shape), part.indptr, part.indices, part.data]
    if isinstance(part, np.ndarray):
        return [part]
    return [np.frombuffer(json.dumps(part, sort_keys=True).encode(), np.uint8)]


def _trial(settings: Settings, space: Space, objective: float) -> optuna.trial.FrozenTrial:
    distributions = {name: setting.distribution for name, setting in space.items()}
    return optuna.trial.create_trial(params=dict(settings), distributions=distributions, value=objective)


def _key(settings: Mapping[str, Any]) -> str:
    return json.dumps({name: float(value) for name, value in settings.items()}, sort_keys=True)


class _quiet:
    """Optuna says nothing: the build has its own progress."""

    def __enter__(self) -> None:
        self._before = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.WARNING)

    def __exit__(self, *_: object) -> None:
        optuna.logging.set_verbosity(self._before)
