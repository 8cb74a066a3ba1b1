"""Read a TFLite model's bytes before the interpreter does, and refuse all but the little that we write.

A package is untrusted, and the interpreter believes what a flatbuffer says. Here every table is walked with its offsets
checked, any field or operator that we do not use is refused, shapes are worked out anew by the rules of
`tflite_operators`, and all values together must stay below a limit. A table that a model embeds must be the package's
own, byte for byte (whose values are checked by `layout`), so that no model brings numbers of its own.

Source: tensorflow/lite/schema/schema.fbs, version 3.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketrec.errors import PackageError
from pocketrec.flatbuffer import Table, root
from pocketrec.onnx_guard import MAX_NUMBERS, MAX_NUMBERS_PER_ITEM
from pocketrec.tflite_operators import MAX_RANK, OPERATORS, TYPES, Call, Shape

MAX_SIGNATURES = 16
MAX_ENTRIES = 4096
"""Tensors, operators or buffers of one model or signature."""
MAX_SMALL = 1024
"""Bytes of a constant that is not a table of the package."""
ALIGNMENT = 16
_NAMES = {operator.code: name for name, operator in OPERATORS.items()}
_DTYPES = {number: dtype for dtype, number in TYPES.items()}


@dataclass(frozen=True, slots=True)
class Value:
    """Dtype and shape of a tensor."""

    dtype: str
    shape: Shape


@dataclass(frozen=True, slots=True)
class Signature:
    """What a signature takes and gives, by name."""

    inputs: Mapping[str, Value]
    outputs: Mapping[str, Value]


def check_model(
    data: bytes | memoryview, *, table: Callable[[str], NDArray[np.generic]], items: int
) -> dict[str, Signature]:
    """The signatures of a model by name, once every part of it has been looked at.

    Args:
        data: the model.
        table: the package's own table by the name that it has in a model; ValueError or PackageError if there is none.
        items: of the package, for the limit of what the values may hold.

    Raises:
        PackageError: the bytes are damaged, use anything outside our lists, embed a table that is not the package's,
            or would need more memory than our own models do.
    """
    model = root(memoryview(data), b"TFL3", what="the model", slots=(0, 1, 2, 3, 4, 7))
    if model.number(0, 4) != 3:
        raise PackageError(f"TFLite model: schema version {model.number(0, 4)} is not 3")
    codes = [_code(code) for code in model.tables(1, what="an operator code", slots=(0, 2, 3), most=len(OPERATORS))]
    listed = model.tables(4, what="a buffer", slots=(0,), most=MAX_ENTRIES)
    buffers = [_buffer(buffer, data) for buffer in listed]
    if not buffers or buffers[0].size:
        raise PackageError("TFLite model: buffer 0 is not the empty one")
    constants = _Constants(buffers, table)
    graphs = [
        _Graph(graph, codes, constants, limit=MAX_NUMBERS + MAX_NUMBERS_PER_ITEM * items)
        for graph in model.tables(2, what="a subgraph", slots=(0, 1, 2, 3, 4), most=MAX_SIGNATURES)
    ]
    found = model.tables(7, what="a signature", slots=(0, 1, 2, 4), most=MAX_SIGNATURES)
    signatures = {signature.text(2): _signature(signature, graphs) for signature in found}
    if len(signatures) != len(graphs) or sorted(s.number(4, 4) for s in found) != list(range(len(graphs))):
        raise PackageError("TFLite model: signatures and subgraphs do not go together")
    return signatures


def operators_of(data: bytes | memoryview) -> set[str]:
    """The operators of a model: what a reduced build of the runtime needs.

    Raises:
        PackageError: the bytes are not a model of ours.
    """
    model = root(memoryview(data), b"TFL3", what="the model", slots=(0, 1, 2, 3, 4, 7))
    codes = model.tables(1, what="an operator code", slots=(0, 2, 3), most=len(OPERATORS))
    return {_code(code) for code in codes}


def _code(code: Table) -> str:
    number = code.number(3, 4)
    name = _NAMES.get(number)
    if name is None or code.number(0, 1) != min(number, 127) or code.number(2, 4, 1) != OPERATORS[name].version:
        raise PackageError(f"TFLite model: operator {number} is not one that we run")
    return name


def _buffer(buffer: Table, whole: bytes | memoryview) -> NDArray[np.uint8]:
    """The bytes of a constant, which lie where vector loads may read them."""
    data = buffer.numbers(0, "uint8")
    start = np.frombuffer(whole, np.uint8).ctypes.data
    if data.size and (data.ctypes.data - start) % ALIGNMENT:
        raise PackageError(f"TFLite model: a buffer does not start at a multiple of {ALIGNMENT}")
    return data


class _Constants:
    """The buffers of a model, each compared with the package's table of its name, once."""

    def __init__(self, buffers: list[NDArray[np.uint8]], table: Callable[[str], NDArray[np.generic]]) -> None:
        self._buffers, self._table = buffers, table
        self._checked: set[tuple[int, str, Value]] = set()

    def get(self, number: int, name: str, value: Value) -> NDArray[np.uint8] | None:
        """The bytes of a constant; None for a tensor that has no buffer."""
        if not 0 <= number < len(self._buffers):
            raise PackageError(f"TFLite model: tensor {name!r} has a buffer that does not exist")
        data = self._buffers[number]
        if not data.size:
            return None
        if data.size != math.prod(value.shape) * np.dtype(value.dtype).itemsize:
            raise PackageError(f"TFLite model: {name!r} of shape {value.shape} does not hold its own values")
        if data.size > MAX_SMALL or _is_table(name):
            self._compare(number, name, value, data)
        return data

    def _compare(self, number: int, name: str, value: Value, data: NDArray[np.uint8]) -> None:
        key = (number, name, value)
        if key in self._checked:
            return
        try:
            own = self._table(name)
        except (ValueError, PackageError) as error:
            raise PackageError(f"TFLite model: {name!r} is no table of this package: {error}") from error
        if (own.dtype.name, own.shape) != (value.dtype, value.shape):
            raise PackageError(
                f"TFLite model: {name!r} is {value.dtype}{list(value.shape)}, "
                f"the package has {own.dtype.name}{list(own.shape)}"
            )
        if not np.array_equal(np.ascontiguousarray(own).view(np.uint8).reshape(-1), data):
            raise PackageError(f"TFLite model: {name!r} is not the package's own table")
        self._checked.add(key)


def _is_table(name: str) -> bool:
    return ":" in name or "/" in name


class _Graph:
    """One subgraph: its tensors, and what every operator makes of them.

    Attributes:
        inputs: numbers of tensors.
        outputs: likewise.
        counts: those that say how many are the best. tflite-runtime 2.14 dies of 0, for which no host asks.
    """

    def __init__(self, graph: Table, codes: list[str], constants: _Constants, *, limit: int) -> None:
        tensors = graph.tables(0, what="a tensor", slots=(0, 1, 2, 3, 4), most=MAX_ENTRIES)
        self._values = [_value(tensor) for tensor in tensors]
        self._constants = {
            number: data
            for number, (tensor, value) in enumerate(zip(tensors, self._values, strict=True))
            if (data := constants.get(tensor.number(2, -4), tensor.text(3), value)) is not None
        }
        self.inputs, self.outputs = _indices(graph, 1, len(tensors)), _indices(graph, 2, len(tensors))
        self._known = {*self._constants, *self.inputs}
        if len(self._known) != len(self._constants) + len(self.inputs) or -1 in (*self.inputs, *self.outputs):
            raise PackageError("TFLite model: an input appears twice, or is a constant")
        self.counts: set[int] = set()
        self._total, self._limit = 0, limit
        for operator in graph.tables(3, what="an operator", slots=(0, 1, 2, 3, 4), most=MAX_ENTRIES):
            self._run(operator, codes)
        if not set(self.outputs) <= self._known:
            raise PackageError("TFLite model: an output is never made")

    def value(self, number: int) -> Value:
        """Dtype and shape of a tensor."""
        return self._values[number]

    def _run(self, operator: Table, codes: list[str]) -> None:
        index = operator.number(0, -4)
        if index >= len(codes):
            raise PackageError(f"TFLite model: operator code {index} does not exist")
        name, about = codes[index], OPERATORS[codes[index]]
        inputs, outputs = (_indices(operator, slot, len(self._values)) for slot in (1, 2))
        if name == "FULLY_CONNECTED" and inputs[2:] == [-1]:  # no bias
            inputs = inputs[:2]
        if not inputs or not set(inputs) <= self._known:
            raise PackageError(f"TFLite model: {name} uses what is not there yet")
        options = _options(operator, name)
        if name == "TOPK_V2":
            self.counts |= set(inputs[1:])
        values = [self._values[number] for number in inputs]
        try:
            call = Call([value.shape for value in values], options, [self._integers(number) for number in inputs])
            shape = about.shape(call)
            dtype = about.gives if isinstance(about.gives, str) else values[about.gives].dtype
        except (IndexError, KeyError, ValueError) as error:
            raise PackageError(f"TFLite model: {name} is not one of ours: {error}") from error
        if len(outputs) != (about.outputs or options["num_splits"]) or len(set(outputs)) != len(outputs):
            raise PackageError(f"TFLite model: {name} makes {len(outputs)} values")
        for place, number in enumerate(outputs):
            kind = "int32" if name == "TOPK_V2" and place else dtype
            if number in self._known or self._values[number] != Value(kind or self._values[number].dtype, shape):
                raise PackageError(f"TFLite model: {name} makes {kind}{list(shape)}, not {self._values[number]}")
            self._known.add(number)
            self._total += math.prod(shape)
        if self._total > self._limit:
            raise PackageError(f"TFLite model: it may need more than {self._limit} numbers, at {name} {shape}")

    def _integers(self, number: int) -> Shape | None:
        data = self._constants.get(number)
        if data is None or self._values[number].dtype != "int32" or data.size > MAX_SMALL:
            return None
        return tuple(np.frombuffer(data, "<i4").tolist())


def _value(tensor: Table) -> Value:
    """A tensor's dtype and shape; quantized are tables alone, with the one scale 1."""
    dtype = _DTYPES.get(tensor.number(1, 1))
    shape = tuple(tensor.numbers(0, "<i4").tolist())
    if dtype is None or len(shape) > MAX_RANK or min(shape, default=1) < 1:
        raise PackageError(f"TFLite model: a tensor of type {tensor.number(1, 1)} and shape {shape}")
    if tensor.has(4):
        quantization = tensor.table(4, what="a quantization", slots=(2, 3))
        if (dtype, quantization.numbers(2, "<f4").tolist(), quantization.numbers(3, "<i8").tolist()) != (
            "int8",
            [1],
            [0],
        ):
            raise PackageError("TFLite model: a tensor is quantized in another way than ours")
    return Value(dtype, shape)


def _indices(table: Table, slot: int, count: int) -> list[int]:
    """Numbers of tensors; -1 for none."""
    found: list[int] = table.numbers(slot, "<i4").tolist()
    if len(found) > MAX_ENTRIES or min(found, default=0) < -1 or max(found, default=0) >= count:
        raise PackageError(f"TFLite model: tensors {found[:8]} of {count}")
    return found


def _options(operator: Table, name: str) -> dict[str, int]:
    about = OPERATORS[name]
    if operator.number(3, 1) != about.table or operator.has(4) != bool(about.table):
        raise PackageError(f"TFLite model: {name} has the options of another operator")
    if not about.table:
        return {}
    slots = [slot for slot, _ in about.options.values()]
    table = operator.table(4, what=f"the options of {name}", slots=slots)
    return {key: table.number(slot, size) for key, (slot, size) in about.options.items()}


def _signature(signature: Table, graphs: list[_Graph]) -> Signature:
    number = signature.number(4, 4)
    if not 0 <= number < len(graphs):
        raise PackageError(f"TFLite model: subgraph {number} does not exist")
    graph = graphs[number]
    named = []
    for slot, expected in ((0, graph.inputs), (1, graph.outputs)):
        pairs = signature.tables(slot, what="a name", slots=(0, 1), most=MAX_ENTRIES)
        tensors = {pair.text(0): pair.number(1, 4) for pair in pairs}
        if len(tensors) != len(pairs) or sorted(tensors.values()) != sorted(expected):
            raise PackageError("TFLite model: a signature does not name each input and output once")
        named.append({name: graph.value(tensor) for name, tensor in tensors.items()})
        if slot == 0 and not graph.counts <= {tensors.get("n")}:
            raise PackageError("TFLite model: something other than the input n says how many are the best")
    return Signature(*named)
