"""The three modules of the Gradle project, compiled and tested in their order."""

from __future__ import annotations

from pathlib import Path

from sdkless import compile
from sdkless.places import PROJECT, REPOSITORY, SAMPLE, WORK

PROPERTIES: dict[str, str | Path] = {"pocketrec.repository": REPOSITORY, "pocketrec.sample": SAMPLE}
"""What tests learn of their surroundings: Gradle sets the same."""


def core() -> Path:
    """The classes of pocketrec-core."""
    return compile.kotlin([PROJECT / "pocketrec-core/src/main/kotlin"], [], out=WORK / "pocketrec-core")


def test_core() -> str:
    """What the tests of pocketrec-core printed."""
    classes = core()
    tests = compile.kotlin(
        [PROJECT / "pocketrec-core/src/test/kotlin"],
        [classes, *compile.junit()],
        out=WORK / "pocketrec-core-test",
        friends=[classes],
    )
    return compile.test(tests, [classes, *compile.LIBRARIES], PROPERTIES)
