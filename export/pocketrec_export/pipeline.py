"""The whole export, in order: read, split, encode, fit, blend, distill, quantize, graphs, package, report."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pocketrec.errors import UsageError
from pocketrec.inspection import describe_package
from pocketrec.manifest import BlendTerm
from pocketrec.package import Package
from scipy.sparse import csr_matrix

from pocketrec_export.assemble import Parts, assemble, finish, opened
from pocketrec_export.atomic import whole_folder
from pocketrec_export.dataset import Dataset, make_dataset
from pocketrec_export.evaluate import CATALOGUE, compare
from pocketrec_export.evaluate import save_full as save_model
from pocketrec_export.full_model import FullModel
from pocketrec_export.progress import Progress, Tick
from pocketrec_export.read import Interactions, Items, columns_of, read_interactions, read_items
from pocketrec_export.report import BEFORE_REFIT, ON_SPLIT, BuildReport, interactions_line, split_line
from pocketrec_export.split import make_split
from pocketrec_export.split_files import read_split
from pocketrec_export.student import Student, distill
from pocketrec_export.teacher import Teacher, load_teacher
from pocketrec_export.text_space import project
from pocketrec_export.threads import available_threads, fixed_threads
from pocketrec_export.tune import PRESETS as GRIDS
from pocketrec_export.tune import Tuned, refit, tune
from pocketrec_export.weak import weak_interactions

TEST_SHARE = VALIDATION_SHARE = 0.15
TEXT_ONLY = {"content": BlendTerm(1.0, 1.0)}
"""Blend of a package without interactions: what the user's items say is all there is."""


@dataclass(frozen=True)
class _Texts:
    """Item texts in the teacher's space, rows in the order of ``ids``, and the student of their queries.

    Attributes:
        ids: ids of the items table.
        vectors: float32 [N, E] by the teacher.
        teacher: who encoded them.
        student: the query encoder; its projection leads into the package's text space.
    """

    ids: list[str]
    vectors: NDArray[np.float32]
    teacher: Teacher
    student: Student

    def rows(self, ids: list[str]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Teacher vectors float32 [I, E] and package vectors float32 [I, D]; zeros for items without text."""
        position = {id: row for row, id in enumerate(self.ids)}
        full = np.zeros((len(ids), self.vectors.shape[1]), np.float32)
        known = [(row, position[id]) for row, id in enumerate(ids) if id in position]
        if known:
            to, source = np.array(known).T
            full[to] = self.vectors[source]
        return full, project(full, self.student.projection)


def build(
    interactions: Any = None,
    items: Any = None,
    *,
    out: str | os.PathLike[str],
    name: str | None = None,
    columns: Mapping[str, str] | None = None,
    value: str = "auto",
    positive: str | None = None,
    split: Any = None,
    preset: str = "quick",
    min_users: int = 2,
    teacher: str | None = None,
    seed: int = 0,
    threads: int | None = None,
    text_dim: int = 128,
    vocabulary: int | None = None,
    save_full: str | os.PathLike[str] | None = None,
    cache: str | os.PathLike[str] | None = None,
    data_license: str = "",
    attribution: str = "",
    overwrite: bool = False,
    quiet: bool = False,
) -> BuildReport:
    """Build one package.

    With ``split``, everything is fitted on its train rows and chosen on its validation rows. Without, a split
    of our own gives the test figures; then what was chosen is fitted again on all rows.

    Args:
        interactions: user, item[, value][, timestamp]: a path, DataFrame or Arrow table. None: search only.
        items: item, title[, text][, category]. None: no search.
        out: the package to write.
        name: of the package; by default that of the file.
        columns: role -> column of the files; ``item`` is for both, ``items.item`` for one, see `columns_of`.
        value: what the value column means: auto, rating, count or none.
        positive: which rows count as liked, for example ``"value>=4"``.
        split: user, item, part.
        preset: ``"quick"`` or ``"full"``.
        min_users: two items become neighbours only if so many users chose both (or their texts alone tie them),
            so that nobody's choices can be read from the package.
        teacher: a Sentence-Transformers folder or hub id; None is all-MiniLM-L6-v2 from its package.
        seed: the same inputs, versions, ``threads`` and seed give the same bytes.
        threads: of the numeric libraries; None is what the process may use (see `available_threads`).
        text_dim: width of the package's text vectors, a multiple of 64.
        vocabulary: the most word pieces the student knows; None is the preset's.
        save_full: a folder to keep the full float32 model in.
        cache: a folder to keep the teacher's vectors in.
        data_license: of the data, stored in the package.
        attribution: whom to credit, stored in the package.
        overwrite: replace ``out`` and ``save_full``.
        quiet: no progress and no notes on stderr.

    Raises:
        DataError: the data cannot be used as they are.
        UsageError: arguments that contradict each other, or a file that exists.
    """
    path = Path(out)
    count = available_threads() if threads is None else threads
    _check(interactions, items, split, preset, min_users, seed, count)
    full_folder = None if save_full is None else Path(save_full).resolve()
    _check_targets(path, full_folder, overwrite)
    if cache is not None and Path(cache).exists() and not Path(cache).is_dir():
        raise UsageError(f"{cache} is a file; expected a folder to keep the teacher's vectors in")
    run = _Run(Progress(quiet=quiet), seed=seed, preset=preset, min_users=min_users, threads=count)
    with fixed_threads(count, torch=items is not None):
        events, table, notes = _read(run, interactions, items, dict(columns or {}), value, positive)
        dataset = None if events is None else _dataset(run, events, table, split, notes)
        texts = None if table is None else _encode(run, table, teacher, text_dim, vocabulary, cache)
        if events is not None and dataset is not None:
            fitted = _fit(run, dataset, texts, weak_interactions(events, dataset))
        else:
            assert table is not None  # `_check` has refused neither
            assert texts is not None
            fitted = _text_only(table, texts)

        def parts() -> Parts:
            known = table or Items("", [], [], [], [])
            about = _about(events, dataset if split is not None else None, data_license, attribution, seed)
            title = name or path.name.removesuffix(".pocketrec")
            of = None if texts is None else texts.teacher
            student = None if texts is None else texts.student
            items = known.select(fitted.items)
            return assemble(fitted.stored, items=items, student=student, teacher=of, name=title, about=about)

        comparison = measured_on = None
        if dataset is not None and len(dataset.test):
            with run.stage(f"evaluating on {len(dataset.test):,} test users"), opened(parts()) as recommender:
                comparison = compare(recommender, fitted.full, dataset).as_dict()
                measured_on = BEFORE_REFIT if split is None else ON_SPLIT
        if events is not None and dataset is not None and split is None and len(dataset.validation) + len(dataset.test):
            with run.stage("fitting what was chosen on all rows"):
                dataset = make_dataset(events, None, catalogue=table.ids if table else [])
                fitted = _refit(run, dataset, texts, weak_interactions(events, dataset), fitted)
        fidelity = None if texts is None else texts.student.fidelity
        with run.stage("writing the package"):
            final = finish(parts(), metrics=_metrics(comparison, measured_on, fidelity))
            with nullcontext() if full_folder is None else whole_folder(full_folder) as folder:
                if folder is not None:
                    fitted_on = dataset.split_sha256 if dataset is not None and split is not None else None
                    save_model(fitted.full, folder, items=fitted.items, split_sha256=fitted_on)
                final.write(path, overwrite=overwrite)
    with Package.open(path) as package:
        facts = describe_package(package)
    teacher_bytes = 0 if texts is None else texts.teacher.size_bytes
    return BuildReport(
        path=path,
        facts=facts,
        notes=tuple(notes),
        settings=fitted.settings,
        trials=fitted.trials,
        comparison=comparison,
        measured_on=measured_on,
        student=fidelity,
        full_bytes=fitted.full.size_bytes + teacher_bytes,
        teacher_bytes=teacher_bytes,
        threads=count,
        seconds=run.seconds,
    )


# ------------------------------------------------------------------- stages


class _Run:
    """What every stage needs: progress, the clock, the seed, the preset, the number of threads."""

    def __init__(self, progress: Progress, *, seed: int, preset: str, min_users: int, threads: int) -> None:
        self.progress = progress
        self.seed = seed
        self.preset = preset
        self.min_users = min_users
        self.threads = threads
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, title: str, *, total: int | None = None) -> Iterator[Tick]:
        """A stage of the build, timed."""
        started = time.perf_counter()
        with self.progress.stage(title, total=total) as tick:
            yield tick
        self.seconds[title] = time.perf_counter() - started


@dataclass(frozen=True)
class _Fitted:
    """Two models over the same items.

    Attributes:
        items: I ids, the rows of all tables.
        full: float32, with its own blend.
        stored: what the package stores, still in float32: pruned neighbours, projected texts, its own blend.
        tuned: how they were chosen, None without interactions.
    """

    items: list[str]
    full: FullModel
    stored: FullModel
    tuned: Tuned | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """Chosen settings by signal."""
        return {} if self.tuned is None else dict(self.tuned.settings)

    @property
    def trials(self) -> tuple[dict[str, Any], ...]:
        """Every candidate, without its seconds: they are no part of a result."""
        if self.tuned is None:
            return ()
        return tuple(
            {"signal": trial.signal, "settings": trial.settings, "objective": trial.objective}
            for trial in self.tuned.trials
        )


def _read(
    run: _Run, interactions: Any, items: Any, columns: Mapping[str, str], value: str, positive: str | None
) -> tuple[Interactions | None, Items | None, list[str]]:
    """Both tables, where given, and what was repaired in them; says all of it."""
    with run.stage("reading"):
        of_items, of_interactions = columns_of("items", columns), columns_of("interactions", columns)
        table = None if items is None else read_items(items, columns=of_items)
        events = None
        if interactions is not None:
            events = read_interactions(interactions, columns=of_interactions, value=value, positive=positive)
    notes = [f"{source.name}: {note}" for source in (events, table) if source is not None for note in source.notes]
    for note in notes:
        run.progress.say(f"note: {note}")
    if events is not None:
        run.progress.say(interactions_line(events))
    return events, table, notes


def _encode(
    run: _Run,
    table: Items,
    spec: str | None,
    text_dim: int,
    vocabulary: int | None,
    cache: str | os.PathLike[str] | None,
) -> _Texts:
    with run.stage("loading the teacher"):
        teacher = load_teacher(spec, cache=None if cache is None else Path(cache))
    texts = table.encoder_text()
    with run.stage(f"encoding {len(texts):,} items", total=len(texts)) as tick:
        vectors = teacher.encode(texts, _to_ticks(tick))
    with run.stage("distilling the query encoder", total=100) as tick:
        percent = _to_ticks(tick)
        student = distill(
            teacher,
            texts,
            item_vectors=vectors,
            titles=table.titles,
            dim=min(text_dim, teacher.dim // 64 * 64),
            pieces=vocabulary,
            preset=run.preset,
            seed=run.seed,
            encode_progress=lambda done, total: percent(70 * done // total, 100),
            epoch_progress=lambda epoch, epochs, _: percent(70 + 30 * epoch // epochs, 100),
        )
    return _Texts(table.ids, vectors, teacher, student)


def _to_ticks(tick: Tick) -> Callable[[int, int], None]:
    """``tick(n more)`` as a callback that is told (done, in all)."""
    seen = 0

    def told(done: int, _: int) -> None:
        nonlocal seen
        tick(done - seen)
        seen = done

    return told


def _dataset(run: _Run, events: Interactions, table: Items | None, split: Any, notes: list[str]) -> Dataset:
    """Train rows, and the held-out users of the given split or of one of our own; adds to the notes."""
    if split is not None:
        parts = read_split(split)
    else:
        # Users too short to be held out still teach: nothing compares this split with anybody else's.
        parts = make_split(events, seed=run.seed, test=TEST_SHARE, validation=VALIDATION_SHARE, keep_short=True)
    dataset = make_dataset(events, parts, catalogue=table.ids if table else [])
    run.progress.say(split_line(dataset))
    for note in dataset.notes:
        notes.append(f"split: {note}")
        run.progress.say(f"note: {notes[-1]}")
    return dataset


def _fit(run: _Run, dataset: Dataset, texts: _Texts | None, weak: csr_matrix) -> _Fitted:
    full_text, text = (None, None) if texts is None else texts.rows(dataset.items)
    with run.stage("fitting and choosing on validation users") as tick:
        tuned = tune(
            dataset.train,
            eligible=dataset.train_items,
            validation=dataset.validation,
            text=text,
            full_text=full_text,
            weak=weak,
            min_users=run.min_users,
            grid=GRIDS[run.preset],
            seed=run.seed,
            threads=run.threads,
            progress=lambda _: tick(1),
        )
    return _Fitted(dataset.items, tuned.full, tuned.stored, tuned)


def _refit(run: _Run, dataset: Dataset, texts: _Texts | None, weak: csr_matrix, fitted: _Fitted) -> _Fitted:
    assert fitted.tuned is not None
    full_text, text = (None, None) if texts is None else texts.rows(dataset.items)
    tuned = refit(
        dataset.train,
        fitted.tuned,
        text=text,
        full_text=full_text,
        weak=weak,
        seed=run.seed,
        threads=run.threads,
    )
    return _Fitted(dataset.items, tuned.full, tuned.stored, tuned)


def _text_only(table: Items, texts: _Texts) -> _Fitted:
    full_text, text = texts.rows(table.ids)
    full = FullModel(text=full_text, blend=TEXT_ONLY)
    return _Fitted(table.ids, full, replace(full, text=text))


# ----------------------------------------------------------- small questions


def _check(interactions: Any, items: Any, split: Any, preset: str, min_users: int, seed: int, threads: int) -> None:
    """What can be refused of the arguments before any work is done."""
    if interactions is None and items is None:
        raise UsageError("give interactions, items, or both")
    if split is not None and interactions is None:
        raise UsageError("a split divides interactions; give them too")
    if preset not in GRIDS:
        raise UsageError(f"preset is {preset!r}; expected one of {', '.join(GRIDS)}")
    if min_users < 1:
        raise UsageError(f"min_users is {min_users}; expected 1 or more")
    if not 0 <= seed < 2**32:
        raise UsageError(f"seed is {seed}; expected 0 to 4294967295")
    if threads < 1:
        raise UsageError(f"threads is {threads}; expected 1 or more")


def _check_targets(path: Path, save_full: Path | None, overwrite: bool) -> None:
    """What can be refused of the places to write to: nothing is replaced unasked, and only what a build wrote."""
    for target in filter(None, (path, save_full)):
        if not target.parent.is_dir():
            raise UsageError(f"{target.parent} is not a folder; create it first")
    if save_full is not None and save_full in (path.resolve(), *path.resolve().parents):
        raise UsageError(f"{path} is in {save_full}, which is replaced as a whole; keep the package outside of it")
    if path.is_dir():
        raise UsageError(f"{path} is a folder; expected the name of a file to write the package to")
    for target in filter(None, (path, save_full)):
        if target.exists() and not overwrite:
            raise UsageError(f"{target} exists; choose another name or ask to overwrite it")
    if save_full is None or not save_full.exists():
        return
    if not save_full.is_dir():
        raise UsageError(f"{save_full} is a file; expected a folder to keep the full model in")
    names = os.listdir(save_full)
    if names and not (CATALOGUE in names and all(name.endswith((".npy", ".json")) for name in names)):
        raise UsageError(
            f"{save_full} holds other files than a full model; it would be replaced: choose another folder"
        )


def _about(
    events: Interactions | None, dataset: Dataset | None, data_license: str, attribution: str, seed: int
) -> dict[str, Any]:
    return {
        "input": {
            "value_kind": "none" if events is None else events.value_kind,
            "reason": "no interactions" if events is None else events.value_reason,
            "positive": None if events is None else events.positive,
            "split_sha256": None if dataset is None else dataset.split_sha256,
        },
        "data": {"license": data_license, "attribution": attribution},
        "seed": seed,
    }


def _metrics(
    comparison: Mapping[str, Any] | None, measured_on: str | None, fidelity: Mapping[str, float] | None
) -> dict[str, Any]:
    """What the manifest says of quality: numbers of the build's own data, nothing measured in seconds."""
    metrics: dict[str, Any] = {}
    if comparison is not None:
        metrics = {key: comparison[key] for key in ("package", "full", "ratio") if key in comparison}
        metrics["measured_on"] = measured_on
    if fidelity is not None:
        metrics["student"] = dict(fidelity)
    return metrics
