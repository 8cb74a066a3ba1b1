"""The hand-written signatures that the app is compiled against are those of the real framework."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest
from android import need_tools
from sdkless.places import TOOLS
from sdkless.stubs import classes

need_tools()

JAVA_IN_PYTHON = {
    "int": "int", "long": "int", "boolean": "bool", "String": "str", "CharSequence": "CharSequence", "Object": "object",
    "Runnable": "Runnable", "void": "None", "Class<?>": "Type",
}  # fmt: skip


@cache
def published(package: str) -> dict[str, ast.ClassDef]:
    """The classes of a package, and those inside them as Outer.Inner, of the published signatures."""
    tree = ast.parse((TOOLS / "api" / "/".join(package.split(".")[1:]) / "__init__.pyi").read_text())
    found = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            found[node.name] = node
            found |= {f"{node.name}.{inner.name}": inner for inner in node.body if isinstance(inner, ast.ClassDef)}
    return found


def declared() -> list[tuple[str, str, str, list[str]]]:
    """Package, class, method and parameter types of every method in framework.stubs."""
    found = []
    for package, name, code in classes():
        holder = name
        for line in code.splitlines():
            if nested := re.match(r"\s+(?:public )?(?:static )?(?:class|interface) (\w+) *\{(.*)", line):
                holder, line = f"{name}.{nested[1]}", nested[2]
            if method := re.search(r"(\w+)\((.*?)\)", line):
                types = [part.strip().rsplit(" ", 1)[0] for part in method[2].split(",") if part.strip()]
                called = "__init__" if method[1] == holder.rpartition(".")[2] else method[1]
                found.append((package, holder, called, types))
            elif line == "    }":
                holder = name
    return found


@pytest.mark.parametrize(("package", "holder", "method", "types"), declared())
def test_every_method_is_published(package: str, holder: str, method: str, types: list[str]) -> None:
    known = [
        parameters(function)
        for function in published(package)[holder].body
        if isinstance(function, ast.FunctionDef) and function.name.rstrip("_") == method.rstrip("_")
    ]
    assert any(len(found) == len(types) and all(map(fits, types, found)) for found in known), known


def parameters(function: ast.FunctionDef) -> list[str]:
    """The annotations of a method's parameters, without its object."""
    annotations = [argument.annotation for argument in function.args.posonlyargs or function.args.args]
    found = [ast.unparse(annotation) for annotation in annotations if annotation is not None]  # self has none
    return [*found, "Object..."] if function.args.vararg else found


def fits(java: str, python: str) -> bool:
    """Whether a Java type is what the annotation says."""
    if java.endswith("..."):
        return python == java
    wanted = JAVA_IN_PYTHON.get(java, java.partition("<")[0].rpartition(".")[2])
    return any(re.search(rf"\b{re.escape(wanted)}\b", part) for part in python.split("|"))


@pytest.mark.parametrize(("package", "name"), sorted({(package, name) for package, name, _ in classes()}))
def test_every_class_is_published_with_its_parent(package: str, name: str) -> None:
    (code,) = (code for where, found, code in classes() if (where, found) == (package, name))
    bases = [ast.unparse(base) for base in published(package)[name].bases]
    if parent := re.search(r"(?:extends|implements) ([\w.]+)", code.splitlines()[0]):
        simple = parent[1].rpartition(".")[2]
        assert any(simple in base for base in bases) or parent[1] in ("CharSequence", "AutoCloseable"), bases
