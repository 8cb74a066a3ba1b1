"""The full model, its package form, its files, and the tuning that builds both."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from pocketrec.errors import DataError
from pocketrec.manifest import BlendTerm
from pocketrec_export import dataset, factors, full_model, neighbours, popularity, read, split, tune
from pocketrec_export.dataset import Heldout
from pocketrec_export.full_model import FullModel
from pocketrec_export.heldout import Bench
from pocketrec_export.learning import Learning
from pocketrec_export.presets import NEIGHBOURS, Preset
from pocketrec_export.quantize import sparse_blocks
from pocketrec_export.search import Setting, defaults
from pocketrec_export.weak import weak_interactions
from scipy.sparse import csr_matrix

ITEMS = 40
BLEND = {
    "factors": BlendTerm(1.0, 0.0),
    "neighbours": BlendTerm(2.0, 0.5),
    "content": BlendTerm(0.5, 1.0),
    "popularity": BlendTerm(0.1, 0.0),
}


def taste(*, users: int, seed: int) -> NDArray[np.float32]:
    """A checkerboard with noise: even users like even items, odd users odd items; bool-like [U, I]."""
    random = np.random.default_rng(seed)
    same = np.arange(users)[:, None] % 2 == np.arange(ITEMS)[None, :] % 2
    return (random.random((users, ITEMS)) < np.where(same, 0.5, 0.05)).astype(np.float32)


@pytest.fixture(scope="module")
def train() -> csr_matrix:
    return csr_matrix(taste(users=120, seed=1))


@pytest.fixture(scope="module")
def text() -> NDArray[np.float32]:
    rows = np.random.default_rng(2).normal(size=(ITEMS, 64))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def model(train: csr_matrix, text: NDArray[np.float32]) -> FullModel:
    return FullModel(
        factors=factors.fit(train, dim=8, iterations=5),
        neighbours=neighbours.prune(neighbours.fit_dense(train, text=text), keep=10),
        text=text,
        popularity=popularity.fit(train),
        blend=BLEND,
    )


def heldout(*, users: int) -> Heldout:
    rows = [np.flatnonzero(row).astype(np.int32) for row in taste(users=users, seed=9)]
    return Heldout(
        users=[str(u) for u in range(users)],
        history=[row[:-3] for row in rows],
        targets=[row[-3:] for row in rows],
        missing=np.zeros(users, np.int32),
        dropped=0,
    )


INDEX = np.array([4, 8, 12])
WEIGHT = np.array([1.0, 2.0, -1.0], np.float32)


def test_score_is_the_weighted_sum_of_the_signals(model: FullModel) -> None:
    signals = model.signals(INDEX, WEIGHT)
    assert model.names == ("factors", "neighbours", "content", "popularity")
    assert signals.shape == (4, ITEMS)
    assert signals.dtype == np.float32
    total = 4.0
    expected = signals.T @ np.array([1.0, 2.0 * total**-0.5, 0.5 / total, 0.1])
    np.testing.assert_allclose(model.scores(INDEX, WEIGHT), expected, rtol=1e-5)


def test_checkerboard_recommends_the_own_color(model: FullModel) -> None:
    even = model.recommend(np.array([0, 2, 6, 10]), np.ones(4, np.float32), k=8)
    assert np.mean(even % 2 == 0) >= 0.75


def test_recommendations_are_distinct_eligible_and_sorted(model: FullModel) -> None:
    eligible = np.arange(ITEMS) < 20
    ranked = model.recommend(INDEX, WEIGHT, k=100, eligible=eligible)
    assert len(ranked) == len(set(ranked.tolist())) == 17
    assert not set(ranked.tolist()) & {4, 8, 12}
    assert eligible.sum() == 20  # the caller's mask is not touched
    assert (np.diff(model.scores(INDEX, WEIGHT)[ranked]) <= 0).all()
    assert len(model.recommend(INDEX, WEIGHT, k=0)) == 0


def test_empty_history_is_popularity(model: FullModel) -> None:
    empty: NDArray[np.int64] = np.zeros(0, np.int64)
    ranked = model.recommend(empty, np.zeros(0, np.float32), k=5)
    assert model.popularity is not None
    assert ranked.tolist() == np.argsort(-model.popularity, kind="stable")[:5].tolist()


def test_ties_go_to_the_lower_index() -> None:
    flat = FullModel(popularity=np.ones(6, np.float32), blend={"popularity": BlendTerm(1.0, 0.0)})
    assert flat.recommend(np.array([1]), np.ones(1, np.float32), k=3).tolist() == [0, 2, 3]


def test_long_history_keeps_large_weights_then_recent(monkeypatch: pytest.MonkeyPatch, model: FullModel) -> None:
    monkeypatch.setattr(full_model, "MAX_HISTORY", 3)
    index, weight = np.array([1, 2, 3, 4, 5]), np.array([1, 5, 1, 1, -2], np.float32)
    kept = model.signals(np.array([2, 4, 5]), np.array([5, 1, -2], np.float32))
    np.testing.assert_array_equal(model.signals(index, weight), kept)


def test_weights_are_clipped(model: FullModel) -> None:
    loud, limit = (model.signals(INDEX, np.array([w, 1, 1], np.float32)) for w in (100.0, 8.0))
    np.testing.assert_array_equal(loud, limit)


@pytest.mark.parametrize("absent", ["factors", "neighbours", "text", "popularity"])
def test_any_signal_may_be_absent_and_files_are_read_back(model: FullModel, absent: str, tmp_path: Path) -> None:
    part = dataclasses.replace(model, **{absent: None}, steps=6)
    part.save(tmp_path / "full")
    again = FullModel.load(tmp_path / "full")
    assert again.names == part.names
    assert len(again.names) == 3
    assert again.size_bytes == part.size_bytes
    np.testing.assert_array_equal(again.scores(INDEX, WEIGHT), part.scores(INDEX, WEIGHT))
    assert not list(tmp_path.rglob("*.pkl"))


def test_damaged_folder_is_a_data_error(model: FullModel, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"FullModel\.save"):
        FullModel.load(tmp_path)
    model.save(tmp_path)
    np.save(tmp_path / "popularity.npy", np.zeros(3, np.float32))
    with pytest.raises(DataError, match="rows in every table"):
        FullModel.load(tmp_path)
    np.save(tmp_path / "popularity.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(DataError, match=r"FullModel\.save"):
        FullModel.load(tmp_path)


def test_attributes_and_boost_are_signals_and_come_back_from_files(model: FullModel, tmp_path: Path) -> None:
    table = np.eye(64, dtype=np.float32)[np.arange(ITEMS) % 2]
    boost = np.linspace(-1, 1, ITEMS, dtype=np.float32)
    more = dataclasses.replace(model, attributes=table).boosted(boost)
    assert more.names == ("factors", "neighbours", "content", "attributes", "popularity", "boost")
    assert more.blend["boost"] == BlendTerm(1.0, 0.0)
    assert model.boosted(None) is model
    part = dict(zip(more.names, more.signals(INDEX, WEIGHT), strict=True))
    np.testing.assert_allclose(part["attributes"], table @ (WEIGHT @ table[INDEX]))
    np.testing.assert_array_equal(part["boost"], boost)
    np.testing.assert_array_equal(more.signals(INDEX[:0], WEIGHT[:0])[-1], boost)
    more.save(tmp_path)
    loaded = FullModel.load(tmp_path)
    np.testing.assert_array_equal(loaded.scores(INDEX, WEIGHT), more.scores(INDEX, WEIGHT))
    coded = full_model.package_form(more)
    np.testing.assert_allclose(coded.attributes, table, atol=1e-6)


def test_package_form_differs_by_rounding_only(model: FullModel, text: NDArray[np.float32]) -> None:
    package = full_model.package_form(dataclasses.replace(model, steps=16))
    exact, coded = model.signals(INDEX, WEIGHT), package.signals(INDEX, WEIGHT)
    largest = np.abs(exact).max(axis=1, keepdims=True)
    assert np.abs(exact - coded).max() > 0
    np.testing.assert_allclose(coded / largest, exact / largest, atol=0.05)
    np.testing.assert_array_equal(coded[3], exact[3])


def test_blocks_decode_to_the_table_within_half_a_step(model: FullModel) -> None:
    assert model.neighbours is not None
    blocks = sparse_blocks(model.neighbours)
    error = np.abs(full_model.decode_blocks(blocks).toarray() - model.neighbours.toarray())
    assert (error <= blocks["scale"][:, None] * 0.5001).all()


PRESET = Preset(
    full_dims=(8,),
    factors={
        "dim": Setting((8,)),
        "alpha": Setting((3.0,)),
        "regularization": Setting((1.0, 3.0)),
        "iterations": Setting((3,)),
    },
    neighbours={**NEIGHBOURS, "candidates": Setting((0,)), "l2": Setting((1.0, 3.0)), "keep": Setting((5,))},
)


def tuned_on(train: csr_matrix, validation: Heldout, *, preset: Preset = PRESET, **learning: Any) -> tune.Tuned:
    return tune.tune(Learning(train, **learning), eligible=np.ones(ITEMS, bool), validation=validation, preset=preset)


def test_who_has_no_history_gets_the_popular_even_where_popularity_helps_no_other() -> None:
    # What the neighbours say is right, however softly, and popular items are wrong: they help nobody with a history.
    pairs = np.kron(np.diag(np.logspace(0, -5, ITEMS // 2)), [[0, 1], [1, 0]])
    table = csr_matrix(pairs.astype(np.float32))
    history = [np.array([user], np.int32) for user in range(0, ITEMS, 2)]
    targets = [np.array([user + 1], np.int32) for user in range(0, ITEMS, 2)]
    users = [f"u{user}" for user in range(len(history))]
    held = Heldout(users, history, targets, np.zeros(len(history), np.int32), 0)
    popular = np.zeros(ITEMS, np.float32)
    popular[4], popular[9] = 0.4, 0.9
    bench = Bench(held, eligible=np.ones(ITEMS, bool), train=csr_matrix((1, ITEMS)))
    model, fit = bench.blended(FullModel(neighbours=table, popularity=popular))
    assert fit.blend["popularity"].weight == 0
    assert model.recommend(np.array([], np.int64), np.array([], np.float32), k=2).tolist() == [9, 4]
    for asked, wanted in list(zip(history, targets, strict=True))[:8]:  # softer ones are as good as equal
        assert model.recommend(asked, np.ones(1, np.float32), k=1).tolist() == wanted.tolist()


def test_tuning_ranks_better_than_popularity(train: csr_matrix, text: NDArray[np.float32]) -> None:
    lines: list[str] = []
    held = heldout(users=60)
    tuned = tune.tune(
        Learning(train, text=text, full_text=text),
        eligible=np.ones(ITEMS, bool),
        validation=held,
        preset=PRESET,
        progress=lines.append,
    )
    bench = Bench(held, eligible=np.ones(ITEMS, bool), train=train)
    plain = bench.objective(FullModel(popularity=popularity.fit(train)))
    assert plain is not None
    for model in (tuned.full, full_model.package_form(tuned.stored)):
        blended = bench.blended(model)[1].objective
        assert blended is not None
        assert blended > plain + 0.1
    assert len(lines) == len(tuned.trials) == 2 + 2 + 1
    assert tuned.settings["neighbours"]["keep"] == 5
    assert tuned.stored.steps == tuned.settings["factors"]["steps"]


def test_attributes_that_tell_what_is_liked_get_weight_and_others_leave(train: csr_matrix) -> None:
    telling = np.eye(64, dtype=np.float32)[np.arange(ITEMS) % 2]
    idle = np.zeros((ITEMS, 64), np.float32)
    idle[:, 0] = 1
    held = heldout(users=60)
    for table, expected in ((telling, True), (idle, False)):
        tuned = tune.tune(
            Learning(train, attributes=table),
            eligible=np.ones(ITEMS, bool),
            validation=held,
            signals=("attributes", "popularity"),
            preset=PRESET,
        )
        assert (tuned.stored.blend["attributes"].weight > 0) == expected
        again = tune.refit(Learning(train, attributes=table), tuned)
        np.testing.assert_array_equal(again.stored.scores(INDEX, WEIGHT), tuned.stored.scores(INDEX, WEIGHT))


def test_tuning_is_repeatable(train: csr_matrix, text: NDArray[np.float32]) -> None:
    first, second = (tuned_on(train, heldout(users=30), text=text) for _ in range(2))
    assert first.settings == second.settings
    assert first.stored.blend == second.stored.blend
    assert (first.stored.neighbours != second.stored.neighbours).nnz == 0


def test_without_validation_and_text_the_first_settings_and_default_blend(train: csr_matrix) -> None:
    tuned = tuned_on(train, heldout(users=0))
    assert tuned.stored.names == ("factors", "neighbours", "popularity")
    assert tuned.settings["factors"]["regularization"] == 1.0
    assert all(term.weight > 0 for term in tuned.stored.blend.values())
    assert len(tuned.trials) == 3


@pytest.mark.parametrize("signals", [("factors",), ("neighbours", "popularity"), ("content", "popularity")])
def test_signals_that_are_switched_off_take_no_part(
    train: csr_matrix, text: NDArray[np.float32], signals: tuple[str, ...]
) -> None:
    tuned = tune.tune(
        Learning(train, text=text, full_text=text),
        eligible=np.ones(ITEMS, bool),
        validation=heldout(users=30),
        signals=signals,
        preset=PRESET,
    )
    assert tuned.full.names == signals
    assert {name for name, term in tuned.stored.blend.items() if term.weight} <= set(signals)
    assert tuned.stored.text is text  # search and similar items still have it
    assert {trial.signal for trial in tuned.trials} == set(signals) & {"factors", "neighbours", "popularity"}
    again = tune.refit(Learning(train, text=text, full_text=text), tuned)
    np.testing.assert_array_equal(again.stored.scores(INDEX, WEIGHT), tuned.stored.scores(INDEX, WEIGHT))


def test_refit_repeats_the_chosen_settings(train: csr_matrix, text: NDArray[np.float32]) -> None:
    tuned = tuned_on(train, heldout(users=30), text=text, full_text=text)
    again = tune.refit(Learning(train, text=text, full_text=text), tuned)
    for model, fitted in ((again.stored, tuned.stored), (again.full, tuned.full)):
        np.testing.assert_array_equal(model.scores(INDEX, WEIGHT), fitted.scores(INDEX, WEIGHT))


def test_weak_interactions_reach_the_neighbours_only(train: csr_matrix) -> None:
    weak = csr_matrix(np.roll(train.toarray(), 1, axis=1) * (1 - train.toarray()))
    preset = dataclasses.replace(PRESET, neighbours={**PRESET.neighbours, "weak_weight": Setting((0.5,))})
    tuned = tuned_on(train, heldout(users=30), weak=weak, preset=preset)
    without = tuned_on(train, heldout(users=30), preset=preset)
    assert tuned.settings["factors"] == without.settings["factors"]
    assert tuned.settings["neighbours"]["weak_weight"] == 0.5
    assert without.settings["neighbours"]["weak_weight"] == 0.0
    again = tune.refit(Learning(train, weak=weak), tuned)
    np.testing.assert_array_equal(again.stored.scores(INDEX, WEIGHT), tuned.stored.scores(INDEX, WEIGHT))


def test_disliked_items_gain_no_neighbours_from_weak_interactions(train: csr_matrix) -> None:
    liked, weak = train.toarray(), np.zeros(train.shape, np.float32)
    liked[:, 7] = 0
    weak[:60, 7] = 1
    table = Learning(csr_matrix(liked), weak=csr_matrix(weak)).neighbours(defaults(NEIGHBOURS))
    assert table[:, [7]].nnz == table[[7]].nnz == 0


@pytest.mark.parametrize("dense", [True, False])
def test_larger_catalogues_are_tuned_on_their_popular_part_and_fitted_whole(
    train: csr_matrix, monkeypatch: pytest.MonkeyPatch, dense: bool
) -> None:
    monkeypatch.setattr(tune, "TUNE_ITEMS", 20)
    if not dense:
        monkeypatch.setattr(neighbours, "MAX_ITEMS", 20)
    tuned = tuned_on(train, heldout(users=30))
    assert tuned.stored.neighbours is not None
    assert len(np.unique(tuned.stored.neighbours.indices)) == ITEMS
    assert (tuned.settings["neighbours"]["candidates"] == 0) is dense


def test_weak_interactions_are_those_of_train_users_that_are_not_positive() -> None:
    rows = [(f"u{u}", f"i{i}", float((u * 7 + i * 3) % 5 + 1)) for u in range(40) for i in range(12)]
    frame = pd.DataFrame(rows, columns=["user", "item", "value"])
    interactions = read.read_interactions(frame, positive="value>=4")
    fold = dataset.make_dataset(interactions, split.make_split(interactions, seed=0, min_positives=2))
    weak = weak_interactions(interactions, fold)
    assert len(fold.validation) > 0
    value = {(user, item): v for user, item, v in rows}
    expected = [[float(value[u, i] < 4) for i in fold.items] for u in fold.users]
    np.testing.assert_array_equal(weak.toarray(), expected)


def test_popularity_fades_only_where_that_is_clearly_better() -> None:
    """Ten users liked the old items 1,000 days ago, eight the new ones today: who is asked decides."""
    rows = np.array([[1, 1, 0, 0]] * 10 + [[0, 0, 1, 1]] * 8, np.float32)
    liked = csr_matrix(rows)
    days = csr_matrix(
        (np.where(liked.indices < 2, 1000, 0).astype(np.float32), liked.indices, liked.indptr), liked.shape
    )
    for wanted, expected in ((3, True), (1, False)):
        held = Heldout(
            users=["a", "b"],
            history=[np.array([wanted - 1], np.int32)] * 2,
            targets=[np.array([wanted], np.int32)] * 2,
            missing=np.zeros(2, np.int32),
            dropped=0,
        )
        tuned = tune.tune(
            Learning(liked, age=days),
            eligible=np.ones(4, bool),
            validation=held,
            signals=("popularity",),
            preset=PRESET,
        )
        assert (tuned.settings["popularity"]["half_life"] > 0) == expected
        assert (tuned.stored.popularity[3] > tuned.stored.popularity[1]) == expected


def test_neighbours_see_attributes_beside_texts(train: csr_matrix, text: NDArray[np.float32]) -> None:
    table = np.eye(64, dtype=np.float32)[np.arange(ITEMS) % 2]
    learning = Learning(train, text=text, attributes=table)
    sides = learning.sides(4.0)
    assert sides is not None
    np.testing.assert_allclose(sides @ sides.T, text @ text.T + 4 * table @ table.T, atol=1e-5)
    assert learning.sides(0.0) is text
    settings = {**defaults(NEIGHBOURS), "keep": 10}
    plain, seen = (learning.neighbours({**settings, "attribute_weight": weight}) for weight in (0.0, 4.0))
    same = (np.arange(ITEMS)[:, None] + np.arange(ITEMS)) % 2 == 0

    def inside(found: csr_matrix) -> float:
        return float(found.toarray()[same].sum())

    assert inside(seen) > inside(plain)
    for attributes, expected in ((table, (0.0, 1.0)), (None, (0.0,))):
        tuned = tuned_on(train, heldout(users=60), text=text, full_text=text, attributes=attributes)
        tried = {trial.settings["attribute_weight"] for trial in tuned.trials if trial.signal == "neighbours"}
        assert tried == set(expected)
