"""The device's tokenizer gives the ids of HF ``tokenizers`` for every string."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pocketrec.errors import DataError, PackageError
from pocketrec.wordpiece import MAX_CHARACTERS, WordPiece

pytest.importorskip("tokenizers", reason="building tokenizer tables needs the export extra")

from pocketrec_export.tokenizer_tables import hf_tokenizer, tokenizer_arrays, unicode_arrays
from pocketrec_export.vocabulary import frequent_pieces, prune_vocabulary, tokenize_all

TINY = ["[UNK]", "a", "b", "##a", "##b", "ab", "##ab", "aba", "!", "中"]


@lru_cache
def golden() -> dict[str, Any]:
    data: dict[str, Any] = json.loads((Path(__file__).parent / "golden" / "wordpiece.json").read_text("ascii"))
    return data


@lru_cache
def golden_vocabulary() -> list[str]:
    return str(golden()["vocabulary"]).split(" ")


@lru_cache
def golden_tokenizer() -> WordPiece:
    return WordPiece(tokenizer_arrays(golden_vocabulary()).__getitem__)


@lru_cache
def oracle() -> Any:
    return hf_tokenizer(golden_vocabulary())


def tiny() -> WordPiece:
    return WordPiece(tokenizer_arrays(TINY).__getitem__)


def pieces(text: str) -> list[str]:
    return [TINY[index] for index in tiny().tokenize(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \t\n\u3000", []),
        ("ab", ["ab"]),
        ("abab", ["aba", "##b"]),  # the longest piece first, not the fewest pieces
        ("ba", ["b", "##a"]),
        ("abc", ["[UNK]"]),  # one unknown letter makes the whole word unknown
        ("a!b", ["a", "!", "b"]),
        ("a中b", ["a", "中", "b"]),
        ("ÀB\u0301", ["ab"]),
        ("a\x00b a\u200bb", ["ab", "ab"]),
        ("a\ud800b", ["ab"]),
        ("\ud800", []),
        ("a" * 101, ["[UNK]"]),
    ],
)
def test_rules(text: str, expected: list[str]) -> None:
    assert pieces(text) == expected


def test_hundred_characters_are_still_a_word() -> None:
    assert pieces("a" * 100) == ["a"] + ["##a"] * 99


def test_golden_ids() -> None:
    cases = golden()["cases"] + golden()["lone_surrogates"]
    assert len(cases) >= 1500
    wrong = [text for text, ids in cases if golden_tokenizer().tokenize(text) != ids]
    assert wrong == []


def test_golden_cases_meet_known_and_unknown_words() -> None:
    used = {index for _, ids in golden()["cases"] for index in ids}
    assert len(used) > 2000
    assert 0 in used


@settings(max_examples=500, deadline=None)
@given(st.text(max_size=60))
def test_equals_hf_on_any_text(text: str) -> None:
    assert golden_tokenizer().tokenize(text) == oracle().encode(text).ids


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(golden_vocabulary()), max_size=8), st.sampled_from(["", " ", "-", "É"]))
def test_equals_hf_on_pieces_put_together(parts: list[str], glue: str) -> None:
    text = glue.join(part.removeprefix("##") for part in parts)
    assert golden_tokenizer().tokenize(text) == oracle().encode(text).ids


def test_equals_hf_on_every_code_point() -> None:
    texts = [f"a{chr(code)}b {chr(code)}" for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    for first in range(0, len(texts), 500):  # 500 x 5 characters stay below the cut
        text = " ".join(texts[first : first + 500])
        assert golden_tokenizer().tokenize(text) == oracle().encode(text).ids


def test_max_tokens_cuts_the_list_even_inside_a_word() -> None:
    text = "abab ab ! " * 3
    whole = tiny().tokenize(text)
    for limit in range(len(whole) + 2):
        assert tiny().tokenize(text, max_tokens=limit) == whole[:limit]


def test_only_the_first_characters_are_read() -> None:
    assert tiny().tokenize("a" * 50 + " " * (MAX_CHARACTERS - 50) + "b") == tiny().tokenize("a" * 50)


def test_answers_do_not_depend_on_what_was_asked_before() -> None:
    tokenizer = tiny()
    many = [chr(code) + "ab" for code in range(0x4E00, 0x4E00 + 9000)]
    first = [tokenizer.tokenize(text) for text in many]
    assert [tokenizer.tokenize(text) for text in many] == first


def test_tables_are_small() -> None:
    assert sum(array.nbytes for array in unicode_arrays().values()) < 30_500


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("tokenizer/class.start", lambda a: a[::-1]),
        ("tokenizer/class.start", lambda a: a[:-1]),
        ("tokenizer/class.start", lambda a: a[:0]),
        ("tokenizer/class.value", lambda a: np.where(a == 2, np.uint8(4), a)),
        ("tokenizer/map.code", lambda a: a[::-1]),
        ("tokenizer/map.text", lambda a: a[1:]),
        ("tokenizer/map.text", lambda a: a + np.uint32(0x110000)),
        ("tokenizer/map.text", lambda a: np.full_like(a, 0xDC00)),
        ("tokenizer/vocab.text", lambda a: np.full_like(a, ord("x"))),
    ],
)
def test_tables_that_contradict_themselves_are_refused(name: str, change: Any) -> None:
    arrays = tokenizer_arrays(TINY)
    arrays[name] = change(arrays[name])
    with pytest.raises(PackageError, match=r"tokenizer/(class|map|vocab)"):
        WordPiece(arrays.__getitem__)


@pytest.mark.parametrize("vocabulary", [["a", "b"], ["[UNK]", "a", "a"], []])
def test_vocabulary_must_be_usable(vocabulary: list[str]) -> None:
    with pytest.raises(DataError, match="vocabulary"):
        tokenizer_arrays(vocabulary)


def test_pruning_keeps_every_word_spellable() -> None:
    full = golden_vocabulary()
    small = prune_vocabulary(full, ["space adventure with robots"], max_size=2500)
    assert len(small) == 2500
    assert {"space", "adventure", "with", "robots"} <= set(small)
    texts = [text for text, _ in golden()["cases"]]
    for before, after in zip(
        tokenize_all(hf_tokenizer(full), texts), tokenize_all(hf_tokenizer(small), texts), strict=True
    ):
        assert before.count(full.index("[UNK]")) == after.count(small.index("[UNK]"))


def test_pruning_keeps_pieces_whose_characters_are_no_pieces() -> None:
    assert prune_vocabulary([*TINY, "az", "[CLS]"], [], max_size=1) == ["[UNK]", *"ab", "##a", "##b", "!", "中", "az"]


def test_pieces_cut_from_texts_spell_them() -> None:
    texts = ["space adventure with robots", "Abenteuer im Weltraum", "太空 冒险"]
    vocabulary = frequent_pieces(texts, max_size=120)
    assert len(vocabulary) == len(set(vocabulary)) <= 120
    assert all(0 not in ids for ids in tokenize_all(hf_tokenizer(vocabulary), texts))
