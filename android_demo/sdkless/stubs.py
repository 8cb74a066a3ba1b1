"""framework.stubs as Java sources: each class in a file of its own, methods with a body that throws."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from sdkless import compile
from sdkless.places import WORK

STUBS = Path(__file__).with_name("framework.stubs")
_CLASS = re.compile(r"^public .*?\b(?:class|interface) (\w+)", re.MULTILINE)


def framework() -> Path:
    """The classes to compile the app against, in place of an SDK's android.jar."""
    sources = WORK / "framework-java"
    shutil.rmtree(sources, ignore_errors=True)
    for package, name, code in classes():
        file = sources / package.replace(".", "/") / f"{name}.java"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"package {package};\n{with_bodies(code)}")
    return compile.javac(sources, out=WORK / "framework")


def classes() -> Iterator[tuple[str, str, str]]:
    """Package, name and declaration of each class of framework.stubs."""
    for section in re.split(r"^package ", STUBS.read_text(), flags=re.MULTILINE)[1:]:
        package, _, rest = section.partition(";\n")
        for code in filter(None, re.split(r"^(?=public )", rest.strip(), flags=re.MULTILINE)):
            found = _CLASS.match(code)
            assert found, f"framework.stubs: no class begins with {code[:60]!r}"
            yield package, found[1], code


def with_bodies(code: str) -> str:
    """A declaration whose methods compile; those of an interface, and abstract ones, need no body."""
    if re.match(r"public interface", code):
        return code
    body = '{ throw new RuntimeException("stub"); }'
    return re.sub(r"^(?!.*\babstract\b)( +.*\)(?: throws [\w.]+)?);$", rf"\1 {body}", code, flags=re.MULTILINE)
