"""The engine contract, on every engine: each test that takes ``engine`` runs on all of them."""

from __future__ import annotations

import importlib
import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from agreement import assert_agree, everything
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pocketrec import engine_litert, engine_onnx
from pocketrec.engine import ENGINES, Engine, RankerInput, RankerOutput, open_engine
from pocketrec.engine_numpy import NumpyEngine, Table, best, fold_in, quantize_query
from pocketrec.errors import EngineError, PackageError, UsageError
from pocketrec.manifest import HISTORY_SIGNALS, SIGNALS, OnnxGraphs
from pocketrec.package import Package
from pocketrec_export.agreement import worst_exchange
from pocketrec_export.quantize import dequantize_rows, quantize_rows
from worlds import TINY_VOCABULARY, TINY_WORDS, random_world, ranker_task, tiny_world

SUBSETS = [s for size in (1, 2, len(SIGNALS) - 1, len(SIGNALS)) for s in itertools.combinations(SIGNALS, size)]
"""Each signal alone and beside each other, all, and all but one."""
SEMANTIC, LEXICAL = SIGNALS.index("semantic"), SIGNALS.index("lexical")
OF_HISTORY = [SIGNALS.index(name) for name in HISTORY_SIGNALS]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("worlds")


@pytest.fixture(scope="session")
def tiny(folder: Path) -> Package:
    return Package.open(tiny_world(folder / "tiny.pocketrec"))


@pytest.fixture(scope="session")
def world(folder: Path) -> Package:
    return Package.open(random_world(folder / "random.pocketrec"))


@pytest.fixture(scope="session")
def halves(folder: Path) -> Package:
    """Tokens of 4 bits."""
    return Package.open(random_world(folder / "halves.pocketrec", bits=4, seed=3))


@pytest.fixture(scope="session")
def twins(folder: Path) -> Package:
    """Item i and item i + 1000 are the same in every table."""
    return Package.open(random_world(folder / "twins.pocketrec", ties=True, seed=7))


@pytest.fixture(params=ENGINES)
def engine_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def engine(world: Package, engine_name: str) -> Iterator[Engine]:
    opened = open_engine(world, engine_name)
    yield opened
    opened.close()


def random_task(package: Package, seed: int, *, length: int = 30, query: bool = True, n: int = 10) -> RankerInput:
    rng = np.random.default_rng(seed)
    items = package.manifest.catalogue.items
    chosen = rng.choice(items, length, replace=False)
    weights = rng.choice([1.0, 1.0, 1.0, 0.5, 3.0, -1.0], length)
    vector = rng.standard_normal(package.array("text/value").shape[1]).astype(np.float32) if query else None
    words = dict(zip(rng.choice(500, 5, replace=False).tolist(), [1.0, 1.0, 0.8, 0.5, 1.0], strict=True))
    titles = dict(zip(rng.choice(items, 2, replace=False).tolist(), [3.0, 2.7], strict=True))
    mask = rng.random(items) < 0.9
    mask[chosen] = False
    return ranker_task(
        package,
        dict(zip(chosen.tolist(), weights.tolist(), strict=True)),
        query=None if vector is None else vector / np.linalg.norm(vector),
        words=words if query else None,
        titles=titles if query else None,
        mask=mask,
        weights=rng.uniform(-0.2, 1, len(package.manifest.signals.names)).tolist(),
        n=n,
    )


def assert_lawful(task: RankerInput, output: RankerOutput) -> None:
    """The law of every answer, whatever the engine."""
    assert output.index.dtype == np.int64
    assert output.score.dtype == output.signals.dtype == np.float32
    assert output.index.shape == output.score.shape == (task.n,)
    assert output.signals.shape == (len(task.weights), task.n)
    assert len(set(output.index.tolist())) == task.n
    assert task.mask[output.index].all()
    assert np.isfinite(output.score).all()
    step = np.diff(output.score)
    assert (step <= 0).all()
    assert (np.diff(output.index)[step == 0] > 0).all()
    total = output.signals[0].copy()
    for row in output.signals[1:]:
        total += row
    np.testing.assert_array_equal(output.score, total)


# The checkerboard, by eye


def test_who_likes_a_tea_is_recommended_the_other_teas(tiny: Package, engine_name: str) -> None:
    engine = open_engine(tiny, engine_name)
    mask = np.ones(8, np.bool_)
    mask[1] = False
    output = engine.rank(ranker_task(tiny, {1: 1.0}, mask=mask, n=7))
    assert output.index.tolist() == [0, 2, 3, 4, 5, 6, 7]
    # alpha 1 makes the matrix I, so u = v: 0.5 * 0.5; a neighbour gives 1; half of a title is "tea".
    part = dict(zip(SIGNALS, output.signals, strict=True))
    for name, value in {"factors": 0.25, "neighbours": 1, "content": 0.5, "attributes": 1, "semantic": 0}.items():
        np.testing.assert_allclose(part[name], [value] * 3 + [0] * 4, rtol=1e-6)
    np.testing.assert_array_equal(part["popularity"], np.float32([0.8, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1]))
    assert not part["lexical"].any()
    assert not part["boost"].any()


def test_search_finds_the_words(tiny: Package, engine_name: str) -> None:
    engine = open_engine(tiny, engine_name)
    query = engine.encode(np.array([TINY_VOCABULARY.index(word) for word in ("mint", "tea")]))
    np.testing.assert_allclose(np.linalg.norm(query), 1, rtol=1e-6)
    output = engine.rank(ranker_task(tiny, query=query, n=8))
    assert output.index.tolist() == [2, 0, 1, 3, 4, 5, 6, 7]
    np.testing.assert_allclose(output.signals[SEMANTIC], [1, 0.5, 0.5, 0.5, 0, 0, 0, 0], rtol=1e-6)
    assert not output.signals[OF_HISTORY].any()


def test_words_and_titles_are_added_up(tiny: Package, engine_name: str) -> None:
    engine, lexical = open_engine(tiny, engine_name), SIGNALS.index("lexical")
    words = sorted(TINY_WORDS)
    both = {words.index("mint"): 0.5, words.index("tea"): 2.0}
    output = engine.rank(ranker_task(tiny, words=both, titles={6: 3.0, 1: 0.25}, n=8))
    assert output.index.tolist() == [6, 2, 1, 0, 3, 4, 5, 7]
    np.testing.assert_allclose(output.signals[lexical], [3, 2.5, 2.25, 2, 2, 0, 0, 0], rtol=1e-6)
    only = engine.rank(ranker_task(tiny, titles={4: 1.0}, n=1))
    assert (only.index.tolist(), only.signals[lexical].tolist()) == ([4], [1.0])


def test_a_dislike_pushes_its_kind_below_the_rest(tiny: Package, engine_name: str) -> None:
    output = open_engine(tiny, engine_name).rank(ranker_task(tiny, {0: -1.0}, n=8))
    assert output.index.tolist() == [4, 5, 6, 7, 0, 1, 2, 3]
    assert not output.signals[0].any()  # a dislike has no preference, so the fold-in's right side is 0


def test_nothing_known_gives_the_popular_items(tiny: Package, engine_name: str) -> None:
    output = open_engine(tiny, engine_name).rank(ranker_task(tiny, n=3))
    assert output.index.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(output.score, np.float32([0.8, 0.7, 0.6]))


# The law of the answer


@pytest.mark.parametrize("n", [1, 2, 10, 500])
@pytest.mark.parametrize("length", [0, 1, 30])
@pytest.mark.parametrize("query", [False, True])
def test_answers_are_lawful_and_engines_agree(world: Package, engine: Engine, n: int, length: int, query: bool) -> None:
    task = random_task(world, seed=n + length, length=length, query=query, n=n)
    output = engine.rank(task)
    assert_lawful(task, output)
    assert_agree(world, task, output)
    if not length:
        assert not output.signals[OF_HISTORY].any()
    if not query:
        assert not output.signals[[SEMANTIC, LEXICAL]].any()


@pytest.mark.parametrize("seed", range(5))
def test_engines_agree_on_other_worlds(tmp_path: Path, engine_name: str, seed: int) -> None:
    package = Package.open(random_world(tmp_path / "w", seed=seed, dim=128, text_dim=64 * (1 + seed % 3)))
    engine = open_engine(package, engine_name)
    for inner in range(5):
        task = random_task(package, seed=100 * seed + inner, n=20)
        output = engine.rank(task)
        assert_lawful(task, output)
        assert_agree(package, task, output)


def test_a_history_of_512(world: Package, engine: Engine) -> None:
    task = random_task(world, seed=3, length=512)
    output = engine.rank(task)
    assert_lawful(task, output)
    assert_agree(world, task, output)


def test_only_negative_weights(world: Package, engine: Engine) -> None:
    task = random_task(world, seed=4)
    task = replace(task, history_weight=-np.abs(task.history_weight))
    output = engine.rank(task)
    assert_lawful(task, output)
    assert not output.signals[0].any()
    assert_agree(world, task, output)


@pytest.mark.parametrize("tiny_weight", [1e-20, 1e-38, 1e-44])
def test_weights_that_hardly_exist(world: Package, engine: Engine, tiny_weight: float) -> None:
    task = ranker_task(world, {3: tiny_weight, 4: -tiny_weight, 5: 2 * tiny_weight}, n=50)
    output = engine.rank(task)
    assert_lawful(task, output)
    np.testing.assert_array_equal(output.index, engine.rank(ranker_task(world, n=50)).index)


def test_every_eligible_item_can_be_asked_for(world: Package, engine: Engine) -> None:
    task = random_task(world, seed=5)
    task = replace(task, n=int(task.mask.sum()))
    output = engine.rank(task)
    assert_lawful(task, output)
    assert sorted(output.index.tolist()) == np.flatnonzero(task.mask).tolist()


def test_one_eligible_item(world: Package, engine: Engine) -> None:
    mask = np.zeros(2000, np.bool_)
    mask[1234] = True
    task = replace(random_task(world, seed=6), mask=mask, n=1)
    assert engine.rank(task).index.tolist() == [1234]


def test_a_longer_list_begins_with_the_shorter_one(world: Package, engine: Engine) -> None:
    task = random_task(world, seed=8)
    whole = engine.rank(replace(task, n=int(task.mask.sum())))
    for n in (1, 7, 100, 1000):
        part = engine.rank(replace(task, n=n))
        np.testing.assert_array_equal(part.index, whole.index[:n])
        np.testing.assert_array_equal(part.signals, whole.signals[:, :n])


def test_a_mask_changes_no_score(world: Package, engine: Engine) -> None:
    task = random_task(world, seed=9, n=100)
    free = engine.rank(replace(task, mask=np.ones(2000, np.bool_), n=2000))
    score = np.empty(2000, np.float32)
    score[free.index] = free.score
    masked = engine.rank(task)
    np.testing.assert_array_equal(masked.score, score[masked.index])


def test_weights_are_factors_of_contributions(world: Package, engine: Engine) -> None:
    task = random_task(world, seed=10, n=2000)
    task = replace(task, mask=np.ones(2000, np.bool_))
    raw = engine.rank(replace(task, weights=np.ones(len(SIGNALS), np.float32)))
    weights = np.resize(np.array([0.5, -3.0, 0.0, 1.7, 0.1], np.float32), len(SIGNALS))
    weighted = engine.rank(replace(task, weights=weights))
    place = np.argsort(raw.index)[weighted.index]
    np.testing.assert_array_equal(weighted.signals, raw.signals[:, place] * weights[:, None])


@pytest.mark.parametrize(
    "signals", [("neighbours", "lexical", "popularity"), ("popularity",), ("neighbours",), ("lexical",)]
)
def test_equal_scores_come_in_index_order(tmp_path: Path, engine_name: str, signals: tuple[str, ...]) -> None:
    """Sparse sums and popularity are exact in every engine, so here ties are ties everywhere."""
    package = Package.open(random_world(tmp_path / "w", ties=True, signals=signals, seed=11))
    engine = open_engine(package, engine_name)
    history = dict.fromkeys(range(0, 60, 3), 1.0)
    words = {7: 1.0, 100: 0.8, 333: 1.0}
    whole = everything(package, ranker_task(package, history, words=words, n=2000))
    assert len(np.unique(whole.score)) <= 1000
    for n in (1, 2, 3, 10, 11, 500, 999, 1000, 1001, 2000):
        output = engine.rank(ranker_task(package, history, words=words, n=n))
        assert_lawful(ranker_task(package, history, words=words, n=n), output)
        np.testing.assert_array_equal(output.index, whole.index[:n])
        np.testing.assert_array_equal(output.score, whole.score[:n])


def test_equal_items_get_equal_scores(twins: Package, engine_name: str) -> None:
    """MatMulNBits works row by row: where a row lies in the table changes nothing."""
    engine = open_engine(twins, engine_name)
    task = replace(random_task(twins, seed=12), mask=np.ones(2000, np.bool_))
    task = replace(task, title_index=np.array([5, 1005]), title_weight=np.ones(2, np.float32))
    whole = engine.rank(replace(task, n=2000))
    score = np.empty(2000, np.float32)
    score[whole.index] = whole.score
    np.testing.assert_array_equal(score[:1000], score[1000:])
    for n in (1, 2, 9, 10, 333):
        np.testing.assert_array_equal(engine.rank(replace(task, n=n)).index, whole.index[:n])


@pytest.mark.parametrize("signals", SUBSETS, ids="+".join)
def test_any_set_of_signals_works(tmp_path: Path, engine_name: str, signals: tuple[str, ...]) -> None:
    package = Package.open(random_world(tmp_path / "w", items=200, signals=signals, text_dim=64, seed=13))
    engine = open_engine(package, engine_name)
    rng = np.random.default_rng(1)
    vector = rng.standard_normal(64).astype(np.float32)
    for history, query in itertools.product([{}, {3: 1.0, 150: -2.0, 7: 0.5}], [None, vector]):
        for words, titles in itertools.product([{}, {3: 1.0, 400: 0.5}], [{}, {17: 2.0}]):
            task = ranker_task(package, history, query=query, words=words, titles=titles, n=20)
            output = engine.rank(task)
            assert_lawful(task, output)
            assert_agree(package, task, output)


def test_sixteen_threads_get_the_answers_of_one(world: Package, engine: Engine) -> None:
    tasks = [random_task(world, seed=seed, length=seed, query=seed % 2 == 0, n=1 + seed) for seed in range(16)]
    alone = [engine.rank(task) for task in tasks]
    with ThreadPoolExecutor(16) as pool:
        for _ in range(5):
            for one, many in zip(alone, pool.map(engine.rank, tasks), strict=True):
                for field in fields(one):
                    np.testing.assert_array_equal(getattr(one, field.name), getattr(many, field.name))


# The arithmetic


@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 40), blocks=st.integers(1, 4), extreme=st.booleans())
@settings(max_examples=50, deadline=None)
def test_the_quantization_rule_in_integers(seed: int, rows: int, blocks: int, extreme: bool) -> None:
    rng = np.random.default_rng(seed)
    value = rng.integers(1, 256, (rows, 64 * blocks), np.uint8)
    if extreme:
        value[:] = rng.choice(np.array([1, 255], np.uint8), value.shape)
    scale = rng.random(rows, np.float32)
    query = rng.standard_normal(64 * blocks).astype(np.float32) * np.float32(10.0) ** rng.integers(-5, 5)
    if extreme:
        query = np.where(value[0] > 128, np.float32(3), np.float32(-3))
    expected = np.zeros(rows, np.float32)
    for b in range(blocks):
        block = query[64 * b : 64 * b + 64]
        largest = np.abs(block).max()
        q8 = np.rint(block * (np.float32(127) / largest)).astype(np.int32)
        dot = (value[:, 64 * b : 64 * b + 64].astype(np.int32) - 128) @ q8
        expected += dot.astype(np.float32) * (largest / np.float32(127) * scale)
    np.testing.assert_array_equal(Table(value, scale).dot(query), expected)


def test_a_large_table_is_scored_in_pieces_with_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    value, scale = quantize_rows(rng.standard_normal((20_000, 128)).astype(np.float32))
    query = rng.standard_normal(128).astype(np.float32)
    kept = Table(value, scale).dot(query)
    monkeypatch.setattr("pocketrec.engine_numpy.KEEP_BYTES", 0)
    np.testing.assert_array_equal(Table(value, scale).dot(query), kept)


def test_a_query_of_zeros_scores_zero() -> None:
    value, scale = quantize_rows(np.eye(64, dtype=np.float32))
    np.testing.assert_array_equal(Table(value, scale).dot(np.zeros(64, np.float32)), np.zeros(64))


@given(st.lists(st.sampled_from([-1.0, 0.0, 0.5, 0.5, 1.0, 2.0]), min_size=1, max_size=30), st.data())
@settings(max_examples=200, deadline=None)
def test_best_is_a_stable_sort(scores: list[float], data: st.DataObject) -> None:
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=len(scores), max_size=len(scores))))
    mask[0] = True
    n = data.draw(st.integers(1, int(mask.sum())))
    by_hand = sorted((i for i in range(len(scores)) if mask[i]), key=lambda i: -scores[i])[:n]
    assert best(np.array(scores, np.float32), mask, n).tolist() == by_hand


def _history(rng: np.random.Generator, length: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    v = rng.standard_normal((2000, 64)).astype(np.float32) * np.geomspace(1, 0.1, 64, dtype=np.float32)
    axes, turn = np.linalg.eigh(v.astype(np.float64).T @ v + 20 * np.eye(64))
    rows = (v[:length] @ (turn / np.sqrt(axes))).astype(np.float32)
    return rows, rng.choice([1, 1, 2, -1], length).astype(np.float32)


@pytest.mark.parametrize("length", [1, 5, 30, 512])
@pytest.mark.parametrize("seed", range(3))
def test_fold_in_solves_the_normal_equations(length: int, seed: int) -> None:
    rows, c = _history(np.random.default_rng(seed), length)
    v, k = rows.astype(np.float64), 8.0 * np.abs(c)
    exact = np.linalg.solve(np.eye(64) + (v.T * (k - 1)) @ v, v.T @ (k * (c > 0)))
    u = fold_in(rows, c, alpha=8.0, steps=40)
    assert np.linalg.norm(u - exact) <= 1e-5 * np.linalg.norm(exact)


def test_fold_in_keeps_still_once_it_has_converged() -> None:
    """Extra steps work on a residual of nothing but rounding; they must not blow it up."""
    rows, c = _history(np.random.default_rng(0), 30)
    solved = fold_in(rows, c, alpha=8.0, steps=40)
    np.testing.assert_allclose(fold_in(rows, c, alpha=8.0, steps=400), solved, atol=1e-6)
    np.testing.assert_array_equal(fold_in(rows, -np.abs(c), alpha=8.0, steps=10), np.zeros(64))
    np.testing.assert_array_equal(fold_in(rows[:0], c[:0], alpha=8.0, steps=10), np.zeros(64))


@pytest.mark.parametrize("steps", [1, 2, 25])
def test_the_graph_solves_them_too(tmp_path: Path, engine_name: str, steps: int) -> None:
    package = Package.open(random_world(tmp_path / "w", signals=["factors"], steps=steps, seed=14))
    task = ranker_task(package, dict.fromkeys(range(40), 1.0), n=2000)
    output = open_engine(package, engine_name).rank(task)
    table = Table(package.array("factors/value"), package.array("factors/scale"))
    u = fold_in(table.rows(task.history_index), task.history_weight, alpha=8.0, steps=steps)
    scores = dequantize_rows(table.value, table.scale) @ u
    error = 0.6 * float(quantize_query(u)[1][0]) * np.linalg.norm(table.rows(output.index), axis=1) * np.sqrt(64)
    assert (np.abs(output.score - scores[output.index]) <= error).all()


def test_extreme_codes_saturate_nowhere(tmp_path: Path, engine_name: str) -> None:
    """Codes of 1 and 255 and queries of +-127 steps: sums of pairs overflow 16 bits where a CPU lacks VNNI.

    `make parity` runs this test on such a CPU, too.
    """
    rng = np.random.default_rng(5)
    extremes = {
        f"{table}/value": rng.choice(np.array([1, 255], np.uint8), (2000, width))
        for table, width in (("factors", 64), ("text", 128), ("attributes", 64))
    }
    for value in extremes.values():
        value[:100] = value[0]  # many items that agree with each other in every column
    scales = {f"{table}/scale": np.full(2000, 1e-3, np.float32) for table in ("factors", "text", "attributes")}
    package = Package.open(random_world(tmp_path / "w", more=extremes | scales))
    engine = open_engine(package, engine_name)
    query = np.where(extremes["text/value"][0] > 128, 1, -1).astype(np.float32) / np.sqrt(np.float32(128))
    for history in ({0: 1.0}, {0: 1.0, 1: 1.0, 2: 8.0}, {0: -8.0}, {}):
        task = ranker_task(package, history, query=query, n=2000)
        found, expected = engine.rank(task), NumpyEngine(package).rank(task)
        assert_agree(package, task, found)
        places = np.argsort(expected.index)[found.index]
        np.testing.assert_allclose(found.signals, expected.signals[:, places], rtol=1e-5, atol=1e-6)


def test_a_cpu_that_multiplies_without_quantizing_gives_the_same_lists(world: Package) -> None:
    """ARM without the dot product extension does; so does accuracy level 0 here."""
    model = onnx.load_model_from_string(bytes(world.blob("graphs/ranker.onnx")))
    levels = [a for node in model.graph.node for a in node.attribute if a.name == "accuracy_level"]
    assert len(levels) == 3
    for attribute in levels:
        attribute.i = 0
    plain = _Swapped(world, world)
    plain.blob = lambda name: memoryview(model.SerializeToString())  # type: ignore[method-assign]
    plain.manifest = replace(world.manifest, graphs=replace(world.manifest.graphs, onnx=_ranker_alone(world)))
    engine = engine_onnx.OnnxEngine(plain)
    for seed in range(20):
        task = random_task(world, seed=seed, n=50)
        found, expected = engine.rank(task), NumpyEngine(world).rank(task)
        np.testing.assert_array_equal(found.index, expected.index)
        np.testing.assert_allclose(found.score, expected.score, rtol=1e-5, atol=1e-6)


def _ranker_alone(package: Package) -> OnnxGraphs:
    graphs = package.manifest.graphs.onnx
    assert graphs is not None
    return replace(graphs, encoder=None)


@pytest.mark.parametrize(
    ("listed", "worst"),
    [([0, 1, 2], 0.0), ([1, 0, 2], 0.5), ([2, 1, 0], 2.0), ([0, 1, 3], 0.25), ([0, 1, 9], np.inf), ([], 0.0)],
)
def test_the_worst_exchange_by_hand(listed: list[int], worst: float) -> None:
    assert worst_exchange(listed, {0: 3.0, 1: 2.5, 2: 1.0, 3: 0.75}) == worst


# The encoder


def test_encoding_adds_token_rows_and_normalizes(world: Package, engine: Engine) -> None:
    rows = dequantize_rows(world.array("tokens/value"), world.array("tokens/scale"))
    for ids in ([5], [5, 5, 7], list(range(100))):
        total = np.zeros(128, np.float32)
        for token in ids:
            total += rows[token]
        vector = engine.encode(np.array(ids, np.int64))
        assert vector.dtype == np.float32
        np.testing.assert_allclose(vector, total / np.linalg.norm(total), rtol=1e-5, atol=1e-7)


def test_halves_are_tokens_with_four_bits(halves: Package, engine_name: str) -> None:
    value, scale = halves.array("tokens/value"), halves.array("tokens/scale")
    low, high = value & 15, value >> 4
    rows = np.zeros((len(value), 128), np.float32)
    rows[:, 0::2], rows[:, 1::2] = low, high
    rows = (rows - 8) * scale[:, None]
    engine = open_engine(halves, engine_name)
    for ids in ([5], [5, 5, 7], list(range(100))):
        total = np.zeros(128, np.float32)
        for token in ids:
            total += rows[token]
        vector = engine.encode(np.array(ids, np.int64))
        np.testing.assert_allclose(vector, total / np.linalg.norm(total), rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(halves.dense_rows("tokens", np.arange(500)), rows)


def test_no_token_gives_a_zero_vector(world: Package, engine: Engine) -> None:
    np.testing.assert_array_equal(engine.encode(np.empty(0, np.int64)), np.zeros(128, np.float32))


def test_a_token_of_zeros_gives_a_zero_vector(tiny: Package, engine_name: str) -> None:
    vector = open_engine(tiny, engine_name).encode(np.array([0, 1], np.int64))
    np.testing.assert_array_equal(vector, np.zeros(64, np.float32))


def test_numpy_encodes_token_by_token_in_float32(world: Package) -> None:
    rows = dequantize_rows(world.array("tokens/value"), world.array("tokens/scale"))
    ids = np.random.default_rng(0).integers(0, 500, 77)
    total, norm = np.zeros(128, np.float32), 0.0
    for token in ids:
        total += rows[token]
    for number in total.astype(np.float64):
        norm += float(number) * float(number)
    expected = (total.astype(np.float64) / np.sqrt(norm)).astype(np.float32)
    np.testing.assert_array_equal(NumpyEngine(world).encode(ids), expected)


# Opening, failing, closing


def test_an_index_beyond_the_catalogue_is_an_engine_error(world: Package, engine: Engine) -> None:
    fine = replace(
        random_task(world, seed=1, length=1),
        **{f"{name}_index": np.zeros(1, np.int64) for name in ("block", "lexical", "title")},
        **{f"{name}_weight": np.ones(1, np.float32) for name in ("block", "lexical", "title")},
    )
    engine.rank(fine)
    for name, beyond in (("history", 2000), ("block", 10**9), ("lexical", 10**9), ("title", 2000)):
        task = replace(fine, **{f"{name}_index": np.array([beyond])})
        with pytest.raises(EngineError):
            engine.rank(task)
    with pytest.raises(EngineError):
        engine.encode(np.array([500]))


def test_a_closed_engine_says_so(world: Package, engine: Engine) -> None:
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.rank(random_task(world, seed=1))
    with pytest.raises(EngineError, match="closed"):
        engine.encode(np.array([1]))


def test_a_package_without_encoder_says_so(tmp_path: Path, engine_name: str) -> None:
    package = Package.open(tiny_world(tmp_path / "w", signals=["factors"]))
    with pytest.raises(EngineError, match="no text encoder"):
        open_engine(package, engine_name).encode(np.array([1]))


def test_closing_during_calls_disturbs_none(world: Package, folder: Path, engine_name: str) -> None:
    package = Package.open(folder / "random.pocketrec")
    engine = open_engine(package, engine_name)
    task = random_task(package, seed=2, length=100)
    expected = engine.rank(task).index.tolist()

    def call(_: int) -> list[int] | str:
        try:
            return engine.rank(task).index.tolist()
        except EngineError as error:
            return str(error)

    with ThreadPoolExecutor(4) as pool:
        answers = pool.map(call, range(200))
        engine.close()
        package.close()
    assert all(answer in (expected, "the engine was closed") for answer in answers)


def test_a_call_keeps_what_it_began_with(tiny: Package, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = NumpyEngine(tiny)
    task = ranker_task(tiny, {1: 1.0}, n=8)
    expected = engine.rank(task)
    original = NumpyEngine._open

    def close_right_after(self: NumpyEngine) -> object:
        state = original(self)
        self.close()
        return state

    monkeypatch.setattr(NumpyEngine, "_open", close_right_after)
    np.testing.assert_array_equal(engine.rank(task).score, expected.score)
    with pytest.raises(EngineError, match="closed"):
        engine.rank(task)


def test_the_best_installed_engine_is_chosen(tiny: Package, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert open_engine(tiny).name == "onnx"
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"
    without = Package.open(tiny_world(tmp_path / "w", graphs=False))
    assert open_engine(without).name == "numpy"
    for name, said in (("onnx", "no ONNX graph"), ("litert", "no TFLite model")):
        with pytest.raises(EngineError, match=said):
            open_engine(without, name)
    for name, then in (("onnx", "litert"), ("litert", "numpy")):
        monkeypatch.setattr(importlib.import_module(f"pocketrec.engine_{name}"), "find_spec", lambda name: None)
        assert open_engine(tiny).name == then
        with pytest.raises(EngineError, match=rf"pip install 'pocketrec\[{name}\]'"):
            open_engine(tiny, name)


@pytest.mark.parametrize(
    ("version", "reason"), [("1.24.4", "1.25 or newer"), ("1.29.0", "telemetry"), ("2.0", "telemetry")]
)
def test_unwanted_onnxruntime_versions_are_refused(
    tiny: Package, monkeypatch: pytest.MonkeyPatch, version: str, reason: str
) -> None:
    monkeypatch.setattr(engine_onnx, "version", lambda name: version)
    assert open_engine(tiny).name != "onnx"
    with pytest.raises(EngineError, match=reason):
        open_engine(tiny, "onnx")


def test_old_tflite_runtimes_are_refused_and_the_newer_of_two_is_used(
    tiny: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {"ai-edge-litert": "1.9.9", "tflite-runtime": "2.13"}
    monkeypatch.setattr(engine_litert, "find_spec", lambda name: name)
    monkeypatch.setattr(engine_litert, "version", found.__getitem__)
    with pytest.raises(EngineError, match=r"needs ai-edge-litert 2\.0 or newer, found 1\.9\.9"):
        open_engine(tiny, "litert")
    found["tflite-runtime"] = "2.14.0"
    graphs = tiny.manifest.graphs.tflite
    assert graphs is not None
    assert engine_litert._runtime(graphs) == ("tflite_runtime", None)


@pytest.mark.parametrize("version", ["1.25.0", "1.25", "1.28.0+cpu", "1.27.1rc2"])
def test_wanted_versions_are_accepted(tiny: Package, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setattr(engine_onnx, "version", lambda name: version)
    assert engine_onnx.unusable(tiny) is None


def test_wrong_arguments_are_usage_errors(tiny: Package) -> None:
    with pytest.raises(UsageError, match="onnx, litert, numpy"):
        open_engine(tiny, "tensorflow")
    with pytest.raises(UsageError, match="threads"):
        open_engine(tiny, threads=0)
    for threads in (None, "2", 1.5, 10**30):
        with pytest.raises(UsageError, match="threads"):
            open_engine(tiny, threads=threads)  # type: ignore[arg-type]


def test_a_graph_for_other_tables_is_refused(tmp_path: Path, tiny: Package) -> None:
    world = Package.open(random_world(tmp_path / "w", items=100))
    with pytest.raises(PackageError, match="the graph expects"):
        engine_onnx.OnnxEngine(_Swapped(tiny, world))


def test_a_graph_for_other_signals_is_refused(tmp_path: Path, tiny: Package) -> None:
    part = Package.open(tiny_world(tmp_path / "w", signals=["factors", "content"]))
    with pytest.raises(PackageError, match="were expected"):
        engine_onnx.OnnxEngine(_Swapped(tiny, part))


@pytest.mark.parametrize("name", ["popularity/value", "neighbours/value", "catalogue/id.text", "text/scales"])
def test_blocks_of_what_has_none_are_refused(tiny: Package, name: str) -> None:
    expected = engine_onnx.ExternalTable("float32", (8, 1, 64))
    with pytest.raises(PackageError):
        engine_onnx._bind(tiny, f"{name}|blocks", expected)


@pytest.mark.parametrize("part", ["value", "scale"])
def test_blocks_of_a_table_that_no_signal_checks_are_refused(tmp_path: Path, part: str) -> None:
    """A package may hold a table of any width as long as no signal uses it."""
    for rows, width in ((8, 65), (8, 32), (8, 0)):
        arrays = {"factors/value": np.ones((rows, width), np.uint8), "factors/scale": np.ones(rows, np.float32)}
        package = Package.open(tiny_world(tmp_path / f"{width}", signals=["popularity"], graphs=False, more=arrays))
        with pytest.raises(PackageError, match="the graph expects"):
            engine_onnx._bind(package, f"factors/{part}|blocks", engine_onnx.ExternalTable("float32", (8, 1)))


class _Swapped(Package):
    """The tables of one package with the graphs of another."""

    def __init__(self, tables: Package, graphs: Package) -> None:
        self.manifest = tables.manifest
        self.array = tables.array  # type: ignore[method-assign]
        self.has = tables.has  # type: ignore[method-assign]
        self.blob = graphs.blob  # type: ignore[method-assign]


def test_onnxruntime_reads_our_memory(tiny: Package, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of a bound table shows in the next answer, so the session holds no copy of it."""
    bound: dict[str, NDArray[np.generic]] = {}

    def bind(package: Package, name: str, expected: object) -> NDArray[np.generic]:
        bound[name] = package.array(name).copy() if "|" not in name else original(package, name, expected)
        return bound[name]

    original = engine_onnx._bind
    monkeypatch.setattr(engine_onnx, "_bind", bind)
    engine = open_engine(tiny, "onnx")
    for name in ("popularity", "neighbours", "lexical", "text", "attributes", "factors"):
        bound[f"{name}/value"][:] = 128 if name in ("text", "attributes", "factors") else 0
    output = engine.rank(ranker_task(tiny, {0: 1.0}, words={0: 1.0}, n=8))
    assert not output.signals.any()


def test_an_onnxruntime_that_does_not_load_says_so(tiny: Package, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(EngineError, match="does not load"):
        engine_onnx.OnnxEngine(tiny)


def test_numpy_alone_never_loads_onnxruntime(folder: Path, tiny: Package) -> None:
    code = (
        "import sys; from pocketrec.engine import open_engine; from pocketrec.package import Package; "
        "open_engine(Package.open(sys.argv[1]), 'numpy'); assert 'onnxruntime' not in sys.modules"
    )
    runtime = str(Path(engine_onnx.__file__).parents[1])
    command = [sys.executable, "-c", code, str(folder / "tiny.pocketrec")]  # ``tiny`` wrote it
    subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": runtime})
