"""Queries made from a catalogue, and the search weights that are chosen on them."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pocketrec
import pytest
from pocketrec_export.assemble import Parts, opened
from pocketrec_export.catalogue_arrays import catalogue_arrays
from pocketrec_export.fusion import choose, fused, mean_reciprocal_rank, search_signals
from pocketrec_export.graphs import ranker_graph
from pocketrec_export.items import Items
from pocketrec_export.known_items import KINDS, known_items, plain_title
from pocketrec_export.lexical import lexical_arrays, lexical_budget, lexical_settings
from pocketrec_export.pipeline import build
from worlds import manifest_by_hand, tiny_world

NAMES = ["Ida Lupino", "Agnes Varda", "Akira Kurosawa", "Jane Campion"]


def catalogue(count: int = 60) -> Items:
    adjectives = ["Silent", "Golden", "Broken", "Distant", "Hidden", "Burning"]
    nouns = ["River", "Mountain", "Letter", "Garden", "Winter", "Station", "Harbor", "Mirror", "Island", "Orchard"]
    titles = [
        f"The {adjectives[i % 6]} {nouns[i // 6 % 10]} of {nouns[i * 7 % 10]}s ({1950 + i})" for i in range(count)
    ]
    texts = [f"{title}. Drama. Directed by {NAMES[i % 4]}. Written by Someone." for i, title in enumerate(titles)]
    return Items(
        "", [f"f{i}" for i in range(count)], titles, texts, [["Drama", "War"][: 1 + i % 2] for i in range(count)]
    )


def words_alone(items: Items) -> Parts:
    """A package that knows nothing but words."""
    arrays = lexical_arrays(items, budget=lexical_budget(len(items)))
    arrays |= catalogue_arrays(items)[0]
    signals = {"lexical": lexical_settings(1.0)}
    blend = {"recommend": {}, "search": {"lexical": {"weight": 1.0, "power": 1.0}}, "similar": {}}
    onnx = {"ranker": "graphs/ranker.onnx", "encoder": None, "min_onnxruntime": "1.25"}
    files = {"graphs/ranker.onnx": ("graph", ranker_graph(signals, arrays=arrays))}
    return Parts(manifest_by_hand(signals, blend, arrays, graphs={"onnx": onnx}), arrays, files)


def test_queries_are_seeded_and_the_halves_are_apart() -> None:
    items = catalogue()
    first, second = (known_items(items, count=10, seed=3, half=half) for half in (0, 1))
    assert first == known_items(items, count=10, seed=3, half=0)
    assert first != known_items(items, count=10, seed=4, half=0)
    for half, queries in enumerate((first, second)):
        assert {query.kind for query in queries} == set(KINDS)
        assert all(zlib.crc32(items.ids[query.item].encode()) & 1 == half for query in queries)


def test_each_kind_is_what_it_says() -> None:
    items = catalogue()
    for query in known_items(items, count=20, seed=0, half=0):
        title, text = plain_title(items.titles[query.item]), items.texts[query.item]
        if query.kind == "slip":
            assert query.text != title
            assert abs(len(query.text) - len(title)) <= 1
            assert sum(a != b for a, b in zip(query.text.split(), title.split(), strict=True)) == 1
        elif query.kind == "dropped":
            assert len(query.text.split()) == len(title.split()) - 2
        else:
            assert any(name.lower() in query.text and name in text for name in NAMES)
            assert any(category.lower() in query.text for category in items.categories[query.item])


def test_items_that_say_nothing_mean_nothing() -> None:
    items = Items("", ["a", "b"], ["a", "b"], ["", ""], [[], []])
    assert known_items(items, count=5, seed=0, half=0) == []
    assert lexical_arrays(items, budget=1000) == {}


def test_reciprocal_ranks_by_hand() -> None:
    score = np.array([[3, 1, 2], [1, 1, 1], [0, 5, 0]], np.float32)
    assert mean_reciprocal_rank(score, np.array([2, 2, 0])) == pytest.approx((1 / 2 + 1 / 3 + 1 / 2) / 3)
    assert mean_reciprocal_rank(score[:0], np.array([], np.int64)) == 0.0


def test_a_title_outweighs_all_that_meaning_and_words_may_give_another_item(tmp_path: Path) -> None:
    path = tiny_world(tmp_path / "x.pocketrec")
    with pocketrec.open(path, engine="numpy") as recommender:
        fusion = choose(recommender, [], seed=0)
        assert fusion.title * fusion.words > 2 + fusion.words


def test_the_weights_are_written_into_the_package(tmp_path: Path) -> None:
    items = catalogue()
    parts = fused(words_alone(items), items, seed=0)
    assert parts.manifest["blend"]["search"]["lexical"] == {"weight": 1.0, "power": 1.0}
    assert parts.manifest["signals"]["lexical"]["title"] > 1
    with opened(parts) as recommender:
        for title in items.titles[:20]:
            assert recommender.search(plain_title(title).lower(), k=1)[0].title == title
        queries = known_items(items, count=20, seed=9, half=1)
        score = np.stack([search_signals(recommender, query.text)[1] for query in queries])
        slips = np.array([query.kind == "slip" for query in queries])
        target = np.array([query.item for query in queries])
        assert mean_reciprocal_rank(score[slips], target[slips]) > 0.8


def test_a_build_searches_by_meaning_and_words(tmp_path: Path) -> None:
    import pandas as pd

    items = catalogue(40)
    frame = pd.DataFrame({"item": items.ids, "title": items.titles, "text": items.texts})
    build(items=frame, out=tmp_path / "a.pocketrec", quiet=True, vocabulary=500)
    with pocketrec.open(tmp_path / "a.pocketrec") as recommender:
        best = recommender.search("hidden garden of letters", k=1, explain=True)[0]
        assert set(best.signals) >= {"semantic", "lexical"}
        assert best.signals["lexical"] > 0
        assert sum(reason.contribution for reason in best.reasons) == pytest.approx(best.score, rel=1e-3)
