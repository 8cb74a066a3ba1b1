"""Cold items: estimates against their definition, what stays as it was, and how settings are chosen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pocketrec.manifest import BlendTerm
from pocketrec_export import cold as stage
from pocketrec_export import cold_choice
from pocketrec_export.cold import ColdSettings, Kernel, anchor_rows, cold_rows, with_cold_items
from pocketrec_export.cold_choice import Choice
from pocketrec_export.dataset import Heldout
from pocketrec_export.factors import Factors
from pocketrec_export.full_model import FullModel
from pocketrec_export.text_space import unit_rows
from pocketrec_export.word_vectors import word_vectors
from scipy.sparse import csr_matrix

ITEMS, WARM = 60, 50
SETTINGS = ColdSettings(ridge=2.0, factors=0.5, neighbours=2.0)


@pytest.fixture(scope="module")
def world():
    """Two kinds of items, which texts, factors and neighbours follow. The last ten are cold, the last has no text."""
    rng = np.random.default_rng(0)
    kind = np.arange(ITEMS) % 2
    text = unit_rows(
        (np.eye(2)[kind] @ rng.normal(size=(2, 16)) + 0.3 * rng.normal(size=(ITEMS, 16))).astype(np.float32)
    )
    text[-1] = 0
    words = [f"{('tea', 'novel')[k]} number{i % 7}" for i, k in enumerate(kind)]
    words[-1] = ""
    table = np.zeros((ITEMS, 64), np.float32)
    table[:, :2] = np.eye(2)[kind] * rng.uniform(0.5, 1, (ITEMS, 1))
    near = np.where(kind[:, None] == kind[None, :], rng.uniform(0.1, 1, (ITEMS, ITEMS)), 0).astype(np.float32)
    np.fill_diagonal(near, 0)
    table[WARM:] = near[:, WARM:] = near[WARM:] = 0
    warm = np.arange(ITEMS) < WARM
    model = FullModel(
        factors=Factors(table, 2.0),
        neighbours=csr_matrix(near),
        text=text,
        popularity=warm.astype(np.float32),
        blend={"factors": BlendTerm(1.0, 0.0), "neighbours": BlendTerm(1.0, 0.5), "content": BlendTerm(0.01, 1.0)},
        steps=8,
    )
    return model, Kernel.of(text, words, warm=np.arange(WARM)), kind, warm


def completed(world, settings=SETTINGS):
    model, kernel, _, warm = world
    rows = {"cold": cold_rows(model, warm), "anchors": anchor_rows(model, warm)}
    return with_cold_items(model, kernel, settings=settings, **rows)


def test_estimates_are_the_closed_form_of_kernel_ridge_regression(world):
    model, kernel, _, warm = world
    anchors, cold = np.arange(WARM), np.arange(WARM, ITEMS - 1)
    assert cold_rows(model, warm).tolist() == cold.tolist()
    meaning, words = kernel.meaning.astype(float), kernel.words.toarray().astype(float)
    square = (0.5 + meaning @ meaning.T + words @ words.T) ** 2
    weights = square[np.ix_(cold, anchors)] @ np.linalg.inv(square[np.ix_(anchors, anchors)] + 2.0 * np.eye(WARM))
    found = completed(world)
    table = model.factors.table
    mean = table[anchors].mean(0)
    np.testing.assert_allclose(found.factors.table[cold], 0.5 * (mean + weights @ (table[anchors] - mean)), atol=1e-5)
    columns = 2.0 * model.neighbours[:, anchors].toarray() @ weights.T
    kept = found.neighbours[:, cold].toarray()
    for column, exact in zip(kept.T, columns.T, strict=True):
        assert np.count_nonzero(column) == stage.KEEP
        border = np.sort(np.abs(exact))[-stage.KEEP]
        np.testing.assert_allclose(column, np.where(np.abs(exact) >= border, exact, 0), atol=1e-5)


def test_warm_items_and_items_without_text_stay_as_they_were(world):
    model, _, _, _ = world
    found = completed(world)
    np.testing.assert_array_equal(found.factors.table[:WARM], model.factors.table[:WARM])
    assert (found.neighbours[:, :WARM] != model.neighbours[:, :WARM]).nnz == 0
    assert not found.factors.table[-1].any()
    assert found.neighbours[:, [-1]].nnz == 0
    assert found.popularity is model.popularity


def test_a_cold_item_follows_its_kind(world):
    kind = world[2]
    found = completed(world)
    score = found.scores(np.array([0, 2, 4]), np.ones(3))[WARM : ITEMS - 1]
    even = kind[WARM : ITEMS - 1] == 0
    assert score[even].min() > score[~even].max()


def users_of(rows, *, history):
    """Held-out users with the first ``history`` of their items shown."""
    shown, wanted = [r[:history] for r in rows], [r[history:] for r in rows]
    return Heldout([str(u) for u in range(len(rows))], shown, wanted, np.zeros(len(rows), int), 0)


@pytest.fixture
def people(world):
    _, _, kind, warm = world
    rng = np.random.default_rng(3)
    return users_of(
        [rng.permutation(np.flatnonzero((kind == u % 2) & warm)).astype(np.int32) for u in range(30)], history=12
    )


def choice_of(world, model, people):
    warm = world[3]
    return Choice(model, warm=warm, anchors=anchor_rows(model, warm), validation=people, seed=0)


def test_what_is_chosen_on_is_what_the_filled_in_tables_score(world, people):
    """The choice estimates scores, the package tables: both are linear, so they agree."""
    model, kernel, _, _ = world
    choice = choice_of(world, model, people)
    assert len(choice.cold) == 5
    assert not np.isin(choice.cold, choice.known).any()
    table = model.factors.table.copy()
    near = model.neighbours.toarray()
    table[choice.cold] = near[:, choice.cold] = near[choice.cold] = 0
    without = replace(model, factors=Factors(table, 2.0), neighbours=csr_matrix(near))
    filled = with_cold_items(without, kernel, cold=choice.cold, anchors=choice.known, settings=ColdSettings(ridge=2.0))
    weights = kernel.weights(choice.known, ridge=2.0)(choice.cold)
    names = list(model.names)
    for user in choice._users[:5]:
        estimated = choice._smoothed(user, weights)
        exact = filled.signals(user.history, np.ones(len(user.history), np.float32))[:, choice.cold]
        for name in ("factors", "content"):
            np.testing.assert_allclose(estimated[names.index(name)], exact[names.index(name)], atol=1e-4, err_msg=name)
        assert not estimated[names.index("popularity")].any()
        assert np.abs(estimated - exact)[names.index("neighbours")].max() < 0.5  # the weakest sources are cut


def test_no_user_is_known_by_what_is_to_be_found(world, people):
    choice = choice_of(world, world[0], people)
    assert len(choice._users) == 30
    for user in choice._users:
        assert not np.isin(user.history, choice.cold).any()
        assert not np.isin(user.history, user.targets).any()
        assert set(choice.cold[user.cold]) <= set(user.targets)


def test_settings_are_those_under_which_users_find_most(world, people, monkeypatch):
    model, kernel, _, _ = world
    # Neighbours that say the opposite, loudly: they must not count. The text alone must not decide either.
    blend = {**model.blend, "neighbours": BlendTerm(9.0, 0.5), "content": BlendTerm(0.0, 0.0)}
    wrong = replace(model, neighbours=csr_matrix(-model.neighbours), blend=blend)
    monkeypatch.setattr(cold_choice, "SCALES", (1e-6, 1.0))
    right = choice_of(world, wrong, people).export(kernel)
    assert (right.factors, right.neighbours) == (1.0, 1e-6)


def test_without_validation_users_the_defaults_stand(world):
    nobody = Heldout([], [], [], np.zeros(0, int), 0)
    assert choice_of(world, world[0], nobody).export(world[1]) == ColdSettings()


@pytest.mark.parametrize(("score", "wanted"), [([3, 2, 1, 0], [0, 2]), ([1, 1, 1, 0], [1, 2]), ([0, 1], [0])])
def test_ndcg_is_that_of_the_metrics(score, wanted):
    ranked = np.argsort(-np.array(score), kind="stable")
    hits = np.isin(ranked, wanted)
    gain = 1 / np.log2(np.arange(len(score)) + 2.0)
    exact = hits @ gain / gain[: len(wanted)].sum()
    found = cold_choice._ndcg(np.array(score, np.float32), np.array(wanted))
    if score == [1, 1, 1, 0]:  # ties: the best that they can be
        exact = 1.0
    assert found == pytest.approx(2 * exact)


def test_a_model_without_cold_items_is_returned_as_it_is(world):
    model, kernel, _, warm = world
    assert with_cold_items(
        model, kernel, cold=np.empty(0, np.int64), anchors=anchor_rows(model, warm), settings=SETTINGS
    ) is model  # fmt: skip


def test_rare_words_tie_texts_more_than_common_ones():
    texts = ["the owl", "the owl", "the cat", "the cat", "the", "hapax", ""]
    rows = word_vectors(texts, known=np.arange(5)).toarray()
    alike = rows @ rows.T
    assert alike[0, 1] == pytest.approx(1)
    assert alike[0, 2] == 0  # a word of all texts says nothing
    assert not rows[5].any()  # nor does one that no other text has
    assert not rows[6].any()
