"""Test figures of a package, its full model and tuned baselines on the split that the package was built with."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pocketrec.errors import DataError, UsageError
from pocketrec.opening import open_package
from pocketrec.recommender import Recommender

from pocketrec_export.baselines import BASELINES, TunedBaseline, rank_with_scorer, tune_baseline
from pocketrec_export.comparison import Comparison
from pocketrec_export.dataset import Dataset, make_dataset
from pocketrec_export.fairness import assess, by_activity
from pocketrec_export.full_model import FullModel
from pocketrec_export.list_metrics import ItemFacts
from pocketrec_export.metrics import Figures, figures
from pocketrec_export.progress import Progress
from pocketrec_export.rankings import Rankings, facts_of, rank_with_full, rank_with_package, write_recs
from pocketrec_export.rating_error import rating_error
from pocketrec_export.read import read_interactions
from pocketrec_export.recent import recent_popularity
from pocketrec_export.rules import Rules
from pocketrec_export.split_files import read_split
from pocketrec_export.strength import Weighting
from pocketrec_export.users import Users

CATALOGUE = "catalogue.json"
"""Beside the tables of a saved full model: the ids of their rows, and the split they were fitted on."""


def compare(
    recommender: Recommender,
    full: FullModel | None,
    dataset: Dataset,
    *,
    baselines: Mapping[str, TunedBaseline] | None = None,
    users: Users | None = None,
) -> Comparison:
    """All models on the test users of a dataset, and how fair the package's lists are.

    Args:
        recommender: the package.
        full: the full model over the rows of ``dataset``, or None.
        dataset: with test users.
        baselines: see `tuned_baselines`.
        users: groups of users; short and long histories without it.
    """
    test, eligible = dataset.test, dataset.train_items
    facts = facts_of(recommender, dataset)
    ranked = rank_with_package(recommender, test, items=dataset.items, eligible=eligible)
    others = None if full is None else rank_with_full(full, test, eligible=eligible)
    compared = _compared(dataset, facts, ranked, others, baselines or {})
    if not len(compared.package):
        return compared
    shown = [ranked[user] for user in _counted(dataset)]
    return replace(compared, fairness=assess(shown, facts, compared.package["ndcg10"], _groups(dataset, users)))


def _counted(dataset: Dataset) -> list[int]:
    """The test users that have targets: those of `figures`."""
    test = dataset.test
    return [u for u, targets in enumerate(test.targets) if len(targets) + int(test.missing[u])]


def _groups(dataset: Dataset, users: Users | None) -> dict[str, list[str]]:
    """Ways of grouping these users."""
    test, counted = dataset.test, _counted(dataset)
    if users is None:
        return {"history": by_activity([test.history[u] for u in counted])}
    place = {user: row for row, user in enumerate(users.ids)}
    rows = [place.get(test.users[u]) for u in counted]
    return {column: ["" if row is None else names[row] for row in rows] for column, names in users.groups.items()}


def tuned_baselines(dataset: Dataset, *, progress: Progress | None = None) -> dict[str, TunedBaseline]:
    """Every baseline, fitted on the train rows and chosen on the validation users of a dataset.

    Under a split by time popularity that fades is one of them.
    """
    result = {}
    fading = {} if dataset.until is None else {"recent_popularity": recent_popularity(dataset)}
    for name, baseline in (BASELINES | fading).items():
        with (progress or Progress(quiet=True)).stage(f"tuning {name}"):
            result[name] = tune_baseline(
                baseline, dataset.train, validation=dataset.validation, eligible=dataset.train_items
            )
    return result


def _measured(dataset: Dataset, facts: ItemFacts, ranked: Rankings) -> Figures:
    return figures(ranked, dataset.test.targets, missing=dataset.test.missing, facts=facts)


def evaluate(
    package: str | os.PathLike[str],
    interactions: Any,
    *,
    split: Any,
    columns: Mapping[str, str] | None = None,
    full: str | os.PathLike[str] | None = None,
    recs: str | os.PathLike[str] | None = None,
    full_recs: str | os.PathLike[str] | None = None,
    baselines: bool = False,
    rules: Rules | None = None,
    weighting: Weighting | None = None,
    engine: str | None = None,
    overwrite: bool = False,
    quiet: bool = True,
) -> Comparison:
    """Test figures of a package on the split it was built with.

    Args:
        package: a .pocketrec file built with this split.
        interactions: what it was built from: a path, DataFrame or Arrow table.
        split: user, item, part.
        columns: role -> column, as in the build.
        full: the folder that the build kept the full model in.
        recs: where to write user, item, rank (Parquet) of the package's lists, for an independent scorer.
        full_recs: the same for the full model's lists.
        baselines: also tune every one of `baselines.BASELINES` on the validation users, for the same test users.
        rules: as in the build.
        weighting: as in the build; only baselines are fitted with it.
        engine: see `pocketrec.open`.
        overwrite: replace ``recs`` and ``full_recs``.
        quiet: no progress on stderr.

    Raises:
        DataError: the package was built with another split or none, or the data do not match it.
        PackageError: the package cannot be trusted.
        UsageError: ``recs`` or ``full_recs`` exists or cannot be written there, or ``full_recs`` without ``full``.
    """
    if full_recs is not None and full is None:
        raise UsageError("the full model's lists were asked for without the full model")
    for target in (recs, full_recs):
        if target is not None:
            _check_target(Path(target), overwrite)
    progress = Progress(quiet=quiet)
    parts = read_split(split)
    with open_package(package, engine=engine, clock=None) as recommender:
        info = recommender.package.manifest.input
        if info.split_sha256 != parts.sha256:
            built = "without one" if info.split_sha256 is None else f"with split {info.split_sha256[:16]}"
            raise DataError(
                f"{package} was built {built}, this split is {parts.sha256[:16]}; "
                "figures on users a model has seen mean nothing, so build with --split first"
            )
        kind = info.value_kind if info.value_kind in ("rating", "count", "none") else "auto"
        rows = read_interactions(
            interactions, columns=columns, value=kind, positive=info.positive, rules=rules, weighting=weighting
        )
        catalogue = recommender.catalogue
        dataset = make_dataset(rows, parts, catalogue=[catalogue.id(index) for index in range(len(catalogue))])
        model = None if full is None else load_full(full, dataset, parts.sha256)
        facts = facts_of(recommender, dataset)
        test, eligible = dataset.test, dataset.train_items
        with progress.stage(f"ranking for {len(test):,} test users with the package"):
            ranked = rank_with_package(recommender, test, items=dataset.items, eligible=eligible)
        error = rating_error(recommender, rows, dataset)
    full_ranked = None
    if model is not None:
        with progress.stage("and with the full model"):
            full_ranked = rank_with_full(model, test, eligible=eligible)
    if recs is not None:
        write_recs(recs, dataset, ranked)
    if full_recs is not None and full_ranked is not None:
        write_recs(full_recs, dataset, full_ranked)
    tuned = tuned_baselines(dataset, progress=progress) if baselines else {}
    return replace(_compared(dataset, facts, ranked, full_ranked, tuned), rating_error=error)


def _compared(
    dataset: Dataset,
    facts: ItemFacts,
    package: Rankings,
    full: Rankings | None,
    baselines: Mapping[str, TunedBaseline],
) -> Comparison:
    """Ranked lists as figures, with the baselines ranked here."""
    test, eligible = dataset.test, dataset.train_items
    return Comparison(
        _measured(dataset, facts, package),
        None if full is None else _measured(dataset, facts, full),
        {
            name: _measured(dataset, facts, rank_with_scorer(found.scorer, test, eligible=eligible))
            for name, found in baselines.items()
        },
        {name: found.as_dict() for name, found in baselines.items()},
    )


def _check_target(path: Path, overwrite: bool) -> None:
    """Refuse, before any work, a file that could not be written afterwards."""
    if not path.parent.is_dir():
        raise UsageError(f"{path.parent} is not a folder; create it first")
    if path.is_dir() or (path.exists() and not overwrite):
        raise UsageError(f"{path} exists; choose another name or ask to overwrite it")


def save_full(model: FullModel, folder: str | Path, *, items: Sequence[str], split_sha256: str | None) -> None:
    """Keep a full model and what its rows mean; a folder of a previous save is replaced."""
    model.save(folder)
    about = {"split_sha256": split_sha256, "items": list(items)}
    (Path(folder) / CATALOGUE).write_text(json.dumps(about, ensure_ascii=False) + "\n", encoding="utf-8")


def load_full(folder: str | os.PathLike[str], dataset: Dataset, split_sha256: str) -> FullModel:
    """The full model of a folder, if it was built together with the package and on this split.

    Raises:
        DataError: it was not, or the folder is none that ``build --save-full`` wrote.
    """
    try:
        about = json.loads((Path(folder) / CATALOGUE).read_text(encoding="utf-8"))
        ids, built_with = list(about["items"]), about["split_sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder}: expected a folder that build --save-full wrote: {error}") from error
    if built_with != split_sha256:
        raise DataError(f"{folder}: the full model was fitted on another split, {str(built_with)[:16]}")
    if ids != dataset.items:
        raise DataError(f"{folder}: the full model and the package were not built together, their items differ")
    return FullModel.load(Path(folder))
