"""Splits of a signal over its causes, before any rounding is spread."""

import numpy as np
from pocketrec import reasons
from pocketrec.history import Blocks
from pocketrec.reasons import settle, split_factors, split_neighbours, split_text
from pocketrec.results import Reason


def test_factor_parts_sum_to_the_exact_fold_in():
    rng = np.random.default_rng(0)
    rows, shown = (0.3 * rng.standard_normal((n, 64)).astype(np.float32) for n in (12, 5))
    weight = rng.choice(np.array([-1, 1, 2, 0.5], np.float32), 12)
    alpha = 5.0
    confidence = alpha * np.abs(weight)
    system = np.eye(64) + rows.T.astype(np.float64) @ np.diag(confidence - 1) @ rows
    user = np.linalg.solve(system, rows.T @ np.where(weight > 0, confidence, 0))
    parts = split_factors(shown, rows, weight, alpha)
    np.testing.assert_allclose(parts.sum(1), shown @ user, rtol=1e-4, atol=1e-6)
    assert not parts[:, weight < 0].any()


def test_factor_parts_by_hand():
    # Two items at right angles, alpha 1: the matrix is the identity, so each part is an inner product.
    rows = np.eye(2, dtype=np.float32)
    shown = np.array([[0.75, 0.25]], np.float32)
    np.testing.assert_allclose(split_factors(shown, rows, np.ones(2, np.float32), 1.0), [[0.75, 0.25]])
    # alpha 3 makes it diag(3, 3), and 3 / 3 the same again; a dislike shrinks its direction and causes nothing.
    np.testing.assert_allclose(split_factors(shown, rows, np.array([1, -1], np.float32), 3.0), [[0.75, 0]])


def test_neighbour_parts_are_the_entries_of_each_owner():
    blocks = Blocks(np.array([0, 1, 2]), np.array([0.5, 0.5, 2], np.float32), np.array([0, 0, 1]), False)
    targets = np.array([[7, 3], [9, 0], [7, 0]], np.uint16)
    values = np.array([[4, 2], [1, 0], [-3, 0]], np.int8)
    parts = split_neighbours(np.array([7, 9, 0]), blocks, targets, values, 2)
    np.testing.assert_array_equal(parts, [[2, -6], [0.5, 0], [0, 0]])


def test_text_parts_are_inner_products():
    shown, causes = np.array([[1, 2]], np.float32), np.array([[3, 4], [-1, 0]], np.float32)
    np.testing.assert_array_equal(split_text(shown, causes), [[11, -1]])


def test_settling_spreads_only_what_is_missing():
    parts = np.array([[3.0, -1.0, 0.0], [0.0, 0.0, 0.0]])
    np.testing.assert_array_equal(settle(parts, np.array([2, 0], np.float32)), parts)
    np.testing.assert_allclose(settle(parts, np.array([2.4, 5], np.float32)), [[3.3, -0.9, 0], [0, 0, 0]], rtol=1e-6)


def test_reasons_read_like_sentences():
    def say(kind, text, contribution):
        return reasons.describe(Reason(kind, text, text, contribution, {}))

    assert say("item", "Alien", 1.0) == "because of Alien"
    assert say("item", "Alien", -1.0) == "despite Alien"
    assert say("word", "robots", 1.0) == 'because of "robots"'
    assert say("popularity", "", 1.0) == "popular"
    assert say("popularity", "", -1.0) == "although popular"
    assert say("boost", "", 1.0) == "boosted"
    assert say("boost", "", -1.0) == "although held back"
