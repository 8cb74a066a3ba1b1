"""Slips, unfinished words, and words run together."""

from __future__ import annotations

import random
import string
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pocketrec import spelling
from pocketrec.spelling import COMPARED, MAX_MEANT, Spelling, distance, signatures
from pocketrec.strings import SortedStrings
from pocketrec_export.writer import string_table

WORDS = sorted(["matrix", "matron", "matter", "robot", "robots", "avenger", "avengers", "space", "man", "ant", "the",
                "reloaded", "extraordinary", "café", "東京", "resurrection", "resurrections"])  # fmt: skip


def table(words: Sequence[str]) -> SortedStrings:
    arrays = string_table("x", sorted(words, key=str.encode), lookup=False)
    return SortedStrings(arrays["x.offset"], arrays["x.text"])


def meant(word: str, *, unfinished: bool = False, words: Sequence[str] = WORDS) -> list[str]:
    known = table(words)
    return [known[row] for row, _ in Spelling(known, np.ones(len(known), np.int64)).meant(word, unfinished=unfinished)]


def by_table(a: str, b: str) -> int:
    """The whole table of the textbook."""
    d = [[i + j if i * j == 0 else 0 for j in range(len(b) + 1)] for i in range(len(a) + 1)]
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            d[i][j] = min(d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1]))
            if i > 1 and j > 1 and a[i - 1] == b[j - 2] and a[i - 2] == b[j - 1]:
                d[i][j] = min(d[i][j], d[i - 2][j - 2] + 1)
    return d[-1][-1]


@given(st.text("ab", max_size=8), st.text("abc", max_size=8), st.integers(1, 3))
@settings(max_examples=1000, deadline=None)
def test_the_distance_is_that_of_the_textbook(a: str, b: str, limit: int) -> None:
    assert distance(a, b, limit=limit) == min(by_table(a, b), limit + 1)


@pytest.mark.parametrize("typed", ["matrx", "matrixx", "mattrix", "amtrix", "matirx", "natrix", "matrid"])
def test_one_slip_leads_back(typed: str) -> None:
    assert meant(typed)[0] == "matrix"


@pytest.mark.parametrize("typed", ["extrodinary", "extraordnairy", "resurection"])
def test_two_slips_in_a_long_word_lead_back(typed: str) -> None:
    assert meant(typed)[0].startswith(typed[:3])


@pytest.mark.parametrize(("typed", "expected"), [("xyzzy", []), ("xs", []), ("mtrx", []), ("antman", ["ant", "man"])])
def test_nothing_near_and_two_words_in_one(typed: str, expected: list[str]) -> None:
    assert meant(typed) == expected


def test_an_unfinished_word_is_completed() -> None:
    assert meant("aven") == []
    assert meant("aven", unfinished=True) == ["avenger", "avengers"]
    assert meant("caf", unfinished=True) == ["café"]


def test_frequent_words_are_likelier() -> None:
    known = table(["cart", "card", "care"])
    guesses = dict(Spelling(known, np.array([1, 4, 16])).meant("carx"))
    weights = {known[row]: weight for row, weight in guesses.items()}
    assert weights == pytest.approx({"cart": 0.8, "care": 0.4, "card": 0.2})


@given(st.lists(st.text(max_size=5), max_size=40, unique=True), st.text(max_size=6), st.booleans())
@settings(max_examples=300, deadline=None)
def test_whatever_the_words_guesses_are_few_and_below_one(words: list[str], typed: str, unfinished: bool) -> None:
    assume(typed not in words)  # a word that is known is never guessed at
    known = table([word.encode("utf-8", "ignore").decode() for word in dict.fromkeys(words)])
    guesses = Spelling(known, np.ones(len(known), np.int64)).meant(typed, unfinished=unfinished)
    assert len(guesses) <= MAX_MEANT
    assert len({row for row, _ in guesses}) == len(guesses) or len(guesses) == 2
    assert all(0 < weight < 1 for _, weight in guesses)


def vocabulary(size: int) -> list[str]:
    """Words that look like words: syllables."""
    rng = random.Random(0)
    syllables = [c + v for c in "bcdfghjklmnprstvwz" for v in "aeiouy"]
    words: set[str] = set()
    while len(words) < size:
        words.add("".join(rng.choice(syllables) for _ in range(rng.randint(2, 4))) + rng.choice(["", *"nrslt"]))
    return sorted(words)


def test_one_slip_is_found_among_thirty_thousand_words() -> None:
    """The shortlist loses hardly any, even where syllables make far more words look alike than in a language."""
    rng, words = random.Random(1), vocabulary(30_000)
    known = table(words)
    guess = Spelling(known, np.ones(len(words), np.int64))
    missed = 0
    for word in rng.sample(words, 300):
        at = rng.randrange(len(word))
        typed = word[:at] + rng.choice(string.ascii_lowercase) + word[at + rng.randint(0, 1) :]
        if known.find(typed) < 0:
            missed += known.find(word) not in guess._slipped(typed, 1, guess._changed(typed))
    assert missed <= 3


def test_the_work_of_a_guess_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []
    monkeypatch.setattr(spelling, "distance", lambda a, b, limit: compared.append(b) or 0)
    known = table([f"aaaa{i:05}" for i in range(30_000)])
    Spelling(known, np.ones(30_000, np.int64)).meant("aaaaxxxxx", unfinished=True)
    assert len(compared) <= COMPARED


def test_old_numpy_counts_bits_too(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(0).integers(0, 1 << 63, 1000, np.uint64) * np.uint64(2) + np.uint64(1)
    expected = [int(value).bit_count() for value in x]
    assert spelling._bit_count(x).tolist() == expected
    monkeypatch.delattr(np, "bitwise_count", raising=False)
    assert spelling._bit_count(x).tolist() == expected


def test_signatures_are_pairs_of_bytes() -> None:
    known = table(["ab", "ba", "b", ""])
    by_word = dict(zip(known, signatures(known.offset, known.text).tolist(), strict=True))
    assert by_word[""] == 0
    assert all(by_word[word].bit_count() == len(word) + 1 for word in ("ab", "ba", "b"))
    assert by_word["ab"] != by_word["ba"]
