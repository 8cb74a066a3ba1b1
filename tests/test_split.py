"""The split and the fold it becomes, on worlds small enough to check by eye and on the shared splits."""

import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pocketrec.errors import DataError, UsageError
from pocketrec_export.atomic import whole_folder, write_whole
from pocketrec_export.dataset import make_dataset
from pocketrec_export.read import read_interactions
from pocketrec_export.split import MIN_USERS, PARTS, Split, make_split
from pocketrec_export.split_files import read_split, write_split
from pocketrec_export.weak import weak_interactions

DATA = Path(os.environ.get("POCKETREC_EVAL_DATA", Path(__file__).parents[2] / "shared" / "data"))


def rows_of(split: Split) -> set[tuple[str, str, str]]:
    return {
        (split.users[u], split.items[i], PARTS[p])
        for u, i, p in zip(split.user_index, split.item_index, split.part, strict=True)
    }


def grid(users: int, items: int) -> pd.DataFrame:
    pairs = [(f"u{u:03}", f"i{i:03}") for u in range(users) for i in range(items)]
    return pd.DataFrame(pairs, columns=["user", "item"])


# --- make_split -------------------------------------------------------------------------------------------


def test_the_recipe() -> None:
    data = read_interactions(grid(100, 10))
    split = make_split(data, seed=3, test=0.15, validation=0.1)
    frame = pd.DataFrame(sorted(rows_of(split)), columns=["user", "item", "part"])
    assert len(frame) == 1000
    per_user = frame.groupby("user").part.value_counts().unstack(fill_value=0)
    kind = np.select([per_user.train == 10, per_user.test_in == 8, per_user.val_in == 8], [0, 1, 2], -1)
    assert np.bincount(kind).tolist() == [75, 15, 10]
    assert (per_user.test_out[kind == 1] == 2).all()
    assert (per_user.val_out[kind == 2] == 2).all()


@pytest.mark.parametrize(("positives", "targets"), [(5, 1), (7, 1), (8, 2), (12, 2), (13, 3), (38, 8)])
def test_targets_are_a_fifth_rounded(positives: int, targets: int) -> None:
    split = make_split(read_interactions(grid(20, positives)), seed=0, test=0.5, validation=0.0)
    out = np.bincount(split.user_index[split.part == PARTS.index("test_out")])
    assert set(out.tolist()) <= {0, targets}
    assert (out == targets).sum() == 10


@pytest.mark.parametrize("history", [0.001, 0.999])
def test_history_and_targets_always_have_one_row(history: float) -> None:
    split = make_split(read_interactions(grid(20, 5)), seed=0, history=history)
    counts = np.bincount(split.part, minlength=5)
    assert counts[PARTS.index("val_in")] == (3 if history < 0.5 else 12)
    assert counts[PARTS.index("val_out")] == (12 if history < 0.5 else 3)


def test_the_seed_decides_and_row_order_does_not() -> None:
    frame = grid(60, 8)
    first = make_split(read_interactions(frame), seed=1)
    assert first.sha256 == make_split(read_interactions(frame.sample(frac=1, random_state=5)), seed=1).sha256
    assert first.sha256 != make_split(read_interactions(frame), seed=2).sha256


def test_only_positives_and_only_users_with_enough() -> None:
    frame = grid(30, 6).assign(value=5)
    frame.loc[frame.user == "u007", "value"] = [5, 5, 5, 5, 1, 1]
    data = read_interactions(frame, value="rating", positive="value>=4")
    split = make_split(data, seed=0)
    assert "u007" not in split.users
    assert len(split) == 29 * 6
    kept = make_split(data, seed=0, keep_short=True)
    assert sum(user == "u007" and part == "train" for user, _, part in rows_of(kept)) == 4
    assert len(kept) == 29 * 6 + 4


@pytest.mark.parametrize(("users", "items"), [(1, 1), (1, 9), (9, 1), (MIN_USERS - 1, 6), (50, 4)])
def test_tiny_data_is_all_train(users: int, items: int) -> None:
    data = read_interactions(grid(users, items))
    split = make_split(data, seed=0, test=0.15)
    assert set(split.part.tolist()) == {0}
    assert len(split) == users * items
    fold = make_dataset(data, split)
    assert (len(fold.validation), len(fold.test), fold.train.nnz) == (0, 0, users * items)


def test_impossible_asks() -> None:
    data = read_interactions(grid(30, 6).assign(value=2), value="rating", positive="value>=4")
    with pytest.raises(DataError, match=r"no row is positive under 'value>=4' \(values 2 to 2\)"):
        make_split(data, seed=0)
    with pytest.raises(DataError, match="no row is positive"):
        make_dataset(data, None)
    good = read_interactions(grid(30, 6))
    for wrong in ({"test": 0.5, "validation": 0.5}, {"history": 1.0}, {"test": -0.1}, {"min_positives": 1}):
        with pytest.raises(UsageError, match="expected"):
            make_split(good, seed=0, **wrong)  # type: ignore[arg-type]


# --- files ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["s.parquet", "s.csv"])
def test_write_then_read_is_identity(tmp_path: Path, name: str) -> None:
    frame = grid(30, 6)
    frame["item"] = frame.item + ',"\n'
    split = make_split(read_interactions(frame), seed=0, test=0.2)
    write_split(split, tmp_path / name)
    again = read_split(tmp_path / name)
    assert (again.sha256, rows_of(again)) == (split.sha256, rows_of(split))
    assert [p.name for p in tmp_path.iterdir()] == [name]
    with pytest.raises(UsageError, match="exists; not overwritten"):
        write_split(split, tmp_path / name)
    write_split(split, tmp_path / name, overwrite=True)
    with pytest.raises(UsageError, match=r"written as .parquet or .csv"):
        write_split(split, tmp_path / "s.txt")


def test_files_and_folders_appear_whole_or_not_at_all(tmp_path: Path) -> None:
    file, folder = tmp_path / "file", tmp_path / "folder"

    def stop(temporary: str) -> None:
        Path(temporary).write_text("half")
        raise KeyboardInterrupt

    for earlier in (False, True):
        with pytest.raises(KeyboardInterrupt):
            write_whole(file, stop)
        with pytest.raises(KeyboardInterrupt), whole_folder(folder) as place:
            stop(str(place / "b"))
        if earlier:
            assert (file.read_text(), [path.name for path in folder.iterdir()]) == ("whole", ["a"])
        else:
            assert list(tmp_path.iterdir()) == []
            write_whole(file, lambda temporary: Path(temporary).write_text("whole"))
            with whole_folder(folder) as place:
                (place / "a").touch()
    assert file.stat().st_mode & 0o777 == 0o644
    with whole_folder(folder) as place:
        (place / "b").touch()
    assert [path.name for path in folder.iterdir()] == ["b"]
    assert sorted(tmp_path.iterdir()) == [file, folder]


def test_the_digest_sees_ids_and_parts_not_the_order() -> None:
    frame = pd.DataFrame({"user": ["a", "b"], "item": ["x", "y"], "part": ["train", "val_in"]})
    digest = read_split(frame).sha256
    assert read_split(frame.iloc[::-1]).sha256 == digest
    assert read_split(frame.assign(part=["val_in", "train"])).sha256 != digest
    shifted = pd.DataFrame({"user": ["a,", "b"], "item": [",x", "y"], "part": ["train", "val_in"]})
    assert read_split(shifted).sha256 != digest


def test_split_files_that_cannot_be() -> None:
    frame = pd.DataFrame({"user": ["a", "b"], "item": ["x", "y"], "part": ["train", "val_in"]})
    with pytest.raises(DataError, match="1 rows with an unknown part, first row 2: 'valid'; expected train, val_in"):
        read_split(frame.assign(part=["train", "valid"]))
    with pytest.raises(DataError, match="unknown part, first row 1: None"):
        read_split(frame.assign(part=[None, "train"]))
    with pytest.raises(DataError, match="no column 'part'"):
        read_split(frame.drop(columns="part"))
    with pytest.raises(DataError, match="1 rows without a user id, first row 2"):
        read_split(frame.assign(user=["a", None]))
    with pytest.raises(DataError, match=r"1 repeated \(user, item\) rows, first row 2: user 'a', item 'x'"):
        read_split(frame.assign(user="a", item="x"))


# --- the fold ---------------------------------------------------------------------------------------------

WORLD = pd.DataFrame(
    [
        # user, item, timestamp, part
        ("t1", "hit", 1, "train"), ("t1", "b", 2, "train"), ("t2", "hit", 1, "train"), ("t2", "a", 3, "train"),
        ("v", "b", 9, "val_in"), ("v", "hit", 4, "val_in"), ("v", "only_v", 1, "val_in"),
        ("v", "a", 5, "val_out"), ("v", "only_w", 6, "val_out"),
        ("w", "only_w", 1, "test_in"), ("w", "only_v", 1, "test_out"),
    ],
    columns=["user", "item", "timestamp", "part"],
)  # fmt: skip


def test_the_fold_by_eye() -> None:
    data = read_interactions(WORLD[["user", "item", "timestamp"]])
    fold = make_dataset(data, read_split(WORLD[["user", "item", "part"]]), catalogue=["b", "new", "only_v"])
    # Most popular first, ties by id; without train events by id. "only_w" is nowhere in the catalogue.
    assert fold.items == ["hit", "a", "b", "new", "only_v"]
    assert fold.train_items.tolist() == [True, True, True, False, False]
    assert fold.users == ["t1", "t2"]
    assert fold.train.toarray().tolist() == [[1, 0, 1, 0, 0], [1, 1, 0, 0, 0]]
    assert fold.train.dtype == np.float32
    assert fold.validation.users == ["v"]
    assert fold.validation.history[0].tolist() == [0, 2]  # oldest first, "only_v" dropped
    assert fold.validation.dropped == 1
    assert fold.validation.targets[0].tolist() == [1]
    assert fold.validation.missing.tolist() == [1]  # "only_w"
    assert fold.test.users == ["w"]
    assert [len(fold.test.history[0]), len(fold.test.targets[0]), fold.test.missing[0]] == [0, 0, 1]


def test_all_rows_as_train() -> None:
    frame = WORLD[["user", "item"]].assign(value=3)
    frame.loc[0, "value"] = 70
    data = read_interactions(frame)
    assert data.value_kind == "count"
    fold = make_dataset(data, None)
    assert fold.split_sha256 is None
    assert (len(fold.users), len(fold.items), fold.train.nnz) == (4, 5, 11)
    assert set(fold.train.data.tolist()) == {1.0}


def test_a_split_of_other_interactions_is_refused() -> None:
    split = read_split(WORLD[["user", "item", "part"]])
    data = read_interactions(WORLD[["user", "item"]].iloc[1:], source_name="mine.csv")
    with pytest.raises(DataError, match=r"1 of 11 split rows are not in mine.csv, for example user 't1', item 'hit'"):
        make_dataset(data, split)
    strangers = read_interactions(pd.DataFrame({"user": ["zz"], "item": ["zz"]}))
    with pytest.raises(DataError, match="11 of 11 split rows"):
        make_dataset(strangers, split)
    with pytest.raises(DataError, match="no train rows"):
        make_dataset(read_interactions(WORLD), read_split(WORLD[WORLD.part != "train"]))


@pytest.mark.parametrize(
    ("row", "part", "said"),
    [
        (
            4,
            "train",
            "1 users of the split are in more than one of train, val and test, for example user 'v' in train and",
        ),
        (0, "test_out", "for example user 't1' in train and test"),
        (9, "val_in", "for example user 'w' in val and test"),
        (9, "test_out", "1 users of the split have rows in test_out and none in test_in, for example user 'w'"),
    ],
)
def test_a_split_that_would_measure_nothing_is_refused(row: int, part: str, said: str) -> None:
    frame = WORLD.copy()
    frame.loc[row, "part"] = part
    with pytest.raises(DataError, match=said):
        make_dataset(read_interactions(WORLD), read_split(frame[["user", "item", "part"]]))


def test_low_ratings_of_train_users_are_weak_and_of_held_out_users_unused() -> None:
    low = pd.DataFrame(
        [("t1", "a", 2, 1), ("v", "b2", 1, 1), ("w", "a", 1, 1)], columns=["user", "item", "timestamp", "value"]
    )
    data = read_interactions(pd.concat([WORLD.assign(value=5), low]), value="rating")
    fold = make_dataset(data, read_split(WORLD[["user", "item", "part"]]))
    assert fold.items == ["hit", "a", "b"]
    assert weak_interactions(data, fold).toarray().tolist() == [[0, 1, 0], [0, 0, 0]]


def test_split_rows_below_the_condition_are_used_and_noted() -> None:
    data = read_interactions(WORLD.assign(value=[1] + [5] * 10), value="rating")
    fold = make_dataset(data, read_split(WORLD[["user", "item", "part"]]))
    assert [str(note) for note in fold.notes] == ["split rows not positive under value>=4, used anyway: 1"]
    assert fold.train.nnz == 4


# Items in train, missing share of the targets, test users; BASELINES of the shared splits.
SHARED = [
    ("ml-latest-small", 0, 5661, 0.047, 90), ("ml-latest-small", 1, 5403, 0.082, 90),
    ("movietweetings", 0, 4711, 0.085, 406), ("movietweetings", 1, 4599, 0.094, 406),
    ("online-retail", 0, 3588, 0.002, 611), ("online-retail", 1, 3598, 0.001, 611),
]  # fmt: skip


@pytest.mark.parametrize(("name", "seed", "items", "missing", "users"), SHARED)
@pytest.mark.filterwarnings("default:SKIPPED")
def test_the_shared_splits(name: str, seed: int, items: int, missing: float, users: int) -> None:
    if not DATA.is_dir():
        warnings.warn(f"SKIPPED: no evaluation data at {DATA}; set POCKETREC_EVAL_DATA", UserWarning, stacklevel=1)
        pytest.skip(f"no evaluation data at {DATA}; set POCKETREC_EVAL_DATA")
    data = read_interactions(DATA / name / "interactions.parquet")
    fold = make_dataset(data, read_split(DATA / name / f"split-{seed}.parquet"))
    targets = sum(map(len, fold.test.targets)) + fold.test.missing.sum()
    assert fold.train_items.sum() == items
    assert len(fold.test) == users
    assert round(float(fold.test.missing.sum() / targets), 3) == missing
    assert fold.notes == []  # all split rows are positive under the inferred condition
