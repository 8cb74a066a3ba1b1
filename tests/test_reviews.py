"""Words from reviews: only what several users wrote about one item, and only from those who may teach."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pocketrec
import pytest
from pocketrec.errors import DataError, UsageError
from pocketrec_export import build
from pocketrec_export.items import read_items
from pocketrec_export.read import read_interactions
from pocketrec_export.reviews import MAX_WORDS, review_words, with_review_words

ROWS = [
    ("ann", "tent", "Waterproof and light, Rosebud!"),
    ("bob", "tent", "waterproof. Call 5551234"),
    ("cat", "tent", "so light"),
    ("ann", "boot", "rosebud rosebud rosebud"),
    ("ann", "boot", "rosebud again, comfy"),
    ("dan", "boot", "comfy"),
    ("eve", "cup", None),
]  # fmt: skip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    frame = pd.DataFrame(ROWS, columns=["user", "item", "review"])
    frame.to_csv(tmp_path / "r.csv", index=False)
    return tmp_path / "r.csv"


def test_a_word_needs_several_users_of_one_item(path: Path) -> None:
    events = read_interactions(path, reviews=True)
    assert review_words(events, min_users=2) == {"boot": ["comfy"], "tent": ["light", "waterproof"]}
    assert review_words(events, min_users=1) == review_words(events, min_users=2)  # one user never suffices
    assert review_words(events, min_users=3) == {}
    # "rosebud" is of one user, however often and about however many items; numbers are never words.
    assert "rosebud" not in str(review_words(events, min_users=2))


def test_held_out_users_are_not_read(path: Path) -> None:
    events = read_interactions(path, reviews=True)
    assert review_words(events, min_users=2, users=["ann", "bob"]) == {"tent": ["waterproof"]}


def test_words_follow_the_text(path: Path) -> None:
    items = read_items(pd.DataFrame({"item": ["tent", "cup"], "title": ["Tent", "Cup"], "text": ["For two.", ""]}))
    more = with_review_words(items, {"tent": ["light"], "other": ["x"]})
    assert more.texts == ["For two. light", ""]
    assert more.titles == items.titles


def test_words_that_all_items_share_and_too_many_words() -> None:
    rows = [(u, f"i{i}", f"good word{'abcdefghij'[i]}") for i in range(10) for u in ("a", "b")]
    found = review_words(
        read_interactions(pd.DataFrame(rows, columns=["user", "item", "review"]), reviews=True), min_users=2
    )
    assert found["i3"] == ["wordd"]
    long = " ".join(f"w{chr(97 + i // 26)}{chr(97 + i % 26)}" for i in range(99))
    many = pd.DataFrame([(u, "i", long) for u in "ab"], columns=["user", "item", "review"])
    assert len(review_words(read_interactions(many, reviews=True), min_users=2)["i"]) == MAX_WORDS


def test_without_a_review_column_nothing_is_read(tmp_path: Path) -> None:
    frame = pd.DataFrame({"user": ["u"], "item": ["i"]})
    assert review_words(read_interactions(frame), min_users=2) == {}
    with pytest.raises(DataError, match="no column 'review'"):
        read_interactions(frame, reviews=True)


def test_reviews_need_both_tables(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="give both tables"):
        build(pd.DataFrame({"user": ["u"], "item": ["i"]}), out=tmp_path / "x.pocketrec", reviews=True)


def test_no_word_of_one_user_is_in_a_package(frames, teacher, tmp_path: Path) -> None:
    rows, items = frames
    words = {item: f"aroma{chr(97 + index)}" for index, item in enumerate(sorted(set(rows["item"]))[:26])}
    rows = rows.assign(review=rows["item"].map(words).fillna(""))
    letters = rows["user"].str[1:].map(lambda number: "".join(chr(97 + int(digit)) for digit in number))
    rows["review"] += " zyzz" + letters  # each user's own word, about each of its items
    build(rows, items, out=tmp_path / "x.pocketrec", teacher=teacher, reviews=True, quiet=True)
    content = (tmp_path / "x.pocketrec").read_bytes()
    assert b"zyzz" not in content
    assert b"aromac" in content  # words of several users are
    with pocketrec.open(tmp_path / "x.pocketrec") as rec:
        assert len(rec.search("aromac", k=3)) == 3
