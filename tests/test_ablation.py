"""Signals that no package holds, by hand; and the table of what each signal is worth."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import NDArray
from pocketrec_export import ablation, factor_neighbourhood, factors, user_neighbours
from pocketrec_export.dataset import Dataset, Heldout
from pocketrec_export.full_model import package_form
from pocketrec_export.learning import Learning
from pocketrec_export.presets import NEIGHBOURS, Preset
from pocketrec_export.search import Setting
from pocketrec_export.tune import tune
from scipy.sparse import csr_matrix

# Three items of the plane: i0 along x, i1 along y, i2 between them.
TABLE = np.array([[2, 0], [0, 1], [3, 3]], np.float32)
HISTORY, WEIGHT = np.array([0, 1]), np.array([1.0, 2.0], np.float32)
HALF = np.sqrt(0.5)


def test_the_factor_rule_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    # The user's vector is (3, 4): cos(u, v_0) = 0.6 and cos(u, v_1) = 0.8, with weights 1 and 2.
    monkeypatch.setattr(factors, "fold_in", lambda *_, **__: np.array([3, 4], np.float32))
    # Items 0 and 1 are similar to nothing but themselves; item 2 to both.
    both = factor_neighbourhood.scores(TABLE, index=HISTORY, weight=WEIGHT, alpha=1)
    np.testing.assert_allclose(both, [0.6, 2 * 0.8, 0.6 + 2 * 0.8], rtol=1e-6)
    bias = np.array([0.5, 0, 0], np.float32)
    with_bias = factor_neighbourhood.scores(TABLE, index=HISTORY, weight=WEIGHT, alpha=1, bias=bias)
    np.testing.assert_allclose(with_bias, [1.1, 1.6, 2.2], rtol=1e-6)


def test_the_cosine_form_by_hand() -> None:
    scores = factor_neighbourhood.scores(TABLE, index=HISTORY, weight=WEIGHT, alpha=1, cosine=True)
    np.testing.assert_allclose(scores, [1, 2, HALF + 2 * HALF], rtol=1e-6)


def test_only_the_nearest_and_never_the_opposite_join_the_sum() -> None:
    table = np.array([[1, 0], [0.6, 0.8], [-1, 0.1], [1, 0.1]], np.float32)
    one = factor_neighbourhood.scores(
        table, index=np.array([0, 1, 2]), weight=np.ones(3, np.float32), alpha=1, cosine=True, nearest=1
    )
    near = 1 / np.sqrt(1.01)  # item 3 to item 0, which is nearer than item 1
    np.testing.assert_allclose(one[3], near, rtol=1e-6)
    every = factor_neighbourhood.scores(
        table, index=np.array([0, 1, 2]), weight=np.ones(3, np.float32), alpha=1, cosine=True, nearest=3
    )
    np.testing.assert_allclose(every[3], near + (0.6 + 0.08) * near, rtol=1e-6)


def test_no_history_is_the_bias() -> None:
    none = {"index": np.zeros(0, np.int64), "weight": np.zeros(0, np.float32), "alpha": 1.0}
    assert factor_neighbourhood.scores(TABLE, **none).tolist() == [0, 0, 0]
    bias = np.arange(3, dtype=np.float32)
    assert factor_neighbourhood.scores(TABLE, bias=bias, **none).tolist() == [0, 1, 2]


def test_user_neighbours_by_hand() -> None:
    train = csr_matrix(np.array([[1, 1, 1, 0], [0, 1, 0, 1], [0, 0, 0, 1]], np.float32))
    history = {"index": np.array([0, 1]), "weight": np.ones(2, np.float32)}
    near, far = 2 / np.sqrt(3 * 2), 1 / np.sqrt(2 * 2)
    scores = user_neighbours.scores(train, **history)
    np.testing.assert_allclose(scores, [near, near + far, near, far], rtol=1e-6)
    only = user_neighbours.scores(train, nearest=1, **history)
    np.testing.assert_allclose(only, [near, near, near, 0], rtol=1e-6)
    assert not user_neighbours.scores(train, index=np.zeros(0, int), weight=np.zeros(0, np.float32)).any()


ITEMS = 40


def taste(*, users: int, seed: int) -> NDArray[np.float32]:
    random = np.random.default_rng(seed)
    same = np.arange(users)[:, None] % 2 == np.arange(ITEMS)[None, :] % 2
    return (random.random((users, ITEMS)) < np.where(same, 0.5, 0.05)).astype(np.float32)


def heldout(*, users: int, seed: int) -> Heldout:
    rows = [np.flatnonzero(row).astype(np.int32) for row in taste(users=users, seed=seed)]
    return Heldout(
        users=[str(u) for u in range(users)],
        history=[row[:-3] for row in rows],
        targets=[row[-3:] for row in rows],
        missing=np.zeros(users, np.int32),
        dropped=0,
    )


def world(*, validation: int, test: int) -> tuple[Learning, Dataset]:
    train = csr_matrix(taste(users=120, seed=1))
    held = heldout(users=validation, seed=2), heldout(users=test, seed=3)
    ids = [str(i) for i in range(ITEMS)]
    users = [str(u) for u in range(120)]
    return Learning(train), Dataset(ids, users, train, np.ones(ITEMS, bool), *held, split_sha256=None)


PRESET = Preset(
    full_dims=(8,),
    factors={
        name: Setting((value,))
        for name, value in {"dim": 8, "alpha": 3.0, "regularization": 1.0, "iterations": 3}.items()
    },
    neighbours={**NEIGHBOURS, "candidates": Setting((0,)), "l2": Setting((1.0,)), "keep": Setting((5,))},
)


def table(*, validation: int = 60, test: int = 30) -> list[ablation.Row]:
    learning, dataset = world(validation=validation, test=test)
    tuned = tune(learning, eligible=dataset.train_items, validation=dataset.validation, preset=PRESET)
    return ablation.ablation(package_form(tuned.stored), learning, dataset)


def test_every_signal_has_a_row_and_the_blend_is_at_least_the_best_of_them() -> None:
    rows = table()
    assert [row["signal"] for row in rows] == [
        "blend", "factors", "neighbours", "popularity", "users", "factor rule", "factor rule, cosine",
    ]  # fmt: skip
    objective = {row["signal"]: row["alone"]["validation"] for row in rows[1:]}
    whole = rows[0]["blend"]["validation"]
    packaged = [row["signal"] for row in rows[1:] if row["packaged"]]
    assert packaged
    for name in packaged:
        assert whole["ndcg10"] + whole["ndcg100"] >= objective[name]["ndcg10"] + objective[name]["ndcg100"] - 1e-3
    assert not {"users", "factor rule", "factor rule, cosine"} & set(packaged)
    assert objective["popularity"]["ndcg10"] < objective["neighbours"]["ndcg10"]
    assert all(
        0 <= value <= 1 for row in rows for figures in row.get("blend", {}).values() for value in figures.values()
    )


def test_it_is_plain_json_and_the_report_names_what_is_left_out() -> None:
    report = ablation.as_report(table())
    assert report is not None
    assert json.loads(json.dumps(report)) == report
    names = [bar["name"] for bar in report["rows"]]
    assert names[0] == "blend"
    assert {"users alone", "blend with users", "neighbours alone"} <= set(names)
    assert "users" in report["line"]


def test_without_test_users_only_validation_and_without_both_nothing() -> None:
    rows = table(test=0)
    assert set(rows[0]["blend"]) == {"validation"}
    report = ablation.as_report(rows)
    assert report is not None
    assert report["rows"][0]["test"] is None
    assert table(validation=0) == []
    assert ablation.as_report([]) is None
