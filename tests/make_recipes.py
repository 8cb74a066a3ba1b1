"""Runs docs/recipes.md as a reader would, and writes what was printed under each command: `make recipes`.

A heading of the second level begins a recipe, which runs in a folder of its own. Python blocks run as they stand, a
`text` block after one is what it printed. In console blocks, lines that begin with "$ " are commands and what follows
is their output, notes included. A line "..." alone stands for an output that is not shown; a build prints times, so its
output is never shown.
"""

from __future__ import annotations

import contextlib
import io
import os
import platform
import re
import shlex
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pocketrec import cli

PAGE = Path(__file__).resolve().parent.parent / "docs" / "recipes.md"
SKIPPED = "..."
OPTIONS = ["--threads", "1", "--cache", os.path.abspath("build/recipes-cache")]
"""What every build is run with, so that the same is printed whatever the number of cores."""
_PRINTED_ON = re.compile(r"<!-- printed on (.*?) -->")
KERNELS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "asimd", "asimddp", "i8mm")
"""Instruction sets that decide in which order numeric libraries add."""
_BLOCK = re.compile(r"```(python|console)\n(.*?)```\n(?:\n?```text\n(.*?)```\n)?", re.DOTALL)


@dataclass(frozen=True)
class Step:
    """One command or Python block: what is run, and what the page shows as its output (None: nothing to compare)."""

    code: str
    shown: list[str] | None
    command: bool

    def run(self) -> list[str]:
        """The lines it prints, in the current folder."""
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            if self.command:
                words = shlex.split(self.code)[1:]
                code = cli.main([*words, *OPTIONS] if words[0] == "build" else words)
                if code:
                    raise AssertionError(f"$ {self.code}\n{printed.getvalue()}exit code {code}")
            else:
                exec(compile(self.code, str(PAGE), "exec"), {"__name__": "__main__"})
        return [line.rstrip() for line in printed.getvalue().splitlines()]


def recipes(page: str) -> dict[str, str]:
    """Heading -> text of every recipe."""
    parts = re.split(r"^## (.+)\n", page, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def steps(recipe: str) -> Iterator[Step]:
    """What the recipe runs, in order."""
    for language, content, text in _BLOCK.findall(recipe):
        if language == "python":
            yield Step(content, text.splitlines() if text else None, command=False)
            continue
        for part in re.split(r"^\$ ", content, flags=re.MULTILINE)[1:]:
            line, *shown = part.rstrip("\n").split("\n")
            yield Step(line, None if line.startswith("pocketrec build ") else shown, command=True)


def processor() -> str:
    """What decides the last bits of a sum: the processor's name and its instruction sets."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    facts = {key.strip(): value.split() for key, _, value in (line.partition(":") for line in lines)}
    words = facts.get("flags", facts.get("Features", []))
    name = " ".join(facts.get("model name", [platform.machine()]))
    return " ".join([name, *(kernel for kernel in KERNELS if kernel in words)])


def printed_on(page: str) -> str:
    """The processor that the page's outputs come from."""
    found = _PRINTED_ON.search(page)
    return found[1] if found else ""


def written(page: str) -> str:
    """The page with what is printed now in the place of what it shows."""
    page = _PRINTED_ON.sub(f"<!-- printed on {processor()} -->", page)

    def renewed(match: re.Match[str]) -> str:
        language, content, _ = match.groups()
        if language == "python":
            lines = Step(content, None, command=False).run()
            return f"```python\n{content}```\n" + ("\n```text\n" + "\n".join(lines) + "\n```\n" if lines else "")
        blocks = []
        for step in steps(match[0]):
            printed = step.run()
            lines = [SKIPPED] if step.shown == [SKIPPED] else printed
            blocks.append("\n".join([f"$ {step.code}", *(lines if step.shown is not None else [])]))
        return "```console\n" + "\n".join(blocks) + "\n```\n"

    parts = re.split(r"(^## .+\n)", page, flags=re.MULTILINE)
    for at in range(2, len(parts), 2):
        with folder():
            parts[at] = _BLOCK.sub(renewed, parts[at])
    return "".join(parts)


@contextlib.contextmanager
def folder() -> Iterator[None]:
    """An empty folder to be in."""
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        try:
            yield
        finally:
            os.chdir(before)


def main() -> None:
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"wrote {PAGE.name}", file=sys.stderr)


if __name__ == "__main__":
    main()
