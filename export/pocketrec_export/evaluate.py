"""Ranks for held-out users with the package, through its public interface, and with the full model."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pocketrec.errors import DataError, UsageError
from pocketrec.recommender import Recommender, open_package

from pocketrec_export.atomic import write_whole
from pocketrec_export.dataset import Dataset, Heldout, make_dataset
from pocketrec_export.full_model import FullModel
from pocketrec_export.metrics import DEPTH, UserMetrics, paired_interval, summarize, user_metrics
from pocketrec_export.progress import Progress
from pocketrec_export.read import read_interactions
from pocketrec_export.split_files import read_split

CATALOGUE = "catalogue.json"
"""Beside the tables of a saved full model: the ids of their rows, and the split they were fitted on."""

Rankings = list[NDArray[np.int64]]


def rank_with_package(
    recommender: Recommender, users: Heldout, *, items: Sequence[str], eligible: NDArray[np.bool_]
) -> Rankings:
    """The best `DEPTH` eligible items of each user, as positions in ``items``.

    Args:
        recommender: an open package; its catalogue may be in another order than ``items``.
        users: U users with their histories.
        items: I ids.
        eligible: bool [I], what may be ranked.
    """
    position = {item: index for index, item in enumerate(items)}
    outside = [item for item, ranked in zip(items, eligible, strict=True) if not ranked]
    ranked = []
    for history in users.history:
        results = recommender.recommend([items[i] for i in history.tolist()], k=DEPTH, exclude=outside)
        ranked.append(np.array([position[item.item] for item in results], np.int64))
    return ranked


def rank_with_full(model: FullModel, users: Heldout, *, eligible: NDArray[np.bool_]) -> Rankings:
    """The same with the full model, whose rows are the dataset's."""
    return [
        model.recommend(history, np.ones(len(history), np.float32), k=DEPTH, eligible=eligible)
        for history in users.history
    ]


@dataclass(frozen=True)
class Comparison:
    """Test figures of the package, and of the full model where there is one.

    Attributes:
        package: per-user metrics of the package.
        full: the same of the full model, or None.
    """

    package: UserMetrics
    full: UserMetrics | None

    def as_dict(self) -> dict[str, Any]:
        """Means, ratios and intervals as plain JSON values."""
        report: dict[str, Any] = {"package": summarize(self.package)}
        if self.full is not None and len(self.package):
            report["full"] = summarize(self.full)
            report["ratio"] = {
                key: report["package"][key] / report["full"][key] if report["full"][key] else None
                for key in ("ndcg10", "recall20", "ndcg100")
            }
            mean, low, high = paired_interval(self.package.ndcg10, self.full.ndcg10)
            report["ndcg10_difference"] = {"mean": mean, "ci95": [low, high]}
        return report

    def lines(self) -> list[str]:
        """A table for a terminal."""
        return table_lines(self.as_dict())


def table_lines(report: Mapping[str, Any]) -> list[str]:
    """The table of `Comparison.as_dict`."""
    package = report["package"]
    if not package["users"]:
        return ["no test users: too few users to hold any out"]
    rows = [(name, report[name]) for name in ("full", "package") if name in report]
    lines = [f"{package['users']:,} test users   NDCG@10   Recall@20   NDCG@100"]
    for name, figures in rows:
        label = {"full": "full model", "package": "package"}[name]
        low, high = figures["ndcg10_ci95"]
        lines.append(
            f"  {label:<14}  {figures['ndcg10']:.4f}      {figures['recall20']:.4f}     {figures['ndcg100']:.4f}"
            f"   (95 % of NDCG@10: {low:.4f} to {high:.4f})"
        )
    if "ratio" in report:
        ratio = report["ratio"]
        cells = ["   -  " if ratio[k] is None else f"{ratio[k]:.4f}" for k in ("ndcg10", "recall20", "ndcg100")]
        lines.append(f"  package / full  {cells[0]}      {cells[1]}     {cells[2]}")
    return lines


def compare(recommender: Recommender, full: FullModel | None, dataset: Dataset) -> Comparison:
    """Both models on the test users of a dataset.

    Args:
        recommender: the package.
        full: the full model over the rows of ``dataset``, or None.
        dataset: with test users.
    """
    test, eligible = dataset.test, dataset.train_items
    ranked = rank_with_package(recommender, test, items=dataset.items, eligible=eligible)
    return _compared(dataset, ranked, None if full is None else rank_with_full(full, test, eligible=eligible))


def _compared(dataset: Dataset, package: Rankings, full: Rankings | None) -> Comparison:
    def metrics(ranked: Rankings) -> UserMetrics:
        return user_metrics(ranked, dataset.test.targets, missing=dataset.test.missing)

    return Comparison(metrics(package), None if full is None else metrics(full))


def evaluate(
    package: str | os.PathLike[str],
    interactions: Any,
    *,
    split: Any,
    columns: Mapping[str, str] | None = None,
    full: str | os.PathLike[str] | None = None,
    recs: str | os.PathLike[str] | None = None,
    full_recs: str | os.PathLike[str] | None = None,
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
    with open_package(package, engine=engine) as recommender:
        info = recommender.package.manifest.input
        if info.split_sha256 != parts.sha256:
            built = "without one" if info.split_sha256 is None else f"with split {info.split_sha256[:16]}"
            raise DataError(
                f"{package} was built {built}, this split is {parts.sha256[:16]}; "
                "figures on users a model has seen mean nothing, so build with --split first"
            )
        kind = info.value_kind if info.value_kind in ("rating", "count", "none") else "auto"
        rows = read_interactions(interactions, columns=columns, value=kind, positive=info.positive)
        catalogue = recommender.catalogue
        dataset = make_dataset(rows, parts, catalogue=[catalogue.id(index) for index in range(len(catalogue))])
        model = None if full is None else _load_full(full, dataset, parts.sha256)
        test, eligible = dataset.test, dataset.train_items
        with progress.stage(f"ranking for {len(test):,} test users with the package"):
            ranked = rank_with_package(recommender, test, items=dataset.items, eligible=eligible)
    full_ranked = None
    if model is not None:
        with progress.stage("and with the full model"):
            full_ranked = rank_with_full(model, test, eligible=eligible)
    if recs is not None:
        write_recs(recs, dataset, ranked)
    if full_recs is not None and full_ranked is not None:
        write_recs(full_recs, dataset, full_ranked)
    return _compared(dataset, ranked, full_ranked)


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


def _load_full(folder: str | os.PathLike[str], dataset: Dataset, split_sha256: str) -> FullModel:
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


def write_recs(path: str | os.PathLike[str], dataset: Dataset, ranked: Rankings) -> None:
    """Write user, item, rank (1 is the best) of the test users; the file appears whole or not at all."""
    target = Path(path)
    items = np.array(dataset.items, object)
    lengths = [len(order) for order in ranked]
    table = pa.table(
        {
            "user": pa.array(np.repeat(np.array(dataset.test.users, object), lengths), pa.string()),
            "item": pa.array(items[np.concatenate([*ranked, np.empty(0, np.int64)])], pa.string()),
            "rank": pa.array(np.concatenate([np.arange(1, n + 1) for n in [*lengths, 0]]), pa.int32()),
        }
    )
    write_whole(target, lambda temporary: pq.write_table(table, temporary))
