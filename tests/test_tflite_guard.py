"""Hostile TFLite models: each test is named for the lie, and none of them reaches the interpreter."""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from numpy.typing import NDArray
from pocketrec.errors import PackageError
from pocketrec.package import Package
from pocketrec.tflite_guard import MAX_ENTRIES, MAX_SMALL, check_model
from pocketrec.tflite_operators import OPERATORS, TYPES
from pocketrec.tflite_tables import table_of
from pocketrec_export import tflite_model
from pocketrec_export.tflite_model import Graph, Model, Tensor
from worlds import tiny_world

ITEMS = 8


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Package:
    return Package.open(tiny_world(tmp_path_factory.mktemp("worlds") / "tiny.pocketrec"))


@pytest.fixture(scope="module")
def check(tiny: Package) -> Callable[[bytes], Any]:
    table = cache(lambda name: table_of(name, tiny.array, items=ITEMS))
    return lambda data: check_model(data, table=table, items=ITEMS)


def model(make: Callable[[Graph], dict[str, Tensor]], *, twice: bool = False) -> bytes:
    """A model of one signature, or of two alike."""
    made = Model()
    for number in range(1 + twice):
        graph = made.graph(f"rank_{number}")
        graph.finish(make(graph))
    return made.serialize()


def doubled(graph: Graph) -> dict[str, Tensor]:
    x = graph.input("x", [1, 4], "float32")
    return {"y": graph.node("ADD", x, x)}


def test_ours_are_read(tiny: Package, check: Callable[[bytes], Any]) -> None:
    ranker = check(bytes(tiny.blob("graphs/ranker.tflite")))
    assert list(ranker) == [*(f"{family}_{i}" for family in ("recommend", "search") for i in range(3))]
    assert [ranker[key].inputs["history_index"].shape for key in ranker] == [(32,), (128,), (512,)] * 2
    assert list(check(bytes(tiny.blob("graphs/encoder.tflite")))) == [f"encode_{i}" for i in range(5)]
    assert list(check(model(doubled, twice=True))) == ["rank_0", "rank_1"]


def test_every_cut_is_noticed(tiny: Package, check: Callable[[bytes], Any]) -> None:
    data = bytes(tiny.blob("graphs/encoder.tflite"))
    for size in (*range(0, 200, 7), *range(200, len(data), 997)):
        with pytest.raises(PackageError):
            check(data[:size])


def test_no_flipped_byte_escapes_but_for_other_meanings_of_ours(check: Callable[[bytes], Any]) -> None:
    """What is still read after a flip has operators of our list, within the limits; all else is a PackageError."""
    data = model(doubled)
    for at in range(len(data)):
        for bit in (1, 16, 128):
            flipped = bytearray(data)
            flipped[at] ^= bit
            try:
                check(bytes(flipped))
            except PackageError:
                continue


def with_table(name: str, array: NDArray[Any], scale: float = 1.0) -> Callable[[Graph], dict[str, Tensor]]:
    def make(graph: Graph) -> dict[str, Tensor]:
        index = graph.input("index", [4], "int32")
        quantized = np.array([scale], np.float32) if array.dtype == np.int8 else None
        return {"rows": graph.node("GATHER", graph.constant(array, name=name, scale=quantized), index)}

    return make


def test_a_table_of_its_own(tiny: Package, check: Callable[[bytes], Any]) -> None:
    own = table_of("factors:0", tiny.array, items=ITEMS)
    check(model(with_table("factors:0", own)))
    other = own.copy()
    other[3, 5] ^= 1
    for name, array, said in (
        ("factors:0", other, "is not the package's own"),
        ("factors:0", own[:-1].copy(), r"the package has int8\[9, 66\]"),
        ("factors:0", own.astype(np.int16), r"the package has int8\[9, 66\]"),
        ("factors:1", own, "is no table of this package"),
        ("text:0", own, "is not the package's own"),
        ("factors:x", own, "is no table of this package"),
        ("ratings:0", own, "is no table of this package"),
        ("tea:0", own, "is no table of this package"),
        ("x/y", own[:2].copy(), "is no table of this package"),
        ("t1", np.zeros(MAX_SMALL + 1, np.int8), "is no table of this package"),
    ):
        with pytest.raises(PackageError, match=said):
            check(model(with_table(name, array)))


@pytest.mark.parametrize("scale", [0.5, 0.0, -1.0, float("nan")])
def test_another_scale(tiny: Package, check: Callable[[bytes], Any], scale: float) -> None:
    own = table_of("factors:0", tiny.array, items=ITEMS)
    with pytest.raises(PackageError, match="quantized in another way"):
        check(model(with_table("factors:0", own, scale)))


def test_a_chain_that_doubles(check: Callable[[bytes], Any]) -> None:
    def make(graph: Graph, times: int = 40) -> dict[str, Tensor]:
        x = graph.input("x", [1, 4], "float32")
        for _ in range(times):
            x = graph.node("CONCATENATION", x, x, axis=1)
        return {"y": x}

    check(model(lambda graph: make(graph, 10)))
    with pytest.raises((PackageError, OverflowError)):  # lengths end at 2^31 before memory does
        check(model(lambda graph: make(graph, 25)))


def test_a_product_that_squares(check: Callable[[bytes], Any]) -> None:
    def make(graph: Graph) -> dict[str, Tensor]:
        x = graph.input("x", [1, 8192], "float32")
        return {"y": graph.node("BATCH_MATMUL", x, x, adj_x=1)}

    with pytest.raises(PackageError, match="more than"):
        check(model(make))


def test_a_shape_that_is_not_what_the_operator_makes(check: Callable[[bytes], Any]) -> None:
    """The interpreter would work it out anew, and the host would be told another."""

    def make(graph: Graph) -> dict[str, Tensor]:
        made = doubled(graph)
        return made | {"z": lying(graph, "RELU", made["y"], (1, 3), "float32")}

    with pytest.raises(PackageError, match="RELU makes"):
        check(model(make))


def test_a_dtype_that_is_not_what_the_operator_makes(check: Callable[[bytes], Any]) -> None:
    def make(graph: Graph) -> dict[str, Tensor]:
        made = doubled(graph)
        return made | {"z": lying(graph, "RELU", made["y"], (1, 4), "int32")}

    with pytest.raises(PackageError, match="RELU makes"):
        check(model(make))


def lying(graph: Graph, operator: str, x: Tensor, shape: tuple[int, ...], dtype: str) -> Tensor:
    """An output that says to be of another shape or dtype."""
    kept, graph._tensor = graph._tensor, lambda *_, **__: kept(shape, dtype)  # type: ignore[method-assign,assignment]
    try:
        return graph.node(operator, x)
    finally:
        graph._tensor = kept  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("name", "inputs", "options"),
    [
        ("ADD", [(1, 4), (1, 3)], {}),
        ("BATCH_MATMUL", [(1, 4), (3, 4)], {}),
        ("BATCH_MATMUL", [(4,), (4, 1)], {}),
        ("CONCATENATION", [(1, 4), (2, 3)], {"axis": 0}),
        ("CONCATENATION", [(1, 4), (4,)], {"axis": 1}),
        ("CONCATENATION", [(1, 4), (1, 4)], {"axis": 2}),
        ("FULLY_CONNECTED", [(1, 4), (4, 3)], {"keep_num_dims": 1}),
        ("GATHER", [(1, 4), (2,)], {"axis": 2}),
        ("GATHER", [(1, 4), (2,)], {"axis": -1}),
        ("SELECT_V2", [(1, 4), (1, 4), (1, 4)], {}),
        ("SPLIT", [(1,), (1, 4)], {"num_splits": 3}),
        ("SUM", [(1, 4), (1,)], {"keep_dims": 0}),
        ("TOPK_V2", [(1, 4), (2,)], {}),
        ("SCATTER_ND", [(4, 2), (4,), (1,)], {}),
        ("RESHAPE", [(1, 4), (1,)], {}),
    ],
)
def test_operands_that_do_not_fit(
    check: Callable[[bytes], Any],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    inputs: list[tuple[int, ...]],
    options: dict[str, int],
) -> None:
    about = OPERATORS[name]
    lenient = type(about)(about.code, lambda call: (1, 4), about.version, about.table, about.options, 1)

    def make(graph: Graph) -> dict[str, Tensor]:
        tensors = [graph.input(f"x{i}", shape, "float32") for i, shape in enumerate(inputs)]
        return {"y": graph.node(name, *tensors, **options)}

    monkeypatch.setattr(tflite_model, "OPERATORS", {**OPERATORS, name: lenient})
    with pytest.raises(PackageError, match=f"{name} (is not one of ours|makes)"):
        check(model(make))


def test_an_operator_that_we_do_not_run(check: Callable[[bytes], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """WHILE, CALL_ONCE, VAR_HANDLE, CUSTOM, STABLEHLO_SCATTER, and one that does not exist."""
    for code in (119, 129, 142, 32, 190, 250):
        about = OPERATORS["RELU"]
        other = type(about)(code, about.shape)
        monkeypatch.setattr(tflite_model, "OPERATORS", {**OPERATORS, "RELU": other})
        with pytest.raises(PackageError, match="is not one that we run"):
            check(model(lambda graph: {"y": graph.node("RELU", graph.input("x", [1], "float32"))}))


def test_a_newer_kernel_and_options_of_another(check: Callable[[bytes], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    about = OPERATORS["ADD"]
    for other, said in (
        (type(about)(about.code, about.shape, 2, about.table), "is not one that we run"),
        (type(about)(about.code, about.shape, 1, 21), "options of another operator"),
        (type(about)(about.code, about.shape, 1, 0), "options of another operator"),
    ):
        monkeypatch.setattr(tflite_model, "OPERATORS", {**OPERATORS, "ADD": other})
        with pytest.raises(PackageError, match=said):
            check(model(doubled))


def test_an_option_that_we_never_set(check: Callable[[bytes], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A fused activation would change what the operator says."""
    about = OPERATORS["ADD"]
    monkeypatch.setattr(
        tflite_model,
        "OPERATORS",
        {**OPERATORS, "ADD": type(about)(about.code, about.shape, 1, about.table, {"fused": (0, 1)})},
    )

    def make(graph: Graph) -> dict[str, Tensor]:
        x = graph.input("x", [1, 4], "float32")
        return {"y": graph.node("ADD", x, x, fused=1)}

    with pytest.raises(PackageError, match="has fields"):
        check(model(make))


def test_a_value_before_it_is_made(check: Callable[[bytes], Any]) -> None:
    def make(graph: Graph) -> dict[str, Tensor]:
        x = graph.input("x", [1, 4], "float32")
        y = graph.node("ADD", x, Tensor(2, (1, 4), "float32"))
        return {"y": y, "z": graph.node("ADD", x, y)}

    def never(graph: Graph) -> dict[str, Tensor]:
        graph.input("x", [1, 4], "float32")
        return {"y": graph._tensor((1, 4), "float32") and Tensor(1, (1, 4), "float32")}

    with pytest.raises(PackageError, match="what is not there yet"):
        check(model(make))
    with pytest.raises(PackageError, match="never made"):
        check(model(never))


def test_a_number_of_the_best_that_is_not_n(check: Callable[[bytes], Any]) -> None:
    """tflite-runtime 2.14 dies of the best 0."""

    def make(graph: Graph, count: Callable[[], Tensor]) -> dict[str, Tensor]:
        score, index = graph.nodes("TOPK_V2", graph.input("x", [1, 4], "float32"), count(), dtypes=["float32", "int32"])
        return {"score": score, "index": index}

    check(model(lambda graph: make(graph, lambda: graph.input("n", [1], "int32"))))
    for count in (lambda g: g.constant(np.zeros(1, np.int32)), lambda g: g.input("title_index", [1], "int32")):
        with pytest.raises(PackageError, match="other than the input n"):
            check(model(lambda graph, count=count: make(graph, lambda: count(graph))))


def test_an_input_that_is_a_constant(check: Callable[[bytes], Any]) -> None:
    def make(graph: Graph) -> dict[str, Tensor]:
        made = doubled(graph)
        constant = graph.constant(np.zeros((1, 4), np.float32))
        graph._inputs["z"] = constant.number
        return made

    with pytest.raises(PackageError, match="is a constant"):
        check(model(make))


def test_names_that_do_not_fit(check: Callable[[bytes], Any]) -> None:
    with pytest.raises(PackageError, match="each input and output once"):
        check(renamed(model(lambda graph: doubled(graph) | {"z": doubled(graph)["y"]}), b"z", b"y"))
    with pytest.raises(PackageError, match="do not go together"):
        check(renamed(model(doubled, twice=True), b"rank_1", b"rank_0"))


def renamed(data: bytes, old: bytes, new: bytes) -> bytes:
    """Every string ``old`` as ``new``, of the same length."""
    size = struct.pack("<I", len(old))
    return data.replace(size + old + b"\0", size + new + b"\0")


def test_a_text_without_end(check: Callable[[bytes], Any]) -> None:
    """C reads on until it meets a zero."""
    with pytest.raises(PackageError, match="a text without end"):
        check(model(doubled).replace(b"rank_0\0", b"rank_0x"))
    with pytest.raises(PackageError, match="not UTF-8"):
        check(model(doubled).replace(b"rank_0\0", b"rank_\xff\0"))


def root_of(**fields: Callable[[flatbuffers.Builder], int]) -> bytes:
    """A model table with raw offsets; slots by the names a0, a1, ..."""
    b = flatbuffers.Builder(1024)
    made = {int(name[1:]): make(b) for name, make in fields.items()}
    b.StartObject(10)
    b.PrependUint32Slot(0, 3, 0)
    for slot, offset in made.items():
        b.PrependUOffsetTRelativeSlot(slot, offset, 0)
    b.Finish(b.EndObject(), b"TFL3")
    return bytes(b.Output())


def many(count: int) -> Callable[[flatbuffers.Builder], int]:
    """A vector that lists one and the same empty table ``count`` times."""

    def make(b: flatbuffers.Builder) -> int:
        b.StartObject(0)
        table = b.EndObject()
        b.StartVector(4, count, 4)
        for _ in range(count):
            b.PrependUOffsetTRelative(table)
        return int(b.EndVector())

    return make


def test_more_of_everything_than_anyone_needs(check: Callable[[bytes], Any]) -> None:
    for slot, most in ((1, len(OPERATORS)), (2, 16), (4, MAX_ENTRIES), (7, 16)):
        fields: dict[str, Any] = {"a4": many(1), f"a{slot}": many(most + 1)}
        with pytest.raises(PackageError, match=f"expected at most {most}"):
            check(root_of(**fields))


@pytest.mark.parametrize("slot", [5, 6, 8, 9])
def test_parts_that_we_do_not_use(check: Callable[[bytes], Any], slot: int) -> None:
    """Metadata, and buffers that lie outside the file."""
    with pytest.raises(PackageError, match="the model has fields"):
        check(root_of(a4=many(1), **{f"a{slot}": many(0)}))


def test_another_schema_and_no_model(check: Callable[[bytes], Any]) -> None:
    data = model(doubled)
    for wrong, said in ((data[:4] + b"TFL4" + data[8:], "TFL3"), (b"", "TFL3"), (b"TFL3", "TFL3")):
        with pytest.raises(PackageError, match=said):
            check(wrong)
    with pytest.raises(PackageError):
        check(b"\xff\xff\xff\xff" + data[4:])


def test_types_are_those_of_the_schema() -> None:
    """Numbers and slots against the classes that the LiteRT wheel ships."""
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated", reason="ai-edge-litert is not installed")
    for name, operator in OPERATORS.items():
        assert getattr(schema.BuiltinOperator, name) == operator.code, name
    for name, number in TYPES.items():
        assert getattr(schema.TensorType, name.upper()) == number
    tables = {value: name for name, value in vars(schema.BuiltinOptions).items() if not name.startswith("_")}
    for name, operator in OPERATORS.items():
        if operator.table:
            family = {"MAXIMUM": "MaximumMinimum", "REDUCE_MAX": "Reducer", "SUM": "Reducer", "TOPK_V2": "TopKV2"}
            expected = family.get(name, name.replace("_", "")).lower() + "options"
            assert tables[operator.table].lower() == expected, name


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    assert tiny_world(tmp_path / "a").read_bytes() == tiny_world(tmp_path / "b").read_bytes()
