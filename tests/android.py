"""What the tests of the Android build share: tools that are there or a reason to skip, and questions to Kotlin."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from pocketrec.recommender import Recommender
from sdkless import compile, desktop, modules
from sdkless.fetch import missing
from sdkless.places import WORK

Answer = list[tuple[str, float]]


def need_tools(*programs: str) -> None:
    """Skip the tests of a module, with the reason, unless the fetched tools, a JDK and ``programs`` are there."""
    lacking = [program for program in ("java", "javac", *programs) if shutil.which(program) is None]
    if missing():
        lacking.append(f"{len(missing())} archives of sdkless/pins.toml (make android-tools fetches them)")
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        lacking.append("Linux on x86-64")
    if lacking:
        pytest.skip(f"the Android tests need {', '.join(lacking)}", allow_module_level=True)


def kotlin(main: str, *words: str | Path, program: Sequence[Path] | None = None) -> list[str]:
    """The lines that a program among the tests of pocketrec-ort prints.

    Args:
        main: its name in dev.pocketrec.ort.
        words: its arguments.
        program: where it lies with all that it needs, in place of the modules as compiled.
    """
    built = program or [modules.ort_tests(), modules.ort(), modules.core(), desktop.java_classes()]
    return compile.program(built, f"dev.pocketrec.ort.{main}", *words, native=desktop.native_libraries()).splitlines()


def ask(
    engine: str,
    package: Path,
    requests: Sequence[tuple[str, int, str]],
    *part: int,
    program: Sequence[Path] | None = None,
) -> list[Answer]:
    """What the Kotlin runtime answers: for each request (verb, k, argument) item ids and scores, best first.

    Args:
        engine: "onnx" or "raw".
        package: a package, or a file with one inside.
        requests: of recommend, the argument is ``id:weight,...``.
        part: offset and length of the package in the file.
        program: as in `kotlin`.
    """
    asked = WORK / "requests.tsv"
    asked.parent.mkdir(parents=True, exist_ok=True)
    asked.write_text("".join(f"{verb}\t{k}\t{argument}\n" for verb, k, argument in requests), encoding="utf-8")
    lines = kotlin("Answers", engine, package, asked, *map(str, part), program=program)
    return [[_pair(word) for word in line.split("\t") if word] for line in lines]


def python_answer(recommender: Recommender, verb: str, k: int, argument: str) -> list[tuple[str, float]]:
    """The same from Python."""
    if verb == "recommend":
        pairs = (entry.split(":") for entry in argument.split(",") if entry)
        results = recommender.recommend([(item, float(weight)) for item, weight in pairs], k=k)
    elif verb == "search":
        results = recommender.search(argument, k=k)
    else:
        results = recommender.similar(argument, k=k)
    return [(result.item, float(result.score)) for result in results]


def _pair(word: str) -> tuple[str, float]:
    item, score = word.split(" ")
    return item, float(np.float32(score))  # Java prints as many digits as tell one float from the next
