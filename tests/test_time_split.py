"""The global time split: who is history, who is target, and that nothing later than the cut is learned from."""

import json
import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pocketrec import cli
from pocketrec.errors import DataError, UsageError
from pocketrec_export.dataset import Dataset, make_dataset
from pocketrec_export.read import read_interactions
from pocketrec_export.recent import recent_popularity
from pocketrec_export.split import make_split
from pocketrec_export.split_files import read_split, write_split
from pocketrec_export.time_split import make_time_split
from pocketrec_export.weak import weak_interactions

DATA = Path(os.environ.get("POCKETREC_EVAL_DATA", Path(__file__).parents[2] / "shared" / "data"))

# Ten positives at times 1 to 10; the cuts at 80 and 90 % of them are 7 and 9.
WORLD = pd.DataFrame(
    [
        # user, item, value, timestamp
        ("a", "x", 5, 1), ("a", "y", 5, 2), ("b", "x", 5, 3), ("b", "z", 5, 4), ("c", "y", 5, 5), ("d", "x", 5, 6),
        ("a", "z", 5, 7), ("e", "x", 5, 8),
        ("a", "new", 5, 9), ("e", "y", 5, 10), ("b", "y", 5, 10), ("f", "x", 5, 10),
        ("a", "low", 1, 2), ("c", "x", 1, 8), ("b", "low", 1, 9),
    ],
    columns=["user", "item", "value", "timestamp"],
)  # fmt: skip


def fold(frame: pd.DataFrame, **options: float) -> Dataset:
    data = read_interactions(frame, value="rating", positive="value>=4")
    return make_dataset(data, make_time_split(data, **options))


def by_name(dataset: Dataset, positions: np.ndarray) -> list[str]:
    return [dataset.items[i] for i in positions]


def test_by_eye() -> None:
    data = fold(WORLD, test=0.3, validation=0.2)  # 12 positives: times 1 to 6, 7 and 8, 9 and 10
    assert data.until == 7
    assert data.users == ["a", "b", "c", "d"]
    assert data.train.nnz == 6
    assert set(by_name(data, np.flatnonzero(data.train_items))) == {"x", "y", "z"}
    # Validation: a knows x and y, finds z; e has nothing before.
    assert data.validation.users == ["a"]
    assert by_name(data, data.validation.history[0]) == ["x", "y"]
    assert by_name(data, data.validation.targets[0]) == ["z"]
    # Test: what was done in the validation period is history now; "new" is not in train and counts as a miss.
    assert data.test.users == ["a", "b", "e"]
    assert [by_name(data, history) for history in data.test.history] == [["x", "y", "z"], ["x", "z"], ["x"]]
    assert [by_name(data, targets) for targets in data.test.targets] == [[], ["y"], ["y"]]
    assert data.test.missing.tolist() == [1, 0, 0]
    assert data.test.time is not None
    assert [time.tolist() for time in data.test.time] == [[1, 2, 7], [3, 4], [8]]
    assert [str(note) for note in data.notes if "without a row before" in str(note)] == [
        "users of val without a row before it, left out of it: 1",
        "users of test without a row before it, left out of it: 1",
    ]


def test_low_ratings_after_train_are_not_learned_from() -> None:
    frame = pd.concat([WORLD, pd.DataFrame([("d", "low", 5, 6)], columns=WORLD.columns)])
    data = read_interactions(frame, value="rating", positive="value>=4")
    dataset = make_dataset(data, make_time_split(data, test=0.3, validation=0.2))
    weak = weak_interactions(data, dataset).tocoo()
    pairs = {(dataset.users[u], dataset.items[i]) for u, i in zip(weak.row, weak.col, strict=True)}
    assert pairs == {("a", "low")}  # not c's of time 8, nor b's of time 9


def test_popularity_fades_from_the_end_of_train() -> None:
    day = 86_400
    data = read_interactions(WORLD.assign(timestamp=day * WORLD.timestamp), value="rating", positive="value>=4")
    dataset = make_dataset(data, make_time_split(data, test=0.3, validation=0.2))
    score = recent_popularity(dataset).fit(dataset.train, {"half_life_days": 2})(np.array([0]))
    # The newest row of train is of day 6. Each item's rows are 2^(-(6 - day) / 2), by hand.
    rows = {"x": (1, 3, 6), "y": (2, 5), "z": (4,)}
    assert {dataset.items[i]: float(score[i]) for i in np.flatnonzero(score)} == pytest.approx(
        {item: sum(2 ** (-(6 - day) / 2) for day in days) for item, days in rows.items()}
    )


def test_rows_of_one_moment_are_of_one_period() -> None:
    frame = pd.DataFrame({"user": [f"u{i}" for i in range(10)], "item": "x", "timestamp": [1] * 4 + [2] * 4 + [3] * 2})
    data = read_interactions(frame)
    assert make_time_split(data, test=0.2, validation=0.4).counts == {"train": 4, "val": 4, "test": 2}
    assert make_time_split(data, test=0.3, validation=0).counts == {"train": 4, "test": 6}
    with pytest.raises(DataError, match=r"share one time \(2\) to cut 0.1 and 0.3"):
        make_time_split(data, test=0.3, validation=0.1)
    with pytest.raises(DataError, match="share one time"):
        make_time_split(data, test=0.2, validation=0.6)


def test_what_is_repeated_later_is_a_target_and_no_train_row() -> None:
    frame = pd.DataFrame({"user": "a", "item": list("pqrstuvwxp"), "timestamp": range(10)})
    data = read_interactions(frame)
    split = make_time_split(data, test=0.1, validation=0.1)
    assert {split.items[i] for i in split.item_index[split.part == 0]} == set("qrstuvw")
    assert make_dataset(data, split).test.missing.tolist() == [1]


def test_impossible_asks() -> None:
    with pytest.raises(DataError, match="needs a timestamp column, found none"):
        fold(WORLD.drop(columns="timestamp"))
    for wrong in ({"test": 0.0}, {"test": 0.5, "validation": 0.5}, {"validation": -0.1}):
        with pytest.raises(UsageError, match="expected shares"):
            fold(WORLD, **wrong)


def test_leaks_are_refused(tmp_path: Path) -> None:
    data = read_interactions(WORLD, value="rating", positive="value>=4")
    write_split(make_time_split(data, test=0.3, validation=0.2), tmp_path / "s.csv")
    frame = pd.read_csv(tmp_path / "s.csv")

    def altered(user: str, item: str, part: str) -> pd.DataFrame:
        changed = frame.copy()
        changed.loc[(changed.user == user) & (changed.item == item), "part"] = part
        return changed

    make_dataset(data, read_split(frame))
    with pytest.raises(DataError, match=r"1 rows of .* part 'train' .* later one, at 7: .* 'e', item 'y' at 10"):
        make_dataset(data, read_split(altered("e", "y", "train")))
    with pytest.raises(DataError, match=r"part 'train' .* at 6: for example user 'd', item 'x' at 6"):
        make_dataset(
            read_interactions(
                WORLD.assign(timestamp=WORLD.timestamp.replace(7, 6)), value="rating", positive="value>=4"
            ),
            read_split(frame),
        )
    with pytest.raises(DataError, match=r"part 'val' are not before the first later one, at 9: .* at 10"):
        make_dataset(data, read_split(altered("f", "x", "val")))
    with pytest.raises(DataError, match="part 'train' are not before the first later one, at 3"):
        make_dataset(data, read_split(altered("b", "x", "test")))
    with pytest.raises(DataError, match=r"parts of a split by time .* and of one by user \(test_out\)"):
        make_dataset(data, read_split(altered("b", "y", "test_out")))
    with pytest.raises(DataError, match="needs a timestamp column"):
        make_dataset(read_interactions(WORLD.drop(columns="timestamp")), read_split(frame))


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = str(tmp_path / "i.csv"), str(tmp_path / "s.parquet")
    WORLD.to_csv(source, index=False)
    words = ["split", "--interactions", source, "--out", out, "--positive", "value>=4", "--by", "time"]
    shares = ["--test", "0.3", "--validation", "0.2"]
    assert cli.main([*words, *shares, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["rows"] == {"train": 6, "val": 2, "test": 4}
    assert report["users"] == {"train": 4, "validation": 1, "test": 3}
    assert report["missing"] == {"validation": 0, "test": 1 / 3}
    assert report["until"] == 7
    assert read_split(out).sha256 == report["sha256"]
    assert cli.main([*words, *shares]) == 2
    assert "exists" in capsys.readouterr().err
    assert cli.main([*words, *shares, "--overwrite"]) == 0
    assert "train ends before 7" in capsys.readouterr().out
    assert cli.main([*words, "--seed", "1", "--history", "0.5", "--overwrite"]) == 2
    assert "a split by time has no history, seed" in capsys.readouterr().err
    assert cli.main([*words[:4], str(tmp_path / "none" / "s.csv")]) == 2


def test_the_command_cleans_as_a_build_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = str(tmp_path / "i.csv"), str(tmp_path / "s.csv")
    WORLD.assign(timestamp=1_600_000_000 + 86_400 * WORLD.timestamp).to_csv(source, index=False)
    words = ["split", "--interactions", source, "--by", "time", "--out", out, "--test", "0.3", "--validation", "0.2"]
    assert cli.main(words) == 0
    assert cli.main([*words, "--overwrite", "--clean", "now=2020-01-01"]) == 1  # every event is later than that
    assert "needs a timestamp column" in capsys.readouterr().err
    assert cli.main([*words, "--overwrite", "--clean", "sweep=yes"]) == 2


def test_the_command_by_user_is_the_recipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = str(tmp_path / "i.csv"), str(tmp_path / "s.csv")
    pairs = [(f"u{u:03}", f"i{i}") for u in range(60) for i in range(8)]
    pd.DataFrame(pairs, columns=["user", "item"]).to_csv(source, index=False)
    assert cli.main(["split", "--interactions", source, "--out", out, "--seed", "3", "--test", "0.2", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    expected = make_split(read_interactions(source), seed=3, test=0.2, validation=0.15)
    assert (report["by"], report["sha256"], report["until"]) == ("user", expected.sha256, None)
    assert report["users"] == {"train": 39, "validation": 9, "test": 12}


@pytest.mark.filterwarnings("default:SKIPPED")
def test_on_real_times_nothing_of_train_is_later_than_any_target() -> None:
    if not DATA.is_dir():
        warnings.warn(f"SKIPPED: no {DATA}; set POCKETREC_EVAL_DATA", UserWarning, stacklevel=1)
        pytest.skip(f"no {DATA}; set POCKETREC_EVAL_DATA")
    data = read_interactions(DATA / "movietweetings" / "interactions.parquet")
    split = make_time_split(data)
    dataset = make_dataset(data, split)
    assert data.timestamp is not None
    time = {(u, i): t for u, i, t in zip(data.user_index, data.item_index, data.timestamp, strict=True)}
    users, items = {u: n for n, u in enumerate(data.users)}, {i: n for n, i in enumerate(data.items)}
    latest = [max(t.tolist(), default=0) for t in dataset.test.time or []]
    targets = [
        min((time[users[user], items[dataset.items[i]]] for i in own.tolist()), default=2**62)
        for user, own in zip(dataset.test.users, dataset.test.targets, strict=True)
    ]
    assert len(dataset.test) > 1000
    assert max(latest) < min(targets)
    rows = dataset.train.tocoo()
    trained = max(
        time[users[dataset.users[u]], items[dataset.items[i]]] for u, i in zip(rows.row, rows.col, strict=True)
    )
    assert trained < (dataset.until or 0) <= min(targets)
