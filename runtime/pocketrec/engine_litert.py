"""The TFLite engine: runs the package's own models on LiteRT (ai-edge-litert) or on its forerunner tflite-runtime."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pocketrec.engine import RankerInput, RankerOutput, release
from pocketrec.errors import EngineError, PackageError
from pocketrec.manifest import INPUTS, TfliteGraphs
from pocketrec.tflite_guard import Signature, check_model
from pocketrec.tflite_tables import table_of

if TYPE_CHECKING:
    from pocketrec.package import Package

INSTALL = "install it with: pip install 'pocketrec[litert]'"
RUNTIMES = {"ai-edge-litert": "ai_edge_litert", "tflite-runtime": "tflite_runtime"}
"""Distributions that run TFLite models, the preferred one first, and the module of each."""
OF_QUERY = {"query", "lexical_index", "lexical_weight", "title_index", "title_weight"}
"""Inputs that a signature for calls without a query lacks."""
FULL = ("search", "rank", "encode")
"""How the names of signatures begin that take all inputs."""
_OUTPUTS = ("index", "score", "signals")
_ROWS = {"history": "mask", "block": "neighbours/index", "lexical": "lexical/index", "title": "mask"}
"""What the indices of an input point into: the items, or the blocks of a sparse table."""


def unusable(package: Package) -> str | None:
    """Why this package cannot run on a TFLite runtime here, in a sentence that says what to do; None if it can.

    Looks at the installed versions without importing anything.
    """
    graphs = package.manifest.graphs.tflite
    if graphs is None:
        return "this package holds no TFLite model; build it with --targets tflite, or open it with engine='numpy'"
    return _runtime(graphs)[1]


def _runtime(graphs: TfliteGraphs) -> tuple[str, str | None]:
    """The module that runs models of this package, and why it cannot."""
    old = []
    for distribution, module in RUNTIMES.items():
        if find_spec(module) is None:
            continue
        floor = graphs.floors[distribution]
        try:
            found = version(distribution)
        except PackageNotFoundError:  # another build of it: believe that it is new enough
            found = floor
        if release(found) >= release(floor):
            return module, None
        old.append(f"this package needs {distribution} {floor} or newer, found {found}; {INSTALL}")
    return "", old[0] if old else f"neither ai-edge-litert nor tflite-runtime is installed; {INSTALL}"


class LitertEngine:
    """Two models, each with as many interpreters as there were calls at once."""

    name = "litert"

    def __init__(self, package: Package, *, threads: int = 1) -> None:
        graphs = package.manifest.graphs.tflite
        assert graphs is not None, "unusable() was asked first"
        signals = package.manifest.signals.names
        self._names = {"mask", "weights", "n"}.union(*(INPUTS[signal] for signal in signals))
        items = package.manifest.catalogue.items
        self._rows = {
            f"{name}_index": items if table == "mask" else len(package.array(table))
            for name, table in _ROWS.items()
            if f"{name}_index" in self._names
        }
        self._ranker: _Model | None = _Model(package, graphs.ranker, self._names, _OUTPUTS, threads=threads)
        self._encoder: _Model | None = None
        if graphs.encoder is not None:
            self._encoder = _Model(package, graphs.encoder, ("token_ids",), ("vector",), threads=threads)
            self._rows["token_ids"] = len(package.array("tokens/value"))

    def encode(self, token_ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """The unit vector of a text, float32[D]; all zero when there is no token."""
        encoder = self._encoder
        if encoder is None:
            self._open()
            raise EngineError("this package has no text encoder, so it cannot search by text")
        (vector,) = encoder.run({"token_ids": token_ids}, self._rows)
        unit: NDArray[np.float32] = vector[0]
        return unit

    def rank(self, task: RankerInput) -> RankerOutput:
        """The best ``task.n`` eligible items with each signal's contribution."""
        if not 1 <= task.n <= len(task.mask):
            raise EngineError(f"n is {task.n}, expected 1 to {len(task.mask)}")
        feed = {name: getattr(task, name) for name in self._names - {"n", "mask", "weights"}}
        feed |= {"weights": task.weights[None, :], "n": np.array([task.n], np.int32)}
        feed["mask"] = np.append(task.mask, False)[None, :]
        index, score, signals = self._open().run(feed, self._rows)
        shapes = (index.shape, score.shape, signals.shape)
        if shapes != ((1, task.n), (1, task.n), (len(task.weights), task.n)):
            raise EngineError(f"the model answers with shapes {shapes} for {task.n} items")
        if index.dtype != np.int32 or index.min() < 0 or index.max() >= len(task.mask):
            raise EngineError(f"the model answers with items outside the catalogue of {len(task.mask):,}")
        return RankerOutput(index[0].astype(np.int64), score[0], signals)

    def close(self) -> None:
        """Let go of the package's memory; calls that are running finish undisturbed."""
        self._ranker = self._encoder = None

    def _open(self) -> _Model:
        ranker = self._ranker
        if ranker is None:
            raise EngineError("the engine was closed")
        return ranker


class _Model:
    """One model entry, its bytes checked; interpreters wait in a pool, for one runs one call at a time."""

    def __init__(
        self, package: Package, entry: str, inputs: Iterable[str], outputs: Iterable[str], *, threads: int
    ) -> None:
        graphs, items = package.manifest.graphs.tflite, package.manifest.catalogue.items
        assert graphs is not None, "there is a model"
        self._entry, self._threads, self._outputs = entry, threads, list(outputs)
        self._module = _runtime(graphs)[0]
        self._bytes = bytes(package.blob(entry))  # the interpreter reads bytes alone, and keeps them
        found = check_model(
            self._bytes, table=cache(lambda name: table_of(name, package.array, items=items)), items=items
        )
        for key, signature in found.items():
            wanted = set(inputs) if key.startswith(FULL) else set(inputs) - OF_QUERY
            _check_names(f"{entry}: inputs of {key}", wanted, signature.inputs)
            _check_names(f"{entry}: outputs of {key}", outputs, signature.outputs)
        self._signatures = sorted(found.items(), key=lambda pair: _room(pair[1]))
        self._idle: deque[Any] = deque([self._interpreter()])

    def run(self, feed: Mapping[str, NDArray[Any]], rows: Mapping[str, int]) -> list[NDArray[Any]]:
        """The outputs of the smallest signature that has room for this."""
        for key, signature in self._signatures:
            room = {name: value.shape[0] for name, value in signature.inputs.items()}
            if all(len(array) <= room.get(name, 0) for name, array in feed.items()):
                filled = {name: _filled(feed[name], signature, name, rows) for name in signature.inputs}
                return self._call(key, filled)
        raise EngineError(f"{self._entry} has no signature for inputs of {_lengths(feed)}")

    def _call(self, key: str, filled: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        try:
            interpreter = self._idle.pop()
        except IndexError:  # all are at work in other threads
            interpreter = self._interpreter()
        try:
            found = interpreter.get_signature_runner(key)(**filled)
        except Exception as error:  # the runtimes raise ValueError, RuntimeError and their own
            raise EngineError(f"{self._module} could not run {self._entry}: {error}") from error
        finally:
            self._idle.append(interpreter)
        return [found[name] for name in self._outputs]

    def _interpreter(self) -> Any:
        try:
            module = import_module(f"{self._module}.interpreter")
            return module.Interpreter(model_content=self._bytes, num_threads=self._threads)
        except Exception as error:  # not to be loaded here, or it does not take the model
            raise EngineError(f"{self._module} cannot load {self._entry}: {error}; use engine='numpy'") from error


def _room(signature: Signature) -> int:
    return sum(int(np.prod(value.shape)) for value in signature.inputs.values())


def _filled(array: NDArray[Any], signature: Signature, name: str, rows: Mapping[str, int]) -> NDArray[Any]:
    """An input in the shape of the signature: filled up with the row behind the last, or with zeros.

    Raises:
        EngineError: an index points behind the last row.
    """
    value = signature.inputs[name]
    if name in rows:
        count = rows[name]
        if len(array) and not (array.min() >= 0 and array.max() < count):
            raise EngineError(f"{name} holds {array.min()} to {array.max()}, expected 0 to {count - 1}")
        full = np.full(value.shape, count, value.dtype)
    elif array.shape == value.shape:
        return array.astype(value.dtype, copy=False)
    else:
        full = np.zeros(value.shape, value.dtype)
    full[: len(array)] = array.reshape(len(array), *value.shape[1:])
    return full


def _lengths(feed: Mapping[str, NDArray[Any]]) -> str:
    return ", ".join(f"{len(array)} {name}" for name, array in feed.items())


def _check_names(what: str, expected: Iterable[str], found: Iterable[str]) -> None:
    if sorted(expected) != sorted(found):
        raise PackageError(f"{what}: {', '.join(sorted(expected))} were expected, found {', '.join(sorted(found))}")
