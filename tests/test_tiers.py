"""The tiers of a table of tokens: what each loses is measured, and the smallest within the limit is what ships."""

import json

import numpy as np
import pytest
from pocketrec.package import Package
from pocketrec_export.kept_student import student_arrays, student_of
from pocketrec_export.student import Student, encode, fidelity
from pocketrec_export.text_space import project, unit_rows
from pocketrec_export.tiers import Tier, as_stored, choose_bits, loss_table, measure, with_fewer_pieces

pytest.importorskip("torch", reason="a student needs the export extra")

WORDS = ["green", "black", "mint", "tea", "novel", "short"]
LETTERS = "abcdefghijklmnopqrstuvwxyz"


@pytest.fixture(scope="module")
def student():
    """Random rows, queries of one to three words, and a teacher that answers a little otherwise."""
    rng = np.random.default_rng(0)
    vocabulary = ["[UNK]", *LETTERS, *(f"##{letter}" for letter in LETTERS), *WORDS]
    tokens = rng.standard_normal((len(vocabulary), 64)).astype(np.float32)
    projection = np.linalg.qr(rng.standard_normal((96, 64)))[0].astype(np.float32)
    queries = tuple(" ".join(rng.choice(WORDS, rng.integers(1, 4))) for _ in range(60))
    answers = encode(tokens, vocabulary, queries) @ projection.T
    answers = unit_rows((answers + 0.05 * rng.standard_normal(answers.shape)).astype(np.float32))
    return Student(tokens, vocabulary, projection, (), {}, queries, answers)


@pytest.fixture(scope="module")
def items():
    vectors = unit_rows(np.random.default_rng(1).standard_normal((200, 96)).astype(np.float32))
    vectors[7] = 0  # an item without text
    return vectors


def test_every_tier_is_measured(student, items):
    exact, byte, half = loss_table(student, items)
    assert [tier.name for tier in (exact, byte, half)] == ["float32", "int8", "int4"]
    rows = len(student.vocabulary)
    assert [tier.size_bytes for tier in (exact, byte, half)] == [rows * 256, rows * 68, rows * 36]
    assert exact.loss == 0
    assert abs(byte.loss) < abs(half.loss) < 0.1
    for tier in (byte, half):
        assert tier.loss == pytest.approx(1 - tier.ndcg_at_10 / exact.ndcg_at_10)


def test_the_figures_are_those_of_the_rounded_table(student, items):
    tier = loss_table(student, items)[2]
    answers = encode(as_stored(student), student.vocabulary, student.queries)
    with_text = np.delete(items, 7, axis=0)
    by_hand = fidelity(
        answers, project(with_text, student.projection), teacher=student.answers, teacher_catalogue=with_text
    )
    assert by_hand == {"overlap_at_10": tier.overlap_at_10, "ndcg_at_10": tier.ndcg_at_10} == measure(student, items)


def test_without_queries_nothing_is_measured(student, items):
    silent = Student(student.tokens, student.vocabulary, student.projection, (), {})
    assert loss_table(silent, items) == ()
    assert measure(silent, items) == {}
    assert choose_bits((), 0.01) == 8


@pytest.mark.parametrize(("limit", "bits"), [(0.02, 4), (0.0101, 4), (0.0099, 8), (0.0, 8)])
def test_the_smallest_within_the_limit(limit, bits):
    tiers = [Tier("float32", 32, 4, 1, 1, 0.0), Tier("int8", 8, 2, 1, 1, 0.001), Tier("int4", 4, 1, 1, 0.99, 0.01)]
    assert choose_bits(tiers, limit) == bits


def test_fewer_pieces_spell_the_same_words(student):
    fewer = with_fewer_pieces(student, 56, ["mint tea", "green tea"])
    assert len(fewer.vocabulary) == 56
    assert {"tea", *LETTERS} <= set(fewer.vocabulary)
    assert "novel" not in fewer.vocabulary
    for piece, row in zip(fewer.vocabulary, fewer.tokens, strict=True):
        np.testing.assert_array_equal(row, student.tokens[student.vocabulary.index(piece)])
    assert fewer.encode(["novel"]).any()
    assert with_fewer_pieces(student, 999, []) is student


def test_a_kept_student_keeps_its_queries(student):
    again = student_of(student_arrays(student))
    assert (again.queries, again.vocabulary) == (student.queries, student.vocabulary)
    np.testing.assert_array_equal(again.answers, student.answers)


def test_a_build_reports_its_tiers(built):
    folder, report = built
    value = json.loads(json.dumps(report.as_dict()))
    assert [tier["name"] for tier in value["tiers"]] == ["float32", "int8", "int4"]
    with Package.open(folder / "x.pocketrec") as package:
        assert package.manifest.encoder.bits == value["bits"]
        assert package.manifest.metrics["student"] == value["student"]
    shipped = next(tier for tier in value["tiers"] if tier["bits"] == value["bits"])
    assert value["student"]["ndcg_at_10"] == shipped["ndcg_at_10"]
    assert sum(line.startswith("->") for line in report.lines()) == 1
    page = (folder / "report" / "index.html").read_text()
    assert "What fewer bits cost the query encoder" in page
