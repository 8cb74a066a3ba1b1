"""Every cleaning rule on a file that breaks it: what is removed or repaired, how often, and what is shown of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pocketrec.errors import DataError, UsageError
from pocketrec_export import rules
from pocketrec_export.read import Interactions, read_interactions
from pocketrec_export.rules import RULES, Rules, moment
from pocketrec_export.streams import open_stream
from pocketrec_export.value_kind import scale_of

T = 1_600_000_000
NOW = moment("2021-01-01")


def saved(frame: pd.DataFrame, path: Path) -> Path:
    """A real file of the kind that the suffix names."""
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    elif path.suffix == ".jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_csv(path, index=False)
    return path


def found(data: Interactions, name: str) -> tuple[int, list[str]]:
    """Count and cases of one rule."""
    notes = [note for note in data.cleaning.findings if note.name == name]
    assert len(notes) == 1, [note.name for note in data.cleaning.findings]
    return notes[0].count, [notes[0].example, *notes[0].more]


def pairs(data: Interactions) -> set[tuple[str, str]]:
    return {(data.users[u], data.items[i]) for u, i in zip(data.user_index, data.item_index, strict=True)}


# --- times ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_times_of_a_wrong_clock_never_pass_for_recent(tmp_path: Path, suffix: str) -> None:
    frame = pd.DataFrame({"user": list("abcde"), "item": "x", "timestamp": [T, T + 60, 0, 32_503_680_000, T + 90]})
    data = read_interactions(saved(frame, tmp_path / f"x{suffix}"), rules=Rules(now=NOW))
    assert data.timestamp is not None
    assert data.timestamp.tolist() == [T, T + 60, T, T, T + 90]
    assert found(data, "future") == (1, ["row 4: 3000-01-01 (32503680000)"])
    assert found(data, "ancient") == (1, ["row 3: 1970-01-01 (0)"])
    assert (data.cleaning.rows_read, data.cleaning.rows_kept) == (5, 5)
    assert "event later than now (2021-01-01), row taken as the oldest" in [note.rule for note in data.notes]


def test_without_now_no_time_is_late_and_an_order_stays_an_order() -> None:
    frame = pd.DataFrame({"user": list("ab"), "item": "x", "timestamp": [T, 4_000_000_000]})
    assert read_interactions(frame).notes == []
    order = read_interactions(frame.assign(timestamp=[1, 2]), rules=Rules(now=NOW))
    assert order.notes == []
    assert order.timestamp is not None
    assert order.timestamp.tolist() == [1, 2]


@pytest.mark.parametrize(("factor", "unit"), [(1_000, "milliseconds"), (10**6, "microseconds")])
def test_the_unit_of_times_is_recognized_and_a_stray_one_judged_in_it(factor: int, unit: str, tmp_path: Path) -> None:
    times = [T * factor, (T + 5) * factor, 99 * factor, (T + 86_400 * 999) * factor]
    frame = pd.DataFrame({"user": list("abcd"), "item": "x", "timestamp": times})
    data = read_interactions(saved(frame, tmp_path / "x.csv"), rules=Rules(now=NOW))
    assert data.timestamp is not None
    assert data.timestamp.tolist() == [T, T + 5, T, T]
    assert f"timestamp read as {unit}" in [note.rule for note in data.notes]
    assert (found(data, "future")[0], found(data, "ancient")[0]) == (1, 1)


def test_texts_and_numbers_in_one_time_column_keep_their_own_unit(tmp_path: Path) -> None:
    lines = ["user,item,timestamp", f"a,x,{T * 1000}", f"b,x,{T * 1000}", "c,x,2020-09-13T12:26:40Z"]
    (tmp_path / "x.csv").write_text("\n".join(lines))
    data = read_interactions(tmp_path / "x.csv")
    assert data.timestamp is not None
    assert data.timestamp.tolist() == [T, T, T]


# --- duplicates and repeats --------------------------------------------------------------------------------


def test_exact_duplicates_go_and_repeats_add_up(tmp_path: Path) -> None:
    rows = [
        ("a", "x", 2, T),
        ("a", "x", 2, T),
        ("a", "x", 2, T + 1),
        ("b", "x", 1, T),
        ("a", "x", 3, T),
        ("a", "x", 2, T),
    ]
    frame = pd.DataFrame(rows, columns=["user", "item", "quantity", "timestamp"])
    data = read_interactions(saved(frame, tmp_path / "x.csv"))
    assert found(data, "duplicate") == (2, ["row 2: user 'a', item 'x'", "row 6: user 'a', item 'x'"])
    assert data.value.tolist() == [7.0, 1.0]
    assert data.cleaning.rows_kept == 4
    kept = read_interactions(frame, rules=Rules(duplicates="keep"))
    assert kept.value.tolist() == [11.0, 1.0]


def test_equal_rows_of_one_day_or_without_times_are_two_events() -> None:
    frame = pd.DataFrame({"user": ["a", "a", "b"], "item": "x", "quantity": 1, "timestamp": ["2020-05-05"] * 3})
    assert read_interactions(frame).value.tolist() == [2.0, 1.0]
    assert read_interactions(frame.drop(columns="timestamp")).value.tolist() == [2.0, 1.0]


# --- ratings off their scale ---------------------------------------------------------------------------------


def ratings(*strays: float, column: str = "rating") -> pd.DataFrame:
    values = [1, 2, 3, 4, 4, 5, 5, 5, 4, 3] * 80
    rows = [(f"u{i % 40}", f"i{i // 40}-{i % 40}", value) for i, value in enumerate([*values, *strays])]
    return pd.DataFrame(rows, columns=["user", "item", column])


@pytest.mark.parametrize("column", ["rating", "value"])
def test_ratings_off_the_scale_are_repaired_or_removed(tmp_path: Path, column: str) -> None:
    path = saved(ratings(50, -1, 99, column=column), tmp_path / "x.csv")
    data = read_interactions(path)
    assert (data.value_kind, data.positive) == ("rating", "value>=4")
    assert found(data, "shifted") == (1, ["row 801: 50"])
    assert found(data, "off_scale") == (2, ["row 802: -1", "row 803: 99"])
    assert (float(data.value.min()), float(data.value.max())) == (1.0, 5.0)
    assert data.cleaning.rows_kept == 801
    removed = read_interactions(path, rules=Rules(off_scale="remove"))
    assert found(removed, "off_scale")[0] == 3
    kept = read_interactions(path, value="rating", rules=Rules(off_scale="keep"))
    assert (len(kept), float(kept.value.max())) == (803, 99.0)


def test_counts_and_wide_scales_are_never_cut() -> None:
    rng = np.random.default_rng(0)
    for values in (
        rng.geometric(0.4, 5_000),  # a long tail
        rng.integers(0, 11, 5_000),  # 0 to 10
        rng.integers(1, 8, 5_000),  # 1 to 7
        np.r_[rng.integers(1, 6, 5_000), [3.5, 4.5]],  # half steps, rare
        np.round(rng.uniform(-10, 10, 5_000), 2),
        rng.choice([-1, 0, 1], 5_000),
    ):
        assert scale_of(values.astype(float), column="rating", asked="auto") is None
    assert scale_of(np.r_[np.tile([1.0, 1, 1, 2, 5], 999), 40], column="value", asked="auto") is None
    assert scale_of(np.r_[np.tile([4.0, 5, 5, 3, 5], 999), 40], column="quantity", asked="auto") is None
    frame = ratings(40, 99, column="plays")
    assert read_interactions(frame).value.max() == 99


# --- users, items, ids -------------------------------------------------------------------------------------


def test_an_absurdly_active_user_goes(tmp_path: Path) -> None:
    rows = [(f"u{user}", f"i{i}") for user in range(150) for i in range(5 + user % 7)]
    rows += [("robot", f"i{i % 700}") for i in range(1_200)]
    path = saved(pd.DataFrame(rows, columns=["user", "item"]), tmp_path / "x.parquet")
    data = read_interactions(path)
    assert found(data, "bot") == (1, ["user 'robot': 1,200 rows"])
    assert "user with more than 1,000 rows, 10 times the 99th percentile, all rows removed" in [
        note.rule for note in data.notes
    ]
    assert "robot" not in data.users
    assert len(data.items) == 11  # those that the robot alone touched are gone, too
    assert "robot" in read_interactions(path, rules=Rules(bots=0)).users


def test_unknown_items_are_counted_and_removed_if_asked(tmp_path: Path) -> None:
    path = saved(pd.DataFrame({"user": list("aab"), "item": list("xyz")}), tmp_path / "x.csv")
    data = read_interactions(path, catalogue=["x", "other"])
    assert found(data, "unknown_item") == (2, ["item 'y'", "item 'z'"])
    assert len(data) == 3
    only = read_interactions(path, catalogue=["x"], rules=Rules(unknown_items="remove"))
    assert pairs(only) == {("a", "x")}
    with pytest.raises(DataError, match="no row is left of 3: item that is not in the items table, rows removed: 3"):
        read_interactions(path, catalogue=["none"], rules=Rules(unknown_items="remove"))


def test_every_note_shows_up_to_three_rows(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("user,item,value\n,1,5\nu,2,x\nu,,5\nu,3,y\nbroken\nu,4,z\nu,5,w\nu,6,4\n")
    data = read_interactions(tmp_path / "x.csv")
    assert found(data, "bad_value") == (4, ["row 2: 'x'", "row 4: 'y'", "row 6: 'z'"])
    value = data.cleaning.as_dict()
    assert (value["rows_read"], value["rows_kept"]) == (8, 1)
    assert [finding["count"] for finding in value["findings"]] == [1, 1, 1, 4]
    assert value["findings"][-1]["examples"] == ["row 2: 'x'", "row 4: 'y'", "row 6: 'z'"]
    assert any("row 4: 'y'" in line for line in data.cleaning.lines())


def test_rules_that_cannot_be() -> None:
    for given, message in [
        ({"bot": 3}, "unknown rule 'bot'; expected one of now, duplicates"),
        ({"bots": "many"}, "bots is 'many'; expected a number"),
        ({"bots": 0.5}, "expected 0 .* or a factor from 1 up"),
        ({"duplicates": "maybe"}, "duplicates is 'maybe'; expected remove or keep"),
        ({"now": "yesterday"}, "'yesterday' is no time"),
    ]:
        with pytest.raises(UsageError, match=message):
            Rules.of(given)
    assert Rules.of({"bots": "20", "now": "2021-01-01"}) == Rules(bots=20.0, now=NOW)


def test_no_rule_is_forgotten() -> None:
    folder = Path(rules.__file__).parent
    code = "".join(path.read_text() for path in folder.glob("*.py") if path.name != "rules.py")
    assert [name for name in RULES if f'"{name}"' not in code] == []


# --- in parts ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_parts_of_a_file_are_one_table(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    size = 5_000
    frame = pd.DataFrame(
        {
            "user": [f"u{i}" for i in rng.integers(0, 300, size)],
            "item": [f"i{i}" for i in rng.integers(0, 90, size)],
            "rating": rng.integers(1, 6, size).astype(object),
            "timestamp": T + rng.integers(0, 10**6, size),
        }
    )
    frame.loc[[700, 4_000], "rating"] = ["bad", "worse"]
    frame["rating"] = frame["rating"].astype(str)
    path = saved(frame, tmp_path / f"x{suffix}")
    whole = read_interactions(path)
    monkeypatch.setattr("pocketrec_export.streams.PART", 333)
    monkeypatch.setattr("pocketrec_export.streams.BLOCK", 4_096)
    assert len(list(open_stream(path).parts(["user"]))) > 10
    parts = read_interactions(path)
    assert (parts.users, parts.items, parts.notes) == (whole.users, whole.items, whole.notes)
    for name in ("user_index", "item_index", "value", "timestamp", "is_positive"):
        assert np.array_equal(getattr(parts, name), getattr(whole, name)), name
    assert found(parts, "bad_value") == (2, ["row 701: 'bad'", "row 4001: 'worse'"])
