"""How large the values of an ONNX graph can get, worked out before ONNX Runtime allocates any of them.

Operators that only combine their inputs still make sizes up: a chain of ``Concat(x, x)`` doubles, a product of a
column and a row squares. So every node's output gets a shape here whose lengths are upper bounds, from the largest
inputs that the host gives and the shapes of the tables, and all of them together must stay below a limit. Ranks are
exact: shapes that depend on data, beyond being cut shorter, are refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from pocketrec.errors import PackageError

Shape = tuple[int, ...]
MAX_RANK = 4


@dataclass(frozen=True, slots=True)
class Node:
    """One node; only those attributes that are whole numbers, for no other changes a size."""

    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, int]


def check_sizes(
    nodes: Sequence[Node], *, shapes: Mapping[str, Shape], constants: Mapping[str, Shape], limit: int
) -> None:
    """Refuse a graph whose values may hold more than ``limit`` numbers in all.

    Args:
        nodes: In an order in which every value is made before it is used.
        shapes: The largest shape of each input and initializer.
        constants: The values of those initializers that are lists of int64.
        limit: Numbers, over all outputs of all nodes.

    Raises:
        PackageError: The graph is larger, out of order, or uses an operator in a way that we do not.
    """
    known, total = dict(shapes), 0
    for node in nodes:
        try:
            found = RULES[node.operator](_Operands(node, [known[name] for name in node.inputs], constants))
            if len(found) > MAX_RANK:
                raise ValueError(f"{len(found)} dimensions")
        except (IndexError, KeyError, ValueError) as error:
            raise PackageError(
                f"ONNX graph: {node.operator} of {', '.join(node.inputs)[:80]} is not one of ours: {error}"
            ) from error
        for name in node.outputs:
            if not name or name in known:
                raise PackageError(f"ONNX graph: value {name!r} has no name of its own")
            known[name] = found
            total += math.prod(found)
        if total > limit:
            raise PackageError(f"ONNX graph: it may need more than {limit} numbers, at {node.operator} {found}")


class _Operands:
    """What a rule looks at: the input shapes, attributes and constants of one node."""

    def __init__(self, node: Node, shapes: list[Shape], constants: Mapping[str, Shape]) -> None:
        self.node, self.shapes, self._constants = node, shapes, constants

    def constant(self, at: int) -> Shape:
        """The numbers of an input that must be a constant."""
        return self._constants[self.node.inputs[at]]

    def flag(self, name: str, default: int) -> bool:
        return bool(self.node.attributes.get(name, default))


def _first(o: _Operands) -> Shape:
    return o.shapes[0]


def _broadcast(o: _Operands) -> Shape:
    return tuple(map(max, zip_longest(*(shape[::-1] for shape in o.shapes), fillvalue=1)))[::-1]


def _concat(o: _Operands) -> Shape:
    axis, ranks = o.node.attributes["axis"], {len(shape) for shape in o.shapes}
    if ranks != {len(o.shapes[0])} or axis >= len(o.shapes[0]):
        raise ValueError("shapes that do not fit")
    return tuple((sum if i == axis else max)(lengths) for i, lengths in enumerate(zip(*o.shapes, strict=True)))


def _gather(o: _Operands) -> Shape:
    (data, index), axis = o.shapes, o.node.attributes.get("axis", 0)
    if axis >= len(data):
        raise ValueError("no such axis")
    return data[:axis] + index + data[axis + 1 :]


def _rows(o: _Operands) -> Shape:
    (_, width), index, _ = o.shapes
    return (*index, width * 8 // o.node.attributes["bits"])


def _gemm(o: _Operands) -> Shape:
    a, b = o.shapes[:2]
    if len(a) != 2 or len(b) != 2:
        raise ValueError("shapes that do not fit")
    return a[o.flag("transA", 0)], b[not o.flag("transB", 0)]


def _matmul(o: _Operands) -> Shape:
    a, b = o.shapes
    if not (1 <= len(a) <= 2 and 1 <= len(b) <= 2):
        raise ValueError("shapes that do not fit")
    return a[:-1] + b[1:]


def _product(o: _Operands) -> Shape:
    return (*o.shapes[0][:-1], o.node.attributes["N"])


def _reduce(o: _Operands) -> Shape:
    shape = o.shapes[0]
    axes = o.constant(1) if len(o.shapes) > 1 else tuple(range(len(shape)))
    if not axes or not set(axes) <= set(range(len(shape))):
        raise ValueError(f"axes {axes}")
    keep = o.flag("keepdims", 1)
    return tuple(1 if i in axes else length for i, length in enumerate(shape) if keep or i not in axes)


def _reshape(o: _Operands) -> Shape:
    if o.constant(1) != (-1,):
        raise ValueError(f"shape {o.constant(1)}")
    return (math.prod(o.shapes[0]),)


def _shape(o: _Operands) -> Shape:
    return (len(o.shapes[0]),)


def _split(o: _Operands) -> Shape:
    if len(o.shapes) != 1 or o.node.attributes["num_outputs"] != len(o.node.outputs):
        raise ValueError("another number of outputs")
    return o.shapes[0]


def _unsqueeze(o: _Operands) -> Shape:
    shape, (axis,) = o.shapes[0], o.constant(1)
    if not 0 <= axis <= len(shape):
        raise ValueError(f"axis {axis}")
    return (*shape[:axis], 1, *shape[axis:])


RULES: Mapping[str, Callable[[_Operands], Shape]] = {
    **dict.fromkeys(("Abs", "Cast", "Relu", "Round", "ScatterElements", "Slice", "TopK"), _first),
    **dict.fromkeys(("Add", "Div", "Max", "Min", "Mul", "Sub", "Sum", "Where"), _broadcast),
    "Concat": _concat,
    "Gather": _gather,
    "GatherBlockQuantized": _rows,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "MatMulNBits": _product,
    "ReduceL2": _reduce,
    "ReduceMax": _reduce,
    "ReduceSum": _reduce,
    "Reshape": _reshape,
    "Shape": _shape,
    "Split": _split,
    "Unsqueeze": _unsqueeze,
}
"""The shape of every output of a node; those of one node are equal, or bounded alike."""
