"""Explicit factors: a world of rank one, an objective that never rises, and a fold-in that agrees with training."""

import itertools

import numpy as np
import pandas as pd
import pytest
from pocketrec.errors import DataError
from pocketrec_export.explicit import Ratings, fit
from pocketrec_export.metrics import rmse
from pocketrec_export.rating_stage import fit_ratings, folded, rating_tables, ratings_of
from pocketrec_export.read import read_interactions

USERS, ITEMS = 60, 40


def tastes(*, share=0.5, seed=0, noise=0.0):
    """Half of the users like the first half of the items and loathe the other; the other half the reverse."""
    rng = np.random.default_rng(seed)
    user, item = (index.ravel() for index in np.meshgrid(np.arange(USERS), np.arange(ITEMS), indexing="ij"))
    value = np.where((user % 2 == 0) == (item < ITEMS // 2), 5.0, 1.0) + noise * rng.standard_normal(user.size)
    shown = rng.random(user.size) < share
    everything = Ratings(user, item, value.astype(np.float32), USERS, ITEMS)
    return everything.take(shown), everything.take(~shown)


def noisy(seed=0, rows=1500):
    rng = np.random.default_rng(seed)
    pair = rng.choice(USERS * ITEMS, rows, replace=False)
    user, item = np.divmod(pair, ITEMS)
    low = rng.standard_normal((USERS, 3)), rng.standard_normal((ITEMS, 3))
    value = 3 + 0.5 * (low[0][user] * low[1][item]).sum(axis=1) + 0.4 * rng.standard_normal(rows)
    return Ratings(user, item, np.clip(np.rint(2 * value) / 2, 0.5, 5).astype(np.float32), USERS, ITEMS)


def test_a_world_of_rank_one_is_recovered():
    shown, hidden = tastes()
    model = fit(shown, dim=2, epochs=20)
    assert rmse(model.predict(hidden.user, hidden.item), hidden.value) < 0.05
    # Biases cannot tell: everybody likes half of the items.
    biases = fit(shown, dim=0, epochs=20)
    assert rmse(biases.predict(hidden.user, hidden.item), hidden.value) > 1.9


@pytest.mark.parametrize("dim", [0, 1, 8])
@pytest.mark.parametrize("share", [0.05, 0.5])
def test_the_objective_never_rises(dim, share):
    objectives = [epoch.objective for epoch in fit(noisy(), dim=dim, share=share, epochs=25).curve]
    assert len(objectives) == 25
    assert all(after <= before + 1e-6 for before, after in itertools.pairwise(objectives))
    assert objectives[-1] < objectives[0]


def test_training_stops_by_validation_and_keeps_the_best_epoch():
    rows = noisy()
    half = np.arange(len(rows)) % 2 == 0
    model = fit(rows.take(half), rows.take(~half), dim=16, share=5.0, epochs=50)
    errors = [epoch.validation_rmse for epoch in model.curve]
    assert len(errors) < 50
    held_out = rows.take(~half)
    kept = rmse(model.predict(held_out.user, held_out.item), held_out.value)
    assert kept == pytest.approx(errors[-3], rel=1e-5)
    assert kept <= min(errors) * 1.001


def test_threads_and_repeats_change_nothing():
    rows = noisy()
    one, two, other = fit(rows, dim=4, threads=1), fit(rows, dim=4, threads=3), fit(rows, dim=4, seed=1)
    assert np.array_equal(one.item_vectors, two.item_vectors)
    assert one.curve == two.curve
    assert not np.array_equal(one.item_vectors, other.item_vectors)


def test_the_fold_in_of_a_package_predicts_as_the_trained_users():
    rows = noisy(rows=2000)
    train, test = rows.take(np.arange(2000) % 5 > 0), rows.take(np.arange(2000) % 5 == 0)
    model = fit(train, dim=8, epochs=15)
    tables = rating_tables(model, np.arange(ITEMS), 0.5, 5.0)
    trained = np.clip(model.predict(test.user, test.item), 0.5, 5.0)
    again = folded(tables, train, test)
    assert np.abs(again - trained).max() < 0.25  # int8, and one spread for all items
    assert rmse(again, test.value) == pytest.approx(rmse(trained, test.value), rel=0.02)


@pytest.mark.parametrize(
    ("user", "item", "value"),
    [([0], [0], [3.0]), ([0, 0, 1], [0, 1, 2], [5.0, 5.0, 5.0]), ([2, 2], [0, 3], [1.0, 5.0])],
    ids=["one rating", "one value", "one user"],
)
def test_the_smallest_data_give_finite_ratings(user, item, value):
    rows = Ratings(np.array(user), np.array(item), np.array(value, np.float32), 3, 4)
    model = fit(rows, dim=3, epochs=10)
    everywhere = model.predict(*(index.ravel() for index in np.meshgrid(np.arange(3), np.arange(4))))
    assert np.isfinite(everywhere).all()
    assert everywhere.min() > -5
    assert everywhere.max() < 10


def test_no_rating_is_refused():
    with pytest.raises(DataError, match="at least one rating"):
        fit(noisy().take(np.zeros(1500, np.bool_)))


def frame(rows):
    return pd.DataFrame({"user": [f"u{u:02}" for u in rows.user], "item": [f"i{i:02}" for i in rows.item],
                         "rating": rows.value})  # fmt: skip


def test_what_is_a_rating_is_chosen_from_the_interactions():
    events = read_interactions(frame(noisy()))
    rows = ratings_of(events, None, min_users=1)
    assert rows is not None
    assert (len(rows), rows.users, rows.items) == (1500, USERS, ITEMS)
    few = ratings_of(events, ["u00", "u01"], min_users=1)
    assert few is not None
    assert set(few.user) == {0, 1}
    shared = ratings_of(events, ["u00", "u01"], min_users=2)
    assert shared is not None
    assert (np.bincount(shared.item)[np.unique(shared.item)] == 2).all()
    assert ratings_of(read_interactions(frame(noisy()), value="count"), None, min_users=1) is None
    assert ratings_of(events, ["nobody"], min_users=1) is None


def test_the_stage_chooses_measures_and_keeps_its_curves():
    rows = noisy(rows=2000)
    stage = fit_ratings(rows, [f"i{i}" for i in range(ITEMS)], preset="quick", seed=0, threads=1)
    assert stage.figures is not None
    assert stage.figures["ratings"] == 200
    assert stage.figures["package"] < stage.figures["biases"]
    assert abs(stage.figures["package"] / stage.figures["full"] - 1) < 0.02
    report = stage.as_dict()
    assert [trial["dim"] for trial in report["trials"]] == [16, 32]
    assert stage.settings["dim"] == min(report["trials"], key=lambda trial: trial["validation_rmse"])["dim"]
    assert len(report["curve"]) == stage.settings["epochs"]
    assert all(epoch["train_rmse"] > 0 for epoch in report["curve"])
    # An item that is in the catalogue only is rated as an unrated item, not as another one.
    tables = stage.tables(["i3", "new"])
    assert tables.bias[1] == np.float32(stage.model.new_item_bias)
    assert (tables.value[1] == 128).all()
    assert tables.bias[0] == stage.model.item_bias[3]


def test_too_few_ratings_are_fitted_without_figures():
    stage = fit_ratings(noisy(rows=100), [f"i{i}" for i in range(ITEMS)], preset="quick", seed=0, threads=1)
    assert (stage.figures, stage.trials) == (None, ())
    assert len(stage.model.curve) == 10
