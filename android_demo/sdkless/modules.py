"""The modules of the Gradle project, compiled and tested in their order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sdkless import compile, desktop, stubs
from sdkless.places import PROJECT, WORK


def core() -> Path:
    """The classes of pocketrec-core."""
    return _main("pocketrec-core", [])


def core_tests() -> Path:
    """The classes of its tests."""
    return _tests("pocketrec-core", [core()])


def ort() -> Path:
    """The classes of pocketrec-ort."""
    return _main("pocketrec-ort", [core(), desktop.java_classes()])


def ort_tests() -> Path:
    """The classes of its tests."""
    return _tests("pocketrec-ort", [ort(), core(), desktop.java_classes()])


def libraries(flavor: str) -> list[Path]:
    """What the app is built on in one flavor."""
    return [core(), ort(), desktop.java_classes()] if flavor == "full" else [core()]


def app(flavor: str, r: Path) -> Path:
    """The classes of the app in one flavor.

    Args:
        flavor: "full" or "lite".
        r: the classes that name its resources.
    """
    sources = [PROJECT / "app/src" / part / "kotlin" for part in ("main", flavor)]
    return compile.kotlin(sources, [r, stubs.framework(), *libraries(flavor)], out=WORK / f"app-{flavor}")


def app_tests(r: Path) -> Path:
    """The classes of the app's tests, which need no Android: of the flavor ``lite``."""
    return _tests("app", [app("lite", r), *libraries("lite")])


def test_core() -> str:
    """What the tests of pocketrec-core printed."""
    return compile.run_tests(core_tests(), [core()])


def test_ort() -> str:
    """What the tests of pocketrec-ort printed; they run the real graphs."""
    return compile.run_tests(ort_tests(), [ort(), core(), desktop.java_classes()], native=desktop.native_libraries())


def test_app(r: Path) -> str:
    """What the tests of the app printed."""
    return compile.run_tests(app_tests(r), [app("lite", r), core()])


def _main(name: str, libraries: Sequence[Path]) -> Path:
    return compile.kotlin([PROJECT / name / "src/main/kotlin"], libraries, out=WORK / name)


def _tests(name: str, libraries: Sequence[Path]) -> Path:
    """The tests of the first of ``libraries``, whose internal names they may use."""
    sources = [PROJECT / name / "src/test/kotlin"]
    return compile.kotlin(sources, [*libraries, *compile.junit()], out=WORK / f"{name}-test", friends=libraries[:1])
