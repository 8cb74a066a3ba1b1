"""How many instructions one call takes, where this machine can count: an extra gate that no neighbour disturbs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pocketrec.bench.session import Side

CALLS = 100
"""Counted is the difference of a process of 101 calls and one of 1 call: starting cancels out."""
TIMEOUT_S = 600


@dataclass(frozen=True, slots=True)
class Tool:
    """A program that counts: how it is called before a command, and where in its words the number stands."""

    command: tuple[str, ...]
    pattern: str


TOOLS: Mapping[str, Tool] = {
    "perf": Tool(("perf", "stat", "-x", ",", "-e", "instructions:u", "--"), r"^(\d+),[^,]*,instructions"),
    "valgrind": Tool(
        ("valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"), r"I\s+refs:\s+([\d,]+)"
    ),
}


@dataclass(frozen=True, slots=True)
class Count:
    """Instructions of one call of each verb, or why there is no figure.

    Attributes:
        tool: of `TOOLS`, empty where nothing was counted.
        per_call: verb -> instructions.
        dispatch: vector instructions that the counted process saw; valgrind emulates fewer than the CPU has.
        reason: why not, empty where it was.
    """

    tool: str = ""
    per_call: Mapping[str, float] | None = None
    dispatch: tuple[str, ...] = ()
    reason: str = ""


def count_instructions(side: Side, requests: dict[str, list[Any]], *, k: int, tool: str) -> Count:
    """Count the calls of one side.

    Args:
        side: what to run.
        requests: verb -> requests.
        k: how many results.
        tool: of `TOOLS`; ``"auto"`` is perf alone, because valgrind takes a minute; ``"off"``.
    """
    if tool == "off":
        return Count(reason="not asked for")
    name = "perf" if tool == "auto" else tool
    if shutil.which(TOOLS[name].command[0]) is None:
        return Count(reason=f"{name} is not installed")

    def counted(verb: str, calls: int) -> tuple[int, dict[str, Any]]:
        return _run(TOOLS[name], side, side.task(requests, k) | {"count": [verb, calls]})

    try:
        return _count(name, counted, list(requests))
    except _NotCountedError as error:
        return Count(reason=f"{name}: {error}")


def _count(name: str, counted: Callable[[str, int], tuple[int, dict[str, Any]]], verbs: list[str]) -> Count:
    per_call, dispatch = {}, ()
    for verb in verbs:
        one, _ = counted(verb, 1)
        many, facts = counted(verb, CALLS + 1)
        per_call[verb] = (many - one) / CALLS
        dispatch = tuple(facts["device"]["dispatch"])
    return Count(name, per_call, dispatch)


def _run(tool: Tool, side: Side, task: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    try:
        done = subprocess.run(
            [*tool.command, *side.command()],
            env=side.environment(),
            input=json.dumps(task) + "\n",
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
        )
    except subprocess.TimeoutExpired as error:
        raise _NotCountedError(f"not done after {TIMEOUT_S} s") from error
    number = re.search(tool.pattern, done.stderr, re.MULTILINE)
    if done.returncode or number is None:
        if "not supported" in done.stderr or "not counted" in done.stderr:
            raise _NotCountedError("this machine has no counter of instructions")
        said = done.stderr.strip().splitlines() or ["nothing"]
        raise _NotCountedError(f"ended with {done.returncode}; it said: {said[-1]}")
    facts: dict[str, Any] = json.loads(done.stdout.splitlines()[0])
    return int(number[1].replace(",", "")), facts


class _NotCountedError(Exception):
    """Why there is no figure."""
