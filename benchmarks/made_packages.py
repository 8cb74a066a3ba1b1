"""Packages and factors of any size, drawn with a seed: what times and bytes are measured on where no data are so large.

Items belong to 200 groups; popular ones have longer vectors, as ALS makes them; histories are of three groups. The
tables of texts and neighbours are random but shaped like real ones. Whether items are any good for anybody cannot be
told from them; how well a fast search agrees with an exact one can.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pocketrec.manifest import LEXICAL_BLOCK, SIGNALS
from pocketrec_export.factors import whiten
from pocketrec_export.graphs import encoder_graph, ranker_graph
from pocketrec_export.quantize import quantize_rows, sparse_blocks
from pocketrec_export.tokenizer_tables import tokenizer_arrays, unicode_arrays
from pocketrec_export.writer import string_table, write_package
from scipy import sparse

GROUPS, LIKED, HISTORY = 200, 3, 30
ALPHA, REGULARIZATION, STEPS = 20.0, 10.0, 12
TEXT, NEAR, WORDS = 128, 64, 2000
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class World:
    """Item factors and histories.

    Attributes:
        factors: float32[I, d], as ALS would leave them.
        white: float32[I, d], the same whitened as the package holds them: the user's matrix starts from the identity.
        histories: int64[Q, HISTORY], distinct items.
    """

    factors: Floats
    white: Floats
    histories: NDArray[np.int64]


def draw_world(items: int, *, dim: int = 64, queries: int = 250, seed: int = 0) -> World:
    """A world of so many items."""
    rng = np.random.default_rng(seed)
    spectrum = np.geomspace(1, 0.1, dim).astype(np.float32)
    group = rng.integers(GROUPS, size=items)
    centers = rng.standard_normal((GROUPS, dim), np.float32)
    factors = centers[group] + 0.7 * rng.standard_normal((items, dim), np.float32)
    factors *= spectrum * ((rng.permutation(items) + 20.0) ** -0.25).astype(np.float32)[:, None]
    chance = np.linalg.norm(factors, axis=1) ** 2
    histories = np.empty((queries, HISTORY), np.int64)
    for query in range(queries):
        among = np.flatnonzero(np.isin(group, rng.choice(GROUPS, LIKED, replace=False)))
        weight = chance[among] / chance[among].sum(dtype=np.float64)
        histories[query] = rng.choice(among, HISTORY, replace=len(among) < HISTORY, p=weight / weight.sum())
    return World(factors, whiten(factors, regularization=REGULARIZATION), histories)


def fold_in(white: Floats, history: NDArray[np.int64]) -> Floats:
    """The user's vector, solved exactly: (I + (alpha - 1) V_h' V_h) u = alpha V_h' 1."""
    rows = white[history]
    matrix = np.eye(white.shape[1], dtype=np.float32) + np.float32(ALPHA - 1) * (rows.T @ rows)
    user: Floats = np.linalg.solve(matrix, np.float32(ALPHA) * rows.sum(axis=0))
    return user


def exact_best(world: World, k: int) -> NDArray[np.int64]:
    """int64[Q, k]: the best items outside the history, scores in float64, the reference of every recall."""
    best = np.empty((len(world.histories), k), np.int64)
    table = world.white.astype(np.float64)
    for query, history in enumerate(world.histories):
        score = table @ fold_in(world.white, history).astype(np.float64)
        score[history] = -np.inf
        first = np.argpartition(-score, k)[:k]
        best[query] = first[np.argsort(-score[first], kind="stable")]
    return best


def write_made(path: Path, white: Floats, *, full: bool, seed: int = 0) -> Path:
    """A package of these factors alone, or with every signal beside them: texts, 64 neighbours an item, words."""
    items, dim = white.shape
    arrays: dict[str, NDArray[Any]] = {}
    titles = ["item"] * items
    arrays["factors/value"], arrays["factors/scale"] = quantize_rows(white)
    signals: dict[str, Any] = {"factors": {"dim": dim, "alpha": ALPHA, "steps": STEPS}}
    if full:
        more, titles = _other_signals(items, np.random.default_rng(seed + 1))
        arrays |= more
        signals |= {
            "neighbours": {"block": 16, "budget": 4096},
            "content": {"dim": TEXT},
            "semantic": {"dim": TEXT},
            "lexical": {"analyzer": "words-1", "block": LEXICAL_BLOCK, "budget": 4096, "title": 3.0},
            "popularity": {},
        }
    signals = {name: signals[name] for name in SIGNALS if name in signals}
    arrays |= string_table("catalogue/id", map(str, range(items)), lookup=True)
    arrays |= string_table("catalogue/title", titles, lookup=False)
    files = {"golden.json": ("golden", b'{"cases":[]}'), "MODEL_CARD.md": ("document", b"# Made for benchmarks\n")}
    files["graphs/ranker.onnx"] = ("graph", ranker_graph(signals, arrays=arrays))
    if full:
        files["graphs/encoder.onnx"] = ("graph", encoder_graph(len(arrays["tokens/scale"]), TEXT))
    manifest = _manifest(signals, items, encoder=_encoder() if full else None)
    write_package(path, manifest=manifest, arrays=arrays, files=files, overwrite=True)
    return path


def _other_signals(items: int, rng: np.random.Generator) -> tuple[dict[str, NDArray[Any]], list[str]]:
    arrays: dict[str, NDArray[Any]] = {}
    source = (rng.random(items * NEAR) ** 1.5 * items).astype(np.int64)
    target = np.repeat(np.arange(items), NEAR)
    near = sparse.csr_array((rng.gamma(1.0, 0.1, len(source)).astype(np.float32), (source, target)), (items, items))
    arrays |= {f"neighbours/{key}": array for key, array in sparse_blocks(near).items()}
    text = rng.standard_normal((items, TEXT), np.float32)
    arrays["text/value"], arrays["text/scale"] = quantize_rows(text / np.linalg.norm(text, axis=1, keepdims=True))
    words = [f"w{number}" for number in range(WORDS)]
    drawn = (rng.random((items, 4)) ** 2 * WORDS).astype(np.int64)
    impact = (np.full(drawn.size, 2.0, np.float32), (drawn.ravel(), np.repeat(np.arange(items), 4)))
    order = np.argsort(words)
    postings = sparse.csr_array(impact, (WORDS, items))[order]
    arrays |= string_table("lexical/word", [words[number] for number in order], lookup=False)
    arrays |= {f"lexical/{key}": array for key, array in sparse_blocks(postings, block=LEXICAL_BLOCK).items()}
    arrays["lexical/title.hash"] = np.empty(0, np.uint32)
    arrays["lexical/title.item"] = np.empty(0, np.uint32)
    arrays["popularity/value"] = rng.random(items, np.float32)
    arrays["tokens/value"], arrays["tokens/scale"] = quantize_rows(rng.standard_normal((30_000, TEXT), np.float32))
    arrays |= tokenizer_arrays(["[UNK]", *words, *(f"unused{n}" for n in range(29_999 - WORDS))])
    arrays |= unicode_arrays()
    return arrays, [" ".join(words[number] for number in row) for row in drawn]


def _encoder() -> dict[str, Any]:
    kind = {"kind": "static", "tokenizer": "wordpiece", "dim": TEXT, "bits": 8, "max_tokens": 256, "lowercase": True}
    return kind | {"unknown": "[UNK]", "normalize": True, "teacher": "none", "teacher_sha256": ""}


def _manifest(signals: dict[str, Any], items: int, *, encoder: dict[str, Any] | None) -> dict[str, Any]:
    power = {name: 1.0 if name in ("factors", "neighbours", "content", "lexical") else 0.0 for name in signals}
    blend = {
        mode: {name: {"weight": 1.0, "power": power[name]} for name in signals if name in used}
        for mode, used in {
            "recommend": ("factors", "neighbours", "content", "popularity"),
            "search": ("factors", "semantic", "lexical", "popularity"),
            "similar": ("factors", "neighbours", "content"),
        }.items()
    }
    graphs = {"ranker": "graphs/ranker.onnx", "min_onnxruntime": "1.25"}
    return {
        "format": 1,
        "name": "made",
        "generator": "pocketrec benchmarks",
        "catalogue": {"items": items, "categories": 0},
        "history": {"max_items": 512, "max_weight": 8.0},
        "signals": signals,
        "blend": blend,
        "encoder": encoder,
        "graphs": {"onnx": graphs | {"encoder": "graphs/encoder.onnx" if encoder else None}},
        "input": {"value_kind": "none", "reason": "drawn", "positive": None, "split_sha256": None},
        "metrics": {},
        "data": {"license": "", "attribution": ""},
        "seed": 0,
    }
