"""From fitted tables to the parts of a package: arrays, graphs, golden cases, model card, manifest."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pocketrec import __version__
from pocketrec.inspection import GOLDEN, golden_case, predicted_case
from pocketrec.layout import NO_TIME
from pocketrec.manifest import (
    EXPIRES,
    FORMAT,
    HISTORY_SIGNALS,
    PRIORS,
    PUBLISHED,
    SIGNALS,
    SPARSE_BLOCK,
    BlendTerm,
)
from pocketrec.opening import open_package
from pocketrec.ratings import RatingTables
from pocketrec.recommender import Recommender

from pocketrec_export.blend import to_manifest
from pocketrec_export.catalogue_arrays import catalogue_arrays
from pocketrec_export.cold_device import Placement
from pocketrec_export.full_model import MAX_HISTORY, MAX_WEIGHT, FullModel
from pocketrec_export.lexical import lexical_arrays, lexical_budget, lexical_settings
from pocketrec_export.quantize import quantize_rows, sparse_blocks
from pocketrec_export.read import Items
from pocketrec_export.student import MAX_TOKENS, Student
from pocketrec_export.targets import graph_entries
from pocketrec_export.teacher import Teacher
from pocketrec_export.tiers import CODES
from pocketrec_export.tokenizer_tables import tokenizer_arrays, tokenizer_facts
from pocketrec_export.writer import package_size, write_package

BLOCK_BUDGET = 8192
"""Blocks of one call: 131,072 neighbour entries, several times what a history of 500 popular items touches."""

SEARCH_HISTORY = 0.03
"""How much of the recommendation blend joins a search with a history, until `fusion` has chosen."""

SEARCH_WORDS = BlendTerm(2.0, 1.0)
TITLE = 4.0
"""Weights of words and titles, until `fusion` has chosen."""

SEARCH_BOOST = SEARCH_HISTORY
"""A boost of 1 moves an item in a search as far as it would in recommendations, on the scale of a search."""

SIMILAR_CONTENT = 3.0
"""Weight of the text in similar items: there an item speaks for itself, so its text counts far more than in a
recommendation, on the scale where a blend of all signals has a spread of about one."""

SIMILAR_ATTRIBUTES = 1.0
"""The same for the attributes, where recommendations use them: they tell the kind of an item, the text which one."""

GOLDEN_SEED = 7


@dataclass(frozen=True)
class Parts:
    """All that `write_package` takes, in memory."""

    manifest: dict[str, Any]
    arrays: dict[str, NDArray[Any]]
    files: dict[str, tuple[str, bytes]]

    def write(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write the package; see `write_package` for errors."""
        write_package(path, manifest=self.manifest, arrays=self.arrays, files=self.files, overwrite=overwrite)

    def size_bytes(self) -> int:
        """Bytes of the file that `write` writes."""
        return package_size(manifest=self.manifest, arrays=self.arrays, files=self.files)


def assemble(
    model: FullModel,
    *,
    items: Items,
    student: Student | None,
    teacher: Teacher | None,
    name: str,
    about: Mapping[str, Any],
    search: bool = True,
    ratings: RatingTables | None = None,
    placement: Placement | None = None,
    targets: Collection[str] = ("onnx",),
) -> Parts:
    """The parts of a package, without metrics and golden cases.

    Args:
        model: float32 tables over I items, ``text`` projected to the student's width; ``steps`` set. Its blend
            becomes the package's.
        items: titles and categories, in the order of the tables.
        student: the text encoder of queries, None for a package without texts.
        teacher: who encoded the items; None exactly where ``student`` is.
        name: of the package.
        about: the manifest's ``input``, ``data`` and ``seed``.
        search: whether the words of titles and texts can be searched.
        ratings: what predicts ratings of the items, None for a package without.
        placement: what places new texts among the items, None for a package without.
        targets: some of `targets.TARGETS`, the formats to compile graphs into.
    """
    words = lexical_arrays(items, budget=lexical_budget(len(items))) if search else {}
    blend = _blends(model, semantic=student is not None, lexical=bool(words))
    used = {signal for terms in blend.values() for signal in terms}
    arrays, catalogue = catalogue_arrays(items)
    signals: dict[str, dict[str, Any]] = {}
    if model.factors is not None and "factors" in used:
        arrays["factors/value"], arrays["factors/scale"] = quantize_rows(model.factors.table)
        dim, alpha = model.factors.table.shape[1], model.factors.alpha
        signals["factors"] = {"dim": dim, "alpha": alpha, "steps": model.steps}
    if model.neighbours is not None and "neighbours" in used:
        arrays |= {f"neighbours/{key}": array for key, array in sparse_blocks(model.neighbours).items()}
        signals["neighbours"] = {"block": SPARSE_BLOCK, "budget": BLOCK_BUDGET}
    if model.text is not None:
        arrays["text/value"], arrays["text/scale"] = quantize_rows(model.text)
        signals |= {key: {"dim": model.text.shape[1]} for key in ("content", "semantic") if key in used}
    if model.attributes is not None and "attributes" in used:
        arrays["attributes/value"], arrays["attributes/scale"] = quantize_rows(model.attributes)
        signals["attributes"] = {"dim": model.attributes.shape[1]}
    if words:
        arrays |= words
        signals["lexical"] = lexical_settings(TITLE)
    for prior in PRIORS:
        if prior in used:
            arrays[f"{prior}/value"] = getattr(model, prior)
            signals[prior] = {}
    encoder: dict[str, Any] | None = None
    if student is not None and teacher is not None:
        arrays["tokens/value"], arrays["tokens/scale"] = CODES[student.bits](student.tokens)
        arrays |= tokenizer_arrays(student.vocabulary)
        encoder = {
            "kind": "static",
            "dim": student.tokens.shape[1],
            "bits": student.bits,
            "max_tokens": MAX_TOKENS,
            **tokenizer_facts(student.vocabulary),
            "normalize": True,
            "teacher": teacher.name,
            "teacher_sha256": teacher.sha256,
            "teacher_recipe": dict(teacher.recipe),
        }
    if ratings is not None:
        arrays |= {f"ratings/{name}": getattr(ratings, name) for name in ("value", "scale", "bias", "spread")}
    if placement is not None:
        arrays |= {
            name: array for name, array in placement.arrays.items() if name != "cold/factors" or "factors" in signals
        }
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "name": name,
        "generator": f"pocketrec {__version__}",
        "catalogue": catalogue,
        "history": {"max_items": MAX_HISTORY, "max_weight": MAX_WEIGHT},
        "signals": {signal: signals[signal] for signal in SIGNALS if signal in signals},
        "blend": blend,
        "encoder": encoder,
        "ratings": None if ratings is None else asdict(ratings.settings),
        "cold": None if placement is None else dict(placement.info),
        "graphs": {},
        "metrics": {},
        **about,
    }
    manifest["graphs"], files = graph_entries(manifest, arrays, targets=targets)
    return Parts(manifest, arrays, files)


def finish(parts: Parts, *, metrics: Mapping[str, Any]) -> Parts:
    """The parts with metrics, golden cases by the numpy engine, and the model card."""
    parts = replace(parts, manifest={**parts.manifest, "metrics": dict(metrics)})
    parts = with_golden(parts, _golden_cases)
    return replace(parts, files={**parts.files, "MODEL_CARD.md": ("document", _model_card(parts.manifest).encode())})


def with_golden(parts: Parts, cases: Callable[[Recommender], Iterable[dict[str, Any]]]) -> Parts:
    """The parts with golden cases by the numpy engine."""
    with opened(parts, engine="numpy") as recommender:
        golden = {"engine": "numpy", "cases": list(cases(recommender))}
    content = json.dumps(golden, ensure_ascii=False, separators=(",", ":")).encode()
    return replace(parts, files={**parts.files, GOLDEN: ("golden", content)})


@contextmanager
def opened(parts: Parts, *, engine: str | None = None) -> Iterator[Recommender]:
    """The parts as a user gets them: written to a temporary file and opened; expired items are still recommended."""
    with tempfile.TemporaryDirectory(prefix="pocketrec-") as folder:
        path = Path(folder) / "trial.pocketrec"
        parts.write(path)
        with open_package(path, engine=engine, clock=None) as recommender:
            yield recommender


def _blends(model: FullModel, *, semantic: bool, lexical: bool) -> dict[str, dict[str, dict[str, float]]]:
    """The three blends. Search and similar derive from the fitted one for recommendations."""
    recommend = dict(model.blend)
    personal = {name: term for name, term in recommend.items() if name in HISTORY_SIGNALS}
    similar = dict(personal)
    if model.text is not None:
        similar["content"] = BlendTerm(SIMILAR_CONTENT, 1.0)
    if model.attributes is not None and personal["attributes"].weight:
        similar["attributes"] = BlendTerm(SIMILAR_ATTRIBUTES, 1.0)
    searching = {}
    if semantic or lexical:
        searching = {name: BlendTerm(term.weight * SEARCH_HISTORY, term.power) for name, term in personal.items()}
        searching |= {"semantic": BlendTerm(1.0, 0.0)} if semantic else {}
        searching |= {"lexical": SEARCH_WORDS} if lexical else {}
        searching |= {"boost": BlendTerm(SEARCH_BOOST, 0.0)} if "boost" in recommend else {}
    return {"recommend": to_manifest(recommend), "search": to_manifest(searching), "similar": to_manifest(similar)}


def _golden_cases(recommender: Recommender) -> Iterator[dict[str, Any]]:
    """Synthetic: drawn from the catalogue, never from a user."""
    rng = np.random.default_rng(GOLDEN_SEED)
    catalogue, size = recommender.catalogue, len(recommender.catalogue)

    now = _golden_now(recommender)

    def draw(count: int) -> list[int]:
        return [int(index) for index in rng.choice(size, min(count, size), replace=False)]

    for count in (0, 1, 3, 10, 30):
        history = [[catalogue.id(index), float(rng.choice([1, 1, 2, -1]))] for index in draw(count)]
        yield golden_case(recommender, "recommend", history, now=now)
    for index in draw(3):
        yield golden_case(recommender, "similar", catalogue.id(index), now=now)
    if {"semantic", "lexical"} & set(recommender.package.manifest.signals):
        for index in draw(5):
            yield golden_case(recommender, "search", catalogue.title(index), now=now)
    scale = recommender.package.manifest.ratings
    if scale is not None:
        for count in (0, 1, 10, 30):
            rated = [[catalogue.id(index), float(rng.uniform(scale.low, scale.high))] for index in draw(count)]
            yield predicted_case(recommender, rated, [catalogue.id(index) for index in draw(10)])


def _golden_now(recommender: Recommender) -> int | None:
    """A time at which some items are out and some are not: the median of all that are given. None without any."""
    package = recommender.package
    dated = [info for info in package.manifest.catalogue.attributes if info.name in (PUBLISHED, EXPIRES)]
    times = [package.array(f"{info.prefix}.value") for info in dated]
    return int(np.median([time for column in times for time in column[column != NO_TIME].tolist()])) if times else None


def _model_card(manifest: Mapping[str, Any]) -> str:
    encoder = manifest["encoder"]
    lines = [
        f"# {manifest['name']}",
        "",
        f"A {manifest['generator']} package: {manifest['catalogue']['items']:,} items, "
        f"signals {', '.join(manifest['signals'])}.",
        "",
        "It ranks and searches offline. It holds no row of any user; histories stay with whoever opens it.",
        "",
        f"- Interactions: {manifest['input']['value_kind']} ({manifest['input']['reason']})",
        f"- Liked means: {manifest['input']['positive'] or 'every row'}",
    ]
    if encoder:
        lines.append(f"- Item texts: {encoder['teacher']}; queries: a static student of it, {encoder['dim']} wide")
    for name, figures in manifest["metrics"].items():
        lines.append(f"- {name}: {json.dumps(figures)}")
    lines += [
        f"- Data license: {manifest['data']['license'] or 'not stated'}",
        f"- Attribution: {manifest['data']['attribution'] or 'not stated'}",
        "",
        "Limits: recommendations repeat the biases of the interactions, popular items above all. Figures hold",
        "for users like those of the data.",
    ]
    return "\n".join(lines) + "\n"
