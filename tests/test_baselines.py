"""Baselines by hand on a world of four users and four items, and one contract for all of them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from pocketrec_export.baselines import BASELINES, Baseline, rank_with_scorer, tune_baseline
from pocketrec_export.dataset import Heldout
from scipy.sparse import csr_matrix

#            items 0  1  2  3
TINY = csr_matrix(
    np.array(
        [
            [1, 1, 0, 0],
            [1, 1, 1, 0],
            [1, 0, 0, 1],
            [0, 0, 1, 1],
        ],
        np.float32,
    )
)


def scores(name: str, history: list[int], **settings: float) -> list[float]:
    return BASELINES[name].fit(TINY, settings)(np.array(history)).tolist()


def test_popularity_counts_users() -> None:
    assert scores("popularity", []) == scores("popularity", [3]) == [3, 2, 2, 2]


def test_item_knn_by_hand() -> None:
    # x_0.x_1 = 2, x_0.x_2 = 1, x_0.x_3 = 1; lengths sqrt 3, 2, 2, 2. Shrink 1 joins the denominator.
    six = 6**0.5
    assert scores("item_knn", [0], k=3, shrink=0) == pytest.approx([0, 2 / six, 1 / six, 1 / six])
    assert scores("item_knn", [0], k=3, shrink=1) == pytest.approx([0, 2 / (six + 1), 1 / (six + 1), 1 / (six + 1)])
    # Item 2 is nearest to 1 and 3 (1/2 each, item 0 is 1/sqrt 6): the one neighbor that it keeps is not item 0.
    assert scores("item_knn", [0], k=1, shrink=0)[2] == 0
    assert scores("item_knn", [0, 3], k=3, shrink=0)[2] == pytest.approx(1 / six + 1 / 2)


def test_user_knn_by_hand() -> None:
    # The history {0, 1} against the four rows: 2/2, 2/sqrt 6, 1/2, 0.
    first, second, third = 2 / 2, 2 / 6**0.5, 1 / 2
    assert scores("user_knn", [0, 1], k=4, shrink=0) == pytest.approx(
        [first + second + third, first + second, second, third]
    )
    assert scores("user_knn", [0, 1], k=2, shrink=0) == pytest.approx([first + second, first + second, second, 0])
    assert scores("user_knn", [0, 1], k=1, shrink=1) == pytest.approx([2 / 3, 2 / 3, 0, 0])


def test_ease_solves_every_items_own_regression() -> None:
    # B's column i minimizes |x_i - X b|^2 + l2 |b|^2 with b_i = 0: solved here one item at a time.
    dense, l2 = TINY.toarray().astype(np.float64), 0.5
    for target in range(4):
        others = [item for item in range(4) if item != target]
        x = dense[:, others]
        column = np.linalg.solve(x.T @ x + l2 * np.eye(3), x.T @ dense[:, target])
        for source, expected in zip(others, column, strict=True):
            assert scores("ease", [source], l2=l2)[target] == pytest.approx(expected, abs=1e-5)


def test_rp3beta_by_hand() -> None:
    # From item 3 to its users 2 and 3 (1/2 each), then to one of their two items (1/2): 1/4 for 0 and 2.
    assert scores("rp3beta", [3], k=4, alpha=1, beta=0) == pytest.approx([1 / 4, 0, 1 / 4, 0])
    # Popularity 3 and 2 to the power 1; transitions squared: (1/2)^2 (1/2)^2.
    assert scores("rp3beta", [3], k=4, alpha=1, beta=1) == pytest.approx([1 / 12, 0, 1 / 8, 0])
    assert scores("rp3beta", [3], k=4, alpha=2, beta=0) == pytest.approx([1 / 16, 0, 1 / 16, 0])
    # The strongest target of item 3 after the penalty is item 2.
    assert scores("rp3beta", [3], k=1, alpha=1, beta=1) == pytest.approx([0, 0, 1 / 8, 0])


def test_als_completes_a_checkerboard() -> None:
    train = checkerboard(users=60)
    scorer = BASELINES["als"].fit(train, {"dim": 8, "alpha": 3, "regularization": 3})
    score = scorer(np.array([0, 2, 4]))
    even, odd = score[6::2], score[7::2]
    assert even.min() > odd.max()


def checkerboard(*, users: int, items: int = 20, seed: int = 1) -> csr_matrix:
    same = np.arange(users)[:, None] % 2 == np.arange(items)[None, :] % 2
    return csr_matrix((np.random.default_rng(seed).random((users, items)) < 0.7 * same).astype(np.float32))


def heldout(*, users: int) -> Heldout:
    rows = checkerboard(users=users, seed=2)
    own = [rows.indices[rows.indptr[u] : rows.indptr[u + 1]] for u in range(users)]
    return Heldout(
        [f"u{u}" for u in range(users)], [r[:-2] for r in own], [r[-2:] for r in own], np.zeros(users, int), 0
    )


@pytest.mark.parametrize("name", BASELINES)
def test_contract(name: str) -> None:
    train, eligible = checkerboard(users=80), np.ones(20, np.bool_)
    eligible[18:] = False
    baseline = BASELINES[name]
    one = Baseline(baseline.fit, {key: values[:2] for key, values in baseline.grid.items()})
    tuned = tune_baseline(one, train, validation=heldout(users=20), eligible=eligible)
    assert tuned.tried == len(one.candidates()) == 2 ** len(one.grid)
    assert tuned.settings in one.candidates()
    for history in ([], [0], [0, 2, 4]):
        score = tuned.scorer(np.array(history, np.int32))
        assert (score.shape, score.dtype) == ((20,), np.float32)
        assert np.isfinite(score).all()
    users = Heldout(["a"], [np.array([0, 2, 4], np.int32)], [np.array([6], np.int32)], np.zeros(1, int), 0)
    ranked = rank_with_scorer(tuned.scorer, users, eligible=eligible)[0]
    assert sorted(ranked.tolist()) == [1, 3, *range(5, 18)]
    if name != "popularity":
        assert set(ranked[:6].tolist()) == {6, 8, 10, 12, 14, 16}


def test_the_best_on_validation_is_chosen() -> None:
    def fit(train: csr_matrix, settings: dict[str, float]):
        def score(history: NDArray[np.integer]) -> NDArray[np.float32]:
            # Only "right" scores the items of the history's own color.
            right = np.arange(20) % 2 == history[0] % 2
            return (right if settings["right"] else ~right).astype(np.float32)

        return score

    trial = Baseline(fit, {"right": (0, 1)})
    train, eligible = checkerboard(users=20), np.ones(20, np.bool_)
    tuned = tune_baseline(trial, train, validation=heldout(users=10), eligible=eligible)
    assert tuned.as_dict()["settings"] == {"right": 1}
    assert 0.3 < (tuned.objective or 0) <= 1
    nobody = tune_baseline(trial, train, validation=heldout(users=0), eligible=eligible)
    assert nobody.as_dict() == {"settings": {"right": 0}, "validation_ndcg10": None, "tried": 1}
