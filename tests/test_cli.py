"""The command line on a real package; building and evaluating have their own tests."""

import json
import re
import subprocess
import sys

import pytest
from pocketrec import cli
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
        assert cli._history("tea-1:2,x:y,z", recommender) == [("tea-1", 2.0), ("x:y", 1.0), ("z", 1.0)]


def test_unknown_ids_are_a_note_or_with_strict_an_error(run, tiny):
    code, out, err = run("recommend", tiny, "--history", "tea-1,cup", "-k", "1")
    assert (code, "note: not in the catalogue, ignored: cup" in err) == (0, True)
    assert "tea-0" in out
    assert run("recommend", tiny, "--history", "cup", "--strict")[0] == 2


def test_weights_and_engine(run, tiny):
    for engine in ("numpy", "onnx"):
        weights = "factors=0,neighbours=0,content=0"
        out = run("recommend", tiny, "--history", "book-3", "--weights", weights, "--engine", engine, "--json")[1]
        assert answers(out) == [[item for item in TINY_IDS if item != "book-3"]]


def test_inspect_and_verify(run, tiny):
    code, out, _ = run("inspect", tiny)
    assert code == 0
    assert "8 items, 2 categories" in out
    facts = json.loads(run("inspect", tiny, "--json")[1])
    assert sum(facts["parts"].values()) == facts["bytes"]
    code, out, _ = run("verify", tiny, "--json")
    assert code == 0
    assert {name: engine["ran"] for name, engine in json.loads(out)["engines"].items()} == {"onnx": True, "numpy": True}


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


@pytest.mark.parametrize("line", ["{", "3", "[1", '"tea-0"', "[" * 100_000, '{"tea-0": "x"}', "[null]", '{"history": 3}'])
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


COMMANDS = ("recommend", "search", "similar", "inspect", "verify", "demo", "build", "evaluate")


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
    assert set(re.findall(r"^    ([a-z]+)\b", out, re.MULTILINE)) == set(COMMANDS)
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
