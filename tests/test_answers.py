"""Questions find their answers, with honest confidence, or none; packages that lie about them are refused."""

import json

import numpy as np
import pocketrec
import pytest
from pocketrec import cli
from pocketrec.answers import AnswerSettings, best_answer
from pocketrec.errors import PackageError, UsageError
from pocketrec.package import Package
from pocketrec.results import Recommendation
from pocketrec_export.writer import string_table
from test_hostile import edited, with_array
from worlds import TINY_GROUP, tiny_world

SETTINGS = {"answers": 2, "pool": 8, "bias": -3.0, "score": 2.0, "margin": 1.0, "threshold": 0.5}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """The tiny world: what asks of a tea is answered with "drink it", of a novel with "read it"."""
    to = tmp_path_factory.mktemp("answers") / "tiny.pocketrec"
    more = string_table("answers/text", ["drink it", "read it"], lookup=False)
    more["answers/item"] = np.array(TINY_GROUP, np.uint32)
    return tiny_world(to, settings={"answers": SETTINGS}, more=more)


def test_the_best_answer_or_none(path):
    for engine in ("numpy", "onnx"):
        with pocketrec.open(path, engine=engine) as package:
            found = package.answer("mint tea")
            assert (found.text, found.best, found.item) == ("drink it", "drink it", "tea-2")
            assert found.confidence == pytest.approx(1 / (1 + np.exp(3 - 2 * found.score - found.margin)))
            assert package.answer("old novel").text == "read it"
            none = package.answer("mint tea", threshold=1.0)
            assert (none.text, none.best, none.confidence) == (None, "drink it", found.confidence)
            assert package.answer("mint tea", exclude=["tea-2"]).item != "tea-2"
            assert package.answer("") == package.answer("\u0301")
            assert package.answer("").confidence == 0


def test_scores_by_hand():
    settings = AnswerSettings(3, 10, 0.0, 1.0, 2.0, 0.5)
    items = [Recommendation(str(n), f"q{n}", score, {}) for n, score in enumerate((0.9, 0.8, 0.5))]
    found = best_answer(settings, items, ["a", "a", "b"])
    assert (found.text, found.question, found.score, found.margin) == ("a", "q0", 0.9, pytest.approx(0.4))
    assert found.confidence == pytest.approx(1 / (1 + np.exp(-(0.9 + 0.8))))
    assert best_answer(settings, items, [None, "b", None]).best == "b"
    assert best_answer(settings, [], []).text is None
    assert AnswerSettings(2, 1, -1e6, 0.0, 0.0, 0.0).confidence(0, 0) == 0


def test_usage(path):
    with pocketrec.open(path) as package, pytest.raises(UsageError, match="threshold is 2"):
        package.answer("tea", threshold=2)
    with pocketrec.open_sample() as films, pytest.raises(PackageError, match="holds no answers"):
        films.answer("robots")


def test_the_command(path, capsys):
    assert cli.main(["answer", str(path), "mint tea", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["answer"] == "drink it"
    assert cli.main(["answer", str(path), "mint tea", "--threshold", "1"]) == 0
    assert capsys.readouterr().out.endswith("  no answer\n")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"answers": 0}, "answers.answers must be an integer from 1"),
        ({"answers": 3}, "answers/text.offset"),
        ({"pool": 1001}, "answers.pool must be an integer from 1 to 1000"),
        ({"bias": 1e7}, "answers.bias must be a number"),
        ({"threshold": 1.5}, "answers.threshold must be a number from 0 to 1"),
        ({"margin": None}, "answers.margin must be a number"),
    ],
)
def test_answers_that_lie(path, change, said):
    with pytest.raises(PackageError, match=said):
        Package.open(edited(path.read_bytes(), lambda manifest: manifest["answers"].update(change)))


def test_item_with_an_answer_that_is_not_there(path):
    of = np.array([0, 1, 2, 0, 0, 0, 0, 0], np.uint32)
    with pytest.raises(PackageError, match="array 'answers/item': holds 2, expected less than 2"):
        Package.open(with_array(path.read_bytes(), "answers/item", of))


def test_package_that_lacks_its_answers(tmp_path):
    plain = tiny_world(tmp_path / "plain.pocketrec").read_bytes()
    with pytest.raises(PackageError, match=r"array 'answers/text.offset' is missing"):
        Package.open(edited(plain, lambda manifest: manifest.update(answers=SETTINGS)))


# ------------------------------------------------------------------------------------------- built

FAQ = {
    "It comes within five days.": ("when does my parcel come", "where is my parcel now", "my order has not come yet"),
    "Send it back within a month.": ("how do I return the shoes", "can I send it back", "return an order"),
    "Card, transfer or cash.": ("how can I pay", "which cards can I pay with", "is cash a way to pay"),
    "Call us at nine.": ("how can I reach somebody",),
}


@pytest.fixture(scope="module")
def faq(tmp_path_factory):
    pytest.importorskip("torch", reason="answers are built with the export extra")
    folder = tmp_path_factory.mktemp("faq")
    lines = [f'"{question}","{answer}"' for answer, questions in FAQ.items() for question in questions]
    (folder / "faq.csv").write_text("q,reply\n" + "\n".join(lines) + '\n,"nobody asks"\n')
    out = folder / "faq.pocketrec"
    words = ["--texts", str(folder / "faq.csv"), "--columns", "question=q", "--out", str(out), "--quiet"]
    assert cli.main(["build-answers", *words]) == 0
    assert sorted(path.name for path in folder.iterdir()) == ["faq.csv", "faq.pocketrec"]
    return out


def test_built_answers_answer(faq, capsys):
    with pocketrec.open(faq) as package:
        assert package.answer("can I return my shoes").best == "Send it back within a month."
        assert package.answer("how to pay by card").best == "Card, transfer or cash."
        known = package.answer("when does my parcel come").confidence
        assert known > package.answer("quantum chromodynamics lattice").confidence
        assert package.package.manifest.metrics["answers"]["asked"] == 10
    assert cli.main(["verify", str(faq)]) == 0


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("question,answer\na,x\nb,x\n", 1, "expected two answers or more, found 1"),
        ("question,answer\n,x\n,y\n", 1, "no row has both"),
        ("question,other\na,x\n", 1, "no column 'answer'"),
    ],
)
def test_bad_input_leaves_nothing(tmp_path, capsys, text, code, said):
    (tmp_path / "x.csv").write_text(text)
    out = str(tmp_path / "o.pocketrec")
    assert cli.main(["build-answers", "--texts", str(tmp_path / "x.csv"), "--out", out, "--quiet"]) == code
    assert said in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["x.csv"]
