"""What `pocketrec check` tells of data, and the tables that only it and reports read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from pocketrec import cli
from pocketrec.errors import DataError
from pocketrec_export import build
from pocketrec_export.profile import profile
from pocketrec_export.read import read_interactions, read_items
from pocketrec_export.users import read_users

T = 1_600_000_000


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    rows = [(f"u{u}", f"i{i}", 1 + (u * i) % 5, T + 86_400 * u) for u in range(10) for i in range(u + 1)]
    frame = pd.DataFrame([*rows, ("u1", None, 3, T)], columns=["user", "item", "rating", "timestamp"])
    frame.to_csv(tmp_path / "r.csv", index=False)
    items = pd.DataFrame(
        {
            "item": [f"i{i}" for i in range(12)],
            "title": "t",
            "text": ["a b"] * 11 + ["n/a"],
            "category": ["A|B"] * 6 + ["A"] * 6,
        }
    )
    items["price"] = [None, *range(1, 12)]
    items.to_csv(tmp_path / "i.csv", index=False)
    users = pd.DataFrame(
        {"user": ["u0", "u1", "u1", "x"], "group": ["a", "b", "c", None], "note": ["1", "2", "3", "4"]}
    )
    users.to_csv(tmp_path / "u.csv", index=False)
    return [
        "--interactions",
        str(tmp_path / "r.csv"),
        "--items",
        str(tmp_path / "i.csv"),
        "--users",
        str(tmp_path / "u.csv"),
    ]


def test_the_profile_by_hand(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", *files, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    facts = found["profile"]["interactions"]
    assert (facts["rows_read"], facts["rows_used"], facts["user_item_pairs"]) == (56, 55, 55)
    assert (facts["users"], facts["items"], facts["density"]) == (10, 10, 0.55)
    assert (facts["value_kind"], facts["positive"]) == ("rating", "value>=4")
    assert "a rating scale" in facts["why"]
    assert facts["first_and_last_event"] == ["2020-09-13", "2020-09-22"]
    assert facts["days"] == 9.0
    assert facts["pairs_per_user"]["max"] == 10
    assert facts["long_tail"]["of the top 10 %"] == round(10 / 55, 4)
    assert facts["long_tail"]["Gini"] == 0.3  # of 1, 2, ... 10: (n - 1) / (3 n)
    assert found["profile"]["items"]["categories"] == {"A": 12, "B": 6}
    assert (found["profile"]["items"]["with_text"], found["profile"]["items"]["text_characters"]["max"]) == (11, 3)
    assert found["profile"]["items"]["attributes"] == ["price (number, 11 items)"]
    assert found["profile"]["users"]["group_group"] == {"": 1, "a": 1, "b": 1}
    assert found["profile"]["together"] == {
        "items_with_text_and_events": 10, "items_without_events": 2, "items_without_text": 0,
        "users_with_a_group": 2, "users_without": 8,
    }  # fmt: skip
    names = {table: [f["name"] for f in report["findings"]] for table, report in found["cleaning"].items()}
    assert "no_id" in names["interactions"]
    assert "garbage_text" in names["items"]
    assert names["users"][0] == "repeated_user"


def test_the_report_for_people(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", *files]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "cleaning of interactions, 55 of 56 rows can be used" in out
    assert "  item id missing, row removed: 1\n      row 56\n" in out
    assert "  text without a word (n/a, ---), emptied: 1\n      row 12: 'n/a'\n" in out
    assert "value kind               rating" in out
    assert "group group              (none) 1, a 1, b 1" in out


def test_check_trains_nothing_and_imports_no_torch(files: list[str]) -> None:
    code = (
        "import sys; from pocketrec import cli; code = cli.main(sys.argv[1:]); "
        "loaded = {'torch', 'transformers', 'implicit', 'sentence_transformers'} & set(sys.modules); "
        "print(loaded, file=sys.stderr); sys.exit(code or bool(loaded))"
    )
    done = subprocess.run([sys.executable, "-c", code, "check", *files], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (0, "set()")


def test_nothing_to_check(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check"]) == 2
    assert "give --interactions, --items, --users" in capsys.readouterr().err
    assert cli.main(["check", "--interactions", "nowhere.csv"]) == 1


def test_one_event_is_a_profile() -> None:
    events = read_interactions(pd.DataFrame({"user": ["u"], "item": ["i"]}))
    found = profile(events, None, None)
    assert found.facts["interactions"]["long_tail"]["Gini"] == 0
    assert json.loads(json.dumps(found.as_dict(), allow_nan=False))["profile"]["interactions"]["density"] == 1
    assert "cleaning of interactions, 1 of 1 rows can be used: nothing found" in found.lines()[0]


# --- items and users that are dirty ---------------------------------------------------------------------------


def test_texts_that_say_nothing(tmp_path: Path) -> None:
    rows = ["item,title,text", "1,N/A,---", "2,Unknown,n/a", "3,$,Fine text", "4,Caf\u00c3\u00a9,\ufffd\ufffd?"]
    rows += [f"{i},Title {i},Sold as seen" for i in range(5, 25)]
    (tmp_path / "x.csv").write_text("\n".join(rows), encoding="utf-8")
    items = read_items(tmp_path / "x.csv")
    assert items.titles[:4] == ["1", "Unknown", "$", "Caf\u00c3\u00a9"]
    assert items.texts[:4] == ["", "", "Fine text", ""]
    notes = {note.rule: (note.count, note.example) for note in items.notes}
    assert notes["title that says nothing (n/a, null), the id stands in"] == (1, "row 1: 'N/A'")
    assert notes["text without a word (n/a, ---), emptied"] == (3, "row 1: '---'")
    assert notes["title with broken characters, kept"] == (1, "row 4: 'Caf\u00c3\u00a9'")
    assert notes["text with broken characters, kept"][0] == 1
    assert notes["text that 20 items or more share word for word, kept"] == (20, "row 5: 'Sold as seen'")


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_users_and_groups(tmp_path: Path, suffix: str) -> None:
    frame = pd.DataFrame({"customer_id": ["a", "b", None, "a", "c"], "age": ["x", "y", "x", "z", " "]})
    frame["name"] = "n"
    path = tmp_path / f"u{suffix}"
    if suffix == ".csv":
        frame.to_csv(path, index=False)
    elif suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_json(path, orient="records", lines=True)
    users = read_users(path)
    assert (users.ids, users.groups["age"]) == (["a", "b", "c"], ["x", "y", ""])
    assert users.sizes("age") == {"": 1, "x": 1, "y": 1}
    counted = {note.name: note.count for note in users.notes}
    assert (counted["no_id"], counted["repeated_user"], counted["no_group"]) == (1, 1, 1)


def test_nothing_of_the_users_table_is_in_a_package(frames, tmp_path: Path) -> None:
    users = pd.DataFrame({"user": sorted(set(frames[0]["user"])), "country": "Ruritania"})
    report = build(frames[0], users=users, out=tmp_path / "x.pocketrec", quiet=True)
    assert b"Ruritania" not in (tmp_path / "x.pocketrec").read_bytes()
    assert "Ruritania" in json.dumps(report.as_dict())  # groups are what the report measures fairness by
    with pytest.raises(DataError, match="no column 'user'"):
        build(frames[0], users=users.drop(columns="user"), out=tmp_path / "y.pocketrec", quiet=True)


def test_users_tables_that_are_none() -> None:
    many = pd.DataFrame({"user": range(101), "email": [f"{i}@x" for i in range(101)]})
    with pytest.raises(DataError, match="no column with groups beside 'user'; found email"):
        read_users(many)
    assert list(read_users(many.assign(group="g")).groups) == ["group"]
    with pytest.raises(DataError, match="no column 'user'"):
        read_users(pd.DataFrame({"group": ["a"]}))
    with pytest.raises(DataError, match="none of the 1 rows has a user id"):
        read_users(pd.DataFrame({"user": [None], "group": ["a"]}))
