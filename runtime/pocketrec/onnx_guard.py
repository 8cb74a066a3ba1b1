"""Read an ONNX model's bytes before ONNX Runtime does, and refuse all but the little that we write.

A package is untrusted, and an ONNX file can name files to read, memory addresses, subgraphs and hundreds
of operators. This walks the protobuf wire format with no parser behind it: every field that is not on the
list below is refused, singular fields may come once, and external data may only be the word ``package``
for a table that the engine binds itself.

Source: onnx.proto (field numbers), https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pocketrec.dense import BITS
from pocketrec.errors import PackageError
from pocketrec.onnx_sizes import Node, check_sizes

MAX_BYTES = 1 << 20
MAX_NODES = 4096

OPERATORS = {
    "": frozenset({
        "Abs", "Add", "Cast", "Concat", "Div", "Gather", "Gemm", "MatMul", "Max", "Min", "Mul", "ReduceL2",
        "ReduceMax", "ReduceSum", "Relu", "Reshape", "Round", "ScatterElements", "Shape", "Slice", "Split",
        "Sub", "Sum", "TopK", "Unsqueeze", "Where",
    }),
    "com.microsoft": frozenset({"GatherBlockQuantized", "MatMulNBits"}),
}  # fmt: skip
"""Operators that a graph may use, by domain: none reads a file, holds a subgraph, or takes a size from a value."""
OPSETS = {"": 18, "com.microsoft": 1}
MAX_NUMBERS = 1 << 24
"""What the values of a graph may hold in all, besides those that have a number for each item."""
MAX_NUMBERS_PER_ITEM = 64
"""Our largest ranker, with all five signals, has 25."""

# Wire types: 0 varint, 2 bytes, 5 four bytes. Field number -> (name, wire type, may repeat).
_Fields = dict[int, tuple[str, int, bool]]
_MODEL: _Fields = {1: ("ir_version", 0, False), 2: ("producer", 2, False), 7: ("graph", 2, False),
                   8: ("opset", 2, True)}  # fmt: skip
_OPSET: _Fields = {1: ("domain", 2, False), 2: ("version", 0, False)}
_GRAPH: _Fields = {1: ("node", 2, True), 2: ("name", 2, False), 5: ("initializer", 2, True),
                   11: ("input", 2, True), 12: ("output", 2, True)}  # fmt: skip
_NODE: _Fields = {1: ("input", 2, True), 2: ("output", 2, True), 3: ("name", 2, False), 4: ("op_type", 2, False),
                  5: ("attribute", 2, True), 7: ("domain", 2, False)}  # fmt: skip
# No tensor, graph, sparse or type attribute: constants are initializers, and there are no subgraphs.
_ATTRIBUTE: _Fields = {1: ("name", 2, False), 2: ("float", 5, False), 3: ("int", 0, False), 4: ("bytes", 2, False),
                       20: ("type", 0, False)}  # fmt: skip
_ATTRIBUTE_TYPES = {"float": 1, "int": 2, "bytes": 3}  # AttributeProto.AttributeType of each field
_TENSOR: _Fields = {1: ("dim", 0, True), 2: ("data_type", 0, False), 8: ("name", 2, False), 9: ("raw", 2, False),
                    13: ("external", 2, True), 14: ("location", 0, False)}  # fmt: skip
_ENTRY: _Fields = {1: ("key", 2, False), 2: ("value", 2, False)}

# TensorProto.DataType -> numpy name and bytes a value; no other type is used.
_TYPES = {1: ("float32", 4), 2: ("uint8", 1), 3: ("int8", 1), 4: ("uint16", 2), 7: ("int64", 8), 12: ("uint32", 4)}


@dataclass(frozen=True, slots=True)
class ExternalTable:
    """A table that a graph expects to be given: numpy dtype name and shape."""

    dtype: str
    shape: tuple[int, ...]


def check_model(
    data: bytes | memoryview, *, allowed: Callable[[str], bool], inputs: Mapping[str, tuple[int, ...]]
) -> dict[str, ExternalTable]:
    """The tables that a model expects by name, once every byte of the model has been looked at.

    Args:
        data: A serialized ``ModelProto``.
        allowed: Whether a name is one that the engine can bind.
        inputs: The largest shape of each input that the engine gives.

    Raises:
        PackageError: The bytes are damaged, use anything outside the lists of this module, or would need more
            memory than our own graphs do.
    """
    if len(data) > MAX_BYTES:
        raise PackageError(f"an ONNX graph of at most {MAX_BYTES} bytes was expected, found {len(data)}")
    model = _message(memoryview(data), _MODEL, "model")
    _check_opsets([_message(opset, _OPSET, "opset") for opset in model["opset"]])
    graph = _message(_one(model["graph"], "graph"), _GRAPH, "graph")
    if len(graph["node"]) > MAX_NODES:
        raise PackageError(f"ONNX graph: at most {MAX_NODES} nodes were expected, found {len(graph['node'])}")
    nodes = [_node(node) for node in graph["node"]]
    tables: dict[str, ExternalTable] = {}
    shapes, constants = dict(inputs), {}
    for tensor in graph["initializer"]:
        name, table, raw = _check_tensor(tensor)
        if name in shapes:
            raise PackageError(f"ONNX graph: initializer {name!r} appears twice, or is an input")
        shapes[name] = table.shape
        if raw is None:
            if not allowed(name):
                raise PackageError(f"ONNX graph: there is no table {name!r} in this package")
            tables[name] = table
        elif table.dtype == "int64":
            constants[name] = struct.unpack(f"<{len(raw) // 8}q", raw)
    for node in nodes:
        if node.operator in _QUANTIZED:
            _QUANTIZED[node.operator](node.inputs, node.attributes).check(tables)
    items = math.prod(inputs.get("mask", (0,)))
    check_sizes(nodes, shapes=shapes, constants=constants, limit=MAX_NUMBERS + MAX_NUMBERS_PER_ITEM * items)
    return tables


def operators_of(data: bytes | memoryview) -> set[str]:
    """The operators of a graph, those of other domains as ``domain:name``: what a reduced build of the runtime needs.

    Raises:
        PackageError: The bytes are not a graph of ours.
    """
    model = _message(memoryview(data), _MODEL, "model")
    graph = _message(_one(model["graph"], "graph"), _GRAPH, "graph")
    nodes = [_message(node, _NODE, "node") for node in graph["node"]]
    return {":".join(filter(None, (_text(node["domain"]), _text(node["op_type"])))) for node in nodes}


def _check_opsets(opsets: Sequence[Mapping[str, list[Any]]]) -> None:
    """Other versions give operators other meanings than those that we check."""
    versions = [(_text(opset["domain"]), *opset["version"]) for opset in opsets]
    if not {("", 18)} <= set(versions) <= set(OPSETS.items()) or len(set(versions)) != len(versions):
        raise PackageError(f"ONNX graph: operator sets {versions} are not those that we run: {OPSETS}")


@dataclass(frozen=True, slots=True)
class _Product:
    """A MatMulNBits node: ONNX Runtime 1.25 believes its N and K when it reads the table to repack it."""

    inputs: tuple[str, ...]
    attributes: Mapping[str, int]

    def check(self, tables: dict[str, ExternalTable]) -> None:
        """Refuse a node that does not fit its tables."""
        rows, dim = self.attributes.get("N", 0), self.attributes.get("K", 0)
        expected = [ExternalTable("uint8", (rows, dim // 64, 64)), ExternalTable("float32", (rows, dim // 64))]
        settings = (self.attributes.get("bits"), self.attributes.get("block_size"), dim % 64)
        if settings != (8, 64, 0) or [tables.get(name) for name in self.inputs[1:]] != expected:
            raise PackageError(f"ONNX graph: MatMulNBits with {self.attributes} does not fit {self.inputs[1:]}")


@dataclass(frozen=True, slots=True)
class _Rows:
    """A GatherBlockQuantized node: ONNX Runtime 1.28 divides by its block size, even by 0, and kills the process."""

    inputs: tuple[str, ...]
    attributes: Mapping[str, int]

    def check(self, tables: dict[str, ExternalTable]) -> None:
        """Refuse a node that does not fit its tables."""
        bits = self.attributes.get("bits") or 0
        settings = {"bits": bits, "block_size": 64, "gather_axis": 0, "quantize_axis": 1}
        found = [tables.get(name) for name in self.inputs[::2]]  # value, scale; between them the rows
        rows, width = found[0].shape if found and found[0] and len(found[0].shape) == 2 else (0, 1)
        dim = 2 * width if bits == 4 else width
        expected = [ExternalTable("uint8", (rows, width)), ExternalTable("float32", (rows, dim // 64))]
        if bits not in BITS or self.attributes != settings or len(self.inputs) != 3 or dim % 64 or found != expected:
            raise PackageError(f"ONNX graph: GatherBlockQuantized with {self.attributes} does not fit {self.inputs}")


_QUANTIZED: dict[str, type[_Product] | type[_Rows]] = {"MatMulNBits": _Product, "GatherBlockQuantized": _Rows}


def _node(data: memoryview) -> Node:
    """A node of an operator that we run, its attributes being of the types that they say they are."""
    node = _message(data, _NODE, "node")
    domain, operator = _text(node["domain"]), _text(node["op_type"])
    if operator not in OPERATORS.get(domain, ()):
        raise PackageError(f"ONNX graph: operator {domain}:{operator} is not one that we run")
    numbers: dict[str, int] = {}
    names: set[str] = set()
    for attribute in (_message(data, _ATTRIBUTE, f"attribute of {operator}") for data in node["attribute"]):
        name, kinds = _text(attribute["name"]), [kind for kind in _ATTRIBUTE_TYPES if attribute[kind]]
        if name in names or len(kinds) != 1 or attribute["type"] != [_ATTRIBUTE_TYPES[kinds[0]]]:
            raise PackageError(f"ONNX graph: {operator} repeats attribute {name!r}, or gives it no one value")
        names.add(name)
        if kinds == ["int"]:
            numbers[name] = attribute["int"][0]
    if operator in _QUANTIZED and names != numbers.keys():
        raise PackageError(f"ONNX graph: {operator} has an attribute that is not a whole number")
    inputs, outputs = ([_text([name]) for name in node[key]] for key in ("input", "output"))
    return Node(operator, tuple(inputs), tuple(outputs), numbers)


def _check_tensor(data: memoryview) -> tuple[str, ExternalTable, memoryview | None]:
    """A tensor's name and shape, and its bytes unless it is a table outside the model."""
    tensor = _message(data, _TENSOR, "initializer")
    name = _text(tensor["name"])
    kind = _one(tensor["data_type"], f"data type of {name!r}")
    if kind not in _TYPES:
        raise PackageError(f"ONNX graph: initializer {name!r} has data type {kind}, which we do not use")
    dtype, width = _TYPES[kind]
    shape = tuple(tensor["dim"])
    if tensor["location"] == [1]:
        entries = [_message(entry, _ENTRY, "external data") for entry in tensor["external"]]
        where = [(_text(entry["key"]), _text(entry["value"])) for entry in entries]
        if where != [("location", "package")] or tensor["raw"]:
            raise PackageError(f"ONNX graph: initializer {name!r} points outside the package: {where}")
        return name, ExternalTable(dtype, shape), None
    raw = tensor["raw"][0] if tensor["raw"] else memoryview(b"")
    if tensor["external"] or tensor["location"] not in ([], [0]) or len(raw) != math.prod(shape) * width:
        raise PackageError(f"ONNX graph: initializer {name!r} of shape {shape} does not hold its own values")
    return name, ExternalTable(dtype, shape), raw


def _message(data: memoryview, fields: _Fields, where: str) -> dict[str, list[Any]]:
    """A message's fields by name; a field that is unknown, of another wire type, or repeated is refused."""
    found: dict[str, list[Any]] = {name: [] for name, _, _ in fields.values()}
    for number, wire, value in _walk(data):
        name, expected, repeats = fields.get(number, ("", -1, False))
        if wire != expected:
            raise PackageError(f"ONNX graph: {where} holds field {number} of wire type {wire}, which we do not use")
        if found[name] and not repeats:
            raise PackageError(f"ONNX graph: {where} gives its {name} twice")
        found[name].append(value)
    return found


def _walk(data: memoryview) -> Iterator[tuple[int, int, Any]]:
    """(field number, wire type, value) of each field; a value is an int, or the bytes it spans."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        wire = key & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield key >> 3, wire, value
            continue
        if wire == 2:
            size, at = _varint(data, at)
        elif wire == 5:
            size = 4
        else:
            raise PackageError(f"ONNX graph: wire type {wire} is not one that we use")
        if size > len(data) - at:
            raise PackageError(f"ONNX graph: a field of {size} bytes has only {len(data) - at} left")
        yield key >> 3, wire, data[at : at + size]
        at += size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """A little-endian base-128 number below 2^63 and the position after it."""
    value = 0
    for shift in range(0, 63, 7):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise PackageError("ONNX graph: a number is cut off or too long")


def _one(values: list[Any], what: str) -> Any:
    if len(values) != 1:
        raise PackageError(f"ONNX graph: expected one {what}, found {len(values)}")
    return values[0]


def _text(values: list[memoryview]) -> str:
    """A string field; absent means empty, as in protobuf."""
    try:
        return str(values[0], "utf-8") if values else ""
    except UnicodeDecodeError as error:
        raise PackageError("ONNX graph: a name is not UTF-8") from error
