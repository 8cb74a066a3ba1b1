"""The search for settings: one at a time, then TPE; budget in trials, repeatable, and resumable."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from pocketrec_export.search import Memory, Setting, Settings, defaults, fingerprint, search
from scipy.sparse import csr_matrix

SPACE = {
    "alpha": Setting((3.0, 1.0, 10.0), low=0.1, high=100.0, log=True),
    "keep": Setting((100, 50)),
    "weak": Setting((0.4, 0.0), low=0.0, high=1.0),
}


def hill(settings: Settings) -> float:
    """Best at alpha 8, keep 50, weak 0.7."""
    return -abs(math.log(settings["alpha"] / 8)) - abs(settings["weak"] - 0.7) + (settings["keep"] == 50)


class Tried:
    """Counts what is measured."""

    def __init__(self) -> None:
        self.all: list[Settings] = []

    def __call__(self, settings: Settings) -> float:
        self.all.append(dict(settings))
        return hill(settings)


def test_single_settings_are_tried_one_after_the_other() -> None:
    tried = Tried()
    best = search(SPACE, tried, trials=0, seed=0)
    assert best == {"alpha": 10.0, "keep": 50, "weak": 0.4}
    assert len(tried.all) == 1 + 2 + 1 + 1
    assert tried.all[0] == defaults(SPACE)
    assert tried.all[3]["alpha"] == 10.0  # keep is tried with the best alpha


def test_trials_beyond_find_better_settings_within_their_ranges() -> None:
    tried = Tried()
    best = search(SPACE, tried, trials=60, seed=0)
    assert len(tried.all) <= 60
    assert hill(best) > hill(search(SPACE, Tried(), trials=0, seed=0)) + 0.1
    assert all(0.1 <= settings["alpha"] <= 100 and settings["keep"] in (50, 100) for settings in tried.all)


def test_two_searches_are_equal_and_the_seed_matters() -> None:
    first, second, other = Tried(), Tried(), Tried()
    assert search(SPACE, first, trials=20, seed=3) == search(SPACE, second, trials=20, seed=3)
    assert first.all == second.all
    search(SPACE, other, trials=20, seed=4)
    assert other.all != first.all


def test_a_search_that_was_cut_off_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole = Tried()
    best = search(SPACE, whole, trials=20, seed=0)

    class Cut(Tried):
        def __call__(self, settings: Settings) -> float:
            if len(self.all) == 9:
                raise KeyboardInterrupt
            return super().__call__(settings)

    cut, rest = Cut(), Tried()
    with pytest.raises(KeyboardInterrupt):
        search(SPACE, cut, trials=20, seed=0, memory=Memory(tmp_path, "data"))
    remembered: list[Settings] = []
    memory = Memory(tmp_path, "data")
    again = search(SPACE, rest, trials=20, seed=0, memory=memory, remembered=lambda s, _: remembered.append(s))
    assert again == best
    assert cut.all + rest.all == whole.all
    assert remembered == cut.all


def test_other_data_remember_nothing(tmp_path: Path) -> None:
    search(SPACE, Tried(), trials=0, seed=0, memory=Memory(tmp_path, "data"))
    same, other = Tried(), Tried()
    search(SPACE, same, trials=0, seed=0, memory=Memory(tmp_path, "data"))
    search(SPACE, other, trials=0, seed=0, memory=Memory(tmp_path, "other data"))
    assert same.all == []
    assert len(other.all) == 5


def test_fingerprints_tell_data_apart() -> None:
    table = csr_matrix(np.eye(3, dtype=np.float32))
    parts = [fingerprint(table), fingerprint(2 * table), fingerprint(table, 1), fingerprint(table, "1")]
    assert len(set(parts)) == 4
    assert fingerprint(table, 1) == fingerprint(table.copy(), 1)
