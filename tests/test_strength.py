"""Event types, time spent, repeats and age as confidence, by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from pocketrec.errors import UsageError
from pocketrec_export.dataset import make_dataset
from pocketrec_export.read import read_interactions
from pocketrec_export.strength import (
    EVENT_WEIGHTS,
    MIN_CONFIDENCE,
    SYNONYMS,
    Weighting,
    confidence,
    dwell_factor,
    train_weights,
)

T = 1_600_000_000
DAY = 86_400


def shop(**columns: object) -> pd.DataFrame:
    return pd.DataFrame({"user": ["a", "a", "a", "b"], "item": ["x", "x", "y", "x"], **columns})


def test_events_add_up() -> None:
    data = read_interactions(shop(event=["view", "Purchase", "add to cart", "view"]))
    assert data.value_kind == "count"
    assert "events" in data.value_reason
    assert np.allclose(data.value, [1.2, 0.7, 0.2])
    assert data.confidence is not None
    assert np.allclose(data.confidence, np.log2([2.2, 1.7, 1.2]))
    assert data.event_rows == {"view": 2, "purchase": 1, "add_to_cart": 1}
    assert data.positive == "value>0"
    assert read_interactions(shop(event="view"), positive="value>=0.4").is_positive.tolist() == [True, False, False]


def test_purchase_outweighs_cart_outweighs_click_outweighs_view() -> None:
    weights = [EVENT_WEIGHTS[name] for name in ("impression", "view", "click", "add_to_cart", "purchase")]
    assert weights == sorted(set(weights))
    assert set(SYNONYMS.values()) <= set(EVENT_WEIGHTS)


def test_own_weights_and_unknown_events() -> None:
    frame = shop(event=["gift", "gift", None, "view"])
    data = read_interactions(frame)
    assert np.allclose(data.value, [0.4, 0.2, 0.2])  # like views
    notes = {note.name: (note.count, note.example) for note in data.notes}
    assert notes["unweighted_event"] == (2, "'gift': 2 rows")
    assert notes["no_event"] == (1, "row 3")
    own = read_interactions(frame, weighting=Weighting(events={"Gift": 3, "view": 0}))
    assert np.allclose(own.value, [6, 0.2, 0])
    assert own.is_positive.tolist() == [True, True, False]


def test_what_was_taken_back_is_not_liked() -> None:
    data = read_interactions(shop(event=["purchase", "return", "view", "dislike"]))
    assert np.allclose(data.value, [0, 0.2, -1])
    assert data.is_positive.tolist() == [False, True, False]


def test_counts_multiply_the_weight_of_their_event() -> None:
    data = read_interactions(shop(event=["view", "purchase", "purchase", "view"], quantity=[None, 3, 2, None]))
    assert data.value_kind == "count"
    assert np.allclose(data.value, [3.2, 2, 0.2])


def test_ratings_beside_events_keep_their_scale() -> None:
    frame = pd.DataFrame(
        {
            "user": ["a", "a", "a", "b", "b"],
            "item": ["x", "x", "y", "x", "y"],
            "event": ["rating", "view", "view", "rating", "purchase"],
            "rating": [2.0, None, None, 5.0, None],
            "timestamp": [T, T + 1, T, T, T],
        }
    )
    data = read_interactions(frame, value="rating")
    assert np.array_equal(data.value, [2, np.nan, 5, np.nan], equal_nan=True)
    assert (data.value_kind, data.positive) == ("rating", "value>=4")
    assert data.is_positive.tolist() == [False, True, True, True]  # rated low, viewed, rated high, bought
    assert not any(note.name == "no_value" for note in data.notes)


def test_dwell_is_bounded_and_the_median_counts_once() -> None:
    spent = np.array([0, 30, 90, 1e12, np.nan])
    assert np.allclose(dwell_factor(spent, 30), [0, 1, 1.5, 2, 1])
    data = read_interactions(shop(event="click", dwell=["0", "10", "10", "-4"]))
    assert np.allclose(data.value, [0.4, 0.4, 0.4])  # 0 + 1, 1, unknown
    assert {note.name: note.count for note in data.notes}["bad_dwell"] == 1
    alone = read_interactions(shop(dwell=[1, 3, 1, 3]), weighting=Weighting(dwell_half=1))
    assert np.allclose(alone.value, [1 + 1.5, 1, 1.5])


def test_repeats_do_not_count_if_asked() -> None:
    data = read_interactions(shop(event="click"), weighting=Weighting(counts="off"))
    assert data.confidence is not None
    assert np.allclose(data.confidence, 0.4)
    plain = shop(quantity=[1, 2, 1, 4])
    assert read_interactions(plain).confidence is None
    assert np.allclose(read_interactions(plain, weighting=Weighting(counts="log")).confidence, [2, 1, math.log2(5)])


def test_confidence_is_bounded() -> None:
    total = np.array([-3, 0, 1, 1e15])
    assert confidence(total, total, counts=True).tolist() == [0, 0, 1, 8]


def test_age_halves_from_the_newest_train_row() -> None:
    stamp = np.array([T, T - 10 * DAY, T - 20 * DAY, T - 9_999 * DAY])
    weights = train_weights(None, stamp, Weighting(half_life=10))
    raw = np.array([1, 0.5, 0.25, MIN_CONFIDENCE])
    assert weights is not None
    assert np.allclose(weights, raw / raw.mean())
    later = train_weights(None, stamp[:3], Weighting(half_life=10, reference=float(T + 10 * DAY)))
    assert later is not None
    assert np.allclose(later, np.array([0.5, 0.25, 0.125]) / (0.875 / 3))
    assert train_weights(None, stamp, Weighting()) is None
    with pytest.raises(UsageError, match="no timestamp"):
        train_weights(None, None, Weighting(half_life=1))


def test_the_train_matrix_holds_the_confidence() -> None:
    frame = shop(event=["view", "purchase", "view", "purchase"], timestamp=[T, T, T, T - DAY])
    plain = make_dataset(read_interactions(frame.drop(columns="event")), None)
    assert plain.train.data.tolist() == [1, 1, 1]
    data = make_dataset(read_interactions(frame, weighting=Weighting(half_life=1)), None)
    x, y = data.items.index("x"), data.items.index("y")
    train = data.train.toarray()
    expected = np.array([math.log2(2.2), math.log2(1.2), 0.5])
    assert np.allclose([train[0, x], train[0, y], train[1, x]], expected / expected.mean())


@pytest.mark.parametrize(
    "wrong", [{"half_life": 0}, {"half_life": math.nan}, {"dwell_half": -1}, {"events": {"view": math.inf}},
              {"events": {"view": "much"}}, {"events": {"view": True}}, {"counts": "some"}],
)  # fmt: skip
def test_weightings_that_cannot_be(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="expected"):
        Weighting(**wrong)  # type: ignore[arg-type]
