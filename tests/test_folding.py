"""When two titles are one: by frozen tables, and by ASCII alone where a package has none."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pocketrec.analyzer import Analyzer
from pocketrec.folding import folded_ascii
from pocketrec_export.tokenizer_tables import unicode_arrays

GOLDEN = json.loads((Path(__file__).parent / "golden" / "folding.json").read_text(encoding="utf-8"))
folded = Analyzer(unicode_arrays().__getitem__).folded


def test_golden_texts():
    for case in GOLDEN["texts"]:
        assert folded(case["text"]) == case["folded"]
        assert folded_ascii(case["text"]) == case["ascii"]


@pytest.mark.parametrize(
    ("one", "other"),
    [("Gréen  TEA!", "green tea"), ("Ender's Game", "ENDERS GAME"), ("Zoë", "Zoe\u0308")],
)
def test_one_title(one, other):
    assert folded(one) == folded(other) != ""


@pytest.mark.parametrize(
    ("one", "other"), [("Alien", "Aliens"), ("Se7en", "Seven"), ("紅茶 1", "紅茶 2"), ("ab", "a b")]
)
def test_two_titles(one, other):
    assert folded(one) != folded(other)
    assert folded_ascii(one) != folded_ascii(other)


def test_without_tables_only_ascii_is_folded():
    assert folded_ascii(" The  MATRIX (1999)!") == "the matrix 1999"
    assert folded_ascii("ÉCOLE") == "École"


@given(st.text())
def test_folding_twice_changes_nothing_more_in_ascii(text):
    assert folded_ascii(folded_ascii(text)) == folded_ascii(text)
