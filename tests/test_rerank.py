"""The list that is shown: diversity, quotas, floors, duplicates, and pages that never repeat."""

import json
import pickle
from collections import Counter
from pathlib import Path

import numpy as np
import pocketrec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pocketrec import UsageError, cli
from pocketrec.errors import PackageError
from pocketrec.pages import MAX_CURSOR, Request, read_cursor, write_cursor
from pocketrec.rerank import Candidates, Display, choose, unit
from pocketrec_export.tokenizer_tables import unicode_arrays
from pocketrec_export.writer import string_table
from worlds import TINY_IDS, random_world, tiny_world

GOLDEN = json.loads((Path(__file__).parent / "golden" / "rerank.json").read_text(encoding="utf-8"))
TEAS, BOOKS = TINY_IDS[:4], TINY_IDS[4:]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return tiny_world(tmp_path_factory.mktemp("world") / "tiny.pocketrec")


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    return random_world(tmp_path_factory.mktemp("world") / "random.pocketrec", items=700)


@pytest.fixture(params=["numpy", "onnx"])
def rec(request, tiny):
    with pocketrec.open(tiny, engine=request.param) as recommender:
        yield recommender


def ids(results):
    return [item.item for item in results]


def candidates(score, codes, titles=(), labels=None):
    rows = np.array(codes, np.float32).reshape(len(codes), len(codes[0]) if len(codes) else 0)
    return Candidates(np.array(score), unit(rows), list(titles), labels or {})


# ---------------------------------------------------------------------- the rule


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: case["name"])
def test_golden_places(case):
    pool = candidates(case["score"], case["codes"], case["titles"], case["labels"])
    before = candidates([0] * len(case["before"]["titles"]), case["before"]["codes"], case["before"]["titles"])
    if not case["before"]["titles"]:
        before = None
    assert choose(pool, case["k"], Display(**case["display"]), before=before).tolist() == case["places"]


def test_diversity_by_hand():
    # Two alike and best, one at a right angle: relevance 1, 0.5, 0; the second place costs the twin 1/9 of a half.
    pool = candidates([2, 1.1, 1, 0], [[1, 0], [1, 0], [0, 1], [0, 0]])
    assert choose(pool, 4, Display()).tolist() == [0, 1, 2, 3]
    assert choose(pool, 3, Display(diversity=0.5)).tolist() == [0, 2, 1]


def test_without_a_wish_the_list_is_the_ranking(large):
    with pocketrec.open(large) as recommender:
        plain = recommender.recommend(["3", "5"], k=30)
        assert recommender.recommend(["3", "5"], k=30, diversity=0.0, max_per={}, min_share={}) == plain
        # What changes nothing goes through the greedy pass and comes out the same.
        assert recommender.recommend(["3", "5"], k=30, distinct=True) == plain


def test_more_diversity_is_more_distance(large):
    def distance(results):
        rows = unit(recommender.package.dense_rows("text", np.array([int(item.item) for item in results])))
        return 1 - (np.sum(rows.sum(0) ** 2) - len(rows)) / (len(rows) * (len(rows) - 1))

    with pocketrec.open(large) as recommender:
        mean = [
            np.mean([distance(recommender.recommend([str(i)], diversity=d)) for i in range(40)])
            for d in (0, 0.3, 0.6, 1)
        ]
    assert mean == sorted(mean)
    assert mean[-1] > mean[0] + 0.05


def test_scores_and_reasons_are_those_of_the_ranking(rec):
    full = {item.item: item for item in rec.recommend(["tea-1", "book-0"], k=8, explain=True)}
    for item in rec.recommend(["tea-1", "book-0"], k=4, diversity=0.8, max_per={"category": 2}, explain=True):
        assert item == full[item.item]


def test_quotas_and_floors(rec):
    assert ids(rec.recommend(["tea-0"], k=3, max_per={"category": 1})) == ["tea-1", "book-0"]
    assert ids(rec.recommend(["tea-0"], k=4, max_per={"category": 2})) == ["tea-1", "tea-2", "book-0", "book-1"]
    shared = ids(rec.recommend(["tea-0"], k=4, min_share={"category": {"paper": 0.5}}))
    assert shared == ["tea-1", "book-0", "tea-2", "book-1"]
    only = ids(rec.search("tea", k=4, min_share={"category": {"paper": 0.5}}, filter={"category": "drink"}))
    assert set(only) == set(TEAS)  # where there are none, the floor asks for none
    assert ids(rec.similar("tea-0", k=2, max_per={"category": 1})) == ["tea-1", "book-0"]


def test_duplicates_by_title_and_by_text(tmp_path):
    titles = ["Green tea", "GREEN  tea!", "Gréen tea", "White tea", "", "", "Old novel", "New novel"]
    joined = "".join(titles).encode()
    more = {
        "catalogue/title.text": np.frombuffer(joined, np.uint8),
        "catalogue/title.offset": np.cumsum([0, *(len(t.encode()) for t in titles)]).astype(np.uint32),
    }
    path = tiny_world(tmp_path / "same.pocketrec", signals=("popularity",), more=more | unicode_arrays())
    with pocketrec.open(path) as recommender:
        assert ids(recommender.recommend(k=8, distinct=True)) == [TINY_IDS[i] for i in (0, 3, 4, 5, 6, 7)]
    path = tiny_world(tmp_path / "plain.pocketrec", signals=("popularity",), more=more)
    with pocketrec.open(path) as recommender:  # without tables accents are told apart
        assert ids(recommender.recommend(k=8, distinct=True)) == [TINY_IDS[i] for i in (0, 2, 3, 4, 5, 6, 7)]
        with pytest.raises(PackageError, match="neither texts nor factors"):
            recommender.recommend(k=8, diversity=0.5)
    near = candidates([3, 2, 1], [[100, 1], [100, 2], [1, 100]], ["a", "b", "c"])
    assert choose(near, 3, Display(distinct=True)).tolist() == [0, 2]


def test_the_pool_grows_until_the_list_is_full(tmp_path):
    # Only the least popular of 700 items is of another category.
    more = string_table("catalogue/category_name", ["most", "one"], lookup=True)
    more["catalogue/category.start"] = np.arange(701, dtype=np.uint32)
    more["catalogue/category.index"] = np.array([0] * 699 + [1], np.uint32)
    more["popularity/value"] = np.linspace(1, 0, 700, dtype=np.float32)
    path = random_world(tmp_path / "deep.pocketrec", items=700, signals=("popularity",), more=more)
    with pocketrec.open(path) as recommender:
        assert ids(recommender.recommend(k=2, max_per={"category": 1})) == ["0", "699"]
        assert ids(recommender.recommend(k=4, min_share={"category": {"one": 0.5}})) == ["0", "699", "1", "2"]


@given(data=st.data())
@settings(max_examples=60)
def test_constraints_hold_whatever_is_asked(data):
    size = data.draw(st.integers(0, 40))
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    labels = {"a": [[str(v)] for v in rng.integers(0, 4, size)], "b": [[str(v)] for v in rng.integers(0, 3, size)]}
    score = np.sort(rng.normal(size=size).round(1))[::-1]
    pool = Candidates(score, unit(rng.normal(size=(size, 8)).astype(np.float32)), [""] * size, labels)
    limit, share, k = data.draw(st.integers(1, 5)), data.draw(st.sampled_from([0, 0.2, 0.5])), 12
    diversity = data.draw(st.sampled_from([0.0, 0.4, 1.0]))
    places = choose(pool, k, Display(diversity, {"a": limit}, False, {"b": {"0": share}})).tolist()
    assert len(set(places)) == len(places) <= k
    counts = Counter(labels["a"][p][0] for p in places)
    assert max(counts.values(), default=0) <= limit
    for r in range(1, len(places) + 1):
        shown = sum(labels["b"][p] == ["0"] for p in places[:r])
        left = [
            p
            for p in range(size)
            if p not in places[:r] and labels["b"][p] == ["0"]
            and sum(labels["a"][q] == labels["a"][p] for q in places[:r]) < limit
        ]  # fmt: skip
        assert shown >= int(share * r + 1e-9) or not left
    if len(places) < k:
        assert all(p in places or counts[labels["a"][p][0]] == limit for p in range(size))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"diversity": 1.5}, "diversity is 1.5; expected 0 to 1"),
        ({"diversity": float("nan")}, "diversity is nan"),
        ({"diversity": "much"}, "diversity is 'much'"),
        ({"diversity": True}, "diversity is True"),
        ({"distinct": 1}, "distinct is 1"),
        ({"max_per": {"category": 0}}, "max_per\\['category'\\] is 0"),
        ({"max_per": {"category": 1.0}}, "max_per\\['category'\\] is 1.0"),
        ({"max_per": 3}, "mappings"),
        ({"max_per": {"price": 2}}, "price"),
        ({"min_share": {"category": 0.2}}, "min_share\\['category'\\] is 0.2"),
        ({"min_share": {"category": {"a": 0.6, "b": 0.6}}}, "add up to more than 1"),
    ],
)
def test_what_cannot_be_is_refused(large, options, said):
    with pocketrec.open(large, engine="numpy") as recommender, pytest.raises(UsageError, match=said):
        recommender.recommend(k=5, **options)


def test_a_rearranged_list_is_bounded_and_pages_go_on(tmp_path):
    path = random_world(tmp_path / "x.pocketrec", items=1100, signals=("content", "popularity"))
    with pocketrec.open(path) as recommender:
        with pytest.raises(UsageError, match="at most 1,000"):
            recommender.recommend(k=1001, diversity=0.5)
        first = recommender.recommend(k=1000, distinct=True)
        assert len(set(ids(first)) | set(ids(recommender.more(first.next)))) == 1100


# ------------------------------------------------------------------------- pages


def walk(recommender, first):
    page, seen = first, []
    while True:
        seen += ids(page)
        if page.next is None:
            return seen
        page = recommender.more(page.next)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"diversity": 0.6},
        {"distinct": True, "max_per": {"category": 2}},
        {"min_share": {"category": {"paper": 0.4}}},
        {"filter": {"category": ["paper"]}, "exclude": ["book-1"]},
        {"weights": {"popularity": 3.0}},
    ],
)
@pytest.mark.parametrize("k", [1, 2, 3])
def test_pages_never_repeat_and_leave_nothing_out(rec, options, k):
    history = [("tea-0", 2.0), "book-3", ("tea-3", 0.0)]
    allowed = {item for item in TINY_IDS if item not in ("tea-0", "book-3", "tea-3")}
    if "filter" in options:
        allowed = {"book-0", "book-2"}
    seen = walk(rec, rec.recommend(history, k=k, **options))
    assert len(seen) == len(set(seen))
    assert set(seen) == allowed
    assert sorted(walk(rec, rec.search("tea novel", k=k, history=history))) == sorted(TINY_IDS)
    assert sorted(walk(rec, rec.similar("tea-0", k=k))) == sorted(set(TINY_IDS) - {"tea-0"})


def test_pages_of_a_ranking_are_the_ranking(large):
    with pocketrec.open(large) as recommender:
        first = recommender.recommend(["3", ("5", -1), "unknown"], k=7, explain=True)
        whole = recommender.recommend(["3", ("5", -1)], k=35, explain=True)
        pages = [first]
        for _ in range(4):
            pages.append(recommender.more(pages[-1].next))
        assert [item for page in pages for item in page] == list(whole)


def test_a_page_keeps_what_the_first_one_knew(rec, tmp_path):
    with pocketrec.Profile.open(tmp_path / "me.profile") as profile:
        profile.like("tea-0", when=1e9)
        profile.dislike("tea-3", when=1e9)
        first = rec.recommend(profile=profile, k=2, now=1e9)
        alike = rec.similar("tea-0", profile=profile, k=1, now=1e9)
        before = [ids(rec.more(first.next)), ids(rec.more(alike.next))]
        for _ in range(5):
            profile.like("book-0", when=1e9)
            profile.dislike("tea-2", when=1e9)
        assert [ids(rec.more(first.next)), ids(rec.more(alike.next))] == before
        assert "tea-3" not in before[0] + before[1]


def test_the_last_page_has_no_next(rec):
    assert rec.recommend(k=9).next is None
    assert rec.recommend(k=0).next is None
    assert rec.search("", k=3).next is None
    empty = rec.more(rec.recommend(k=8).next)
    assert (len(empty), empty.next) == (0, None)


def test_results_can_be_pickled(rec):
    page = rec.recommend(["tea-0"], k=2)
    copy = pickle.loads(pickle.dumps(page))
    assert (copy, copy.next) == (page, page.next)


def test_a_cursor_of_something_else_is_refused(rec, large):
    cursor = rec.recommend(["tea-0"], k=2).next
    with pocketrec.open(large) as other, pytest.raises(UsageError, match="of another package"):
        other.more(cursor)
    for wrong in ("", "x", cursor[:-4], cursor[:20] + "A" + cursor[21:], "é", None, "A" * (MAX_CURSOR + 1), cursor * 2):
        with pytest.raises(UsageError, match="page"):
            rec.more(wrong)


def test_every_changed_letter_of_a_cursor_is_noticed(rec):
    cursor = rec.recommend(["tea-0"], k=2).next
    for at in range(0, len(cursor), 3):
        letter = "B" if cursor[at] == "A" else "A"
        with pytest.raises(UsageError):
            rec.more(cursor[:at] + letter + cursor[at + 1 :])


@pytest.mark.parametrize(
    "change",
    [{"verb": "erase"}, {"k": -1}, {"k": "3"}, {"shown": (3,)}, {"filter": {"price": 3}}, {"weights": {"a": 1}}],
)
def test_a_crafted_cursor_is_checked_like_any_call(rec, change):
    state = read_cursor(rec.recommend(k=2).next)[0]
    values = {"verb": "recommend", "subject": "", "k": 2} | change
    with pytest.raises(UsageError):
        rec.more(write_cursor(state, [], Request(**values)))


def test_a_cursor_that_unfolds_without_end_is_refused(rec):
    bomb = write_cursor("x", [], Request("search", "a" * (17 * MAX_CURSOR), 1))
    assert len(bomb) < MAX_CURSOR
    with pytest.raises(UsageError, match="too long"):
        rec.more(bomb)


def test_filters_come_back_as_they_were():
    wish = {"price": ("<", 20), "category": ["a", ("=", "b")], "stock": True, "year": [(">=", 1990), ("<", 2000.5)]}
    cursor = write_cursor("s", [("a", 1.5)], Request("recommend", "", 3, filter=wish, shown=("x",)))
    state, history, request = read_cursor(cursor)
    assert (state, history, request.filter, request.shown) == ("s", [("a", 1.5)], wish, ("x",))


def test_the_command_line(tiny, capsys, monkeypatch):
    def run(*words):
        code = cli.main(words)
        out = capsys.readouterr()
        return code, out.out, out.err

    options = ("--diversity", "0.5", "--distinct", "--max-per", "category=1", "--min-share", "category=paper:0.5")
    for words in (("recommend", str(tiny)), ("search", str(tiny), "tea"), ("similar", str(tiny), "tea-0")):
        code, out, _ = run(*words, *options, "-k", "2", "--json")
        assert code == 0
        page = json.loads(out)
        assert len({item["item"][:3] for item in page["results"]}) == 2
        second = json.loads(run("more", str(tiny), page["next"], "--json")[1])
        assert not {item["item"] for item in page["results"]} & {item["item"] for item in second["results"]}
    assert run("recommend", str(tiny), "--max-per", "category")[0] == 2
    assert run("recommend", str(tiny), "--min-share", "category=paper")[0] == 2
    assert run("recommend", str(tiny), "--diversity", "2")[0] == 2
    assert run("more", str(tiny), "nonsense")[0] == 2
