"""A user's profile: what it weighs at a time, what recommenders make of it, and what its file survives."""

import json
import math
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pocketrec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pocketrec import BusyError, DataError, Profile, UsageError, cli
from pocketrec.event_log import LATEST, MAGIC, MAX_RECORD, Event, decode, encode
from pocketrec.profile import DAY, WEIGHTS
from worlds import TINY_IDS, random_world, tiny_world

NOW = 1_800_000_000.0
GOLDEN = Path(__file__).parent / "golden" / "profile.json"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return tiny_world(tmp_path_factory.mktemp("world") / "tiny.pocketrec")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "me.profile"


def ids(results):
    return [item.item for item in results]


# ------------------------------------------------------------------ what it weighs


def test_golden_weights(path):
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    for case in golden["cases"]:
        path.write_bytes(MAGIC + b"".join(encode(Event(*event)) for event in case["events"]))
        days = math.inf if case["half_life_days"] is None else case["half_life_days"]
        with Profile.open(path, write=False, half_life_days=days, weights=golden["weights"]) as profile:
            history = profile.history(now=case["now"])
        assert [item for item, _ in history] == [item for item, _ in case["history"]]
        np.testing.assert_allclose([w for _, w in history], [w for _, w in case["history"]], rtol=1e-12, atol=0)


def test_a_golden_file_is_these_bytes(path):
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))["file"]
    with Profile.open(path) as profile:
        for item, event, when in golden["events"]:
            profile.add(item, event=event, when=when)
    assert path.read_bytes().hex() == golden["hex"]


DAMAGE = json.loads(GOLDEN.read_text(encoding="utf-8"))["damage"]


@pytest.mark.parametrize("write", [False, True])
@pytest.mark.parametrize("case", DAMAGE, ids=lambda case: case["name"])
def test_a_golden_damage_leaves_the_events_before_it(path, case, write):
    data = bytes.fromhex(case["hex"])
    path.write_bytes(data)
    if case["events"] is None:
        with pytest.raises(DataError, match="is not a profile"):
            Profile.open(path, write=write)
        assert path.read_bytes() == data
        return
    events = [Event(*event) for event in case["events"]]
    with Profile.open(path, write=write) as profile:
        assert [Event(**event) for event in profile.export()["events"]] == events
        assert profile.lost_bytes == case["lost_bytes"]
    assert path.read_bytes() == (MAGIC + b"".join(map(encode, events)) if write else data)
    kept = path.with_name("me.profile.damaged")
    assert kept.exists() == (write and case["kept"])
    assert not kept.exists() or kept.read_bytes() == data[len(data) - case["lost_bytes"] :]


def test_the_golden_export(path):
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))["file"]
    path.write_bytes(bytes.fromhex(golden["hex"]))
    with Profile.open(path, write=False) as profile:
        assert json.dumps(profile.export()) == golden["export"]


def test_events_add_up_and_fade_by_half(path):
    with Profile.open(path, half_life_days=10) as profile:
        profile.add("a", event="click", when=NOW)
        profile.add("a", event="click", when=NOW - 10 * DAY)
        profile.dislike("b", when=NOW - 20 * DAY)
        assert profile.history(now=NOW) == [("a", 1.5), ("b", WEIGHTS["dislike"] / 4)]


def test_an_event_of_the_future_is_as_new_as_can_be(path):
    with Profile.open(path, half_life_days=10) as profile:
        profile.add("later", when=NOW + 1000 * DAY)
        profile.add("now", when=NOW)
        assert profile.history(now=NOW) == [("later", 1.0), ("now", 1.0)]


def test_a_clock_that_goes_back_loses_nothing(path):
    times = [NOW, NOW - 5 * DAY, 0.0, NOW + DAY]
    with Profile.open(path, half_life_days=5) as profile:
        for item, when in zip("abcd", times, strict=True):
            profile.add(item, when=when)
        expected = [("a", 1.0), ("b", 0.5), ("c", 2 ** -(NOW / DAY / 5)), ("d", 1.0)]
        assert profile.history(now=NOW) == expected
    with Profile.open(path, half_life_days=5) as profile:
        assert profile.history(now=NOW) == expected
        assert [event["when"] for event in profile.export()["events"]] == times


def test_types_of_the_app_and_types_nobody_knows_any_more(path):
    with Profile.open(path, weights={"share": 4, "click": 0.25}) as profile:
        profile.add("a", event="share", when=NOW)
        profile.add("b", when=NOW)
        assert dict(profile.history(now=NOW)) == {"a": 4.0, "b": 0.25}
    with Profile.open(path) as profile:
        assert dict(profile.history(now=NOW)) == {"a": 0.0, "b": 1.0}
        assert profile.export()["events"][0]["event"] == "share"


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda p: p.add("a", event="stare"), "unknown event 'stare'; this profile knows view, click"),
        (lambda p: p.add("", when=0), "item '' has 0 bytes"),
        (lambda p: p.add("x" * 5000), "expected 1 to 4096"),
        (lambda p: p.add("\ud800"), "not valid Unicode"),
        (lambda p: p.add("a", when=math.nan), "when is nan"),
        (lambda p: p.add("a", when=NOW * 1000), "expected seconds since 1970"),
        (lambda p: p.history(now=math.inf), "now is inf"),
        (lambda p: Profile.open("x", half_life_days=0), "half_life_days is 0"),
        (lambda p: Profile.open("x", max_events=0), "max_events is 0"),
        (lambda p: Profile.open("x", weights={"a": math.inf}), "the weight of event 'a' is inf"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(path, call, said):
    with Profile.open(path) as profile:
        with pytest.raises(UsageError, match=said):
            call(profile)
        assert len(profile) == 0
    assert path.read_bytes() == MAGIC


# ------------------------------------------------------------ what recommenders make of it


@pytest.mark.parametrize("engine", ["numpy", "onnx"])
def test_one_event_changes_the_next_answer(tiny, path, engine):
    with pocketrec.open(tiny, engine=engine) as recommender, Profile.open(path) as profile:
        assert ids(recommender.recommend(profile=profile, k=2)) == ["tea-0", "tea-1"]
        profile.like("book-3")
        assert ids(recommender.recommend(profile=profile, k=2)) == ["book-0", "book-1"]
        assert ids(recommender.search("new", profile=profile, k=2))[1].startswith("book")
        for _ in range(3):
            profile.dislike("book-3")
        assert ids(recommender.recommend(profile=profile, k=2)) == ["tea-0", "tea-1"]


def test_the_clock_of_the_recommender_is_the_one_that_counts(tiny, path):
    with pocketrec.open(tiny, clock=lambda: NOW) as recommender, Profile.open(path, half_life_days=1) as profile:
        profile.like("tea-0", when=NOW)
        profile.like("book-0", when=NOW - 10 * DAY)
        assert recommender.recommend(profile=profile) == recommender.recommend(profile=profile, now=NOW)
        later = recommender.recommend(profile=profile, now=NOW + 30 * DAY)
        assert later[0].score < recommender.recommend(profile=profile)[0].score


def test_similar_leaves_out_what_the_user_dislikes(tiny, path):
    with pocketrec.open(tiny) as recommender, Profile.open(path) as profile:
        profile.dislike("tea-0", when=NOW)
        profile.like("tea-1", when=NOW)
        assert ids(recommender.similar("tea-2", profile=profile, k=2, now=NOW)) == ["tea-1", "tea-3"]


def test_a_retrained_package_reads_the_same_profile(tiny, path, tmp_path):
    other = random_world(tmp_path / "other.pocketrec", items=50)
    with Profile.open(path) as profile:
        for item in ("tea-1", "7", "gone"):
            profile.add(item, when=NOW)
        with pocketrec.open(tiny) as a, pocketrec.open(other) as b:
            for _ in range(2):  # the second time from what was looked up
                assert a.recommend(profile=profile, k=1, now=NOW).unknown == ("7", "gone")
                assert b.recommend(profile=profile, k=1, now=NOW).unknown == ("tea-1", "gone")
            assert ids(a.recommend(profile=profile, k=1, now=NOW)) == ["tea-0"]
            with pytest.raises(UsageError, match="'7', 'gone'"):
                a.recommend(profile=profile, strict=True)
    assert [event.item for event in decode(path.read_bytes())[0]] == ["tea-1", "7", "gone"]


@given(data=st.data())
def test_a_profile_ranks_as_its_history_does(data, tmp_path_factory):
    folder = tmp_path_factory.getbasetemp()
    package = folder / "profile-world.pocketrec"
    if not package.exists():
        random_world(package, items=700, signals=("factors", "neighbours", "popularity"))
    item = st.integers(0, 720).map(str)
    events = data.draw(
        st.lists(st.tuples(item, st.sampled_from(list(WEIGHTS)), st.floats(NOW - 1e8, NOW)), max_size=30)
    )
    if data.draw(st.booleans()):  # longer than a package reads
        events += [(str(i), "click", NOW - i) for i in range(600)]
    more = data.draw(st.lists(st.tuples(item, st.floats(-9, 9)), max_size=5))
    path = folder / "drawn.profile"
    path.write_bytes(MAGIC + b"".join(encode(Event(*event)) for event in events))
    with pocketrec.open(package, engine="numpy") as recommender, Profile.open(path, write=False) as profile:
        ours = recommender.recommend(more, profile=profile, k=20, now=NOW)
        assert ours == recommender.recommend([*profile.history(now=NOW), *more], k=20)


def test_threads_read_while_one_writes(tiny, path):
    with pocketrec.open(tiny, engine="numpy") as recommender, Profile.open(path, max_events=50) as profile:
        failures = []

        def read():
            try:
                for _ in range(100):
                    recommender.recommend(profile=profile, k=3)
            except Exception as error:
                failures.append(error)

        readers = [threading.Thread(target=read) for _ in range(3)]
        for thread in readers:
            thread.start()
        for i in range(200):
            profile.add(TINY_IDS[i % 8], event=("view", "dislike")[i % 2])
        for thread in readers:
            thread.join()
        assert not failures
        assert len(profile) <= 50


# --------------------------------------------------------------------- its file


EVENTS = [Event(f"item-{i}", "click", NOW + i) for i in range(5)]
WHOLE = MAGIC + b"".join(map(encode, EVENTS))


@pytest.mark.parametrize("cut", range(len(WHOLE)))
def test_every_torn_tail_is_cut_to_the_last_whole_record(path, cut):
    path.write_bytes(WHOLE[:cut])
    kept = [end for n in range(6) if (end := len(MAGIC) + sum(len(encode(e)) for e in EVENTS[:n])) <= cut]
    with Profile.open(path, write=cut % 2 == 0 or cut < len(MAGIC)) as profile:
        assert len(profile) == max(0, len(kept) - 1)
        assert profile.lost_bytes == (cut - kept[-1] if kept else 0)
        if cut % 2 == 0:
            profile.add("new", when=NOW)
    if cut % 2 == 0:
        with Profile.open(path) as profile:
            assert profile.lost_bytes == 0
            assert [event["item"] for event in profile.export()["events"]][-1] == "new"
            assert len(profile) == max(0, len(kept) - 1) + 1


@pytest.mark.parametrize("at", range(len(MAGIC), len(WHOLE)))
def test_no_flipped_byte_makes_up_an_event(path, at):
    data = bytearray(WHOLE)
    data[at] ^= 0x55
    path.write_bytes(data)
    with Profile.open(path, write=False) as profile:
        assert profile.lost_bytes > 0
        events = [Event(**event) for event in profile.export()["events"]]
        assert events == EVENTS[: len(events)]
    assert path.read_bytes() == data


def test_damage_in_the_middle_is_kept_beside_until_it_is_erased(path):
    many = MAGIC + encode(EVENTS[0]) * 300
    broken = bytearray(many)
    broken[len(MAGIC) + 10] ^= 1
    path.write_bytes(broken)
    with Profile.open(path) as profile:
        assert (len(profile), profile.lost_bytes) == (0, len(many) - len(MAGIC))
        damaged = path.with_name("me.profile.damaged")
        assert damaged.read_bytes() == broken[len(MAGIC) :]
        assert len(broken) > MAX_RECORD
        profile.erase()
        assert not damaged.exists()


@pytest.mark.parametrize("data", [b"PK\x03\x04 a package", b"{}", MAGIC[:-1] + b"9" + b"x" * 20])
def test_what_is_no_profile_is_refused_and_left_as_it_is(path, data):
    path.write_bytes(data)
    for write in (True, False):
        with pytest.raises(DataError, match="is not a profile"):
            Profile.open(path, write=write)
    assert path.read_bytes() == data
    with pytest.raises(DataError, match="cannot be read"):
        Profile.open(path.with_name("nowhere"), write=False)


@pytest.mark.parametrize("limit", [1, 2, 9, 25])
def test_the_oldest_tenth_goes_when_it_is_full(path, limit):
    with Profile.open(path, max_events=limit) as profile:
        for i in range(100):
            profile.add(str(i), when=NOW - i)  # by the order of adding, not by the clock
            held = [event["item"] for event in profile.export()["events"]]
            assert held == [str(j) for j in range(i + 1)][-len(held) :]
            assert min(i + 1, limit - limit // 10) <= len(held) <= limit
            assert [item for item, _ in profile.history(now=NOW)] == held
        assert decode(path.read_bytes())[0] == [Event(**event) for event in profile.export()["events"]]


def test_a_second_writer_is_refused_and_a_reader_is_not(path):
    with Profile.open(path) as profile:
        profile.add("a", when=NOW)
        with pytest.raises(BusyError, match="another writer is open"):
            Profile.open(path)
        with Profile.open(path, write=False) as reader:
            assert len(reader) == 1
            with pytest.raises(UsageError, match="open for reading only"):
                reader.add("b")
        command = [sys.executable, "-m", "pocketrec", "profile", str(path), "add", "b"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, "another writer" in done.stderr) == (1, True)
    with pytest.raises(UsageError, match="is closed"):
        profile.add("b")
    with Profile.open(path) as profile:
        assert len(profile) == 1


ANOTHER_RUNTIME = """
import fcntl, sys
with open(sys.argv[1], "a+b") as file:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # as a Java virtual machine does
    except OSError:
        print("busy", flush=True)
    else:
        print("held", flush=True)
        sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="one lock serves all there")
def test_writers_of_other_languages_keep_each_other_out(path):
    command = [sys.executable, "-c", ANOTHER_RUNTIME, str(path.with_name("me.profile.lock"))]

    def other():
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    with Profile.open(path):
        with pytest.raises(BusyError):
            Profile.open(path)  # the refusal lets nothing go
        with other() as process:
            assert process.communicate()[0] == "busy\n"
    with other() as process:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(BusyError, match="another writer is open"):
            Profile.open(path)
        process.communicate()
    with Profile.open(path) as profile:
        profile.add("a")


def test_a_killed_writer_leaves_its_events_and_no_lock(path):
    code = (
        "import os, sys, pocketrec\n"
        f"profile = pocketrec.Profile.open({str(path)!r})\n"
        "profile.add('a', when=1.0)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    with Profile.open(path) as profile:
        assert [event["item"] for event in profile.export()["events"]] == ["a"]


FULL = """
import resource, sys, pocketrec
from pocketrec.event_log import MAGIC
path, limit = sys.argv[1], int(sys.argv[2])
with pocketrec.Profile.open(path, max_events=8) as profile:
    for i in range(8):
        profile.add(str(i), when=1.0)
    before = open(path, "rb").read()
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    for _ in range(3):
        try:
            profile.add("x" * 200, when=2.0)
            print("written")
        except pocketrec.DataError as error:
            assert "cannot be written" in str(error), error
    assert open(path, "rb").read() == before
    assert len(profile) == 8 and len(profile.history(now=2.0)) == 8
    import os; assert sorted(os.listdir(os.path.dirname(path))) == ["me.profile", "me.profile.lock"]
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits the size of files as only POSIX can")
@pytest.mark.parametrize(("room", "events"), [(0, 8), (100, 8), (5, 16), (100, 16)])
def test_a_full_disk_leaves_the_file_as_it_was(path, room, events):
    # 16 events may be held: the file grows until nothing fits. 8: the file is written anew, which does not fit either.
    size = 8 + 8 * len(encode(Event("0", "click", 1.0)))
    limit = size + room if events == 16 else room
    code = FULL.replace("max_events=8", f"max_events={events}")
    done = subprocess.run(
        [sys.executable, "-c", code, str(path), str(limit)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="nothing is read-only for root")
def test_a_read_only_folder(path):
    path.parent.chmod(0o500)
    try:
        with pytest.raises(DataError, match="cannot be written"):
            Profile.open(path)
    finally:
        path.parent.chmod(0o700)


def test_a_folder_that_is_none(tmp_path):
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "missing" / "p", tmp_path / "file" / "p"):
        with pytest.raises(DataError, match="cannot be written"):
            Profile.open(place)


def test_only_its_owner_reads_it(path):
    with Profile.open(path, durable=True) as profile:
        profile.add("a")
        profile.erase()
    assert path.read_bytes() == MAGIC
    if sys.platform != "win32":
        assert path.stat().st_mode & 0o777 == 0o600


@given(st.lists(st.tuples(st.text(min_size=1, max_size=9), st.sampled_from(["a", "é"]), st.floats(-LATEST, LATEST))))
def test_writing_then_reading_is_identity(rows):
    events = [Event(item, name, when) for item, name, when in rows]
    data = MAGIC + b"".join(map(encode, events))
    assert decode(data) == (events, len(data))


# ------------------------------------------------------------------ the command line


def test_the_command(tiny, path, capsys):
    def run(*words):
        code = cli.main(words)
        out = capsys.readouterr()
        return code, out.out, out.err

    me = str(path)
    assert run("profile", me, "add", "tea-1, tea-2", "--event", "like", "--when", str(NOW))[:2] == (0, "2 events\n")
    assert run("profile", me, "add", "cup", "--event", "dislike", "--when", str(NOW))[0] == 0
    shown = json.loads(run("profile", me, "show", "--now", str(NOW), "--json")[1])
    assert shown["items"][0] == {"item": "tea-1", "weight": 3.0}
    assert "3 events with 3 items" in run("profile", me, "show")[1]
    code, out, _ = run("recommend", str(tiny), "--profile", me, "-k", "1", "--json")
    assert (code, [item["item"] for item in json.loads(out)["results"]]) == (0, ["tea-0"])
    assert json.loads(out)["unknown"] == ["cup"]
    assert run("search", str(tiny), "tea", "--profile", me)[0] == 0
    assert run("similar", str(tiny), "tea-3", "--profile", me)[0] == 0
    assert len(json.loads(run("profile", me, "export")[1])["events"]) == 3
    with open(path, "ab") as file:
        file.write(b"torn")
    assert "its last 4 bytes were left out" in run("profile", me, "show")[2]
    assert run("profile", me, "erase")[:2] == (0, "erased\n")
    assert json.loads(run("profile", me, "export")[1])["events"] == []
    assert run("profile", me, "add", "x", "--event", "stare")[0] == 2
    assert run("profile", me, "add", "x", "--when", "2026-03-05")[:2] == (0, "1 events\n")
    later = run("profile", me, "show", "--now", "2026-06-03T00:00:00Z")[1]
    assert later.split()[-2:] == ["0.500", "x"]  # 90 days later
    code, _, error = run("profile", me, "add", "x", "--when", "soon")
    assert (code, error.split(";")[0]) == (2, "error: --when 'soon' is no time")
    assert run("recommend", str(tiny), "--profile", str(path / "nowhere"))[0] == 1
