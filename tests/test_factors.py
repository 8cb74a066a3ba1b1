"""Factors: the whitened fold-in is implicit's own user step, by solve and by conjugate gradients."""

from __future__ import annotations

import numpy as np
import pytest
from implicit.cpu.als import AlternatingLeastSquares
from numpy.typing import NDArray
from pocketrec.errors import DataError
from pocketrec_export import factors
from scipy.sparse import csr_matrix, random
from threadpoolctl import threadpool_limits

ALPHA = 6.0
LAMBDA = 2.0


def interactions(*, users: int = 60, items: int = 40) -> csr_matrix:
    table = random(users, items, density=0.2, format="csr", dtype=np.float32, rng=np.random.default_rng(3))
    table.data[:] = 1
    return csr_matrix(table)


def implicit_model(table: csr_matrix, *, dim: int) -> AlternatingLeastSquares:
    model = AlternatingLeastSquares(
        factors=dim, alpha=ALPHA, regularization=LAMBDA, iterations=5, random_state=0, num_threads=1
    )
    model.fit(table, show_progress=False)
    return model


@pytest.mark.parametrize("weight", [[1.0, 1.0, 1.0], [2.0, 0.5, 1.0], [1.0, -1.0, 3.0], [0.05, 0.01, 0.02]], ids=str)
@pytest.mark.parametrize("steps", [None, 16])
def test_fold_in_scores_as_implicit_does(weight: list[float], steps: int | None) -> None:
    table = interactions()
    index = np.array([3, 17, 30])
    with threadpool_limits(1, user_api="blas"):
        model = implicit_model(table, dim=8)
        row = csr_matrix((np.array(weight, np.float32), ([0, 0, 0], index)), shape=(1, 40))
        expected = model.item_factors @ model.recalculate_user(0, row)
    fitted = factors.fit(table, dim=8, alpha=ALPHA, regularization=LAMBDA, iterations=5)
    user = factors.fold_in(fitted.table, index=index, weight=np.array(weight, np.float32), alpha=ALPHA, steps=steps)
    np.testing.assert_allclose(fitted.table @ user, expected, atol=1e-5)


def test_width_is_padded_with_zero_columns() -> None:
    fitted = factors.fit(interactions(), dim=8, iterations=2)
    assert fitted.table.shape == (40, 64)
    assert fitted.table.dtype == np.float32
    assert not fitted.table[:, 8:].any()


def test_items_without_interactions_are_zero_rows() -> None:
    table = interactions().tolil()
    table[:, 5] = 0
    fitted = factors.fit(csr_matrix(table), dim=8, iterations=3)
    assert not fitted.table[5].any()
    assert fitted.table[[4, 6]].any(axis=1).all()


def test_whitened_gram_is_below_identity() -> None:
    table = factors.fit(interactions(), dim=8, regularization=LAMBDA, iterations=3).table.astype(np.float64)
    assert np.linalg.eigvalsh(table.T @ table).max() <= 1 + 1e-6


def test_same_seed_and_any_thread_count_give_the_same_bytes() -> None:
    first = factors.fit(interactions(), dim=8, seed=7, threads=1).table
    second = factors.fit(interactions(), dim=8, seed=7, threads=2).table
    assert first.tobytes() == second.tobytes()
    assert first.tobytes() != factors.fit(interactions(), dim=8, seed=8).table.tobytes()


def test_empty_history_folds_to_zero() -> None:
    fitted = factors.fit(interactions(), dim=8, iterations=2)
    empty: NDArray[np.int64] = np.zeros(0, np.int64)
    for steps in (None, 5):
        user = factors.fold_in(fitted.table, index=empty, weight=np.zeros(0, np.float32), alpha=6, steps=steps)
        assert user.shape == (64,)
        assert not user.any()


def test_chosen_steps_reach_the_exact_solution() -> None:
    fitted = factors.fit(interactions(), dim=8, alpha=ALPHA)
    table = interactions()
    histories = [table.indices[a:b] for a, b in zip(table.indptr[:-1], table.indptr[1:], strict=True)]
    steps = factors.choose_steps(fitted.table, histories=histories, alpha=ALPHA)
    assert 4 <= steps <= 16
    for index in histories[:10]:
        weight = np.ones(len(index), np.float32)
        exact = factors.fold_in(fitted.table, index=index, weight=weight, alpha=ALPHA)
        short = factors.fold_in(fitted.table, index=index, weight=weight, alpha=ALPHA, steps=steps)
        np.testing.assert_allclose(short, exact, atol=1e-4 * np.abs(exact).max())


def test_steps_stay_within_bounds() -> None:
    fitted = factors.fit(interactions(), dim=8, alpha=ALPHA)
    histories = [np.arange(20)]
    assert factors.choose_steps(fitted.table, histories=[], alpha=ALPHA) == 4
    assert factors.choose_steps(fitted.table, histories=histories, alpha=ALPHA, tolerance=0.0) == 16


def test_no_interactions_is_a_data_error() -> None:
    with pytest.raises(DataError, match="at least one interaction"):
        factors.fit(csr_matrix((3, 4), dtype=np.float32))
