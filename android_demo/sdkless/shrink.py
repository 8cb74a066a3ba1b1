"""R8: class files to a small dex file, or to small class files that a desktop JVM can test."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path

from sdkless import stubs
from sdkless.places import PROJECT, TOOLS, VERSIONS, WORK
from sdkless.run import BuildError, java


def to_dex(program: Sequence[Path], rules: Sequence[Path], *, out: Path) -> Path:
    """The folder ``out`` with classes.dex.

    Args:
        program: jars and folders of classes that the app is made of, libraries included.
        rules: keep rules.
        out: made anew.
    """
    return _r8(program, rules, [stubs.framework()], out, ["--min-api", VERSIONS["minSdk"]])


def to_classes(program: Sequence[Path], rules: Sequence[Path], *, around: Sequence[Path] = (), out: Path) -> Path:
    """The folder ``out`` with the class files that the same rules leave.

    Args:
        program: as in `to_dex`.
        rules: as in `to_dex`.
        around: what the program is used by or uses, and is not part of it.
        out: made anew.
    """
    return _r8(program, rules, around, out, ["--classfile"])


def _r8(
    program: Sequence[Path], rules: Sequence[Path], around: Sequence[Path], out: Path, flags: Sequence[str]
) -> Path:
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    (tool,) = (TOOLS / "r8").glob("*.jar")
    inputs = [_jar(path) for path in program]
    words: list[str | Path] = ["-cp", tool, "com.android.tools.r8.R8", "--release", *flags, "--output", out]
    for library in (java_library(), *map(_jar, around)):
        words += ["--lib", library]
    embedded = _embedded_rules(inputs, out.with_name(f"{out.name}-rules"))
    for file in (PROJECT / "app/proguard-rules.pro", *rules, *embedded):
        words += ["--pg-conf", file]
    java(*words, *inputs)
    return out


def _jar(path: Path) -> Path:
    """A folder of classes as a jar, which is what R8 reads."""
    if not path.is_dir():
        return path
    jar = path.with_name(path.name + ".jar")
    with zipfile.ZipFile(jar, "w") as file:
        for member in sorted(path.rglob("*")):
            if member.is_file():
                file.write(member, member.relative_to(path))
    return jar


def _embedded_rules(inputs: Sequence[Path], folder: Path) -> list[Path]:
    """The keep rules that libraries bring in their jars; Gradle finds them in the same places."""
    folder.mkdir(exist_ok=True)
    found = []
    for jar in inputs:
        with zipfile.ZipFile(jar) as file:
            for name in file.namelist():
                if name.startswith("META-INF/com.android.tools/r8/") and name.endswith(".pro"):
                    rules = folder / f"{jar.stem}-{Path(name).name}"
                    rules.write_bytes(file.read(name))
                    found.append(rules)
    return found


def java_library() -> Path:
    """The signatures of Java 8's class library, out of the JDK's own record of old releases, as a jar.

    R8 3.3 does not read the class library of a JDK 17, and Android 8 has hardly more than this.
    """
    jar = WORK / "java-8.jar"
    if not jar.exists():
        jar.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(_java_home() / "lib" / "ct.sym") as record, zipfile.ZipFile(jar, "w") as out:
            for name in record.namelist():
                releases, _, rest = name.partition("/")
                if "8" in releases and rest.endswith(".sig"):
                    out.writestr(rest.partition("/")[2].removesuffix("sig") + "class", record.read(name))
    return jar


def _java_home() -> Path:
    """The folder of the installed JDK."""
    javac = shutil.which("javac")
    if javac is None:
        raise BuildError("a JDK is needed and not installed")
    return Path(os.path.realpath(javac)).parent.parent
