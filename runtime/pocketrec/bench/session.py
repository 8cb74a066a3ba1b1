"""Processes of one or two sides that answer in turn: what is slow for one moment is slow for both."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketrec.errors import DataError

WORKER = Path(__file__).with_name("worker.py")
RUNTIME = Path(__file__).resolve().parents[2]
"""The folder that `import pocketrec` finds this runtime in."""
BLOCK_NS = 10_000_000
"""About as long as a block takes."""
MAX_CALLS = 10
"""Calls of a block at most."""
STARTED = ("process_ms", "import_ms", "open_ms", "first_answer_ms")


@dataclass(frozen=True, slots=True)
class Side:
    """One package on one runtime.

    Attributes:
        package: the file.
        runtime: what comes first on the path of imports: folders, separated as in PYTHONPATH.
        engine: as in `pocketrec.open`.
        threads: of one call.
    """

    package: Path
    runtime: str = str(RUNTIME)
    engine: str | None = None
    threads: int = 1

    def environment(self) -> dict[str, str]:
        """The variables of its processes: this runtime first, that many threads, the same hashes of strings."""
        path = os.pathsep.join(part for part in (self.runtime, os.environ.get("PYTHONPATH", "")) if part)
        threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        return {**os.environ, **dict.fromkeys(threads, str(self.threads)), "PYTHONPATH": path, "PYTHONHASHSEED": "0"}

    def command(self) -> list[str]:
        """What starts one; the folder of the script itself is kept off the path."""
        return [sys.executable, "-P", os.fspath(WORKER)]

    def task(self, requests: dict[str, list[Any]], k: int) -> dict[str, Any]:
        """What is said to it first."""
        package = os.fspath(self.package.resolve())
        return {"package": package, "engine": self.engine, "threads": self.threads, "k": k, "requests": requests}


class Worker:
    """A running process of a side, see `worker`.

    Raises:
        DataError: it died; with the last line that it said.
    """

    def __init__(self, side: Side, requests: dict[str, list[Any]], k: int) -> None:
        self._side = side
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - lives as long as the process
        started = time.perf_counter()
        self._process = subprocess.Popen(
            side.command(),
            env=side.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        try:
            self.facts: dict[str, Any] = self.ask(side.task(requests, k))
        except BaseException:
            self._close()
            raise
        self.facts["process_ms"] = 1000 * (time.perf_counter() - started)

    def ask(self, what: Any) -> Any:
        """Send one line, wait for the answer."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(json.dumps(what) + "\n")
            stdin.flush()
            return json.loads(stdout.readline())
        except (BrokenPipeError, ValueError):
            self._process.wait()
            self._errors.seek(0)
            said = self._errors.read().strip().splitlines() or ["nothing"]
            raise DataError(f"the process that measures {self._side.package} ended; it said: {said[-1]}") from None

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()
        self._process.wait()
        self._errors.close()


@dataclass(slots=True)
class Measured:
    """What the processes of one side said; P processes, B blocks, C calls of a block.

    Attributes:
        started: of each process, milliseconds of `STARTED`.
        memory: of each process, resident MB after all blocks; empty where the system does not tell.
        times: verb -> float64[P, B, C], milliseconds.
        device: of the last process.
    """

    started: list[dict[str, float]] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    times: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    device: dict[str, Any] = field(default_factory=dict)


def measure(
    sides: Sequence[Side], requests: dict[str, list[Any]], *, k: int, processes: int, blocks: int, seed: int = 0
) -> list[Measured]:
    """Let all sides answer the same requests.

    In each round a new process of every side starts, in random order. Then blocks of calls: each time all sides, in
    random order, one after another, so that no two ever compute at once.

    Args:
        sides: one, or the old and the new.
        requests: verb -> requests.
        k: how many results.
        processes: rounds.
        blocks: of each verb in a round.
        seed: of the order.
    """
    order = random.Random(seed)
    result = [Measured() for _ in sides]
    collected: list[dict[str, list[list[list[int]]]]] = [{} for _ in sides]
    for _ in range(processes):
        with ExitStack() as stack:
            workers: dict[int, Worker] = {}
            for number in order.sample(range(len(sides)), len(sides)):
                workers[number] = stack.enter_context(Worker(sides[number], requests, k))
            known = [worker.facts["verbs"] for worker in workers.values()]
            verbs = [verb for verb in known[0] if all(verb in others for others in known)]
            counts = {verb: _calls(workers.values(), verb) for verb in verbs}
            for number in workers:
                for verb in verbs:
                    collected[number].setdefault(verb, []).append([])
            for position in range(blocks):
                for verb in order.sample(verbs, len(verbs)):
                    for number in order.sample(range(len(sides)), len(sides)):
                        times = workers[number].ask([verb, position * counts[verb], counts[verb]])
                        collected[number][verb][-1].append(times)
            for number, worker in workers.items():
                _note(result[number], worker)
    for measured, found in zip(result, collected, strict=True):
        measured.times = {verb: _milliseconds(times) for verb, times in found.items()}
    return result


def _calls(workers: Any, verb: str) -> int:
    """How many calls make a block, the same for all sides."""
    slowest = max(min(worker.ask([verb, 0, 3])) for worker in workers)
    return int(max(1, min(MAX_CALLS, BLOCK_NS // max(1, slowest))))


def _note(measured: Measured, worker: Worker) -> None:
    measured.started.append({key: worker.facts[key] for key in STARTED})
    measured.device = worker.facts["device"]
    memory = worker.ask(["memory"])
    if memory is not None:
        measured.memory.append(memory)


def _milliseconds(rounds: list[list[list[int]]]) -> NDArray[np.float64]:
    """float64[P, B, C]; where rounds chose different numbers of calls, the fewest count."""
    calls = min(len(block) for blocks in rounds for block in blocks)
    return np.array([[block[:calls] for block in blocks] for blocks in rounds], np.float64) / 1e6
