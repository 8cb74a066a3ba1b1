"""Hostile ONNX models, each named for its lie, and random damage: refused with PackageError before they run."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from pocketrec import onnx_guard
from pocketrec.engine_onnx import OnnxEngine
from pocketrec.errors import EngineError, PackageError
from pocketrec.manifest import SIGNALS
from pocketrec.onnx_guard import ExternalTable, check_model
from pocketrec.package import Package
from pocketrec.recommender import Recommender
from pocketrec_export.graphs import IR_VERSION, encoder_graph, ranker_graph
from worlds import random_world, tiny_world


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    return Package.open(tiny_world(tmp_path_factory.mktemp("guard") / "tiny.pocketrec"))


@pytest.fixture(scope="module")
def ranker(package: Package) -> bytes:
    return bytes(package.blob("graphs/ranker.onnx"))


INPUTS = {"history_index": (512,), "history_weight": (512,), "block_index": (8,), "block_weight": (8,),
          "query": (1, 64), "lexical_index": (8,), "lexical_weight": (8,), "title_index": (32,),
          "title_weight": (32,), "mask": (8,), "weights": (len(SIGNALS),), "n": (1,)}  # fmt: skip


def _check(data: bytes) -> dict[str, ExternalTable]:
    def allowed(name: str) -> bool:
        return name.split("/")[0] in (*SIGNALS, "text")

    return check_model(data, allowed=allowed, inputs=INPUTS)


def test_our_own_graphs_pass_and_name_their_tables(ranker: bytes) -> None:
    tables = _check(ranker)
    assert tables["factors/value"] == ExternalTable("uint8", (8, 64))
    assert tables["factors/value|blocks"] == ExternalTable("uint8", (8, 1, 64))
    assert tables["factors/scale|blocks"] == ExternalTable("float32", (8, 1))
    assert tables["neighbours/index"] == ExternalTable("uint16", (8, 16))
    assert tables["lexical/index"] == ExternalTable("uint16", (12, 2))
    encoder = check_model(
        encoder_graph(13, 128), allowed=lambda name: name.startswith("tokens/"), inputs={"token_ids": (256,)}
    )
    assert encoder["tokens/scale|blocks"] == ExternalTable("float32", (13, 2))


def test_onnx_itself_reads_the_same(ranker: bytes) -> None:
    model = onnx.load_model_from_string(ranker)
    assert model.ir_version == IR_VERSION
    assert {(o.domain, o.version) for o in model.opset_import} == {("", 18), ("com.microsoft", 1)}
    external = {t.name: tuple(t.dims) for t in model.graph.initializer if t.data_location == TensorProto.EXTERNAL}
    assert external == {name: table.shape for name, table in _check(ranker).items()}
    used = {(node.domain, node.op_type) for node in model.graph.node}
    assert used <= {(domain, op) for domain, ops in onnx_guard.OPERATORS.items() for op in ops}
    inputs, outputs = ({v.name for v in values} for values in (model.graph.input, model.graph.output))
    names = [name for node in model.graph.node for name in node.output]
    assert len(set(names)) == len(names)
    assert not inputs & set(names)
    assert outputs <= set(names)
    assert not any(node.attribute and any(a.HasField("t") for a in node.attribute) for node in model.graph.node)


def test_the_same_input_gives_the_same_graph(ranker: bytes, package: Package) -> None:
    arrays = {e.name: package.array(e.name) for e in package.manifest.entries if e.role == "array"}
    signals = {name: {"dim": 64, "alpha": 1.0, "steps": 8} if name == "factors" else {} for name in SIGNALS}
    assert ranker_graph(signals, arrays=arrays) == ranker
    with pytest.raises(ValueError, match="expected some of the signals"):
        ranker_graph({"magic": {}}, arrays=arrays)


def _external(model: ModelProto, name: str = "factors/value") -> TensorProto:
    return next(tensor for tensor in model.graph.initializer if tensor.name == name)


def _point_at(location: str) -> Callable[[ModelProto], None]:
    def change(model: ModelProto) -> None:
        _external(model).external_data[0].value = location

    return change


def _inline(name: str, shape: list[int], raw: bytes) -> TensorProto:
    return TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape, raw_data=raw)


def _add_offset(model: ModelProto) -> None:
    _external(model).external_data.add(key="offset", value="0")


def _location_twice(model: ModelProto) -> None:
    _external(model).external_data.add(key="location", value="/etc/passwd")


def _no_location(model: ModelProto) -> None:
    del _external(model).external_data[:]


def _inline_with_location(model: ModelProto) -> None:
    inline = next(t for t in model.graph.initializer if t.data_location == TensorProto.DEFAULT)
    inline.external_data.add(key="location", value="/etc/passwd")


def _unknown_table(model: ModelProto) -> None:
    _external(model).name = "secrets/value"


def _attribute_tensor(model: ModelProto) -> None:
    tensor = TensorProto(name="x", data_type=1, dims=[1], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="/etc/passwd")
    model.graph.node[0].attribute.append(helper.make_attribute("value", tensor))


def _subgraph(model: ModelProto) -> None:
    body = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "body", [], [])
    model.graph.node[0].attribute.append(helper.make_attribute("body", body))


def _if_node(model: ModelProto) -> None:
    body = helper.make_graph([], "body", [], [])
    model.graph.node.append(helper.make_node("If", ["mask"], ["z"], then_branch=body, else_branch=body))


def _unknown_operator(model: ModelProto) -> None:
    model.graph.node.append(helper.make_node("RandomNormal", [], ["z"], shape=[1 << 40]))


def _size_maker(model: ModelProto) -> None:
    model.graph.node.append(helper.make_node("ConstantOfShape", ["n"], ["z"]))


def _operator_of_another_domain(model: ModelProto) -> None:
    model.graph.node.append(helper.make_node("Add", ["n", "n"], ["z"], domain="com.microsoft"))


def _custom_domain(model: ModelProto) -> None:
    model.opset_import.append(helper.make_opsetid("ai.onnx.contrib", 1))


def _function(model: ModelProto) -> None:
    opset = [helper.make_opsetid("", 18)]
    model.functions.append(
        helper.make_function("", "Add", ["a"], ["b"], [helper.make_node("Abs", ["a"], ["b"])], opset)
    )


def _sparse_initializer(model: ModelProto) -> None:
    values, indices = (numpy_helper.from_array(np.zeros(1, t), "s") for t in (np.float32, np.int64))
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [1]))


def _huge_inline(model: ModelProto) -> None:
    model.graph.initializer.append(_inline("huge", [1 << 40], b""))


def _overflowing_inline(model: ModelProto) -> None:
    model.graph.initializer.append(_inline("wraps", [1 << 32, 1 << 32], b""))  # 2^64 is 0 in 64 bits


def _negative_dim(model: ModelProto) -> None:
    model.graph.initializer.append(_inline("negative", [-1, -1], b"\0" * 4))


def _values_outside_raw(model: ModelProto) -> None:
    model.graph.initializer.append(TensorProto(name="f", data_type=1, dims=[1], float_data=[1.0]))


def _strings(model: ModelProto) -> None:
    model.graph.initializer.append(TensorProto(name="s", data_type=8, dims=[0]))


def _same_name_twice(model: ModelProto) -> None:
    model.graph.initializer.append(_external(model))


def _training(model: ModelProto) -> None:
    model.training_info.add()


def _product(name: str, value: int, operator: str = "MatMulNBits") -> Callable[[ModelProto], None]:
    def change(model: ModelProto) -> None:
        node = next(node for node in model.graph.node if node.op_type == operator)
        next(attribute for attribute in node.attribute if attribute.name == name).i = value

    return change


def _rows(name: str, value: int) -> Callable[[ModelProto], None]:
    return _product(name, value, "GatherBlockQuantized")


def _rows_of_a_table_of_another_shape(model: ModelProto) -> None:
    node = next(node for node in model.graph.node if node.op_type == "GatherBlockQuantized")
    node.input[2] = node.input[0]


def _product_given_twice(model: ModelProto) -> None:
    node = next(node for node in model.graph.node if node.op_type == "MatMulNBits")
    node.attribute.append(helper.make_attribute("N", 1 << 30))


def _product_of_an_inline_table(model: ModelProto) -> None:
    node = next(node for node in model.graph.node if node.op_type == "MatMulNBits")
    node.input[1] = next(t.name for t in model.graph.initializer if t.data_location == TensorProto.DEFAULT)


def _too_many_nodes(model: ModelProto) -> None:
    model.graph.node.extend(helper.make_node("Abs", ["c"], [f"z{i}"]) for i in range(onnx_guard.MAX_NODES))


def _nodes(*nodes: NodeProto) -> Callable[[ModelProto], None]:
    """Nodes put in front of ours; ``c1`` is the constant [1], ``m1`` [-1]."""

    def change(model: ModelProto) -> None:
        for name, value in (("c1", 1), ("m1", -1)):
            model.graph.initializer.append(numpy_helper.from_array(np.array([value]), name))
        ours = list(model.graph.node)
        del model.graph.node[:]
        model.graph.node.extend([*nodes, *ours])

    return change


def _chain(operator: str, count: int, first: str = "history_weight", **attributes: int) -> list[NodeProto]:
    names = [first, *(f"z{i}" for i in range(count))]
    return [helper.make_node(operator, [a, a], [b], **attributes) for a, b in pairwise(names)]


_node = helper.make_node
_LONG = [*_chain("Concat", 12, axis=0), _node("Unsqueeze", ["z11", "c1"], ["column"])]  # 2^21 numbers: still allowed
BOMBS = {
    "doubled_40_times": _chain("Concat", 40, axis=0),
    "gathered_by_a_square": [
        _node("Unsqueeze", ["history_index", "c1"], ["column"]),
        _node("Add", ["column", "history_index"], ["square"]),
        _node("Gather", ["neighbours/index", "square"], ["cube"]),
        _node("Reshape", ["cube", "m1"], ["flat"]),
        *_chain("Concat", 3, "flat", axis=0),
    ],
    "outer_product": [*_LONG, _node("Mul", ["column", "z11"], ["square"])],
    "outer_matrix_product": [*_LONG, _node("Gemm", ["column", "column"], ["square"], transB=1)],
    "outer_choice": [*_LONG, _node("Where", ["mask", "column", "z11"], ["square"])],
    "many_of_some_size": [
        *_chain("Concat", 8, axis=0),
        *(_node("Abs", ["z7"], [f"copy{i}"]) for i in range(200)),
    ],
    "split_in_many": [
        *_chain("Concat", 8, axis=0),
        _node("Split", ["z7"], [f"part{i}" for i in range(200)], num_outputs=200, axis=0),
    ],
    "five_dimensions": [_node("Unsqueeze", [a, "c1"], [b]) for a, b in pairwise(["n", "p", "q", "r", "s"])],
    "shape_from_data": [_node("Reshape", ["history_weight", "n"], ["z"])],
    "axes_from_data": [_node("Unsqueeze", ["history_weight", "n"], ["z"])],
    "used_before_it_is_made": [_node("Abs", ["later"], ["z"]), _node("Abs", ["c1"], ["later"])],
    "made_twice": [_node("Abs", ["history_weight"], ["z"]), _node("Abs", ["c1"], ["z"])],
    "made_over_an_input": [_node("Abs", ["c1"], ["history_weight"])],
    "no_axis": [_node("Concat", ["n", "n"], ["z"])],
    "axis_beyond": [_node("Gather", ["n", "n"], ["z"], axis=1)],
    "no_operand": [_node("Abs", [], ["z"])],
    "split_in_more_than_it_says": [_node("Split", ["n"], ["z", "y"], num_outputs=1)],
}


def _attribute_of_another_type(model: ModelProto) -> None:
    """What says that it is a float is no number to the runtime, which then takes the default."""
    next(node for node in model.graph.node if node.op_type == "Concat").attribute[0].type = onnx.AttributeProto.FLOAT


def _attribute_twice(model: ModelProto) -> None:
    next(node for node in model.graph.node if node.op_type == "Concat").attribute.append(
        helper.make_attribute("axis", 1)
    )


def _older_operators(model: ModelProto) -> None:
    model.opset_import[0].version = 11


def _no_operator_set(model: ModelProto) -> None:
    del model.opset_import[:]


def _initializer_over_an_input(model: ModelProto) -> None:
    model.graph.initializer.append(_inline("weights", [1], b"\0" * 4))


HOSTILE = [
    *(_point_at(where) for where in ("../../etc/passwd", "/etc/passwd", "package/../x", "", "*/_ORT_MEM_ADDR_/*")),
    _add_offset, _location_twice, _no_location, _inline_with_location, _unknown_table, _attribute_tensor, _subgraph,
    _if_node, _unknown_operator, _size_maker, _operator_of_another_domain, _custom_domain, _function,
    _sparse_initializer, _huge_inline, _overflowing_inline, _negative_dim, _values_outside_raw, _strings,
    _same_name_twice, _training, _too_many_nodes, _product_given_twice, _product_of_an_inline_table,
    _product("N", 1 << 30), _product("K", 1 << 20), _product("bits", 4), _product("block_size", 16),
    _rows("block_size", 0), _rows("block_size", 32), _rows("bits", 4), _rows("gather_axis", 1),
    _rows("quantize_axis", 0),
    _rows_of_a_table_of_another_shape,
]  # fmt: skip


@pytest.mark.parametrize("change", HOSTILE, ids=lambda change: change.__qualname__.split(".")[0])
def test_hostile_models_are_refused(ranker: bytes, change: Callable[[ModelProto], None]) -> None:
    model = onnx.load_model_from_string(ranker)
    change(model)
    with pytest.raises(PackageError):
        _check(model.SerializeToString())


@pytest.mark.parametrize("change", [_rows("bits", 8), _rows("bits", 2), _rows("bits", 16), _rows("block_size", 32)])
def test_a_table_of_halves_goes_by_four_bits_only(change: Callable[[ModelProto], None]) -> None:
    def check(model: ModelProto) -> dict[str, ExternalTable]:
        data = model.SerializeToString()
        return check_model(data, allowed=lambda name: name.startswith("tokens/"), inputs={"token_ids": (256,)})

    model = onnx.load_model_from_string(encoder_graph(13, 128, bits=4))
    assert check(model)["tokens/value"] == ExternalTable("uint8", (13, 64))
    change(model)
    with pytest.raises(PackageError, match="GatherBlockQuantized with"):
        check(model)


@pytest.mark.parametrize("nodes", BOMBS.values(), ids=BOMBS)
def test_values_that_grow_are_refused(ranker: bytes, nodes: list[NodeProto]) -> None:
    model = onnx.load_model_from_string(ranker)
    _nodes(*nodes)(model)
    last = nodes[-1].op_type
    with pytest.raises(PackageError, match=f"may need .* at {last}|{last} of .* not one of ours|no name of its own"):
        _check(model.SerializeToString())


def test_the_bombs_differ_from_harmless_nodes_by_their_size_alone(ranker: bytes) -> None:
    model = onnx.load_model_from_string(ranker)
    column, square = (
        _node("Unsqueeze", ["z2", "c1"], ["column"]),
        _node("Mul", ["column", "history_weight"], ["square"]),
    )
    _nodes(*_chain("Concat", 3, axis=0), column, square)(model)
    _check(model.SerializeToString())


@pytest.mark.parametrize("items", [8, 3000])
def test_our_ranker_needs_far_less_than_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, items: int) -> None:
    package = Package.open(random_world(tmp_path / "w", items=items))
    monkeypatch.setattr(onnx_guard, "MAX_NUMBERS", 1 << 22)
    monkeypatch.setattr(onnx_guard, "MAX_NUMBERS_PER_ITEM", 25)
    OnnxEngine(package)


def _field(number: int, data: bytes) -> bytes:
    assert len(data) < 128
    return bytes([number << 3 | 2, len(data)]) + data


HAND_MADE = {
    "no_bytes": b"",
    "no_graph": b"\x08\x0a",
    "cut_varint": b"\x08\x80",
    "endless_varint": b"\x08" + b"\xff" * 11,
    "negative_varint": b"\x08" + b"\xff" * 9 + b"\x01",
    "field_zero": b"\x00\x00",
    "group": b"\x3b\x3c",
    "reserved_wire_type": b"\x3f",
    "longer_than_the_file": b"\x3a\x7f\x00",
    "length_of_2_to_the_62": b"\x3a" + b"\x80" * 8 + b"\x40",
    "two_graphs_merge": _field(7, b"") * 2,
    "operator_given_twice": _field(7, _field(1, _field(4, b"Add") + _field(4, b"Loop"))),
    "name_not_utf8": _field(7, _field(1, _field(4, b"\xff\xfe"))),
    "graph_as_number": b"\x38\x01",
}


@pytest.mark.parametrize("data", HAND_MADE.values(), ids=HAND_MADE)
def test_broken_wire_format_is_refused(data: bytes) -> None:
    with pytest.raises(PackageError):
        _check(data)


def test_a_model_beyond_the_size_limit_is_refused(ranker: bytes) -> None:
    with pytest.raises(PackageError, match="at most"):
        _check(ranker + b"\0" * onnx_guard.MAX_BYTES)


def test_every_prefix_is_refused_or_whole(ranker: bytes) -> None:
    """Cutting only loses opset fields at the end, if anything; it never raises another error."""
    for cut in range(0, len(ranker), 7):
        _refused_or_safe(ranker[:cut])


def test_every_byte_flipped_is_refused_or_safe(ranker: bytes) -> None:
    for at in range(0, len(ranker), 3):
        damaged = bytearray(ranker)
        damaged[at] ^= 1 << at % 8
        _refused_or_safe(bytes(damaged))


@given(st.binary(max_size=200))
@example(b"\x3a\x00")
@settings(max_examples=300, deadline=None)
def test_random_bytes_are_refused_or_safe(data: bytes) -> None:
    _refused_or_safe(data)


_ENCODER = encoder_graph(13, 64)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_random_splices_are_refused_or_safe(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(_ENCODER)))
    stop = data.draw(st.integers(start, len(_ENCODER)))
    _refused_or_safe(_ENCODER[:start] + data.draw(st.binary(max_size=20)) + _ENCODER[stop:])


def _refused_or_safe(data: bytes) -> None:
    """PackageError, or a model in which protobuf itself finds no way out of the package."""
    try:
        check_model(data, allowed=lambda name: True, inputs=INPUTS | {"token_ids": (256,)})
    except PackageError:
        return
    try:
        model = onnx.load_model_from_string(data)
    except Exception:  # protobuf refuses more than the guard does, for instance names that are not UTF-8
        return
    assert not model.functions
    assert not model.graph.sparse_initializer
    assert not model.training_info
    for tensor in model.graph.initializer:
        places = [(entry.key, entry.value) for entry in tensor.external_data]
        assert places == ([("location", "package")] if tensor.data_location == TensorProto.EXTERNAL else [])
    for node in model.graph.node:
        assert node.op_type in onnx_guard.OPERATORS[node.domain]
        kinds = {field.name for attribute in node.attribute for field, _ in attribute.ListFields()}
        assert kinds <= {"name", "f", "i", "s", "type"}


def test_the_engine_checks_before_it_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: Package) -> None:
    model = onnx.load_model_from_string(bytes(package.blob("graphs/ranker.onnx")))
    _point_at("/etc/passwd")(model)
    monkeypatch.setattr(Package, "blob", lambda self, name: memoryview(model.SerializeToString()))
    monkeypatch.setattr("pocketrec.engine_onnx._import", lambda: pytest.fail("onnxruntime was asked"))
    with pytest.raises(PackageError, match="outside the package"):
        OnnxEngine(package)


def test_onnxruntime_prints_nothing_about_a_bad_graph(package: Package, capfd: pytest.CaptureFixture) -> None:
    graph = bytes(package.blob("graphs/encoder.onnx"))
    declared = graph.rindex(b"vector")  # the name in the list of outputs, which the guard leaves to onnxruntime
    entries = {"graphs/encoder.onnx": memoryview(graph[:declared] + b"\xff" + graph[declared + 1 :])}

    class Damaged:
        def __getattr__(self, name: str) -> object:
            return getattr(package, name)

        def blob(self, name: str) -> memoryview:
            return entries.get(name) or package.blob(name)

    with pytest.raises(EngineError, match="cannot load"):
        OnnxEngine(Damaged())  # type: ignore[arg-type]
    assert tuple(capfd.readouterr()) == ("", "")


@pytest.mark.parametrize("change", ["rows", "range"])
def test_a_ranker_that_answers_something_else_is_refused(package: Package, ranker: bytes, change: str) -> None:
    model = onnx.load_model_from_string(ranker)
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = ["true_index" if name == "index" else name for name in names]
    model.graph.initializer.append(numpy_helper.from_array(np.array([1 << 40], np.int64), "beyond"))
    operator = {"rows": "Concat", "range": "Add"}[change]
    axis = {"axis": 0} if change == "rows" else {}
    model.graph.node.append(helper.make_node(operator, ["true_index", "beyond"], ["index"], **axis))

    class Changed:
        def __getattr__(self, name: str) -> object:
            return getattr(package, name)

        def blob(self, name: str) -> memoryview:
            return memoryview(model.SerializeToString()) if name == "graphs/ranker.onnx" else package.blob(name)

    with pytest.raises((EngineError, PackageError), match=r"the graph answers with|ONNX graph"):
        Recommender(Changed(), OnnxEngine(Changed())).recommend(["tea-0"], k=3)  # type: ignore[arg-type]
