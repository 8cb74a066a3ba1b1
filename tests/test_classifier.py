"""From a file of texts and labels to a package, by the command that a user runs."""

import json

import pocketrec
import pytest
from pocketrec import cli
from pocketrec.errors import DataError, UsageError

pytest.importorskip("torch", reason="a classifier is built with the export extra")

import numpy as np
from pocketrec_export.label_fit import temperature
from pocketrec_export.label_metrics import alert_figures, label_metrics
from pocketrec_export.labelled_texts import read_labelled

GOOD, BAD = ("lovely", "warm", "fine"), ("awful", "cold", "boring")
DRINKS, PAPER = ("tea", "coffee", "cup"), ("book", "novel", "page")


def rows():
    """Every pair of an adjective and a noun, in two wordings; mood by the first, topic by the second."""
    for mood, adjectives in (("good", GOOD), ("bad", BAD)):
        for topic, nouns in (("drink", DRINKS), ("paper", PAPER)):
            for adjective in adjectives:
                for noun in nouns:
                    yield f"the {noun} was {adjective}", mood, topic
                    yield f"{adjective} {noun}!", mood, topic


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("classifier")
    lines = [f'"{text}",{mood},{topic}' for text, mood, topic in rows()]
    (folder / "mood.csv").write_text("sentence,mood,topic\n" + "\n".join(lines) + '\n,good,\n"tea",,drink\n')
    out = folder / "mood.pocketrec"
    words = ["--texts", str(folder / "mood.csv"), "--out", str(out), "--cache", str(folder), "--license", "CC0-1.0"]
    assert cli.main(["build-classifier", *words, "--quiet"]) == 0
    return folder, out, words


def test_both_heads_know_what_they_were_taught(built):
    _, out, _ = built
    with pocketrec.open(out) as labeller:
        found = labeller.classify_many([text for text, _, _ in rows()])
    assert [(one["mood"].label, one["topic"].label) for one in found] == [row[1:] for row in rows()]


def test_a_word_that_no_text_had_is_read_by_what_the_teacher_knows(built):
    with pocketrec.open(built[1]) as labeller:
        drink, paper = (labeller.classify(text)["topic"].probabilities["drink"] for text in ("beer", "chapter"))
    assert drink > paper


def test_engines_agree_and_golden_cases_hold(built, capsys):
    assert cli.main(["verify", str(built[1]), "--json"]) == 0
    engines = json.loads(capsys.readouterr().out)["engines"]
    assert all(engines[name]["ran"] and engines[name]["cases"] == 4 for name in ("onnx", "numpy"))


def test_the_same_bytes_again_and_the_report(built, capsys, tmp_path):
    _, out, words = built
    again = tmp_path / "mood.pocketrec"
    assert cli.main(["build-classifier", *words[:2], "--out", str(again), *words[4:], "--json", "--quiet"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert again.read_bytes() == out.read_bytes()
    assert report["heads"] == {"mood": 2, "topic": 2}
    assert 0 <= report["metrics"]["mood"]["calibration_error"] <= 1
    assert any("no text, left out: 1" in note for note in report["notes"])


def test_no_text_is_in_the_package(built):
    assert b"lovely tea" not in built[1].read_bytes()


def write(folder, text):
    path = folder / "x.csv"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("text,mood\na b,good\nb c,good\n", "has only 'good'; a head needs two labels"),
        ("text,mood\na,good\nb,good\nc,bad\n", "1 of 2 labels of 'mood' have one example, the first is 'bad'"),
        ("text,mood\n ,good\n,bad\n", "every text of the column 'text' is empty"),
        ("text,mood\n,\na,\n", "has none"),
        ("text,id\na,1\nb,2\nc,3\nd,4\n", "has 4 different values in 4 rows, so it is no label"),
        ("mood,id\na,1\nb,2\n", "no column 'text'. Columns found: mood, id"),
        ("text,mood\na,x\na,x\na,y\na,y\n", "too few texts to check the labels of 'mood'"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(tmp_path, capsys, text, said):
    out = tmp_path / "out.pocketrec"
    assert cli.main(["build-classifier", "--texts", write(tmp_path, text), "--out", str(out), "--quiet"]) == 1
    assert said in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.csv"]


def test_usage(tmp_path, capsys):
    good = write(tmp_path, "text,mood\na,x\nb,x\nc,y\nd,y\n")
    out = str(tmp_path / "out.pocketrec")
    for more in (["--labels", "text"], ["--labels", "tone"]):
        assert cli.main(["build-classifier", "--texts", good, "--out", out, *more]) == 1
    for more in (["--dim", "100"], ["--seed", "-1"], ["--columns", "label=mood"]):
        assert cli.main(["build-classifier", "--texts", good, "--out", out, *more]) == 2
    (tmp_path / "out.pocketrec").write_text("mine")
    assert cli.main(["build-classifier", "--texts", good, "--out", out]) == 2
    assert (tmp_path / "out.pocketrec").read_text() == "mine"
    with pytest.raises(UsageError, match="found 0"):
        read_labelled(write(tmp_path, "text\na\n"))
    with pytest.raises(DataError, match="no such file"):
        read_labelled(str(tmp_path / "nowhere.csv"))


def test_a_text_of_100_kb_is_cut_as_on_the_device(tmp_path):
    import pandas as pd

    data = read_labelled(pd.DataFrame({"text": ["tea " * 25_000, "b", "c", "d"], "mood": ["x", "x", "y", "y"]}))
    assert len(data.texts[0]) == 4096
    assert any("cut as on the device: 1" in str(note) for note in data.notes)


def test_temperature_makes_confidence_what_accuracy_is():
    rng = np.random.default_rng(0)
    right = rng.random(4000) < 0.8  # says label 0 with the same confidence always, and is right four times in five
    logits = np.tile([10.0, 0.0], (4000, 1))
    t = temperature(logits, np.where(right, 0, 1))
    assert 1 / (1 + np.exp(-10 / t)) == pytest.approx(right.mean(), abs=0.01)
    assert label_metrics(logits / t, np.where(right, 0, 1))["calibration_error"] < 0.01
    assert temperature(np.array([[1.0, 0], [0, 1.0]]), np.array([0, 1])) > 0.2  # two texts prove nothing


def test_metrics_by_hand():
    logits = np.log(np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]]))
    figures = label_metrics(logits, np.array([0, 0, 1]))
    assert figures["accuracy"] == pytest.approx(2 / 3)
    assert figures["macro_f1"] == pytest.approx((2 * 1 / 3 + 2 * 1 / 3) / 2)
    assert figures["calibration_error"] == pytest.approx((0.1 + 0.6 + 0.2) / 3)
    assert alert_figures(np.array([0.9, 0.4, 0.2]), np.array([True, True, False]), 0.5) == {
        "threshold": 0.5,
        "fired": 1,
        "precision": 1.0,
        "recall": 0.5,
    }
