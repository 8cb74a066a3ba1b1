"""``manifest.json`` as frozen values: what the entries are, and everything that correct use of them needs.

Parsing trusts nothing: a value of the wrong type or range is refused by its full path
(``signals.factors.dim``). Keys that this version does not know are ignored; an unknown signal, role, dtype or
encoder is refused, because ignoring it would change the answers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from pocketrec.analyzer import ANALYZER
from pocketrec.answers import AnswerSettings
from pocketrec.archive import MAX_ENTRIES, check_name
from pocketrec.checked_json import LARGEST_INTEGER, JsonObject, load_object
from pocketrec.dense import BITS
from pocketrec.errors import PackageError
from pocketrec.heads import HeadInfo, read_heads
from pocketrec.placing import ColdInfo

FORMAT = 1
MAX_MANIFEST_BYTES = 16 << 20
SPARSE_BLOCK = 16
"""Entries in a block of the neighbours."""
LEXICAL_BLOCK = 2
"""Entries in a block of the words: most words are in one or two items, and blocks of 16 would be empty space."""
COLUMN_BLOCK = 64
"""Columns of a quantized query that share one scale; the width of a dense table is a multiple of it."""
SIGNALS = ("factors", "neighbours", "content", "attributes", "semantic", "lexical", "popularity", "boost")
"""All signals, in the order in which their contributions are added."""
HISTORY_SIGNALS = ("factors", "neighbours", "content", "attributes")
"""The signals that depend on the history, so that their weight may have a power of its size."""
POWER_SIGNALS = (*HISTORY_SIGNALS, "lexical")
"""The signals whose weight may have a power: of the history's size, or of the size of the query's words."""
PROFILES = {"content": "text", "attributes": "attributes"}
"""Signals that compare an item's row of a table with the weighted sum of the history's rows, and that table."""
PRIORS = ("popularity", "boost")
"""Signals that are one number for each item, whoever asks."""
MAX_RATING = float(1 << 20)
"""Largest absolute value of a rating scale: far beyond any in use, and far from where sums lose their digits."""
INPUTS: Mapping[str, tuple[str, ...]] = {
    "factors": ("history_index", "history_weight"),
    "neighbours": ("block_index", "block_weight"),
    "content": ("history_index", "history_weight"),
    "attributes": ("history_index", "history_weight"),
    "semantic": ("query",),
    "lexical": ("lexical_index", "lexical_weight", "title_index", "title_weight"),
    "popularity": (),
    "boost": (),
}
"""What a graph reads for each signal, besides ``mask``, ``weights`` and ``n``."""
MODES = ("recommend", "search", "similar")
TFLITE_FLOORS = {"ai-edge-litert": "min_litert", "tflite-runtime": "min_tflite_runtime"}
"""Runtimes of TFLite models, and the manifest's key of the oldest version of each."""
ROLES = ("array", "graph", "golden", "document")
ITEM_SIZE = {"uint8": 1, "int8": 1, "uint16": 2, "uint32": 4, "float32": 4, "int64": 8, "float64": 8}
"""Bytes of one number, for each dtype an array may have."""
ATTRIBUTE_KINDS = ("category", "number", "boolean", "date")
MAX_ATTRIBUTES = 256
TOKENIZERS = ("wordpiece", "unigram")
PUBLISHED, EXPIRES = "published", "expires"
"""Attributes of kind date that decide whether an item may be shown."""


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
class AttributeInfo:
    """A typed column of the catalogue.

    Attributes:
        name: what filters call it.
        kind: one of `ATTRIBUTE_KINDS`.
        prefix: how the names of its arrays begin.
        values: how many different names a category knows, 0 for other kinds.
    """

    name: str
    kind: str
    prefix: str
    values: int = 0


@dataclass(frozen=True, slots=True)
class CatalogueInfo:
    """How many items there are, their attributes, and a hash that changes when the ids do."""

    items: int
    attributes: tuple[AttributeInfo, ...]
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
class AttributeSettings:
    """Width of the item attribute vectors."""

    dim: int


@dataclass(frozen=True, slots=True)
class LexicalSettings:
    """Words by ``analyzer``; sparse blocks of ``block`` entries, at most ``budget`` a call; ``title`` for a title."""

    analyzer: str
    block: int
    budget: int
    title: float


@dataclass(frozen=True, slots=True)
class PriorSettings:
    """A prior has no settings."""


@dataclass(frozen=True, slots=True)
class Signals:
    """The settings of each signal the package has, None for those it has not."""

    factors: FactorSettings | None = None
    neighbours: NeighbourSettings | None = None
    content: TextSettings | None = None
    attributes: AttributeSettings | None = None
    semantic: TextSettings | None = None
    lexical: LexicalSettings | None = None
    popularity: PriorSettings | None = None
    boost: PriorSettings | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The signals present, in the fixed order."""
        return tuple(name for name in SIGNALS if getattr(self, name) is not None)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __contains__(self, name: object) -> bool:
        return name in self.names


@dataclass(frozen=True, slots=True)
class BlendTerm:
    """A signal counts ``weight * size ** -power``; the size is sum |c|, or that of the query's words."""

    weight: float
    power: float


@dataclass(frozen=True, slots=True)
class RatingSettings:
    """Prediction of ratings, see `ratings`: width of the item vectors, scale, mean, and damping of a user's fold-in."""

    dim: int
    low: float
    high: float
    mean: float
    regularization: float
    bias_regularization: float


@dataclass(frozen=True, slots=True)
class Encoder:
    """The text encoder that runs on the device; ``bits`` of a code of its table of tokens."""

    kind: str
    tokenizer: str
    dim: int
    bits: int
    max_tokens: int
    lowercase: bool
    unknown: str
    normalize: bool
    teacher: str
    teacher_sha256: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class OnnxGraphs:
    """Entry names of the ONNX graphs, and the oldest ONNX Runtime they were tested on; no ranker without items."""

    ranker: str | None
    encoder: str | None
    min_onnxruntime: str


@dataclass(frozen=True, slots=True)
class TfliteGraphs:
    """Entry names of the TFLite models, and the oldest version of each runtime that they were tested on."""

    ranker: str
    encoder: str | None
    floors: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Graphs:
    """The compiled graphs of each engine that has any."""

    onnx: OnnxGraphs | None = None
    tflite: TfliteGraphs | None = None


@dataclass(frozen=True, slots=True)
class InputInfo:
    """How the interactions were read."""

    value_kind: str
    reason: str
    positive: str | None
    split_sha256: str | None


@dataclass(frozen=True, slots=True)
class DataInfo:
    """License and attribution of the data the package was built from."""

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
    ratings: RatingSettings | None
    cold: ColdInfo | None
    heads: tuple[HeadInfo, ...]
    answers: AnswerSettings | None
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
    top = load_object(data)
    format_ = top.integer("format", 1)
    if format_ != FORMAT:
        raise PackageError(f"the package has format {format_}, this runtime reads {FORMAT}: update pocketrec")
    signals = _signals(top.object("signals"))
    blend, heads = top.object("blend"), read_heads(top)
    encoder, ratings = top.object_or_none("encoder"), top.object_or_none("ratings")
    manifest = Manifest(
        format=format_,
        name=top.text("name"),
        generator=top.text("generator"),
        entries=_entries(top),
        catalogue=_catalogue(top.object("catalogue"), fewest=0 if heads else 1),
        history=_history(top.object("history")),
        signals=signals,
        blend=MappingProxyType({mode: _blend(blend.object(mode), signals) for mode in MODES}),
        encoder=None if encoder is None else _encoder(encoder),
        ratings=None if ratings is None else _ratings(ratings),
        cold=_cold(top),
        heads=heads,
        answers=_answers(top),
        graphs=_graphs(top.object("graphs"), ranker=bool(signals.names)),
        input=_input(top.object("input")),
        metrics=MappingProxyType(top.object("metrics").value),
        data=_data(top.object("data")),
        seed=top.integer("seed", -(2**63), 2**63 - 1),
    )
    _check_graph_entries(manifest)
    return manifest


def _entries(top: JsonObject) -> tuple[Entry, ...]:
    values = top.get("entries")
    if not isinstance(values, list) or len(values) > MAX_ENTRIES:
        top.fail("entries", f"a list of at most {MAX_ENTRIES}")
    return tuple(_entry(JsonObject(value, f"entries[{i}]")) for i, value in enumerate(values))


def _entry(o: JsonObject) -> Entry:
    name, role = check_name(o.text("name")), o.choice("role", ROLES)
    size, sha256 = o.integer("size", 0), o.sha256("sha256")
    if role != "array":
        return Entry(name, role, size, sha256)
    dtype, shape = o.choice("dtype", tuple(ITEM_SIZE)), o.get("shape")
    if not isinstance(shape, list) or not 1 <= len(shape) <= 4:
        o.fail("shape", "a list of 1 to 4 lengths")
    lengths = JsonObject({str(i): length for i, length in enumerate(shape)}, o.where("shape"))
    dims = tuple(lengths.integer(str(i), 0) for i in range(len(shape)))
    if math.prod(max(1, length) for length in dims) > LARGEST_INTEGER:  # numpy refuses such shapes even when empty
        o.fail("shape", "a shape of less than 2^32 elements")
    expected = math.prod(dims) * ITEM_SIZE[dtype]
    if size != expected:
        raise PackageError(f"array {name!r}: {dtype}{list(dims)} takes {expected} bytes, the entry has {size}")
    return Entry(name, role, size, sha256, dtype, dims)


def _catalogue(o: JsonObject, fewest: int) -> CatalogueInfo:
    """Of a package that only labels texts, it may be empty."""
    return CatalogueInfo(o.integer("items", fewest), _attributes(o), o.sha256("fingerprint"))


def _attributes(o: JsonObject) -> tuple[AttributeInfo, ...]:
    """The attribute ``category``, which has a key of its own, then the others in their order."""
    categories, listed = o.integer("categories", 0), o.value.get("attributes", [])
    if not isinstance(listed, list) or len(listed) > MAX_ATTRIBUTES:
        o.fail("attributes", f"a list of at most {MAX_ATTRIBUTES}")
    found = [AttributeInfo("category", "category", "catalogue/category", categories)] if categories else []
    for number, value in enumerate(listed):
        one = JsonObject(value, f"{o.where('attributes')}[{number}]")
        name, kind = one.text("name"), one.choice("kind", ATTRIBUTE_KINDS)
        if not name or name == "category" or name in (other.name for other in found):
            one.fail("name", "a name of its own")
        if name in (PUBLISHED, EXPIRES) and kind != "date":
            one.fail("kind", f"date for {name}")
        values = one.integer("values", 1) if kind == "category" else 0
        found.append(AttributeInfo(name, kind, f"catalogue/column-{number}", values))
    return tuple(found)


def _history(o: JsonObject) -> HistoryLimits:
    return HistoryLimits(o.integer("max_items", 1, 65536), o.number("max_weight", 1e-6, 1e6))


def _signals(o: JsonObject) -> Signals:
    for name in o.value:
        if name not in SIGNALS:
            raise PackageError(f"manifest: signals.{name[:80]} is unknown to this runtime: update pocketrec")
    factors, neighbours = o.object_or_none("factors"), o.object_or_none("neighbours")
    content, semantic = o.object_or_none("content"), o.object_or_none("semantic")
    attributes, lexical = o.object_or_none("attributes"), o.object_or_none("lexical")
    popularity, boost = o.object_or_none("popularity"), o.object_or_none("boost")
    return Signals(
        factors=None if factors is None else _factors(factors),
        neighbours=None if neighbours is None else _neighbours(neighbours),
        content=None if content is None else TextSettings(content.dim("dim")),
        semantic=None if semantic is None else TextSettings(semantic.dim("dim")),
        attributes=None if attributes is None else AttributeSettings(attributes.dim("dim")),
        lexical=None if lexical is None else _lexical(lexical),
        popularity=None if popularity is None else PriorSettings(),
        boost=None if boost is None else PriorSettings(),
    )


def _factors(o: JsonObject) -> FactorSettings:
    return FactorSettings(o.dim("dim"), o.number("alpha", 0, 1e6), o.integer("steps", 1, 1000))


def _neighbours(o: JsonObject) -> NeighbourSettings:
    return NeighbourSettings(o.integer("block", SPARSE_BLOCK, SPARSE_BLOCK), o.integer("budget", 1))


def _lexical(o: JsonObject) -> LexicalSettings:
    return LexicalSettings(
        analyzer=o.choice("analyzer", (ANALYZER,)),
        block=o.integer("block", LEXICAL_BLOCK, LEXICAL_BLOCK),
        budget=o.integer("budget", 1),
        title=o.number("title", 0, 1e6),
    )


def _blend(o: JsonObject, signals: Signals) -> Mapping[str, BlendTerm]:
    terms = {}
    for name in o.value:
        if name not in signals:
            raise PackageError(f"manifest: {o.where(name[:80])} weighs a signal that the package does not have")
    for name in signals.names:
        if name in o.value:
            term = o.object(name)
            highest = 10 if name in POWER_SIGNALS else 0
            terms[name] = BlendTerm(term.number("weight", -1e6, 1e6), term.number("power", 0, highest))
    return MappingProxyType(terms)


def _encoder(o: JsonObject) -> Encoder:
    return Encoder(
        kind=o.choice("kind", ("static",)),
        tokenizer=o.choice("tokenizer", TOKENIZERS),
        dim=o.dim("dim"),
        bits=_bits(o),
        max_tokens=o.integer("max_tokens", 1, 65536),
        lowercase=_lowercase(o),
        unknown=o.text("unknown"),
        normalize=_true(o, "normalize"),
        teacher=o.text("teacher"),
        teacher_sha256=o.text("teacher_sha256"),
        fingerprint=o.sha256("fingerprint"),
    )


def _lowercase(o: JsonObject) -> bool:
    """WordPiece here always folds case; a unigram model says what its frozen table does."""
    return o.boolean("lowercase") if o.text("tokenizer") == "unigram" else _true(o, "lowercase")


def _bits(o: JsonObject) -> int:
    bits = o.integer("bits", BITS[0], BITS[-1]) if "bits" in o.value else 8
    if bits not in BITS:
        o.fail("bits", " or ".join(map(str, BITS)))
    return bits


def _cold(top: JsonObject) -> ColdInfo | None:
    cold = top.object_or_none("cold")
    if cold is None:
        return None
    info = ColdInfo.read(cold)
    if info.anchors > top.object("catalogue").integer("items", 1):
        cold.fail("anchors", "at most the number of items")
    return info


def _answers(top: JsonObject) -> AnswerSettings | None:
    answers = top.object_or_none("answers")
    return None if answers is None else AnswerSettings.read(answers)


def _ratings(o: JsonObject) -> RatingSettings:
    low, high = o.number("low", -MAX_RATING, MAX_RATING), o.number("high", -MAX_RATING, MAX_RATING)
    if low >= high:
        raise PackageError(f"manifest: {o.path} goes from {low:g} to {high:g}, expected low < high")
    return RatingSettings(
        dim=o.integer("dim", 1, 4096),
        low=low,
        high=high,
        mean=o.number("mean", -MAX_RATING, MAX_RATING),
        regularization=o.number("regularization", 1e-12, 1e12),
        bias_regularization=o.number("bias_regularization", 1e-12, 1e12),
    )


def _true(o: JsonObject, key: str) -> bool:
    """A flag whose other value this runtime does not implement."""
    if not o.boolean(key):
        raise PackageError(f"manifest: {o.where(key)} is false, this runtime knows only true: update pocketrec")
    return True


def _graphs(o: JsonObject, *, ranker: bool) -> Graphs:
    """There must be a ranker where there is anything to rank by."""
    onnx, tflite = o.object_or_none("onnx"), o.object_or_none("tflite")
    return Graphs(
        onnx=None
        if onnx is None
        else OnnxGraphs(
            onnx.text("ranker") if ranker else None,
            onnx.text_or_none("encoder"),
            _version(onnx, "min_onnxruntime"),
        ),
        tflite=None
        if tflite is None
        else TfliteGraphs(
            tflite.text("ranker"),
            tflite.text_or_none("encoder"),
            MappingProxyType({runtime: _version(tflite, key) for runtime, key in TFLITE_FLOORS.items()}),
        ),
    )


def _version(o: JsonObject, key: str) -> str:
    floor = o.text(key)
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9}){0,3}", floor):
        o.fail(key, "a version such as 1.20")
    return floor


def _check_graph_entries(manifest: Manifest) -> None:
    graphs = {entry.name for entry in manifest.entries if entry.role == "graph"}
    for target in ("onnx", "tflite"):
        found: OnnxGraphs | TfliteGraphs | None = getattr(manifest.graphs, target)
        for key, name in () if found is None else (("ranker", found.ranker), ("encoder", found.encoder)):
            if name is not None and name not in graphs:
                raise PackageError(f"manifest: graphs.{target}.{key} is {name[:80]!r}, which is not a graph entry")


def _input(o: JsonObject) -> InputInfo:
    return InputInfo(o.text("value_kind"), o.text("reason"), o.text_or_none("positive"), o.text_or_none("split_sha256"))


def _data(o: JsonObject) -> DataInfo:
    return DataInfo(o.text("license"), o.text("attribution"))
