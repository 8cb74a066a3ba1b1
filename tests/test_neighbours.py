"""Neighbours: the closed form against its definition, text, pruning per target."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pocketrec.errors import DataError
from pocketrec_export import neighbours
from scipy.sparse import csr_matrix

ITEMS = 30


def interactions(*, users: int = 80, empty: int | None = None) -> csr_matrix:
    table = (np.random.default_rng(5).random((users, ITEMS)) < 0.2).astype(np.float32)
    if empty is not None:
        table[:, empty] = 0
    return csr_matrix(table)


def texts() -> NDArray[np.float32]:
    rows = np.random.default_rng(6).normal(size=(ITEMS, 8))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def fit(table: csr_matrix, *, keep: int | None = 10, refit: bool = False, **settings: Any) -> csr_matrix:
    return neighbours.prune(neighbours.fit_dense(table, **settings), keep=keep, refit=refit)


def typical(table: csr_matrix) -> float:
    count = np.asarray(table.sum(axis=0)).ravel()
    return float((count**2).sum() / count.sum())


def test_dense_model_is_the_published_closed_form() -> None:
    table = interactions()
    dense = table.toarray().astype(np.float64)
    gram = dense.T @ dense
    gram += 2.0 * typical(table) * np.eye(ITEMS) + 0.5 * np.diag(np.diag(gram))
    inverse = np.linalg.inv(gram)
    expected = -inverse / np.diag(inverse)[None, :]  # B[j, i], source j, target i
    np.fill_diagonal(expected, 0)
    found = fit(table, l2=2.0, dropout=0.5, keep=None).toarray()
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_each_target_is_its_ridge_regression_on_the_others() -> None:
    table = interactions()
    dense = table.toarray().astype(np.float64)
    found = fit(table, l2=1.0, dropout=0.0, keep=None).toarray()
    target = 4
    others = np.delete(np.arange(ITEMS), target)
    left = dense[:, others].T @ dense[:, others] + typical(table) * np.eye(ITEMS - 1)
    expected = np.linalg.solve(left, dense[:, others].T @ dense[:, target])
    np.testing.assert_allclose(found[others, target], expected, atol=1e-6)


def test_text_ties_similar_items_together() -> None:
    table, text = interactions(), texts()
    text[1] = text[0]  # two items with the same text
    without = fit(table, keep=None).toarray()
    with_text = fit(table, text=text, text_weight=1.0, keep=None).toarray()
    assert with_text[0, 1] > without[0, 1]
    assert with_text[1, 0] > without[1, 0]


def test_text_weight_zero_is_no_text() -> None:
    table = interactions()
    without = fit(table)
    assert (fit(table, text=texts(), text_weight=0.0) != without).nnz == 0


def test_pruning_keeps_the_strongest_sources_of_every_target() -> None:
    model = neighbours.fit_dense(interactions())
    dense = neighbours.prune(model, keep=None).toarray()
    pruned = neighbours.prune(model, keep=5).toarray()
    for target in range(ITEMS):
        kept = np.flatnonzero(pruned[:, target])
        assert len(kept) == 5
        np.testing.assert_array_equal(pruned[kept, target], dense[kept, target])
        dropped = np.delete(np.abs(dense[:, target]), kept)
        assert dropped.max() <= np.abs(dense[kept, target]).min()


def test_refit_solves_each_target_on_its_kept_sources() -> None:
    table = interactions()
    model = neighbours.fit_dense(table, l2=1.0, dropout=0.5)
    support = neighbours.prune(model, keep=5).toarray()
    refit = neighbours.prune(model, keep=5, refit=True).toarray()
    dense = table.toarray().astype(np.float64)
    gram = dense.T @ dense
    gram += typical(table) * np.eye(ITEMS) + 0.5 * np.diag(np.diag(gram))
    for target in range(ITEMS):
        kept = np.flatnonzero(support[:, target])
        expected = np.linalg.solve(gram[np.ix_(kept, kept)], gram[kept, target])
        np.testing.assert_allclose(refit[kept, target], expected, atol=1e-5)
        assert np.flatnonzero(refit[:, target]).tolist() == kept.tolist()


@pytest.mark.parametrize("keep", [1, 3, ITEMS - 1, ITEMS, 1000, None])
@pytest.mark.parametrize("refit", [False, True])
def test_diagonal_is_never_stored(keep: int | None, refit: bool) -> None:
    table = fit(interactions(), text=texts(), keep=keep, refit=refit)
    assert not table.diagonal().any()
    assert np.isfinite(table.data).all()
    assert table.dtype == np.float32


def test_items_without_interactions_have_no_neighbours() -> None:
    table = fit(interactions(empty=7), text=texts())
    assert table.shape == (ITEMS, ITEMS)
    assert table[7].nnz == 0
    assert table[:, [7]].nnz == 0


def test_larger_catalogues_keep_the_most_popular_items() -> None:
    table = interactions()
    model = neighbours.fit_dense(table, max_items=10)
    count = np.asarray(table.sum(axis=0)).ravel()
    assert len(model.warm) == 10
    assert count[model.warm].min() >= np.delete(count, model.warm).max()
    assert neighbours.prune(model, keep=5).shape == (ITEMS, ITEMS)


def test_blocked_mirroring_gives_a_full_inverse(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fit(interactions(), keep=None).toarray()
    monkeypatch.setattr(neighbours, "_CHUNK", 7)
    np.testing.assert_allclose(fit(interactions(), keep=None).toarray(), whole, atol=1e-7)


def test_scores_add_up_the_rows_of_the_history() -> None:
    table = fit(interactions(), keep=5)
    index, weight = np.array([2, 9, 4]), np.array([1.0, -2.0, 0.5], np.float32)
    history = np.zeros(ITEMS, np.float32)
    history[index] = weight
    np.testing.assert_allclose(
        neighbours.scores(table, index=index, weight=weight), history @ table.toarray(), atol=1e-6
    )


def test_singular_matrix_is_a_data_error() -> None:
    table = csr_matrix(np.ones((3, 2), np.float32))
    with pytest.raises(DataError, match="larger l2"):
        fit(table, l2=0.0, dropout=0.0)


def test_no_interactions_is_a_data_error() -> None:
    with pytest.raises(DataError, match="at least one interaction"):
        fit(csr_matrix((3, 4), dtype=np.float32))


@pytest.mark.parametrize("refit", [False, True])
def test_what_a_single_user_chose_cannot_be_read_from_the_neighbours(refit: bool) -> None:
    # Users share items 0 to 9; the last user also has 10, 11 and 12, which nobody else has, and 13 has one fan more.
    rng = np.random.default_rng(8)
    rows = np.zeros((41, 14), np.float32)
    rows[:, :10] = rng.random((41, 10)) < 0.4
    rows[40, 10:14] = 1
    rows[39, 13] = 1
    told = fit(csr_matrix(rows), keep=5, refit=refit).toarray()
    assert told[10, 11] > 0.03
    hidden = fit(csr_matrix(rows), keep=5, refit=refit, min_users=2).toarray()
    together = (rows.T @ rows).astype(int)
    assert not hidden[together == 1].any()
    assert hidden[(together >= 2) & ~np.eye(14, dtype=bool)].any()


def test_pairs_that_only_the_texts_tie_together_stay() -> None:
    rows = np.zeros((20, 4), np.float32)
    rows[:10, 0] = rows[10:, 1] = rows[:10, 2] = rows[10:, 3] = 1
    text = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], np.float32)
    found = fit(csr_matrix(rows), keep=None, text=text, text_weight=1.0, min_users=5).toarray()
    assert found[0, 1] > 0
    assert found[2, 3] > 0
