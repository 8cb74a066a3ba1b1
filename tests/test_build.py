"""The whole way, from files to answers, with a tiny real teacher: two groups of items that share nothing."""

import functools
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pocketrec
import pytest
from pocketrec import cli
from pocketrec.errors import DataError, UsageError
from pocketrec.inspection import verify_package
from pocketrec_export import build
from pocketrec_export.assemble import Parts
from pocketrec_export.baselines import BASELINES
from pocketrec_export.evaluate import evaluate
from pocketrec_export.full_model import FullModel
from pocketrec_export.read import read_interactions
from pocketrec_export.split import make_split
from pocketrec_export.split_files import write_split
from pocketrec_export.teacher import load_teacher
from pocketrec_export.threads import available_threads


def ids(results):
    return [item.item for item in results]


@pytest.mark.parametrize("engine", ["numpy", "onnx"])
def test_the_package_knows_the_groups(built, engine):
    with pocketrec.open(built[0] / "x.pocketrec", engine=engine) as rec:
        assert all(item.startswith("tea") for item in ids(rec.recommend(["tea-1", "tea-2"], k=10)))
        assert all(item.startswith("novel") for item in ids(rec.recommend(["novel-1"], k=10)))
        assert all(item.startswith("novel") for item in ids(rec.similar("novel-3", k=5)))
        assert len(rec.search("green tea", k=30)) == 30


def test_report_and_manifest_say_what_was_measured(built):
    folder, report = built
    value = json.loads(json.dumps(report.as_dict()))
    assert value["bytes"] == (folder / "x.pocketrec").stat().st_size
    assert sum(value["facts"]["parts"].values()) == value["bytes"]
    assert value["comparison"]["package"]["users"] == 12
    assert value["comparison"]["package"]["ndcg10"] > 0.3
    assert any("package / full" in line for line in report.lines())
    assert value["facts"]["metrics"]["package"]["users"] == 12
    assert value["facts"]["metrics"]["measured_on"] == "15 % of users held out; fitted again on all rows afterwards"
    assert sum("the package was then fitted again on all rows" in line for line in report.lines()) == 1
    assert 0 < value["teacher_bytes"] < value["full_bytes"]
    assert any(" MB included), package " in line and line.startswith("full model ") for line in report.lines())


def test_a_text_longer_than_the_teacher_has_positions_is_cut(teacher):
    vectors = load_teacher(teacher).encode(["green tea " * 500, "green tea"])
    assert np.isfinite(vectors).all()


def test_golden_cases_hold_on_every_engine(built):
    facts = verify_package(built[0] / "x.pocketrec")
    assert all(engine["ok"] and engine["ran"] and engine["cases"] >= 10 for engine in facts["engines"].values())


def test_no_user_is_in_the_package(built, frames):
    data = (built[0] / "x.pocketrec").read_bytes()
    for user, moment in frames[0][["user", "timestamp"]].drop_duplicates().itertuples(index=False):
        assert f'"{user}"'.encode() not in data
        assert str(moment).encode() not in data
        assert int(moment).to_bytes(8, "little") not in data


def test_what_one_user_alone_chose_is_not_told(frames, tmp_path):
    rare = pd.DataFrame({"user": "u0", "item": ["rare-a", "rare-b", "rare-c"], "timestamp": 1_600_000_000})
    build(pd.concat([frames[0], rare]), out=tmp_path / "x.pocketrec", quiet=True)
    only = dict.fromkeys(("factors", "popularity"), 0.0)
    with pocketrec.open(tmp_path / "x.pocketrec", engine="numpy") as rec:
        weights = {name: 0.0 for name in only if name in rec.package.manifest.signals.names}
        told = rec.recommend(["rare-a"], k=99, weights=weights)
        assert {item.item: item.score for item in told if item.item.startswith("rare")} == {"rare-b": 0, "rare-c": 0}


def test_the_same_input_gives_the_same_bytes(frames, teacher, tmp_path):
    digests = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        build(*frames, out=tmp_path / name / "x.pocketrec", teacher=teacher, quiet=True)
        digests.append(hashlib.sha256((tmp_path / name / "x.pocketrec").read_bytes()).hexdigest())
    assert digests[0] == digests[1]


def test_the_bytes_depend_on_the_threads_asked_for_alone(frames, teacher, tmp_path):
    import torch

    before = torch.get_num_threads()
    written = set()
    try:
        for ambient in (1, 2):
            torch.set_num_threads(ambient)
            build(*frames, out=tmp_path / "x", teacher=teacher, threads=1, overwrite=True, quiet=True)
            assert torch.get_num_threads() == ambient
            written.add((tmp_path / "x").read_bytes())
    finally:
        torch.set_num_threads(before)
    assert len(written) == 1


def test_threads_are_those_that_may_be_used(monkeypatch):
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    for asked, threads in (("", usable), ("1", 1), ("1,4", 1), ("9999", usable), ("0", usable), ("many", usable)):
        monkeypatch.setenv("OMP_NUM_THREADS", asked)
        assert available_threads() == threads


def test_vectors_of_another_thread_count_are_not_taken_from_the_cache(frames, teacher, tmp_path):
    import torch

    before = torch.get_num_threads()
    try:
        for threads in (1, 1, 2):
            torch.set_num_threads(threads)
            load_teacher(teacher, cache=tmp_path).encode(["green tea"])
    finally:
        torch.set_num_threads(before)
    assert len(os.listdir(tmp_path)) == 2


def test_build_says_once_what_it_took_the_data_for(tmp_path, capsys):
    rows = [(f"u{u}", f"i{i}", 1 + (u + i) % 5) for u in range(40) for i in range(30)]
    frame = pd.DataFrame([*rows, ("u0", None, 3)], columns=["user", "item", "value"])
    report = build(frame, out=tmp_path / "x.pocketrec")
    said = capsys.readouterr().err.splitlines()
    assert [line for line in said if line.startswith("note: ")] == [f"note: {note}" for note in report.notes]
    assert len(report.notes) == 1
    assert (
        "interactions: 1,200 rows, 40 users, 30 items; values are ratings (values 1 to 5 in steps of 1: a rating "
        "scale), liked means value>=4 (480 rows)"
    ) in said
    assert (
        "split: 30 of 30 items in train; 28 users to learn from, held out: 6 users to choose settings, 6 to test"
    ) in said
    assert not any(line.startswith("note") for line in report.lines())
    assert report.as_dict()["notes"] == list(report.notes)


def test_each_table_has_its_own_column_names(frames, tmp_path, teacher):
    interactions = frames[0].rename(columns={"item": "sku", "user": "who"})
    items = frames[1].rename(columns={"item": "key"})
    interactions.to_csv(tmp_path / "i.csv", index=False)
    items.to_csv(tmp_path / "items.csv", index=False)
    words = ["build", "--interactions", str(tmp_path / "i.csv"), "--items", str(tmp_path / "items.csv"), "--quiet"]
    words += ["--out", str(tmp_path / "x.pocketrec"), "--teacher", teacher, "--columns"]
    assert cli.main([*words, "user=who,item=sku,items.item=key"]) == 0
    with pocketrec.open(tmp_path / "x.pocketrec") as rec:
        assert rec.similar("tea-1", k=1)[0].title != "tea-1"
        assert all(item.startswith("tea") for item in ids(rec.recommend(["tea-1", "tea-2"], k=5)))
    assert cli.main([*words, "user=who,items.item=key,interactions.item=sku", "--overwrite"]) == 0
    assert cli.main([*words, "user=who,item=sku", "--overwrite"]) == 1


def test_build_and_evaluate_with_a_split_by_time(frames, teacher, tmp_path, capsys):
    rows = frames[0].assign(timestamp=np.random.default_rng(3).permutation(len(frames[0])))
    rows.to_csv(tmp_path / "i.csv", index=False)
    frames[1].to_csv(tmp_path / "items.csv", index=False)
    out, split, full = (str(tmp_path / name) for name in ("x.pocketrec", "s.parquet", "full"))
    data = ["--interactions", str(tmp_path / "i.csv")]
    assert cli.main(["split", *data, "--by", "time", "--out", split]) == 0
    words = ["build", *data, "--items", str(tmp_path / "items.csv"), "--split", split, "--save-full", full]
    assert cli.main([*words, "--out", out, "--teacher", teacher, "--quiet"]) == 0
    capsys.readouterr()
    assert cli.main(["evaluate", out, *data, "--split", split, "--full", full, "--baselines", "--json"]) == 0
    scored = json.loads(capsys.readouterr().out)
    assert set(scored["baselines"]) == {*BASELINES, "recent_popularity"}
    test = rows[rows.timestamp >= 0.9 * len(rows)].user
    assert scored["package"]["users"] == test.nunique() > 20
    # Two groups that share nothing: the history tells which half of the items to rank first.
    assert scored["package"]["ndcg10"] > scored["baselines"]["popularity"]["ndcg10"] + 0.05
    rows.assign(timestamp=0).to_csv(tmp_path / "i.csv", index=False)
    assert cli.main(["evaluate", out, *data, "--split", split]) == 1
    assert "not before the first later one" in capsys.readouterr().err


def test_build_with_a_split_evaluate_and_refuse_another(frames, teacher, tmp_path, capsys):
    interactions, items = tmp_path / "i.csv", tmp_path / "items.csv"
    frames[0].to_csv(interactions, index=False)
    frames[1].to_csv(items, index=False)
    rows = read_interactions(interactions)
    for seed in (0, 1):
        write_split(make_split(rows, seed=seed, test=0.2, validation=0.2), tmp_path / f"s{seed}.csv")
    out, full, recs = (str(tmp_path / name) for name in ("x.pocketrec", "full", "recs.parquet"))
    data = ["--interactions", str(interactions), "--split", str(tmp_path / "s0.csv")]
    words = ["build", *data, "--items", str(items), "--out", out, "--teacher", teacher, "--save-full", full, "--quiet"]
    assert cli.main([*words, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert cli.main(["evaluate", out, *data, "--full", full, "--recs", recs, "--json"]) == 0
    scored = json.loads(capsys.readouterr().out)
    # Evaluating the file gives what the build measured, and both models the users of the split.
    assert scored["package"] == report["comparison"]["package"]
    assert scored["full"] == report["comparison"]["full"]
    assert scored["package"]["users"] == 16
    assert report["facts"]["metrics"]["measured_on"] == "test users of the split"
    assert set(scored["differences"]["full"]) >= {"ndcg10", "recall20", "ndcg100", "mrr", "text_diversity", "novelty"}
    lists = pd.read_parquet(recs)
    assert list(lists.columns) == ["user", "item", "rank"]
    assert lists.groupby("user")["rank"].min().eq(1).all()
    assert cli.main(["evaluate", out, *data, "--baselines", "--json"]) == 0
    compared = json.loads(capsys.readouterr().out)
    assert compared["package"] == scored["package"]
    assert set(compared["baselines"]) == set(compared["differences"]) == set(BASELINES)
    assert compared["baselines"]["popularity"]["users"] == 16
    # Two groups that share nothing: whoever sees the history beats popularity for each user.
    assert compared["differences"]["popularity"]["ndcg10"]["ci95"][0] > 0
    assert compared["baselines"]["ease"]["settings"]["l2"] in BASELINES["ease"].grid["l2"]
    other = ["--interactions", str(interactions), "--split", str(tmp_path / "s1.csv")]
    assert cli.main(["evaluate", out, *other]) == 1
    assert "was built with split" in capsys.readouterr().err
    assert cli.main(["evaluate", out, *data, "--recs", recs]) == 2
    assert cli.main(words) == 2
    assert "exists" in capsys.readouterr().err


def test_an_item_that_nobody_chose_is_recommended_to_who_likes_its_kind(frames, teacher, tmp_path):
    rows, items = frames
    nobody = rows[~rows["item"].isin(["tea-3", "novel-3"])]
    report = build(nobody, items, out=tmp_path / "x.pocketrec", teacher=teacher, quiet=True)
    device = {"device_factors", "device_neighbours"}
    assert set(report.settings["cold"]) == {"ridge", "factors", "neighbours"} | device
    with pocketrec.open(tmp_path / "x.pocketrec") as rec:
        others = [item for item in items["item"] if item not in ("tea-3", "novel-3")]
        for kind, other in (("tea", "novel"), ("novel", "tea")):
            best = rec.recommend([f"{kind}-{i}" for i in (1, 2, 4)], k=2, exclude=others)
            assert ids(best) == [f"{kind}-3", f"{other}-3"]
            assert best[0].signals["factors"] > best[1].signals["factors"]
            assert best[0].signals["neighbours"] > 0


def test_items_alone_make_a_search_package(frames, teacher, tmp_path):
    report = build(items=frames[1], out=tmp_path / "s.pocketrec", teacher=teacher, quiet=True)
    assert report.comparison is None
    with pocketrec.open(tmp_path / "s.pocketrec") as rec:
        assert rec.package.manifest.signals.names == ("content", "attributes", "semantic", "lexical")
        assert len(rec.search("mint tea", k=3)) == 3
        assert len(rec.similar("tea-1", k=3)) == 3
        assert len(rec.recommend(["tea-1"], k=3)) == 3


def test_every_column_of_the_items_goes_all_the_way(frames, teacher, tmp_path, capsys):
    table = frames[1].assign(
        price=[str(5 * row) for row in range(len(frames[1]))],
        expires=["2030-01-01" if row % 10 == 3 else "" for row in range(len(frames[1]))],
        boost=[2.0 if row == 7 else 0.0 for row in range(len(frames[1]))],
    )
    table.to_csv(tmp_path / "items.csv", index=False)
    frames[0].to_csv(tmp_path / "rows.csv", index=False)
    data = ["--interactions", str(tmp_path / "rows.csv"), "--items", str(tmp_path / "items.csv")]
    out = str(tmp_path / "x.pocketrec")
    assert cli.main(["build", *data, "--teacher", teacher, "--out", out]) == 0
    assert "columns read as attributes: 1 (e.g. price (number))" in capsys.readouterr().err
    gone = set(table["item"][table["expires"] != ""])
    cheap = set(table["item"][table["price"].astype(int) < 50])
    for engine in ("numpy", "onnx"):
        with pocketrec.open(out, engine=engine) as rec:
            assert rec.package.manifest.blend["recommend"]["boost"].weight == 1
            before, after = (set(ids(rec.recommend(k=99, now=now))) for now in (1_800_000_000, 2_000_000_000))
            assert before - after == gone
            assert set(ids(rec.search("tea", k=99, filter={"price": ("<", 50)}, now=1_800_000_000))) == cheap
            assert ids(rec.recommend(k=1, now=0)) == [table["item"][7]]
    assert all(outcome["ok"] for outcome in verify_package(out)["engines"].values())
    assert cli.main(["check", *data, "--attributes", "price"]) == 0
    assert "number, 30 of 30 items have one, 0 to 145" in capsys.readouterr().out
    assert cli.main(["check", *data, "--attributes", "cost"]) == 1


def test_interactions_alone_make_a_pure_cf_package(frames, tmp_path):
    build(frames[0], out=tmp_path / "cf.pocketrec", quiet=True)
    with pocketrec.open(tmp_path / "cf.pocketrec") as rec:
        assert rec.package.manifest.encoder is None
        assert all(item.startswith("tea") for item in ids(rec.recommend(["tea-1", "tea-2"], k=5)))


@pytest.mark.parametrize(
    "rows",
    [
        [("u", "a")],
        [("u", "a"), ("u", "b"), ("u", "c")],
        [("u", "a"), ("v", "a"), ("w", "a")],
        [(f"u{i}", "ab"[i % 2]) for i in range(30)],
    ],
    ids=["one row", "one user", "one item", "no user with two"],
)
def test_the_smallest_data_still_make_a_package(rows, tmp_path):
    frame = pd.DataFrame(rows, columns=["user", "item"])
    report = build(frame, out=tmp_path / "x.pocketrec", quiet=True)
    assert report.comparison is None
    assert "fitting what was chosen on all rows" not in report.seconds  # they were all there the first time
    for engine in ("numpy", "onnx"):
        with pocketrec.open(tmp_path / "x.pocketrec", engine=engine) as rec:
            items = sorted(frame["item"].unique())
            assert sorted(ids(rec.recommend(k=9))) == items
            assert sorted(ids(rec.recommend([items[0]], k=9))) == items[1:]


def test_one_item_with_text(teacher, tmp_path):
    build(
        items=pd.DataFrame({"item": ["a"], "title": ["Mint 茶 🍵"]}),
        out=tmp_path / "x.pocketrec",
        teacher=teacher,
        quiet=True,
    )
    with pocketrec.open(tmp_path / "x.pocketrec") as rec:
        assert ids(rec.search("mint")) == ["a"]
        assert rec.search("mint")[0].title == "Mint 茶 🍵"
        assert ids(rec.similar("a")) == []


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({}, UsageError, "interactions, items, or both"),
        ({"items": "i.csv", "split": "s.csv"}, UsageError, "a split divides interactions"),
        ({"items": "i.csv", "preset": "slow"}, UsageError, "preset is 'slow'"),
        ({"items": "i.csv", "cache": __file__}, UsageError, "is a file; expected a folder"),
        ({"items": "i.csv", "seed": -1}, UsageError, "seed is -1; expected 0 to 4294967295"),
        ({"items": "i.csv", "threads": 0}, UsageError, "threads is 0; expected 1 or more"),
        ({"items": "i.csv", "seed": 2**32}, UsageError, "seed is 4294967296"),
        ({"items": "nowhere.csv"}, DataError, "nowhere.csv"),
        ({"interactions": "nowhere.parquet"}, DataError, "nowhere.parquet"),
        ({"items": "nowhere.csv", "columns": {"colour": "c"}}, UsageError, "unknown role 'colour'"),
        ({"items": "nowhere.csv", "columns": {"items.user": "c"}}, UsageError, "unknown role 'items.user'"),
    ],
)
def test_bad_requests_are_refused_and_leave_nothing(arguments, error, said, tmp_path):
    with pytest.raises(error, match=said):
        build(**arguments, out=tmp_path / "x.pocketrec", quiet=True)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("content", ["", "user,item\n", "who,what\n1,2\n", "user,item\n,\n", "user,item\nu,caf\xe9\n"])
def test_unusable_files_are_one_line_on_stderr(content, tmp_path, capsys):
    path = tmp_path / "i.csv"
    path.write_bytes(content.encode("latin-1"))
    assert cli.main(["build", "--interactions", str(path), "--out", str(tmp_path / "x.pocketrec"), "--quiet"]) == 1
    out = capsys.readouterr()
    assert out.err.startswith("error: ")
    assert out.err.count("\n") == 1
    assert sorted(os.listdir(tmp_path)) == ["i.csv"]


def test_ctrl_c_leaves_nothing_behind(frames, teacher, tmp_path):
    frames[0].to_csv(tmp_path / "i.csv", index=False)
    frames[1].to_csv(tmp_path / "items.csv", index=False)
    command = [sys.executable, "-m", "pocketrec.cli", "build", "--interactions", "i.csv", "--items", "items.csv"]
    command += ["--out", "x.pocketrec", "--teacher", teacher]
    environment = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}
    (tmp_path / "tmp").mkdir()
    # Whoever runs the tests in the background may have told all children to ignore it.
    heeding = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True, preexec_fn=heeding
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("distilling"):
                break
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait(60) == 130
    assert "Traceback" not in rest
    assert "interrupted" in rest
    assert sorted(path.name for path in Path(tmp_path).iterdir()) == ["i.csv", "items.csv", "tmp"]
    assert not [name for name in os.listdir(tmp_path / "tmp") if name.startswith("pocketrec")]


def test_places_that_cannot_be_written_to_are_refused_before_any_work(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "mine.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for out, full, said in [
        ("folder", None, "is a folder; expected the name of a file"),
        ("no/x.pocketrec", None, "no is not a folder"),
        ("x.pocketrec", "no/full", "no is not a folder"),
        ("x.pocketrec", "file", "is a file; expected a folder"),
        ("folder/x.pocketrec", "folder", "is replaced as a whole"),
        ("x.pocketrec", "x.pocketrec", "is replaced as a whole"),
        ("x.pocketrec", "folder", "holds other files than a full model"),
    ]:
        save_full = None if full is None else tmp_path / full
        with pytest.raises(UsageError, match=said):
            build("nowhere.csv", out=tmp_path / out, save_full=save_full, overwrite=True, quiet=True)
    assert (tmp_path / "folder" / "mine.txt").read_text() == (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("stopped", ["FullModel.save", "Parts.write"])
def test_an_interrupted_build_leaves_neither_package_nor_full_model(stopped, tmp_path, monkeypatch):
    rows = pd.DataFrame({"user": list("uvwuvw"), "item": list("aaabbc")})
    (tmp_path / "one").mkdir()
    place = {"out": tmp_path / "one" / "x.pocketrec", "save_full": tmp_path / "one" / "full", "quiet": True}
    owner, name = {"FullModel": FullModel, "Parts": Parts}[stopped.split(".")[0]], stopped.split(".")[1]
    write = getattr(owner, name)

    def interrupted(self, path, **rest):
        write(self, path, **rest)
        if Path(path).is_relative_to(tmp_path):
            if owner is Parts:
                path.unlink()  # as if it had been stopped just before the rename
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, interrupted)
        with pytest.raises(KeyboardInterrupt):
            build(rows, **place)
    assert os.listdir(tmp_path / "one") == []
    build(rows, **place)
    (place["save_full"] / "old.npy").touch()
    build(rows, **place, overwrite=True)
    assert sorted(os.listdir(tmp_path / "one")) == ["full", "x.pocketrec"]
    assert not (place["save_full"] / "old.npy").exists()
    assert FullModel.load(place["save_full"]).items == 3


def test_shuffled_rows_give_the_same_package(frames, tmp_path):
    shuffled = frames[0].sample(frac=1, random_state=3)
    for name, frame in (("a", frames[0]), ("b", shuffled)):
        build(frame, out=tmp_path / f"{name}.pocketrec", name="x", quiet=True)
    assert (tmp_path / "a.pocketrec").read_bytes() == (tmp_path / "b.pocketrec").read_bytes()


def test_a_package_evaluated_without_a_split_is_refused(built, frames, tmp_path):
    rows = read_interactions(frames[0])
    write_split(make_split(rows, seed=0, test=0.2), tmp_path / "s.csv")
    with pytest.raises(DataError, match="was built without one"):
        evaluate(built[0] / "x.pocketrec", frames[0], split=tmp_path / "s.csv")


@pytest.fixture(scope="module")
def rated():
    """Everybody rates 20 of 30 items: 5 on the own side of the two groups, 1 or 2 on the other."""
    rng = np.random.default_rng(2)
    rows = [
        (f"u{user}", f"{('tea', 'novel')[item // 15]}-{item}", 5 if user % 2 == item // 15 else 1 + int(item % 2))
        for user in range(60)
        for item in rng.choice(30, 20, replace=False)
    ]
    return pd.DataFrame(rows, columns=["user", "item", "rating"])


def test_ratings_make_a_package_that_predicts_them(rated, tmp_path, capsys):
    report = build(rated, out=tmp_path / "x.pocketrec")
    assert "fitting 1,200 ratings" in capsys.readouterr().err
    with pocketrec.open(tmp_path / "x.pocketrec") as rec:
        low, high = rec.predict([("tea-1", 1), ("novel-20", 5), ("tea-3", 2)], ["tea-2", "novel-22"])
        assert (round(high), low < 2.5) == (5, True)
        assert 2.5 < rec.predict([], ["tea-2"])[0] < 4
    ratings = json.loads(json.dumps(report.as_dict()))["ratings"]
    assert ratings["rmse"]["package"] < 0.5 < 1.5 < ratings["rmse"]["biases"]
    assert report.facts["metrics"]["rating_rmse"] == ratings["rmse"]
    assert len(ratings["curve"]) == ratings["settings"]["epochs"]
    assert any(line.startswith("RMSE on 120 held-out ratings: package 0.") for line in report.lines())
    verified = verify_package(tmp_path / "x.pocketrec")["engines"]
    assert all(engine["ok"] for engine in verified.values())


def test_prediction_is_left_out_where_it_is_not_wanted_or_means_nothing(rated, tmp_path):
    sizes = []
    for name, options in (("a", {}), ("b", {"predict": False}), ("c", {"value": "count"})):
        report = build(rated, out=tmp_path / f"{name}.pocketrec", quiet=True, **options)
        assert ("ratings" in report.facts["parts"]) == (name == "a")
        assert (report.ratings is None) == (name != "a")
        sizes.append(report.facts["bytes"])
    assert sizes[0] > sizes[1]


def test_with_a_split_only_the_train_users_ratings_teach(rated, tmp_path):
    write_split(make_split(read_interactions(rated), seed=0, test=0.2, validation=0.2), tmp_path / "s.csv")
    split = pd.read_csv(tmp_path / "s.csv")
    held_out = set(split.loc[split["part"] != "train", "user"])
    changed = rated.assign(rating=rated["rating"].where(~rated["user"].isin(held_out) | (rated["rating"] > 3), 3))
    packages = []
    for name, frame in (("a", rated), ("b", changed)):
        build(frame, out=tmp_path / f"{name}.pocketrec", split=tmp_path / "s.csv", quiet=True)
        with pocketrec.open(tmp_path / f"{name}.pocketrec") as rec:
            packages.append([bytes(rec.package.blob(f"ratings/{part}")) for part in ("value", "bias", "spread")])
    assert held_out
    assert packages[0] == packages[1]


@pytest.mark.parametrize("by", ["user", "time"])
def test_evaluate_prints_the_error_of_predicted_ratings(rated, tmp_path, capsys, by):
    """Each user loves one side and loathes the other: told some, the package knows; the items' averages cannot."""
    rows = rated.assign(timestamp=np.random.default_rng(4).permutation(len(rated)))
    rows.to_csv(tmp_path / "i.csv", index=False)
    out, split = str(tmp_path / "x.pocketrec"), str(tmp_path / "s.csv")
    data = ["--interactions", str(tmp_path / "i.csv"), "--split", split]
    assert cli.main(["split", *data[:2], "--by", by, "--out", split]) == 0
    assert cli.main(["build", *data, "--out", out, "--quiet"]) == 0
    capsys.readouterr()
    assert cli.main(["evaluate", out, *data, "--json"]) == 0
    error = json.loads(capsys.readouterr().out)["rmse"]
    assert error["package"] < 0.7 < 1.5 < error["averages"]
    parts = pd.read_csv(split)
    if by == "user":
        # The targets of the split, and about a fifth of what the same users did not like.
        tested = set(parts.loc[parts["part"] == "test_out", "user"])
        disliked = int((rated["user"].isin(tested) & (rated["rating"] < 4)).sum())
        others = error["ratings"] - int((parts["part"] == "test_out").sum())
        assert 0.05 * disliked < others < 0.4 * disliked
    else:
        # All that users with something liked before and in the test period gave in it, liked or not.
        tested = set(parts.loc[parts["part"] == "test", "user"]) & set(parts.loc[parts["part"] != "test", "user"])
        first = rows.merge(parts[parts["part"] == "test"], on=["user", "item"])["timestamp"].min()
        assert error["ratings"] == int((rows["user"].isin(tested) & (rows["timestamp"] >= first)).sum())
    assert cli.main(["evaluate", out, *data]) == 0
    assert f"RMSE of {error['ratings']} predicted ratings of {error['users']} test users" in capsys.readouterr().out
