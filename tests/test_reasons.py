"""Splits of a signal over its causes, and what they are called."""

import numpy as np
import pocketrec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pocketrec import UsageError
from pocketrec.history import Blocks
from pocketrec.manifest import PRIORS
from pocketrec.phrases import LANGUAGES, describe
from pocketrec.reasons import settle, split_factors, split_neighbours, split_text
from pocketrec.results import Reason, Recommendation
from worlds import random_world


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
    def say(kind, text, contribution, **options):
        return describe(Reason(kind, text, text, contribution, {}), **options)

    assert say("item", "Alien", 1.0) == "because of Alien"
    assert say("item", "Alien", -1.0) == "despite Alien"
    assert say("word", "robots", 1.0) == 'because of "robots"'
    assert say("popularity", "", 1.0) == "popular"
    assert say("popularity", "", -1.0) == "although popular"
    assert say("item", "{text} {0}", 1.0) == "because of {text} {0}"
    assert say("item", "异形", 1.0, language="zh") == "因为《异形》"
    assert say("item", "Alien", 1.0, language={"item+": "weil {text}"}) == "weil Alien"
    assert say("boost", "", 1.0, language={"item+": "weil {text}"}) == "boosted"
    assert say("omen", "a crow", 1.0) == "a crow"
    with pytest.raises(UsageError, match="no language 'tlh'; there are en, zh"):
        say("item", "Alien", 1.0, language="tlh")


def test_every_language_says_everything():
    kinds = {"item", "interest", "word", *PRIORS}
    for table in LANGUAGES.values():
        assert set(table) == {f"{kind}{sign}" for kind in kinds for sign in "+-"}
        assert all(
            ("{text}" in phrase) == key.startswith(("item", "interest", "word")) for key, phrase in table.items()
        )


@pytest.fixture(scope="module", params=["numpy", "onnx"])
def recommender(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("world") / "reasons.pocketrec"
    with pocketrec.open(random_world(path, items=300), engine=request.param) as opened:
        yield opened


HISTORIES = st.dictionaries(
    st.integers(0, 299).map(str), st.floats(-4, 4).filter(lambda w: abs(w) > 0.1), min_size=2, max_size=12
)


@given(history=HISTORIES)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_without_a_cited_item_the_neighbour_signal_lacks_exactly_its_part(recommender, history):
    term = recommender.package.manifest.blend["recommend"]["neighbours"]

    def raw(weights, signal):  # before the power of the history's size, which is the same for all items
        size = sum(abs(np.float32(w)) for w in weights.values())
        return signal * size**term.power

    best = recommender.recommend(history, k=3, explain=True)
    for item in best:
        for reason in item.reasons:
            if "neighbours" not in reason.signals:
                continue
            rest = {id: weight for id, weight in history.items() if id != reason.id}
            without = next(found for found in recommender.recommend(rest, k=300) if found.item == item.item)
            lost = raw(history, item.signals["neighbours"]) - raw(rest, without.signals["neighbours"])
            size = raw(history, sum(abs(other.signals.get("neighbours", 0)) for other in item.reasons))
            assert abs(lost - raw(history, reason.signals["neighbours"])) <= 1e-5 * size + 1e-7


@given(history=HISTORIES)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_contributions_sum_to_the_score(recommender, history):
    for item in recommender.recommend(history, k=5, explain=True):
        total = sum(reason.contribution for reason in item.reasons)
        assert abs(total - item.score) <= 1e-4 * max(abs(item.score), 1e-3)


def test_what_is_worth_saying():
    def of(*contributions):
        return [Reason("item", f"i{value}", "", value, {}) for value in contributions]

    def said(*contributions, limit=3):
        item = Recommendation("x", "X", 1.0, {}, tuple(of(*contributions)))
        return [reason.contribution for reason in item.main_reasons(limit)]

    assert said(2.0, -1.0, 0.9) == [2.0, -1.0, 0.9]
    assert said(2.0, 1.0, 0.9) == [2.0]  # of an even share of 1.3
    assert said(2.0, -1.95, -0.04, -0.01, 0.0) == [2.0, -1.95, -0.04]
    assert said(2.0, -1.95, -0.01) == [2.0, -1.95]
    assert said(0.001) == [0.001]  # all there is
    assert said(0.1, 0.1, 0.1) == [0.1, 0.1, 0.1]
    word = Recommendation("x", "X", 1.0, {}, (*of(2.0, 1.0), Reason("word", "w", "w", 0.5, {})))
    assert [reason.kind for reason in word.main_reasons()] == ["item", "word"]
    assert said(2.0, 1.0, limit=1) == [2.0]
    assert said() == []
