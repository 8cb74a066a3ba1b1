"""The blend: score(i) = sum_s w_s (sum_j |c_j|)^(-a_s) x_s(i), additive and free of statistics over candidates.

Weights and powers are chosen on validation users. Signals live on very different scales, so the search works
on *shares*: w_s = share_s / spread_s, where spread_s is the typical standard deviation over items of
``(sum |c|)^(-a_s) x_s``. The objective is mean NDCG@10 + NDCG@100 (NDCG@10 alone is noise on a hundred users)
minus ``PRIOR_USERS / users * |share - default|^2``: with few users the answer stays near `DEFAULT_SHARE`, with
many the data decide. Everything is deterministic; there is no random start.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from pocketrec.manifest import HISTORY_SIGNALS, BlendTerm

POWERS = (0.0, 0.5, 1.0)

DEFAULT_SHARE = {"factors": 0.25, "neighbours": 0.6, "content": 0.05, "popularity": 0.1}
DEFAULT_POWER = {"factors": 0.0, "neighbours": 0.5, "content": 1.0}
"""Typical fits on three public sets (films, tweeted films, retail); what a build without validation gets."""

PRIOR_USERS = 4.0
"""Best of 0.1, 1, 4, 16 and infinity by two-fold cross-validation inside the validation users of three sets."""
MIN_USERS_TO_DROP = 50
DROP_LOSS = 1e-4
"""A signal whose removal costs less than this objective gets weight zero, given enough users to tell."""

_STEPS = (4.0, 2.0, 2.0**0.5, 2.0**0.25)  # factors by which a share is tried up and down, one round each
# A spread below it is rounding: the signal says nothing, and dividing by it would say nonsense, and more than the
# 1e6 that a package's weight may be.
_CONSTANT = 1e-6
_MAX_USERS = 500
_MAX_CELLS = 60_000_000  # float32 signal values held at once: 240 MB


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


@dataclass(frozen=True, slots=True)
class Samples:
    """Precomputed signals of V users over the E items that may be ranked.

    Attributes:
        names: the S signals, fixed order.
        value: float32[V, S, E].
        seen: per user positions (in E) of the history, never ranked.
        targets: per user positions (in E) of the targets.
        total: float64[V], sum |c| of each history, at least tiny.
        wanted: int64[V], number of targets including those that cannot be ranked.
    """

    names: tuple[str, ...]
    value: NDArray[np.float32]
    seen: Sequence[NDArray[np.int64]]
    targets: Sequence[NDArray[np.int64]]
    total: NDArray[np.float64]
    wanted: NDArray[np.int64]


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


def sample_users(count: int, *, signals: int, items: int, seed: int) -> NDArray[np.int64]:
    """Which of `count` users to fit on, ascending: all, or a seeded draw that keeps memory bounded."""
    limit = max(1, min(_MAX_USERS, _MAX_CELLS // max(1, signals * items)))
    if count <= limit:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, size=limit, replace=False))


def fit(samples: Samples, *, scale_only: bool = False) -> BlendFit:
    """Weights and powers by coordinate search from the default blend.

    Takes about 200 evaluations, each one pass over the samples.

    Args:
        samples: validation users. Without any, the default shares stand as if every spread were one.
        scale_only: the users have no targets; they only give the spreads for the default shares.
    """
    search = _Search(samples)
    state = _State(
        share={n: DEFAULT_SHARE[n] for n in samples.names}, power={n: DEFAULT_POWER.get(n, 0.0) for n in samples.names}
    )
    if scale_only or len(samples.value) == 0:
        return BlendFit(search.blend(state), _normal(state.share), None, {}, 0)
    best = search.value(state)
    for step in _STEPS:
        for name in samples.names:
            best, state = search.improve(best, state, _share_moves(state, name, step))
            if name in HISTORY_SIGNALS:
                best, state = search.improve(best, state, _power_moves(state, name))
    state = search.drop(state)
    objective = search.quality(state)
    loss = {n: objective - search.quality(_without(state, n)) for n in samples.names if state.share[n] > 0}
    return BlendFit(search.blend(state), _normal(state.share), objective, loss, len(samples.value))


@dataclass(frozen=True, slots=True)
class _State:
    share: dict[str, float]
    power: dict[str, float]


def _default(names: Sequence[str]) -> _State:
    return _State({n: DEFAULT_SHARE[n] for n in names}, {n: DEFAULT_POWER.get(n, 0.0) for n in names})


def _share_moves(state: _State, name: str, step: float) -> list[_State]:
    here = state.share[name]
    tried = [0.0, DEFAULT_SHARE[name]] if here == 0 else [0.0, here / step, here * step]
    return [replace(state, share={**state.share, name: share}) for share in tried if share != here]


def _power_moves(state: _State, name: str) -> list[_State]:
    return [replace(state, power={**state.power, name: p}) for p in POWERS if p != state.power[name]]


def _without(state: _State, name: str) -> _State:
    return replace(state, share={**state.share, name: 0.0})


def _normal(share: Mapping[str, float]) -> dict[str, float]:
    total = sum(share.values()) or 1.0
    return {name: value / total for name, value in share.items()}


def measure(samples: Samples, vector: NDArray[np.float32]) -> float:
    """Mean NDCG@10 + NDCG@100 under weight vectors float32[V, S]."""
    return _ndcg_measure(samples)(vector)


def measure_default(samples: Samples) -> float:
    """`measure` under the default blend, which needs no search."""
    return _Search(samples).quality(_default(samples.names))


class _Search:
    """Objective and moves over one set of samples."""

    def __init__(self, samples: Samples) -> None:
        self._samples = samples
        self._spread: dict[tuple[str, float], float] = {}
        deviation = samples.value.std(axis=2, dtype=np.float64)  # [V, S]
        for s, name in enumerate(samples.names):
            for power in POWERS if name in HISTORY_SIGNALS else (0.0,):
                typical = (samples.total**-power * deviation[:, s]).mean() if len(deviation) else 1.0
                self._spread[name, power] = float(typical) if typical > _CONSTANT else 1.0
        self._measure = _ndcg_measure(samples)

    def blend(self, state: _State) -> dict[str, BlendTerm]:
        share = _normal(state.share)
        # Scaled so that typical scores have a spread of one, whatever the signals' own scales are.
        return {n: BlendTerm(share[n] / self._spread[n, state.power[n]], state.power[n]) for n in self._samples.names}

    def quality(self, state: _State) -> float:
        blend = self.blend(state)
        vector = np.stack([weights(blend, names=self._samples.names, total=t) for t in self._samples.total])
        return self._measure(vector)

    def value(self, state: _State) -> float:
        share, default = _normal(state.share), _normal({n: DEFAULT_SHARE[n] for n in state.share})
        distance = sum((share[n] - default[n]) ** 2 for n in share)
        return self.quality(state) - PRIOR_USERS / len(self._samples.value) * distance

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
        if len(self._samples.value) < MIN_USERS_TO_DROP:
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


def _ndcg_measure(samples: Samples) -> Callable[[NDArray[np.float32]], float]:
    """A function of weight vectors float32[V, S]: mean NDCG@10 + NDCG@100."""
    discount = 1 / np.log2(np.arange(2, 102))
    ideal = np.concatenate(([1.0], np.cumsum(discount)))
    gain = [discount / ideal[np.minimum(samples.wanted, k)][:, None] for k in (10, 100)]
    gain[0] = np.where(np.arange(100) < 10, gain[0], 0)
    per_rank = np.concatenate((gain[0] + gain[1], np.zeros((len(samples.wanted), 1))), axis=1)  # [V, 101]

    def measure(vector: NDArray[np.float32]) -> float:
        total = 0.0
        for user, (value, target) in enumerate(zip(samples.value, samples.targets, strict=True)):
            if len(target) == 0:
                continue
            score = vector[user] @ value
            score[samples.seen[user]] = -np.inf
            own = score[target]
            # Rank = items with a larger score, ties to the lower position, as engines break them.
            rank = np.count_nonzero(score > own[:, None], axis=1)
            rank += [np.count_nonzero(score[:t] == o) for t, o in zip(target, own, strict=True)]
            total += float(per_rank[user, np.minimum(rank, 100)].sum())
        return total / max(1, len(samples.wanted))

    return measure
