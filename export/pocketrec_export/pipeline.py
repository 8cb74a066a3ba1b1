"""The whole export, in order: read, split, encode, fit, blend, ratings, distill, quantize, graphs, package, report."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pocketrec.errors import UsageError
from pocketrec.inspection import describe_package
from pocketrec.manifest import BlendTerm
from pocketrec.opening import open_package

from pocketrec_export.ablation import ablation, as_report
from pocketrec_export.assemble import Parts, assemble, finish, opened
from pocketrec_export.atomic import whole_folder
from pocketrec_export.attribute_vectors import attribute_vectors
from pocketrec_export.budget import check_size, fit, parse_share, parse_size
from pocketrec_export.cold import ColdSettings
from pocketrec_export.cold_device import Placement
from pocketrec_export.cold_stage import Estimated, estimate_cold
from pocketrec_export.dataset import Dataset, make_dataset
from pocketrec_export.evaluate import compare, tuned_baselines
from pocketrec_export.evaluate import save_full as save_model
from pocketrec_export.full_model import FullModel, package_form
from pocketrec_export.fusion import fused
from pocketrec_export.learning import Learning
from pocketrec_export.page.answers import sample_answers
from pocketrec_export.presets import PRESETS, SIGNALS, Preset
from pocketrec_export.progress import Progress, Run
from pocketrec_export.rating_stage import RatingFit, fit_ratings, ratings_of
from pocketrec_export.read import TABLES, Interactions, Items, columns_of, read_interactions, read_items
from pocketrec_export.report import (
    BEFORE_REFIT,
    ON_SPLIT,
    BuildReport,
    cleaning_rows,
    interactions_line,
    long_tail,
    loss_curves,
    split_line,
)
from pocketrec_export.requests import check_arguments, check_targets
from pocketrec_export.reviews import review_words, with_review_words
from pocketrec_export.rules import Rules
from pocketrec_export.split import make_split
from pocketrec_export.split_files import read_split
from pocketrec_export.strength import Weighting
from pocketrec_export.student import Student
from pocketrec_export.targets import check_formats
from pocketrec_export.texts import Texts, encode_texts
from pocketrec_export.threads import available_threads, fixed_threads
from pocketrec_export.tiers import MAX_LOSS, measure
from pocketrec_export.tracking import FOLDER as RUNS
from pocketrec_export.tracking import check_tracker
from pocketrec_export.tracking import track as mirror
from pocketrec_export.tune import Tuned, refit, tune
from pocketrec_export.users import Users, read_users
from pocketrec_export.weak import weak_interactions

TEST_SHARE = VALIDATION_SHARE = 0.15
TEXT_ONLY = {"content": BlendTerm(1.0, 1.0), "attributes": BlendTerm(0.3, 1.0)}
"""Blend of a package without interactions: what the user's items say is all there is. Judgment, not fitted."""


def build(
    interactions: Any = None,
    items: Any = None,
    *,
    out: str | os.PathLike[str],
    name: str | None = None,
    columns: Mapping[str, str] | None = None,
    value: str = "auto",
    positive: str | None = None,
    users: Any = None,
    rules: Rules | None = None,
    weighting: Weighting | None = None,
    attributes: Sequence[str] | None = None,
    reviews: bool = False,
    split: Any = None,
    signals: Sequence[str] | None = None,
    preset: str = "quick",
    trials: int | None = None,
    min_users: int = 2,
    predict: bool = True,
    teacher: str | None = None,
    seed: int = 0,
    threads: int | None = None,
    text_dim: int = 128,
    vocabulary: int | None = None,
    max_size: str | int | None = None,
    max_loss: str | float = MAX_LOSS,
    targets: Sequence[str] = ("onnx",),
    save_full: str | os.PathLike[str] | None = None,
    report: str | os.PathLike[str] | None = None,
    baselines: bool = False,
    track: str | None = None,
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
        interactions: user, item[, value][, timestamp][, event][, dwell]: a path, DataFrame or Arrow table.
            None: search only.
        items: item, title[, text][, category][, published][, expires][, boost] and attributes. None: no search.
        out: the package to write.
        name: of the package; by default that of the file.
        columns: role -> column of the files; ``item`` is for both, ``items.item`` for one, see `columns_of`.
        value: what the value column means: auto, rating, count or none.
        positive: which rows count as liked, for example ``"value>=4"``.
        users: user and groups: read and checked, for reports only; nothing of them is stored.
        rules: what is removed from the data or repaired, see `rules.Rules`.
        weighting: what event types, time spent, repeats and age are worth, see `strength.Weighting`.
        attributes: which other columns of ``items`` become typed attributes; by default all but free text.
        reviews: read the interactions' review column and add words to the items' texts, those that at least
            ``min_users`` train users (2 or more) wrote about an item.
        split: user, item, part.
        signals: what may take part in a recommendation, of `presets.SIGNALS` (all by default); validation users
            decide which of them do, and how much.
        preset: ``"quick"`` or ``"full"``.
        trials: settings tried for each signal, see `search`; None is the preset's budget.
        min_users: two items become neighbours only if so many users chose both (or their texts alone tie them),
            so that nobody's choices can be read from the package; nor do fewer users' ratings of an item count.
        predict: where the values are ratings, let the package predict them.
        teacher: a Sentence-Transformers folder or hub id; None is all-MiniLM-L6-v2 from its package.
        seed: the same inputs, versions, ``threads`` and seed give the same bytes.
        threads: of the numeric libraries; None is what the process may use (see `available_threads`).
        text_dim: width of the package's text vectors, a multiple of 64.
        vocabulary: the most word pieces the student knows; None is the preset's.
        max_size: of the package, in bytes or as ``"6MB"``; the report says what gave, see `budget.RUNGS`.
        max_loss: of the search's NDCG@10 on held-out queries that storing the query encoder in fewer bits may cost, as
            ``"1%"`` or 0.01: of its `tiers` the smallest within ships.
        targets: formats of graphs, ``"onnx"`` and ``"tflite"``.
        save_full: a folder to keep the full float32 model in.
        report: a folder to write the report to: ``index.html``, one page that needs nothing else, and ``report.json``.
        cache: a folder to keep the teacher's vectors, the student and the results of the search for settings in: a
            build that was cut off goes on where it was, and the next one is quick.
        baselines: tune simple models too, on the same validation users, and show them beside the package's figures.
        track: ``"tensorboard"`` or ``"wandb"``: mirror the figures there, into ``runs/NAME`` beside the package.
        data_license: of the data, stored in the package.
        attribution: whom to credit, stored in the package.
        overwrite: replace ``out``, ``save_full`` and ``report``.
        quiet: no progress and no notes on stderr.

    Raises:
        DataError: the data cannot be used as they are.
        UsageError: arguments that contradict each other, or a file that exists.
    """
    path = Path(out)
    count = available_threads() if threads is None else threads
    check_arguments(interactions, items, split, preset, trials, min_users, seed, count, signals or SIGNALS)
    full_folder = None if save_full is None else Path(save_full).resolve()
    page = None if report is None else Path(report).resolve()
    check_tracker(track)
    max_bytes, allowed = parse_size(max_size), parse_share(max_loss)
    gave, shipped = "", None
    check_formats(targets)
    check_targets(path, overwrite, save_full=full_folder, report=page)
    if cache is not None and Path(cache).exists() and not Path(cache).is_dir():
        raise UsageError(f"{cache} is a file; expected a folder to keep results of stages in")
    if reviews and (interactions is None or items is None):
        raise UsageError("reviews add words of interactions to the texts of items; give both tables")
    run = Run(Progress(quiet=quiet), seed=seed, preset=preset, min_users=min_users, threads=count, cache=cache)
    with fixed_threads(count, torch=items is not None):
        tables = {"interactions": interactions, "items": items, "users": users}
        events, table, groups, notes = _read(
            run, tables, columns or {}, attributes, value, positive, rules, weighting, reviews
        )
        dataset = None if events is None else _dataset(run, events, table, split, notes)
        if reviews and events is not None and dataset is not None and table is not None:
            table = with_review_words(table, review_words(events, min_users=min_users, users=dataset.users))
        said = tuple(line for line in (events and interactions_line(events), dataset and split_line(dataset)) if line)
        tail = () if dataset is None else long_tail(dataset.train)
        texts = (
            None if table is None else encode_texts(run, table, teacher, text_dim, vocabulary, cache, max_loss=allowed)
        )
        if events is not None and dataset is not None:
            budget = PRESETS[preset] if trials is None else replace(PRESETS[preset], trials=trials)
            learning = _learning(run, events, dataset, table, texts)
            fitted = _fit(run, dataset, learning, budget, signals or SIGNALS, None if cache is None else Path(cache))
            fitted = fitted.with_cold(estimate_cold(run, fitted.stored, dataset, texts, table))
        else:
            assert table is not None  # `check_arguments` has refused neither
            assert texts is not None
            fitted = _text_only(table, texts)
        fitted = _boosted(fitted, table)

        rated = None
        if events is not None and dataset is not None and predict:
            rated = _rate(run, events, dataset.users if split is not None else None)

        def known() -> Items:
            return (table or Items("", [], [], [], [])).select(fitted.items)

        def parts() -> Parts:
            nonlocal gave, shipped
            about = _about(events, dataset if split is not None else None, data_license, attribution, seed)
            title = name or path.name.removesuffix(".pocketrec")
            of = None if texts is None else texts.teacher
            items = known()
            tables = None if rated is None else rated.tables(fitted.items)

            def make(student: Student | None) -> Parts:
                return assemble(
                    fitted.stored,
                    items=items,
                    student=student,
                    teacher=of,
                    name=title,
                    about=about,
                    ratings=tables,
                    placement=fitted.placement,
                    targets=targets,
                )

            whole = None if texts is None else texts.student
            within = fit(make, whole, max_bytes=max_bytes, texts=[] if table is None else table.encoder_text())
            gave, shipped = within.gave, within.student
            return within.parts

        comparison = measured_on = None
        if events is not None and dataset is not None and len(dataset.test):
            simple = tuned_baselines(dataset, progress=run.progress) if baselines else {}
            with run.stage(f"evaluating on {len(dataset.test):,} test users"), opened(parts()) as recommender:
                comparison = compare(recommender, fitted.full, dataset, baselines=simple, users=groups).as_dict()
                measured_on = BEFORE_REFIT if split is None else ON_SPLIT
        worth: dict[str, Any] | None = None
        if dataset is not None and len(dataset.validation):
            with run.stage("measuring what each signal is worth"):
                worth = as_report(ablation(package_form(fitted.stored), learning, dataset))
        if events is not None and dataset is not None and split is None and len(dataset.validation) + len(dataset.test):
            with run.stage("fitting what was chosen on all rows"):
                dataset = make_dataset(events, None, catalogue=table.ids if table else [])
                assert fitted.tuned is not None
                tuned = refit(_learning(run, events, dataset, table, texts), fitted.tuned)
                cold = estimate_cold(run, tuned.stored, dataset, texts, table, fitted.cold)
                fitted = _boosted(_Fitted(dataset.items, tuned.full, tuned.stored, tuned).with_cold(cold), table)
        with run.stage("weighing words and meaning on queries from the catalogue"):
            searchable = fused(parts(), known(), seed=seed)
        fidelity = None if texts is None or shipped is None else measure(shipped, texts.vectors)
        with run.stage("writing the package"):
            final = finish(searchable, metrics=_metrics(comparison, measured_on, rated, fidelity))
            check_size(final, max_bytes=max_bytes)
            with nullcontext() if full_folder is None else whole_folder(full_folder) as folder:
                if folder is not None:
                    fitted_on = dataset.split_sha256 if dataset is not None and split is not None else None
                    save_model(fitted.full, folder, items=fitted.items, split_sha256=fitted_on)
                final.write(path, overwrite=overwrite)
    with open_package(path) as recommender:
        facts = describe_package(recommender.package)
        answers = () if page is None else tuple(sample_answers(recommender, seed=seed))
    teacher_bytes = 0 if texts is None else texts.teacher.size_bytes
    result = BuildReport(
        path=path,
        facts=facts,
        notes=tuple(notes),
        gave=gave,
        tiers=() if texts is None else tuple(tier.as_dict() for tier in texts.tiers),
        bits=None if shipped is None else shipped.bits,
        settings=fitted.settings,
        trials=fitted.trials,
        comparison=comparison,
        measured_on=measured_on,
        ratings=None if rated is None else rated.as_dict(),
        student=fidelity,
        full_bytes=fitted.full.size_bytes + teacher_bytes,
        teacher_bytes=teacher_bytes,
        threads=count,
        reused=tuple(run.cache.reused),
        seconds=run.seconds,
        data=said,
        cleaning=cleaning_rows(events, table),
        tail=tail,
        curves=loss_curves(None if texts is None else texts.student.losses, None if rated is None else rated.as_dict()),
        ablation=worth,
        answers=answers,
    )
    if page is not None:
        from pocketrec_export.page.write import write_report  # matplotlib takes half a second to import

        write_report(result, page)
    if track is not None:
        mirror(result.as_dict(), tracker=track, folder=path.parent / RUNS / path.name.removesuffix(".pocketrec"))
    return result


# ------------------------------------------------------------------- stages


@dataclass(frozen=True)
class _Fitted:
    """Two models over the same items.

    Attributes:
        items: I ids, the rows of all tables.
        full: float32, with its own blend.
        stored: what the package stores, still in float32: pruned neighbours, projected texts, its own blend.
        tuned: how they were chosen, None without interactions.
        cold: how items that nobody has chosen are estimated, once that is decided.
        placement: what places new texts among the items, where there are texts.
    """

    items: list[str]
    full: FullModel
    stored: FullModel
    tuned: Tuned | None = None
    cold: ColdSettings | None = None
    placement: Placement | None = None

    def with_cold(self, estimated: Estimated) -> _Fitted:
        """The same with cold items estimated."""
        return replace(self, stored=estimated.model, cold=estimated.settings, placement=estimated.placement)

    @property
    def settings(self) -> dict[str, Any]:
        """Chosen settings by signal."""
        chosen: dict[str, Any] = {} if self.tuned is None else dict(self.tuned.settings)
        return chosen if self.cold is None else chosen | {"cold": asdict(self.cold)}

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
    run: Run,
    sources: Mapping[str, Any],
    columns: Mapping[str, str],
    attributes: Sequence[str] | None,
    value: str,
    positive: str | None,
    rules: Rules | None,
    weighting: Weighting | None,
    reviews: bool,
) -> tuple[Interactions | None, Items | None, Users | None, list[str]]:
    """Interactions, items and users, where given, and what was repaired in all tables; says all of it."""
    with run.stage("reading"):
        mapping = {name: columns_of(name, columns) for name in TABLES}
        table = events = groups = None
        if sources["items"] is not None:
            table = read_items(sources["items"], columns=mapping["items"], attributes=attributes)
        if sources["users"] is not None:
            groups = read_users(sources["users"], columns=mapping["users"])
        if sources["interactions"] is not None:
            events = read_interactions(
                sources["interactions"],
                columns=mapping["interactions"],
                value=value,
                positive=positive,
                rules=rules,
                weighting=weighting,
                catalogue=None if table is None else table.ids,
                reviews=reviews,
            )
    given = [source for source in (events, table, groups) if source is not None]
    notes = [f"{source.name}: {note}" for source in given for note in source.notes]
    for note in notes:
        run.progress.say(f"note: {note}")
    if events is not None:
        run.progress.say(interactions_line(events))
    return events, table, groups, notes


def _dataset(run: Run, events: Interactions, table: Items | None, split: Any, notes: list[str]) -> Dataset:
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


def _fit(
    run: Run, dataset: Dataset, learning: Learning, preset: Preset, signals: Sequence[str], cache: Path | None
) -> _Fitted:
    with run.stage("fitting and choosing on validation users") as tick:
        tuned = tune(
            learning,
            eligible=dataset.train_items,
            validation=dataset.validation,
            signals=signals,
            preset=preset,
            cache=cache,
            progress=lambda _: tick(1),
        )
    return _Fitted(dataset.items, tuned.full, tuned.stored, tuned)


def _learning(run: Run, events: Interactions, dataset: Dataset, table: Items | None, texts: Texts | None) -> Learning:
    full_text, text = (None, None) if texts is None else texts.rows(dataset.items)
    return Learning(
        dataset.train,
        text=text,
        full_text=full_text,
        attributes=None if table is None else attribute_vectors(table.select(dataset.items)),
        weak=weak_interactions(events, dataset),
        age=dataset.age,
        min_users=run.min_users,
        seed=run.seed,
        threads=run.threads,
    )


def _rate(run: Run, events: Interactions, users: list[str] | None) -> RatingFit | None:
    """The model of ratings, from all users or those given; None where the values are no ratings."""
    ratings = ratings_of(events, users, min_users=run.min_users)
    if ratings is None:
        return None
    with run.stage(f"fitting {len(ratings):,} ratings") as tick:
        return fit_ratings(ratings, events.items, preset=run.preset, seed=run.seed, threads=run.threads, progress=tick)


def _text_only(table: Items, texts: Texts) -> _Fitted:
    full_text, text = texts.rows(table.ids)
    attributes = attribute_vectors(table)
    blend = {name: term for name, term in TEXT_ONLY.items() if name == "content" or attributes is not None}
    full = FullModel(text=full_text, attributes=attributes, blend=blend)
    return _Fitted(table.ids, full, replace(full, text=text))


def _boosted(fitted: _Fitted, table: Items | None) -> _Fitted:
    """Both models with the boost of the items table, which is given and not fitted."""
    boost = None if table is None else table.select(fitted.items).boost
    return replace(fitted, full=fitted.full.boosted(boost), stored=fitted.stored.boosted(boost))


# ----------------------------------------------------------- small questions


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
    comparison: Mapping[str, Any] | None,
    measured_on: str | None,
    rated: RatingFit | None,
    fidelity: Mapping[str, float] | None,
) -> dict[str, Any]:
    """What the manifest says of quality: numbers of the build's own data, nothing measured in seconds."""
    metrics: dict[str, Any] = {}
    if comparison is not None:
        metrics = {key: comparison[key] for key in ("package", "full", "ratio") if key in comparison}
        metrics["measured_on"] = measured_on
    if rated is not None and rated.figures is not None:
        metrics["rating_rmse"] = dict(rated.figures)
    if fidelity is not None:
        metrics["student"] = dict(fidelity)
    return metrics
