"""What a long build is doing, on stderr: one live line on a terminal, a few plain lines in a log; and how long
each stage took."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from pocketrec_export.stage_cache import StageCache

LIVE_INTERVAL_S = 0.1
LOG_INTERVAL_S = 10.0
_CLEAR = "\r\x1b[K"

Tick = Callable[[int], None]


class Progress:
    """Reports stages; quiet says nothing.

    Example:
        >>> progress = Progress(quiet=True)
        >>> with progress.stage("encoding 9,066 items", total=9066) as tick:
        ...     tick(64)
    """

    def __init__(
        self,
        *,
        quiet: bool = False,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._quiet = quiet
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._live = self._stream.isatty()
        self._open = False  # a live line without its line break

    def say(self, text: str) -> None:
        """One line of its own."""
        self._line(text)

    @contextmanager
    def stage(self, title: str, *, total: int | None = None) -> Iterator[Tick]:
        """Announces a stage, and its end with the seconds it took.

        Args:
            title: What is being done.
            total: Number of units of work; then ticks show as percent.

        Yields:
            ``tick(n)``: n more units are done.
        """
        started = last = self._clock()
        done = 0

        def status() -> str:
            share = f" {min(done / total, 1):4.0%}" if total else (f" {done:,}" if done else "")
            return f"{title} ...{share} {self._clock() - started:.1f} s"

        def tick(n: int) -> None:
            nonlocal done, last
            done += n
            now = self._clock()
            if now - last >= (LIVE_INTERVAL_S if self._live else LOG_INTERVAL_S):
                last = now
                self._update(status())

        self._update(status() if self._live else f"{title} ...")
        try:
            yield tick
        except BaseException:
            # Also after Ctrl-C: the prompt or the error message starts on a line of its own.
            self._line(f"{title}: stopped after {self._clock() - started:.1f} s", replace=True)
            raise
        self._line(f"{title}: {self._clock() - started:.1f} s", replace=True)

    def _update(self, text: str) -> None:
        if self._live:
            self._write(_CLEAR + text)
            self._open = True
        else:
            self._line(text)

    def _line(self, text: str, *, replace: bool = False) -> None:
        if self._open:
            text = (_CLEAR if replace else "\n") + text
            self._open = False
        self._write(text + "\n")

    def _write(self, text: str) -> None:
        if self._quiet:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):  # a closed stderr must not end a build
            self._quiet = True


class Run:
    """What every stage needs: progress, the clock, the seed, the preset, the number of threads, earlier results."""

    def __init__(
        self,
        progress: Progress,
        *,
        seed: int,
        preset: str,
        min_users: int,
        threads: int,
        cache: str | os.PathLike[str] | None = None,
    ) -> None:
        self.progress = progress
        self.cache = StageCache(None if cache is None else Path(cache), say=progress.say)
        self.seed = seed
        self.preset = preset
        self.min_users = min_users
        self.threads = threads
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, title: str, *, total: int | None = None) -> Iterator[Tick]:
        """A stage of the build, timed."""
        started = time.perf_counter()
        with self.progress.stage(title, total=total) as tick:
            yield tick
        self.seconds[title] = time.perf_counter() - started
