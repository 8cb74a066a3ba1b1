"""A package of five items that can be checked by eye, for tests of the format and of what reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pocketrec.manifest import LEXICAL_BLOCK
from pocketrec_export.quantize import quantize_rows, sparse_blocks
from pocketrec_export.writer import string_table, write_package
from scipy import sparse
from worlds import manifest_by_hand, word_arrays

IDS = ["tea", "mug", "pot", "novel", "café"]
TITLES = ["Green tea", "Big mug", "", "A novel", "Le café"]
CATEGORIES = ["drink", "kitchen", "book"]
ITEM_CATEGORIES = [[0], [1], [1, 0], [2], []]
WORDS = ["green", "mug", "tea"]
IMPACTS = [[3.0, 0, 0, 0, 0], [0, 2.0, 0, 0, 0], [1.0, 0, 2.0, 0, 0]]
VOCAB = ["[PAD]", "[UNK]", "tea", "##s", "mug", "novel"]
ATTRIBUTES: dict[str, tuple[str, NDArray[Any]]] = {  # NaN, 2 and the smallest integer are missing values
    "price": ("number", np.array([3.5, 8, np.nan, 12.25, 2], np.float32)),
    "fresh": ("boolean", np.array([1, 0, 2, 0, 1], np.uint8)),
    "published": ("date", np.array([0, 86_400, 86_399, -(1 << 63), 10**9], np.int64)),
    "expires": ("date", np.array([-(1 << 63), -(1 << 63), 1 << 33, 1 << 33, -(1 << 63)], np.int64)),
}
COLORS, ITEM_COLORS = ["blue", "green", "red"], [[1], [0, 2], [], [2], []]
"""The category "color", the last attribute of the tiny package."""
ITEMS, DIM, TOKENS = len(IDS), 64, len(VOCAB)


def tiny_arrays(seed: int = 0) -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(seed)
    arrays = string_table("catalogue/id", IDS, lookup=True)
    arrays |= string_table("catalogue/title", TITLES, lookup=False)
    arrays |= string_table("catalogue/category_name", CATEGORIES, lookup=True)
    arrays["catalogue/category.start"] = np.cumsum([0, *map(len, ITEM_CATEGORIES)]).astype(np.uint32)
    arrays["catalogue/category.index"] = np.concatenate(ITEM_CATEGORIES).astype(np.uint32)
    for number, (_, values) in enumerate(ATTRIBUTES.values()):
        arrays[f"catalogue/column-{number}.value"] = values
    color = f"catalogue/column-{len(ATTRIBUTES)}"
    arrays |= string_table(f"{color}_name", COLORS, lookup=True)
    arrays[f"{color}.start"] = np.cumsum([0, *map(len, ITEM_COLORS)]).astype(np.uint32)
    arrays[f"{color}.index"] = np.concatenate(ITEM_COLORS).astype(np.uint32)
    for name, rows in (("factors", ITEMS), ("text", ITEMS), ("attributes", ITEMS), ("tokens", TOKENS)):
        x = rng.standard_normal((rows, DIM)).astype(np.float32)
        arrays[f"{name}/value"], arrays[f"{name}/scale"] = quantize_rows(x / np.linalg.norm(x, axis=1)[:, None])
    near = sparse.csr_array(np.array([[0, 2, 1, 0, 0], [2, 0, 0, 0, 0], [1, 0, 0, 0, 0], [0] * 5, [0] * 5], float))
    arrays |= {f"neighbours/{key}": array for key, array in sparse_blocks(near).items()}
    arrays |= word_arrays(WORDS, np.array(IMPACTS), TITLES)
    arrays["popularity/value"] = np.array([1, 0.5, 0.25, 0.5, 0], np.float32)
    arrays["boost/value"] = np.array([0, 0, 0.5, 0, -0.5], np.float32)
    arrays["ratings/value"], arrays["ratings/scale"] = quantize_rows(rng.standard_normal((ITEMS, 3)).astype(np.float32))
    arrays["ratings/bias"] = np.array([0.5, 0, -0.5, 0, 0.25], np.float32)
    arrays["ratings/spread"] = np.array([[0.1, 0.2, 0.3], [0, 0.1, -0.1]], np.float32)
    arrays["cold/center"] = rng.standard_normal((2, DIM)).astype(np.float32)
    arrays["cold/factors"] = rng.standard_normal((DIM + 1, DIM)).astype(np.float32)
    arrays |= string_table("tokenizer/vocab", VOCAB, lookup=True)
    arrays["tokenizer/class.start"] = np.array([0, ord(" "), ord(" ") + 1], np.uint32)
    arrays["tokenizer/class.value"] = np.array([0, 2, 0], np.uint8)  # a space is a space, all else is kept
    arrays["tokenizer/map.code"], arrays["tokenizer/map.text"] = np.array([[ord("T")], [ord("t")]], np.uint32)
    return arrays


def tiny_manifest() -> dict[str, Any]:
    term = {"weight": 1.0, "power": 0.5}
    flat = {"weight": 0.5, "power": 0.0}
    signals = {
        "factors": {"dim": DIM, "alpha": 1.0, "steps": 8},
        "neighbours": {"block": 16, "budget": 512},
        "content": {"dim": DIM},
        "attributes": {"dim": DIM},
        "semantic": {"dim": DIM},
        "lexical": {"analyzer": "words-1", "block": LEXICAL_BLOCK, "budget": 64, "title": 3.0},
        "popularity": {},
        "boost": {},
    }
    blend = {
        "recommend": {"factors": term, "neighbours": term, "content": term, "popularity": flat},
        "search": {"semantic": {"weight": 1.0, "power": 0.0}, "lexical": term, "popularity": flat},
        "similar": {"neighbours": term, "content": term},
    }
    manifest = manifest_by_hand(signals, blend, tiny_arrays(), graphs={})
    listed = [{"name": name, "kind": kind} for name, (kind, _) in ATTRIBUTES.items()]
    scale = {"dim": 3, "low": 1.0, "high": 5.0, "mean": 3.5}
    manifest["ratings"] = scale | {"regularization": 0.5, "bias_regularization": 2.0}
    manifest["cold"] = {"anchors": 4, "near": 2, "power": 4.0, "tokens": 40, "factors": 1.0, "neighbours": 1.0}
    manifest["catalogue"]["attributes"] = [*listed, {"name": "color", "kind": "category", "values": len(COLORS)}]
    return manifest


def tiny_files() -> dict[str, tuple[str, bytes]]:
    return {"golden.json": ("golden", b"{}"), "MODEL_CARD.md": ("document", b"# tiny\n")}


def write_tiny(path: str | Path, *, overwrite: bool = False, **changes: Any) -> None:
    """Write the tiny package; ``changes`` replace top-level manifest keys."""
    manifest = tiny_manifest() | changes
    write_package(path, manifest=manifest, arrays=tiny_arrays(), files=tiny_files(), overwrite=overwrite)
