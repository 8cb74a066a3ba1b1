"""Labels of a text, alerts, and packages that lie about their heads. The package is made by hand: two heads."""

import json
from typing import Any

import numpy as np
import pocketrec
import pytest
from pocketrec import cli
from pocketrec.classify import Alert
from pocketrec.errors import EngineError, PackageError, UsageError
from pocketrec.package import Package
from pocketrec_export.graphs import encoder_graph
from pocketrec_export.quantize import quantize_rows
from pocketrec_export.tokenizer_tables import tokenizer_arrays
from pocketrec_export.writer import string_table, write_package
from test_hostile import edited, with_array
from worlds import manifest_by_hand, ranker_task

WORDS = ("[UNK]", "good", "bad", "tea", "book")


def arrays() -> dict[str, Any]:
    """Each word has an axis; mood reads good and bad, topic tea and book, both three times as strongly."""
    made = string_table("catalogue/id", [], lookup=True) | string_table("catalogue/title", [], lookup=False)
    made |= tokenizer_arrays(WORDS)
    made["tokens/value"], made["tokens/scale"] = quantize_rows(np.eye(5, 64, dtype=np.float32))
    for number, (labels, axes) in enumerate(((("neg", "pos"), (2, 1)), (("paper", "drink", "none"), (4, 3, 5)))):
        made[f"heads/{number}.weight"] = 3 * np.eye(64, dtype=np.float32)[list(axes)]
        made[f"heads/{number}.bias"] = np.zeros(len(labels), np.float32)
        made |= string_table(f"heads/{number}_label", labels, lookup=False)
    return made


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    made = arrays()
    graphs = {"onnx": {"ranker": None, "encoder": "graphs/encoder.onnx", "min_onnxruntime": "1.25"}}
    manifest = manifest_by_hand(
        {"semantic": {"dim": 64}}, {"recommend": {}, "search": {}, "similar": {}}, made, graphs=graphs
    )
    manifest["signals"] = {}
    manifest["heads"] = [{"name": "mood", "labels": 2}, {"name": "topic", "labels": 3}]
    to = tmp_path_factory.mktemp("labels") / "labels.pocketrec"
    files = {"graphs/encoder.onnx": ("graph", encoder_graph(5, 64)), "golden.json": ("golden", b'{"cases":[]}')}
    write_package(to, manifest=manifest, arrays=made, files=files)
    return to


@pytest.fixture(params=["numpy", "onnx"])
def labeller(path, request):
    with pocketrec.open(path, engine=request.param) as opened:
        yield opened


def test_probabilities_are_a_softmax_of_the_unit_vector(labeller):
    found = labeller.classify("Good  GOOD tea")
    assert list(found) == ["mood", "topic"]
    odds = np.exp(3 * np.array([0, 2 / np.sqrt(5)]))
    assert found["mood"].label == "pos"
    assert found["mood"].probabilities == pytest.approx(dict(zip(("neg", "pos"), odds / odds.sum(), strict=True)))
    assert found["topic"].label == "drink"
    assert found["mood"].probability == max(found["mood"].probabilities.values())
    assert not found.alerts
    assert not found.truncated


def test_a_text_without_known_words_has_no_labels(labeller):
    for text in ("", "  \n", "\u0301"):
        found = labeller.classify(text, alerts=["pos>0"])
        assert not found
        assert found.alerts == ()
        assert found.as_dict() == {"labels": {}, "alerts": [], "truncated": False}


def test_a_long_text_is_cut_and_says_so(labeller):
    found = labeller.classify("bad tea " * 12_500)  # 100 kB
    assert found.truncated
    assert found["mood"].label == "neg"


def test_many_equals_each(labeller):
    texts = ["good tea", "", "bad book"]
    assert labeller.classify_many(texts) == [labeller.classify(text) for text in texts]
    with pytest.raises(UsageError, match="takes a sequence of texts, got str; use classify"):
        labeller.classify_many("good tea")


def test_an_alert_fires_above_its_threshold(labeller):
    p = labeller.classify("bad book")["mood"].probability
    fired = labeller.classify("bad book", alerts=["mood=neg>0.5", Alert("neg", p), "drink>0.5", "paper>0.5"]).alerts
    assert [str(alert) for alert in fired] == ["mood=neg>0.5", "paper>0.5"]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("neg", "expected"),
        ("neg>2", "threshold from 0 to 1"),
        ("neg>nan", "threshold from 0 to 1"),
        ("=neg>0.5", "expected"),
        (">0.5", "expected"),
        ("tone=neg>0.5", "no head 'tone'; this package has mood, topic"),
        ("angry>0.5", "no label 'angry'; there are neg, pos, paper"),
        ("mood=paper>0.5", "no label 'paper'; there are neg, pos"),
    ],
)
def test_an_alert_that_cannot_be(labeller, word, said):
    with pytest.raises(UsageError, match=said):
        labeller.classify("tea", alerts=[word])


def test_a_label_of_two_heads_needs_the_head(path):
    both = with_array(path.read_bytes(), "heads/0_label.text", np.frombuffer(b"nopaper", np.uint8))
    both = with_array(both, "heads/0_label.offset", np.array([0, 2, 7], np.uint32))
    with pocketrec.open(both) as labeller, pytest.raises(UsageError, match="mood and topic have this label"):
        labeller.classify("tea", alerts=["paper>0.5"])


def test_a_label_may_hold_any_sign():
    assert Alert.parse("a=b=c > d>0.25") == Alert("b=c > d", 0.25, "a")


def test_a_classifier_ranks_nothing(labeller):
    for call in (labeller.recommend, lambda: labeller.search("tea")):
        with pytest.raises(PackageError, match=r"has no items, so it cannot (recommend|search); it labels texts"):
            call()
    with pytest.raises(UsageError, match="not in the catalogue of 0 items"):
        labeller.similar("x")
    task = ranker_task(labeller.package, n=1)
    with pytest.raises(EngineError, match=r"no items to rank|numpy engine could not rank"):
        labeller.engine.rank(task)


def test_a_package_without_heads_labels_nothing():
    with pocketrec.open_sample() as films, pytest.raises(PackageError, match="has no labels"):
        films.classify("robots")


def test_the_command(path, capsys, monkeypatch, tmp_path):
    assert cli.main(["classify", str(path), "bad tea", "--alert", "mood=neg>0.5"]) == 0
    assert capsys.readouterr().out == "mood=neg 0.893  topic=drink 0.807  ALERT mood=neg>0.5\n"
    assert cli.main(["classify", str(path), "good", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["labels"]["mood"]["label"] == "pos"
    assert cli.main(["classify", str(path), "tea", "--alert", "neg"]) == 2
    assert cli.main(["inspect", str(path)]) == 0
    assert "labels         topic: 3" in capsys.readouterr().out


def test_the_command_answers_stdin_line_by_line(path):
    import subprocess
    import sys

    lines = b"bad tea\n\n\xff good\ngood book"
    words = [sys.executable, "-m", "pocketrec", "classify", str(path), "--json"]
    run = subprocess.run(words, input=lines, capture_output=True, check=True)
    found = [json.loads(line)["labels"] for line in run.stdout.decode().splitlines()]
    assert [labels.get("mood", {}).get("label") for labels in found] == ["neg", None, "pos", "pos"]


# ------------------------------------------------------------------------------------------- hostile


@pytest.mark.parametrize(
    ("heads", "said"),
    [
        ([], "heads must be a list of 1 to 64"),
        ({}, "heads must be a list"),
        ([{"name": "mood", "labels": 2}] * 2, r"heads\[1\].name must be a name of its own"),
        ([{"name": "mood", "labels": 1}], r"heads\[0\].labels must be an integer from 2"),
        ([{"name": "mood", "labels": 1 << 20}], r"heads\[0\].labels must be an integer from 2 to 65536"),
        ([{"name": "", "labels": 2}], r"heads\[0\].name"),
        ([{"name": "mood", "labels": 3}], r"array 'heads/0.weight' has shape \(2, 64\)"),
        ([{"name": str(n), "labels": 2 + (n == 1)} for n in range(3)], "array 'heads/2.weight' is missing"),
    ],
)
def test_heads_that_lie(path, heads, said):
    with pytest.raises(PackageError, match=said):
        Package.open(edited(path.read_bytes(), lambda manifest: manifest.update(heads=heads)))


def test_heads_without_encoder(path):
    with pytest.raises(PackageError, match="heads need an encoder"):
        Package.open(edited(path.read_bytes(), lambda manifest: manifest.update(encoder=None)))


def test_no_items_and_no_heads(path):
    with pytest.raises(PackageError, match=r"catalogue.items must be an integer from 1"):
        Package.open(edited(path.read_bytes(), lambda manifest: manifest.pop("heads")))


@pytest.mark.parametrize("value", [np.nan, np.inf, 2.0**21])
@pytest.mark.parametrize("part", ["weight", "bias"])
def test_head_with_a_number_beyond_all_bounds(path, value, part):
    array = arrays()[f"heads/0.{part}"].copy()
    array.flat[1] = value
    with pytest.raises(PackageError, match=f"array 'heads/0.{part}'"):
        Package.open(with_array(path.read_bytes(), f"heads/0.{part}", array))


def test_head_of_another_width(path):
    with pytest.raises(PackageError, match=r"array 'heads/0.weight' has shape \(2, 128\)"):
        Package.open(with_array(path.read_bytes(), "heads/0.weight", np.zeros((2, 128), np.float32)))


def test_head_with_a_label_twice(path):
    twice = with_array(path.read_bytes(), "heads/0_label.text", np.frombuffer(b"pospos", np.uint8))
    with pytest.raises(PackageError, match="head 'mood' has a label twice"):
        pocketrec.open(twice)
