"""Filters by typed attributes: by eye on five items, and against a filter written in plain Python."""

from __future__ import annotations

import datetime as dt
import operator
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pocketrec import arguments
from pocketrec.catalogue import Catalogue
from pocketrec.errors import UsageError
from pocketrec.filters import parse_filter
from pocketrec.package import Package
from pocketrec.times import LARGEST_TIME, as_text, instant, period
from tiny_package import ATTRIBUTES, COLORS, ITEM_COLORS, ITEMS, write_tiny


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalogue]:
    path: Path = tmp_path_factory.mktemp("filters") / "tiny.pocketrec"
    write_tiny(path)
    with Package.open(path) as package:
        yield Catalogue(package)


# Prices 3.5, 8, none, 12.25, 2; fresh yes, no, unknown, no, yes; published 1970-01-01, 1970-01-02, a second before,
# unknown, 2001-09-09; colors green, blue and red, none, red, none.
BY_EYE: list[tuple[list[str], list[int]]] = [
    ([], [1, 1, 1, 1, 1]),
    (["price<8"], [1, 0, 0, 0, 1]),
    (["price<=8"], [1, 1, 0, 0, 1]),
    (["price>3.5"], [0, 1, 0, 1, 0]),
    (["price>=3.5", "price<12"], [1, 1, 0, 0, 0]),
    (["price=8", "price=2"], [0, 1, 0, 0, 1]),
    (["price=8", "price=2", "price>5"], [0, 1, 0, 0, 0]),
    (["price=1e300"], [0, 0, 0, 0, 0]),
    (["price<1e300"], [1, 1, 0, 1, 1]),
    (["fresh=yes"], [1, 0, 0, 0, 1]),
    (["fresh=False"], [0, 1, 0, 1, 0]),
    (["fresh=true", "fresh=false"], [1, 1, 0, 1, 1]),
    (["color=red"], [0, 1, 0, 1, 0]),
    (["color=red", "color=green", "price < 10"], [1, 1, 0, 0, 0]),
    (["color=pink"], [0, 0, 0, 0, 0]),
    (["published=1970-01-01"], [1, 0, 1, 0, 0]),
    (["published=1970"], [1, 1, 1, 0, 0]),
    (["published=2001-09"], [0, 0, 0, 0, 1]),
    (["published>1970-01-01"], [0, 1, 0, 0, 1]),
    (["published>=1970-01-01"], [1, 1, 1, 0, 1]),
    (["published<=1970-01-01"], [1, 0, 1, 0, 0]),
    (["published<1970-01-02T00:00:00Z"], [1, 0, 1, 0, 0]),
    (["published>=2001-09-09T01:46:40+00:00"], [0, 0, 0, 0, 1]),
    (["published=1000000000"], [0, 0, 0, 0, 1]),
    (["category=book", "price>=12"], [0, 0, 0, 1, 0]),
]


@pytest.mark.parametrize(("words", "expected"), BY_EYE)
def test_words_of_the_command_line(catalogue: Catalogue, words: list[str], expected: list[int]) -> None:
    assert catalogue.eligible(arguments.filters(words)).astype(int).tolist() == expected


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        ({"price": ("<", 8)}, [1, 0, 0, 0, 1]),
        ({"price": [(">", 3), ("<", 12)]}, [1, 1, 0, 0, 0]),
        ({"price": 8}, [0, 1, 0, 0, 0]),
        ({"price": [8, 2.0]}, [0, 1, 0, 0, 1]),
        ({"price": ("=", 8)}, [0, 1, 0, 0, 0]),
        ({"price": np.float64(8)}, [0, 1, 0, 0, 0]),
        ({"fresh": True}, [1, 0, 0, 0, 1]),
        ({"fresh": [True, False], "color": ("red", "blue")}, [0, 1, 0, 1, 0]),
        ({"published": dt.date(1970, 1, 1)}, [1, 0, 1, 0, 0]),
        ({"published": (">=", dt.datetime(1970, 1, 2, tzinfo=dt.UTC))}, [0, 1, 0, 0, 1]),
        ({"published": ("<", dt.datetime(1970, 1, 2))}, [1, 0, 1, 0, 0]),
        ({"published": 86_400}, [0, 1, 0, 0, 0]),
        ({"price": []}, [0, 0, 0, 0, 0]),
    ],
)
def test_values_of_python(catalogue: Catalogue, filter: Any, expected: list[int]) -> None:
    assert catalogue.eligible(filter).astype(int).tolist() == expected


@pytest.mark.parametrize(
    ("filter", "message"),
    [
        ({"price": "cheap"}, "filter 'price' must be a finite number, found 'cheap'"),
        ({"price": float("nan")}, "filter 'price' must be a finite number"),
        ({"price": True}, "filter 'price' must be a finite number, found True"),
        ({"price": "1_000"}, "filter 'price' must be a finite number, found '1_000'"),
        ({"price": "８"}, "filter 'price' must be a finite number, found '８'"),
        ({"fresh": "maybe"}, "filter 'fresh' must be true or false, found 'maybe'"),
        ({"fresh": (">", True)}, "filter 'fresh' is a boolean and has no order; expected fresh=VALUE, found >"),
        ({"color": ("<", "red")}, "filter 'color' is a category and has no order"),
        ({"color": 3}, "filter 'color' must be a string"),
        ({"published": "soon"}, "filter 'published': 'soon' is no time; expected for example 2026,"),
        ({"published": "2026-02-30"}, "is no time"),
        ({"published": 1e12}, "is no time"),
        ({"published": True}, "is no time"),
        ({"size": 3}, r"cannot filter by 'size'; this package has: category \(category\), price \(number\), fresh \(b"),
        (["price<8"], "a filter is a mapping of attribute to values; got list"),
    ],
)
def test_filters_that_cannot_be(catalogue: Catalogue, filter: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        catalogue.eligible(filter)


@pytest.mark.parametrize("word", ["price", "=8", " <8", ""])
def test_words_that_are_no_filter(word: str) -> None:
    with pytest.raises(UsageError, match="expected KEY=VALUE or KEY<VALUE"):
        parse_filter(word)


def test_the_first_sign_ends_the_key() -> None:
    assert parse_filter("a<=b=c") == ("a", ("<=", "b=c"))
    assert parse_filter(" a = <b ") == ("a", ("=", "<b"))
    assert parse_filter("a>") == ("a", (">", ""))


def test_values_are_shown_as_they_were_written(catalogue: Catalogue) -> None:
    assert [catalogue.value(i, "price") for i in range(5)] == [3.5, 8.0, None, 12.25, 2.0]
    assert [catalogue.value(i, "fresh") for i in range(5)] == [True, False, None, False, True]
    assert [catalogue.value(i, "color") for i in range(2)] == [["green"], ["blue", "red"]]
    assert [catalogue.value(i, "published") for i in (1, 2, 3)] == ["1970-01-02", "1970-01-01T23:59:59Z", None]


# -------------------------------------------------------------------- against plain Python

SIGNS = {"=": operator.eq, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def plain(item: int, key: str, wishes: list[tuple[str, Any]]) -> bool:
    """What the documentation says, for one item and one key."""
    if key == "color":
        held: list[Any] = [COLORS[row] for row in ITEM_COLORS[item]]
    else:
        kind, column = ATTRIBUTES[key]
        value = column[item].item()
        missing = {"number": value != value, "boolean": value == 2, "date": value == -(1 << 63)}[kind]
        held = [] if missing else [value]
    equal = [value for sign, value in wishes if sign == "="]
    others = [(sign, value) for sign, value in wishes if sign != "="]
    return (not equal or any(value in held for value in equal)) and all(
        any(SIGNS[sign](mine, value) for mine in held) for sign, value in others
    )


def any_of(key: str) -> st.SearchStrategy[Any]:
    kind = "category" if key == "color" else ATTRIBUTES[key][0]
    values: st.SearchStrategy[Any] = {
        "category": st.sampled_from([*COLORS, "pink"]),
        "boolean": st.booleans(),
        "number": st.sampled_from([2, 3.5, 8, 12.25, 5]) | st.floats(-100, 100, width=32),
        "date": st.sampled_from([0, 1, 86_399, 86_400, 86_401, 10**9]) | st.integers(-LARGEST_TIME, LARGEST_TIME),
    }[kind]
    signs = st.sampled_from(list(SIGNS) if kind in ("number", "date") else ["="])
    return st.lists(st.tuples(signs, values), min_size=1, max_size=3)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(st.fixed_dictionaries({}, optional={key: any_of(key) for key in (*ATTRIBUTES, "color")}), st.booleans())
def test_the_mask_is_what_plain_python_says(
    catalogue: Catalogue, wanted: dict[str, list[tuple[str, Any]]], as_words: bool
) -> None:
    expected = [all(plain(item, key, wishes) for key, wishes in wanted.items()) for item in range(ITEMS)]
    filter: Any = wanted
    if as_words:  # as the command line would say it; a time needs five digits not to pass for a year
        text = {"date": lambda v: as_text(v) if as_text(v).endswith("Z") else f"{as_text(v)}T00:00:00Z"}
        kinds = {key: ATTRIBUTES[key][0] if key in ATTRIBUTES else "category" for key in wanted}
        words = [
            f"{key}{sign}{text[kinds[key]](value) if kinds[key] in text and abs(value) < 10**10 else value}"
            for key, wishes in wanted.items()
            for sign, value in wishes
        ]
        filter = arguments.filters(words)
    assert catalogue.eligible(filter).tolist() == expected


# ------------------------------------------------------------------------------------ times


def test_a_year_a_month_and_a_day_last_that_long() -> None:
    day = 86_400
    assert period("2024") == (1_704_067_200, 1_704_067_200 + 366 * day)
    assert period("2023-02") == (1_675_209_600, 1_675_209_600 + 28 * day)
    assert period("9999-12") == (253_399_622_400, 253_399_622_400 + 31 * day)
    assert period("2026-05-31") == period(dt.date(2026, 5, 31)) == (1_780_185_600, 1_780_185_600 + day)
    assert period("2026-05-31T02:00:00+02:00") == (1_780_185_600, 1_780_185_601)
    assert period("20260531T02+0200") == period("2026-05-31 00:00:00.999Z") == (1_780_185_600, 1_780_185_601)
    assert instant(" 2026-05-31 ") == instant("1780185600") == instant(1780185600.9) == 1_780_185_600


@given(st.integers(-62_135_596_800, 253_402_300_799))
def test_times_come_back_from_their_text(seconds: int) -> None:
    assert instant(as_text(seconds)) == seconds


@pytest.mark.parametrize(
    "value",
    [
        *(
            "",
            "yesterday",
            "2026-13",
            "2026-05-00",
            "0000",
            "20260531T",
            "2026-05-31T24:00",
            "2026-05-31T23:60",
            "2026-W01-1",
        ),
        *("2026-05-31T01:00+24:00", "2026-05-31T01:00+01:60", "2026-05-31x18:00", "２０２６", "2026-05-31T18:00:00.Z"),
        *(None, True, [], 1e30, float("nan")),
    ],
)
def test_what_is_no_time(value: object) -> None:
    with pytest.raises(UsageError, match="is no time; expected for example 2026"):
        period(value)
