import json
import math
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pocketrec
import pytest
from pocketrec.errors import PackageError, UsageError
from pocketrec.manifest import SIGNALS
from test_hostile import edited, with_array
from worlds import TINY_IDS, random_world, tiny_world

ENGINES = ("numpy", "onnx")
TEAS = ["tea-0", "tea-1", "tea-2", "tea-3"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return tiny_world(tmp_path_factory.mktemp("world") / "tiny.pocketrec")


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    return random_world(tmp_path_factory.mktemp("world") / "random.pocketrec", items=500)


@pytest.fixture(params=ENGINES)
def rec(request, tiny):
    with pocketrec.open(tiny, engine=request.param) as recommender:
        yield recommender


def ids(results):
    return [item.item for item in results]


def test_public_names():
    assert pocketrec.__all__ == [
        "Alert", "Answer", "BusyError", "Classification", "DataError", "EngineError", "Label", "PackageError",
        "PocketrecError", "Profile", "Reason", "Recommendation", "Recommender", "Results", "UsageError", "describe",
        "open", "open_sample",
    ]  # fmt: skip


def test_who_likes_a_tea_gets_the_other_teas(rec):
    assert ids(rec.recommend(["tea-1"], k=3)) == ["tea-0", "tea-2", "tea-3"]
    assert ids(rec.recommend(["book-3"], k=3)) == ["book-0", "book-1", "book-2"]


def test_a_dislike_moves_its_group_to_the_end(rec):
    assert ids(rec.recommend([("tea-0", -1)], k=3)) == ["book-0", "book-1", "book-2"]


def test_an_empty_history_gives_the_most_popular(rec):
    assert ids(rec.recommend(k=8)) == list(TINY_IDS)


def test_k_is_cut_to_what_is_eligible(rec):
    assert len(rec.recommend(["tea-0"], k=100)) == 7
    assert len(rec.recommend(["tea-0"], k=0)) == 0
    assert len(rec.recommend(list(TINY_IDS), k=5)) == 0
    assert len(rec.search("tea", k=100)) == 8
    assert ids(rec.recommend(["tea-0"], k=5, exclude=list(TINY_IDS))) == []


@pytest.mark.parametrize("k", [-1, 1.5, True, "3", None])
def test_a_k_that_is_no_count_is_refused(rec, k):
    for call in (lambda: rec.recommend(["tea-0"], k=k), lambda: rec.search("tea", k=k), lambda: rec.search("", k=k)):
        with pytest.raises(UsageError, match="k is"):
            call()


def test_what_the_history_holds_is_never_recommended(tmp_path):
    path = random_world(tmp_path / "large.pocketrec", items=700, signals=("factors", "neighbours", "popularity"))
    history = [*((str(i), 1.0) for i in range(600)), ("600", 0.0), ("601", 1.0), ("601", -1.0)]
    for engine in ENGINES:
        with pocketrec.open(path, engine=engine) as recommender:
            results = recommender.recommend(history, k=700)
            assert results.truncated
            assert sorted(ids(results), key=int) == [str(i) for i in range(602, 700)]


def test_search_finds_by_word_and_keeps_what_the_user_knows(rec):
    found = rec.search("mint tea", k=3, history=["tea-2"])
    assert found[0].item == "tea-2"
    assert found[0].title == "Mint tea"


def test_filter_and_exclude_act_before_the_top_k(rec):
    assert ids(rec.recommend(["tea-0"], k=2, filter={"category": "paper"})) == ["book-0", "book-1"]
    assert ids(rec.recommend(["tea-0"], k=2, filter={"category": ["paper", "drink"]}, exclude=["tea-1"])) == [
        "tea-2",
        "tea-3",
    ]
    assert ids(rec.recommend(["tea-0"], filter={"category": "nothing"})) == []
    with pytest.raises(UsageError, match="cannot filter by 'price'"):
        rec.recommend(["tea-0"], filter={"price": "3"})
    with pytest.raises(UsageError, match="exclude is a sequence"):
        rec.recommend(["tea-0"], exclude="tea-1")


def test_similar_leaves_the_item_itself_out(rec):
    assert ids(rec.similar("tea-2", k=3)) == ["tea-0", "tea-1", "tea-3"]
    with pytest.raises(UsageError, match="item 'cup' is not in the catalogue of 8 items"):
        rec.similar("cup")


def test_unknown_ids_are_ignored_and_reported(rec):
    results = rec.recommend(["cup", "tea-0"], k=2)
    assert ids(results) == ["tea-1", "tea-2"]
    assert results.unknown == ("cup",)
    with pytest.raises(UsageError, match="'cup'"):
        rec.recommend(["cup"], strict=True)


def test_weights_replace_those_of_the_package(rec):
    only_popular = dict.fromkeys(("factors", "neighbours", "content"), 0.0)
    assert ids(rec.recommend(["book-3"], k=3, weights=only_popular)) == ["tea-0", "tea-1", "tea-2"]
    with pytest.raises(UsageError, match="unknown signal 'magic'; this package has factors, neighbours"):
        rec.recommend(["tea-0"], weights={"magic": 1})
    with pytest.raises(UsageError, match="expected a finite number"):
        rec.recommend(["tea-0"], weights={"factors": math.nan})


@pytest.mark.parametrize("text", ["", "   ", "\t\n\u200b", "\ud800"])
def test_a_query_without_a_word_finds_nothing(rec, text):
    assert len(rec.search(text)) == 0


@pytest.mark.parametrize("text", ["🍵🍵", "绿茶", "te\x00a", "T\u0301ea", "tea " * 2500])
def test_any_text_is_a_query(rec, text):
    assert len(rec.search(text, k=3)) == 3


def test_a_long_query_is_cut_and_says_so(rec):
    assert rec.search("tea " * 2500, k=1).truncated
    assert not rec.search("tea", k=1).truncated


def test_a_query_must_be_a_string(rec):
    with pytest.raises(UsageError, match="a query is a string; got bytes"):
        rec.search(b"tea")
    with pytest.raises(UsageError, match="sequence of texts"):
        rec.search_many("tea")
    for histories in (None, {"tea-1": 1.0}, "tea-1"):
        with pytest.raises(UsageError, match="sequence of histories"):
            rec.recommend_many(histories)
    for many in (rec.recommend_many, rec.search_many):
        assert many([], k=3, filter=None) == []
        with pytest.raises(TypeError, match="'kk'"):
            many([], kk=3)
    assert rec.search_many([], history=["tea-1"]) == []


def test_many_equals_one_by_one(large):
    rng = np.random.default_rng(5)
    histories = [[str(i) for i in rng.choice(500, 12, replace=False)] for _ in range(20)] + [[]]
    for engine in ENGINES:
        with pocketrec.open(large, engine=engine) as rec:
            assert rec.recommend_many(histories, k=7) == [rec.recommend(history, k=7) for history in histories]
            texts = ["w1 w2", "w3", ""]
            assert rec.search_many(texts, k=4) == [rec.search(text, k=4) for text in texts]


@pytest.mark.parametrize("engine", ENGINES)
def test_reasons_sum_to_each_signal_and_to_the_score(large, engine):
    rng = np.random.default_rng(6)
    with pocketrec.open(large, engine=engine) as rec:
        for _ in range(10):
            history = [(str(i), float(rng.choice([-1, 1, 1, 2]))) for i in rng.choice(500, 15, replace=False)]
            for item in rec.recommend(history, k=10, explain=True):
                check_reasons(item)
            for item in rec.search("w1 w2 w3", k=10, history=history, explain=True):
                check_reasons(item)


def check_reasons(item):
    """That the splits themselves are right is proven in test_reasons.py; here that they arrive whole."""
    assert math.isclose(sum(item.signals.values()), item.score, rel_tol=1e-4, abs_tol=1e-6)
    size = max(abs(value) for value in item.signals.values())
    for signal, value in item.signals.items():
        parts = [reason.signals[signal] for reason in item.reasons if signal in reason.signals]
        assert math.isclose(sum(parts), value, rel_tol=1e-4, abs_tol=1e-5 * size)
    contributions = [abs(reason.contribution) for reason in item.reasons]
    assert contributions == sorted(contributions, reverse=True)


def test_the_neighbour_part_of_a_cited_item_is_what_its_removal_takes_away(large):
    with pocketrec.open(large, engine="numpy") as rec:
        history = [str(i) for i in range(0, 60, 5)]
        weights = {"factors": 0.0, "content": 0.0, "popularity": 0.0}
        for item in rec.recommend(history, k=5, explain=True, weights=weights):
            for reason in item.reasons:
                size = len(history) / (len(history) - 1)  # the power of the blend: sum |c| shrinks by one
                rest = [i for i in history if i != reason.id]
                after = rec.recommend(rest, k=500, weights={**weights, "neighbours": size**-0.5})
                found = next(other for other in after if other.item == item.item)
                assert math.isclose(item.score - found.score, reason.contribution, rel_tol=1e-3, abs_tol=1e-6)


def test_the_reason_for_a_tea_is_the_tea(rec):
    best = rec.recommend(["tea-1", "book-0"], k=1, explain=True)[0]
    assert best.item == "tea-0"
    assert (best.reasons[0].kind, best.reasons[0].id, best.reasons[0].text) == ("item", "tea-1", "Black tea")
    word = rec.search("mint", k=1, explain=True)[0].reasons[0]
    assert (word.kind, word.text) == ("word", "mint")
    assert rec.recommend(["tea-1"], k=1)[0].reasons == ()


def test_results_are_plain_json(rec):
    results = rec.recommend(["tea-1", "cup"], k=2, explain=True)
    value = json.loads(json.dumps(results.as_dict()))
    assert set(value) == {"results", "unknown", "truncated", "next"}
    assert set(value["results"][0]) == {"item", "title", "score", "signals", "reasons"}
    assert results[:1] == (results[0],)
    assert "tea-0" in repr(results)


def test_without_texts_search_says_so(tmp_path):
    path = tiny_world(tmp_path / "cf.pocketrec", signals=("factors", "neighbours", "popularity"))
    with pocketrec.open(path) as rec:
        assert ids(rec.recommend(["tea-1"], k=1)) == ["tea-0"]
        with pytest.raises(PackageError, match="holds no texts"):
            rec.search("tea")


def test_sixteen_threads_get_the_answers_of_one(large):
    histories = [[str(i) for i in range(start, start + 30)] for start in range(0, 320, 10)]
    for engine in ENGINES:
        with pocketrec.open(large, engine=engine) as rec:
            alone = [rec.recommend(history) for history in histories]
            with ThreadPoolExecutor(16) as pool:
                assert list(pool.map(rec.recommend, histories * 4)) == alone * 4


def test_close_waits_for_running_calls_and_then_refuses(large):
    rec = pocketrec.open(large, engine="numpy")
    stop, failures = threading.Event(), []

    def call():
        while not stop.is_set():
            try:
                rec.recommend(["1", "2"], k=5)
            except PackageError as error:
                failures.append(str(error))
                return

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    rec.close()
    stop.set()
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)
    assert all("closed" in message for message in failures)
    rec.close()
    with pytest.raises(PackageError, match="closed"):
        rec.recommend(["1"])


@pytest.mark.parametrize("weight", [1e30, -1e30, 1e-45, -0.0, 1e-320])
def test_scores_are_finite_at_the_ends_of_float32(rec, weight):
    for history in ([("tea-0", weight)], [("tea-0", 1.0), ("book-0", weight)]):
        results = rec.recommend(history, k=8, explain=True)
        assert all(math.isfinite(item.score) for item in results)
        assert len(results) >= 6


@pytest.mark.parametrize("weight", [1e300, -1e39, 10**400, "much", None, 1j, [1]])
def test_a_weight_that_is_no_float32_is_refused(rec, weight):
    with pytest.raises(UsageError, match="finite number"):
        rec.recommend(["tea-0"], weights={"factors": weight})


def test_weights_whose_scores_overflow_are_refused(rec):
    with pytest.raises(UsageError, match="overflow"):
        rec.recommend(["tea-0"], weights={"neighbours": 3e38, "content": 3e38})


def test_a_package_whose_scores_overflow_is_refused(tiny):
    def shout(manifest):
        manifest["blend"]["recommend"]["neighbours"] = {"weight": 1e6, "power": 10}

    loud = with_array(edited(tiny.read_bytes(), shout), "neighbours/scale", np.full(8, 2**20, np.float32))
    for engine in ENGINES:
        with pocketrec.open(loud, engine=engine) as rec, pytest.raises(PackageError, match="overflow"):
            rec.recommend([("tea-0", 1e-3)])


@pytest.mark.parametrize("where", ["history", "filter", "exclude", "weights"])
@pytest.mark.parametrize("value", [5, "tea-0", object()])
def test_an_argument_of_another_type_is_a_usage_error(rec, where, value):
    with pytest.raises(UsageError):
        rec.recommend(**{where: value})
    with pytest.raises(UsageError):
        rec.recommend(filter={"category": 5})


@pytest.mark.parametrize("source", [None, 5, bytearray(b"x"), ["x"]])
def test_only_a_path_or_bytes_are_opened(source):
    with pytest.raises(UsageError, match="path or its bytes"):
        pocketrec.open(source)


def test_k_may_be_any_integer_type(rec, large):
    with pocketrec.open(large, engine=rec.engine.name) as recommender:
        assert len(recommender.recommend(["1"], k=np.uint8(3))) == 3
    assert len(rec.recommend(["tea-0"], k=10**30)) == 7


def test_reasons_of_an_unconfident_package_whose_system_is_singular(tmp_path):
    settings = {"signals": {"factors": {"dim": 64, "alpha": 0, "steps": 10}}}
    path = tiny_world(tmp_path / "x.pocketrec", signals=("factors",), settings=settings)
    with pocketrec.open(path, engine="numpy") as rec:
        for item in rec.recommend(list(TINY_IDS[:4]), explain=True):
            check_reasons(item)


def test_bytes_open_like_a_file(tiny):
    with pocketrec.open(tiny.read_bytes()) as a, pocketrec.open(tiny, verify="lazy") as b:
        assert a.recommend(["tea-0"]) == b.recommend(["tea-0"])
        assert "tiny" in repr(a)


def test_no_socket_is_opened(tiny):
    """In a process of its own, where an audit hook sees every socket that Python code makes."""
    import subprocess

    code = f"""
import os, sys
seen = []
sys.addaudithook(lambda event, args: seen.append(event) if event.startswith("socket.") else None)
import pocketrec
for engine in ("numpy", "onnx"):
    with pocketrec.open({str(tiny)!r}, engine=engine) as rec:
        rec.recommend(["tea-0"]); rec.search("tea"); rec.similar("tea-0")
        opened = [f"/proc/self/fd/{{fd}}" for fd in os.listdir("/proc/self/fd")]
        links = [os.readlink(path) for path in opened if os.path.exists(path)]
        assert not any(link.startswith("socket:") for link in links), links
assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"
assert not seen, seen
"""
    if sys.platform == "linux":
        subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.mark.parametrize("engine", ["numpy", "onnx"])
def test_attributes_and_boost_have_reasons(tmp_path, engine):
    boost = np.array([0, 0, 0.5, 0, 0, 0, 0, -0.25], np.float32)
    path = tiny_world(tmp_path / "w", more={"boost/value": boost})
    weights = dict.fromkeys(SIGNALS, 0.0) | {"attributes": 2.0, "boost": 1.0}
    with pocketrec.open(path, engine=engine) as rec:
        found = rec.recommend([("tea-0", 1), ("tea-1", 0.5)], weights=weights, explain=True)
        assert ids(found) == ["tea-2", "tea-3", "book-0", "book-1", "book-2", "book-3"]
        best, last = found[0], found[-1]
        # One axis a group, so an item of the history brings its weight.
        assert best.signals["attributes"] == pytest.approx(2 * 1.5, rel=1e-5)
        assert [(reason.kind, reason.id) for reason in best.reasons] == [
            ("item", "tea-0"),
            ("item", "tea-1"),
            ("boost", ""),
        ]
        assert [reason.contribution for reason in best.reasons] == pytest.approx([2, 1, 0.5], rel=1e-5)
        assert [(reason.kind, reason.contribution) for reason in last.reasons] == [("boost", -0.25)]


def test_encode_is_the_vector_that_a_search_compares(rec):
    for text in ("mint tea", "novels, mint teaz", "", "x " * 300):
        tokens = rec.answers.query(text).tokens
        np.testing.assert_array_equal(rec.encode(text), rec.engine.encode(tokens))
    with pytest.raises(UsageError, match="a query is a string; got int"):
        rec.encode(7)
    with pytest.raises(UsageError, match="a query is a string; got NoneType"):
        rec.search(None)
