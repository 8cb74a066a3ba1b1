"""What an inference engine does: encode token ids, rank the catalogue. All of them answer alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from pocketrec.errors import EngineError, UsageError

if TYPE_CHECKING:
    from pocketrec.package import Package

ENGINES = ("onnx", "litert", "numpy")
"""Engine names, the preferred one first."""
MAX_THREADS = 1024


@dataclass(frozen=True, slots=True)
class RankerInput:
    """One ranking problem, prepared by the host (H history, NB and WB blocks, D text, E titles, I items, S signals).

    Attributes:
        history_index: int64[H], distinct item indices in order of first appearance; H may be 0.
        history_weight: float32[H], finite, within [-8, 8], never 0.
        block_index: int64[NB], rows of ``neighbours/index`` that belong to the history; NB may be 0.
        block_weight: float32[NB], history weight times the scale of the block's item.
        query: float32[Q, D] with Q 0 or 1, a unit vector from :meth:`Engine.encode`.
        lexical_index: int64[WB], rows of ``lexical/index`` that belong to the query's words; WB may be 0.
        lexical_weight: float32[WB], the word's weight times the scale of its row.
        title_index: int64[E], distinct items whose title the query is; E may be 0.
        title_weight: float32[E], what the lexical signal adds for it.
        mask: bool[I], True where an item may be returned.
        weights: float32[S], the blend, one for each signal that the package holds.
        n: How many items to return, at least 1 and at most the number of True in ``mask``.
    """

    history_index: NDArray[np.int64]
    history_weight: NDArray[np.float32]
    block_index: NDArray[np.int64]
    block_weight: NDArray[np.float32]
    query: NDArray[np.float32]
    lexical_index: NDArray[np.int64]
    lexical_weight: NDArray[np.float32]
    title_index: NDArray[np.int64]
    title_weight: NDArray[np.float32]
    mask: NDArray[np.bool_]
    weights: NDArray[np.float32]
    n: int


@dataclass(frozen=True, slots=True)
class RankerOutput:
    """The n best items: index int64[n], score float32[n] (non-increasing, ties by lower index), signals float32[S, n].

    ``score`` is the float32 sum of the columns of ``signals``, added in signal order.
    """

    index: NDArray[np.int64]
    score: NDArray[np.float32]
    signals: NDArray[np.float32]


class Engine(Protocol):
    """Runs the two graphs of a package. Calls from several threads at once are fine until :meth:`close`."""

    name: str

    def encode(self, token_ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """The unit vector of a text, float32[D]; all zero when there is no token.

        Raises:
            EngineError: The package has no encoder, or the engine failed.
        """
        ...

    def rank(self, task: RankerInput) -> RankerOutput:
        """The best ``task.n`` eligible items with each signal's contribution.

        Raises:
            EngineError: The engine failed.
        """
        ...

    def close(self) -> None:
        """Let go of the package's memory; calls that are running finish undisturbed."""
        ...


def open_engine(package: Package, name: str | None = None, threads: int = 1) -> Engine:
    """The engine called ``name`` over an open package, or the best one that is installed.

    Args:
        package: An open package; the engine reads its arrays in place.
        name: ``"onnx"``, ``"litert"``, ``"numpy"`` or None: the first of them that is installed at a version that
            the package accepts, and that the package has graphs for.
        threads: Threads within one call; the numpy engine leaves that to its BLAS.

    Raises:
        UsageError: No engine of that name, or a number of threads outside 1 to `MAX_THREADS`.
        EngineError: the engine asked for is missing or of the wrong version, or the package has no graph for it.
        PackageError: A graph of the package is not one that we would run.
    """
    if name is not None and name not in ENGINES:
        raise UsageError(f"engine must be one of {', '.join(ENGINES)}, found {name!r}")
    if not isinstance(threads, int) or not 1 <= threads <= MAX_THREADS:
        raise UsageError(f"threads must be 1 to {MAX_THREADS}, found {threads!r}")
    for candidate in ENGINES if name is None else (name,):
        reason = unusable(package, candidate)
        if reason is None:
            return _MAKERS[candidate](package, threads)
        if name is not None:
            raise EngineError(reason)
    raise AssertionError("numpy runs every package")


def unusable(package: Package, name: str) -> str | None:
    """Why the engine ``name`` cannot run this package here, in a sentence that says what to do; None if it can."""
    if name == "numpy":
        return None
    module = import_module(f"pocketrec.engine_{name}")
    reason: str | None = module.unusable(package)
    return reason


def release(version: str) -> tuple[int, ...]:
    """The leading release numbers of a version: "1.28.0+cpu" -> (1, 28, 0)."""
    numbers = []
    for part in version.split("+")[0].split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
    return tuple(numbers)


def _onnx(package: Package, threads: int) -> Engine:
    from pocketrec.engine_onnx import OnnxEngine

    return OnnxEngine(package, threads=threads)


def _litert(package: Package, threads: int) -> Engine:
    from pocketrec.engine_litert import LitertEngine

    return LitertEngine(package, threads=threads)


def _numpy(package: Package, threads: int) -> Engine:
    from pocketrec.engine_numpy import NumpyEngine

    return NumpyEngine(package)


_MAKERS: Mapping[str, Callable[[Package, int], Engine]] = {"onnx": _onnx, "litert": _litert, "numpy": _numpy}
