"""The numpy engine: the readable specification of both graphs, and fast enough to serve.

Integer dot products run through float32 BLAS. They stay exact: every partial sum of 64 products of a
table byte (at most 255) and a query byte (at most 127) is an integer below 2^24, whatever the order.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pocketrec.dense import dequantize
from pocketrec.engine import RankerInput, RankerOutput
from pocketrec.errors import EngineError
from pocketrec.manifest import COLUMN_BLOCK, PRIORS, PROFILES

if TYPE_CHECKING:
    from pocketrec.package import Package

F32 = NDArray[np.float32]

TINY = 1e-30
"""Added to denominators: where a history likes nothing, 0 * 1e-30 / 1e-30 is 0 and not NaN."""
KEEP_BYTES = 64 << 20
"""A table whose float32 copy is larger than this is converted piece by piece in every call instead."""
_SPARSE = ("neighbours/index", "neighbours/value", "lexical/index", "lexical/value")
_PLAIN = (*_SPARSE, *(f"{name}/value" for name in PRIORS))
PIECE = 8192
"""Rows of such a piece."""


class Table:
    """A quantized table: value uint8[R, D] with zero point 128, scale float32[R]; that of tokens may have 4 bits."""

    def __init__(self, value: NDArray[np.uint8], scale: F32, *, bits: int = 8) -> None:
        self.value, self.scale, self.bits = value, scale, bits
        self._blocks: F32 | None = None

    def rows(self, index: NDArray[np.int64]) -> F32:
        """The rows ``index`` as float32[len(index), D]."""
        return dequantize(self.value[index], self.scale[index], bits=self.bits)

    def dot(self, vector: F32) -> F32:
        """``vector`` float32[D] times every row of a table of 8 bits, float32[R], by the quantization rule.

        The vector is quantized for each block of 64; a block adds float32(integer dot) * (query_scale *
        row_scale), in block order. This is what MatMulNBits with accuracy_level 4 computes.
        """
        q8, query_scale = quantize_query(vector)
        out = np.zeros(len(self.scale), np.float32)
        for start, blocks in self._pieces():
            part = slice(start, start + blocks.shape[1])
            for b in np.flatnonzero(query_scale):
                # (value - 128) . q = value . q - 128 * sum(q), both exact in float32
                dot = blocks[b] @ q8[b] - np.float32(128) * q8[b].sum()
                out[part] += dot * (query_scale[b] * self.scale[part])
        return out

    def _pieces(self) -> Iterator[tuple[int, F32]]:
        """The table as float32[D/64, rows, 64], with the row at which each piece starts."""
        rows, dim = self.value.shape
        if self._blocks is None and rows * dim * 4 <= KEEP_BYTES:
            self._blocks = _by_block(self.value)  # two threads may both do this; the results are equal
        if self._blocks is not None:
            yield 0, self._blocks
            return
        for start in range(0, rows, PIECE):
            yield start, _by_block(self.value[start : start + PIECE])


def _by_block(value: NDArray[np.uint8]) -> F32:
    """uint8[R, D] as float32[D/64, R, 64], block-major so that each product reads straight through."""
    blocks = value.reshape(len(value), -1, COLUMN_BLOCK).transpose(1, 0, 2)
    return blocks.astype(np.float32, order="C")


def quantize_query(vector: F32) -> tuple[F32, F32]:
    """The query in int8 steps: integers as float32[D/64, 64] within +-127, and scale float32[D/64].

    round half to even of q * (127 / max|q|). A block of zeros has scale 0, and so has one so small that
    127 / max|q| is not finite: it would add less than 1e-30.
    """
    blocks = vector.reshape(-1, COLUMN_BLOCK)
    largest = np.abs(blocks).max(axis=1)
    largest[largest < 1e-36] = 0
    inverse = np.divide(np.float32(127), largest, out=np.zeros_like(largest), where=largest > 0)
    return np.rint(blocks * inverse[:, None]), largest / np.float32(127)


def fold_in(rows: F32, weight: F32, *, alpha: float, steps: int) -> F32:
    """A user's factors from a history, float32[d].

    Worked out in float64, so that the order in which BLAS or another language adds up does not show in float32.

    Solves (I + sum_j (k_j - 1) v_j v_j^T) u = sum_{c_j > 0} k_j v_j with k_j = alpha |c_j| by conjugate
    gradients from u = 0 in a fixed number of steps. The I is the whitened Gram matrix of all items.

    Args:
        rows: Whitened item factors of the history, float32[H, d].
        weight: c, float32[H].
        alpha: Confidence of weight 1 (implicit's convention: confidence alpha * r, not 1 + alpha * r).
        steps: Iterations, at least 1.

    Source: Hu, Koren & Volinsky 2008, eq. 4; Hestenes & Stiefel 1952.
    """
    v, c = rows.astype(np.float64), weight.astype(np.float64)
    more = alpha * np.abs(c) - 1
    r = (alpha * np.maximum(c, 0)) @ v
    u = np.zeros_like(r)
    p = r.copy()
    rr = _dot(r, r)
    for _ in range(steps):
        q = p + (more * (v @ p)) @ v
        length = rr / _dot(p, q)
        u += length * p
        r -= length * q
        rr, before = _dot(r, r), rr
        p = r + (rr / before) * p
    return u.astype(np.float32)


def _dot(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    return float(a @ b) + TINY


def weighted_sum(rows: F32, weight: F32) -> F32:
    """sum_j c_j t_j over the rows float32[H, D] of a history, float32[D]; added up in float64 for the same reason."""
    return (weight.astype(np.float64) @ rows.astype(np.float64)).astype(np.float32)


def best(score: F32, mask: NDArray[np.bool_], n: int) -> NDArray[np.int64]:
    """Indices of the n largest eligible scores, int64[n], best first, ties by lower index.

    Equals a full stable sort of the eligible items, at the cost of a selection.
    """
    eligible = np.flatnonzero(mask)
    held = score[eligible]
    if n < len(held):
        border = np.partition(held, len(held) - n)[len(held) - n]  # the n-th largest
        above = np.flatnonzero(held > border)
        level = np.flatnonzero(held == border)[: n - len(above)]
        keep = np.sort(np.concatenate([above, level]))
        eligible, held = eligible[keep], held[keep]
    return eligible[np.argsort(-held, kind="stable")].astype(np.int64, copy=False)


class NumpyEngine:
    """Both graphs in numpy. Nothing is written after the float32 copies are made, so threads may share it."""

    name = "numpy"

    def __init__(self, package: Package) -> None:
        self._signals = package.manifest.signals.names
        self._settings = package.manifest.signals.factors
        tables = {
            name: Table(package.array(f"{name}/value"), package.array(f"{name}/scale"), bits=package.bits(name))
            for name in ("factors", "text", "attributes", "tokens")
            if package.has(f"{name}/value")
        }
        arrays = {name: package.array(name) for name in _PLAIN if package.has(name)}
        # One attribute, read once a call: a close in between lets the call keep all that it began with.
        self._state: tuple[dict[str, Table], dict[str, NDArray[Any]]] | None = (tables, arrays)

    def encode(self, token_ids: NDArray[np.int64]) -> F32:
        """The unit vector of a text, float32[D]; all zero when there is no token."""
        tables, _ = self._open()
        if "tokens" not in tables:
            raise EngineError("this package has no text encoder, so it cannot search by text")
        with _as_engine_error("encode"):
            # Row by row in float32, as reduce over the outer axis does; the norm in float64, in order.
            total = np.add.reduce(tables["tokens"].rows(token_ids), axis=0)
            exact = total.astype(np.float64)
            norm = math.sqrt(np.add.accumulate(exact * exact)[-1])
            unit: F32 = (exact / norm).astype(np.float32) if norm > 0 else total
            return unit

    def rank(self, task: RankerInput) -> RankerOutput:
        """The best ``task.n`` eligible items with each signal's contribution."""
        tables, arrays = self._open()
        with _as_engine_error("rank"):
            parts = np.zeros((len(self._signals), len(task.mask)), np.float32)
            for s, signal in enumerate(self._signals):
                raw = self._signal(signal, task, tables, arrays)
                if raw is not None:
                    np.multiply(raw, task.weights[s], out=parts[s])
            score = parts[0].copy()
            for part in parts[1:]:
                score += part
            index = best(score, task.mask, task.n)
            return RankerOutput(index, score[index], parts[:, index])

    def _signal(
        self, signal: str, task: RankerInput, tables: dict[str, Table], arrays: dict[str, NDArray[Any]]
    ) -> F32 | None:
        """One signal before its weight, float32[I]; None where its input is missing and it gives nothing."""
        if signal in PRIORS:
            prior: F32 = arrays[f"{signal}/value"]
            return prior
        if signal == "semantic":
            return tables["text"].dot(task.query[0]) if len(task.query) else None
        if signal == "neighbours":
            return _neighbours(task, arrays) if len(task.block_index) else None
        if signal == "lexical":
            return _lexical(task, arrays) if len(task.lexical_index) or len(task.title_index) else None
        if not len(task.history_index):
            return None
        if signal in PROFILES:
            table = tables[PROFILES[signal]]
            return table.dot(weighted_sum(table.rows(task.history_index), task.history_weight))
        assert self._settings is not None, "the manifest has the settings of every signal it names"
        rows = tables["factors"].rows(task.history_index)
        alpha, steps = self._settings.alpha, self._settings.steps
        return tables["factors"].dot(fold_in(rows, task.history_weight, alpha=alpha, steps=steps))

    def close(self) -> None:
        """Let go of the package's memory; calls that are running finish undisturbed."""
        self._state = None

    def _open(self) -> tuple[dict[str, Table], dict[str, NDArray[Any]]]:
        state = self._state
        if state is None:
            raise EngineError("the engine was closed")
        return state


@contextmanager
def _as_engine_error(verb: str) -> Iterator[None]:
    """An index or a shape that does not fit is the engine's failure, as it is in ONNX Runtime.

    Numbers that overflow are no failure yet: as there, they become infinite, and who asked looks at the scores.
    """
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            yield
    except (IndexError, ValueError) as error:
        raise EngineError(f"the numpy engine could not {verb}: {error}") from error


def _neighbours(task: RankerInput, arrays: dict[str, NDArray[Any]]) -> F32:
    """Sum over the history's blocks of block_weight * value."""
    return _scatter(*_blocks("neighbours", arrays, task.block_index, task.block_weight), len(task.mask))


def _lexical(task: RankerInput, arrays: dict[str, NDArray[Any]]) -> F32:
    """The same over the blocks of the query's words; then what its titles get."""
    target, product = _blocks("lexical", arrays, task.lexical_index, task.lexical_weight)
    return _scatter(
        np.concatenate((target, task.title_index)), np.concatenate((product, task.title_weight)), len(task.mask)
    )


def _blocks(
    table: str, arrays: dict[str, NDArray[Any]], index: NDArray[np.int64], weight: F32
) -> tuple[NDArray[np.int64], F32]:
    """Target items and products of some blocks of a sparse table, in block order."""
    target = arrays[f"{table}/index"][index].astype(np.int64)
    product: F32 = arrays[f"{table}/value"][index] * weight[:, None]
    return target.ravel(), product.ravel()


def _scatter(target: NDArray[np.int64], product: F32, items: int) -> F32:
    """float32[items]: the products added up by target, one after another."""
    out = np.zeros(items, np.float32)
    np.add.at(out, target, product)
    return out
