"""The search of one signal's settings on validation users, and the books that are kept of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from pocketrec import __version__

from pocketrec_export.full_model import FullModel
from pocketrec_export.heldout import Bench
from pocketrec_export.learning import Learning
from pocketrec_export.search import Memory, Setting, Settings, Space, search

Table = TypeVar("Table")


@dataclass(frozen=True, slots=True)
class Trial:
    """One candidate: which signal, its settings, its validation objective (None without users), its cost."""

    signal: str
    settings: Settings
    objective: float | None
    seconds: float


class Finder:
    """Searches one signal after the other; every trial is told, and listed in `trials`.

    Args:
        learning: what signals are fitted on.
        bench: the validation users.
        trials: budget of each signal, see `search`.
        cache: a folder that remembers results; None remembers nothing.
        progress: told one line for each trial.
    """

    def __init__(
        self,
        learning: Learning,
        bench: Bench,
        *,
        trials: int,
        cache: Path | None,
        progress: Callable[[str], None] | None,
    ) -> None:
        self.trials: list[Trial] = []
        self._learning, self._bench, self._budget = learning, bench, trials
        self._cache, self._progress = cache, progress

    def find(
        self, signal: str, space: Space, fit: Callable[[Settings], Table], *, beside: FullModel
    ) -> tuple[Table, Settings]:
        """The table fitted with the best settings, and the settings.

        Args:
            signal: the field of `FullModel` that the table is.
            space: what may be tried; without validation users only the first value of each.
            fit: settings to table.
            beside: a model without this signal; the two are measured together under the default blend.
        """
        best: tuple[float, Table, Settings] | None = None

        def measure(settings: Settings) -> float:
            nonlocal best
            started = time.perf_counter()
            table = fit(settings)
            objective = self._bench.objective(replace(beside, **{signal: table}))  # type: ignore[arg-type]
            self._tell(Trial(signal, settings, objective, time.perf_counter() - started))
            if best is None or (objective or 0.0) > best[0]:
                best = objective or 0.0, table, settings
            return objective or 0.0

        def remembered(settings: Settings, objective: float) -> None:
            self._tell(Trial(signal, settings, objective, 0.0))

        budget = self._budget
        if not self._bench.users:
            budget, space = 0, {name: Setting(setting.values[:1]) for name, setting in space.items()}
        memory = Memory(self._cache, *self._about(signal, beside)) if self._bench.users else None
        chosen = search(space, measure, trials=budget, seed=self._learning.seed, memory=memory, remembered=remembered)
        if best is not None and best[2] == chosen:
            return best[1], chosen
        return fit(chosen), chosen  # the best result was a remembered one

    def _tell(self, trial: Trial) -> None:
        self.trials.append(trial)
        if self._progress is not None:
            value = "" if trial.objective is None else f": {trial.objective:.4f}"
            self._progress(f"{trial.signal} {trial.settings}{value}")

    def _about(self, signal: str, beside: FullModel) -> list[Any]:
        """All that an objective depends on besides the settings of the signal."""
        learning = self._learning
        arrays = [learning.train, learning.weak, learning.text, learning.attributes, learning.age]
        arrays += [beside.popularity, beside.text, beside.attributes]
        if beside.factors is not None:
            arrays.append(beside.factors.table)
        numbers = [__version__, signal, learning.min_users, learning.seed, learning.threads]
        return [*numbers, *(array for array in arrays if array is not None), *self._bench.arrays]
