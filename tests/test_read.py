"""Hostile and ordinary inputs: what is read, what is repaired and counted, and what every error says."""

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pocketrec.errors import DataError, UsageError
from pocketrec_export.files import open_table
from pocketrec_export.read import Interactions, read_interactions, read_items
from pocketrec_export.value_kind import Positive, infer_kind


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def rows(data: Interactions) -> list[tuple[str, str, float]]:
    return [
        (data.users[u], data.items[i], float(v))
        for u, i, v in zip(data.user_index, data.item_index, data.value, strict=True)
    ]


def rules(data: object) -> dict[str, tuple[int, str]]:
    return {note.rule: (note.count, note.example) for note in data.notes}  # type: ignore[attr-defined]


RATINGS = "user,item,value,timestamp\nb,7,5,20\na,007,4,10\na,7,1,30\n"


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".csv.gz", ".parquet", ".pq", ".jsonl", ".ndjson", ".jsonl.gz"])
def test_every_format_gives_the_same(tmp_path: Path, suffix: str) -> None:
    frame = pd.DataFrame(
        {"user": ["b", "a", "a"], "item": ["7", "007", "7"], "value": [5, 4, 1], "timestamp": [20, 10, 30]}
    )
    path = tmp_path / f"x{suffix}"
    if suffix in (".parquet", ".pq"):
        frame.to_parquet(path)
    elif "json" in suffix or "ndjson" in suffix:
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_csv(path, index=False, sep="\t" if suffix == ".tsv" else ",")
    for source in (path, str(path), frame, pa.Table.from_pandas(frame)):
        data = read_interactions(source)
        assert rows(data) == [("a", "007", 4.0), ("a", "7", 1.0), ("b", "7", 5.0)]
        assert data.timestamp is not None
        assert data.timestamp.tolist() == [10, 30, 20]
        assert (data.value_kind, data.positive) == ("rating", "value>=4")
        assert data.is_positive.tolist() == [True, False, True]
        assert data.notes == []
        assert (data.user_index.dtype, data.item_index.dtype) == (np.int32, np.int32)
        assert (data.value.dtype, data.timestamp.dtype) == (np.float32, np.int64)


def test_ids_stay_as_written() -> None:
    table = pa.table({"user": pa.array([1, None, 3]), "item": pa.array([12.0, 13.0, float("nan")])})
    data = read_interactions(table)
    assert rows(data) == [("1", "12", 1.0)]
    assert rules(data) == {
        "user id missing, row removed": (1, "row 2"),
        "item id missing, row removed": (1, "row 3"),
    }
    mixed = pd.DataFrame({"user": [7, "007", 7.5, None], "item": ["x", " x ", "日本", "y"]})
    assert rows(read_interactions(mixed)) == [("007", " x ", 1.0), ("7", "x", 1.0), ("7.5", "日本", 1.0)]
    categorical = pd.DataFrame({"user": pd.Categorical(["u", "v"]), "item": pd.array([1, 2], dtype="Int64")})
    assert rows(read_interactions(categorical)) == [("u", "1", 1.0), ("v", "2", 1.0)]
    decimal = pa.table({"user": ["u"], "item": pa.array([120], pa.int64()).cast(pa.decimal128(22, 2))})
    assert rows(read_interactions(decimal)) == [("u", "120", 1.0)]


@pytest.mark.parametrize("word", ["", " ", "nan", "NaN", "NULL", "None", "<NA>"])
def test_no_id_is_called_nan(tmp_path: Path, word: str) -> None:
    data = read_interactions(write(tmp_path / "x.csv", f'user,item\n"{word}",1\nu,2\n'))
    assert rows(data) == [("u", "2", 1.0)]
    assert rules(data) == {"user id missing, row removed": (1, "row 1")}


def test_json_ids_that_look_like_dates_stay_text(tmp_path: Path) -> None:
    path = write(tmp_path / "x.jsonl", '{"user": "2024-01-01", "item": 5}\n\n{"user": 3, "item": "5"}\n')
    assert rows(read_interactions(path)) == [("2024-01-01", "5", 1.0), ("3", "5", 1.0)]


def test_float_ids_above_2_53_are_announced() -> None:
    data = read_interactions(pd.DataFrame({"user": [float(2**60), 1.0], "item": ["a", "b"]}))
    assert data.users == ["1", str(2**60)]
    assert any("last digits may be lost" in rule for rule in rules(data))


def test_overlong_ids_are_removed() -> None:
    data = read_interactions(pd.DataFrame({"user": ["u", "u" * 1025], "item": ["a", "b"]}))
    assert data.users == ["u"]
    assert "user id longer than 1,024 bytes, row removed" in rules(data)


def test_unusable_values_are_removed_and_counted(tmp_path: Path) -> None:
    text = "user,item,value\nu,1,5\nu,2,\nu,3,inf\nu,4,nan\nu,5,1e300\nu,6,five\nu,7,4\n"
    data = read_interactions(write(tmp_path / "x.csv", text))
    assert rows(data) == [("u", "1", 5.0), ("u", "7", 4.0)]
    assert rules(data) == {
        "value missing, row removed": (1, "row 2"),
        "value is not finite, row removed": (2, "row 3: 'inf'"),
        "value beyond 1e+15, row removed": (1, "row 5: '1e300'"),
        "value is not a number, row removed": (1, "row 6: 'five'"),
    }


def test_repeats_of_ratings_keep_the_last_by_time() -> None:
    frame = pd.DataFrame({"user": ["u"] * 3, "item": ["i"] * 3, "value": [5, 2, 4], "timestamp": [9, 30, 9]})
    data = read_interactions(frame, value="rating")
    assert rows(data) == [("u", "i", 2.0)]
    assert rules(data) == {"repeated (user, item), the last is kept": (2, "row 1: user 'u', item 'i'")}
    assert rows(read_interactions(frame.drop(columns="timestamp"), value="rating")) == [("u", "i", 4.0)]


def test_repeats_of_counts_are_summed_and_without_values_kept_once() -> None:
    frame = pd.DataFrame({"user": ["u", "u", "v"], "item": ["i"] * 3, "value": [3, 40, -2], "timestamp": [9, 5, 1]})
    data = read_interactions(frame)
    assert (data.value_kind, data.positive) == ("count", "value>0")
    assert rows(data) == [("u", "i", 43.0), ("v", "i", -2.0)]
    assert data.is_positive.tolist() == [True, False]
    assert data.timestamp is not None
    assert data.timestamp.tolist() == [9, 1]
    once = read_interactions(frame, value="none")
    assert rows(once) == [("u", "i", 1.0), ("v", "i", 1.0)]
    assert (once.positive, once.is_positive.all()) == (None, True)


@given(st.permutations(range(8)))
def test_row_order_does_not_matter(order: list[int]) -> None:
    frame = pd.DataFrame(
        {"user": list("aabbccda"), "item": list("xyxzyzzx"), "value": [1, 2, 3, 4, 5, 4, 3, 2], "timestamp": range(8)}
    )
    expected, shuffled = read_interactions(frame), read_interactions(frame.iloc[order])
    assert rows(shuffled) == rows(expected)
    assert (shuffled.users, shuffled.items) == (expected.users, expected.items)


# --- columns --------------------------------------------------------------------------------------------


def test_columns_by_mapping_and_by_announced_synonym() -> None:
    frame = pd.DataFrame({"customer_id": ["c"], "StockCode": ["s"], "Quantity": [3], "country": ["DK"]})
    data = read_interactions(frame)
    assert rows(data) == [("c", "s", 3.0)]
    assert rules(data) == {
        "column 'customer_id' read as user": (1, ""),
        "column 'StockCode' read as item": (1, ""),
        "column 'Quantity' read as value": (1, ""),
        "columns not used": (1, "country"),
    }
    mapped = read_interactions(frame, columns={"user": "country", "item": "StockCode"})
    assert mapped.users == ["DK"]


def test_missing_columns_are_listed_with_the_way_out() -> None:
    frame = pd.DataFrame({"who": ["c"], "item": ["s"]})
    with pytest.raises(DataError, match=r"no column 'user'. Columns found: who, item. .*--columns user=NAME"):
        read_interactions(frame)
    with pytest.raises(DataError, match=r"column 'nobody', given for 'user', is not there. Columns found: who"):
        read_interactions(frame, columns={"user": "nobody"})
    with pytest.raises(UsageError, match="unknown column role 'usr'; the roles are user, item"):
        read_interactions(frame, columns={"usr": "who"})
    with pytest.raises(DataError, match="no column 'value'"):
        read_interactions(frame.rename(columns={"who": "user"}), value="count")
    with pytest.raises(DataError, match="no column 'title'"):
        read_items(frame)
    with pytest.raises(DataError, match="'a' occurs 2 times"):
        read_interactions(pd.DataFrame([[1, 2]], columns=["a", "a"]))


# --- files that are no table ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.csv", b"", "empty file; expected a header"),
        ("x.csv", b"\n \n", "empty file"),
        ("x.csv", b"user,item\n", "no rows, only the columns user, item"),
        ("x.csv", b"user,user\n1,2\n", "'user' occurs 2 times"),
        ("x.csv", "user,item\nu,é\n".encode("latin-1"), r"byte 12 \(line 2\) is 0xe9, not UTF-8 \(hint"),
        ("x.csv", "usér,item\nu,1\n".encode("latin-1"), r"byte 2 \(line 1\) is 0xe9, not UTF-8"),
        ("x.csv", "user,item\nu,1\nu,é,2,3\n".encode("latin-1"), r"byte 16 \(line 3\) is 0xe9, not UTF-8"),
        ("x.csv", "user,item\nu,1\n".encode("utf-16"), "byte 0: UTF-16 text"),
        ("x.jsonl", '\n{"user": "é"}\n'.encode("latin-1"), r"byte 11 \(line 2\) is 0xe9"),
        ("x.jsonl", b"[1]\nnot json\n", r"no JSON object in any line; row 1: '\[1\]"),
        ("x.parquet", b"PAR1 not really", "cannot be read as parquet"),
        ("x.csv.gz", b"user,item\nu,1\n", "cannot be read as csv"),
        ("x.csv.gz", gzip.compress(b"user,item\nu,1\n" * 99)[:-20], "cannot be read as csv"),
        ("x.xlsx", b"PK", "unknown kind of file; expected .csv"),
        ("x", b"user,item\n", "unknown kind of file"),
    ],
)
def test_files_that_are_no_table(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_interactions(write(tmp_path / name, content))


def test_no_file_no_frame(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_interactions(tmp_path / "nothing.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match="not a file"):
        read_interactions(tmp_path / "folder.csv")
    with pytest.raises(UsageError, match="expected a path, a DataFrame or a pyarrow Table, got list"):
        read_interactions([1])
    with pytest.raises(DataError, match="no columns"):
        read_interactions(pd.DataFrame())


def test_invalid_bytes_far_into_a_large_file(tmp_path: Path) -> None:
    start = b"user,item\n" + "ü,1\n".encode() * 400_000
    with pytest.raises(DataError, match=rf"byte {len(start)} \(line 400002\) is 0xff"):
        read_interactions(write(tmp_path / "x.csv", start + b"\xff,1\n"))


def test_malformed_rows_are_counted_and_later_row_numbers_stay_true(tmp_path: Path) -> None:
    text = "user,item,value\nu,1,5\nu,2\nu,3,4,5\nu,4,oops\nu,5,1\n"
    data = read_interactions(write(tmp_path / "x.csv", text))
    assert rows(data) == [("u", "1", 5.0), ("u", "5", 1.0)]
    found = rules(data)
    assert found["row does not have the header's 3 fields, removed"] == (2, "row 2: 'u,2'")
    assert found["value is not a number, row removed"] == (1, "row 4: 'oops'")
    lines = write(tmp_path / "x.jsonl", '{"user":1,"item":1}\nbroken\n{"user":1}\n')
    found = rules(read_interactions(lines))
    assert found["line is not a JSON object, removed"] == (1, "row 2: 'broken\\n'")
    assert found["item id missing, row removed"] == (1, "row 3")


def test_quotes_line_breaks_bom_and_semicolons(tmp_path: Path) -> None:
    text = '\ufeffuser;item;value\r\n"a;""b""\nc";1;5\r\n\r\nu;2;4\r\n'
    data = read_interactions(write(tmp_path / "x.csv", text))
    assert rows(data) == [('a;"b"\nc', "1", 5.0), ("u", "2", 4.0)]
    assert "fields separated by ';', not ','" in rules(data)


def test_nothing_left_says_why() -> None:
    with pytest.raises(DataError, match="none of the 2 rows can be used: value is not a number"):
        read_interactions(pd.DataFrame({"user": ["a", "b"], "item": ["a", "b"], "value": ["x", "y"]}))


@given(st.binary(max_size=99) | st.text(max_size=99).map(str.encode), st.booleans())
def test_any_bytes_give_data_or_a_data_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, with_start: bool
) -> None:
    folder = tmp_path_factory.getbasetemp()
    starts = {"any.csv": b"user,item\n", "any.jsonl": b'{"user":1,"item":2}\n', "any.parquet": b"PAR1"}
    for name, start in starts.items():
        try:
            data = read_interactions(write(folder / name, start * with_start + content))
        except DataError:
            continue
        assert len(data) > 0


# --- timestamps -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "stamps",
    [
        [1_600_000_000, 1_600_000_060],
        [1_600_000_000_000, 1_600_000_060_000],
        [1_600_000_000_000_000_000, 1_600_000_060_000_000_000],
        ["2020-09-13T12:26:40Z", "2020-09-13 12:27:40"],
        pd.to_datetime(["2020-09-13T12:26:40", "2020-09-13T12:27:40"]),
        pd.to_datetime(["2020-09-13T14:26:40+02:00", "2020-09-13T14:27:40+02:00"]),
    ],
)
def test_times_become_seconds(stamps: object) -> None:
    data = read_interactions(pd.DataFrame({"user": ["u", "v"], "item": ["i", "i"], "timestamp": stamps}))
    assert data.timestamp is not None
    assert data.timestamp.tolist() == [1_600_000_000, 1_600_000_060]


def test_unreadable_times_count_as_the_oldest() -> None:
    frame = pd.DataFrame({"user": list("uvw"), "item": list("iii"), "timestamp": ["100", "soon", None]})
    data = read_interactions(frame)
    assert data.timestamp is not None
    assert data.timestamp.tolist() == [100, 100, 100]
    assert rules(data) == {"timestamp unreadable, row taken as the oldest": (2, "row 2: 'soon'")}
    without = read_interactions(frame.assign(timestamp="soon"))
    assert without.timestamp is None
    assert "no readable time in 'timestamp', read without timestamps" in rules(without)


# --- value kinds ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "column", "kind"),
    [
        ([0.5, 1, 3.5, 4, 5], "value", "rating"),
        ([1, 2, 3, 4, 5, 5, 4], "value", "rating"),
        ([0, 10, 8, 7], "value", "rating"),
        ([0, 1, 1, 0], "liked", "rating"),
        ([-1, 1, 1], "value", "rating"),
        ([0, 55, 80, 93, 100], "value", "rating"),
        ([1, 1, 1], "value", "count"),
        ([1] * 80 + [2] * 10 + [3] * 5 + [7] * 2, "value", "count"),
        ([1] * 80 + [2] * 10 + [3] * 5 + [5] * 2, "rating", "rating"),
        ([3, 4, 5, 5], "quantity", "count"),
        ([1, 2, 80_995], "value", "count"),
        ([1] * 90 + [100], "value", "count"),
        ([-3, 1, 12], "value", "count"),
        ([0.13, 2.7, 9.99], "value", "count"),
    ],
)
def test_value_kinds(values: list[float], column: str, kind: str) -> None:
    found, reason = infer_kind(np.array(values, float), column=column)
    assert found == kind
    assert reason


def test_the_reason_is_a_sentence_with_the_evidence() -> None:
    assert infer_kind(np.array([0.5, 5.0]), column="value")[1] == "values 0.5 to 5 in steps of 0.5: a rating scale"
    assert "--value rating" in infer_kind(np.array([0.13, 4.2]), column="value")[1]


def test_positive_expressions() -> None:
    values = np.array([3, 4, 5], np.float32)
    for text, expected in [
        ("value>=4", [0, 1, 1]), ("value > 4", [0, 0, 1]), (" value<=4.0 ", [1, 1, 0]),
        ("value<4", [1, 0, 0]), ("value==5", [0, 0, 1]), ("value>-1e3", [1, 1, 1]),
        ("value>-1e308", [1, 1, 1]), ("value>=1e308", [0, 0, 0]),
    ]:  # fmt: skip
        assert Positive.parse(text)(values).tolist() == [bool(e) for e in expected], text
    for text in [
        "",
        "value",
        "value=4",
        "value>=",
        "rating>=4",
        "value>=4 or 1",
        "value>=1e999",
        "4<=value",
        "value!=3",
    ]:
        with pytest.raises(UsageError, match="expected 'value', one of >= > <= < =="):
            Positive.parse(text)
    assert str(Positive.default("rating", np.array([4.5]))) == "value>=3.6"
    for text in ("value>=1234567", "value<0.123456789", "value==4", "value>1e+300", "value>-2.5"):
        assert str(Positive.parse(text)) == text
    frame = pd.DataFrame({"user": ["u"], "item": ["i"]})
    with pytest.raises(UsageError, match="needs a value column"):
        read_interactions(frame, positive="value>=4")
    with pytest.raises(UsageError, match="expected one of auto, rating"):
        read_interactions(frame, value="stars")
    frame["value"] = 3.6
    assert read_interactions(frame, value="rating", positive="value>=3.6").is_positive.all()


# --- items ------------------------------------------------------------------------------------------------


def test_items() -> None:
    frame = pd.DataFrame(
        {
            "movieId": [1, 2, 2, 3, 4],
            "title": ["Toy\x00 Story\n(1995)", None, "again", "  ", "Up!"],
            "genres": ["A|B, C|A", "A, B", "X", None, "Solo"],
            "description": ["toy story (1995). For all.", "", "", "t" * 20_001, "Balloons"],
            "price": [1, 2, 3, 4, 5],
        }
    )
    items = read_items(frame)
    assert items.ids == ["1", "2", "3", "4"]
    assert items.titles == ["Toy Story (1995)", "2", "3", "Up!"]
    assert items.categories == [["A", "B, C"], ["A", "B"], [], ["Solo"]]
    assert len(items.texts[2]) == 20_000
    assert items.encoder_text()[0] == "toy story (1995). For all."
    assert items.encoder_text()[1] == "2. A, B"
    assert items.encoder_text()[3] == "Up! Balloons"
    found = rules(items)
    assert found["repeated item id, the first is kept"] == (1, "row 3: '2'")
    assert found["title empty, the id stands in"] == (2, "row 2")
    assert found["control characters taken out of title"][0] == 1
    assert found["text cut to 20,000 characters"] == (1, f"row 4: '{'t' * 40}'")
    assert found["columns read as attributes"] == (1, "price (number)")


def test_item_categories_as_lists(tmp_path: Path) -> None:
    path = tmp_path / "items.parquet"
    pq.write_table(pa.table({"item": [1, 2], "title": ["a", "b"], "category": [["X, Y", "Z"], None]}), path)
    assert read_items(path).categories == [["X, Y", "Z"], []]
    lines = write(tmp_path / "x.jsonl", json.dumps({"item": 1, "title": "a", "category": ["X", None, "Y"]}))
    assert read_items(lines).categories == [["X", "Y"]]


def test_items_in_catalogue_order() -> None:
    items = read_items(pd.DataFrame({"item": ["a", "b"], "title": ["A", "B"], "text": ["x", "y"]}))
    chosen = items.select(["b", "new", "a"])
    assert chosen.titles == ["B", "new", "A"]
    assert chosen.texts == ["y", "", "x"]
    assert chosen.categories == [[], [], []]


def test_a_table_keeps_the_true_row_numbers() -> None:
    table = open_table(pd.DataFrame({"a": [1, 2, 3]}))
    assert [table.row_number(i) for i in range(3)] == [1, 2, 3]
    holes = type(table)("x", table.columns, 3, skipped=(1, 3))
    assert [holes.row_number(i) for i in range(3)] == [2, 4, 5]


CELL = (
    st.none() | st.integers() | st.floats() | st.text(max_size=4) | st.booleans() | st.dates()
    | st.binary(max_size=3) | st.lists(st.text(max_size=2), max_size=2)
)  # fmt: skip


@given(st.lists(st.tuples(CELL, CELL, CELL, CELL), min_size=1, max_size=5))
def test_any_frame_gives_data_or_a_data_error(cells: list[tuple[object, ...]]) -> None:
    try:
        data = read_interactions(pd.DataFrame(cells, columns=["user", "item", "value", "timestamp"]))
        assert np.isfinite(data.value).all()
        assert not {"", "nan", "None"} & {*data.users, *data.items}
    except DataError:
        pass
    try:
        items = read_items(pd.DataFrame(cells, columns=["item", "title", "text", "category"]))
        assert all(items.titles)
        assert len(set(items.ids)) == len(items)
    except DataError:
        pass
