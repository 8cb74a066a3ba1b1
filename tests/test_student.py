"""A student learns its teacher's rankings, the same way every time. The teacher here is a toy."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import pytest
from numpy.typing import NDArray
from pocketrec.errors import DataError, UsageError
from pocketrec.wordpiece import WordPiece

pytest.importorskip("torch", reason="distilling a student needs the export extra")

from pocketrec_export import student as student_module
from pocketrec_export.batched_teacher import Progress
from pocketrec_export.quantize import dequantize_rows, quantize_rows
from pocketrec_export.query_texts import SHARES, query_texts
from pocketrec_export.student import Preset, Student, distill, encode, fidelity
from pocketrec_export.text_space import fit_projection, project, unit_rows
from pocketrec_export.tokenizer_tables import hf_tokenizer, tokenizer_arrays

PLACES = ["paris", "tokyo", "cairo", "lima", "oslo", "delhi", "quito", "accra"]
KINDS = ["comedy", "drama", "horror", "western", "romance", "thriller"]
PEOPLE = ["ada", "lin", "omar", "vera", "igor", "nina", "theo", "zoe", "ravi", "mona"]
PRESET = Preset(pieces=400, lessons=600, epochs=6)


class WordTeacher:
    """Adds up a random vector for each word: a space that a table of word vectors can imitate."""

    name = "words"
    dim = 128
    sha256 = "0" * 64
    recipe: dict[str, str | int] = {"teacher": "words"}  # noqa: RUF012 (the protocol has it on the instance)
    reused = 0

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> NDArray[np.float32]:
        rows = [sum((self._word(word) for word in text.lower().split()), np.zeros(self.dim)) for text in texts]
        if progress is not None:
            progress(len(texts), len(texts))
        return unit_rows(np.array(rows, np.float32).reshape(len(texts), self.dim))

    def vocabulary(self) -> list[str] | None:
        return None

    def piece_embeddings(self) -> NDArray[np.float32]:
        raise AssertionError("not asked for without a vocabulary")

    def _word(self, word: str) -> NDArray[np.float64]:
        seed = int.from_bytes(hashlib.sha256(word.strip(".,()").encode()).digest()[:4])
        return np.random.default_rng(seed).standard_normal(self.dim)


class WordPieceTeacher(WordTeacher):
    """The same, reading word pieces."""

    pieces = ("[PAD]", "[UNK]", "[CLS]", *PLACES, *KINDS, *PEOPLE, *"abcdefghijklmnopqrstuvwxyz().,")
    pieces += tuple("##" + letter for letter in "abcdefghijklmnopqrstuvwxyz")

    def vocabulary(self) -> list[str] | None:
        return list(self.pieces)

    def piece_embeddings(self) -> NDArray[np.float32]:
        return np.random.default_rng(0).standard_normal((len(self.pieces), 32)).astype(np.float32)


def world() -> tuple[list[str], list[str]]:
    rng = np.random.default_rng(0)
    titles = [f"{rng.choice(PEOPLE)} in {place} {kind}" for place in PLACES for kind in KINDS]
    return titles, [f"{title}. {rng.choice(PEOPLE)}, {rng.choice(PEOPLE)}, {rng.choice(PLACES)}." for title in titles]


def make(teacher: WordTeacher, *, seed: int = 0, dim: int = 64) -> Student:
    titles, texts = world()
    return distill(teacher, texts, item_vectors=teacher.encode(texts), titles=titles, dim=dim, preset="test", seed=seed)


@pytest.fixture(autouse=True)
def small_preset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(student_module.PRESETS, "test", PRESET)  # type: ignore[arg-type]


@lru_cache
def trained() -> Student:
    return make(WordTeacher())


def test_student_ranks_like_its_teacher() -> None:
    assert trained().fidelity["overlap_at_10"] > 0.6
    assert trained().fidelity["ndcg_at_10"] > 0.9


def test_loss_falls() -> None:
    assert len(trained().losses) == PRESET.epochs
    assert trained().losses[-1] < trained().losses[0]


def test_shapes_and_types() -> None:
    student = trained()
    assert student.tokens.shape == (len(student.vocabulary), 64)
    assert student.tokens.dtype == student.projection.dtype == np.float32
    assert student.projection.shape == (128, 64)
    assert student.vocabulary[0] == "[UNK]"


def test_same_input_same_bytes() -> None:
    again = make(WordTeacher())
    assert again.tokens.tobytes() == trained().tokens.tobytes()
    assert again.projection.tobytes() == trained().projection.tobytes()
    assert again.vocabulary == trained().vocabulary
    assert make(WordTeacher(), seed=1).tokens.tobytes() != trained().tokens.tobytes()


def test_teacher_with_word_pieces() -> None:
    student = make(WordPieceTeacher())
    assert set(student.vocabulary) == set(WordPieceTeacher.pieces) - {"[PAD]", "[CLS]"}
    assert student.fidelity["ndcg_at_10"] > 0.9


def test_training_and_device_tokenize_alike() -> None:
    student = trained()
    device = WordPiece(tokenizer_arrays(student.vocabulary).__getitem__)
    oracle = hf_tokenizer(student.vocabulary)
    for text in [*world()[1], "Ada in Pariss", "ÀDA-lin", "東京 comedy", ""]:
        assert device.tokenize(text) == oracle.encode(text).ids


def test_int8_table_loses_little() -> None:
    student, (titles, _) = trained(), world()
    coarse = dequantize_rows(*quantize_rows(student.tokens))
    cosine = (student.encode(titles) * encode(coarse, student.vocabulary, titles)).sum(axis=1)
    assert cosine.min() > 0.999


def test_a_text_without_tokens_is_the_zero_vector() -> None:
    assert not trained().encode(["", " \t"]).any()
    assert trained().encode([]).shape == (0, 64)


def test_progress_reports_every_epoch() -> None:
    seen: list[tuple[int, int, float]] = []
    texts = ["ada in paris", "lin in lima", ""]
    teacher = WordTeacher()
    student = distill(
        teacher,
        texts,
        item_vectors=teacher.encode(texts),
        dim=64,
        preset="test",
        epoch_progress=lambda epoch, epochs, loss: seen.append((epoch, epochs, loss)),
    )
    assert [(epoch, epochs) for epoch, epochs, _ in seen] == [(n, 6) for n in range(1, 7)]
    assert tuple(loss for *_, loss in seen) == student.losses


@pytest.mark.parametrize("texts", [["a"], ["the same"] * 3, ["\u200b", "東京"]])
def test_tiny_catalogues(texts: list[str]) -> None:
    teacher = WordTeacher()
    student = distill(teacher, texts, item_vectors=teacher.encode(texts), dim=64, preset="test")
    assert np.isfinite(student.tokens).all()


@pytest.mark.parametrize("texts", [[], ["", "  "]])
def test_no_texts_is_an_error(texts: list[str]) -> None:
    with pytest.raises(DataError, match="item texts"):
        distill(WordTeacher(), texts, item_vectors=WordTeacher().encode(texts), dim=64, preset="test")


@pytest.mark.parametrize(("dim", "preset"), [(100, "test"), (192, "test"), (0, "test"), (64, "slow")])
def test_wrong_arguments(dim: int, preset: str) -> None:
    with pytest.raises(UsageError, match="expected a"):
        distill(WordTeacher(), ["a"], item_vectors=WordTeacher().encode(["a"]), dim=dim, preset=preset)


def test_fidelity_by_hand() -> None:
    # Two items at right angles, k = 2; the student turns the order around, gains are 0.8 and 0.6.
    items = np.eye(2, dtype=np.float32)
    teacher, student = np.array([[0.8, 0.6]], np.float32), np.array([[0.6, 0.8]], np.float32)
    second = 1 / np.log2(3)
    figures = fidelity(student, items, teacher=teacher, teacher_catalogue=items)
    assert figures["overlap_at_10"] == 1
    assert figures["ndcg_at_10"] == pytest.approx((0.6 + 0.8 * second) / (0.8 + 0.6 * second))
    assert fidelity(student[:0], items, teacher=teacher[:0], teacher_catalogue=items) == {}


def test_projection_is_ordered_and_orthonormal() -> None:
    rng = np.random.default_rng(0)
    x = unit_rows((rng.standard_normal((500, 96)) * np.linspace(3, 0.1, 96)).astype(np.float32))
    projection = fit_projection(x, x[:0], dim=64)
    np.testing.assert_allclose(projection.T @ projection, np.eye(64), atol=1e-5)
    energy = ((x @ projection) ** 2).mean(axis=0)
    assert (np.diff(energy) < 1e-6).all()
    np.testing.assert_array_equal(fit_projection(x, dim=32), projection[:, :32])
    np.testing.assert_allclose(np.linalg.norm(project(x, projection), axis=1), 1, atol=1e-6)


def test_query_texts_are_distinct_and_repeatable() -> None:
    titles, texts = world()
    made = query_texts(texts, titles=titles, words=PEOPLE, count=300, seed=4)
    assert made == query_texts(texts, titles=titles, words=PEOPLE, count=300, seed=4)
    assert made != query_texts(texts, titles=titles, words=PEOPLE, count=300, seed=5)
    assert len(made) == len(set(made))
    assert 100 < len(made) <= 300
    assert query_texts(["", " "], count=10, seed=0) == []
    assert sum(share for _, share in SHARES) == pytest.approx(1)
