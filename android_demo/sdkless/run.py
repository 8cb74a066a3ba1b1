"""Commands of other programs: quiet when they succeed, complete when they fail."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path


class BuildError(Exception):
    """A step failed, or a tool that it needs is missing; the message says which and what to do."""


def run(command: Sequence[str | Path], *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """What ``command`` printed.

    Raises:
        BuildError: It is not installed, or ended with another exit code than 0.
    """
    words = [str(word) for word in command]
    if shutil.which(words[0]) is None:
        raise BuildError(f"{words[0]} is needed and not installed; see android_demo/README.md for what to install")
    done = subprocess.run(
        words,
        cwd=cwd,
        env=None if env is None else {**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BuildError(f"{' '.join(words)[:400]}\nended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def java(*words: str | Path, quick: bool = True, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """What a Java program printed, see `run`.

    Args:
        words: its arguments.
        quick: compile it lightly, which takes a third of the time where a program runs for seconds; not for timings.
        cwd: where it runs.
        env: variables to add.
    """
    flags = ["-Xmx1g", "-XX:+UseSerialGC", *(["-XX:TieredStopAtLevel=1"] if quick else [])]
    return run(["java", *flags, *words], cwd=cwd, env=env)


def classpath(*entries: Path) -> str:
    """Jars and folders as one argument."""
    return os.pathsep.join(str(entry) for entry in entries)
