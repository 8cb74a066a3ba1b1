"""Words of texts and spellings of titles."""

from __future__ import annotations

import json
import re
import unicodedata
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pocketrec.analyzer import MAX_WORD, Analyzer
from pocketrec.titles import query_keys, spelling, spellings, title_keys
from pocketrec.wordpiece import MAX_CHARACTERS

pytest.importorskip("tokenizers", reason="building the character tables needs the export extra")

from pocketrec_export.tokenizer_tables import unicode_arrays


@lru_cache
def analyzer() -> Analyzer:
    return Analyzer(unicode_arrays().__getitem__)


def words(text: str) -> list[str]:
    return analyzer().words(text)


@lru_cache
def golden() -> dict[str, Any]:
    path = Path(__file__).parent / "golden" / "analyzer.json"
    data: dict[str, Any] = json.loads(path.read_text("ascii"))
    return data


def test_golden_texts() -> None:
    for case in golden()["texts"]:
        assert words(case["text"]) == case["words"], case["text"]


def test_golden_hostile_strings() -> None:
    texts = json.loads((Path(__file__).parent / "golden" / "wordpiece.json").read_text("ascii"))["cases"]
    for (text, _), expected in zip(texts, golden()["hostile"], strict=True):
        assert " ".join(words(text)) == expected, ascii(text)


def test_golden_titles() -> None:
    for case in golden()["titles"]:
        assert spellings(case["title"], words) == case["spellings"], case["title"]
        assert title_keys(case["title"], words) == case["keys"]
        assert spelling(case["title"], words) == case["query"]
        assert query_keys(case["query"]) == case["query_keys"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("The Matrix (1999)", ["the", "matrix", "1999"]),
        ("Ender's L'Avventura don't", ["enders", "l", "avventura", "dont"]),
        ("Amélie Ame\u0301lie Łódź Straße", ["amelie", "amelie", "lodz", "strasse"]),
        ("東京タワー, x 神", ["東京", "京タ", "タワ", "ワー", "x", "神"]),
        ("robots™🤖in space", ["robots", "in", "space"]),
        ("Привет, Ёлка", ["привет", "елка"]),
    ],
)
def test_words_by_hand(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@given(st.text(st.characters(max_codepoint=0x24F)))
@settings(max_examples=300, deadline=None)
def test_latin_words_are_those_of_unicodedata(text: str) -> None:
    """An independent reading of the rules, for letters and digits that decompose, joined by other characters."""
    if re.search(r"[^ -&(-_a-~À-ÅÇ-ÏÑ-ÖÙ-Ýà-åç-ïñ-öù-ýÿĀ-ďĒ-ĥĨ-İĴ-ķĹ-ľŃ-ňŌ-őŔ-ťŨ-ž]", text):
        return
    plain = unicodedata.normalize("NFD", text.lower())
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    assert words(text) == [word for word in re.findall(r"[a-z0-9]+", plain) if len(word) <= MAX_WORD]


@given(st.text())
@settings(max_examples=300, deadline=None)
def test_any_text_has_words_that_are_their_own_words(text: str) -> None:
    for word in words(text):
        assert word
        assert len(word) <= MAX_WORD
        assert words(word) in ([word], [])  # a replacement may itself be replaced only into nothing


def test_a_query_is_cut_and_a_text_is_not() -> None:
    text = "ab " * 2 * MAX_CHARACTERS
    assert len(words(text)) == -(-MAX_CHARACTERS // 3)
    assert len(analyzer().words(text, whole=True)) == 2 * MAX_CHARACTERS


@pytest.mark.parametrize(
    "query", ["the matrix", "Matrix", "MATRIX, THE", "matrix 1999", "The Matrix (1999)", "matrix, the (1999)"]
)
@pytest.mark.parametrize("title", ["The Matrix (1999)", "Matrix, The (1999)", "Matrix (The Matrix) (1999)"])
def test_a_title_is_found_however_it_is_typed(query: str, title: str) -> None:
    form = spelling(query, words)
    assert set(query_keys(form)) & set(title_keys(title, words))


@pytest.mark.parametrize("query", ["the matrix 2003", "matrix reloaded", "the", "1999", "", "the matrix " * 200])
def test_other_queries_are_not_that_title(query: str) -> None:
    form = spelling(query, words)
    assert form not in spellings("The Matrix (1999)", words)
