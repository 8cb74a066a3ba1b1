"""Chooses settings and blends on validation users: fit candidates on train, measure, keep the best.

Each signal's settings are chosen with that signal alone (mean NDCG@10 + NDCG@100, the blend's own objective),
then the blend is fitted over the winners: once for the float32 model, once for its package form.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags

from pocketrec_export import blend, factors, neighbours, popularity
from pocketrec_export.dataset import Heldout
from pocketrec_export.full_model import FullModel, package_form
from pocketrec_export.heldout import Bench


@dataclass(frozen=True)
class Grid:
    """What is tried; without validation users the first of each. Strengths: see `neighbours`.

    ``weak_weight`` is what an interaction that is not positive (a low rating) counts beside a positive 1 in the
    neighbours: it still says that two items are met together. Factors and popularity see positives only.
    """

    dim: int = 64
    full_dim: tuple[int, ...] = (64, 128)
    alpha: tuple[float, ...] = (5.0, 3.0, 10.0)
    regularization: tuple[float, ...] = (30.0, 10.0)
    iterations: int = 15
    weak_weight: tuple[float, ...] = (0.4, 0.0)
    l2: tuple[float, ...] = (1.0, 0.4, 3.0)
    text_weight: tuple[float, ...] = (0.25,)
    dropout: tuple[float, ...] = (0.5,)
    keep: tuple[int, ...] = (100, 50)
    refit: tuple[bool, ...] = (True, False)
    full_keep: tuple[int | None, ...] = (100, 50, None)


QUICK = Grid()
FULL = Grid(
    alpha=(5.0, 1.0, 3.0, 10.0, 20.0),
    regularization=(30.0, 3.0, 10.0, 60.0),
    iterations=20,
    weak_weight=(0.4, 0.0, 0.2, 0.7),
    l2=(1.0, 0.1, 0.4, 3.0, 10.0),
    text_weight=(0.25, 1.0),
    dropout=(0.5, 0.0, 1.0),
)
MAX_WHOLE = 10_000
"""Items up to which the unpruned table is tried for the full model: 800 MB as a sparse matrix."""

PRESETS = {"quick": QUICK, "full": FULL}


_Settings = dict[str, float | int | None]


@dataclass(frozen=True, slots=True)
class Trial:
    """One candidate: which signal, its settings, and its validation objective (None without users)."""

    signal: str
    settings: _Settings
    objective: float | None
    seconds: float


@dataclass(frozen=True)
class Tuned:
    """What `tune` chose and built.

    Attributes:
        full: the float32 model with its blend.
        stored: what the package stores, still in float32: its tables, projected texts, CG steps, and the blend
            fitted on their 8-bit form.
        settings: chosen settings of "factors" and "neighbours" of the package, and of "full_factors" and
            "full_neighbours"; what `refit` reads.
        trials: everything that was tried, in order.
    """

    full: FullModel
    stored: FullModel
    settings: dict[str, _Settings]
    trials: list[Trial] = field(default_factory=list)


def tune(
    train: csr_matrix,
    *,
    eligible: NDArray[np.bool_],
    validation: Heldout,
    text: NDArray[np.float32] | None = None,
    full_text: NDArray[np.float32] | None = None,
    weak: csr_matrix | None = None,
    min_users: int = 1,
    grid: Grid = QUICK,
    seed: int = 0,
    threads: int = 1,
    progress: Callable[[str], None] | None = None,
) -> Tuned:
    """Fits candidates on `train`, chooses on `validation`, and fits both blends.

    Args:
        train: csr float32[U, I].
        eligible: bool[I], what may be ranked.
        validation: held-out users; without any, the first setting of every grid and the default blend.
        text: projected item texts float32[I, D] as the package holds them, or None.
        full_text: the teacher's own item texts for the full model; `text` by default.
        weak: csr float32[U, I], 1 for each interaction of a train user that is not positive; or None.
        min_users: see `neighbours.fit_dense`.
        grid: what to try.
        seed: of ALS and of the draw of validation users.
        threads: ALS threads.
        progress: told one line for each trial.
    """
    bench = Bench(validation, eligible=eligible, train=train, seed=seed)
    trials: list[Trial] = []
    beside: blend.Samples | None = None

    def record(signal: str, settings: _Settings, model: FullModel, started: float) -> float:
        objective = bench.objective(model, beside=beside)
        trials.append(Trial(signal, settings, objective, time.perf_counter() - started))
        if progress is not None:
            progress(f"{signal} {settings}" + ("" if objective is None else f": {objective:.4f}"))
        return 0.0 if objective is None else objective

    best_factors, factor_settings = _tune_factors(train, grid, bench, record, seed=seed, threads=threads)
    others = FullModel(
        factors=best_factors,
        text=text if full_text is None else full_text,
        popularity=popularity.fit(train),
    )
    beside = bench.samples(others)
    (full_table, package_table), chosen = _tune_neighbours(train, weak, text, grid, bench, record, min_users=min_users)

    # The table that was best under the default blend need not be under its own, and the full model may be wider:
    # it is whatever validation finds best.
    tables = {"full_neighbours": full_table}
    if package_table is not full_table:
        tables["neighbours"] = package_table
    settings_of = dict(chosen)
    best: tuple[float, FullModel] | None = None
    for dim in grid.full_dim:
        wide = {**factor_settings, "dim": dim}
        fitted = best_factors if wide == factor_settings else _fit_factors(train, wide, seed=seed, threads=threads)
        for name, table in tables.items():
            model, fit = bench.blended(replace(others, factors=fitted, neighbours=table))
            if best is None or (fit.objective or 0) > best[0]:
                best = fit.objective or 0, model
                chosen |= {"full_factors": wide, "full_neighbours": settings_of[name]}
    assert best is not None

    stored = replace(others, neighbours=package_table, text=text)
    coded = package_form(stored, text=text, steps=None)
    assert coded.factors is not None
    steps = factors.choose_steps(coded.factors.table, histories=bench.histories, alpha=best_factors.alpha)
    package, _ = bench.blended(replace(coded, steps=steps))
    stored = replace(stored, steps=steps, blend=package.blend)
    return Tuned(best[1], stored, {"factors": {**factor_settings, "steps": steps}, **chosen}, trials)


def refit(
    train: csr_matrix,
    tuned: Tuned,
    *,
    text: NDArray[np.float32] | None = None,
    full_text: NDArray[np.float32] | None = None,
    weak: csr_matrix | None = None,
    seed: int = 0,
    threads: int = 1,
) -> Tuned:
    """The same settings and blends with every table fitted on `train`, for example on all rows of a build."""
    chosen = tuned.settings
    narrow, wide = chosen["factors"], chosen["full_factors"]
    fitted = _fit_factors(train, narrow, seed=seed, threads=threads)
    fitted_full = fitted if wide["dim"] == narrow["dim"] else _fit_factors(train, wide, seed=seed, threads=threads)
    dense = _dense(train, weak, text, chosen["neighbours"])
    table = _pruned(dense, chosen["neighbours"])
    if chosen["full_neighbours"] == chosen["neighbours"]:
        full_table = table
    else:
        if any(chosen["full_neighbours"][name] != chosen["neighbours"][name] for name in _DENSE):
            dense = _dense(train, weak, text, chosen["full_neighbours"])
        full_table = _pruned(dense, chosen["full_neighbours"])
    popular = popularity.fit(train)
    return replace(
        tuned,
        full=replace(
            tuned.full,
            factors=fitted_full,
            neighbours=full_table,
            text=text if full_text is None else full_text,
            popularity=popular,
        ),
        stored=replace(tuned.stored, factors=fitted, neighbours=table, text=text, popularity=popular),
    )


def _dense(
    train: csr_matrix, weak: csr_matrix | None, text: NDArray[np.float32] | None, settings: _Settings
) -> neighbours.ItemModel:
    strength = settings["weak_weight"]
    interactions = train
    if weak is not None and strength:
        # An item that nobody liked gains no neighbours from those who did not: it should not be recommended.
        liked = np.bincount(train.indices, minlength=train.shape[1]) > 0
        interactions = csr_matrix(train + strength * (weak @ diags(liked.astype(np.float32))))
    l2, text_weight, dropout = (float(settings[name] or 0) for name in ("l2", "text_weight", "dropout"))
    return neighbours.fit_dense(
        interactions,
        text=text,
        l2=l2,
        text_weight=text_weight,
        dropout=dropout,
        min_users=int(settings["min_users"] or 1),
    )


def _pruned(model: neighbours.ItemModel, settings: _Settings) -> csr_matrix:
    keep = settings["keep"]
    return neighbours.prune(model, keep=None if keep is None else int(keep), refit=bool(settings["refit"]))


def _fit_factors(train: csr_matrix, settings: _Settings, *, seed: int, threads: int) -> factors.Factors:
    return factors.fit(
        train,
        dim=int(settings["dim"] or 0),
        alpha=float(settings["alpha"] or 0),
        regularization=float(settings["regularization"] or 0),
        iterations=int(settings["iterations"] or 0),
        seed=seed,
        threads=threads,
    )


_DENSE = ("weak_weight", "l2", "text_weight", "dropout", "min_users")
"""The settings of the neighbours that the dense solve depends on; the others only prune it."""

_Record = Callable[[str, _Settings, FullModel, float], float]


def _tune_factors(
    train: csr_matrix, grid: Grid, bench: Bench, record: _Record, *, seed: int, threads: int
) -> tuple[factors.Factors, _Settings]:
    best: tuple[float, factors.Factors, _Settings] | None = None
    for alpha, regularization in product(grid.alpha, grid.regularization):
        if best is not None and not bench.users:
            break
        started = time.perf_counter()
        settings: _Settings = {
            "dim": grid.dim,
            "alpha": alpha,
            "regularization": regularization,
            "iterations": grid.iterations,
        }
        fitted = _fit_factors(train, settings, seed=seed, threads=threads)
        objective = record("factors", settings, FullModel(factors=fitted), started)
        if best is None or objective > best[0]:
            best = objective, fitted, settings
    assert best is not None
    return best[1], best[2]


def _tune_neighbours(
    train: csr_matrix,
    weak: csr_matrix | None,
    text: NDArray[np.float32] | None,
    grid: Grid,
    bench: Bench,
    record: _Record,
    *,
    min_users: int,
) -> tuple[tuple[csr_matrix, csr_matrix], dict[str, _Settings]]:
    """(Full model's table, package's table) and the settings of both."""
    best: dict[str, tuple[float, csr_matrix, _Settings]] = {}
    allowed = {"full_neighbours": grid.full_keep, "neighbours": grid.keep}
    text_weights = grid.text_weight if text is not None else (0.0,)
    weak_weights = grid.weak_weight if weak is not None and weak.nnz else (0.0,)
    prunings = [
        (keep, again)
        for keep, again in product(dict.fromkeys((*grid.keep, *grid.full_keep)), grid.refit)
        if keep is not None or not again
    ]
    for values in product(weak_weights, grid.l2, text_weights, grid.dropout):
        settings: _Settings = dict(zip(_DENSE, (*values, min_users), strict=True))
        started = time.perf_counter()
        dense = _dense(train, weak, text, settings)
        for keep, again in prunings:
            tried: _Settings = {**settings, "keep": keep, "refit": again}
            wanted = [form for form, keeps in allowed.items() if keep in keeps]
            if not bench.users and all(form in best for form in wanted):
                continue
            if keep is None and len(dense.warm) > MAX_WHOLE and "full_neighbours" in best:
                continue
            table = _pruned(dense, tried)
            objective = record("neighbours", tried, FullModel(neighbours=table), started)
            started = time.perf_counter()
            for form in wanted:
                if form not in best or objective > best[form][0]:
                    best[form] = objective, table, tried
        if not bench.users:
            break
    tables = best["full_neighbours"][1], best["neighbours"][1]
    return tables, {form: found[2] for form, found in best.items()}
