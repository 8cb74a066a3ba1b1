from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from crafted_zip import contents
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from pocketrec.errors import PackageError, UsageError
from pocketrec.manifest import SIGNALS, BlendTerm, FactorSettings, LexicalSettings
from pocketrec.package import Package
from pocketrec_export import writer
from pocketrec_export.writer import write_package
from tiny_package import IDS, tiny_arrays, tiny_files, tiny_manifest, write_tiny


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_tiny(tmp_path / "tiny.pocketrec")
    return tmp_path / "tiny.pocketrec"


@pytest.mark.parametrize("verify", ["full", "lazy"])
@pytest.mark.parametrize("form", [str, Path, Path.read_bytes])
def test_what_was_written_is_read(path: Path, verify: Any, form: Any) -> None:
    with Package.open(form(path), verify=verify) as package:
        for name, array in tiny_arrays().items():
            read = package.array(name)
            assert (read.dtype, read.shape) == (array.dtype, array.shape)
            np.testing.assert_array_equal(read, array)
        assert bytes(package.blob("MODEL_CARD.md")) == b"# tiny\n"
        assert list(package.strings("catalogue/id")) == IDS
        assert package.strings("catalogue/id").find("café") == 4


def test_manifest_is_typed(path: Path) -> None:
    manifest = Package.open(path).manifest
    assert manifest.signals.names == SIGNALS
    assert manifest.signals.factors == FactorSettings(dim=64, alpha=1.0, steps=8)
    assert manifest.signals.lexical == LexicalSettings("words-1", block=2, budget=64, title=3.0)
    assert manifest.blend["search"] == {
        "semantic": BlendTerm(1.0, 0.0),
        "lexical": BlendTerm(1.0, 0.5),
        "popularity": BlendTerm(0.5, 0.0),
    }
    assert manifest.encoder is not None
    assert manifest.encoder.unknown == "[UNK]"
    assert manifest.graphs.onnx is None
    assert (manifest.history.max_items, manifest.history.max_weight) == (512, 8.0)


def test_views_are_aligned_and_read_only(path: Path) -> None:
    package = Package.open(path)
    for name in tiny_arrays():
        view = package.array(name)
        assert not view.size or view.ctypes.data % 64 == 0
        assert view is package.array(name)
        with pytest.raises(ValueError, match="read-only"):
            view[...] = 0
        with pytest.raises(ValueError, match="WRITEABLE"):
            view.flags.writeable = True
    assert package.blob("golden.json").readonly


def test_identity_and_sizes(path: Path) -> None:
    package, parts = Package.open(path), contents(path.read_bytes())
    assert package.id == hashlib.sha256(parts["manifest.json"]).hexdigest()
    assert package.size_bytes == path.stat().st_size
    assert package.sizes() == {name: len(data) for name, data in parts.items()}
    assert package.has("factors/value")
    assert not package.has("factors/values")
    assert repr(package) == f"<Package 'tiny': 5 items, {package.size_bytes} bytes>"


def test_fingerprints_are_worked_out(path: Path) -> None:
    package = Package.open(path)

    def digest(*names: str) -> str:
        return hashlib.sha256(b"".join(bytes(package.blob(name)) for name in names)).hexdigest()

    assert package.manifest.catalogue.fingerprint == digest("catalogue/id.offset", "catalogue/id.text")
    assert package.manifest.encoder is not None
    assert package.manifest.encoder.fingerprint == digest(
        "tokens/value", "tokens/scale", "tokenizer/vocab.offset", "tokenizer/vocab.text"
    )


def test_wrong_names_and_roles(path: Path) -> None:
    package = Package.open(path)
    for call in (package.array, package.blob, package.strings):
        with pytest.raises(PackageError, match=r"tiny.pocketrec: the package has no entry 'nothing"):
            call("nothing")
    with pytest.raises(PackageError, match=r"'golden.json' is a golden, not an array"):
        package.array("golden.json")


def test_closed(path: Path) -> None:
    with Package.open(path) as package:
        view = package.array("popularity/value")
    for use in (package.array, package.blob):
        with pytest.raises(PackageError, match="the package is closed"):
            use("popularity/value")
    assert view[0] == 1  # views outlive the package
    package.close()


def test_the_file_may_be_replaced_while_open(path: Path) -> None:
    package, old = Package.open(path, verify="lazy"), path.read_bytes()
    write_tiny(path, name="other", overwrite=True)
    assert Package.open(path).manifest.name == "other"
    assert bytes(package.blob("text/value")) == contents(old)["text/value"]
    path.unlink()
    assert bytes(package.blob("factors/value")) == contents(old)["factors/value"]


def test_lazy_checks_an_entry_at_first_use(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[data.index(b"# tiny")] ^= 1
    package = Package.open(bytes(data), verify="lazy")
    package.array("factors/value")
    for _ in range(2):
        with pytest.raises(PackageError, match=r"package in memory: entry 'MODEL_CARD.md' is damaged"):
            package.blob("MODEL_CARD.md")
    with pytest.raises(PackageError, match=r"entry 'MODEL_CARD.md' is damaged"):
        Package.open(bytes(data))


def test_verify_has_two_values(path: Path) -> None:
    with pytest.raises(UsageError, match="must be 'full' or 'lazy', found 'none'"):
        Package.open(path, verify="none")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: None, "no such file"),
        (lambda p: p.mkdir(), "expected a package file, found a directory"),
        (lambda p: p.write_bytes(b""), "expected a package file, found an empty one"),
        (lambda p: p.write_bytes(b"item,title\n1,one\n" * 9), "the file is not a package"),
        (os.mkfifo, "not a regular file"),
    ],
)
def test_not_a_package(tmp_path: Path, make: Any, message: str) -> None:
    make(tmp_path / "x")
    with pytest.raises(PackageError, match=message):
        Package.open(tmp_path / "x")


def test_path_with_nul() -> None:
    with pytest.raises(PackageError, match="cannot be read"):
        Package.open("a\0b")


# ---------------------------------------------------------------------------------------------- writer


def test_same_input_same_bytes(tmp_path: Path) -> None:
    arrays, files = tiny_arrays(), tiny_files()
    write_tiny(tmp_path / "a")
    write_package(
        tmp_path / "b",
        manifest=tiny_manifest(),
        arrays=dict(reversed(arrays.items())),
        files=dict(reversed(files.items())),
    )
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_order_of_entries(path: Path) -> None:
    names = list(contents(path.read_bytes()))
    assert names[0] == "manifest.json"
    assert names[-2:] == ["golden.json", "MODEL_CARD.md"]
    groups = list(dict.fromkeys(name.split("/")[0] for name in names[1:-2]))
    signals = ["factors", "neighbours", "text", "attributes", "lexical", "popularity", "boost", "ratings", "cold"]
    assert groups == ["catalogue", *signals, "tokens", "tokenizer"]


def test_other_zip_tools_read_it(path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
        assert archive.testzip() is None
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert json.loads(archive.read("manifest.json"))["name"] == "tiny"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(
    array=st.sampled_from(["uint8", "int8", "uint16", "uint32", "float32"]).flatmap(
        lambda dtype: hnp.arrays(np.dtype(dtype), hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=5))
    ),
    layout=st.sampled_from("CF"),
)
def test_any_array_round_trips(tmp_path: Path, array: NDArray[Any], layout: Any) -> None:
    arrays = {**tiny_arrays(), "tokenizer/extra": np.asarray(array, order=layout)}
    write_package(tmp_path / "x", manifest=tiny_manifest(), arrays=arrays, files=tiny_files(), overwrite=True)
    with Package.open(tmp_path / "x") as package:
        np.testing.assert_array_equal(package.array("tokenizer/extra"), array)
        assert package.array("tokenizer/extra").shape == array.shape


def test_big_endian_and_strided_input_is_stored_as_it_reads(tmp_path: Path) -> None:
    arrays = tiny_arrays()
    wide = np.arange(40, dtype=">u4").reshape(5, 8)[:, ::2]
    write_package(tmp_path / "x", manifest=tiny_manifest(), arrays={**arrays, "tokenizer/x": wide}, files={})
    np.testing.assert_array_equal(Package.open(tmp_path / "x").array("tokenizer/x"), wide)


def test_existing_files_stay(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(UsageError, match="exists"):
        write_tiny(path, name="other")
    assert path.read_bytes() == before
    with pytest.raises(UsageError, match="exists"):
        write_tiny(path.parent, overwrite=True)


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError, MemoryError])
@pytest.mark.parametrize("where", ["_write_archive", "_verify", "os.replace", "os.fsync"])
def test_nothing_is_left_of_an_interrupted_write(
    path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException], where: str
) -> None:
    before = path.read_bytes()

    def interrupt(*args: object) -> None:
        raise error

    module, _, name = where.rpartition(".")
    monkeypatch.setattr(os if module else writer, name, interrupt)
    with pytest.raises(error):
        write_tiny(path, name="other", overwrite=True)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_an_invalid_package_never_appears(tmp_path: Path) -> None:
    arrays = tiny_arrays()
    arrays["popularity/value"][2] = np.nan
    target = tmp_path / "x.pocketrec"
    with pytest.raises(PackageError, match=r"x.pocketrec would not be valid: array 'popularity/value': holds nan"):
        write_package(target, manifest=tiny_manifest(), arrays=arrays, files=tiny_files())
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("arrays", "files", "message"),
    [
        ({"x": np.zeros(3, np.float16)}, {}, "array 'x' is float16"),
        ({"x": np.array(["a"])}, {}, "array 'x' is <U1"),
        ({}, {"x": ("array", b"")}, "file 'x' has role 'array'"),
        ({}, {"factors/value": ("graph", b"")}, "two entries have the same name"),
        ({}, {"manifest.json": ("document", b"")}, "two entries have the same name"),
    ],
)
def test_what_cannot_be_stored(tmp_path: Path, arrays: Any, files: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        write_package(tmp_path / "x", manifest=tiny_manifest(), arrays=tiny_arrays() | arrays, files=files)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("value", [float("nan"), np.float32(1), "\ud800", {1, 2}])
def test_manifest_that_is_not_json(tmp_path: Path, value: object) -> None:
    with pytest.raises(UsageError, match="cannot be written as JSON"):
        write_tiny(tmp_path / "x", metrics={"ndcg": value})


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a folder"):
        write_tiny(tmp_path / "no" / "x")


def test_a_package_may_hold_cf_only(tmp_path: Path) -> None:
    arrays = {
        name: array
        for name, array in tiny_arrays().items()
        if name.startswith(("catalogue/id", "catalogue/title", "factors/"))
    }
    manifest = tiny_manifest() | {
        "encoder": None,
        "ratings": None,
        "cold": None,
        "blend": {mode: {} for mode in ("recommend", "search", "similar")},
    }
    manifest["catalogue"] |= {"categories": 0, "attributes": []}
    manifest["signals"] = {"factors": manifest["signals"]["factors"]}
    write_package(tmp_path / "x", manifest=manifest, arrays=arrays, files={})
    assert Package.open(tmp_path / "x").manifest.signals.names == ("factors",)
