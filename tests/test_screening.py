"""Neighbours target by target: the dense model where all items are candidates, and the same protection of users."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from pocketrec.errors import DataError
from pocketrec_export import neighbours, screening
from pocketrec_export.learning import Learning
from pocketrec_export.presets import NEIGHBOURS
from pocketrec_export.screening import fit_screened
from pocketrec_export.search import defaults
from scipy.sparse import csr_matrix

ITEMS = 40


def interactions(*, users: int = 100) -> csr_matrix:
    return csr_matrix((np.random.default_rng(5).random((users, ITEMS)) < 0.2).astype(np.float32))


def texts() -> NDArray[np.float32]:
    rows = np.random.default_rng(6).normal(size=(ITEMS, 8))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("min_users", [1, 15])
@pytest.mark.parametrize("text", [None, texts()], ids=["no text", "text"])
def test_with_all_items_as_candidates_it_is_the_dense_model(text: NDArray[np.float32] | None, min_users: int) -> None:
    # Every pair occurs together, so that every item is a candidate; 15 users is what half of the pairs have.
    table = csr_matrix((np.random.default_rng(5).random((100, ITEMS)) < 0.4).astype(np.float32))
    dense = neighbours.fit_dense(table, text=text, min_users=min_users)
    sparse = fit_screened(table, text=text, keep=ITEMS, candidates=ITEMS, min_users=min_users)
    expected = neighbours.prune(dense, keep=ITEMS - 1, refit=True)
    np.testing.assert_allclose(sparse.toarray(), expected.toarray(), atol=1e-5)
    assert (min_users == 1) == (sparse.nnz == ITEMS * (ITEMS - 1))


def test_pruned_it_stays_near_the_dense_model() -> None:
    table = interactions(users=400)
    dense = neighbours.prune(neighbours.fit_dense(table, text=texts()), keep=8, refit=True).toarray()
    sparse = fit_screened(table, text=texts(), keep=8, candidates=20).toarray()
    assert ((sparse != 0).sum(axis=0) <= 8).all()
    both = (dense != 0) & (sparse != 0)
    assert both.sum() > 0.8 * (dense != 0).sum()
    assert np.abs(dense - sparse)[both].max() < 0.05


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fit_screened(interactions(), text=texts(), keep=5)
    monkeypatch.setattr(screening, "_CELLS", 3 * ITEMS)
    blocks = fit_screened(interactions(), text=texts(), keep=5)
    np.testing.assert_allclose(blocks.toarray(), whole.toarray(), atol=1e-6)


def test_items_without_interactions_have_no_neighbours() -> None:
    rows = interactions().toarray()
    rows[:, 7] = 0
    table = fit_screened(csr_matrix(rows), text=texts())
    assert table.shape == (ITEMS, ITEMS)
    assert table[7].nnz == table[:, [7]].nnz == 0
    assert not table.diagonal().any()
    assert table.dtype == np.float32


def test_what_a_single_user_chose_cannot_be_read() -> None:
    # Users share items 0 to 9; the last user also has 10, 11 and 12, which nobody else has, and 13 has one fan more.
    rng = np.random.default_rng(8)
    rows = np.zeros((41, 14), np.float32)
    rows[:, :10] = rng.random((41, 10)) < 0.4
    rows[40, 10:14] = 1
    rows[39, 13] = 1
    text = rng.normal(size=(14, 8)).astype(np.float32)
    told = fit_screened(csr_matrix(rows), text=text, keep=5).toarray()
    assert told[10, 11] > 0.03
    hidden = fit_screened(csr_matrix(rows), text=text, keep=5, min_users=2).toarray()
    together = (rows.T @ rows).astype(int)
    assert not hidden[together == 1].any()
    assert hidden[(together >= 2) & ~np.eye(14, dtype=bool)].any()


def test_a_build_that_screens_protects_users() -> None:
    rows = interactions().toarray()
    rows[0] = 1  # one user with everything
    chosen = {**defaults(NEIGHBOURS), "keep": 20, "candidates": 20}
    table = Learning(csr_matrix(rows), min_users=2).neighbours(chosen).toarray()
    assert table.any()
    assert not table[rows.T @ rows == 1].any()


def test_long_histories_are_cut_and_the_draw_is_seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = interactions().toarray()
    rows[3] = 1
    monkeypatch.setattr(screening, "MAX_PAIRS", int(np.square(rows.sum(axis=1)).sum()) - 1)
    cut = screening._cut(csr_matrix(rows), seed=0).toarray()
    assert cut[3].sum() < ITEMS
    np.testing.assert_array_equal(np.delete(cut, 3, axis=0), np.delete(rows, 3, axis=0))
    np.testing.assert_array_equal(cut, screening._cut(csr_matrix(rows), seed=0).toarray())
    assert fit_screened(csr_matrix(rows), keep=5).nnz


def test_singular_systems_and_no_interactions_are_data_errors() -> None:
    with pytest.raises(DataError, match="larger l2"):
        fit_screened(csr_matrix(np.ones((3, 4), np.float32)), l2=0.0, dropout=0.0)
    with pytest.raises(DataError, match="at least one interaction"):
        fit_screened(csr_matrix((3, 4), dtype=np.float32))
