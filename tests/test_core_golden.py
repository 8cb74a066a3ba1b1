"""The golden vectors that readers in other languages are held to are what this runtime answers today."""

from __future__ import annotations

import json

import make_core_golden
import make_hostile_golden
import make_labels_golden
import pytest


def test_answers_are_those_of_today() -> None:
    written = json.loads(make_core_golden.GOLDEN.read_text("ascii"))
    assert len(written["searches"]) > 300
    assert len(written["rankings"]) > 100
    assert json.loads(json.dumps(make_core_golden.golden())) == written, (
        "python tests/make_core_golden.py, then look at it"
    )


def test_labels_are_those_of_today() -> None:
    written = json.loads(make_labels_golden.GOLDEN.read_text("ascii"))
    now = make_labels_golden.golden()
    for case, today in zip(written["cases"], now["cases"], strict=True):
        assert case["alerts"] == today["alerts"]
        for head, label in case["labels"].items():
            assert label["probabilities"] == pytest.approx(today["labels"][head]["probabilities"], rel=1e-12)


def test_answers_to_questions_are_those_of_today() -> None:
    written = json.loads(make_labels_golden.GOLDEN_ANSWERS.read_text("ascii"))
    for case, today in zip(written["cases"], make_labels_golden.golden_answers()["cases"], strict=True):
        assert case == today | {"confidence": pytest.approx(today["confidence"], rel=1e-12)}


@pytest.mark.parametrize("place", range(0, 500, 50))
def test_a_hostile_file_is_put_together_as_it_was_taken_apart(place: int) -> None:
    good = make_hostile_golden.TINY.read_bytes()
    _, message, parts = json.loads(make_hostile_golden.GOLDEN.read_text("ascii"))["cases"][place]
    assert make_hostile_golden.said(make_hostile_golden.joined(parts, good)) == message
