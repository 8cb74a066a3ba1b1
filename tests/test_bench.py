"""`pocketrec bench`: what gets worse is found, what does not is let through, what cannot be compared is refused."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pocketrec
import pytest
from pocketrec import cli
from pocketrec.bench.gates import GATES, Limits, judge
from pocketrec.bench.intervals import ratio_of_medians
from worlds import random_world, tiny_world

RUNTIME = Path(pocketrec.__file__).resolve().parent
LIMITS = Limits()
TRIALS = 60


# ------------------------------------------------------------------- statistics, without a clock


def drawn(generator, *, factor=1.0, shared, own=0.01, processes=5, blocks=40):
    """Block medians of a side: what disturbs both sides alike, times what disturbs this process, times a little."""
    each = 1 + own * generator.standard_normal((processes, 1))
    little = 1 + 0.02 * np.abs(generator.standard_normal((processes, blocks)))
    return factor * shared * each * little


def sides(seed, factor):
    """Old and new block medians under one noisy neighbour, who triples some blocks of both sides."""
    generator = np.random.default_rng(seed)
    shared = 0.3 * np.where(generator.random((5, 40)) < 0.2, 3.0, 1.0)
    return drawn(generator, shared=shared), drawn(generator, factor=factor, shared=shared)


def failed(old, new, limit=LIMITS.latency):
    return ratio_of_medians(old, new).low > 1 + limit


def test_the_ratio_of_equal_samples_is_one():
    old, _ = sides(0, 1.0)
    ratio = ratio_of_medians(old, old)
    assert (ratio.value, ratio.low, ratio.high) == (1.0, 1.0, 1.0)


def test_the_same_program_is_let_through_every_time():
    assert not any(failed(*sides(seed, 1.0)) for seed in range(TRIALS))


@pytest.mark.parametrize(("factor", "least"), [(1.25, 1.0), (1.10, 0.95)])
def test_a_slowdown_is_found(factor, least):
    assert sum(failed(*sides(seed, factor)) for seed in range(TRIALS)) >= least * TRIALS


def test_one_slow_process_of_five_is_no_regression():
    old, new = sides(3, 1.0)
    new[2] *= 1.5
    assert not failed(old, new)


def test_each_bound_is_right_as_often_as_it_says():
    found = [ratio_of_medians(*sides(seed, 1.10)) for seed in range(TRIALS)]
    assert sum(ratio.low <= 1.10 for ratio in found) >= 0.95 * TRIALS
    assert sum(ratio.high >= 1.10 for ratio in found) >= 0.95 * TRIALS


def test_stored_figures_are_drawn_apart():
    old, new = sides(1, 1.0)
    paired, apart = (ratio_of_medians(old, new, paired=way) for way in (True, False))
    assert paired.value == apart.value
    assert apart.high - apart.low > paired.high - paired.low
    assert ratio_of_medians(old[:3, :7], new, paired=False).low > 0
    with pytest.raises(ValueError, match="shapes"):
        ratio_of_medians(old[:3], new)


# ------------------------------------------------------------------- gates over figures


def figures(**changes):
    """Figures of a package that nothing is wrong with."""
    counted = {"tool": "perf", "per_call": {"recommend": 1e6}, "dispatch": ["AVX2"], "reason": ""}
    accuracy = {"figures": {"ndcg10": 0.25, "recall20": 0.5}, "source": "split abc, 90 users"}
    blocks = [[0.3, 0.31, 0.29]] * 3
    return {
        "session": "one",
        "bytes": 1_000_000,
        "latency": {"recommend": {"blocks_ms": blocks}},
        "accuracy": accuracy,
        "instructions": counted,
    } | changes


def outcomes(old, new, *gates):
    return {outcome.name: outcome for outcome in judge(old, new, LIMITS, gates or GATES)}


def test_nothing_changed_passes_everything():
    found = outcomes(figures(), figures())
    assert list(found) == [
        "latency: recommend", "bytes", "accuracy: ndcg10", "accuracy: recall20", "instructions: recommend",
    ]  # fmt: skip
    assert {outcome.status for outcome in found.values()} == {"passed"}


@pytest.mark.parametrize(("grown", "status"), [(1_020_000, "failed"), (1_009_000, "passed"), (900_000, "passed")])
def test_growth_of_the_file(grown, status):
    assert outcomes(figures(), figures(bytes=grown), "bytes")["bytes"].status == status


@pytest.mark.parametrize(("share", "status"), [(0.99, "failed"), (0.996, "passed"), (1.1, "passed")])
def test_loss_of_accuracy(share, status):
    lost = {"figures": {"ndcg10": 0.25 * share, "recall20": 0.5}, "source": "split abc, 90 users"}
    found = outcomes(figures(), figures(accuracy=lost), "accuracy")
    assert found["accuracy: ndcg10"].status == status
    assert found["accuracy: recall20"].status == "passed"


@pytest.mark.parametrize(("count", "status"), [(1.05e6, "failed"), (1.02e6, "passed")])
def test_more_instructions(count, status):
    counted = {"tool": "perf", "per_call": {"recommend": count}, "dispatch": ["AVX2"], "reason": ""}
    found = outcomes(figures(), figures(instructions=counted), "instructions")
    assert found["instructions: recommend"].status == status


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"accuracy": None}, "no figures of the package"),
        ({"accuracy": {"figures": {"ndcg10": 0.25}, "source": "split xyz"}}, "not of the same users"),
        ({"instructions": {"tool": "", "per_call": None, "dispatch": [], "reason": "perf is not installed"}}, "perf"),
        (
            {"instructions": {"tool": "valgrind", "per_call": {"recommend": 1.0}, "dispatch": [], "reason": ""}},
            "counted by",
        ),
        (
            {"instructions": {"tool": "perf", "per_call": {"recommend": 1.0}, "dispatch": ["NEON"], "reason": ""}},
            "other vector instructions",
        ),
        ({"latency": {"search": {"blocks_ms": [[1.0]]}}}, "was not asked this"),
    ],
)
def test_what_is_not_measured_is_never_a_pass(changes, said):
    gate = next(iter(changes))
    (outcome,) = outcomes(figures(), figures(**changes), gate).values()
    assert outcome.status == "not measured"
    assert said in outcome.note


def test_noise_on_both_sides_of_the_limit_is_said():
    wild = [[0.2, 0.3, 0.5], [0.4, 0.3, 0.2], [0.3, 0.5, 0.25]]
    old = figures(latency={"recommend": {"blocks_ms": wild}})
    new = figures(latency={"recommend": {"blocks_ms": wild[::-1]}})
    outcome = outcomes(old, new, "latency")["latency: recommend"]
    assert outcome.status == "passed"
    assert "too noisy" in outcome.note


# ------------------------------------------------------------------- the command


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    return random_world(tmp_path_factory.mktemp("bench") / "x.pocketrec", items=3000)


def run(capsys, *words):
    code = cli.main(["bench", *map(str, words)])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


QUICK = ("--engine", "numpy", "--processes", "2", "--blocks", "3")


def test_figures_of_one_package(capsys, package):
    code, out, _ = run(capsys, package, *QUICK, "--json")
    report = json.loads(out)
    mine = report["package"]
    assert (code, report["baseline"], report["outcomes"]) == (0, None, [])
    assert set(mine["latency"]) == {"recommend", "search", "rank"}
    for found in mine["latency"].values():
        assert 0 < found["p50_ms"] <= found["p95_ms"] <= found["p99_ms"]
        assert np.shape(found["blocks_ms"]) == (2, 3)
    # The engine alone is part of the call.
    assert mine["latency"]["rank"]["p50_ms"] < mine["latency"]["recommend"]["p50_ms"]
    assert mine["bytes"] == package.stat().st_size
    assert mine["rss_mb"] is None or mine["rss_mb"] > 10
    assert 0 < mine["start"]["open_ms"] < mine["start"]["process_ms"]
    assert mine["device"]["engine"] == "numpy"
    assert mine["instructions"]["tool"] == "perf" or mine["instructions"]["reason"]


def test_a_package_against_itself(capsys, package, tmp_path):
    written = ("--junit", tmp_path / "b.xml", "--markdown", tmp_path / "b.md")
    code, out, _ = run(capsys, package, *QUICK, "--baseline", package, "--max-regression", "9", *written)
    assert code == 0
    assert "passed        latency: rank" in out
    assert "not measured  accuracy: no figures of either package" in out
    suite = ElementTree.parse(tmp_path / "b.xml").getroot()
    skipped = [case.get("name") for case in suite if case.find("skipped") is not None]
    assert "accuracy" in skipped
    assert suite.get("failures") == "0"
    assert int(suite.get("skipped")) == len(skipped)
    assert "nothing got worse" in (tmp_path / "b.md").read_text()


def slowed_runtime(folder):
    """This runtime, its ranker a quarter slower: after each ranking it burns a quarter of the time that it took."""
    shutil.copytree(RUNTIME, folder / "pocketrec", ignore=shutil.ignore_patterns("__pycache__"))
    with (folder / "pocketrec" / "engine_numpy.py").open("a") as module:
        module.write(
            "\n\nimport time\n\n_rank = NumpyEngine.rank\n\n\n"
            "def _slowed(self, task):\n"
            "    started = time.perf_counter_ns()\n"
            "    answer = _rank(self, task)\n"
            "    ended = time.perf_counter_ns()\n"
            "    while time.perf_counter_ns() < ended + (ended - started) // 4:\n"
            "        pass\n"
            "    return answer\n\n\n"
            "NumpyEngine.rank = _slowed\n"
        )
    return folder


def test_a_ranker_a_quarter_slower_is_caught(package, tmp_path):
    slow = slowed_runtime(tmp_path)
    command = [sys.executable, "-P", "-m", "pocketrec", "bench", package, "--baseline", package, "--json"]
    command += ["--baseline-runtime", str(RUNTIME.parent), "--engine", "numpy", "--gates", "latency"]
    command += ["--processes", "3", "--blocks", "20"]
    done = subprocess.run(
        list(map(str, command)), env={"PYTHONPATH": str(slow)}, capture_output=True, text=True, check=False
    )
    found = {outcome["name"]: outcome for outcome in json.loads(done.stdout)["outcomes"]}
    assert done.returncode == 3
    assert found["latency: rank"]["status"] == "failed"
    # The ranker really is a quarter slower, whatever else runs here: both sides are measured in turn.
    assert found["latency: rank"]["ratio"] == pytest.approx(1.25, abs=0.12)


def test_a_file_two_percent_larger_is_caught(capsys, package, tmp_path):
    padding = np.zeros(package.stat().st_size // 50, np.uint8)
    larger = random_world(tmp_path / "larger.pocketrec", items=3000, more={"notes/padding": padding})
    code, out, _ = run(capsys, larger, "--baseline", package, "--gates", "bytes", "--json")
    (outcome,) = json.loads(out)["outcomes"]
    assert (code, outcome["status"]) == (3, "failed")
    assert outcome["ratio"] == pytest.approx(1.02, abs=0.001)
    assert run(capsys, package, "--baseline", larger, "--gates", "bytes")[0] == 0


def with_metrics(path, ndcg):
    metrics = {"package": {"users": 90, "ndcg10": ndcg}, "measured_on": "15 % of users held out"}
    return tiny_world(path, settings={"metrics": metrics})


def test_one_percent_of_ndcg_is_caught_from_the_manifests(capsys, tmp_path):
    old, new = with_metrics(tmp_path / "old.pocketrec", 0.25), with_metrics(tmp_path / "new.pocketrec", 0.2475)
    junit = tmp_path / "b.xml"
    code, out, _ = run(capsys, new, "--baseline", old, "--gates", "bytes,accuracy", "--junit", junit)
    assert code == 3
    assert "failed        accuracy: ndcg10: 0.2500 -> 0.2475, -1.00%, limit -0.50%" in out
    (failure,) = ElementTree.parse(junit).getroot().iter("failure")
    assert "-1.00%" in failure.get("message")


def test_worse_lists_are_caught_by_evaluating_both(frames, tmp_path, monkeypatch, capsys):
    from pocketrec_export import build
    from pocketrec_export.divide import divide

    rows, _ = frames
    rows.to_csv(tmp_path / "r.csv", index=False)
    divide(tmp_path / "r.csv", out=tmp_path / "s.csv")
    for name, signals in (("good", ["neighbours", "popularity"]), ("bad", ["popularity"])):
        build(
            tmp_path / "r.csv",
            out=tmp_path / f"{name}.pocketrec",
            split=tmp_path / "s.csv",
            signals=signals,
            predict=False,
            quiet=True,
        )
    monkeypatch.chdir(tmp_path)
    words = ("--interactions", "r.csv", "--split", "s.csv", "--gates", "accuracy", "--json")
    code, out, _ = run(capsys, "bad.pocketrec", "--baseline", "good.pocketrec", *words)
    report = json.loads(out)
    assert code == 3
    assert report["outcomes"][0]["status"] == "failed"
    assert report["package"]["accuracy"]["source"].startswith("split ")
    assert run(capsys, "good.pocketrec", "--baseline", "bad.pocketrec", *words)[0] == 0
    code, _, err = run(capsys, "good.pocketrec", *words[:2], "--split", "r.csv", "--gates", "accuracy")
    assert (code, err.count("\n")) == (1, 1)
    assert "evaluate good.pocketrec failed" in err


# ------------------------------------------------------------------- what cannot be compared


@pytest.fixture(scope="module")
def stored(package, tmp_path_factory):
    path = tmp_path_factory.mktemp("stored") / "old.json"
    command = [sys.executable, "-m", "pocketrec", "bench", str(package), *QUICK, "--json"]
    environment = {**os.environ, "PYTHONPATH": str(RUNTIME.parent)}
    path.write_bytes(subprocess.run(command, env=environment, check=True, capture_output=True).stdout)
    return path


def test_stored_figures_are_a_baseline(capsys, package, stored):
    code, out, _ = run(capsys, package, *QUICK, "--baseline", stored, "--max-regression", "9")
    assert code == 0
    assert "passed        latency: recommend" in out


def changed(stored, tmp_path, **changes):
    report = json.loads(stored.read_text())
    for key, value in changes.items():
        report["package"][key] = report["package"][key] | value if isinstance(value, dict) else value
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(report))
    return path


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"device": {"cpu": "Another CPU"}}, 5, "cpu 'Another CPU'"),
        ({"device": {"numpy": "1.0"}}, 5, "numpy '1.0'"),
        ({"schema": 99}, 5, "schema 99"),
        ({"catalogue": "0" * 64}, 6, "another catalogue"),
    ],
)
def test_other_devices_versions_and_catalogues(capsys, package, stored, tmp_path, changes, code, said):
    found, out, err = run(capsys, package, *QUICK, "--baseline", changed(stored, tmp_path, **changes))
    assert (found, out, err.count("\n")) == (code, "", 1)
    assert said in err


def test_sizes_compare_across_devices(capsys, package, stored, tmp_path):
    other = changed(stored, tmp_path, device={"cpu": "Another CPU"})
    code, out, _ = run(capsys, package, "--baseline", other, "--gates", "bytes")
    assert code == 0
    assert "passed        bytes" in out


def test_a_package_of_other_items(capsys, package, tmp_path):
    other = random_world(tmp_path / "other.pocketrec", items=300)
    code, out, err = run(capsys, package, *QUICK, "--baseline", other)
    assert (code, out) == (6, "")
    assert "300 items" in err


@pytest.mark.parametrize("content", [None, b"", b"[]", b'{"package": 3}', b'{"package": {"schema": 1}}', b"\xff{"])
def test_no_baseline(capsys, package, tmp_path, content):
    path = tmp_path / "old.json"
    if content is not None:
        path.write_bytes(content)
    code, out, err = run(capsys, package, *QUICK, "--baseline", path)
    assert (code, out, err.count("\n")) == (4, "", 1)
    assert "old.json" in err


@pytest.mark.parametrize(
    "words",
    [
        ("--gates", "speed"),
        ("--gates", ","),
        ("--processes", "0"),
        ("--max-loss", "nan"),
        ("--interactions", "r.csv"),
        ("--baseline-runtime", "."),
        ("--junit", "no/such/folder/b.xml", "--gates", "bytes"),
    ],
)
def test_usage(capsys, package, words):
    code, out, err = run(capsys, package, *words)
    assert (code, out, err.count("\n")) == (2, "", 1)


def test_a_process_that_dies_says_why(capsys, package, tmp_path):
    broken = tmp_path / "runtime" / "pocketrec"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise RuntimeError('no such luck')\n")
    code, _, err = run(capsys, package, *QUICK, "--baseline", package, "--baseline-runtime", broken.parent)
    assert (code, err.count("\n")) == (1, 1)
    assert "no such luck" in err


def test_names_of_packages_do_no_harm(capsys, tmp_path):
    hostile = tiny_world(tmp_path / "x.pocketrec", settings={"name": "<b>|`\x1b[31m\n# x\x00"})
    written = ("--junit", tmp_path / "b.xml", "--markdown", tmp_path / "b.md")
    code, out, _ = run(capsys, hostile, "--baseline", hostile, "--gates", "bytes", *written)
    assert code == 0
    assert "\x1b" not in out
    ElementTree.parse(tmp_path / "b.xml")
    first = (tmp_path / "b.md").read_text().splitlines()[0]
    assert first == "### pocketrec bench: &lt;b>\\|' [31m # x : nothing got worse"
