"""Typed columns of the items table: what each is taken for, what is said, and how it comes out of a package."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pocketrec
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pocketrec import cli
from pocketrec.catalogue import Catalogue
from pocketrec.errors import DataError
from pocketrec.layout import NO_TIME
from pocketrec.manifest import BlendTerm
from pocketrec.package import Package
from pocketrec_export.assemble import assemble, finish
from pocketrec_export.full_model import FullModel
from pocketrec_export.item_columns import summaries
from pocketrec_export.read import Items, columns_of, read_items

ABOUT = {
    "input": {"value_kind": "none", "reason": "by hand", "positive": None, "split_sha256": None},
    "data": {"license": "", "attribution": ""},
    "seed": 0,
}


def read(attributes: Any = None, **columns: Any) -> Items:
    rows = len(next(iter(columns.values())))
    names = [f"i{row}" for row in range(rows)]
    return read_items(pa.table({"item": names, "title": names} | columns), attributes=attributes)


def one(values: Any) -> tuple[str, Any]:
    """Kind and values of one column, or "" and what was said of it."""
    items = read(x=values)
    if not items.columns:
        return "", [note.rule for note in items.notes]
    column = items.columns[0]
    return column.kind, column.values if column.kind == "category" else column.values.tolist()


DAY = 86_400
KINDS: list[tuple[Any, str, Any]] = [
    ([1, 2], "number", [1, 2]),
    (["1", " 2.5 "], "number", [1, 2.5]),
    ([1.5, None], "number", [1.5, None]),
    (["19.99", ""], "number", [19.99, None]),
    (["007", "123"], "category", [["007"], ["123"]]),
    ([True, None], "boolean", [1, 2]),
    (["yes", "No", "", "TRUE"], "boolean", [1, 0, 2, 1]),
    (["red", "red|blue", None], "category", [["red"], ["red", "blue"], []]),
    ([["a", "b"], []], "category", [["a", "b"], []]),
    (["1970-01-02", "1970-01-01T00:00:05Z", ""], "date", [DAY, 5, NO_TIME]),
    (["1969-12", "1970-01"], "date", [-31 * DAY, 0]),
    (pa.array([dt.date(1970, 1, 2), None]), "date", [DAY, NO_TIME]),
    (pa.array([dt.datetime(1970, 1, 1, 0, 0, 7)]), "date", [7]),
    (pa.array(["a", "b", "a"]).dictionary_encode(), "category", [["a"], ["b"], ["a"]]),
]


@pytest.mark.parametrize(("values", "kind", "expected"), KINDS)
def test_what_a_column_is_taken_for(values: Any, kind: str, expected: Any) -> None:
    found, held = one(values)
    assert found == kind
    if kind == "number":
        held = [None if value != value else value for value in held]
    assert held == expected


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (["", None], "column 'x' is no attribute: no values"),
        ([float("inf"), float("nan")], "column 'x' is no attribute: no finite number"),
        (["w" * 61, "v" * 61], "column 'x' is no attribute: free text of 61 characters on average"),
        ([f"name {i}" for i in range(51)], "51 different texts in 51 items, too many to be categories"),
        ([{"a": 1}, {"a": 2}], "column 'x' is no attribute: struct<a: int64>, expected one value a row"),
        ([b"a", b"b"], "column 'x' is no attribute: binary, expected one value a row"),
    ],
)
def test_what_is_no_attribute_is_said(values: Any, said: str) -> None:
    kind, notes = one(values)
    assert kind == ""
    assert said in notes[0]


def test_names_that_filters_cannot_use() -> None:
    items = read(**{"a<b": [1], "": [1], "published": ["never"], "ok": [1]})
    assert [column.name for column in items.columns] == ["ok"]
    said = [note.rule for note in items.notes]
    assert "published ('published') not used: no readable time" in said
    assert sum("its name is empty, longer than 100 characters, or holds one of < > =" in rule for rule in said) == 2


def test_a_few_bad_values_do_not_turn_numbers_into_text() -> None:
    items = read(price=[*map(str, range(97)), "ask", "inf", ""])
    assert items.columns[0].kind == "number"
    assert np.isnan(items.columns[0].values[-3:]).all()
    assert [str(note) for note in items.notes] == [
        "price unreadable, item taken to have none: 2 (e.g. row 98: 'ask')",
        "columns read as attributes: 1 (e.g. price (number))",
    ]


def test_named_attributes_are_taken_whatever_they_hold() -> None:
    texts = [f"name {i}" for i in range(60)]
    assert read(x=texts, y=texts).columns == []
    assert [column.name for column in read(["x"], x=texts, y=texts, z=[1] * 60).columns] == ["x"]
    assert read([], x=[1]).columns == []
    with pytest.raises(DataError, match=r"the attribute 'price' is not there\. Columns found: item, title, x"):
        read(["price"], x=[1])
    with pytest.raises(DataError, match="column 'x' cannot be an attribute: no values"):
        read(["x"], x=[""])


def test_times_in_milliseconds_and_expiries_of_zero() -> None:
    stamps = [1_700_000_000_000, 1_700_000_060_000]
    items = read(published_at=stamps, expires=[0, 1_800_000_000])
    found = {column.name: column.values.tolist() for column in items.columns}
    assert found == {"published": [1_700_000_000, 1_700_000_060], "expires": [NO_TIME, 1_800_000_000]}
    said = [str(note) for note in items.notes]
    assert "published_at read as milliseconds: 2" in said
    assert "expires is 0 or less, item never expires: 1 (e.g. row 1: '0')" in said
    assert read(expires=["9999-12-31"]).columns[0].values.tolist() == [253_402_214_400]


def test_boost_is_finite_and_bounded() -> None:
    items = read(boost=["1", "x", "", "-1000"])
    assert items.boost is not None
    assert items.boost.tolist() == [1, 0, 0, -100]
    assert [str(note) for note in items.notes] == [
        "boost is no finite number, no boost: 1 (e.g. row 2: 'x')",
        "boost beyond 100, cut to it: 1 (e.g. row 4: '-1000')",
    ]
    assert read(boost=[0, None]).boost is None


def test_another_order_keeps_values_with_their_items() -> None:
    items = read(price=[1, 2], color=["red", "blue"], new=[True, False], published=[10, 20], boost=[0.5, 0])
    chosen = items.select(["i1", "other", "i0"])
    held = {column.name: list(column.values) for column in chosen.columns}
    assert held["published"] == [20, NO_TIME, 10]
    assert held["color"] == [["blue"], [], ["red"]]
    assert held["new"] == [0, 2, 1]
    assert [str(value) for value in held["price"]] == ["2.0", "nan", "1.0"]
    assert chosen.boost is not None
    assert chosen.boost.tolist() == [0, 0, 0.5]


def test_columns_have_names_of_their_own() -> None:
    assert columns_of("items", {"items.published": "since", "boost": "push"}) == {"published": "since", "boost": "push"}
    table = pa.table({"item": ["a"], "title": ["A"], "since": ["2020-01-01"], "push": [2.0]})
    items = read_items(table, columns={"published": "since", "boost": "push"})
    assert [str(column) for column in items.columns] == ["published (date)"]
    assert items.boost is not None


def test_summaries_say_what_is_there() -> None:
    items = read(price=[1, None], color=["red", "red|blue"], new=[True, False], when=["2020-01-01", ""])
    assert summaries(items.columns) == {
        "price": "number, 1 of 2 items have one, 1 to 1",
        "color": "category of 2, 2 of 2 items have one, most often red, blue",
        "new": "boolean, 2 of 2 items have one, 1 true",
        "when": "date, 1 of 2 items have one, 2020-01-01 to 2020-01-01",
    }


# ---------------------------------------------------------------------- through a package


def pack(path: Path, items: Items, **model: Any) -> Path:
    """The items in a package whose only other signal is a falling popularity."""
    popularity = np.linspace(1, 0, len(items), dtype=np.float32)
    full = FullModel(popularity=popularity, blend={"popularity": BlendTerm(1.0, 0.0)}, **model).boosted(items.boost)
    finish(assemble(full, items=items, student=None, teacher=None, name="x", about=ABOUT), metrics={}).write(path)
    return path


def ids(results: pocketrec.Results) -> list[str]:
    return [result.item for result in results]


@pytest.fixture(params=["numpy", "onnx"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_items_come_and_go(tmp_path: Path, engine: str) -> None:
    items = read(published=[None, 100, 200, None], expires=[None, None, 300, 150])
    path = pack(tmp_path / "x", items)
    with pocketrec.open(path, engine=engine) as rec:
        for now, expected in (
            (99, ["i0", "i3"]),
            (99.9, ["i0", "i3"]),
            (100, ["i0", "i1", "i3"]),
            (149, ["i0", "i1", "i3"]),
            (150, ["i0", "i1"]),
            (200, ["i0", "i1", "i2"]),
            (300, ["i0", "i1"]),
        ):
            assert ids(rec.recommend(now=now)) == expected
            assert ids(rec.recommend_many([[]], now=now)[0]) == expected
            assert ids(rec.similar("i0", now=now)) == expected[1:]
        assert ids(rec.recommend()) == ["i0", "i1"]  # by the clock of this machine
        assert ids(rec.recommend(["i3"], now=100)) == ["i0", "i1"]  # an item that has gone still counts as history
        for now in (float("nan"), float("inf"), "today", True, 1e12):
            with pytest.raises(pocketrec.UsageError, match=r"now is .*; expected seconds since 1970"):
                rec.recommend(now=now)  # type: ignore[arg-type]
    with pocketrec.open(path, engine=engine, clock=lambda: 200.0) as rec:
        assert ids(rec.recommend()) == ["i0", "i1", "i2"]
    with pocketrec.open(path, engine=engine, clock=None) as rec:
        assert ids(rec.recommend()) == ["i0", "i1", "i2", "i3"]


def test_no_times_no_clock(tmp_path: Path) -> None:
    def clock() -> float:
        raise AssertionError("asked")

    with pocketrec.open(pack(tmp_path / "x", read(price=[1, 2])), clock=clock) as rec:
        assert ids(rec.recommend()) == ["i0", "i1"]
        assert ids(rec.recommend(now=5)) == ["i0", "i1"]


def test_golden_cases_bring_their_time(tmp_path: Path) -> None:
    path = pack(tmp_path / "x", read(published=[None, 100, 200, 4_000_000_000], expires=[None, None, 300, None]))
    with Package.open(path) as package:
        cases = json.loads(bytes(package.blob("golden.json")))["cases"]
    assert {case["now"] for case in cases} == {250}
    assert all(outcome["ok"] for outcome in pocketrec.inspection.verify_package(path)["engines"].values())


def test_boost_moves_an_item_and_says_so(tmp_path: Path, engine: str) -> None:
    path = pack(tmp_path / "x", read(boost=[0, 0, 2, -0.5]))
    with pocketrec.open(path, engine=engine) as rec:
        found = rec.recommend(explain=True)
        assert ids(found) == ["i2", "i0", "i1", "i3"]
        assert found[0].signals == pytest.approx({"popularity": 1 / 3, "boost": 2})
        assert [reason.kind for reason in found[0].reasons] == ["boost", "popularity"]
        assert ids(rec.recommend(weights={"boost": 0})) == ["i0", "i1", "i2", "i3"]
    plain = pack(tmp_path / "plain", read(boost=[0, 0, 0, 0]))
    with Package.open(plain) as package:
        assert package.manifest.signals.names == ("popularity",)
        assert not package.has("boost/value")


def test_numbers_are_stored_short_where_that_loses_nothing(tmp_path: Path) -> None:
    path = pack(tmp_path / "x", read(price=[19.99, 5], stamp=[2**24, 2**24 + 1], huge=[1e300, 1]))
    with Package.open(path) as package:
        assert [package.array(f"catalogue/column-{n}.value").dtype for n in range(3)] == [
            "float32",
            "float64",
            "float64",
        ]
        catalogue = Catalogue(package)
        assert catalogue.attributes == {"price": "number", "stamp": "number", "huge": "number"}
        assert catalogue.value(0, "price") == 19.99
        assert catalogue.eligible({"price": 19.99}).tolist() == [True, False]
        assert catalogue.eligible({"stamp": (">", 2**24)}).tolist() == [False, True]


VALUES = {
    "number": st.none() | st.floats(-1e6, 1e6, width=32),
    "boolean": st.none() | st.booleans(),
    "category": st.lists(st.sampled_from(["red", "blue", "ü", "a=b"]), unique=True, max_size=3),
}


@given(st.fixed_dictionaries({kind: st.lists(values, min_size=3, max_size=3) for kind, values in VALUES.items()}))
def test_what_goes_in_comes_out(tmp_path_factory: pytest.TempPathFactory, columns: dict[str, list[Any]]) -> None:
    types = {"number": pa.float64(), "boolean": pa.bool_(), "category": pa.list_(pa.string())}
    items = read(**{kind: pa.array(values, types[kind]) for kind, values in columns.items()})
    path = pack(tmp_path_factory.mktemp("x") / "x", items)
    with Package.open(path) as package:
        catalogue = Catalogue(package)
        for name in catalogue.attributes:
            kept = [catalogue.value(index, name) for index in range(3)]
            expected = columns[name]
            if name == "number":
                expected = [None if value is None else float(str(np.float32(value))) for value in expected]
            assert kept == expected


# --------------------------------------------------------------------- the command line


def test_the_command_line_filters_and_tells_the_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.DataFrame({"price": [5, 15, 25, 35], "expires": ["", "2026-06-01", "", ""], "kind": list("abab")})
    items = read(**{name: pa.array(frame[name]) for name in frame})
    path = str(pack(tmp_path / "x.pocketrec", items))

    def answer(*words: str) -> list[str]:
        assert cli.main(["recommend", path, "--json", *words]) == 0
        return [result["item"] for result in json.loads(capsys.readouterr().out)["results"]]

    assert answer("--now", "2026-05-31") == ["i0", "i1", "i2", "i3"]
    assert answer("--now", "2026-06-01T00:00:00Z") == ["i0", "i2", "i3"]
    assert answer("--now", "2026-05-31", "--filter", "price<25", "--filter", "kind=b") == ["i1"]
    assert answer("--filter", "price>=25", "--filter", "price<=25") == ["i2"]
    assert answer("--now", "2020", "--filter", "kind=a", "--filter", "kind=b") == ["i0", "i1", "i2", "i3"]
    assert cli.main(["recommend", path, "--now", "soon"]) == 2
    assert "error: --now 'soon' is no time; expected for example 2026" in capsys.readouterr().err
    assert cli.main(["recommend", path, "--filter", "color=red"]) == 2
    assert "this package has: expires (date), price (number), kind (category)" in capsys.readouterr().err
    assert cli.main(["inspect", path]) == 0
    shown = capsys.readouterr().out
    assert "attribute      price: number\nattribute      kind: category of 2\n" in shown
