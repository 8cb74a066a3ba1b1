"""The process that is measured: opens one package and answers blocks of calls, as told on stdin.

It runs as a script, with the runtime of either side on its path, so it imports nothing of its own package and uses only
what every version of `pocketrec` has: `open`, `recommend`, `search`.

The first line of stdin is the task: package, engine, threads, k and the requests. The answer says how long starting
took and what this machine is. Every further line ``[verb, first, count]`` asks for a block; the answer is the
nanoseconds of each call. ``["memory"]`` asks for the resident memory. The end of stdin is the end.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from importlib import metadata
from typing import Any

VERSIONS = ("numpy", "onnxruntime", "ai-edge-litert", "tflite-runtime")


def main() -> None:
    """Start, answer blocks until stdin ends."""
    task = json.loads(sys.stdin.readline())
    started = time.perf_counter()
    import pocketrec

    imported = time.perf_counter()
    recommender = pocketrec.open(task["package"], engine=task["engine"], threads=task["threads"])
    opened = time.perf_counter()
    first = [next(iter(listed)) for listed in task["requests"].values()]
    for verb, request in zip(task["requests"], first, strict=True):
        ask(recommender, verb, request, task["k"])
    answered = time.perf_counter()
    calls = callers(recommender, task)
    if "count" in task:  # how many instructions this process takes is counted from outside
        verb, count = task["count"]
        for number in range(count):
            calls[verb](number)
    say(
        {
            "import_ms": 1000 * (imported - started),
            "open_ms": 1000 * (opened - imported),
            "first_answer_ms": 1000 * (answered - opened),
            "verbs": list(calls),
            "device": device(recommender, task["threads"]),
        }
    )
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        wanted = json.loads(line)
        say(resident_mb() if wanted == ["memory"] else block(calls[wanted[0]], *wanted[1:]))
    recommender.close()


def ask(recommender: Any, verb: str, request: Any, k: int) -> Any:
    """One call as an app makes it."""
    if verb == "recommend":
        return recommender.recommend([tuple(pair) for pair in request], k=k)
    return recommender.search(request, k=k)


def callers(recommender: Any, task: dict[str, Any]) -> dict[str, Callable[[int], Any]]:
    """Verb -> a function of the request's number. ``rank`` is the engine alone, with what recommend gives it."""
    k = task["k"]
    calls: dict[str, Callable[[int], Any]] = {}

    def caller(verb: str, requests: list[Any]) -> Callable[[int], Any]:
        return lambda number: ask(recommender, verb, requests[number % len(requests)], k)

    for verb, requests in task["requests"].items():
        calls[verb] = caller(verb, requests)
    inputs = ranker_inputs(recommender, task)
    if inputs:
        rank = recommender.engine.rank
        calls["rank"] = lambda number: rank(inputs[number % len(inputs)])
    return calls


def ranker_inputs(recommender: Any, task: dict[str, Any]) -> list[Any]:
    """What the engine is given by the recommendations, none where a version keeps its engine elsewhere."""
    engine = getattr(recommender, "engine", None)
    if engine is None or "recommend" not in task["requests"]:
        return []
    rank = engine.rank
    inputs: list[Any] = []

    def recording(given: Any) -> Any:
        inputs.append(given)
        return rank(given)

    engine.rank = recording
    try:
        for request in task["requests"]["recommend"]:
            ask(recommender, "recommend", request, task["k"])
    finally:
        del engine.rank
    return inputs


def block(call: Callable[[int], Any], first: int, count: int) -> list[int]:
    """Nanoseconds of ``count`` calls, after one that is not timed: the other side has just used the caches."""
    clock = time.perf_counter_ns
    call(first + count)
    times = []
    for number in range(first, first + count):
        started = clock()
        call(number)
        times.append(clock() - started)
    return times


def device(recommender: Any, threads: int) -> dict[str, Any]:
    """What figures can only be compared with the same of."""
    return {
        "cpu": cpu(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "engine": recommender.engine.name,
        "threads": threads,
        **{name: version(name) for name in VERSIONS},
        "dispatch": dispatch(),
    }


def cpu() -> str:
    """The name of the processor."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def version(name: str) -> str | None:
    """The installed version of a distribution, or None."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def dispatch() -> list[str]:
    """The vector instructions that numpy found on this CPU, real or emulated: they decide which kernels run."""
    for place in ("numpy._core._multiarray_umath", "numpy.core._multiarray_umath"):  # numpy 2, numpy 1
        try:
            found: dict[str, bool] = importlib.import_module(place).__cpu_features__
        except (ImportError, AttributeError):
            continue
        return sorted(name for name, here in found.items() if here)
    return []


def resident_mb() -> float | None:
    """Resident memory of this process, None where the system does not tell."""
    try:
        with open("/proc/self/statm", encoding="ascii") as numbers:
            return int(numbers.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    except (OSError, ValueError):
        try:
            import resource
        except ImportError:
            return None
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def say(value: Any) -> None:
    """Answer with one line."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
