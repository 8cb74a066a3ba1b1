"""What R8 leaves of the library still works, with the keep rules that it brings, and only with them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from android import ask, need_tools
from sdkless import compile, desktop, modules
from sdkless.apk import rules, shipped
from sdkless.places import SAMPLE
from sdkless.run import BuildError
from sdkless.shrink import to_classes

need_tools("gcc")

REQUESTS = [
    ("search", 20, "space adventure with robots"),
    ("recommend", 20, "tt0358082:1.0,tt0343818:2.0"),
    ("similar", 20, "tt0358082"),
]
KEEP_TESTS = """
-keepattributes RuntimeVisibleAnnotations
-keep class dev.pocketrec.ort.Answers { public static void main(java.lang.String[]); }
-keep class dev.pocketrec.ort.OrtEngineTest { public *; }
"""


def shrunk(folder: Path, keep: list[Path]) -> Path:
    """The library, its tests and all that they need, shrunk together; the tests alone are kept by name."""
    own = folder / "tests.pro"
    own.write_text(KEEP_TESTS)
    program = [modules.ort_tests(), *shipped("full")]
    return to_classes(program, [own, *keep], around=compile.junit(), out=folder / "shrunk")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shrunk(tmp_path_factory.mktemp("kept"), rules("full"))


@pytest.mark.parametrize("engine", ["onnx", "raw"])
def test_shrunk_code_answers_alike(whole: Path, engine: str) -> None:
    assert ask(engine, SAMPLE, REQUESTS, program=[whole]) == ask(engine, SAMPLE, REQUESTS)


def test_the_tests_of_the_module_pass_on_shrunk_code(whole: Path) -> None:
    said = compile.run_tests(whole, [], native=desktop.native_libraries())
    assert "OK (" in said


def test_it_was_shrunk_and_renamed(whole: Path) -> None:
    names = {file.relative_to(whole).as_posix() for file in whole.rglob("*.class")}
    with zipfile.ZipFile(compile.STDLIB) as library:
        before = sum(name.endswith(".class") for name in library.namelist())
    assert len(names) < before / 2
    assert "dev/pocketrec/Pocketrec.class" not in names
    assert "ai/onnxruntime/OrtSession.class" in names


def test_without_the_keep_rules_it_breaks(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"NoClassDefFoundError|UnsatisfiedLinkError|NoSuchMethodError"):
        ask("onnx", SAMPLE, REQUESTS, program=[shrunk(tmp_path, [])])
