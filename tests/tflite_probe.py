"""Run in an environment of tflite-runtime, numpy 1 and our runtime alone; `test_tflite_runtime` sees what it writes.

usage: python tflite_probe.py rank PACKAGE TASKS.npz OUT.npz | open PACKAGE | lenient PACKAGE HEALTHY
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
from pocketrec import engine_litert
from pocketrec.engine import RankerInput, open_engine
from pocketrec.errors import EngineError
from pocketrec.opening import open_package
from pocketrec.package import Package

FIELDS = [name for name in RankerInput.__slots__ if name != "n"]


def tasks_in(path: str) -> list[RankerInput]:
    """The ranking problems of a file."""
    with np.load(path) as file:
        count = int(file["count"])
        return [
            RankerInput(**{name: file[f"{number}.{name}"] for name in FIELDS}, n=int(file[f"{number}.n"]))
            for number in range(count)
        ]


def rank(package: str, tasks: str, out: str) -> None:
    """Every answer alone, then all by 16 threads, which must be the same; and bad indices are refused."""
    engine = open_engine(Package.open(package), "litert")
    assert engine_litert._runtime(Package.open(package).manifest.graphs.tflite)[0] == "tflite_runtime"
    problems = tasks_in(tasks)
    alone = [engine.rank(task) for task in problems]
    with ThreadPoolExecutor(16) as pool:
        for one, many in zip(alone, pool.map(engine.rank, problems), strict=True):
            for name in ("index", "score", "signals"):
                np.testing.assert_array_equal(getattr(one, name), getattr(many, name))
    for name, beyond in (("history", 2000), ("block", 10**9), ("lexical", 10**9), ("title", 2000)):
        bad = {f"{name}_index": np.array([beyond]), f"{name}_weight": np.ones(1, np.float32)}
        try:
            engine.rank(replace(problems[0], **bad))
        except EngineError:
            continue
        raise AssertionError(f"{name} {beyond} was taken")
    vectors = [engine.encode(np.arange(count, dtype=np.int64)) for count in (0, 1, 16, 17, 100, 256)]
    arrays = {f"{i}.{name}": getattr(a, name) for i, a in enumerate(alone) for name in ("index", "score", "signals")}
    np.savez(out, vectors=np.stack(vectors), **arrays)


def lenient(package: str, healthy: str) -> None:
    """Open a package whose model our own reader would refuse, as if it did not."""
    real, good = engine_litert.check_model, Package.open(healthy)
    calls = iter(("graphs/ranker.tflite", "graphs/encoder.tflite"))
    engine_litert.check_model = lambda data, **more: real(bytes(good.blob(next(calls))), **more)
    open_package(package, engine="litert", clock=None).close()


if __name__ == "__main__":
    {"rank": rank, "open": lambda path: open_package(path).close(), "lenient": lenient}[sys.argv[1]](*sys.argv[2:])
