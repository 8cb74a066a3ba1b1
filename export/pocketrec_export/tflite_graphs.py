"""Compile a package's signals into TFLite models: the ranker and the text encoder, as `graphs` does into ONNX.

A TFLite model brings its own copy of the tables, each once for all signatures. Its shapes are fixed, so there is one
signature for each size of input (`ranker_sizes`, `ENCODER_SIZES`), and what a call leaves empty is filled with the row
behind the last one, which is all zero, and weight 0. That row is also an item that nobody may have (`mask` False): one
more than can be asked for, so that the best are always selected, never all of them sorted.

**The product with a table is exact**, as the quantization rule wants it, on every runtime and CPU. A dynamically
quantized FULLY_CONNECTED would quantize the query by a rule of its own. Here the graph quantizes it, in blocks of 64,
and hands the operator whole numbers between the two sentinels -128 and 127, which meet zeros in the table::

    codes of 64 columns | -128 | 127      x      64 codes of the item | 0 | 0

so that whatever the runtime makes of the range, its step is 1 and its zero point 0. The table has the one scale 1, for
tflite-runtime 2.14 reads only the first of many (the per-channel models of today's converters are silent garbage
there); an item's own scale is multiplied after the product, as in the other engines.

Inputs (only those that the signals need; R = I + 1, D text columns, sizes of each signature) and outputs::

    history_index int32[H], history_weight float32[H, 1], block_index int32[NB], block_weight float32[NB, 1],
    query float32[1, D], lexical_index int32[WB], lexical_weight float32[WB, 1], title_index int32[E],
    title_weight float32[E], mask bool[1, R], weights float32[1, S], n int32[1]
    -> index int32[1, n], score float32[1, n], signals float32[S, n]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pocketrec.lexicon import MAX_TITLES
from pocketrec.manifest import COLUMN_BLOCK, PRIORS, PROFILES, SIGNALS
from pocketrec.tflite_tables import SENTINELS, WIDTH, table_of

from pocketrec_export.tflite_model import Graph, Model, Tensor

HISTORY_SIZES = (32, 128)
"""Items of a signature's history, besides the most that the package allows."""
BLOCK_SHARES = (8, 2, 1)
"""The blocks that go with them: the package's budget divided by these."""
ENCODER_SIZES = (16, 32, 64, 128)
"""Tokens of a signature's text, besides the most that the package allows."""

QUERY_SIGNALS = ("semantic", "lexical")
"""What counts only where there is a query."""

TINY = np.float32(1e-30)
SMALLEST = np.float32(1e-36)
STEPS = np.float32(127)


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a signature has room for."""

    history: int
    blocks: int
    words: int
    titles: int


def ranker_sizes(signals: Mapping[str, Mapping[str, Any]], *, arrays: Mapping[str, Any], history: int) -> list[Sizes]:
    """The sizes of the ranker's signatures, the smallest first.

    Args:
        signals: the manifest's.
        arrays: the package's arrays by entry name.
        history: the most items of a history.
    """

    def budget(signal: str) -> int:
        return max(1, min(signals[signal]["budget"], len(arrays[f"{signal}/index"]))) if signal in signals else 0

    items = [size for size in HISTORY_SIZES if size < history]
    items += [history] * (len(BLOCK_SHARES) - len(items))
    blocks, words = budget("neighbours"), budget("lexical")
    return [
        Sizes(size, -(-blocks // share), -(-words // share), MAX_TITLES)
        for size, share in zip(items, BLOCK_SHARES, strict=True)
    ]


def ranker_model(
    signals: Mapping[str, Mapping[str, Any]], *, arrays: Mapping[str, NDArray[Any]], items: int, history: int
) -> bytes:
    """The serialized ranker of a package with these signals.

    Args:
        signals: The manifest's ``signals``.
        arrays: The package's arrays by entry name.
        items: I.
        history: The most items of a history.

    Returns:
        TFLite bytes, with the signatures ``recommend_0``, ``recommend_1``, ... for calls without a query, which cost
        less, and ``search_0``, ... for all; or ``rank_0``, ... where that makes no difference.

    Raises:
        ValueError: No signal, or one that is not known.
    """
    names = [name for name in SIGNALS if name in signals]
    if not names or len(names) != len(signals):
        raise ValueError(f"expected some of the signals {', '.join(SIGNALS)}, found {sorted(signals)}")
    model, tables = Model(), _Tables(arrays, items)
    sizes = ranker_sizes(signals, arrays=arrays, history=history)
    without = [name for name in names if name not in QUERY_SIGNALS]
    families = {"recommend": without, "search": names} if 0 < len(without) < len(names) else {"rank": names}
    for family, used in families.items():
        for number, size in enumerate(sizes):
            graph = _Graph(model.graph(f"{family}_{number}"), tables, size)
            weights = graph.split(graph.input("weights", [1, len(names)]), len(names), axis=1)
            raw = _signals(graph, {name: signals[name] for name in used})
            parts = {
                name: graph.node("MUL", raw[name], weight)
                for name, weight in zip(names, weights, strict=True)
                if name in raw
            }
            graph.finish(_best(graph, parts, names))
    return model.serialize()


def encoder_model(*, arrays: Mapping[str, NDArray[Any]], tokens: int, bits: int) -> bytes:
    """The serialized static encoder, signatures ``encode_0``, ...: token_ids int32[T] -> vector float32[1, D].

    Args:
        arrays: The package's arrays by entry name.
        tokens: The most tokens of a text.
        bits: Of a code, 8 or 4: then two columns share a byte of ``tokens/value``.
    """
    model, tables = Model(), _Tables(arrays, 0)
    sizes = [size for size in ENCODER_SIZES if size < tokens] + [tokens]
    for number, size in enumerate(sizes):
        graph = _Graph(model.graph(f"encode_{number}"), tables, Sizes(0, 0, 0, 0))
        index = graph.input("token_ids", [size], "int32")
        total = (_sum_of_codes if bits == 8 else _sum_of_halves)(graph, index)  # [1, D]
        norm = graph.node("SQRT", graph.reduce("SUM", graph.node("MUL", total, total), axis=1))
        graph.finish({"vector": graph.node("DIV", total, graph.node("MAXIMUM", norm, graph.scalar(TINY)))})
    return model.serialize()


def _sum_of_codes(graph: _Graph, index: Tensor) -> Tensor:
    codes, scale = graph.codes("tokens/codes", index)
    return graph.reduce("SUM", graph.node("MUL", codes, scale), axis=0)


def _sum_of_halves(graph: _Graph, index: Tensor) -> Tensor:
    """The same of a table of halves: byte k of a row holds column 2k in its low four bits, 2k + 1 in its high four."""
    codes, scale = graph.codes("tokens/codes", index)
    byte = graph.node("ADD", codes, graph.scalar(np.float32(128)))
    high = graph.node("FLOOR", graph.node("MUL", byte, graph.scalar(np.float32(1 / 16))))
    low = graph.node("SUB", byte, graph.node("MUL", high, graph.scalar(np.float32(16))))
    sums = []
    for code in (low, high):
        value = graph.node("MUL", graph.node("SUB", code, graph.scalar(np.float32(8))), scale)
        column = graph.reduce("SUM", value, axis=0)  # [1, D / 2]
        sums.append(graph.node("RESHAPE", column, graph.numbers(column.shape[1], 1)))
    pairs = graph.join(sums, axis=1)  # [D / 2, 2]
    return graph.node("RESHAPE", pairs, graph.numbers(1, 2 * pairs.shape[0]))


def _signals(graph: _Graph, signals: Mapping[str, Mapping[str, Any]]) -> dict[str, Tensor]:
    """Each signal before its weight, float32[1, R]."""
    raw: dict[str, Tensor] = {}
    if "factors" in signals:
        vector = _fold_in(graph, signals["factors"])
        raw["factors"] = graph.table_dot("factors", graph.split(vector, graph.blocks("factors"), axis=1))
    if "neighbours" in signals:
        raw["neighbours"] = graph.scatter(*graph.sparse("neighbours", "block", graph.sizes.blocks))
    for signal, table in PROFILES.items():
        if signal in signals and not (signal == "content" and "semantic" in signals):
            raw[signal] = graph.table_dot(table, _profile(graph, table))
    if "semantic" in signals:
        rows = [_query(graph)]
        if "content" in signals:
            rows.insert(0, _profile(graph, "text"))
        both = graph.table_dot("text", [graph.join(list(block), axis=0) for block in zip(*rows, strict=True)])
        raw |= zip(["content", "semantic"][-len(rows) :], graph.split(both, len(rows), axis=0), strict=True)
    if "lexical" in signals:
        target, product = graph.sparse("lexical", "lexical", graph.sizes.words)
        titles = graph.input("title_index", [graph.sizes.titles], "int32")
        titles = graph.node("RESHAPE", titles, graph.numbers(graph.sizes.titles, 1))
        gift = graph.input("title_weight", [graph.sizes.titles])
        raw["lexical"] = graph.scatter(graph.join([target, titles], axis=0), graph.join([product, gift], axis=0))
    for name in PRIORS:
        if name in signals:
            raw[name] = graph.table(f"{name}/value")
    return raw


def _fold_in(graph: _Graph, signal: Mapping[str, Any]) -> Tensor:
    """A user's factors [1, d]: conjugate gradients, see `pocketrec.engine_numpy.fold_in`."""
    alpha, one, tiny = (graph.scalar(np.float32(value)) for value in (signal["alpha"], 1, TINY))
    index, weight = graph.history()
    v = graph.join([graph.rows(f"factors:{block}", index) for block in range(graph.blocks("factors"))], axis=1)
    k_1 = graph.node("SUB", graph.node("MUL", graph.node("ABS", weight), alpha), one)  # k_j - 1
    a = graph.node("BATCH_MATMUL", v, graph.node("MUL", v, k_1), adj_x=1)
    r = graph.node("MUL", graph.node("BATCH_MATMUL", graph.node("RELU", weight), v, adj_x=1), alpha)

    def dot(x: Tensor, y: Tensor) -> Tensor:
        return graph.node("ADD", graph.reduce("SUM", graph.node("MUL", x, y), axis=1), tiny)

    p, u, rr = r, None, dot(r, r)
    for step in range(int(signal["steps"])):
        q = graph.node("ADD", p, graph.node("BATCH_MATMUL", p, a))
        length = graph.node("DIV", rr, dot(p, q))
        move = graph.node("MUL", length, p)
        u = move if u is None else graph.node("ADD", u, move)
        if step + 1 < int(signal["steps"]):
            r = graph.node("SUB", r, graph.node("MUL", length, q))
            rr, before = dot(r, r), rr
            p = graph.node("ADD", r, graph.node("MUL", graph.node("DIV", rr, before), p))
    assert u is not None, "the manifest has at least one step"
    return u


def _profile(graph: _Graph, table: str) -> list[Tensor]:
    """The weighted sum of the history's rows, [1, WIDTH] for each block of columns."""
    index, weight = graph.history()
    return [
        graph.node("BATCH_MATMUL", weight, graph.rows(f"{table}:{block}", index), adj_x=1)
        for block in range(graph.blocks(table))
    ]


def _query(graph: _Graph) -> list[Tensor]:
    """The query in blocks of columns, each [1, WIDTH]."""
    count = graph.blocks("text")
    blocks = graph.split(graph.input("query", [1, count * COLUMN_BLOCK]), count, axis=1)
    return [graph.join([block, graph.constant(np.zeros((1, 2), np.float32))], axis=1) for block in blocks]


def _best(graph: _Graph, parts: Mapping[str, Tensor], names: Sequence[str]) -> dict[str, Tensor]:
    """The contributions added up in order, the n best eligible items, and what each signal gave them."""
    total: Tensor | None = None
    for part in parts.values():
        total = part if total is None else graph.node("ADD", total, part)
    assert total is not None, "a package has a signal"
    mask = graph.input("mask", list(total.shape), "bool")
    total = graph.node("SELECT_V2", mask, total, graph.scalar(np.float32(-np.inf)), dtype="float32")
    score, index = graph.nodes("TOPK_V2", total, graph.input("n", [1], "int32"), dtypes=["float32", "int32"])
    flat = graph.node("RESHAPE", index, graph.numbers(-1))
    given = {name: graph.node("GATHER", part, flat, axis=1) for name, part in parts.items()}
    nothing = (
        graph.node("MUL", next(iter(given.values())), graph.scalar(np.float32(0))) if len(given) < len(names) else None
    )
    rows = [row for name in names if (row := given.get(name, nothing)) is not None]
    return {"index": index, "score": score, "signals": graph.join(rows, axis=0)}


class _Tables:
    """The tables of a package in the form in which a model holds them, each made once."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]], items: int) -> None:
        self.items = items
        self._arrays = arrays
        self._made: dict[str, NDArray[Any]] = {}
        self._constants: dict[bytes, NDArray[Any]] = {}

    def blocks(self, table: str) -> int:
        return int(self._arrays[f"{table}/value"].shape[1]) // COLUMN_BLOCK

    def get(self, name: str) -> NDArray[Any]:
        if name not in self._made:
            self._made[name] = table_of(name, self._arrays.__getitem__, items=self.items)
        return self._made[name]

    def constant(self, array: NDArray[Any]) -> NDArray[Any]:
        """One and the same array for equal ones, so that a model stores it once."""
        return self._constants.setdefault(repr((array.dtype, array.shape)).encode() + array.tobytes(), array)


class _Graph:
    """A `tflite_model.Graph` that knows our tables and the idioms made of several operators."""

    def __init__(self, graph: Graph, tables: _Tables, sizes: Sizes) -> None:
        self._graph, self._tables, self.sizes = graph, tables, sizes
        self.node, self.nodes, self.finish = graph.node, graph.nodes, graph.finish
        self.blocks = tables.blocks
        self._rows: dict[str, Tensor] = {}

    def input(self, name: str, shape: Sequence[int], dtype: str = "float32") -> Tensor:
        return self._graph.input(name, shape, dtype)

    def history(self) -> tuple[Tensor, Tensor]:
        size = self.sizes.history
        return self.input("history_index", [size], "int32"), self.input("history_weight", [size, 1])

    def constant(self, array: NDArray[Any], **more: Any) -> Tensor:
        return self._graph.constant(self._tables.constant(array), **more)

    def scalar(self, value: np.float32) -> Tensor:
        return self.constant(np.array([[value]], np.float32))

    def numbers(self, *values: int) -> Tensor:
        return self.constant(np.array(values, np.int32))

    def table(self, name: str) -> Tensor:
        """A table by its name; the codes of dense tables count as quantized with scale 1."""
        scale = np.ones(1, np.float32) if ":" in name else None
        return self._graph.constant(self._tables.get(name), name=name, scale=scale)

    def join(self, tensors: Sequence[Tensor], *, axis: int) -> Tensor:
        return tensors[0] if len(tensors) == 1 else self.node("CONCATENATION", *tensors, axis=axis)

    def split(self, tensor: Tensor, count: int, *, axis: int) -> list[Tensor]:
        if count == 1:
            return [tensor]
        return self.nodes("SPLIT", self.numbers(axis), tensor, dtypes=["float32"] * count, num_splits=count)

    def reduce(self, operator: str, tensor: Tensor, *, axis: int) -> Tensor:
        return self.node(operator, tensor, self.numbers(axis), keep_dims=1)

    def rows(self, table: str, index: Tensor) -> Tensor:
        """The rows ``index`` of a table of codes as float32[len(index), columns]: code * scale."""
        if table not in self._rows:
            self._rows[table] = self.node("MUL", *self.codes(table, index))
        return self._rows[table]

    def codes(self, table: str, index: Tensor) -> tuple[Tensor, Tensor]:
        """The codes of rows as float32[len(index), columns], and their scales [len(index), 1]."""
        codes = self.node("CAST", self.node("GATHER", self.table(table), index), dtype="float32")
        name = table.partition(":")[0].partition("/")[0]
        scale = self.node("GATHER", self.table(f"{name}/scale"), index, axis=1)  # [1, len(index)]
        return codes, self.node("RESHAPE", scale, self.numbers(index.shape[0], 1))

    def table_dot(self, table: str, blocks: Sequence[Tensor]) -> Tensor:
        """Vectors [M, WIDTH] a block of columns times every row of a table, float32[M, R], by the quantization rule."""
        total: Tensor | None = None
        for number, vector in enumerate(blocks):
            codes, scale = self._quantized(vector)
            dot = self.node("FULLY_CONNECTED", codes, self.table(f"{table}:{number}"), dtype="float32",
                            keep_num_dims=1, asymmetric_quantize_inputs=1)  # fmt: skip
            part = self.node("MUL", dot, self.node("MUL", self.table(f"{table}/scale"), scale))
            total = part if total is None else self.node("ADD", total, part)
        assert total is not None, "a table has columns"
        return total

    def _quantized(self, vector: Tensor) -> tuple[Tensor, Tensor]:
        """Whole numbers within +-127 between the sentinels [M, WIDTH], and the step [M, 1]."""
        largest = self.reduce("REDUCE_MAX", self.node("ABS", vector), axis=1)
        largest = self.node("MAXIMUM", largest, self.scalar(SMALLEST))
        steps = self.scalar(STEPS)
        rounded = self.node("ROUND", self.node("MUL", vector, self.node("DIV", steps, largest)))
        sentinels = np.zeros((1, WIDTH), np.float32)
        sentinels[0, COLUMN_BLOCK:] = SENTINELS
        return self.node("ADD", rounded, self.constant(sentinels)), self.node("DIV", largest, steps)

    def sparse(self, table: str, inputs: str, count: int) -> tuple[Tensor, Tensor]:
        """Targets int32[M, 1] and products float32[M] of the gathered blocks of a sparse table."""
        index = self.input(f"{inputs}_index", [count], "int32")
        weight = self.input(f"{inputs}_weight", [count, 1])
        target = self.node("GATHER", self.table(f"{table}/index"), index)
        if target.dtype != "int32":
            target = self.node("CAST", target, dtype="int32")
        value = self.node("CAST", self.node("GATHER", self.table(f"{table}/value"), index), dtype="float32")
        product = self.node("MUL", value, weight)
        size = int(np.prod(target.shape))
        return (self.node("RESHAPE", target, self.numbers(size, 1)), self.node("RESHAPE", product, self.numbers(size)))

    def scatter(self, target: Tensor, product: Tensor) -> Tensor:
        """float32[R]: the products added up by target, one after another."""
        return self.node("SCATTER_ND", target, product, self.numbers(self._tables.items + 1), dtype="float32")
