"""The command line on a real package; building and evaluating have their own tests."""

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from crafted_zip import contents, repack
from pocketrec import arguments, cli
from pocketrec.engine import ENGINES
from test_hostile import edited, with_array
from worlds import TINY_IDS, tiny_world


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return str(tiny_world(tmp_path_factory.mktemp("world") / "tiny.pocketrec"))


@pytest.fixture
def run(capsys):
    def call(*words):
        code = cli.main(words)
        out = capsys.readouterr()
        return code, out.out, out.err

    return call


def answers(text):
    return [[item["item"] for item in json.loads(line)["results"]] for line in text.splitlines()]


def test_recommend_prints_a_table_and_reasons(run, tiny):
    code, out, err = run("recommend", tiny, "--history", "tea-1:2, book-0:-1", "-k", "2", "--explain")
    assert code == 0
    lines = out.splitlines()
    assert "Green tea  [tea-0]" in lines[0]
    assert "because of Black tea" in lines[1]
    assert err == ""


def test_json_is_one_object_a_line(run, tiny):
    code, out, _ = run("recommend", tiny, "--history", "tea-1", "-k", "3", "--json")
    assert code == 0
    assert answers(out) == [["tea-0", "tea-2", "tea-3"]]
    item = json.loads(out)["results"][0]
    assert set(item) == {"item", "title", "score", "signals", "reasons"}
    assert abs(sum(item["signals"].values()) - item["score"]) < 1e-5


def test_history_file_gives_one_answer_a_line(run, tiny, tmp_path):
    path = tmp_path / "h.jsonl"
    path.write_text('["tea-1"]\n\n[["book-3", 2.0]]\n{"book-0": 1}\n{"user": "u", "history": ["tea-0"]}\n')
    code, out, _ = run("recommend", tiny, "--history-file", str(path), "-k", "1", "--json")
    assert code == 0
    assert answers(out) == [["tea-0"], ["book-0"], ["book-1"], ["tea-1"]]


def test_search_and_similar(run, tiny):
    assert answers(run("search", tiny, "mint tea", "-k", "1", "--json")[1]) == [["tea-2"]]
    assert answers(run("similar", tiny, "tea-2", "-k", "3", "--json")[1]) == [["tea-0", "tea-1", "tea-3"]]
    filtered = run("search", tiny, "tea", "-k", "9", "--filter", "category=paper", "--exclude", "book-0", "--json")[1]
    assert set(answers(filtered)[0]) == {"book-1", "book-2", "book-3"}


def test_an_id_with_a_colon_is_an_id(run, tiny, tmp_path):
    import pocketrec

    with pocketrec.open(tiny) as recommender:
        assert arguments.history("tea-1:2,x:y,z", recommender) == [("tea-1", 2.0), ("x:y", 1.0), ("z", 1.0)]


def test_unknown_ids_are_a_note_or_with_strict_an_error(run, tiny):
    code, out, err = run("recommend", tiny, "--history", "tea-1,cup", "-k", "1")
    assert (code, "note: not in the catalogue, ignored: cup" in err) == (0, True)
    assert "tea-0" in out
    assert run("recommend", tiny, "--history", "cup", "--strict")[0] == 2


def test_weights_and_engine(run, tiny):
    for engine in ENGINES:
        weights = "factors=0,neighbours=0,content=0"
        out = run("recommend", tiny, "--history", "book-3", "--weights", weights, "--engine", engine, "--json")[1]
        assert answers(out) == [[item for item in TINY_IDS if item != "book-3"]]


def test_inspect_and_verify(run, tiny):
    code, out, _ = run("inspect", tiny)
    assert code == 0
    assert "attribute      category: category of 2" in out
    facts = json.loads(run("inspect", tiny, "--json")[1])
    assert sum(facts["parts"].values()) == facts["bytes"]
    code, out, _ = run("verify", tiny, "--json")
    assert code == 0
    assert {name: engine["ran"] for name, engine in json.loads(out)["engines"].items()} == dict.fromkeys(ENGINES, True)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["recommend", "{tiny}", "--history", "a", "--history-file", "b"], 2, "not both"),
        (["recommend", "{tiny}", "-k", "-1"], 2, "k is -1"),
        (["recommend", "{tiny}", "--filter", "paper"], 2, "expected KEY=VALUE"),
        (["recommend", "{tiny}", "--filter", "price=3"], 2, "cannot filter by 'price'"),
        (["recommend", "{tiny}", "--weights", "factors=much"], 2, "expected SIGNAL=NUMBER"),
        (["recommend", "{tiny}", "--weights", "magic=1"], 2, "unknown signal 'magic'"),
        (["recommend", "{tiny}", "--history", "tea-1:nan"], 2, "finite number"),
        (["recommend", "{tiny}", "--history-file", "nowhere.jsonl"], 1, "cannot read history file"),
        (["similar", "{tiny}", "cup"], 2, "'cup' is not in the catalogue"),
        (["search", "nowhere.pocketrec", "tea"], 1, "nowhere.pocketrec: no such file"),
        (["inspect", "nowhere.pocketrec"], 1, "no such file"),
        (["verify", __file__], 1, __file__),
    ],
)
def test_bad_input_is_one_line_and_the_right_exit_code(run, tiny, words, code, said):
    got, out, err = run(*(word.format(tiny=tiny) for word in words))
    assert got == code
    assert out == ""
    assert err.startswith("error: ")
    assert said in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "line", ["{", "3", "[1", '"tea-0"', "[" * 100_000, '{"tea-0": "x"}', "[null]", '{"history": 3}']
)
def test_a_bad_line_of_a_history_file(run, tiny, tmp_path, line):
    path = tmp_path / "h.jsonl"
    path.write_text(line)
    code, out, err = run("recommend", tiny, "--history-file", str(path))
    assert code in (1, 2)
    assert (out, err.count("\n")) == ("", 1)


def test_a_history_file_that_is_not_utf8(run, tiny, tmp_path):
    path = tmp_path / "h.jsonl"
    path.write_bytes(b'["caf\xe9"]')
    assert run("recommend", tiny, "--history-file", str(path))[0] == 1


COMMANDS = (
    "recommend",
    "search",
    "similar",
    "predict",
    "answer",
    "build-answers",
    "classify",
    "build-classifier",
    "more",
    "overlay",
    "inspect",
    "verify",
    "demo",
    "profile",
    "bench",
    "build",
    "check",
    "split",
    "evaluate",
    "pack",
)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_that_ends_with_an_example(name, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main([name, "--help"])
    assert stop.value.code == 0
    assert f"example: pocketrec {name}" in capsys.readouterr().out.replace("\n", " ")


def test_help_lists_every_command(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    out = capsys.readouterr().out
    assert set(re.findall(r"^    ([a-z-]+)\b", out, re.MULTILINE)) == set(COMMANDS)
    for words in ([], ["dance"], ["recommend"]):
        with pytest.raises(SystemExit) as stop:
            cli.main(words)
        assert stop.value.code == 2


def test_demo_answers_from_the_package_that_ships(run):
    code, out, _ = run("demo", "--json", "-k", "3")
    assert code == 0
    value = json.loads(out)
    assert len(value["search"]["results"]) == len(value["similar"]["results"]) == 3
    assert "Wikidata" in run("demo")[1]


def test_a_closed_pipe_is_no_traceback(tiny):
    command = f"{sys.executable} -m pocketrec.cli recommend {tiny} --history tea-1 | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in done.stderr


def shell(command, **env):
    """What a shell makes of ``command``: exit code, bytes of stdout, text of stderr."""
    command = command.replace("POCKETREC", f"{sys.executable} -W error -m pocketrec.cli")
    done = subprocess.run(["bash", "-c", command], capture_output=True, timeout=60, check=False, env=os.environ | env)
    return done.returncode, done.stdout, done.stderr.decode()


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_json_is_json_in_every_encoding(tiny, encoding):
    ids = ["cafe\u0301\xe9", "\u4e2d\u6587", "\U0001f600", "\x9b\x7f"]
    command = f"POCKETREC recommend {tiny} --history '{','.join(ids)}' --json"
    code, out, err = shell(command, PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    assert (code, err) == (0, "")
    assert json.loads(out.decode(encoding))["unknown"] == ids
    assert b"\xc2\x9b" not in out


@pytest.mark.parametrize("words", ["search {tiny} tea", "inspect {tiny} --json", "recommend {tiny} --json"])
def test_a_full_disk_or_a_closed_stdout_is_no_traceback(tiny, words):
    words = words.format(tiny=tiny)
    code, _, err = shell(f"POCKETREC {words} > /dev/full")
    assert (code, err.count("\n")) == (1, 1)
    assert err.startswith("error: ")
    assert shell(f"POCKETREC {words} >&-") == (0, b"", "")
    assert shell("POCKETREC inspect nowhere 2>&-")[:2] == (1, b"")


def test_a_history_from_stdin_is_utf8_whatever_the_locale(tiny):
    line = '\\xef\\xbb\\xbf["\u4e2d", "tea-1"]'
    command = f"printf '{line}' | POCKETREC recommend {tiny} --history-file - -k 1 --json"
    code, out, err = shell(command, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert (code, err) == (0, "")
    assert json.loads(out)["unknown"] == ["\u4e2d"]
    assert shell(f"POCKETREC recommend {tiny} --history-file - <&-")[0] == 1


EVIL = "\x1b[31mred\x9b\x07\nline\u202e"


def test_no_control_character_of_a_package_reaches_the_terminal(run, tiny, tmp_path):
    def poison(manifest):
        manifest["name"] = manifest["generator"] = EVIL
        manifest["data"] = {"license": EVIL, "attribution": EVIL}
        manifest["input"] |= {"reason": EVIL, "positive": EVIL}
        manifest["metrics"] = {EVIL: {EVIL: EVIL}}

    title = EVIL.encode()
    package = edited(Path(tiny).read_bytes(), poison)
    package = with_array(package, "catalogue/title.text", np.frombuffer(title * 8, np.uint8))
    package = with_array(package, "catalogue/title.offset", np.arange(9, dtype=np.uint32) * len(title))
    (tmp_path / "evil").write_bytes(package)
    for words in (["recommend", "--history", f"tea-1,{EVIL}", "--explain"], ["search", "tea"], ["inspect"], ["verify"]):
        code, out, err = run(words[0], str(tmp_path / "evil"), *words[1:])
        assert code == 0
        assert not re.search(r"[^\n\x20-\x7e]", out + err)
        assert words == ["verify"] or r"\x1b[31mred\x9b\x07\nline\u202e" in out
    code, _, err = run("similar", str(tmp_path / EVIL), "tea-0")
    assert (code, err.count("\n"), "\x1b" in err) == (1, 1, False)


@pytest.mark.parametrize(
    "case",
    [
        {"verb": "recommend", "argument": 5, "items": [], "scores": []},
        {"verb": "recommend", "argument": ["tea-1"], "items": [], "scores": []},
        {"verb": "search", "argument": "tea", "items": ["a"], "scores": [10**400]},
        {"verb": "search", "argument": "tea", "items": ["a"], "scores": [float("inf")]},
        {"verb": [], "argument": "tea", "items": [], "scores": []},
    ],
)
def test_golden_cases_that_are_none(run, tiny, tmp_path, case):
    parts = contents(Path(tiny).read_bytes())
    manifest = json.loads(parts.pop("manifest.json"))
    parts.pop("golden.json", None)
    golden = json.dumps({"cases": [case]}).encode()
    entries = [entry for entry in manifest["entries"] if entry["name"] != "golden.json"]
    digest = hashlib.sha256(golden).hexdigest()
    entries.append({"name": "golden.json", "role": "golden", "size": len(golden), "sha256": digest})
    manifest["entries"] = entries
    parts = {"manifest.json": json.dumps(manifest).encode(), **parts, "golden.json": golden}
    (tmp_path / "x.pocketrec").write_bytes(repack(parts))
    code, out, err = run("verify", str(tmp_path / "x.pocketrec"))
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "not a list of golden cases" in err


def test_the_package_is_a_command(tiny):
    done = subprocess.run(
        [sys.executable, "-m", "pocketrec", "inspect", tiny], capture_output=True, text=True, check=True
    )
    assert "8 items" in done.stdout
