from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from pocketrec.dense import dequantize, unpack
from pocketrec_export.quantize import SHARES, dequantize_rows, quantize_halves, quantize_rows, sparse_blocks
from scipy import sparse

LIMIT = 127 * 2**20
finite = st.floats(-LIMIT, LIMIT, width=32)
matrices = hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=40), elements=finite)
# Half a scale, and a rounding of the float32 product; rows below the smallest normal scale become zero.
SLACK, SUBNORMAL = 1.00002, 127 * np.finfo(np.float32).tiny


def half_scale(scale: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.where(scale > 0, scale.astype(float) / 2 * SLACK, SUBNORMAL)[:, None]


@given(matrices)
def test_dense_error_is_at_most_half_a_scale(x: NDArray[np.float32]) -> None:
    value, scale = quantize_rows(x)
    assert (value.shape, value.dtype.name, scale.dtype.name) == (x.shape, "uint8", "float32")
    assert (np.abs(dequantize_rows(value, scale).astype(float) - x) <= half_scale(scale)).all()
    assert value.min(initial=128) >= 1


def test_dense_codes_by_hand() -> None:
    value, scale = quantize_rows(np.array([[127, -127, 0.5, 1.5, 2.5], [0, 0, 0, 0, 0], [0, 0, -2, 0, 0]], np.float32))
    assert value.tolist() == [[255, 1, 128, 130, 130], [128] * 5, [128, 128, 1, 128, 128]]
    assert scale.tolist() == [1.0, 0.0, np.float32(2 / 127)]


@given(matrices.map(lambda x: np.concatenate([x, -x], axis=1)))
def test_halves_lose_no_more_than_with_the_scale_of_the_largest(x: NDArray[np.float32]) -> None:
    value, scale = quantize_halves(x)
    codes = unpack(value)
    assert (value.shape, value.dtype.name, scale.dtype.name) == ((len(x), x.shape[1] // 2), "uint8", "float32")
    assert codes.min(initial=8) >= 1
    plain = (np.abs(x).max(axis=1, initial=0) / np.float32(7)).astype(np.float32)
    plain[plain < np.finfo(np.float32).tiny] = 0
    back = np.rint(x / np.where(plain > 0, plain, np.inf)[:, None]) * plain[:, None]
    found, most = (((y.astype(float) - x) ** 2).sum(axis=1) for y in (dequantize(value, scale, bits=4), back))
    assert (found <= most * SLACK).all()


def test_halves_by_hand() -> None:
    row = [7, -7, 0, 2, 3, -2, 0, 1]
    value, scale = quantize_halves(np.array([row, [0] * 8, [7, 1, 1, 1, 1, 1, 1, 1]], np.float32))
    assert value[0].tolist() == [15 | 1 << 4, 8 | 10 << 4, 11 | 6 << 4, 8 | 9 << 4]  # low half first
    assert value[1].tolist() == [8 | 8 << 4] * 4
    assert scale.tolist() == [1.0, 0.0, 1.0]
    assert dequantize(value, scale, bits=4)[0].tolist() == row


def test_halves_cut_a_number_that_stands_alone() -> None:
    x = np.full((1, 64), 0.6, np.float32)
    x[0, 0] = 7
    assert quantize_halves(x)[1][0] in [np.float32(share) for share in SHARES[1:]]


def test_halves_need_pairs() -> None:
    with pytest.raises(ValueError, match=r"of an even width, found shape \(2, 3\)"):
        quantize_halves(np.zeros((2, 3)))


def test_codes_survive_a_second_quantization() -> None:
    value, scale = quantize_rows(np.random.default_rng(0).standard_normal((50, 64)).astype(np.float32))
    again, _ = quantize_rows(dequantize_rows(value, scale))
    assert (again == value).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300, LIMIT + 8])
def test_values_that_are_not_finite_are_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="1 of 4 values are not finite"):
        quantize_rows(np.array([[0, 1], [bad, 2]]))
    with pytest.raises(ValueError, match="not finite"):
        sparse_blocks(sparse.csr_array(np.array([[0, bad], [1, 0]])))


def test_a_vector_is_not_a_table() -> None:
    with pytest.raises(ValueError, match=r"expected a matrix, found shape \(3,\)"):
        quantize_rows(np.zeros(3))


def dense_of(blocks: dict[str, NDArray[Any]], columns: int) -> NDArray[np.float64]:
    """The dense matrix that blocks stand for, by the plainest loop."""
    start, scale = blocks["start"].tolist(), blocks["scale"].astype(float)
    dense = np.zeros((len(scale), columns))
    for row in range(len(scale)):
        for block in range(start[row], start[row + 1]):
            for column, code in zip(blocks["index"][block], blocks["value"][block], strict=True):
                dense[row, column] += code * scale[row]
    return dense


@given(
    hnp.arrays(np.float32, st.tuples(st.integers(1, 12), st.integers(1, 60)), elements=finite, fill=st.just(0.0)),
    st.floats(0, 1),
)
def test_sparse_error_is_at_most_half_a_scale(x: NDArray[np.float32], keep: float) -> None:
    x[np.random.default_rng(0).random(x.shape) > keep] = 0
    blocks = sparse_blocks(sparse.csr_array(x))
    assert (np.abs(dense_of(blocks, x.shape[1]) - x) <= half_scale(blocks["scale"])).all()


@given(st.lists(st.integers(0, 40), min_size=1, max_size=8), st.integers(0, 99))
def test_rows_are_sorted_and_padded(counts: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = np.zeros((len(counts), 50))
    for row, count in enumerate(counts):
        x[row, rng.choice(50, count, replace=False)] = rng.choice([-1, 1], count) * rng.integers(1, 6, count)
    blocks = sparse_blocks(sparse.csr_array(x))
    start = blocks["start"].tolist()
    assert np.diff(start).tolist() == [-(-count // 16) for count in counts]
    for row, count in enumerate(counts):
        index = blocks["index"][start[row] : start[row + 1]].ravel().tolist()
        code = blocks["value"][start[row] : start[row + 1]].ravel().tolist()
        assert not any(index[count:])
        assert not any(code[count:])
        order = [(-abs(c), i) for c, i in zip(code[:count], index[:count], strict=True)]
        assert order == sorted(order)


def test_sparse_blocks_by_hand() -> None:
    blocks = sparse_blocks(sparse.csr_array(np.array([[0, 127, -64, 0.4], [0, 0, 0, 0], [-2, 0, 0, 2]])))
    assert blocks["start"].tolist() == [0, 1, 1, 2]
    assert blocks["index"].tolist() == [[1, 2] + [0] * 14, [0, 3] + [0] * 14]
    assert blocks["value"].tolist() == [[127, -64] + [0] * 14, [-127, 127] + [0] * 14]
    assert blocks["scale"].tolist() == [1.0, 0.0, np.float32(2 / 127)]
    assert [blocks[key].dtype for key in ("start", "index", "value", "scale")] == [
        np.uint32,
        np.uint16,
        np.int8,
        np.float32,
    ]


def test_repeated_entries_add_up_and_the_input_stays() -> None:
    x = sparse.csr_array((np.array([1.0, 2.0]), np.array([1, 1]), np.array([0, 2])), shape=(1, 2))
    assert sparse_blocks(x)["scale"].tolist() == [np.float32(3 / 127)]
    assert x.nnz == 2


def test_large_catalogues_get_wide_indices() -> None:
    for columns, dtype in ((65536, np.uint16), (65537, np.uint32)):
        blocks = sparse_blocks(sparse.csr_array(([1.0], ([0], [columns - 1])), shape=(1, columns)))
        assert blocks["index"].dtype == dtype
        assert blocks["index"][0, 0] == columns - 1


def test_a_table_without_entries_has_no_blocks() -> None:
    blocks = sparse_blocks(sparse.csr_array((3, 3)))
    assert blocks["start"].tolist() == [0, 0, 0, 0]
    assert blocks["index"].shape == blocks["value"].shape == (0, 16)
