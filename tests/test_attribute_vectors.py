"""Attributes as vectors: what is alike lies close, whatever the scale, and the same on every run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pocketrec_export.attribute_vectors import attribute_vectors
from pocketrec_export.read import Items, read_items


def items(rows: int, **columns: Any) -> Items:
    names = [f"i{row}" for row in range(rows)]
    return read_items(pa.table({"item": names, "title": names} | columns))


def cosines(table: Items, **options: Any) -> Any:
    vectors = attribute_vectors(table, **options)
    assert vectors is not None
    assert vectors.shape == (len(table), options.get("dim", 64))
    assert vectors.dtype == np.float32
    length = np.linalg.norm(vectors, axis=1)
    assert np.all((np.abs(length - 1) < 1e-5) | (length == 0))
    return vectors @ vectors.T


def test_categories_by_hand() -> None:
    found = cosines(items(4, category=["A", "A|B", "B", ""]))
    # A and B are in two of four items: equal weights, so an item with both is at 45 degrees to each.
    expected = [[1, 0.5**0.5, 0, 0], [0.5**0.5, 1, 0.5**0.5, 0], [0, 0.5**0.5, 1, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_rare_category_in_common_tells_more() -> None:
    found = cosines(items(6, category=["common|rare", "common|rare", "common", "common", "common|other", "other"]))
    assert found[0, 1] > 0.99
    assert found[0, 2] < 0.5  # ln(6/5) of ln(6/2)


def test_numbers_are_near_by_rank_and_not_by_size() -> None:
    prices = [10.0**power for power in range(20)]
    found = cosines(items(20, price=prices))
    assert np.all(np.diff(found[0]) <= 1e-6)
    # At 0.175 and 0.525 of the way between the first two of eight bins.
    first, second = np.array([0.825, 0.175]), np.array([0.475, 0.525])
    assert found[0, 1] == pytest.approx(first @ second / np.linalg.norm(first) / np.linalg.norm(second), rel=1e-4)
    assert found[0, 19] == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(found, cosines(items(20, price=list(range(20)))), atol=1e-6)


def test_each_attribute_counts_the_same() -> None:
    found = cosines(items(4, new=[True, True, False, None], color=["red", "blue", "red", "blue"]))
    expected = [[1, 0.5, 0.5, 0], [0.5, 1, 0, 0.5**0.5], [0.5, 0, 1, 0], [0, 0.5**0.5, 0, 1]]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_what_tells_nothing_is_left_out() -> None:
    assert attribute_vectors(items(3)) is None
    assert attribute_vectors(items(3, price=[5, 5, 5])) is None
    assert attribute_vectors(items(3, expires=["2020-01-01", "2021-01-01", ""])) is None
    assert attribute_vectors(items(3, published=["2020-01-01", "2021-01-01", ""])) is not None
    assert attribute_vectors(items(3, category=["A", "B", "C"])) is None  # nothing in common


@pytest.mark.parametrize("rows", [50, 400])
def test_more_features_than_columns_keep_the_nearest_near(rows: int) -> None:
    rng = np.random.default_rng(0)
    names = [f"n{i}" for i in range(200)]
    group = np.arange(rows) % 10
    sets = [list({names[g * 20 + i] for i in rng.integers(0, 20, 6)}) for g in group]
    table = items(rows, category=pa.array(sets, pa.list_(pa.string())))
    found = cosines(table)
    np.fill_diagonal(found, -1)
    assert np.mean(group[found.argmax(axis=1)] == group) == 1.0
    np.testing.assert_array_equal(attribute_vectors(table), attribute_vectors(table))


def test_a_wider_table_holds_the_exact_cosines() -> None:
    rng = np.random.default_rng(1)
    sets = [list({f"n{i}" for i in rng.integers(0, 100, 4)}) for _ in range(300)]
    table = items(300, category=pa.array(sets, pa.list_(pa.string())))
    narrow, wide = cosines(table), cosines(table, dim=128)
    known = np.abs(narrow - wide)
    assert 0 < known.max() < 0.9
    assert np.corrcoef(narrow.ravel(), wide.ravel())[0, 1] > 0.9
