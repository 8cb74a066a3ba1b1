"""Search by words, through packages that the real writer wrote."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pocketrec
import pytest
from pocketrec.errors import PackageError
from pocketrec.lexicon import MAX_WORDS, Lexicon
from pocketrec.package import Package
from pocketrec.results import Results
from worlds import TINY_WORDS, tiny_world

ENGINES = ("numpy", "onnx")


@pytest.fixture(scope="module")
def words_only(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_world(tmp_path_factory.mktemp("words") / "w.pocketrec", signals=["lexical"])


@pytest.fixture(params=ENGINES)
def films(request: pytest.FixtureRequest, words_only: Path) -> Iterator[pocketrec.Recommender]:
    with pocketrec.open(words_only, engine=request.param) as recommender:
        yield recommender


def ids(results: Results) -> list[str]:
    return [item.item for item in results]


def test_without_an_encoder_words_alone_are_searched(films: pocketrec.Recommender) -> None:
    assert ids(films.search("mint tea")) == ["tea-2", "tea-0", "tea-1", "tea-3"]
    assert ids(films.search("novel", k=2)) == ["book-0", "book-1"]
    with pytest.raises(PackageError, match="holds no text encoder"):
        films.encode("tea")


@pytest.mark.parametrize("text", ["", "  ", "coffee", "\ud800", "🍵"])
def test_words_that_no_item_has_find_nothing(films: pocketrec.Recommender, text: str) -> None:
    assert len(films.search(text, history=["tea-0"])) == 0


@pytest.mark.parametrize("text", ["Blakc tea", "blck TEA", "blacktea", "tea bla"])
def test_slips_and_unfinished_words_are_understood(films: pocketrec.Recommender, text: str) -> None:
    assert ids(films.search(text, k=1)) == ["tea-1"]


def test_only_the_last_word_may_be_unfinished(films: pocketrec.Recommender) -> None:
    assert ids(films.search("shor")) == ["book-0"]
    assert ids(films.search("sho")) == ["book-0"]
    assert ids(films.search("sho ")) == []


def test_a_title_comes_first_whatever_the_weights_of_words(films: pocketrec.Recommender) -> None:
    best = films.search("old novel", explain=True)[0]
    assert best.item == "book-2"
    assert best.score == pytest.approx(0.5 * (3 + 2 / 2))  # weight * (title + words / size)
    assert [(reason.kind, reason.text) for reason in best.reasons] == [("word", "old"), ("word", "novel")]
    assert sum(reason.contribution for reason in best.reasons) == pytest.approx(best.score, rel=1e-5)


def test_a_filter_changes_no_score(films: pocketrec.Recommender) -> None:
    score = {item.item: item.score for item in films.search("old tea")}
    for item in films.search("old tea", filter={"category": "paper"}):
        assert item.score == score[item.item]


def test_words_count_as_the_formula_says(words_only: Path) -> None:
    with Package.open(words_only) as package:
        lexicon, vocabulary = Lexicon(package), sorted(TINY_WORDS)
        found = lexicon.match("Mint TEA mint teax")
        assert found.words == ("mint", "tea", "teax")
        assert found.row.tolist() == [vocabulary.index(word) for word in ("mint", "tea", "tea")]
        assert found.weight.tolist() == pytest.approx([1, 1, 0.8])
        assert found.owner.tolist() == [0, 1, 2]
        assert found.size == pytest.approx(2.8)
        assert not len(found.title_index)
        titled = lexicon.match("The mint tea")
        assert (titled.title_index.tolist(), titled.title_grade.tolist()) == ([2], pytest.approx([0.9]))
        assert lexicon.gather(titled, power=0.5).title_weight.tolist() == pytest.approx([0.9 * 3 * 2**0.5])


def test_a_hostile_query_is_cut(films: pocketrec.Recommender) -> None:
    assert not films.search("tea " * 1000, k=1).truncated  # one word
    many = " ".join(f"w{i}ord" for i in range(10_000))
    assert len(films.search(many)) == 0
    assert films.search("tea " + many, k=1).truncated
    assert films.search("x" * 100_000 + " tea").truncated
    assert len(films.search(" ".join(TINY_WORDS) + "".join(f" a{i}" for i in range(MAX_WORDS)))) == 8
