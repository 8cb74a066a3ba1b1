"""The TFLite operators that a model of ours may use: their numbers, their options, and the shapes that they make.

The exporter writes models from this table and the reader checks them against it, so that both mean the same. None of
them reads a file, runs another subgraph, keeps a variable, or takes the size of what it makes from data, but for
``TOPK_V2``, which makes at most what it was given.

Source: tensorflow/lite/schema/schema.fbs, version 3 (numbers and slots).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

Shape = tuple[int, ...]
MAX_RANK = 4

TYPES = {"float32": 0, "int32": 2, "bool": 6, "int16": 7, "int8": 9}
"""TensorType of each numpy dtype that we use."""


@dataclass(frozen=True, slots=True)
class Call:
    """One use of an operator: shapes of its inputs, options, and the values of inputs that are constant integers."""

    shapes: Sequence[Shape]
    options: Mapping[str, int]
    constants: Sequence[Shape | None]

    def constant(self, at: int) -> Shape:
        """The numbers of an input that must be a constant."""
        value = self.constants[at]
        if value is None:
            raise ValueError(f"input {at} is no constant")
        return value


@dataclass(frozen=True, slots=True)
class Operator:
    """What the schema says of an operator, and the shape of each of its outputs.

    Attributes:
        code: BuiltinOperator.
        shape: of every output, an upper bound of each length; the rank is exact. Raises ValueError, IndexError or
            KeyError where the inputs do not fit.
        version: of the operator's kernel.
        table: BuiltinOptions, 0 for none.
        options: name -> slot and bytes of each option that may differ from its default.
        outputs: how many; 0 for as many as the option ``num_splits`` says.
        gives: dtype of what it makes: that of this input, or this one; "" for any.
    """

    code: int
    shape: Callable[[Call], Shape]
    version: int = 1
    table: int = 0
    options: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    outputs: int = 1
    gives: int | str = 0


def _first(call: Call) -> Shape:
    (shape,) = call.shapes
    return shape


def _broadcast(call: Call) -> Shape:
    lengths = list(zip_longest(*(shape[::-1] for shape in call.shapes), fillvalue=1))
    if any(len(set(numbers) - {1}) > 1 for numbers in lengths):
        raise ValueError("shapes that do not fit")
    return tuple(map(max, lengths))[::-1]


def _matmul(call: Call) -> Shape:
    (a, b), options = call.shapes, call.options
    if len(a) != 2 or len(b) != 2:
        raise ValueError("shapes that are no matrices")
    a, b = (a[::-1] if options.get("adj_x") else a), (b[::-1] if options.get("adj_y") else b)
    if a[1] != b[0]:
        raise ValueError("shapes that do not fit")
    return a[0], b[1]


def _fully_connected(call: Call) -> Shape:
    a, b = call.shapes
    if len(a) != 2 or len(b) != 2 or a[1] != b[1]:
        raise ValueError("shapes that do not fit")
    return a[0], b[0]


def _gather(call: Call) -> Shape:
    (data, index), axis = call.shapes, call.options.get("axis", 0)
    if not 0 <= axis < len(data):
        raise ValueError("no such axis")
    return data[:axis] + index + data[axis + 1 :]


def _concatenation(call: Call) -> Shape:
    axis, first = call.options.get("axis", 0), call.shapes[0]
    rest = {shape[:axis] + shape[axis + 1 :] for shape in call.shapes if len(shape) == len(first)}
    if not 0 <= axis < len(first) or len(rest) != 1 or any(len(shape) != len(first) for shape in call.shapes):
        raise ValueError("shapes that do not fit")
    return (*first[:axis], sum(shape[axis] for shape in call.shapes), *first[axis + 1 :])


def _reduce(call: Call) -> Shape:
    shape, axes = call.shapes[0], call.constant(1)
    if not call.options.get("keep_dims") or not axes or not set(axes) <= set(range(len(shape))):
        raise ValueError(f"axes {axes}")
    return tuple(1 if i in axes else length for i, length in enumerate(shape))


def _reshape(call: Call) -> Shape:
    shape, new = call.shapes[0], call.constant(1)
    if new == (-1,):
        return (math.prod(shape),)
    if min(new, default=0) < 0 or math.prod(new) != math.prod(shape):
        raise ValueError(f"shape {new}")
    return new


def _scatter(call: Call) -> Shape:
    index, updates, _ = call.shapes
    shape = call.constant(2)
    if len(shape) != 1 or shape[0] < 1 or index != (*updates, 1):
        raise ValueError("shapes that do not fit")
    return shape


def _select(call: Call) -> Shape:
    mask, yes, no = call.shapes
    if mask != yes or math.prod(no) != 1:
        raise ValueError("shapes that do not fit")
    return yes


def _split(call: Call) -> Shape:
    (axis,), shape, count = call.constant(0), call.shapes[1], call.options.get("num_splits", 0)
    if not 0 <= axis < len(shape) or count < 1 or shape[axis] % count:
        raise ValueError("lengths that do not fit")
    return (*shape[:axis], shape[axis] // count, *shape[axis + 1 :])


def _top(call: Call) -> Shape:
    shape, n = call.shapes
    if n != (1,):
        raise ValueError("n is one number")
    return shape


_AXIS = {"axis": (0, 4)}
OPERATORS: Mapping[str, Operator] = {
    "ABS": Operator(101, _first),
    "ADD": Operator(0, _broadcast, table=11),
    "BATCH_MATMUL": Operator(126, _matmul, table=101, options={"adj_x": (0, 1), "adj_y": (1, 1)}),
    "CAST": Operator(53, _first, table=37, options={"in": (0, 1), "out": (1, 1)}, gives=""),
    "CONCATENATION": Operator(2, _concatenation, table=10, options=_AXIS),
    "DIV": Operator(42, _broadcast, table=29),
    "FLOOR": Operator(8, _first),
    "FULLY_CONNECTED": Operator(
        9,
        _fully_connected,
        version=9,
        table=8,
        options={"keep_num_dims": (2, 1), "asymmetric_quantize_inputs": (3, 1)},
        gives="float32",
    ),
    "GATHER": Operator(36, _gather, version=4, table=23, options=_AXIS),
    "MAXIMUM": Operator(55, _broadcast, table=39),
    "MUL": Operator(18, _broadcast, table=21),
    "REDUCE_MAX": Operator(82, _reduce, table=27, options={"keep_dims": (0, 1)}),
    "RELU": Operator(19, _first),
    "RESHAPE": Operator(22, _reshape),
    "ROUND": Operator(116, _first),
    "SCATTER_ND": Operator(122, _scatter, gives=1),
    "SELECT_V2": Operator(123, _select, gives=1),
    "SPLIT": Operator(49, _split, table=35, options={"num_splits": (0, 4)}, outputs=0, gives=1),
    "SQRT": Operator(75, _first),
    "SUB": Operator(41, _broadcast, table=28),
    "SUM": Operator(74, _reduce, table=27, options={"keep_dims": (0, 1)}),
    "TOPK_V2": Operator(48, _top, outputs=2),
}
