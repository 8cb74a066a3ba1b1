"""Our unigram tokenizer gives the ids of the original, from frozen tables, and bounds what a hostile package can do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pocketrec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pocketrec.errors import DataError, PackageError
from pocketrec.package import Package
from pocketrec.unigram import Unigram

pytest.importorskip("tokenizers", reason="the tables are made with the export extra")

from pocketrec_export.quantize import quantize_rows
from pocketrec_export.tokenizer_tables import tokenizer_arrays
from pocketrec_export.unigram_tables import (
    UnigramPieces,
    UnigramTokenizer,
    fields,
    from_fields,
    prune_unigram,
    unigram_arrays,
)
from pocketrec_export.writer import string_table, write_package
from test_hostile import edited, with_array
from worlds import manifest_by_hand, tiny_world

GOLDEN = json.loads((Path(__file__).parent / "golden" / "unigram.json").read_text(encoding="ascii"))
TINY = UnigramPieces(
    ["<unk>", "\u2581", "a", "b", "ab", "\u2581ab", "\u2581a", "c", "bc", "花", "花呗"],
    np.array([0, -3, -4, -4, -5, -6, -4, -4, -9, -5, -6], np.float32),
    {ord("A"): "a", ord("\t"): " ", 0xFB01: "fi", 0x200D: ""},
)


@pytest.fixture(scope="module")
def pieces() -> UnigramPieces:
    return from_fields(GOLDEN)


@pytest.fixture(scope="module")
def tokenizer(pieces: UnigramPieces) -> Unigram:
    return Unigram(unigram_arrays(pieces).__getitem__)


def tiny(**changes: Any) -> Unigram:
    return Unigram((unigram_arrays(TINY) | changes).__getitem__)


def test_the_ids_of_the_original_on_1500_hostile_strings(tokenizer: Unigram) -> None:
    assert len(GOLDEN["cases"]) >= 1500
    wrong = [text for text, ids in GOLDEN["cases"] if tokenizer.tokenize(text) != ids]
    assert wrong == []


def test_batches_have_the_same_answers(tokenizer: Unigram, pieces: UnigramPieces) -> None:
    texts = [text for text, _ in GOLDEN["cases"]] + GOLDEN["lone_surrogates"]
    batch = UnigramTokenizer(pieces).encode_batch_fast(texts)
    assert [encoding.ids for encoding in batch] == [tokenizer.tokenize(text) for text in texts]


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_any_text_as_the_library_has_it(text: str) -> None:
    assert UnigramTokenizer(TINY).encode_batch_fast([text])[0].ids == tiny().tokenize(text)


def test_the_best_path_by_hand() -> None:
    said = {text: [TINY[index] for index in tiny().tokenize(text)] for text in ("ab", "Abc", "xy a", "花呗花", " \t ")}
    assert said == {
        "ab": ["\u2581ab"],  # -6, where "\u2581a" "b" is -8
        "Abc": ["\u2581ab", "c"],  # -10, where "\u2581a" "bc" is -13
        "xy a": ["\u2581", "<unk>", "\u2581a"],
        "花呗花": ["\u2581", "花呗", "花"],
        " \t ": [],
    }
    assert tiny().tokenize("\u200d\ud800") == []
    assert tiny().tokenize("a a a", max_tokens=2) == [6, 6]


def test_words_of_tokens() -> None:
    ids = tiny().tokenize("abc a")
    assert tiny().words(ids) == (["abc", "a"], [0, 0, 1])


def test_long_texts_end(tokenizer: Unigram) -> None:
    assert len(tokenizer.tokenize("ab " * 40_000)) <= 4096
    assert len(tokenizer.tokenize("\ufdfa" * 5000)) <= 18 * 4096


@pytest.mark.parametrize(
    ("name", "array", "said"),
    [
        ("tokenizer/normal.code", np.array([9, 65, 8205, 64257, 1], np.uint32), "codes in order"),
        ("tokenizer/normal.code", np.array([9], np.uint32), "one text for each code"),
        ("tokenizer/normal.text", np.array([32, 97, 0, 102, 0xD800], np.uint32), "expected Unicode characters"),
        ("tokenizer/normal.text", np.array([32, 97, 0, 102, 0x110000], np.uint32), "expected Unicode characters"),
    ],
)
def test_tables_that_contradict_themselves(name: str, array: Any, said: str) -> None:
    with pytest.raises(PackageError, match=said):
        tiny(**{name: array})


def test_no_unknown_piece() -> None:
    with pytest.raises(PackageError, match="expected the piece '<nope>'"):
        Unigram(unigram_arrays(TINY).__getitem__, unknown="<nope>")
    with pytest.raises(DataError, match="<unk> among them"):
        UnigramPieces(["a"], np.zeros(1, np.float32), {})


def test_pruning_keeps_what_the_texts_use(pieces: UnigramPieces) -> None:
    texts = [text for text, _ in GOLDEN["cases"]][-60:]
    before = UnigramTokenizer(pieces).encode_batch_fast(texts)
    used = {pieces[index] for encoding in before for index in encoding.ids}
    kept = prune_unigram(pieces, texts, max_size=len(used) + 200)
    assert kept[0] == "<unk>"
    assert set(kept) >= used
    assert len(kept) < len(pieces)
    again = UnigramTokenizer(kept).encode_batch_fast(texts)
    assert [[kept[i] for i in e.ids] for e in again] == [[pieces[i] for i in e.ids] for e in before]
    small = prune_unigram(pieces, texts, max_size=10)
    assert len(small) < len(kept)
    assert from_fields(json.loads(json.dumps(fields(kept)))) == kept


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each piece has an axis; the head reads that of one piece."""
    made: dict[str, Any] = string_table("catalogue/id", [], lookup=True)
    made |= string_table("catalogue/title", [], lookup=False) | tokenizer_arrays(TINY)
    made["tokens/value"], made["tokens/scale"] = quantize_rows(np.eye(len(TINY), 64, dtype=np.float32))
    made["heads/0.weight"] = np.eye(64, dtype=np.float32)[[TINY.index("花呗"), TINY.index("c")]]
    made["heads/0.bias"] = np.zeros(2, np.float32)
    made |= string_table("heads/0_label", ["loan", "letter"], lookup=False)
    nothing: dict[str, Any] = {"recommend": {}, "search": {}, "similar": {}}
    manifest = manifest_by_hand({"semantic": {"dim": 64}}, nothing, made, graphs={})
    manifest["signals"], manifest["heads"] = {}, [{"name": "kind", "labels": 2}]
    manifest["encoder"] |= {"tokenizer": "unigram", "lowercase": False, "unknown": "<unk>"}
    path = tmp_path_factory.mktemp("unigram") / "x.pocketrec"
    write_package(path, manifest=manifest, arrays=made, files={})
    return path


def test_a_package_reads_with_it(package: Path) -> None:
    with pocketrec.open(package, engine="numpy") as labeller:
        assert labeller.classify("花呗")["kind"].label == "loan"
        assert labeller.classify("c")["kind"].label == "letter"
        assert not labeller.classify("\u200d ")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tokenizer": "bpe"}, "tokenizer must be one of wordpiece, unigram"),
        ({"lowercase": 1}, "lowercase must be true or false"),
        ({"tokenizer": "wordpiece"}, "lowercase is false"),
    ],
)
def test_manifest_that_lies(package: Path, change: dict[str, Any], said: str) -> None:
    with pytest.raises(PackageError, match=said):
        Package.open(edited(package.read_bytes(), lambda manifest: manifest["encoder"].update(change)))


@pytest.mark.parametrize("value", [np.inf, np.nan, -(2.0**21)])
def test_score_beyond_all_bounds(package: Path, value: float) -> None:
    scores = TINY.scores.copy()
    scores[3] = value
    with pytest.raises(PackageError, match="array 'tokenizer/score': holds"):
        Package.open(with_array(package.read_bytes(), "tokenizer/score", scores))


def test_a_score_too_few(package: Path) -> None:
    with pytest.raises(PackageError, match=r"has shape|T ="):
        Package.open(with_array(package.read_bytes(), "tokenizer/score", TINY.scores[1:].copy()))


def test_wordpiece_package_without_scores_that_says_unigram(tmp_path: Path) -> None:
    sample = tiny_world(tmp_path / "tiny.pocketrec").read_bytes()
    lie = edited(sample, lambda manifest: manifest["encoder"].update(tokenizer="unigram"))
    with pytest.raises(PackageError, match="array 'tokenizer/score' is missing"):
        Package.open(lie)
