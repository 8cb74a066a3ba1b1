"""Kotlin and Java sources to classes, again only when a source or a library changed."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from sdkless.places import PROJECT, TOOLS, VERSIONS
from sdkless.run import BuildError, classpath, java, run

STDLIB = TOOLS / "kotlin" / "kotlin-stdlib.jar"
COROUTINES = TOOLS / "kotlin" / "kotlinx-coroutines-core-jvm.jar"
ANNOTATIONS = TOOLS / "kotlin" / "annotations-13.0.jar"
LIBRARIES = (STDLIB, COROUTINES, ANNOTATIONS)
"""What every Kotlin module sees, and every app contains as far as it is used."""


def kotlin(sources: Sequence[Path], libraries: Sequence[Path], *, out: Path, friends: Sequence[Path] = ()) -> Path:
    """The folder ``out`` with the classes of all Kotlin files below ``sources``.

    Args:
        sources: folders; one that does not exist is empty.
        libraries: jars and folders of classes, beside `LIBRARIES`.
        out: made anew when something changed.
        friends: those of the libraries whose ``internal`` names the sources may use: what they are the tests of.

    Raises:
        BuildError: An error or a warning of the compiler, or no source at all.
    """
    files = sorted(file for folder in sources for file in folder.rglob("*.kt"))
    if not files:
        raise BuildError(f"no Kotlin file below {', '.join(map(str, sources))}")
    libraries = (*LIBRARIES, *libraries)
    flags = [f"-Xjdk-release={VERSIONS['jvmTarget']}", "-Werror", "-no-stdlib", "-no-reflect"]
    flags += ["-module-name", out.name, *(f"-Xfriend-paths={friend}" for friend in friends)]
    if _changed(out, [*files, *libraries], flags):
        compiler = classpath(*sorted((TOOLS / "kotlin").glob("kotlin*.jar")), ANNOTATIONS)
        main = "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler"
        java("-cp", compiler, main, *flags, "-classpath", classpath(*libraries), "-d", out, *files)
        _remember(out, [*files, *libraries], flags)
    return out


def javac(sources: Path, *, out: Path) -> Path:
    """The folder ``out`` with the classes of all Java files below ``sources``."""
    files = sorted(sources.rglob("*.java"))
    flags = ["--release", VERSIONS["jvmTarget"].removeprefix("1."), "-Xlint:-options", "-proc:none", "-g:none"]
    if _changed(out, files, flags):
        out.mkdir(parents=True)
        run(["javac", *flags, "-d", out, *files])
        _remember(out, files, flags)
    return out


def run_tests(tests: Path, libraries: Sequence[Path], *, native: Path | None = None) -> str:
    """What JUnit printed over every class below ``tests`` whose name ends in Test.

    Args:
        tests: a folder of compiled tests.
        libraries: what they test, and what that needs beside `LIBRARIES`.
        native: a folder of native libraries, for ai.onnxruntime.

    Raises:
        BuildError: A test failed, or there is none.
    """
    names = sorted(".".join(file.relative_to(tests).with_suffix("").parts) for file in tests.rglob("*Test.class"))
    if not names:
        raise BuildError(f"no class called ...Test below {tests}")
    return program([tests, *libraries, *junit()], "org.junit.runner.JUnitCore", *names, native=native)


def program(libraries: Sequence[Path], main: str, *words: str | Path, native: Path | None = None) -> str:
    """What a compiled Kotlin program printed; see `run_tests`."""
    flags, env = ["-ea"], {}
    if native is not None:
        flags.append(f"-Donnxruntime.native.path={native}")
        env["LD_LIBRARY_PATH"] = str(native)
    return java(*flags, "-cp", classpath(*libraries, *LIBRARIES), main, *words, quick=False, cwd=PROJECT, env=env)


def junit() -> tuple[Path, ...]:
    """The jars of the test framework."""
    return tuple(sorted((TOOLS / "junit").glob("*.jar")))


def _stamp(out: Path) -> Path:
    return out.with_name(out.name + ".inputs")


def _changed(out: Path, inputs: Iterable[Path], flags: Sequence[str]) -> bool:
    """Whether ``out`` must be made anew; then it is removed first."""
    stamp = _stamp(out)
    if stamp.exists() and stamp.read_text() == _fingerprint(inputs, flags):
        return False
    stamp.unlink(missing_ok=True)
    shutil.rmtree(out, ignore_errors=True)
    return True


def _remember(out: Path, inputs: Iterable[Path], flags: Sequence[str]) -> None:
    _stamp(out).write_text(_fingerprint(inputs, flags))


def _fingerprint(inputs: Iterable[Path], flags: Sequence[str]) -> str:
    """A hash over names and contents; of a folder of classes its own fingerprint stands for it."""
    digest = hashlib.sha256(repr(flags).encode())
    for path in inputs:
        content = _stamp(path) if path.is_dir() else path
        digest.update(f"{path} {hashlib.sha256(content.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()
