"""Compile a package's signals into two ONNX graphs: the ranker and the text encoder.

The graphs hold no table. A table is an *external initializer* named after its array entry, and the
engine binds the memory-mapped entry to that name; the location written in the graph is the word
``package`` and is never followed. A name with the suffix ``|blocks`` is the same memory seen in blocks
of 64 columns, the shape that MatMulNBits asks for::

    factors/value          uint8[I, d]           feeds the gather of the fold-in
    factors/value|blocks   uint8[I, d/64, 64]    feeds MatMulNBits
    factors/scale|blocks   float32[I, d/64]      feeds both: the row's scale, repeated for each block

Ranker inputs (only those that the package's signals need) and outputs::

    history_index int64[H], history_weight float32[H], block_index int64[NB], block_weight float32[NB],
    query float32[Q, D] (Q is 0 or 1), lexical_index int64[WB], lexical_weight float32[WB], title_index int64[E],
    title_weight float32[E], mask bool[I], weights float32[S], n int64[1]
    -> index int64[n], score float32[n], signals float32[S, n]

H, NB, Q, WB and E may all be zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from pocketrec.manifest import COLUMN_BLOCK, PRIORS, PROFILES, SIGNALS

IR_VERSION = 10
OPSETS = {"": 18, "com.microsoft": 1}

# Added to denominators: a history that likes nothing has residual 0, and 0 * 1e-30 / 1e-30 is 0, not NaN.
TINY = 1e-30

SMALLEST = 1e-36
"""Of the largest number of a block: with less, 127 / largest is not finite."""

_ONNX_TYPE = {"uint8": TensorProto.UINT8, "int8": TensorProto.INT8, "uint16": TensorProto.UINT16,
              "uint32": TensorProto.UINT32, "float32": TensorProto.FLOAT}  # fmt: skip


def ranker_graph(signals: Mapping[str, Mapping[str, Any]], *, arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """The serialized ranker of a package with these signals.

    Args:
        signals: The manifest's ``signals``, for example ``{"factors": {"dim": 64, "alpha": 8.0, "steps": 10}}``.
        arrays: The package's arrays by entry name; only their shapes and dtypes are read.

    Returns:
        ONNX bytes, a few kilobytes, the same for the same signals and shapes.

    Raises:
        ValueError: No signal, or one that is not known.
    """
    names = [name for name in SIGNALS if name in signals]
    if not names or len(names) != len(signals):
        raise ValueError(f"expected some of the signals {', '.join(SIGNALS)}, found {sorted(signals)}")
    graph = _Graph(arrays)
    weights = graph.input("weights", TensorProto.FLOAT, [len(names)])
    weight = dict(zip(names, graph.split(weights, len(names)), strict=True))
    if any(name in signals for name in ("factors", *PROFILES)):
        graph.input("history_index", TensorProto.INT64, ["H"])
        graph.node("Unsqueeze", graph.input("history_weight", TensorProto.FLOAT, ["H"]), [1], out="c")  # [H, 1]
    parts: dict[str, str] = {}  # signal -> its contribution to every item, float32[I]
    if "factors" in signals:
        parts["factors"] = _factors(graph, weight["factors"], signals["factors"])
    if "neighbours" in signals:
        parts["neighbours"] = _neighbours(graph, weight["neighbours"])
    parts |= _text(graph, {name: weight[name] for name in ("content", "semantic") if name in signals})
    if "attributes" in signals:
        parts["attributes"] = _attributes(graph, weight["attributes"])
    if "lexical" in signals:
        parts["lexical"] = _lexical(graph, weight["lexical"], items=_items(arrays))
    for name in PRIORS:
        if name in signals:
            parts[name] = graph.node("Mul", graph.table(f"{name}/value"), weight[name])
    _best(graph, [parts[name] for name in names], items=_items(arrays))
    return graph.serialize("ranker", {"index": TensorProto.INT64, "score": TensorProto.FLOAT,
                                      "signals": TensorProto.FLOAT})  # fmt: skip


def encoder_graph(tokens: int, dim: int, *, bits: int = 8) -> bytes:
    """The serialized static encoder: token_ids int64[T] -> vector float32[dim], unit length or all zero.

    Args:
        tokens: Rows of ``tokens/value``.
        dim: Width of the vectors, a multiple of 64.
        bits: Of a code, 8 or 4: then two columns share a byte of ``tokens/value``.
    """
    value = np.empty((tokens, dim * bits // 8), np.uint8)
    graph = _Graph({"tokens/value": value, "tokens/scale": np.empty(tokens, np.float32)})
    rows = graph.rows("tokens", graph.input("token_ids", TensorProto.INT64, ["T"]), bits=bits)  # [T, D]
    total = graph.node("ReduceSum", rows, [0], keepdims=0)
    norm = graph.node("Max", graph.node("ReduceL2", total, keepdims=1), np.array([TINY], np.float32))
    graph.node("Div", total, norm, out="vector")
    return graph.serialize("encoder", {"vector": TensorProto.FLOAT})


def _factors(graph: _Graph, weight: str, signal: Mapping[str, Any]) -> str:
    """Fold in: solve (I + sum (k_j - 1) v_j v_j^T) u = sum_{c_j > 0} k_j v_j, k_j = alpha |c_j|; then u . v_i.

    The rows v_j are whitened at export, which is why the matrix starts from I and why plain conjugate
    gradients need few steps. Source: Hu, Koren & Volinsky 2008, eq. 4; Hestenes & Stiefel 1952.
    """
    alpha, steps = float(signal["alpha"]), int(signal["steps"])
    v = graph.rows("factors", "history_index")  # [H, d]
    one = np.ones((1, 1), np.float32)
    k_1 = graph.node("Gemm", graph.node("Abs", "c"), one, -one, alpha=alpha)  # k_j - 1, [H, 1]
    a = graph.node("Gemm", v, graph.node("Mul", v, k_1), transA=1)  # the sum, [d, d]
    r = graph.node("Gemm", graph.node("Relu", "c"), v, transA=1, alpha=alpha)  # right side = residual of 0
    p, u = r, ""
    rr = graph.dot(r, r)
    for step in range(steps):
        q = graph.node("Gemm", p, a, p)  # p (I + a), and a is symmetric
        length = graph.node("Div", rr, graph.dot(p, q))
        move = graph.node("Mul", length, p)
        u = graph.node("Add", u, move) if u else move
        if step + 1 < steps:
            r = graph.node("Sub", r, graph.node("Mul", length, q))
            rr, before = graph.dot(r, r), rr
            p = graph.node("Add", r, graph.node("Mul", graph.node("Div", rr, before), p))
    return graph.node("MatMul", weight, graph.table_dot("factors", u))  # [1] x [1, I] -> [I]


def _neighbours(graph: _Graph, weight: str) -> str:
    """Sum over the gathered blocks of block_weight * value, added to each block's targets in order."""
    target, product = _blocks(graph, "neighbours", "NB", inputs="block")
    # Zeros from a table of the right length: ConstantOfShape would let a hostile graph name any size.
    zeros = graph.node("Mul", graph.table("neighbours/scale"), np.zeros(1, np.float32))
    return graph.node("Mul", graph.node("ScatterElements", zeros, target, product, reduction="add"), weight)


def _lexical(graph: _Graph, weight: str, *, items: int) -> str:
    """The same over the blocks of the query's words, then the titles that the query is."""
    target, product = _blocks(graph, "lexical", "WB", inputs="lexical")
    target = graph.node("Concat", target, graph.input("title_index", TensorProto.INT64, ["E"]), axis=0)
    product = graph.node("Concat", product, graph.input("title_weight", TensorProto.FLOAT, ["E"]), axis=0)
    zero = np.zeros(1, np.float32)
    zeros = graph.node("Where", graph.mask(items), zero, zero)  # no table of words is as long as the catalogue
    return graph.node("Mul", graph.node("ScatterElements", zeros, target, product, reduction="add"), weight)


def _blocks(graph: _Graph, table: str, count: str, *, inputs: str) -> tuple[str, str]:
    """Targets int64 and products float32 of the gathered blocks of a sparse table, flat."""
    index = graph.input(f"{inputs}_index", TensorProto.INT64, [count])
    weight = graph.input(f"{inputs}_weight", TensorProto.FLOAT, [count])
    target = graph.node("Cast", graph.node("Gather", graph.table(f"{table}/index"), index), to=TensorProto.INT64)
    value = graph.node("Cast", graph.node("Gather", graph.table(f"{table}/value"), index), to=TensorProto.FLOAT)
    product = graph.node("Mul", value, graph.node("Unsqueeze", weight, [1]))
    return graph.node("Reshape", target, [-1]), graph.node("Reshape", product, [-1])


def _attributes(graph: _Graph, weight: str) -> str:
    """The weighted sum of the history's rows times every row; without a history no row is multiplied."""
    profile = graph.node("Gemm", "c", graph.rows("attributes", "history_index"), transA=1)  # [1, A]
    count = graph.node("Min", graph.node("Shape", "history_index"), [1])
    x = graph.table_dot("attributes", graph.node("Slice", profile, [0], count))  # [0 or 1, I]
    return graph.node("MatMul", graph.node("Slice", weight, [0], count), x)


def _text(graph: _Graph, weight: Mapping[str, str]) -> dict[str, str]:
    """Content and semantic: one MatMulNBits over the rows [profile if H > 0; query if Q > 0].

    A row that is absent costs nothing and its signal is 0. The rows X[M, I] become two signals through
    two selectors of length M, so a selector is (content weight, 0), or the part of it that has rows.
    """
    if not weight:
        return {}
    rows: list[str] = []
    count: dict[str, str] = {}
    if "content" in weight:
        text = graph.rows("text", "history_index")  # [H, D]
        profile = graph.node("Gemm", "c", text, transA=1)  # [1, D]
        count["content"] = graph.node("Min", graph.node("Shape", "history_index"), [1])
        rows.append(graph.node("Slice", profile, [0], count["content"]))
    if "semantic" in weight:
        rows.append(graph.input("query", TensorProto.FLOAT, ["Q", graph.arrays["text/value"].shape[1]]))
        count["semantic"] = graph.node("Shape", "query", end=1)
    x = graph.table_dot("text", graph.node("Concat", *rows, axis=0) if len(rows) > 1 else rows[0])  # [M, I]
    zero = np.zeros(1, np.float32)
    parts = {}
    for signal in weight:
        selector = [graph.node("Slice", weight[signal] if row == signal else zero, [0], count[row]) for row in count]
        picked = graph.node("Concat", *selector, axis=0) if len(selector) > 1 else selector[0]
        parts[signal] = graph.node("MatMul", picked, x)  # [M] x [M, I] -> [I]
    return parts


def _best(graph: _Graph, parts: list[str], *, items: int) -> None:
    """Add up the contributions in order, keep the n best eligible items and what each signal gave them."""
    total = graph.node("Sum", *parts) if len(parts) > 1 else parts[0]
    masked = graph.node("Where", graph.mask(items), total, np.array(-np.inf, np.float32))
    graph.node("TopK", masked, graph.input("n", TensorProto.INT64, [1]), out=("score", "index"))
    row = graph.node("Unsqueeze", "index", [0])  # [1, n]
    graph.node("Concat", *(graph.node("Gather", part, row) for part in parts), axis=0, out="signals")


def _items(arrays: Mapping[str, NDArray[Any]]) -> int:
    """The number of items, from whichever table knows it."""
    priors = (f"{name}/value" for name in PRIORS)
    for name in ("factors/value", "text/value", "attributes/value", "neighbours/scale", *priors):
        if name in arrays:
            return int(arrays[name].shape[0])
    if "catalogue/id.offset" in arrays:
        return len(arrays["catalogue/id.offset"]) - 1
    raise ValueError("no array says how many items there are")


class _Graph:
    """Collects nodes, inputs, tables and constants; every value gets a short name of its own."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self.arrays = arrays
        self._nodes: list[onnx.NodeProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._initializers: dict[str, onnx.TensorProto] = {}

    def input(self, name: str, kind: int, shape: list[int | str]) -> str:
        self._inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def mask(self, items: int) -> str:
        """The input ``mask``, bool[items], whoever asks for it first."""
        if all(value.name != "mask" for value in self._inputs):
            self.input("mask", TensorProto.BOOL, [items])
        return "mask"

    def node(self, op: str, *operands: Any, out: str | Sequence[str] = "", domain: str = "", **attributes: Any) -> str:
        """Add one node and return its (first) output; operands that are not names become constants."""
        outputs = [out] if isinstance(out, str) else list(out)
        outputs = [name or f"t{len(self._nodes)}" for name in outputs]
        inputs = [value if isinstance(value, str) else self._constant(value) for value in operands]
        self._nodes.append(helper.make_node(op, inputs, outputs, domain=domain, **attributes))
        return outputs[0]

    def split(self, value: str, count: int, *, axis: int = 0) -> list[str]:
        if count == 1:
            return [value]
        names = [f"{value}_{i}" for i in range(count)]
        self.node("Split", value, out=tuple(names), axis=axis, num_outputs=count)
        return names

    def table(self, name: str, *, bits: int = 8) -> str:
        """An external initializer: array ``name`` as stored, or in blocks of 64 columns with ``|blocks``."""
        stored, blocks = name.removesuffix("|blocks"), name.endswith("|blocks")
        array = self.arrays[stored]
        shape = tuple(array.shape)
        if blocks:
            count = self.arrays[stored.replace("/scale", "/value")].shape[1] * 8 // bits // COLUMN_BLOCK
            shape = (shape[0], count) if stored.endswith("/scale") else (shape[0], count, COLUMN_BLOCK)
        tensor = TensorProto(name=name, data_type=_ONNX_TYPE[array.dtype.name], dims=shape)
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="package")
        self._initializers[name] = tensor
        return name

    def rows(self, table: str, index: str, *, bits: int = 8) -> str:
        """The rows ``index`` of a quantized table, float32[len(index), D]: (code - 128, with 4 bits - 8) * scale."""
        value, scale = self.table(f"{table}/value"), self.table(f"{table}/scale|blocks", bits=bits)
        return self.node("GatherBlockQuantized", value, index, scale, domain="com.microsoft", bits=bits,
                         block_size=COLUMN_BLOCK, gather_axis=0, quantize_axis=1)  # fmt: skip

    def table_dot(self, table: str, vectors: str) -> str:
        """vectors[M, D] times every row of a quantized table, float32[M, rows].

        accuracy_level 4 quantizes the vectors to int8 for each block of 64; without it this is 35x slower.
        """
        rows, dim = self.arrays[f"{table}/value"].shape
        value, scale = self.table(f"{table}/value|blocks"), self.table(f"{table}/scale|blocks")
        vectors = self._stepped(vectors, dim)
        return self.node("MatMulNBits", vectors, value, scale, domain="com.microsoft", K=dim, N=rows, bits=8,
                         block_size=COLUMN_BLOCK, accuracy_level=4)  # fmt: skip

    def _stepped(self, vectors: str, dim: int) -> str:
        """The vectors rounded to the 255 steps of each block of 64, which MatMulNBits finds again.

        It quantizes them itself where the CPU has the instructions for it. ARM without the dot product extension has
        not, and multiplies them as they are: without this, lists there are other lists.
        """
        blocks = []
        for block in self.split(vectors, dim // COLUMN_BLOCK, axis=1):
            largest = self.node("ReduceMax", self.node("Abs", block), [1])
            largest = self.node("Max", largest, np.array([SMALLEST], np.float32))
            steps = np.array([127], np.float32)
            rounded = self.node("Round", self.node("Mul", block, self.node("Div", steps, largest)))
            blocks.append(self.node("Mul", rounded, self.node("Div", largest, steps)))
        return self.node("Concat", *blocks, axis=1) if len(blocks) > 1 else blocks[0]

    def dot(self, a: str, b: str) -> str:
        """a . b + TINY for row vectors, float32[1, 1]."""
        return self.node("Gemm", a, b, np.full((1, 1), TINY, np.float32), transB=1)

    def serialize(self, name: str, outputs: Mapping[str, int]) -> bytes:
        shapes: dict[str, list[int | str]] = {"signals": ["S", "n"]}
        graph = helper.make_graph(
            self._nodes, name, self._inputs,
            [helper.make_tensor_value_info(out, kind, shapes.get(out, ["n"])) for out, kind in outputs.items()],
            initializer=list(self._initializers.values()))  # fmt: skip
        opsets = [helper.make_opsetid(domain, version) for domain, version in OPSETS.items()]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="pocketrec")
        return bytes(model.SerializeToString(deterministic=True))

    def _constant(self, value: Any) -> str:
        array = np.asarray(value, None if isinstance(value, np.ndarray) else np.int64)
        name = f"{array.dtype}{list(array.shape)}_{array.ravel()[0]}"  # all constants are single numbers
        self._initializers[name] = numpy_helper.from_array(array, name)
        return name
