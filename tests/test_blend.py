"""Blend: additive, deterministic, near the default with few users, and blind to signals that buy nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from pocketrec.manifest import BlendTerm
from pocketrec_export import blend, content, popularity
from pocketrec_export.samples import Samples, sample_users, shortlist
from scipy.sparse import csr_matrix

NAMES = ("factors", "neighbours", "content", "popularity")
ITEMS = 300


def samples(*, users: int, good: str, names: tuple[str, ...] = NAMES, seed: int = 0) -> Samples:
    """Noise in every signal but `good`, which lifts each user's three targets."""
    random = np.random.default_rng(seed)
    value = random.normal(size=(users, len(names), ITEMS)).astype(np.float32)
    picked = [random.choice(ITEMS, 8, replace=False) for _ in range(users)]
    for user, items in enumerate(picked):
        value[user, names.index(good), items[:3]] += 4
    short = [
        shortlist(signals, seen=items[3:], targets=np.sort(items[:3]), depth=ITEMS)
        for signals, items in zip(value, picked, strict=True)
    ]
    return Samples(
        names=names,
        value=[signals for signals, _ in short],
        targets=[place for _, place in short],
        deviation=value.std(axis=2, dtype=np.float64),
        total=np.full(users, 5.0),
        wanted=np.full(users, 3),
    )


def change(world: Samples, name: str, factor: float) -> None:
    """Scales one signal."""
    row = world.names.index(name)
    for value in world.value:
        value[row] *= factor
    world.deviation[:, row] *= factor


@pytest.mark.parametrize("good", ["factors", "neighbours", "content"])
def test_the_useful_signal_carries_the_score(good: str) -> None:
    fitted = blend.fit(samples(users=100, good=good))
    assert fitted.share[good] > 0.8
    assert fitted.loss_without[good] == max(fitted.loss_without.values())


def test_a_signal_that_buys_nothing_gets_weight_zero() -> None:
    world = samples(users=80, good="neighbours")
    change(world, "content", 0.0)
    fitted = blend.fit(world)
    assert fitted.blend["content"].weight == 0
    assert "content" not in blend.to_manifest(fitted.blend)


def test_few_users_stay_near_the_default() -> None:
    world = samples(users=3, good="content")
    random = np.random.default_rng(1)
    for value in world.value:
        value[:] = random.normal(size=value.shape)  # nothing to learn but noise
    fitted = blend.fit(world)
    assert all(term.weight > 0 for term in fitted.blend.values())
    assert fitted.share == pytest.approx(blend.DEFAULT_SHARE, abs=0.25)


@pytest.mark.parametrize("scale_only", [False, True])
def test_without_targets_or_users_the_default_stands(scale_only: bool) -> None:
    fitted = blend.fit(samples(users=50 * scale_only, good="factors"), scale_only=scale_only)
    assert fitted.share == pytest.approx(blend.DEFAULT_SHARE)
    assert {n: t.power for n, t in fitted.blend.items()} == {**blend.DEFAULT_POWER, "popularity": 0.0}
    assert fitted.objective is None


def test_two_fits_are_equal() -> None:
    assert blend.fit(samples(users=60, good="factors")) == blend.fit(samples(users=60, good="factors"))


def test_scale_of_a_signal_does_not_matter() -> None:
    world = samples(users=60, good="neighbours")
    before = blend.fit(world)
    change(world, "factors", 128.0)
    after = blend.fit(world)
    assert after.share == pytest.approx(before.share)
    assert after.blend["factors"].weight * 128 == pytest.approx(before.blend["factors"].weight)


@pytest.mark.parametrize("scale", [1e-8, 2e-7, 2e-6])
def test_a_weight_is_never_more_than_a_package_may_hold(scale: float) -> None:
    world = samples(users=60, good="factors")
    change(world, "factors", scale)
    assert all(term.weight <= 1e6 for term in blend.fit(world).blend.values())


def test_one_signal_alone_is_fitted() -> None:
    fitted = blend.fit(samples(users=60, good="factors", names=("factors",)))
    assert fitted.share == {"factors": 1.0}


def test_measure_matches_a_hand_count() -> None:
    value, targets = shortlist(np.array([[5, 4, 3, 2, 1]], np.float32), seen=np.array([0]), targets=np.array([2]))
    world = Samples(("popularity",), [value], [targets], np.ones((1, 1)), np.ones(1), wanted=np.array([2]))
    # Item 0 is seen, so the target is second: gain 1/log2(3), ideal 1 + 1/log2(3), at both cut-offs. Of the two
    # targets one cannot be ranked.
    gain = 1 / np.log2(3)
    assert blend.measure(world, np.ones((1, 1), np.float32)) == pytest.approx(2 * gain / (1 + gain))


def test_ties_rank_the_lower_position_first() -> None:
    def world(target: int) -> Samples:
        value = np.zeros((1, 4), np.float32)
        return Samples(
            ("popularity",), [value], [np.array([target])], np.ones((1, 1)), np.ones(1), wanted=np.ones(1, int)
        )

    vector = np.ones((1, 1), np.float32)
    assert blend.measure(world(0), vector) == pytest.approx(2)
    assert blend.measure(world(3), vector) == pytest.approx(2 / np.log2(5))


def test_a_shortlist_keeps_the_best_of_each_signal_and_the_targets() -> None:
    value = np.array([[9, 8, 7, 6, 5, 4], [0, 0, 0, 0, 1, 2]], np.float32)
    short, targets = shortlist(value, seen=np.array([0]), targets=np.array([3]), depth=1)
    assert short.tolist() == [[8, 6, 4], [0, 0, 2]]
    assert targets.tolist() == [1]


def test_one_signal_measures_the_same_on_the_shortlist_and_on_all() -> None:
    random = np.random.default_rng(4)
    value, seen, targets = random.normal(size=(1, 5000)).astype(np.float32), np.arange(50), np.arange(50, 90)

    def world(depth: int) -> Samples:
        short, place = shortlist(value, seen=seen, targets=targets, depth=depth)
        return Samples(("popularity",), [short], [place], np.ones((1, 1)), np.ones(1), wanted=np.array([40]))

    vector = np.ones((1, 1), np.float32)
    assert len(world(200).value[0][0]) < 250
    assert blend.measure(world(200), vector) == blend.measure(world(5000), vector) > 0


def test_weights_follow_the_formula() -> None:
    terms = {"factors": BlendTerm(2.0, 0.5), "content": BlendTerm(3.0, 1.0), "popularity": BlendTerm(0.25, 0.0)}
    vector = blend.weights(terms, names=tuple(terms), total=4.0)
    np.testing.assert_array_equal(vector, np.array([1.0, 0.75, 0.25], np.float32))
    assert vector.dtype == np.float32


def test_empty_history_leaves_only_popularity() -> None:
    terms = {"factors": BlendTerm(2.0, 0.5), "popularity": BlendTerm(0.25, 0.0)}
    assert blend.weights(terms, names=tuple(terms), total=0.0).tolist() == [0.0, 0.25]


def test_many_users_are_sampled_with_the_seed() -> None:
    first = sample_users(10_000, seed=1)
    assert len(first) == 500
    assert first.tolist() == sample_users(10_000, seed=1).tolist()
    assert first.tolist() != sample_users(10_000, seed=2).tolist()
    assert sample_users(3, seed=1).tolist() == [0, 1, 2]


@pytest.mark.parametrize("seed", range(4))
def test_a_blend_is_at_least_as_good_as_its_best_signal(seed: int) -> None:
    random = np.random.default_rng(seed)
    good = NAMES[seed % len(NAMES)]
    world = samples(users=100, good=good, seed=seed)
    for name in NAMES:  # each signal is worth something, not only one
        for value, place in zip(world.value, world.targets, strict=True):
            value[world.names.index(name), place] += random.uniform(0, 2)
    alone = []
    for row in range(len(NAMES)):
        vector = np.zeros((len(world), len(NAMES)), np.float32)
        vector[:, row] = 1
        alone.append(blend.measure(world, vector))
    objective = blend.fit(world).objective
    assert objective is not None
    assert objective > max(alone)


def test_without_a_signal_the_others_are_fitted_again() -> None:
    world = samples(users=80, good="neighbours")
    fitted = blend.fit(world)
    names = tuple(name for name in NAMES if name != "neighbours")
    rows = [NAMES.index(name) for name in names]
    less = replace(world, names=names, value=[v[rows] for v in world.value], deviation=world.deviation[:, rows])
    again = blend.fit_again(less, fitted.blend)
    assert again.objective is not None
    assert fitted.objective is not None
    assert again.objective < fitted.objective / 2
    assert set(again.blend) == set(names)
    assert blend.fit_again(world, fitted.blend).objective >= fitted.objective - 1e-3  # a climb goes up


def test_popularity_of_late_counts_new_choices_more() -> None:
    train = csr_matrix(np.array([[1, 1, 0], [1, 1, 0], [1, 0, 1]], np.float32))
    age = csr_matrix((np.array([10, 0, 10, 0, 10, 0], np.float32), train.indices, train.indptr), train.shape)
    plain, late = popularity.fit(train), popularity.fit(train, age=age, half_life=10.0)
    np.testing.assert_array_equal(popularity.fit(train, age=age, half_life=0.0), plain)
    np.testing.assert_array_equal(popularity.fit(train, half_life=10.0), plain)
    assert np.argsort(-plain).tolist() == [0, 1, 2]
    # 3/2, 2 and 1 choices, scaled to a sum of 6 again: 2, 8/3 and 4/3.
    np.testing.assert_allclose(late, np.log1p([2, 8 / 3, 4 / 3]) / np.log1p(8 / 3), rtol=1e-6)


def test_popularity_is_log_smoothed() -> None:
    counts = csr_matrix(np.array([[1, 1, 0], [1, 0, 0], [1, 0, 0]], np.float32))
    expected = [1.0, np.log(2) / np.log(4), 0.0]
    np.testing.assert_allclose(popularity.fit(counts), expected, rtol=1e-6)
    assert popularity.fit(csr_matrix((2, 3), dtype=np.float32)).tolist() == [0, 0, 0]


def test_content_is_the_profile_dot_the_text() -> None:
    text: NDArray[np.float32] = np.eye(3, dtype=np.float32)
    found = content.scores(text, index=np.array([0, 2]), weight=np.array([2.0, -1.0], np.float32))
    assert found.tolist() == [2.0, 0.0, -1.0]


def test_a_blend_is_clearly_better_by_more_than_one_standard_error() -> None:
    def only(name: str, beside: float = 0.0) -> dict[str, BlendTerm]:
        return {n: BlendTerm(1.0 if n == name else beside, 0.0) for n in NAMES}

    world = samples(users=60, good="neighbours")
    assert blend.clearly_better(world, only("neighbours"), only("content"))
    assert not blend.clearly_better(world, only("content"), only("neighbours"))
    assert not blend.clearly_better(world, only("neighbours"), only("neighbours"))
    one = replace(world, value=world.value[:1], targets=world.targets[:1], total=world.total[:1])
    one = replace(one, wanted=world.wanted[:1], deviation=world.deviation[:1])
    assert not blend.clearly_better(one, only("popularity"), only("popularity", 1e-6))
