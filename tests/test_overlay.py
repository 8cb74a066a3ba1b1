"""Items added on the device: found like the package's own, kept in a file, bounded, and never in the way of readers."""

from __future__ import annotations

import json
import struct
import threading
import zlib
from pathlib import Path

import numpy as np
import pocketrec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pocketrec import cli, overlay_file
from pocketrec import overlay as overlays
from pocketrec.engine_numpy import fold_in
from pocketrec.errors import BusyError, DataError, PackageError, UsageError
from pocketrec.file_lock import FileLock
from pocketrec.overlay_ranking import user_factors
from tiny_package import write_tiny
from worlds import TINY_IDS, random_world, tiny_world

TEA = {"item": "new-tea", "title": "Mint tea", "category": "drink"}
NOVEL = {"item": "new-novel", "title": "Sad novel", "text": "an old long novel", "category": ["paper"]}


def ids(results):
    return [result.item for result in results]


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    return tiny_world(tmp_path_factory.mktemp("overlay") / "tiny.pocketrec")


@pytest.fixture(params=["numpy", "onnx"])
def recommender(package, request):
    with pocketrec.open(package, engine=request.param) as opened:
        opened.add_items([TEA, NOVEL])
        yield opened


def test_an_added_item_is_recommended_searched_and_similar(recommender):
    assert ids(recommender.recommend(["tea-0"], k=4))[3] == "new-tea"
    assert "new-novel" not in ids(recommender.recommend(["tea-0"], k=5))[:4]
    assert set(ids(recommender.search("mint tea", k=2))) == {"tea-2", "new-tea"}
    assert ids(recommender.search("sad", k=1)) == ["new-novel"]
    assert ids(recommender.similar("tea-0", k=4))[3] == "new-tea"
    assert all(item.startswith("tea") for item in ids(recommender.similar("new-tea", k=4)))
    assert len(recommender.recommend(k=99)) == len(TINY_IDS) + 2


def test_an_added_item_counts_in_a_history_and_is_then_seen(recommender):
    found = recommender.recommend(["new-novel"], k=9)
    assert all(item.startswith("book") for item in ids(found)[:4])
    assert "new-novel" not in ids(found)
    assert found.unknown == ()
    both = recommender.recommend(["new-novel", ("new-tea", -1)], k=9)
    assert ids(both)[-1].startswith("tea")


def test_a_copy_of_an_item_has_the_signals_of_its_text(recommender):
    by_id = {result.item: result for result in recommender.recommend(["tea-0"], k=9)}
    assert by_id["new-tea"].signals["content"] == pytest.approx(by_id["tea-2"].signals["content"], abs=0.01)
    found = {result.item: result for result in recommender.search("mint tea", k=9)}
    for signal in ("semantic", "lexical"):
        assert found["new-tea"].signals[signal] == pytest.approx(found["tea-2"].signals[signal], abs=0.01)


def test_neighbours_are_the_weighted_mean_of_the_near_items(recommender):
    placed = recommender.answers.additions.view.overlay.placed
    for row in range(2):
        assert placed.near.weight[row].sum() == pytest.approx(1)
        share = sum(w for i, w in zip(placed.near.index[row], placed.near.weight[row], strict=True) if i != 0 and i < 4)
        signal = recommender.recommend(["tea-0"], k=10, weights={"neighbours": 1})
        found = next(result for result in signal if result.item == ("new-tea", "new-novel")[row])
        assert found.signals["neighbours"] == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize("history", [["tea-0", "tea-3"], ["new-novel", "book-1"], ["new-tea", ("tea-1", -2)]])
def test_reasons_sum_to_the_score_and_name_what_the_user_did(recommender, history):
    known = {item if isinstance(item, str) else item[0] for item in history}
    for result in recommender.recommend(history, k=9, explain=True):
        assert sum(reason.contribution for reason in result.reasons) == pytest.approx(result.score, abs=1e-5)
        assert {reason.id for reason in result.reasons if reason.kind == "item"} <= known
    for result in recommender.search("sad old tea", k=9, history=history, explain=True):
        assert sum(reason.contribution for reason in result.reasons) == pytest.approx(result.score, abs=1e-5)


def test_filters_and_exclusions_hold(recommender):
    assert ids(recommender.recommend(k=9, filter={"category": "drink"})) == [*TINY_IDS[:4], "new-tea"]
    assert "new-tea" not in ids(recommender.recommend(k=9, exclude=["new-tea"]))
    assert len(recommender.recommend(["tea-0"], k=9, max_per={"category": 2})) == 4
    assert "new-tea" not in ids(recommender.recommend(["tea-0"], k=9, distinct=True))  # the title of tea-2


def test_lists_are_the_order_of_all_scores(recommender):
    found = recommender.recommend(["tea-1", "book-2"], k=99)
    keys = [(-result.score, ids(found).index(result.item)) for result in found]
    assert keys == sorted(keys)
    for k in range(9):
        assert ids(recommender.recommend(["tea-1", "book-2"], k=k)) == ids(found)[:k]


def test_passing_over_added_items_by_their_lengths_changes_no_list(tmp_path):
    path = random_world(tmp_path / "x.pocketrec", items=300)
    with pocketrec.open(path, engine="numpy") as opened:
        opened.add_items([{"item": f"n{i}", "title": f"w{i} w{i + 100}"} for i in range(200)])
        weights = dict.fromkeys(("popularity", "attributes", "boost"), 0.0)  # what added items do without
        mixed = 0
        for start in range(0, 60, 3):
            history = [str(start), (str(start + 1), -1.0), (str(start + 2), 3.0)]
            for k in (1, 5, 20):
                shown = opened.recommend(history, k=k, weights=weights)
                assert ids(shown) == ids(opened.recommend(history, k=500, weights=weights))[:k]
                mixed += any(item.startswith("n") for item in ids(shown))
        assert 0 < mixed < 60


def test_pages_hold_added_items_and_end_when_more_are_added(recommender):
    first = recommender.recommend(["tea-0"], k=4)
    second = recommender.more(first.next)
    assert not set(ids(first)) & set(ids(second))
    recommender.add_items([{"item": "another", "title": "White tea"}])
    with pytest.raises(UsageError, match="items were added since"):
        recommender.more(first.next)


def test_a_profile_may_hold_added_items(recommender, tmp_path):
    with pocketrec.Profile.open(tmp_path / "p") as profile:
        profile.like("new-novel", when=0.0)
        assert ids(recommender.recommend(profile=profile, k=1, now=1.0))[0].startswith("book")
        recommender.remove_items(["new-novel"])
        assert recommender.recommend(profile=profile, k=1, now=1.0).unknown == ("new-novel",)


def test_adding_again_replaces_and_removing_takes_away(recommender):
    assert recommender.add_items([TEA | {"title": "Short novel"}]) == 2
    assert [item.item for item in recommender.added_items] == ["new-novel", "new-tea"]
    assert "new-tea" in ids(recommender.recommend(["book-1"], k=5))
    assert recommender.remove_items(["new-tea", "unheard of"]) == 1
    assert recommender.remove_items(["new-novel"]) == 0
    assert recommender.added_items == ()
    assert ids(recommender.recommend(["tea-0"], k=99)) == [
        "tea-1", "tea-2", "tea-3", "book-0", "book-1", "book-2", "book-3",
    ]  # fmt: skip


def test_weights_that_overflow_are_told_apart_from_a_bad_package(recommender):
    for exclude in ((), TINY_IDS):
        with pytest.raises(UsageError, match="overflow"):
            recommender.recommend(["tea-0"], weights={"content": 3e38, "neighbours": 3e38}, exclude=exclude, k=99)


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ([{"item": "tea-0"}], "in the package already"),
        ([TEA, TEA], "twice in one call"),
        ([{"title": "no id"}], "needs an id"),
        ([{"item": ""}], "needs an id"),
        ([{"item": True}], "needs an id"),
        ([{"item": "x" * 5000}], "more than 4,096 bytes"),
        ([{"item": "a", "color": "red"}], "knows item, title, text, category"),
        ([{"item": "a", "title": 3}], "expected text"),
        ([{"item": "a", "category": [3]}], "expected a text or a list of texts"),
        (["tea"], "is a mapping"),
        ("tea", "a sequence of items"),
        ({"item": "a"}, "a sequence of items"),
    ],
)
def test_what_cannot_be_added_is_refused_and_changes_nothing(package, items, said):
    with pocketrec.open(package) as recommender:
        recommender.add_items([NOVEL])
        with pytest.raises(UsageError, match=said):
            recommender.add_items(items)
        assert [item.item for item in recommender.added_items] == ["new-novel"]


def test_a_package_without_texts_takes_no_items(tmp_path):
    path = tiny_world(tmp_path / "cf", signals=["factors", "neighbours"])
    with pocketrec.open(path) as recommender, pytest.raises(PackageError, match="no text encoder"):
        recommender.add_items([TEA])


def test_odd_texts_are_bounded(package):
    with pocketrec.open(package) as recommender:
        recommender.add_items([
            {"item": "empty"}, {"item": "unheard", "title": "zzz qqq"}, {"item": 7, "title": None},
            {"item": "long", "title": "tea " * 25_000, "text": "novel " * 17_000, "category": "a|" * 500 + "a"},
            {"item": "odd", "title": "tea \ud800\x00"},
        ])  # fmt: skip
        items = {item.item: item for item in recommender.added_items}
        assert (len(items["long"].title), len(items["long"].text)) == (999, 20_000)
        assert items["long"].attributes["category"] == ["a"]
        assert len(recommender.recommend(["tea-0"], k=99)) == len(TINY_IDS) - 1 + 5
        assert all(np.isfinite(result.score) for result in recommender.search("tea", k=99))
        assert ids(recommender.similar("empty", k=1)) != []


def test_there_is_a_limit(package, monkeypatch):
    monkeypatch.setattr("pocketrec.additions.MAX_ITEMS", 3)
    with pocketrec.open(package) as recommender:
        recommender.add_items([TEA, NOVEL])
        with pytest.raises(UsageError, match="at most 3 fit"):
            recommender.add_items([{"item": "a"}, {"item": "b"}])
        assert len(recommender.added_items) == 2
    assert overlays.MAX_ITEMS == 10_000


def test_typed_attributes_filter_added_items(tmp_path):
    write_tiny(tmp_path / "x")
    with pocketrec.open(tmp_path / "x", engine="numpy", clock=None) as recommender:
        recommender.add_items([
            {"item": "cheap", "title": "novel", "price": 1, "fresh": True, "color": ["pink"], "category": "book"},
            {"item": "later", "title": "tea", "price": 99.5, "published": "2030-01-01"},
        ])  # fmt: skip

        def found(now=None, **wanted):
            return {
                item for item in ids(recommender.recommend(k=9, filter=wanted, now=now)) if item in ("cheap", "later")
            }

        assert found(price=("<", 5)) == {"cheap"}
        assert found(price=99.5) == {"later"}
        assert found(fresh=True, color="pink") == {"cheap"}
        assert found(category="book") == {"cheap"}
        assert found(now=0) == {"cheap"}
        assert found(now=2e9) == {"cheap", "later"}
        for key, value in (("price", "1"), ("fresh", 1), ("published", "soon"), ("color", 3)):
            with pytest.raises(UsageError, match=f"{key} of item 'x'"):
                recommender.add_items([{"item": "x", key: value}])


# ------------------------------------------------------------ interests in words


def test_interests_stand_for_the_items_that_they_are_most_like(recommender):
    for said in ("novel", ["novel"], " novel ,, "):
        found = recommender.recommend(interests=said, k=5, explain=True)
        assert all("book" in item or "novel" in item for item in ids(found))
        assert {reason.kind for result in found for reason in result.reasons} <= {"interest", "popularity"}
        assert found[0].reasons[0].text == "novel"
        assert pocketrec.describe(found[0].reasons[0]) == "because you like novel"
        for result in found:
            assert sum(reason.contribution for reason in result.reasons) == pytest.approx(result.score, abs=1e-5)


def test_interests_join_a_history_and_hide_nothing(recommender):
    both = recommender.recommend(["tea-0"], interests="novel", k=99, explain=True)
    assert len(both) == len(TINY_IDS) + 2 - 1
    causes = {(reason.kind, reason.text) for result in both for reason in result.reasons}
    assert {("item", "Green tea"), ("interest", "novel")} <= causes
    twice = recommender.recommend(interests=["novel", "novel"], k=5)
    assert twice.as_dict()["results"] == recommender.recommend(interests="novel", k=5).as_dict()["results"]


def test_interests_without_a_known_word_change_nothing(recommender):
    plain = recommender.recommend(k=9)
    for said in ("", ",", "zzz qqq", []):
        assert ids(recommender.recommend(interests=said, k=9)) == ids(plain)


def test_a_page_goes_on_with_the_interests(recommender):
    first = recommender.recommend(interests="novel", k=3)
    rest = recommender.recommend(interests="novel", k=6)[3:]
    assert ids(recommender.more(first.next)) == ids(rest)


@pytest.mark.parametrize("said", [7, [7], ["x" * 1001], [f"w{i}" for i in range(33)], {"novel": 1}])
def test_interests_that_cannot_be_are_refused(recommender, said):
    with pytest.raises(UsageError, match="interests"):
        recommender.recommend(interests=said)


def test_interests_need_an_encoder(tmp_path):
    path = tiny_world(tmp_path / "cf", signals=["factors", "neighbours"])
    with pocketrec.open(path) as recommender, pytest.raises(PackageError, match="cannot read interests"):
        recommender.recommend(interests="novel")


# --------------------------------------------------------------- the commands


def test_the_commands_add_find_show_and_remove(package, tmp_path, capsys):
    items, overlay = tmp_path / "items.jsonl", str(tmp_path / "new.items")
    items.write_text("\n".join(json.dumps(item) for item in (TEA, NOVEL)) + "\n")
    at = ["overlay", str(package), overlay]

    def run(*words):
        assert cli.main([*words]) == 0
        return capsys.readouterr().out

    assert run(*at, "add", str(items)) == "2 added items\n"
    assert run(*at, "show") == "2 added items\nnew-tea  Mint tea\nnew-novel  Sad novel\n"
    assert [item["item"] for item in json.loads(run(*at, "show", "--json"))["items"]] == ["new-tea", "new-novel"]
    assert "[new-novel]" in run("search", str(package), "sad novel", "-k", "1", "--overlay", overlay)
    assert "[new-novel]" in run("recommend", str(package), "--interests", "novel", "--overlay", overlay)
    assert "[new-novel]" not in run("recommend", str(package), "--interests", "novel")
    assert run(*at, "remove", "new-tea,other") == "1 added items\n"
    items.write_text("{")
    assert cli.main([*at, "add", str(items)]) == 1
    assert "line 1 of the items file is not JSON" in capsys.readouterr().err
    items.write_text('{"item": "tea-0"}')
    assert cli.main([*at, "add", str(items)]) == 2
    assert cli.main([*at, "add", str(tmp_path / "none")]) == 1


def test_the_commands_say_what_the_package_holds_by_now(package, tmp_path, capsys):
    items = (overlay_file.AddedItem("tea-1", "Black tea"),)
    overlay_file.write_overlay(tmp_path / "o", overlay_file.Stored("", items, None))
    assert cli.main(["overlay", str(package), str(tmp_path / "o"), "show"]) == 0
    assert "the package holds 1 of the added items itself: tea-1" in capsys.readouterr().err


# ----------------------------------------------------------------- the file


def test_items_survive_and_answers_stay_the_same(package, tmp_path):
    path = tmp_path / "new.items"
    with pocketrec.open(package, overlay=path) as recommender:
        assert recommender.add_items([TEA]) == 1
        assert recommender.add_items([NOVEL]) == 2
        before = recommender.recommend(["tea-0", "new-novel"], k=9).as_dict()
    with pocketrec.open(package, overlay=path) as recommender:
        assert recommender.recommend(["tea-0", "new-novel"], k=9).as_dict() == before
        assert recommender.remove_items(["new-tea", "new-novel"]) == 0
    with pocketrec.open(package, overlay=path) as recommender:
        assert recommender.added_items == ()


def test_another_encoder_reads_the_texts_again(package, tmp_path):
    path = tmp_path / "new.items"
    with pocketrec.open(package, overlay=path) as recommender:
        recommender.add_items([TEA])
    kept = overlay_file.read_overlay(path, {})
    wrong = overlay_file.Stored("another", kept.items, -kept.vectors)
    overlay_file.write_overlay(path, wrong)
    with pocketrec.open(package, overlay=path) as recommender:
        assert (recommender.answers.additions.view.overlay.placed.vectors == kept.vectors).all()


def test_what_the_package_holds_by_now_is_dropped_and_told(package, tmp_path):
    path = tmp_path / "new.items"
    items = tuple(overlay_file.AddedItem(item, "Black tea") for item in ("tea-1", "mine"))
    overlay_file.write_overlay(path, overlay_file.Stored("", items, None))
    with pocketrec.open(package, overlay=path) as recommender:
        assert recommender.dropped_items == ("tea-1",)
        assert [item.item for item in recommender.added_items] == ["mine"]


def test_two_writers_see_each_other_and_a_third_waits(package, tmp_path):
    path = tmp_path / "new.items"
    with pocketrec.open(package, overlay=path) as one, pocketrec.open(package, overlay=path) as two:
        one.add_items([TEA])
        assert two.add_items([NOVEL]) == 2  # it reads what the other wrote before it writes
        lock = FileLock(Path(f"{path}.lock"))
        with pytest.raises(BusyError):
            one.add_items([{"item": "late"}])
        lock.release()
        assert one.add_items([{"item": "late"}]) == 3


def test_any_flipped_byte_is_told_or_changes_no_answer(package, tmp_path):
    path = tmp_path / "new.items"
    with pocketrec.open(package, overlay=path) as recommender:
        recommender.add_items([TEA])
        right = recommender.recommend(["tea-0"], k=9).as_dict()
    data, refused = path.read_bytes(), 0
    for at in [*range(0, 20), *range(20, len(data), 7)]:
        path.write_bytes(data[:at] + bytes([data[at] ^ 0x41]) + data[at + 1 :])
        try:
            with pocketrec.open(package, overlay=path) as recommender:
                assert recommender.recommend(["tea-0"], k=9).as_dict() == right, at
        except DataError:
            refused += 1
        assert path.stat().st_size == len(data)
    assert refused > 30


def crafted(header: bytes, body: bytes = b"") -> bytes:
    head = struct.pack("<8sII", overlay_file.MAGIC, len(header), zlib.crc32(header))
    return head + header + struct.pack("<I", zlib.crc32(body)) + body


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PKTROVL1",
        b"not an overlay at all",
        struct.pack("<8sII", b"PKTROVL1", 2**32 - 1, 0) + b"{}",
        crafted(b"{}"),
        crafted(b"[]"),
        crafted(b'{"encoder":"","dim":1,"items":{}}'),
        crafted(b'{"encoder":"","dim":1,"items":[3]}'),
        crafted(b'{"encoder":"","dim":1,"items":[{"item":"a"},{"item":"a"}]}'),
        crafted(b'{"encoder":7,"dim":1,"items":[]}'),
        crafted(b'{"encoder":"","dim":1,"items":' + b"[" * 100_000),
        crafted(b'{"encoder":"","dim":1,"items":[' + b",".join([b"{}"] * 10_001) + b"]}"),
        crafted(b'{"encoder":"","dim":1,"items":[{"item":"a","title":[]}]}'),
    ],
    ids=lambda data: repr(data[:50]),
)
def test_a_crafted_file_is_refused(package, tmp_path, data):
    (tmp_path / "o").write_bytes(data)
    with pytest.raises(DataError, match="left as it is"):
        pocketrec.open(package, overlay=tmp_path / "o")


@pytest.mark.parametrize("number", [np.nan, np.inf, 1e30, 2.0])
def test_vectors_that_no_encoder_makes_are_made_again(package, tmp_path, number):
    path = tmp_path / "o"
    with pocketrec.open(package, overlay=path) as recommender:
        recommender.add_items([TEA])
        right = recommender.recommend(["tea-0"], k=9).as_dict()
    kept = overlay_file.read_overlay(path, {})
    overlay_file.write_overlay(
        path, overlay_file.Stored(kept.encoder, kept.items, np.full((1, 64), number, np.float32))
    )
    with pocketrec.open(package, overlay=path) as recommender:
        assert recommender.recommend(["tea-0"], k=9).as_dict() == right


def test_a_place_that_cannot_be_written_changes_nothing(package, tmp_path):
    with pocketrec.open(package, overlay=tmp_path / "no" / "o") as recommender:
        with pytest.raises(DataError):
            recommender.add_items([TEA])
        assert recommender.added_items == ()


# ------------------------------------------------------------------ readers


def test_readers_go_on_while_items_come_and_go(tmp_path):
    with pocketrec.open(random_world(tmp_path / "w", items=300)) as recommender:
        stop, errors = threading.Event(), []

        def read() -> None:
            try:
                while not stop.is_set():
                    found = recommender.recommend(["1", "2", "new-0"], k=400)
                    assert len(found) == len(set(ids(found)))
                    assert [*map(float, (r.score for r in found))] == sorted((r.score for r in found), reverse=True)
            except Exception as error:  # told below
                errors.append(error)

        threads = [threading.Thread(target=read) for _ in range(3)]
        for thread in threads:
            thread.start()
        for turn in range(20):
            recommender.add_items([{"item": f"new-{i}", "title": f"w{i} w{turn}"} for i in range(turn % 7 + 1)])
            recommender.remove_items([f"new-{turn % 5}"])
        stop.set()
        for thread in threads:
            thread.join()
        assert errors == []


@given(
    count=st.integers(1, 90),
    alpha=st.floats(0.1, 20),
    seed=st.integers(0, 99),
    disliked=st.booleans(),
)
def test_the_users_factors_are_those_that_engines_step_towards(count, alpha, seed, disliked):
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((400, 64)) / 20  # whitened: together no longer than 1 in any direction
    rows = (rows[rng.permutation(400)[:count]] * 0.9).astype(np.float32)
    weight = rng.choice([0.5, 1.0, 2.0], count).astype(np.float32) * (-1 if disliked else 1)
    exact = user_factors(rows, weight, alpha=alpha)
    np.testing.assert_allclose(exact, fold_in(rows, weight, alpha=alpha, steps=64), atol=2e-3 * max(1, alpha))
