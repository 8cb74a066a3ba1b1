"""How many threads the numeric libraries use: fixed for a whole build, because sums round by it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits


def available_threads() -> int:
    """Processors that this process may use, at most ``OMP_NUM_THREADS`` where that is set."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return min(usable, int(asked)) if asked.isdecimal() and int(asked) > 0 else usable


@contextmanager
def fixed_threads(threads: int, *, torch: bool) -> Iterator[None]:
    """BLAS, OpenMP and (where asked: importing it takes seconds) torch use ``threads`` threads, then what they used."""
    with threadpool_limits(limits=threads):
        if not torch:
            yield
            return
        import torch as library

        before = library.get_num_threads()
        library.set_num_threads(threads)
        try:
            yield
        finally:
            library.set_num_threads(before)
