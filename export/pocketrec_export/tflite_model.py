"""Write TFLite models: tensors, operators and signatures in, flatbuffer bytes out.

A small writer of its own rather than a converter from a traced model, for the reasons for which the ONNX graphs are
written node by node: each operator is one that the oldest runtime has, every constant is stored once for all
signatures, the same input gives the same bytes, and nothing heavier than ``flatbuffers`` is installed for it.

Source: tensorflow/lite/schema/schema.fbs (slots), https://flatbuffers.dev/internals/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
from numpy.typing import NDArray
from pocketrec.tflite_operators import OPERATORS, TYPES, Call, Shape

ALIGNMENT = 16
"""Of a table inside the file: what vector loads ask for."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """A value of a graph: its number there, shape and dtype; ``values`` of a constant of integers."""

    number: int
    shape: Shape
    dtype: str
    values: Shape | None = None


class Model:
    """Signatures that share their constants."""

    def __init__(self) -> None:
        self._builder = flatbuffers.Builder(1 << 16)
        self._buffers: dict[int, tuple[int, NDArray[Any]]] = {}
        self._stored = [_object(self._builder, 3, {})]  # buffer 0 is the empty one, by convention
        self._codes: dict[str, int] = {}
        self._shared: dict[tuple[Any, ...], int] = {}
        self._subgraphs: list[int] = []
        self._signatures: list[int] = []

    def buffer(self, array: NDArray[Any]) -> int:
        """The number of the buffer that holds this array, one and the same for one and the same array."""
        if id(array) not in self._buffers:
            self._stored.append(_object(self._builder, 3, {0: _bytes(self._builder, array)}))
            self._buffers[id(array)] = (len(self._stored) - 1, array)  # kept, so that its id stays its own
        return self._buffers[id(array)][0]

    def numbers(self, values: Iterable[int]) -> int:
        """A vector of whole numbers; equal ones are one."""
        listed = tuple(values)
        if listed not in self._shared:
            self._shared[listed] = int(self._builder.CreateNumpyVector(np.array(listed, np.int32)))
        return self._shared[listed]

    def options(self, numbers: Mapping[int, tuple[int, int]]) -> int:
        """A table of whole numbers, slot -> (bytes, value); equal ones are one."""
        key = ("options", *sorted(numbers.items()))
        if key not in self._shared:
            self._shared[key] = _object(self._builder, 6, {}, numbers=numbers)
        return self._shared[key]

    def code(self, operator: str) -> int:
        """The number of an operator in this model."""
        return self._codes.setdefault(operator, len(self._codes))

    def graph(self, name: str) -> Graph:
        """A new signature; finish it before the next."""
        return Graph(self, name)

    def add(self, subgraph: int, signature: int) -> None:
        """A finished signature; for `Graph`."""
        self._subgraphs.append(subgraph)
        self._signatures.append(signature)

    @property
    def signatures(self) -> int:
        """How many there are."""
        return len(self._signatures)

    @property
    def builder(self) -> flatbuffers.Builder:
        """Where the bytes gather; for `Graph`."""
        return self._builder

    def serialize(self) -> bytes:
        """The model's bytes."""
        b = self._builder
        codes = [_operator_code(b, name) for name in self._codes]
        description = b.CreateString("pocketrec")
        slots = {1: codes, 2: self._subgraphs, 4: self._stored, 7: self._signatures}
        vectors = {slot: _vector(b, offsets) for slot, offsets in slots.items()}
        model = _object(b, 10, vectors | {3: description}, numbers={0: (4, 3)})
        b.Finish(model, b"TFL3")
        return bytes(b.Output())


class Graph:
    """One signature under construction; shapes follow from `OPERATORS`."""

    def __init__(self, model: Model, name: str) -> None:
        self._model, self._name = model, name
        self._tensors: list[int] = []
        self._operators: list[int] = []
        self._inputs: dict[str, int] = {}
        self._constants: dict[int, Tensor] = {}

    def input(self, name: str, shape: Sequence[int], dtype: str) -> Tensor:
        """An input of the signature, the same for the same name."""
        if name in self._inputs:
            return Tensor(self._inputs[name], tuple(shape), dtype)
        tensor = self._tensor(tuple(shape), dtype, name=name)
        self._inputs[name] = tensor.number
        return tensor

    def constant(self, array: NDArray[Any], *, name: str = "", scale: NDArray[np.float32] | None = None) -> Tensor:
        """A constant of the array's shape; ``scale`` makes it a quantized one, with zero point 0."""
        buffer = self._model.buffer(array)
        if buffer not in self._constants:
            values = tuple(array.ravel().tolist()) if array.dtype == np.int32 and array.size <= MAX_VALUES else None
            tensor = self._tensor(array.shape, array.dtype.name, name=name, buffer=buffer, scale=scale)
            self._constants[buffer] = Tensor(tensor.number, tensor.shape, tensor.dtype, values)
        return self._constants[buffer]

    def node(self, operator: str, *inputs: Tensor, dtype: str = "", **options: int) -> Tensor:
        """The output of an operator, of the dtype of its first input unless it says otherwise."""
        return self.nodes(operator, *inputs, dtypes=[dtype or inputs[0].dtype], **options)[0]

    def nodes(self, operator: str, *inputs: Tensor, dtypes: Sequence[str], **options: int) -> list[Tensor]:
        """The outputs of an operator."""
        about = OPERATORS[operator]
        shapes, constants = [tensor.shape for tensor in inputs], [tensor.values for tensor in inputs]
        shape = about.shape(Call(shapes, options, constants))
        outputs = [self._tensor(shape, dtype) for dtype in dtypes]
        b = self._model.builder
        numbers = [tensor.number for tensor in inputs] + ([-1] if operator == "FULLY_CONNECTED" else [])  # no bias
        vectors = {slot: self._model.numbers(listed)
                   for slot, listed in ((1, numbers), (2, [tensor.number for tensor in outputs]))}  # fmt: skip
        kind = {}
        if about.table:
            slots = {about.options[name][0]: (about.options[name][1], value) for name, value in options.items()}
            vectors[4] = self._model.options(slots)
            kind = {3: (1, about.table)}
        self._operators.append(_object(b, 14, vectors, numbers={0: (4, self._model.code(operator))} | kind))
        return outputs

    def finish(self, outputs: Mapping[str, Tensor]) -> None:
        """Make it a signature of the model, called by the graph's name."""
        b = self._model.builder
        named = {name: tensor.number for name, tensor in outputs.items()}
        vectors = {
            0: _vector(b, self._tensors),
            1: self._model.numbers(self._inputs.values()),
            2: self._model.numbers(named.values()),
            3: _vector(b, self._operators),
            4: b.CreateString(self._name),
        }
        subgraph = _object(b, 6, vectors)
        maps = {slot: _vector(b, [_named(b, *pair) for pair in names.items()])
                for slot, names in ((0, self._inputs), (1, named))}  # fmt: skip
        key = b.CreateString(self._name)
        signature = _object(b, 5, maps | {2: key}, numbers={4: (4, self._model.signatures)})
        self._model.add(subgraph, signature)

    def _tensor(
        self, shape: Shape, dtype: str, *, name: str = "", buffer: int = 0, scale: NDArray[np.float32] | None = None
    ) -> Tensor:
        b, number = self._model.builder, len(self._tensors)
        vectors = {0: self._model.numbers(shape)} | ({3: b.CreateString(name)} if name else {})
        if scale is not None:
            zeros = np.zeros(len(scale), np.int64)
            vectors[4] = _object(b, 7, {2: b.CreateNumpyVector(scale), 3: b.CreateNumpyVector(zeros)})
        self._tensors.append(_object(b, 11, vectors, numbers={1: (1, TYPES[dtype]), 2: (4, buffer)}))
        return Tensor(number, shape, dtype)


LARGEST_BYTE = 127
"""What the byte of an operator code says where the code does not fit it."""
MAX_VALUES = 8
"""Numbers of a constant that a shape may depend on."""


def _object(
    b: flatbuffers.Builder,
    slots: int,
    offsets: Mapping[int, int],
    *,
    numbers: Mapping[int, tuple[int, int]] | None = None,
) -> int:
    """A flatbuffer table of offsets and of whole numbers, slot -> (bytes, value)."""
    write = {1: b.PrependInt8Slot, 4: b.PrependInt32Slot}
    b.StartObject(slots)
    for slot, offset in offsets.items():
        b.PrependUOffsetTRelativeSlot(slot, offset, 0)
    for slot, (size, value) in (numbers or {}).items():
        write[size](slot, value, 0)
    return int(b.EndObject())


def _operator_code(b: flatbuffers.Builder, name: str) -> int:
    """Old readers know the code from the byte, new ones from the word."""
    about = OPERATORS[name]
    return _object(b, 4, {}, numbers={0: (1, min(about.code, LARGEST_BYTE)), 2: (4, about.version), 3: (4, about.code)})


def _named(b: flatbuffers.Builder, name: str, number: int) -> int:
    return _object(b, 2, {0: b.CreateString(name)}, numbers={1: (4, number)})


def _vector(b: flatbuffers.Builder, offsets: Sequence[int]) -> int:
    b.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        b.PrependUOffsetTRelative(offset)
    return int(b.EndVector())


def _bytes(b: flatbuffers.Builder, array: NDArray[Any]) -> int:
    """The array's bytes as a vector that starts at a multiple of `ALIGNMENT`."""
    data = array.tobytes()
    b.StartVector(1, len(data), ALIGNMENT)
    b.head = b.head - len(data)
    b.Bytes[b.head : b.head + len(data)] = data
    return int(b.EndVector())
