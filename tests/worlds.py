"""Small packages for tests, written through the real writer: one to check by eye, and random ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pocketrec.engine import RankerInput
from pocketrec.manifest import LEXICAL_BLOCK, SIGNALS
from pocketrec.package import Package
from pocketrec.titles import title_keys
from pocketrec_export.quantize import quantize_halves, quantize_rows, sparse_blocks
from pocketrec_export.targets import graph_entries
from pocketrec_export.tokenizer_tables import tokenizer_arrays, unicode_arrays
from pocketrec_export.writer import string_table, write_package
from scipy import sparse

TINY_IDS = ("tea-0", "tea-1", "tea-2", "tea-3", "book-0", "book-1", "book-2", "book-3")
TINY_TITLES = ("Green tea", "Black tea", "Mint tea", "White tea", "Short novel", "Long novel", "Old novel", "New novel")
TINY_CATEGORIES = ("drink", "paper")
TINY_GROUP = (0, 0, 0, 0, 1, 1, 1, 1)
TINY_POPULARITY = (0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)
TINY_WORDS = ("tea", "novel", "green", "black", "mint", "white", "short", "long", "old", "new")
"""Every word has an axis of its own, and a title's vector is the unit sum of its words."""
TINY_VOCABULARY = ("[PAD]", "[UNK]", *TINY_WORDS, "##s")


def tiny_world(
    path: Path,
    *,
    signals: Sequence[str] = SIGNALS,
    graphs: bool = True,
    settings: Mapping[str, Any] | None = None,
    more: Mapping[str, NDArray[Any]] | None = None,
) -> Path:
    """Eight items on a checkerboard: four teas and four novels, nothing in common but popularity.

    Who likes one tea is recommended the other teas, by factors (one axis a group), by neighbours (strength 1
    inside a group, 0 outside) and by text; searching "mint tea" finds ``tea-2`` first, then the other teas, by
    meaning and by words (a word of the title counts 1). Popularity falls from the first item to the last.

    Args:
        path: The file to write.
        signals: Which signals the package has; it has an encoder if ``semantic`` is among them.
        graphs: Whether it holds ONNX graphs.
        settings: Top-level manifest keys to replace.
        more: Arrays to add.
    """
    group = np.array(TINY_GROUP)
    same = (group[:, None] == group[None, :]).astype(np.float32)
    np.fill_diagonal(same, 0)
    words = np.zeros((len(TINY_VOCABULARY), 64), np.float32)
    for axis, word in enumerate(TINY_WORDS):
        words[TINY_VOCABULARY.index(word), axis] = 1
    pieces = [[TINY_VOCABULARY.index(word) for word in title.lower().split()] for title in TINY_TITLES]
    text = words[pieces].sum(axis=1) / np.float32(np.sqrt(2))
    arrays = _tables(
        signals,
        factors=np.eye(64, dtype=np.float32)[group] * 0.5,
        neighbours=same,
        text=text,
        attributes=np.eye(64, dtype=np.float32)[group],
        popularity=np.array(TINY_POPULARITY, np.float32),
        boost=np.zeros(len(group), np.float32),
        words=sorted(TINY_WORDS),
        impacts=np.array([[1.0 * (word in title.lower()) for title in TINY_TITLES] for word in sorted(TINY_WORDS)]),
        titles=TINY_TITLES,
        tokens=words,
        vocabulary=TINY_VOCABULARY,
    )
    arrays |= string_table("catalogue/id", TINY_IDS, lookup=True)
    arrays |= string_table("catalogue/title", TINY_TITLES, lookup=False)
    arrays |= string_table("catalogue/category_name", TINY_CATEGORIES, lookup=True)
    arrays["catalogue/category.start"] = np.arange(9, dtype=np.uint32)
    arrays["catalogue/category.index"] = group.astype(np.uint32)
    arrays |= more or {}
    return _write(path, signals, arrays, graphs=graphs, settings=settings or {})


def random_world(
    path: Path,
    *,
    items: int = 2000,
    signals: Sequence[str] = SIGNALS,
    dim: int = 64,
    text_dim: int = 128,
    per_target: int = 20,
    steps: int = 10,
    ties: bool = False,
    graphs: bool = True,
    seed: int = 0,
    bits: int = 8,
    more: Mapping[str, NDArray[Any]] | None = None,
) -> Path:
    """A package of random tables that look like real ones: whitened factors, unit texts, sparse neighbours.

    Args:
        path: The file to write.
        items: I.
        signals: Which signals the package has.
        dim: d, a multiple of 64.
        text_dim: D, a multiple of 64.
        per_target: Neighbours that each item has as a target.
        steps: Conjugate gradient steps of the fold-in.
        ties: Make item ``i + items / 2`` equal to item ``i`` in every table, so that every score comes twice.
        graphs: Whether it holds ONNX graphs.
        seed: Of all random numbers.
        bits: Of a code of the table of tokens.
        more: Arrays to add.
    """
    rng = np.random.default_rng(seed)
    v = rng.standard_normal((items, dim)).astype(np.float32) * np.geomspace(1, 0.1, dim, dtype=np.float32)
    text = rng.standard_normal((items, text_dim)).astype(np.float32)
    source = (rng.random(items * per_target) ** 2 * items).astype(np.int64)  # a few items are in many lists
    target = np.repeat(np.arange(items), per_target)
    strength = rng.gamma(1.0, 0.1, len(source)) * rng.choice([1, 1, 1, -1], len(source))
    near = sparse.csr_array((strength, (source, target)), shape=(items, items))
    popularity = rng.random(items, np.float32)
    attributes = rng.standard_normal((items, dim)).astype(np.float32)
    boost = rng.choice(np.array([0, 0, 0, 0.2, -0.1], np.float32), items)
    impacts = rng.gamma(2.0, 1.0, (500, items)) * (rng.random((500, items)) < rng.random((500, 1)) ** 4 / 5)
    titles = [f"Item {i}" for i in range(items)]
    if ties:
        half = items // 2
        for table in (v, text, popularity, attributes, boost):
            table[half:] = table[:half]
        near = sparse.csr_array(sparse.hstack([near[:, :half], near[:, :half]]))
        impacts[:, half:] = impacts[:, :half]
    gram = (v.astype(np.float64).T @ v) + 0.01 * items * np.eye(dim)
    axes, turn = np.linalg.eigh(gram)
    tokens = rng.standard_normal((500, text_dim)).astype(np.float32)
    vocabulary = ["[UNK]", *(f"w{i}" for i in range(499))]
    arrays = _tables(
        signals,
        factors=(v @ (turn / np.sqrt(axes))).astype(np.float32),
        neighbours=near,
        text=text / np.linalg.norm(text, axis=1, keepdims=True),
        attributes=attributes / np.linalg.norm(attributes, axis=1, keepdims=True),
        popularity=popularity,
        boost=boost,
        words=sorted(f"w{i}" for i in range(500)),
        impacts=impacts,
        titles=titles,
        tokens=tokens,
        vocabulary=vocabulary,
    )
    arrays |= string_table("catalogue/id", map(str, range(items)), lookup=True)
    arrays |= string_table("catalogue/title", titles, lookup=False)
    if bits == 4 and "semantic" in signals:
        arrays["tokens/value"], arrays["tokens/scale"] = quantize_halves(tokens)
    arrays |= more or {}
    settings = {"name": "random", "seed": seed}
    return _write(path, signals, arrays, graphs=graphs, settings=settings, alpha=8.0, steps=steps)


def ranker_task(
    package: Package,
    history: Mapping[int, float] | None = None,
    *,
    query: NDArray[np.float32] | None = None,
    words: Mapping[int, float] | None = None,
    titles: Mapping[int, float] | None = None,
    mask: NDArray[np.bool_] | None = None,
    weights: Sequence[float] | None = None,
    n: int = 10,
) -> RankerInput:
    """A ranking problem as a host would prepare it, with blend weights given as they are (all 1 by default)."""
    history, words, titles = history or {}, words or {}, titles or {}
    items = package.manifest.catalogue.items
    block, weight = _block_rows(package, "neighbours", history)
    lexical, impact = _block_rows(package, "lexical", words)
    dim = package.array("text/value").shape[1] if package.has("text/value") else 64
    names = package.manifest.signals.names
    return RankerInput(
        history_index=np.array(list(history), np.int64),
        history_weight=np.array(list(history.values()), np.float32),
        block_index=block,
        block_weight=weight,
        query=np.empty((0, dim), np.float32) if query is None else query.reshape(1, dim).astype(np.float32),
        lexical_index=lexical,
        lexical_weight=impact,
        title_index=np.array(list(titles), np.int64),
        title_weight=np.array(list(titles.values()), np.float32),
        mask=np.ones(items, np.bool_) if mask is None else mask,
        weights=np.array([1.0] * len(names) if weights is None else weights, np.float32),
        n=n,
    )


def _block_rows(
    package: Package, table: str, rows: Mapping[int, float]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Blocks of some rows of a sparse table, and their weights."""
    block: list[int] = []
    weight: list[np.float32] = []
    if package.has(f"{table}/start"):
        start, scale = package.array(f"{table}/start"), package.array(f"{table}/scale")
        for j, c in rows.items():
            block += range(start[j], start[j + 1])
            weight += [np.float32(c) * scale[j]] * int(start[j + 1] - start[j])
    return np.array(block, np.int64), np.array(weight, np.float32)


def word_arrays(words: Sequence[str], impacts: NDArray[Any], titles: Sequence[str]) -> dict[str, NDArray[Any]]:
    """The ``lexical/*`` arrays of words in order, their impacts [W, I], and titles whose words stand between spaces."""
    arrays = string_table("lexical/word", words, lookup=False)
    blocks = sparse_blocks(sparse.csr_array(impacts), block=LEXICAL_BLOCK)
    arrays |= {f"lexical/{key}": array for key, array in blocks.items()}
    keys = [(key, row) for row, title in enumerate(titles) for key in title_keys(title, lambda t: t.lower().split())]
    table = np.array(sorted(keys), np.uint32)
    return arrays | {"lexical/title.hash": table[:, 0].copy(), "lexical/title.item": table[:, 1].copy()}


def _tables(
    signals: Sequence[str],
    *,
    factors: NDArray[np.float32],
    neighbours: Any,
    text: NDArray[np.float32],
    attributes: NDArray[np.float32],
    popularity: NDArray[np.float32],
    boost: NDArray[np.float32],
    words: Sequence[str],
    impacts: NDArray[Any],
    titles: Sequence[str],
    tokens: NDArray[np.float32],
    vocabulary: Sequence[str],
) -> dict[str, NDArray[Any]]:
    """The arrays of these signals, quantized."""
    arrays: dict[str, NDArray[Any]] = {}
    if "factors" in signals:
        arrays["factors/value"], arrays["factors/scale"] = quantize_rows(factors)
    if "neighbours" in signals:
        blocks = sparse_blocks(sparse.csr_array(neighbours))
        arrays |= {f"neighbours/{key}": array for key, array in blocks.items()}
    if "content" in signals or "semantic" in signals:
        arrays["text/value"], arrays["text/scale"] = quantize_rows(text)
    if "attributes" in signals:
        arrays["attributes/value"], arrays["attributes/scale"] = quantize_rows(attributes)
    if "lexical" in signals:
        arrays |= word_arrays(words, impacts, titles) | unicode_arrays()
    arrays |= {
        f"{name}/value": prior for name, prior in (("popularity", popularity), ("boost", boost)) if name in signals
    }
    if "semantic" in signals:
        arrays["tokens/value"], arrays["tokens/scale"] = quantize_rows(tokens)
        arrays |= tokenizer_arrays(vocabulary)
    return arrays


def _write(
    path: Path,
    signals: Sequence[str],
    arrays: dict[str, NDArray[Any]],
    *,
    graphs: bool,
    settings: Mapping[str, Any],
    alpha: float = 1.0,
    steps: int = 8,
) -> Path:
    text_dim = arrays["text/value"].shape[1] if "text/value" in arrays else 64
    all_settings: dict[str, Any] = {
        "factors": {"dim": arrays["factors/value"].shape[1] if "factors" in signals else 64, "alpha": alpha}
        | {"steps": steps},
        "neighbours": {"block": 16, "budget": 4096},
        "content": {"dim": text_dim},
        "semantic": {"dim": text_dim},
        "attributes": {"dim": arrays["attributes/value"].shape[1] if "attributes" in signals else 64},
        "lexical": {"analyzer": "words-1", "block": LEXICAL_BLOCK, "budget": 4096, "title": 3.0},
        "popularity": {},
        "boost": {},
    }
    present = {name: all_settings[name] for name in SIGNALS if name in signals}
    files: dict[str, tuple[str, bytes]] = {
        "golden.json": ("golden", b'{"cases":[]}'),
        "MODEL_CARD.md": ("document", b"# Test\n"),
    }
    blend = {
        "recommend": _blend(present, factors=(1, 0.5), neighbours=(1, 0.5), content=(0.5, 1), popularity=(0.1, 0)),
        "search": _blend(present, factors=(0.1, 0.5), semantic=(1, 0), lexical=(0.5, 1), popularity=(0.05, 0)),
        "similar": _blend(present, neighbours=(1, 0), content=(1, 0)),
    }
    manifest = manifest_by_hand(present, blend, arrays, graphs={}) | dict(settings)
    targets = ("onnx", "tflite") if graphs else ()
    manifest["graphs"], compiled = graph_entries(manifest, arrays, targets=targets)
    files |= compiled
    write_package(path, manifest=manifest, arrays=arrays, files=files)
    return path


def manifest_by_hand(
    signals: Mapping[str, Any], blend: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], *, graphs: Any
) -> dict[str, Any]:
    """The manifest of these arrays as the writer takes it; there is an encoder if ``semantic`` is a signal."""
    encoder = (
        {
            "kind": "static",
            "tokenizer": "wordpiece",
            "dim": signals["semantic"]["dim"],
            "bits": 8 * arrays["tokens/value"].shape[1] // signals["semantic"]["dim"],
            "max_tokens": 256,
            "lowercase": True,
            "unknown": "[UNK]",
            "normalize": True,
            "teacher": "none",
            "teacher_sha256": "",
        }
        if "semantic" in signals
        else None
    )
    return {
        "format": 1,
        "name": "tiny",
        "generator": "pocketrec 0.1.0",
        "catalogue": {
            "items": len(arrays["catalogue/id.offset"]) - 1,
            "categories": max(0, len(arrays.get("catalogue/category_name.offset", [0])) - 1),
        },
        "history": {"max_items": 512, "max_weight": 8.0},
        "signals": signals,
        "blend": blend,
        "encoder": encoder,
        "graphs": graphs,
        "input": {"value_kind": "none", "reason": "made by hand", "positive": None, "split_sha256": None},
        "metrics": {},
        "data": {"license": "CC0-1.0", "attribution": "made by hand"},
        "seed": 0,
    }


def _blend(present: Mapping[str, Any], **terms: tuple[float, float]) -> dict[str, dict[str, float]]:
    return {name: {"weight": w, "power": a} for name, (w, a) in terms.items() if name in present}
