"""The blend: score(i) = sum_s w_s (sum_j |c_j|)^(-a_s) x_s(i), additive and free of statistics over candidates.

Weights and powers are chosen on validation users. Signals live on very different scales, so the search works
on *shares*: w_s = share_s / spread_s, where spread_s is the typical standard deviation over items of
``(sum |c|)^(-a_s) x_s``. The objective is mean NDCG@10 + NDCG@100 (NDCG@10 alone is noise on a hundred users)
minus ``PRIOR_USERS / users * |share - default|^2``: with few users the answer stays near `DEFAULT_SHARE`, with
many the data decide. Everything is deterministic; there is no random start.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from pocketrec.manifest import HISTORY_SIGNALS, BlendTerm

from pocketrec_export.samples import Samples, ndcg_measure, ndcg_of_users

POWERS = (0.0, 0.5, 1.0)

DEFAULT_SHARE = {"factors": 0.25, "neighbours": 0.6, "content": 0.05, "popularity": 0.1}
DEFAULT_POWER = {"factors": 0.0, "neighbours": 0.5, "content": 1.0}
"""Typical fits on three public sets (films, tweeted films, retail); what a build without validation gets."""

PRIOR_USERS = 4.0
"""Best of 0.1, 1, 4, 16 and infinity by two-fold cross-validation inside the validation users of three sets."""
NEW_SHARE = 0.1
"""What a signal without a default share is tried with."""
MIN_USERS_TO_DROP = 50
DROP_LOSS = 1e-4
"""A signal whose removal costs less than this objective gets weight zero, given enough users to tell."""

_STEPS = (4.0, 2.0, 2.0**0.5, 2.0**0.25)  # factors by which a share is tried up and down, one round each
# A spread below it is rounding: the signal says nothing, and dividing by it would say nonsense, and more than the
# 1e6 that a package's weight may be.
_CONSTANT = 1e-6


@dataclass(frozen=True, slots=True)
class BlendFit:
    """What `fit` found.

    Attributes:
        blend: signal name -> `BlendTerm`, in the fixed order; a dropped signal has weight 0.
        share: each signal's share of the spread of the score.
        objective: mean NDCG@10 + NDCG@100 on the validation users, None without users.
        loss_without: what the objective loses when a signal is left out and the rest stays as it is.
        users: how many users it was chosen on.
    """

    blend: dict[str, BlendTerm]
    share: dict[str, float]
    objective: float | None
    loss_without: dict[str, float]
    users: int


def weights(blend: Mapping[str, BlendTerm], *, names: Sequence[str], total: float) -> NDArray[np.float32]:
    """The weight vector float32[S] an engine takes: w_s * total^(-a_s); history signals are 0 without history."""
    return np.array(
        [
            0.0
            if name in HISTORY_SIGNALS and total <= 0
            else blend[name].weight * (total ** -blend[name].power if blend[name].power else 1.0)
            for name in names
        ],
        dtype=np.float32,
    )


def to_manifest(blend: Mapping[str, BlendTerm]) -> dict[str, dict[str, float]]:
    """``{signal: {"weight": w, "power": a}}``, without the signals of weight zero."""
    return {n: {"weight": t.weight, "power": t.power} for n, t in blend.items() if t.weight != 0}


def fit(samples: Samples, *, scale_only: bool = False) -> BlendFit:
    """Weights and powers by coordinate search from several starts.

    The starts are the default blend, each signal alone, and each signal left out: from the default alone the search
    stops where every single step is worse. Takes about 200 evaluations a start, each one pass over the samples.

    Args:
        samples: validation users. Without any, the default shares stand as if every spread were one.
        scale_only: the users have no targets; they only give the spreads for the default shares.
    """
    search = _Search(samples)
    if scale_only or len(samples) == 0:
        state = _default(samples.names)
        return BlendFit(search.blend(state), _normal(state.share), None, {}, 0)
    _, state = max((search.climb(start) for start in _starts(samples.names)), key=lambda found: found[0])
    return search.result(search.drop(state))


def fit_again(samples: Samples, blend: Mapping[str, BlendTerm]) -> BlendFit:
    """The blend that is climbed to from a fitted one of other signals, for the question "what if without".

    Args:
        samples: validation users.
        blend: where the climb starts; signals that `samples` lacks are left out, signals that it lacks start at 0.
    """
    search = _Search(samples)
    return search.result(search.climb(search.state(blend))[1])


@dataclass(frozen=True, slots=True)
class _State:
    share: dict[str, float]
    power: dict[str, float]


def _default(names: Sequence[str]) -> _State:
    return _State({n: DEFAULT_SHARE.get(n, 0.0) for n in names}, {n: DEFAULT_POWER.get(n, 0.0) for n in names})


def _starts(names: Sequence[str]) -> list[_State]:
    default = _default(names)
    if len(names) == 1:
        return [default]
    alone = [{**dict.fromkeys(names, 0.0), name: 1.0} for name in names]
    without = [{**default.share, name: 0.0} for name in names]
    return [default, *(replace(default, share=share) for share in (*alone, *without) if any(share.values()))]


def _share_moves(state: _State, name: str, step: float) -> list[_State]:
    here = state.share[name]
    tried = [0.0, DEFAULT_SHARE.get(name, NEW_SHARE)] if here == 0 else [0.0, here / step, here * step]
    return [replace(state, share={**state.share, name: share}) for share in tried if share != here]


def _powers(name: str) -> tuple[float, ...]:
    """What g_s may be: popularity has no history to be scaled by."""
    return (0.0,) if name == "popularity" else POWERS


def _power_moves(state: _State, name: str) -> list[_State]:
    return [replace(state, power={**state.power, name: p}) for p in POWERS if p != state.power[name]]


def _without(state: _State, name: str) -> _State:
    return replace(state, share={**state.share, name: 0.0})


def _normal(share: Mapping[str, float]) -> dict[str, float]:
    total = sum(share.values()) or 1.0
    return {name: value / total for name, value in share.items()}


def measure(samples: Samples, vector: NDArray[np.float32]) -> float:
    """Mean NDCG@10 + NDCG@100 under weight vectors float32[V, S]."""
    return ndcg_measure(samples)(vector)


def clearly_better(samples: Samples, blend: Mapping[str, BlendTerm], other: Mapping[str, BlendTerm]) -> bool:
    """Whether a blend beats another by more than one standard error of their difference over the users.

    Source: the one-standard-error rule, Breiman et al. 1984, "Classification and Regression Trees".
    """
    each = ndcg_of_users(samples)
    vectors = (
        np.stack([weights(one, names=samples.names, total=total) for total in samples.total]) for one in (blend, other)
    )
    first, second = (each(vector) for vector in vectors)
    gain = first - second
    return bool(gain.mean() > gain.std() / np.sqrt(len(gain)))


def measure_default(samples: Samples) -> float:
    """`measure` under the default blend, which needs no search."""
    return _Search(samples).quality(_default(samples.names))


class _Search:
    """Objective and moves over one set of samples."""

    def __init__(self, samples: Samples) -> None:
        self._samples = samples
        self._spread: dict[tuple[str, float], float] = {}
        deviation = samples.deviation
        for s, name in enumerate(samples.names):
            for power in _powers(name):
                typical = (samples.total**-power * deviation[:, s]).mean() if len(deviation) else 1.0
                self._spread[name, power] = float(typical) if typical > _CONSTANT else 1.0
        self._measure = ndcg_measure(samples)

    def blend(self, state: _State) -> dict[str, BlendTerm]:
        share = _normal(state.share)
        # Scaled so that typical scores have a spread of one, whatever the signals' own scales are.
        return {n: BlendTerm(share[n] / self._spread[n, state.power[n]], state.power[n]) for n in self._samples.names}

    def state(self, blend: Mapping[str, BlendTerm]) -> _State:
        """The state whose blend this is, without the signals that are not here; equal shares where none is left."""
        terms = {n: blend.get(n, BlendTerm(0.0, DEFAULT_POWER.get(n, 0.0))) for n in self._samples.names}
        share = {n: term.weight * self._spread[n, term.power] for n, term in terms.items()}
        powers = {n: term.power for n, term in terms.items()}
        return _State(share if any(share.values()) else dict.fromkeys(terms, 1.0), powers)

    def quality(self, state: _State) -> float:
        blend = self.blend(state)
        vector = np.stack([weights(blend, names=self._samples.names, total=t) for t in self._samples.total])
        return self._measure(vector)

    def value(self, state: _State) -> float:
        share, default = _normal(state.share), _normal(_default(self._samples.names).share)
        distance = sum((share[n] - default[n]) ** 2 for n in share)
        return self.quality(state) - PRIOR_USERS / len(self._samples) * distance

    def climb(self, state: _State) -> tuple[float, _State]:
        """Coordinate search: every share up, down, off and on, every power, in ever smaller steps."""
        best = self.value(state)
        for step in _STEPS:
            for name in self._samples.names:
                best, state = self.improve(best, state, _share_moves(state, name, step))
                if len(_powers(name)) > 1:
                    best, state = self.improve(best, state, _power_moves(state, name))
        return best, state

    def result(self, state: _State) -> BlendFit:
        """What is told of a state."""
        objective = self.quality(state)
        loss = {n: objective - self.quality(_without(state, n)) for n in state.share if state.share[n] > 0}
        return BlendFit(self.blend(state), _normal(state.share), objective, loss, len(self._samples))

    def improve(self, best: float, state: _State, moves: Sequence[_State]) -> tuple[float, _State]:
        for move in moves:
            if not any(move.share.values()):
                continue
            value = self.value(move)
            if value > best + 1e-6:
                best, state = value, move
        return best, state

    def drop(self, state: _State) -> _State:
        """Zeroes signals that buy nothing, the least useful first."""
        if len(self._samples) < MIN_USERS_TO_DROP:
            return state
        while True:
            here = self.quality(state)
            active = [n for n in self._samples.names if state.share[n] > 0]
            if len(active) == 1:
                return state
            loss, name = min((here - self.quality(_without(state, n)), n) for n in active)
            if loss > DROP_LOSS:
                return state
            state = _without(state, name)
