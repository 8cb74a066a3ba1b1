"""The ONNX Runtime engine: runs the package's own graphs over its memory-mapped tables."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pocketrec.engine import RankerInput, RankerOutput, release
from pocketrec.errors import EngineError, PackageError
from pocketrec.lexicon import MAX_TITLES
from pocketrec.manifest import COLUMN_BLOCK, INPUTS
from pocketrec.onnx_guard import ExternalTable, check_model

if TYPE_CHECKING:
    from pocketrec.package import Package

TELEMETRY_FROM = (1, 29)
"""From this version on the official builds send telemetry (microsoft/onnxruntime PR 27379)."""

INSTALL = "install it with: pip install 'pocketrec[onnx]'"

_DENSE = ("factors", "text", "attributes", "tokens")


def unusable(package: Package) -> str | None:
    """Why this package cannot run on ONNX Runtime here, in a sentence that says what to do; None if it can.

    Looks at the installed version without importing it.
    """
    graphs = package.manifest.graphs.onnx
    if graphs is None:
        return "this package holds no ONNX graph; open it with engine='numpy'"
    floor = graphs.min_onnxruntime
    if find_spec("onnxruntime") is None:
        return f"onnxruntime is not installed; {INSTALL}"
    try:
        found = version("onnxruntime")
    except PackageNotFoundError:  # another build of it (onnxruntime-gpu, ...): ask the module itself
        found = str(_import().__version__)
    if release(found) < release(floor):
        return f"this package needs onnxruntime {floor} or newer, found {found}; {INSTALL}"
    if release(found) >= TELEMETRY_FROM:
        return (
            f"onnxruntime {found} is refused: from 1.29 its official builds send telemetry, and nothing may "
            f"leave this device; {INSTALL}"
        )
    return None


class OnnxEngine:
    """Two sessions whose tables are the package's own memory."""

    name = "onnx"

    def __init__(self, package: Package, *, threads: int = 1) -> None:
        graphs = package.manifest.graphs.onnx
        assert graphs is not None, "unusable() was asked first"
        wanted = {"mask", "weights", "n"}.union(*(INPUTS[signal] for signal in package.manifest.signals.names))
        self._inputs = [name for name in RankerInput.__slots__ if name in wanted]
        self._open = True
        self._ranker: _Session | None = None
        if graphs.ranker is not None:
            self._ranker = _Session(
                package, graphs.ranker, inputs=self._inputs, outputs=("index", "score", "signals"), threads=threads
            )
        self._encoder: _Session | None = None
        if graphs.encoder is not None:
            self._encoder = _Session(
                package, graphs.encoder, inputs=("token_ids",), outputs=("vector",), threads=threads
            )

    def encode(self, token_ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """The unit vector of a text, float32[D]; all zero when there is no token."""
        encoder = self._session(self._encoder, "this package has no text encoder, so it cannot search by text")
        (vector,) = encoder.run({"token_ids": token_ids})
        return vector

    def rank(self, task: RankerInput) -> RankerOutput:
        """The best ``task.n`` eligible items with each signal's contribution."""
        feed = {name: getattr(task, name) for name in self._inputs}
        feed["n"] = np.array([task.n], np.int64)
        ranker = self._session(self._ranker, "this package has no items to rank")
        output = RankerOutput(*ranker.run(feed))
        shapes = (output.index.shape, output.score.shape, output.signals.shape)
        if shapes != ((task.n,), (task.n,), (len(task.weights), task.n)):
            raise EngineError(f"the graph answers with shapes {shapes} for {task.n} items")
        if output.index.dtype != np.int64 or output.index.min() < 0 or output.index.max() >= len(task.mask):
            raise EngineError(f"the graph answers with items outside the catalogue of {len(task.mask):,}")
        return output

    def close(self) -> None:
        """Let go of the package's memory; calls that are running finish undisturbed."""
        self._open = False
        self._ranker = self._encoder = None

    def _session(self, session: _Session | None, missing: str) -> _Session:
        if session is None:
            raise EngineError(missing if self._open else "the engine was closed")
        return session


class _Session:
    """One graph entry, its bytes checked and its tables bound without a copy.

    ONNX Runtime is told of each table twice. ``add_external_initializers`` is what satisfies the graph, but
    its tables are copied when the session is made; ``add_initializer`` on the same name makes the session
    use our memory instead (at 100k items 24 MB of private memory instead of 93). It wants the values to
    outlive the session, so they are kept beside it.
    """

    def __init__(
        self, package: Package, entry: str, *, inputs: Sequence[str], outputs: Sequence[str], threads: int
    ) -> None:
        data = package.blob(entry)
        expected = check_model(
            data, allowed=lambda name: package.has(name.removesuffix("|blocks")), inputs=_largest(package, inputs)
        )
        tables = {name: _bind(package, name, table) for name, table in expected.items()}
        ort = _import()
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4  # whatever goes wrong arrives as an exception
        # ALL is not faster here (0.153 against 0.148 ms at 9k items), and differs more between CPUs.
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
        try:
            self._values = [ort.OrtValue.ortvalue_from_numpy(table) for table in tables.values()]
            if tables:
                options.add_external_initializers(list(tables), self._values)
            for name, value in zip(tables, self._values, strict=True):
                options.add_initializer(name, value)
            self._session = ort.InferenceSession(
                bytes(data),
                options,
                providers=["CPUExecutionProvider"],
                enable_fallback=0,  # it would try the same again, and print what went wrong on stdout
            )
        except Exception as error:  # onnxruntime's exceptions share no base below Exception
            raise EngineError(f"onnxruntime {ort.__version__} cannot load {entry}: {error}") from error
        self._outputs = list(outputs)
        _check_names(f"{entry}: inputs", inputs, self._session.get_inputs())
        _check_names(f"{entry}: outputs", outputs, self._session.get_outputs())

    def run(self, feed: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        try:
            result: list[NDArray[Any]] = self._session.run(self._outputs, feed)
        except Exception as error:  # onnxruntime's exceptions share no base below Exception
            raise EngineError(f"onnxruntime could not run the graph: {error}") from error
        return result


def _largest(package: Package, inputs: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """The largest shape of each input that a host may give."""
    manifest, signals = package.manifest, package.manifest.signals
    text = signals.content or signals.semantic
    near = signals.neighbours
    blocks = min(near.budget, len(package.array("neighbours/index"))) if near else 0
    words = signals.lexical
    word_blocks = min(words.budget, len(package.array("lexical/index"))) if words else 0
    history = manifest.history.max_items
    shapes = {
        "history_index": (history,),
        "history_weight": (history,),
        "block_index": (blocks,),
        "block_weight": (blocks,),
        "query": (1, text.dim if text else 0),
        "lexical_index": (word_blocks,),
        "lexical_weight": (word_blocks,),
        "title_index": (MAX_TITLES,),
        "title_weight": (MAX_TITLES,),
        "mask": (manifest.catalogue.items,),
        "weights": (len(signals.names),),
        "n": (1,),
        "token_ids": (manifest.encoder.max_tokens if manifest.encoder else 0,),
    }
    return {name: shapes[name] for name in inputs}


def _import() -> Any:
    """onnxruntime, with its telemetry switched off before the library loads."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    try:
        import onnxruntime
    except ImportError as error:  # installed, but built for another system or damaged
        raise EngineError(f"onnxruntime is installed but does not load ({error}); use engine='numpy'") from error
    return onnxruntime


def _check_names(what: str, expected: Sequence[str], values: Sequence[Any]) -> None:
    found = [value.name for value in values]
    if sorted(expected) != sorted(found):
        raise PackageError(f"{what} {', '.join(expected)} were expected, found {', '.join(found)}")


def _bind(package: Package, name: str, expected: ExternalTable) -> NDArray[Any]:
    """The array that a graph calls ``name``: an entry as stored, or with ``|blocks`` in blocks of 64 columns."""
    stored = name.removesuffix("|blocks")
    array = package.array(stored)
    if stored != name:
        table, _, part = stored.rpartition("/")
        if table not in _DENSE or part not in ("value", "scale"):
            raise PackageError(f"the graph expects {name}, but {stored} is not part of a dense table")
        bits = package.bits(table)
        if bits != 8 and part == "value":
            raise PackageError(f"the graph expects {name}, but {stored} has codes of {bits} bits")
        rows, bytes_a_row = package.array(f"{table}/value").shape
        width = bytes_a_row * 8 // bits
        if width % COLUMN_BLOCK:
            raise PackageError(
                f"the graph expects {name}, but {table}/value has {width} columns, no multiple of {COLUMN_BLOCK}"
            )
        array = array.repeat(width // COLUMN_BLOCK) if part == "scale" else array
        array = array.reshape(rows, width // COLUMN_BLOCK, *(() if part == "scale" else (COLUMN_BLOCK,)))
    if (array.dtype.name, array.shape) != (expected.dtype, expected.shape):
        raise PackageError(
            f"the graph expects {name} as {expected.dtype}{list(expected.shape)}, "
            f"the package holds {array.dtype.name}{list(array.shape)}"
        )
    return array
