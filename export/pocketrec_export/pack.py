"""Bring your own model: item factors that were trained elsewhere become a package, with search where there are texts.

The user's factors are solved on the device, so only item factors are needed: with alpha and regularization of
the model they came from, the answer is that model's own user step (see `factors`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pocketrec.errors import UsageError
from pocketrec.inspection import describe_package
from pocketrec.manifest import BlendTerm
from pocketrec.package import Package

from pocketrec_export import factors as als
from pocketrec_export.assemble import assemble, finish
from pocketrec_export.full_model import FullModel, package_form
from pocketrec_export.fusion import fused
from pocketrec_export.own_factors import DEFAULT_ALPHA, DEFAULT_REGULARIZATION, OwnFactors, match_ids, read_factors
from pocketrec_export.progress import Progress, Run
from pocketrec_export.read import Items, columns_of, read_items
from pocketrec_export.requests import check_targets
from pocketrec_export.texts import Texts, encode_texts
from pocketrec_export.threads import available_threads, fixed_threads

TRIAL_LENGTHS = (1, 3, 10, 30, 100)
"""Lengths of the random histories on which the steps of the fold-in are chosen."""
TRIAL_WEIGHT = 4.0
"""Weight of every item in them."""


def pack(
    factors: Any,
    items: Any = None,
    *,
    out: str | os.PathLike[str],
    ids: Sequence[str] | None = None,
    alpha: float | None = None,
    regularization: float | None = None,
    search: bool = True,
    name: str | None = None,
    columns: Mapping[str, str] | None = None,
    preset: str = "quick",
    teacher: str | None = None,
    seed: int = 0,
    threads: int | None = None,
    text_dim: int = 128,
    vocabulary: int | None = None,
    cache: str | os.PathLike[str] | None = None,
    data_license: str = "",
    attribution: str = "",
    overwrite: bool = False,
    quiet: bool = False,
) -> dict[str, Any]:
    """Write a package of item factors that somebody else trained.

    Args:
        factors: see `own_factors.read_factors`: an array, a file, or a fitted ``implicit`` model.
        items: item, title[, text][, category]; without ids of their own, its rows are those of the factors.
        out: the package to write.
        ids: the item id of each row of the factors, where neither they nor the items table say it.
        alpha: confidence of one unit of history weight; default the model's own, else 1.
        regularization: of the user's least squares; default the model's own, else 0.01.
        search: encode the texts of ``items`` and make a query encoder, as `build` does.
        name: of the package; by default that of the file.
        columns: role -> column of ``items``.
        preset: of the query encoder, ``"quick"`` or ``"full"``.
        teacher: as in `build`.
        seed: as in `build`.
        threads: as in `build`.
        text_dim: as in `build`.
        vocabulary: as in `build`.
        cache: as in `build`.
        data_license: of the data, stored in the package.
        attribution: whom to credit, stored in the package.
        overwrite: replace ``out``.
        quiet: no progress on stderr.

    Returns:
        What `pocketrec inspect` says of the package.

    Raises:
        DataError: factors or items cannot be used as they are, or do not fit together.
        UsageError: alpha or regularization out of range, or ``out`` exists.
    """
    path = Path(out)
    check_targets(path, overwrite)
    count = available_threads() if threads is None else threads
    run = Run(Progress(quiet=quiet), seed=seed, preset=preset, min_users=1, threads=count, cache=cache)
    with fixed_threads(count, torch=search and items is not None):
        with run.stage("reading"):
            own = read_factors(factors)
            table = None if items is None else read_items(items, columns=columns_of("items", columns))
            rows = match_ids(own, ids, None if table is None else table.ids)
        texts = encode_texts(run, table, teacher, text_dim, vocabulary, cache) if table is not None and search else None
        model = folding(own, alpha=alpha, regularization=regularization, seed=seed)
        if texts is not None:
            model = _with_text(model, texts, rows)
        known = (table or Items("", [], [], [], [])).select(rows)
        with run.stage("writing the package"):
            parts = assemble(
                model.boosted(known.boost),
                items=known,
                student=None if texts is None else texts.student,
                teacher=None if texts is None else texts.teacher,
                name=name or path.name.removesuffix(".pocketrec"),
                about=_about(own, data_license, attribution, seed),
                search=search,
            )
            finish(fused(parts, known, seed=seed), metrics={}).write(path, overwrite=overwrite)
    with Package.open(path) as package:
        return describe_package(package)


def folding(
    own: OwnFactors, *, alpha: float | None = None, regularization: float | None = None, seed: int = 0
) -> FullModel:
    """A model of the factor signal alone, whose users are folded in as the factors' own model would.

    Args:
        own: I item factors.
        alpha: in place of what the factors say.
        regularization: in place of what the factors say.
        seed: of the random histories on which the number of steps is chosen.

    Raises:
        UsageError: alpha or regularization not finite and above zero.
    """
    confidence = _positive("alpha", alpha, own.alpha, DEFAULT_ALPHA)
    damping = _positive("regularization", regularization, own.regularization, DEFAULT_REGULARIZATION)
    table = als.pad(als.whiten(own.table, regularization=damping))
    model = FullModel(factors=als.Factors(table, confidence), blend={"factors": BlendTerm(1.0, 0.0)})
    coded = package_form(model)
    assert coded.factors is not None  # as `model` has them
    # Counts and play numbers come as weights above 1, and heavier histories take more steps.
    heavy = confidence * TRIAL_WEIGHT
    steps = als.choose_steps(coded.factors.table, histories=_histories(len(table), seed), alpha=heavy)
    return FullModel(factors=model.factors, blend=model.blend, steps=steps)


def _with_text(model: FullModel, texts: Texts, ids: list[str]) -> FullModel:
    return FullModel(factors=model.factors, text=texts.rows(ids)[1], blend=model.blend, steps=model.steps)


def _histories(items: int, seed: int) -> list[NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    lengths = [min(length, items) for length in TRIAL_LENGTHS for _ in range(8)]
    return [np.sort(rng.choice(items, length, replace=False)) for length in lengths]


def _positive(name: str, given: float | None, found: float | None, default: float) -> float:
    value = given if given is not None else found if found is not None else default
    if not 0 < value <= 1e6:
        raise UsageError(f"{name} is {value}; expected a number above 0, at most 1,000,000")
    return float(value)


def _about(own: OwnFactors, data_license: str, attribution: str, seed: int) -> dict[str, Any]:
    width = own.table.shape[1]
    return {
        "input": {
            "value_kind": "factors",
            "reason": f"item factors of another model, {width} wide",
            "positive": None,
            "split_sha256": None,
        },
        "data": {"license": data_license, "attribution": attribution},
        "seed": seed,
    }
