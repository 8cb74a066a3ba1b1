"""Packages that lie. Each test is named for the lie; every one must end in a PackageError."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pocketrec
import pytest
from crafted_zip import Part, contents, craft, repack, with_manifest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pocketrec.archive import read_archive
from pocketrec.catalogue import Catalogue
from pocketrec.errors import PackageError
from pocketrec.package import Package
from pocketrec.strings import EMPTY_SLOT
from pocketrec_export.quantize import quantize_halves
from tiny_package import DIM, TOKENS, tiny_arrays, write_tiny

Edit = Callable[[dict[str, Any]], Any]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("hostile") / "tiny.pocketrec"
    write_tiny(path)
    return path.read_bytes()


def manifest_of(package: bytes) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads(contents(package)["manifest.json"])
    return manifest


def edited(package: bytes, edit: Edit) -> bytes:
    """The package with an edited manifest."""
    manifest = manifest_of(package)
    edit(manifest)
    return with_manifest(package, manifest)


def with_array(package: bytes, name: str, array: NDArray[Any]) -> bytes:
    """The package as its author would have made it with another array: all hashes are right."""
    parts, manifest = contents(package), manifest_of(package)
    parts[name] = array.tobytes()
    entry = next(entry for entry in manifest["entries"] if entry["name"] == name)
    entry |= {"size": array.nbytes, "dtype": array.dtype.name, "shape": list(array.shape)}
    entry["sha256"] = hashlib.sha256(parts[name]).hexdigest()
    return repack(parts | {"manifest.json": json.dumps(manifest).encode()})


def _set_entry(**values: Any) -> Edit:
    """Override fields of the first entry, the array ``catalogue/category.index`` uint32[5]."""
    return lambda manifest: manifest["entries"][0].update(values)


def refused(package: bytes, message: str = "") -> None:
    with pytest.raises(PackageError, match=message):
        Package.open(package)


def everything(package: Package) -> dict[str, bytes]:
    """All that a package answers with."""
    return {name: bytes(package.blob(name)) for name in package.sizes() if name != "manifest.json"}


def test_the_untouched_package_opens(good: bytes) -> None:
    assert Package.open(repack(contents(good))).id == Package.open(good).id


# ------------------------------------------------------------------------------------------- damage


def test_any_flipped_byte_is_an_error_or_changes_nothing(good: bytes) -> None:
    reference = Package.open(good)
    answers, manifest, ignored = everything(reference), reference.manifest, 0
    entries = read_archive(memoryview(good))
    covered = {at for entry in entries for at in range(entry.offset, entry.offset + entry.size)}
    data = bytearray(good)
    for at in range(len(good)):
        for flip in (0xFF,) if at in covered else (0xFF, 1 << at % 8):
            data[at] = good[at] ^ flip
            try:
                package = Package.open(bytes(data))
            except PackageError:
                continue
            assert (everything(package), package.manifest, package.id) == (answers, manifest, reference.id), at
            assert at not in covered
            ignored += 1
        data[at] = good[at]
    assert ignored  # versions, times, attributes and padding carry no meaning


def test_lazy_gives_a_flipped_entry_to_nobody(good: bytes) -> None:
    for entry in read_archive(memoryview(good))[1:]:
        if entry.size:
            data = bytearray(good)
            data[entry.offset + entry.size // 2] ^= 0x10
            package = Package.open(bytes(data), verify="lazy")
            with pytest.raises(PackageError, match=f"entry '{entry.name}' is damaged"):
                package.blob(entry.name)


@pytest.mark.parametrize("parts", range(0, 100, 7))
def test_truncated(good: bytes, tmp_path: Path, parts: int) -> None:
    path = tmp_path / "cut"
    path.write_bytes(good[: len(good) * parts // 100])
    with pytest.raises(PackageError, match=r"no ZIP end record|found an empty one"):
        Package.open(path)


def test_truncated_by_one_byte(good: bytes) -> None:
    refused(good[:-1], "no ZIP end record")


def test_two_packages_joined(good: bytes) -> None:
    refused(good + good, "directory covers bytes")


def test_zero_filled_download(good: bytes) -> None:
    refused(good[: len(good) // 2] + bytes(len(good) - len(good) // 2), "no ZIP end record")


def test_wrong_hash(good: bytes) -> None:
    refused(edited(good, lambda m: m["entries"][3].update(sha256="0" * 64)), "is damaged: its SHA-256")


def test_manifest_with_a_wrong_crc(good: bytes) -> None:
    first, *rest = (Part(name.encode(), data) for name, data in contents(good).items())
    refused(craft([Part(first.name, first.data, both={"crc": 1}), *rest]), "manifest.json is damaged: its CRC-32")


# ------------------------------------------------------------------------------------------- entries


def test_newer_format(good: bytes) -> None:
    refused(edited(good, lambda m: m.update(format=2)), "has format 2, this runtime reads 1: update pocketrec")


def test_newer_format_with_nothing_else_that_we_know() -> None:
    refused(craft([Part(b"manifest.json", b'{"format": 7}')]), "has format 7, this runtime reads 1")


def test_entry_that_declares_ten_gigabytes(good: bytes) -> None:
    package = edited(good, _set_entry(size=10 << 30, shape=[10 << 30], dtype="uint8"))
    refused(package, r"entries\[0\].size must be an integer from 0 to 4294967295")


def test_shape_whose_product_overflows_64_bits(good: bytes) -> None:
    for shape in ([2**31, 2**31, 4], [2**32 - 1] * 4, [0, 2**32 - 1, 2**32 - 1, 2**32 - 1]):
        package = edited(good, _set_entry(size=0, shape=shape))
        refused(package, r"shape must be a shape of less than 2\^32 elements")


def test_shape_that_does_not_fill_the_entry(good: bytes) -> None:
    refused(edited(good, _set_entry(shape=[4])), r"uint32\[4\] takes 16 bytes, the entry has 20")


def test_size_that_is_not_the_archives(good: bytes) -> None:
    refused(
        edited(good, _set_entry(size=16, shape=[4])),
        "of 16 bytes where the archive has .* of 20",
    )


def test_entry_that_is_not_in_the_archive(good: bytes) -> None:
    extra = {"name": "x", "role": "document", "size": 0, "sha256": "0" * 64}
    listed = len(manifest_of(good)["entries"])
    refused(
        edited(good, lambda m: m["entries"].append(extra)),
        f"lists {listed + 1} entries, the archive has {listed} beside it",
    )


def test_entry_that_is_not_in_the_manifest(good: bytes) -> None:
    refused(edited(good, lambda m: m["entries"].pop()), "the manifest lists")
    refused(repack(contents(good) | {"stowaway": b"x"}), "the manifest lists")


def test_entries_in_another_order(good: bytes) -> None:
    refused(edited(good, lambda m: m["entries"].reverse()), "where the archive has")


def test_entry_twice_in_the_manifest(good: bytes) -> None:
    refused(edited(good, lambda m: m["entries"].__setitem__(1, m["entries"][0])), "where the archive has")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "../evil"}, "entry name '../evil' is not allowed"),
        ({"name": "/abs"}, "entry name '/abs' is not allowed"),
        ({"name": 3}, r"entries\[0\].name must be a string, found 3"),
        ({"role": "script"}, r"entries\[0\].role must be one of array, graph, golden, document"),
        ({"dtype": "object"}, r"entries\[0\].dtype must be one of uint8, int8, uint16, uint32, float32"),
        ({"dtype": "float16"}, "dtype"),
        ({"dtype": "int64"}, r"int64\[5\] takes 40 bytes, the entry has 20"),
        ({"shape": 5}, r"entries\[0\].shape must be a list of 1 to 4 lengths, found 5"),
        ({"shape": []}, "shape"),
        ({"shape": [1] * 5}, "shape"),
        ({"shape": [-5]}, r"entries\[0\].shape.0 must be an integer from 0"),
        ({"shape": [5.0]}, r"shape.0 must be an integer .* found 5.0"),
        ({"shape": [True]}, r"shape.0 must be an integer .* found true"),
        ({"size": "20"}, r"entries\[0\].size must be an integer"),
        ({"size": -1}, "size"),
        ({"size": 10**5000}, "not valid JSON|huge integer"),
        ({"size": 10**50}, "found a huge integer"),
        ({"sha256": "XYZ"}, r"entries\[0\].sha256 must be a SHA-256"),
        ({"sha256": "A" * 64}, "sha256"),
    ],
)
def test_entry_of_a_wrong_kind(good: bytes, change: dict[str, Any], message: str) -> None:
    if change.get("size", 0) == 10**5000:
        raw = contents(good)["manifest.json"].replace(b'"size":20', b'"size":' + b"9" * 5000, 1)
        refused(with_manifest(good, raw), message)
    else:
        refused(edited(good, _set_entry(**change)), message)


# ------------------------------------------------------------------------------------------- manifest


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "not valid JSON"),
        (b"\xff\xfe", "not valid JSON"),
        (b"not json", "not valid JSON"),
        (b"{} {}", "not valid JSON"),
        (b"\xef\xbb\xbf{}", "not valid JSON"),
        (b"[" * 1_000_000, "nested too deeply"),
        (b'{"a":' * 200_000, "nested too deeply"),
        (b'{"format": 1, "format": 1}', "a key appears twice"),
        (b'{"format": NaN}', "NaN is not JSON"),
        (b'{"format": -Infinity}', "-Infinity is not JSON"),
        (b'{"format": 1e999}', "1e999 is beyond float64"),
        (b"[]", "the top level must be an object, found a list"),
        (b"null", "the top level must be an object, found null"),
        (b"{}", "manifest: format is missing"),
        (b'{"format": "1"}', 'format must be an integer .* found "1"'),
        (b'{"format": true}', "format must be an integer .* found true"),
        (b'{"format": 0}', "format must be an integer from 1"),
        (b'{"format": 1}', "manifest: signals is missing"),
        (b" " * (16 << 20) + b"{}", "expected at most 16777216"),
    ],
)
def test_manifest_that_is_not_a_manifest(good: bytes, raw: bytes, message: str) -> None:
    refused(with_manifest(good, raw), message)


def _set(path: str, value: Any) -> Edit:
    def edit(manifest: dict[str, Any]) -> None:
        *parents, key = path.split(".")
        for parent in parents:
            manifest = manifest[int(parent) if isinstance(manifest, list) else parent]
        manifest[key] = value

    return edit


LIES: list[tuple[str, Any, str]] = [
    ("name", None, "name must be a string, found null"),
    ("name", "\ud800", "name must be text without lone surrogates"),
    ("entries", {}, "entries must be a list"),
    ("entries", [{}] * 5000, "entries must be a list of at most 4096"),
    ("entries", [3], r"entries\[0\] must be an object, found 3"),
    ("catalogue", [], "catalogue must be an object, found a list"),
    ("catalogue.items", 0, "catalogue.items must be an integer from 1"),
    ("catalogue.items", 6, r"'catalogue/id.offset' has shape \(6,\), expected \[I\+1\] with I = 6"),
    ("catalogue.categories", 4, r"category_name.offset' has shape \(4,\), expected .* names = 4"),
    ("catalogue.attributes", {}, "catalogue.attributes must be a list of at most 256, found an object"),
    ("catalogue.attributes", [{"name": "x"}] * 300, "catalogue.attributes must be a list of at most 256"),
    ("catalogue.attributes", [1], r"catalogue.attributes\[0\] must be an object, found 1"),
    ("catalogue.attributes.0.name", 1, r"catalogue.attributes\[0\].name must be a string, found 1"),
    ("catalogue.attributes.0.name", "", r"catalogue.attributes\[0\].name must be a name of its own"),
    ("catalogue.attributes.1.name", "price", r"catalogue.attributes\[1\].name must be a name of its own"),
    ("catalogue.attributes.0.name", "category", "name must be a name of its own"),
    (
        "catalogue.attributes.0.kind",
        "text",
        "kind must be one of category, number, boolean, date .or update pocketrec.",
    ),
    ("catalogue.attributes.0.kind", "date", "'catalogue/column-0.value' is float32, expected int64"),
    ("catalogue.attributes.0.name", "published", r"catalogue.attributes\[0\].kind must be date for published"),
    ("catalogue.attributes.3.kind", "number", r"catalogue.attributes\[3\].kind must be date for expires"),
    ("catalogue.attributes.4.values", 0, r"catalogue.attributes\[4\].values must be an integer from 1"),
    ("catalogue.attributes.4.values", 4, r"column-4_name.offset' has shape \(4,\), expected .* names = 4"),
    ("catalogue.fingerprint", "x", "catalogue.fingerprint must be a SHA-256"),
    ("history.max_items", 0, "history.max_items"),
    ("history.max_weight", 0, "history.max_weight must be a number from 1e-06"),
    ("history.max_weight", "8", "history.max_weight"),
    ("history.max_weight", 10**400, "history.max_weight"),
    ("signals.magic", {}, "signals.magic is unknown to this runtime: update pocketrec"),
    ("signals.lexical", {}, "signals.lexical.analyzer is missing"),
    ("signals.lexical.analyzer", "words-2", "signals.lexical.analyzer must be one of words-1 .or update pocketrec."),
    ("signals.lexical.block", 16, "signals.lexical.block must be an integer from 2 to 2"),
    ("signals.lexical.budget", 0, "signals.lexical.budget"),
    ("signals.lexical.title", -1, "signals.lexical.title must be a number from 0"),
    ("blend.search.lexical.power", 11, "blend.search.lexical.power must be a number from 0 to 10, found 11"),
    ("signals.factors.dim", 65, "signals.factors.dim must be a multiple of 64, found 65"),
    ("signals.factors.dim", 128, r"'factors/value' has shape \(5, 64\), expected \[I, d\] with d = 128"),
    ("signals.factors.dim", 1 << 30, "signals.factors.dim must be an integer from 64 to 4096"),
    ("signals.factors.alpha", -1, "signals.factors.alpha"),
    ("signals.factors.steps", 10**9, "signals.factors.steps must be an integer from 1 to 1000"),
    ("signals.factors.steps", 8.0, "signals.factors.steps must be an integer"),
    ("signals.neighbours.block", 32, "signals.neighbours.block must be an integer from 16 to 16"),
    ("signals.neighbours.budget", 0, "signals.neighbours.budget"),
    ("signals.attributes.dim", 128, r"'attributes/value' has shape \(5, 64\), expected \[I, A\] with A = 128"),
    ("signals.attributes.dim", 96, "signals.attributes.dim must be a multiple of 64, found 96"),
    ("signals.content.dim", 128, "signals.semantic.dim is 64, but another text width is 128"),
    ("encoder.dim", 128, "encoder.dim is 128, but another text width is 64"),
    ("encoder", None, "signals.semantic needs an encoder"),
    ("encoder.kind", "transformer", "encoder.kind must be one of static .or update pocketrec."),
    ("encoder.tokenizer", "bpe", "encoder.tokenizer must be one of wordpiece"),
    ("encoder.lowercase", 1, "encoder.lowercase must be true or false, found 1"),
    ("encoder.lowercase", False, "encoder.lowercase is false, this runtime knows only true: update pocketrec"),
    ("encoder.normalize", False, "encoder.normalize is false, this runtime knows only true: update pocketrec"),
    ("encoder.max_tokens", 10**9, "encoder.max_tokens"),
    ("blend.search", None, "blend.search must be an object, found null"),
    ("blend.search.magic", {"weight": 1, "power": 0}, "blend.search.magic weighs a signal that the package does not"),
    ("blend.search.semantic", {"weight": 1}, "blend.search.semantic.power is missing"),
    ("blend.search.semantic.power", 0.5, "blend.search.semantic.power must be a number from 0 to 0, found 0.5"),
    ("blend.recommend.factors.weight", "1", "blend.recommend.factors.weight must be a number"),
    ("blend.recommend.factors.weight", 1e300, "blend.recommend.factors.weight"),
    ("blend.recommend.factors.weight", False, "blend.recommend.factors.weight must be a number .* found false"),
    ("graphs", None, "graphs must be an object"),
    ("graphs.onnx", {"ranker": "nope", "min_onnxruntime": "1.25"}, "graphs.onnx.ranker is 'nope', which is not a"),
    ("graphs.onnx", {"ranker": "factors/value", "min_onnxruntime": "1.25"}, "which is not a graph entry"),
    ("graphs.onnx", {"min_onnxruntime": "1.25"}, "graphs.onnx.ranker is missing"),
    ("graphs.onnx", {"ranker": "r", "encoder": None, "min_onnxruntime": "9" * 5000}, "must be a version such as"),
    ("graphs.onnx", {"ranker": "r", "encoder": None, "min_onnxruntime": "new"}, "min_onnxruntime must be a version"),
    ("input.positive", 4, "input.positive must be a string, found 4"),
    ("metrics", [], "metrics must be an object"),
    ("data.license", None, "data.license must be a string"),
    ("seed", 0.5, "seed must be an integer"),
]


@pytest.mark.parametrize(("path", "value", "message"), LIES)
def test_manifest_value_that_cannot_be(good: bytes, path: str, value: Any, message: str) -> None:
    refused(edited(good, _set(path, value)), message)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
@given(data=st.data())
def test_any_value_anywhere_in_the_manifest(good: bytes, data: st.DataObject) -> None:
    manifest: Any = manifest_of(good)
    parent, keys = manifest, list(manifest)
    while True:
        key = data.draw(st.sampled_from(keys))
        inner = parent[key]
        keys = list(inner) if isinstance(inner, dict) else list(range(len(inner))) if isinstance(inner, list) else []
        if not keys or data.draw(st.integers(0, 2)) == 0:
            break
        parent = inner
    parent[key] = data.draw(json_values)
    # A free text or number may well change; whatever happens, it is typed.
    with suppress(PackageError):
        Package.open(with_manifest(good, manifest))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=8)), max_size=4))
def test_any_bytes_anywhere_in_the_frame(good: bytes, patches: list[tuple[float, bytes]]) -> None:
    start = good.index(b"PK\x01\x02")
    data = bytearray(good)
    for place, patch in patches:
        at = start + int(place * (len(good) - start))
        data[at : at + len(patch)] = patch
    with suppress(PackageError):
        assert everything(Package.open(bytes(data))) == everything(Package.open(good))


def test_every_key_is_needed(good: bytes) -> None:
    optional = {"encoder", "encoder.bits", "ratings", "cold", "signals", "catalogue.attributes"}
    optional |= {"input.positive", "input.split_sha256"}

    def keys(value: dict[str, Any], prefix: str = "") -> list[str]:
        inner = [k for key in value if isinstance(value[key], dict) for k in keys(value[key], f"{prefix}{key}.")]
        return [prefix + key for key in value] + inner

    def drop(path: str) -> Edit:
        def edit(manifest: dict[str, Any]) -> None:
            *parents, key = path.split(".")
            for parent in parents:
                manifest = manifest[parent]
            del manifest[key]

        return edit

    for path in keys({k: v for k, v in manifest_of(good).items() if k not in ("blend", "signals", "metrics")}):
        if path not in optional:
            refused(edited(good, drop(path)), f"manifest: {path} is missing")


def test_keys_of_the_future_are_ignored(good: bytes) -> None:
    for path in ("note", "catalogue.note", "signals.factors.note", "encoder.note", "graphs.litert"):
        assert Package.open(edited(good, _set(path, {"a": [1]}))).manifest.name == "tiny"


# --------------------------------------------------------------------------------------------- arrays


def test_array_left_out(good: bytes) -> None:
    for name in tiny_arrays():  # there are rules for answers and heads, too
        parts, manifest = contents(good), manifest_of(good)
        del parts[name]
        manifest["entries"] = [entry for entry in manifest["entries"] if entry["name"] != name]
        refused(repack(parts | {"manifest.json": json.dumps(manifest).encode()}), f"array '{name}' is missing")


def test_array_of_a_wrong_dtype(good: bytes) -> None:
    for name in tiny_arrays():
        array = tiny_arrays()[name]
        other = np.int8 if array.dtype != np.int8 else np.uint8
        refused(with_array(good, name, np.zeros(array.shape, other)), f"array '{name}' is u?int8, expected")
    text = tiny_arrays()["tokenizer/map.text"]
    refused(with_array(good, "tokenizer/map.text", text.astype(np.float32)), "map.text' is float32, expected uint32")


def test_array_of_a_wrong_rank(good: bytes) -> None:
    for name in tiny_arrays():
        refused(with_array(good, name, tiny_arrays()[name][None]), f"array '{name}' has shape .*, expected")


def test_array_one_row_short(good: bytes) -> None:
    for name in tiny_arrays():
        array = tiny_arrays()[name]
        refused(with_array(good, name, array[:-1]), "has shape|goes from|has 15 slots|has 7 slots|expected")


def changed(name: str, where: Any, value: Any) -> NDArray[Any]:
    array = tiny_arrays()[name]
    array = array.copy()
    array[where] = value
    return array


BAD_VALUES: list[tuple[str, Any, Any, str]] = [
    ("catalogue/id.offset", 2, 0, "must not decrease"),
    ("catalogue/id.offset", 2, 4_000_000_000, "must not decrease"),
    ("catalogue/id.offset", -1, 20, "goes from 0 to 20, expected 0 to 19"),
    ("catalogue/id.offset", 0, 1, "goes from 1 to 19, expected 0 to 19"),
    ("catalogue/title.offset", 1, 99, "must not decrease"),
    ("catalogue/id.slot", 0, 5, "holds 5, expected less than 5"),
    ("catalogue/id.slot", 0, 0xFFFE, "holds 65534"),
    ("catalogue/category.start", 1, 9, "must not decrease"),
    ("catalogue/category.start", -1, 4, "expected 0 to 5"),
    ("catalogue/category.index", 0, 3, "holds 3, expected less than 3"),
    ("catalogue/column-0.value", 1, np.inf, "holds an infinite number"),
    ("catalogue/column-0.value", 2, -np.inf, "holds an infinite number"),
    ("catalogue/column-1.value", 0, 3, "holds 3, expected less than 3"),
    ("catalogue/column-2.value", 0, 10**12, "holds 1000000000000, expected seconds within"),
    ("catalogue/column-2.value", 0, 1 - (1 << 63), "expected seconds within"),
    ("catalogue/column-4.start", 1, 9, "must not decrease"),
    ("catalogue/column-4.index", 1, 3, "holds 3, expected less than 3"),
    ("catalogue/column-4_name.slot", 0, 7, "holds 7, expected less than 3"),
    ("neighbours/start", 1, 7, "must not decrease"),
    ("neighbours/start", -1, 9, "goes from 0 to 9, expected 0 to 3"),
    ("neighbours/index", (0, 0), 5, "holds 5, expected less than 5"),
    ("neighbours/index", (2, 15), 65535, "holds 65535"),
    ("neighbours/scale", 0, np.nan, "holds nan, expected"),
    ("factors/scale", 1, np.nan, "holds nan, expected"),
    ("factors/scale", 1, np.inf, "holds -?inf, expected"),
    ("factors/scale", 1, -1, "holds -1.0, expected 0 to 1.04858e.06"),
    ("factors/scale", 0, 3e38, "holds 3.* expected 0 to"),
    ("factors/value", (0, 0), 0, "holds code 0, expected 1 to 255"),
    ("text/scale", 4, -np.inf, "holds -?inf, expected"),
    ("tokens/scale", 0, np.nan, "holds nan, expected"),
    ("attributes/value", (1, 3), 0, "holds code 0, expected 1 to 255"),
    ("attributes/scale", 1, np.inf, "holds -?inf, expected"),
    ("lexical/word.offset", 1, 99, "must not decrease"),
    ("lexical/start", 1, 9, "must not decrease"),
    ("lexical/start", -1, 9, "goes from 0 to 9, expected 0 to 3"),
    ("lexical/index", (0, 0), 5, "holds 5, expected less than 5"),
    ("lexical/scale", 0, np.nan, "holds nan, expected"),
    ("lexical/title.item", 1, 5, "holds 5, expected less than 5"),
    ("popularity/value", 0, np.nan, "holds nan, expected"),
    ("boost/value", 4, -np.inf, "holds -?inf, expected"),
    ("boost/value", 4, 2e6, "holds 2000000.0, expected"),
    ("tokenizer/vocab.offset", 3, 1, "must not decrease"),
    ("tokenizer/vocab.slot", 1, 6, "holds 6"),
]


@pytest.mark.parametrize("verify", ["full", "lazy"])
@pytest.mark.parametrize(("name", "where", "value", "message"), BAD_VALUES)
def test_value_out_of_range(good: bytes, name: str, where: Any, value: Any, message: str, verify: Any) -> None:
    package = with_array(good, name, changed(name, where, value))
    with pytest.raises(PackageError, match=f"array '{name}': .*{message}"):
        Package.open(package, verify=verify).array(name)


@pytest.fixture(scope="module")
def halves(good: bytes) -> bytes:
    """The same package with tokens of 4 bits."""
    value, scale = quantize_halves(np.random.default_rng(0).standard_normal((TOKENS, DIM)))
    package = with_array(with_array(good, "tokens/value", value), "tokens/scale", scale)
    return edited(package, _set("encoder.bits", 4))


def test_halves_are_read(halves: bytes) -> None:
    with pocketrec.open(halves, engine="numpy") as recommender:
        assert recommender.package.manifest.encoder.bits == 4  # type: ignore[union-attr]
        assert len(recommender.search("tea mug", explain=True)) == 5


@pytest.mark.parametrize(("zero", "at"), [(0xF0, (0, 0)), (0x0F, (5, 31))])
def test_half_a_byte_of_zero(halves: bytes, zero: int, at: tuple[int, int]) -> None:
    value = Package.open(halves).array("tokens/value").copy()
    value[at] = zero
    refused(with_array(halves, "tokens/value", value), "tokens/value': holds code 0 in half a byte, expected 1 to 15")


def test_bits_that_the_table_does_not_have(good: bytes, halves: bytes) -> None:
    refused(
        edited(good, _set("encoder.bits", 4)), r"'tokens/value' has shape \(6, 64\), expected \[T, D/2\] with D/2 = 32"
    )
    refused(
        edited(halves, _set("encoder.bits", 8)), r"'tokens/value' has shape \(6, 32\), expected \[T, D\] with D = 64"
    )
    refused(
        edited(halves, lambda m: m["encoder"].pop("bits")), r"'tokens/value' has shape \(6, 32\), expected \[T, D\]"
    )


@pytest.mark.parametrize("bits", [0, 2, 5, 16, -4, 4.0, True, "4", None])
def test_bits_that_no_table_has(good: bytes, bits: Any) -> None:
    refused(edited(good, _set("encoder.bits", bits)), "manifest: encoder.bits")


@pytest.mark.parametrize("slots", [0, 1, 2, 8, 12, 17])
def test_slots_that_are_too_few_or_no_power_of_two(good: bytes, slots: int) -> None:
    for dtype, empty in EMPTY_SLOT.items():
        array = np.full(slots, empty, dtype)
        refused(with_array(good, "catalogue/id.slot", array), f"has {slots} slots for 5 rows")


def test_the_empty_slot_of_another_width_is_no_row(good: bytes) -> None:
    array = np.full(16, EMPTY_SLOT["uint16"], np.uint32)
    refused(with_array(good, "catalogue/id.slot", array), "holds 65535, expected less than 5")


def test_slots_without_an_empty_one_still_end(good: bytes) -> None:
    with Package.open(with_array(good, "catalogue/id.slot", np.zeros(16, np.uint32))) as package:
        assert Catalogue(package).index("unknown") == -1


LIES_OF_WORDS: list[tuple[str, Any, Any]] = [
    ("lexical/word.text", slice(None), 0xFF),
    ("lexical/word.text", slice(None, None, -1), np.arange(11)),  # words in another order
    ("lexical/word.offset", slice(1, 3), 0),  # empty words
    ("lexical/title.hash", slice(None), 0xFFFFFFFF),
    ("lexical/title.hash", slice(None), 0),
    ("lexical/title.item", slice(None), 0),
]


@pytest.mark.parametrize(("name", "where", "value"), LIES_OF_WORDS)
def test_words_and_titles_that_are_not_in_order_find_less_or_nothing(
    good: bytes, name: str, where: Any, value: Any
) -> None:
    with pocketrec.open(with_array(good, name, changed(name, where, value)), engine="numpy") as recommender:
        for text in ("green tea", "gren tee", "mug", "a novel", "m", "x" * 5000):
            with suppress(PackageError):  # a word that is not UTF-8
                assert len({item.item for item in recommender.search(text, explain=True)}) == 5


def test_text_that_is_not_utf8(good: bytes) -> None:
    with Package.open(with_array(good, "catalogue/title.text", changed("catalogue/title.text", 0, 0xFF))) as package:
        with pytest.raises(PackageError, match="row 0 of a string table is not UTF-8"):
            Catalogue(package).title(0)
        assert Catalogue(package).title(1) == "Big mug"
