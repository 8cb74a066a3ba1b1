"""``manifest.json`` as frozen values: what the entries are, and everything that correct use of them needs.

Parsing trusts nothing: a value of the wrong type or range is refused by its full path
(``signals.factors.dim``). Keys that this version does not know are ignored; an unknown signal, role, dtype or
encoder is refused, because ignoring it would change the answers.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NoReturn

from pocketrec.archive import MAX_ENTRIES, check_name
from pocketrec.errors import PackageError

FORMAT = 1
MAX_MANIFEST_BYTES = 16 << 20
BLOCK = 16
"""Entries in a block of a sparse table."""
SIGNALS = ("factors", "neighbours", "content", "semantic", "popularity")
"""All signals, in the order in which their contributions are added."""
HISTORY_SIGNALS = ("factors", "neighbours", "content")
"""The signals that depend on the history, so that their weight may have a power."""
MODES = ("recommend", "search", "similar")
ROLES = ("array", "graph", "golden", "document")
ITEM_SIZE = {"uint8": 1, "int8": 1, "uint16": 2, "uint32": 4, "float32": 4}
"""Bytes of one number, for each dtype an array may have."""

_LIMIT = 2**32 - 1
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the file; ``dtype`` and ``shape`` describe arrays only."""

    name: str
    role: str
    size: int
    sha256: str
    dtype: str | None = None
    shape: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class CatalogueInfo:
    """How many items and categories there are, and a hash that changes when the ids do."""

    items: int
    categories: int
    fingerprint: str


@dataclass(frozen=True, slots=True)
class HistoryLimits:
    """A longer history is cut to ``max_items``, a larger weight clipped to ``max_weight``."""

    max_items: int
    max_weight: float


@dataclass(frozen=True, slots=True)
class FactorSettings:
    """Fold-in of the factor signal: ``steps`` of conjugate gradients at confidence ``alpha * |c|``."""

    dim: int
    alpha: float
    steps: int


@dataclass(frozen=True, slots=True)
class NeighbourSettings:
    """Sparse blocks of ``block`` entries; one call reads at most ``budget`` of them."""

    block: int
    budget: int


@dataclass(frozen=True, slots=True)
class TextSettings:
    """Width of the item text vectors."""

    dim: int


@dataclass(frozen=True, slots=True)
class PopularitySettings:
    """The popularity signal has no settings."""


@dataclass(frozen=True, slots=True)
class Signals:
    """The settings of each signal the package has, None for those it has not."""

    factors: FactorSettings | None = None
    neighbours: NeighbourSettings | None = None
    content: TextSettings | None = None
    semantic: TextSettings | None = None
    popularity: PopularitySettings | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The signals present, in the fixed order."""
        return tuple(name for name in SIGNALS if getattr(self, name) is not None)

    def __contains__(self, name: object) -> bool:
        return name in self.names


@dataclass(frozen=True, slots=True)
class BlendTerm:
    """A signal counts ``weight * (sum |c|) ** -power``."""

    weight: float
    power: float


@dataclass(frozen=True, slots=True)
class Encoder:
    """The text encoder that runs on the device."""

    kind: str
    tokenizer: str
    dim: int
    max_tokens: int
    lowercase: bool
    unknown: str
    normalize: bool
    teacher: str
    teacher_sha256: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class OnnxGraphs:
    """Entry names of the ONNX graphs, and the oldest ONNX Runtime they were tested on."""

    ranker: str
    encoder: str | None
    min_onnxruntime: str


@dataclass(frozen=True, slots=True)
class Graphs:
    """The compiled graphs of each engine that has any."""

    onnx: OnnxGraphs | None = None


@dataclass(frozen=True, slots=True)
class InputInfo:
    """How the interactions were read."""

    value_kind: str
    reason: str
    positive: str | None
    split_sha256: str | None


@dataclass(frozen=True, slots=True)
class DataInfo:
    """Licence and attribution of the data the package was built from."""

    license: str
    attribution: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """All of ``manifest.json``."""

    format: int
    name: str
    generator: str
    entries: tuple[Entry, ...]
    catalogue: CatalogueInfo
    history: HistoryLimits
    signals: Signals
    blend: Mapping[str, Mapping[str, BlendTerm]]
    encoder: Encoder | None
    graphs: Graphs
    input: InputInfo
    metrics: Mapping[str, Any]
    data: DataInfo
    seed: int


def parse_manifest(data: bytes) -> Manifest:
    """The manifest in ``data``.

    Raises:
        PackageError: it is not strict JSON, or a value is missing, of the wrong type or out of range.
    """
    top = _Object(_load(data), "")
    format_ = top.integer("format", 1)
    if format_ != FORMAT:
        raise PackageError(f"the package has format {format_}, this runtime reads {FORMAT}: update pocketrec")
    signals = _signals(top.object("signals"))
    blend = top.object("blend")
    encoder = top.object_or_none("encoder")
    manifest = Manifest(
        format=format_,
        name=top.text("name"),
        generator=top.text("generator"),
        entries=_entries(top),
        catalogue=_catalogue(top.object("catalogue")),
        history=_history(top.object("history")),
        signals=signals,
        blend=MappingProxyType({mode: _blend(blend.object(mode), signals) for mode in MODES}),
        encoder=None if encoder is None else _encoder(encoder),
        graphs=_graphs(top.object("graphs")),
        input=_input(top.object("input")),
        metrics=MappingProxyType(top.object("metrics").value),
        data=_data(top.object("data")),
        seed=top.integer("seed", -(2**63), 2**63 - 1),
    )
    _check_graph_entries(manifest)
    return manifest


def _load(data: bytes) -> object:
    """Strict JSON: UTF-8, no repeated key, no NaN or infinity, and no nesting that exhausts the stack."""

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        value = dict(pairs)
        if len(value) != len(pairs):
            raise ValueError("a key appears twice in one object")
        return value

    def constant(name: str) -> NoReturn:
        raise ValueError(f"{name} is not JSON")

    if len(data) > MAX_MANIFEST_BYTES:
        raise PackageError(f"manifest.json has {len(data)} bytes, expected at most {MAX_MANIFEST_BYTES}")
    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=unique, parse_constant=constant)
    except RecursionError:
        raise PackageError("manifest.json is nested too deeply") from None
    except ValueError as error:  # of JSON, of UTF-8, of an integer with thousands of digits
        raise PackageError(f"manifest.json is not valid JSON: {error}") from None


class _Object:
    """A JSON object that knows its path; each getter returns a checked value or names what is wrong."""

    def __init__(self, value: object, path: str) -> None:
        if not isinstance(value, dict):
            raise PackageError(f"manifest: {path or 'the top level'} must be an object, found {_kind(value)}")
        self.value: dict[str, Any] = value
        self.path = path

    def where(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key

    def get(self, key: str) -> Any:
        if key not in self.value:
            raise PackageError(f"manifest: {self.where(key)} is missing")
        return self.value[key]

    def fail(self, key: str, expected: str) -> NoReturn:
        found = _kind(self.value.get(key))
        raise PackageError(f"manifest: {self.where(key)} must be {expected}, found {found}")

    def object(self, key: str) -> _Object:
        return _Object(self.get(key), self.where(key))

    def object_or_none(self, key: str) -> _Object | None:
        return None if self.value.get(key) is None else self.object(key)

    def text(self, key: str) -> str:
        value = self.get(key)
        if not isinstance(value, str):
            self.fail(key, "a string")
        if any("\ud800" <= letter <= "\udfff" for letter in value):
            self.fail(key, "text without lone surrogates")
        return value

    def text_or_none(self, key: str) -> str | None:
        return None if self.value.get(key) is None else self.text(key)

    def choice(self, key: str, choices: tuple[str, ...]) -> str:
        value = self.text(key)
        if value not in choices:
            self.fail(key, f"one of {', '.join(choices)} (or update pocketrec)")
        return value

    def sha256(self, key: str) -> str:
        value = self.text(key)
        if not _SHA256.fullmatch(value):
            self.fail(key, "a SHA-256 of 64 lowercase hexadecimal digits")
        return value

    def boolean(self, key: str) -> bool:
        value = self.get(key)
        if not isinstance(value, bool):
            self.fail(key, "true or false")
        return value

    def integer(self, key: str, low: int, high: int = _LIMIT) -> int:
        value = self.get(key)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.fail(key, f"an integer from {low} to {high}")
        return value

    def number(self, key: str, low: float, high: float) -> float:
        value = self.get(key)
        # The comparison is exact for integers of any size, and false for what 1e999 becomes.
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            self.fail(key, f"a number from {low:g} to {high:g}")
        return float(value)

    def dim(self, key: str) -> int:
        value = self.integer(key, 64, 4096)
        if value % 64:
            self.fail(key, "a multiple of 64")
        return value


def _kind(value: object) -> str:
    """A JSON value for a message: short values as they stand, long ones by their type."""
    names: dict[type, str] = {dict: "an object", list: "a list", str: "a long string", int: "a huge integer"}
    if isinstance(value, dict | list):
        return names[type(value)]
    if isinstance(value, float) and not math.isfinite(value):
        return "a number beyond float64"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**40:
        return names[int]
    text = json.dumps(value)
    return text if len(text) <= 80 else names[str]


def _entries(top: _Object) -> tuple[Entry, ...]:
    values = top.get("entries")
    if not isinstance(values, list) or len(values) > MAX_ENTRIES:
        top.fail("entries", f"a list of at most {MAX_ENTRIES}")
    return tuple(_entry(_Object(value, f"entries[{i}]")) for i, value in enumerate(values))


def _entry(o: _Object) -> Entry:
    name, role = check_name(o.text("name")), o.choice("role", ROLES)
    size, sha256 = o.integer("size", 0), o.sha256("sha256")
    if role != "array":
        return Entry(name, role, size, sha256)
    dtype, shape = o.choice("dtype", tuple(ITEM_SIZE)), o.get("shape")
    if not isinstance(shape, list) or not 1 <= len(shape) <= 4:
        o.fail("shape", "a list of 1 to 4 lengths")
    lengths = _Object({str(i): length for i, length in enumerate(shape)}, o.where("shape"))
    dims = tuple(lengths.integer(str(i), 0) for i in range(len(shape)))
    expected = math.prod(dims) * ITEM_SIZE[dtype]
    if size != expected:
        raise PackageError(f"array {name!r}: {dtype}{list(dims)} takes {expected} bytes, the entry has {size}")
    return Entry(name, role, size, sha256, dtype, dims)


def _catalogue(o: _Object) -> CatalogueInfo:
    return CatalogueInfo(o.integer("items", 1), o.integer("categories", 0), o.sha256("fingerprint"))


def _history(o: _Object) -> HistoryLimits:
    return HistoryLimits(o.integer("max_items", 1, 65536), o.number("max_weight", 1e-6, 1e6))


def _signals(o: _Object) -> Signals:
    for name in o.value:
        if name not in SIGNALS:
            raise PackageError(f"manifest: signals.{name[:80]} is unknown to this runtime: update pocketrec")
    factors, neighbours = o.object_or_none("factors"), o.object_or_none("neighbours")
    content, semantic = o.object_or_none("content"), o.object_or_none("semantic")
    popularity = o.object_or_none("popularity")
    return Signals(
        factors=None if factors is None else _factors(factors),
        neighbours=None if neighbours is None else _neighbours(neighbours),
        content=None if content is None else TextSettings(content.dim("dim")),
        semantic=None if semantic is None else TextSettings(semantic.dim("dim")),
        popularity=None if popularity is None else PopularitySettings(),
    )


def _factors(o: _Object) -> FactorSettings:
    return FactorSettings(o.dim("dim"), o.number("alpha", 0, 1e6), o.integer("steps", 1, 1000))


def _neighbours(o: _Object) -> NeighbourSettings:
    return NeighbourSettings(o.integer("block", BLOCK, BLOCK), o.integer("budget", 1))


def _blend(o: _Object, signals: Signals) -> Mapping[str, BlendTerm]:
    terms = {}
    for name in o.value:
        if name not in signals:
            raise PackageError(f"manifest: {o.where(name[:80])} weighs a signal that the package does not have")
    for name in signals.names:
        if name in o.value:
            term = o.object(name)
            highest = 10 if name in HISTORY_SIGNALS else 0
            terms[name] = BlendTerm(term.number("weight", -1e6, 1e6), term.number("power", 0, highest))
    return MappingProxyType(terms)


def _encoder(o: _Object) -> Encoder:
    return Encoder(
        kind=o.choice("kind", ("static",)),
        tokenizer=o.choice("tokenizer", ("wordpiece",)),
        dim=o.dim("dim"),
        max_tokens=o.integer("max_tokens", 1, 65536),
        lowercase=o.boolean("lowercase"),
        unknown=o.text("unknown"),
        normalize=o.boolean("normalize"),
        teacher=o.text("teacher"),
        teacher_sha256=o.text("teacher_sha256"),
        fingerprint=o.sha256("fingerprint"),
    )


def _graphs(o: _Object) -> Graphs:
    onnx = o.object_or_none("onnx")
    if onnx is None:
        return Graphs()
    return Graphs(OnnxGraphs(onnx.text("ranker"), onnx.text_or_none("encoder"), onnx.text("min_onnxruntime")))


def _check_graph_entries(manifest: Manifest) -> None:
    graphs = {entry.name for entry in manifest.entries if entry.role == "graph"}
    onnx = manifest.graphs.onnx
    for key, name in () if onnx is None else (("ranker", onnx.ranker), ("encoder", onnx.encoder)):
        if name is not None and name not in graphs:
            raise PackageError(f"manifest: graphs.onnx.{key} is {name[:80]!r}, which is not a graph entry")


def _input(o: _Object) -> InputInfo:
    return InputInfo(o.text("value_kind"), o.text("reason"), o.text_or_none("positive"), o.text_or_none("split_sha256"))


def _data(o: _Object) -> DataInfo:
    return DataInfo(o.text("license"), o.text("attribution"))
