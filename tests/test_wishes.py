"""The golden calls, times, numbers and cursors that other languages answer alike: this one keeps to them, too."""

import base64
import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pocketrec
import pytest
from make_overlay_golden import calls as overlay_calls
from make_values_golden import or_none
from make_wishes_golden import GOLDEN, PACKAGE, answer, calls
from pocketrec import DataError, UsageError
from pocketrec.added import AddedItem
from pocketrec.filters import parse_filter
from pocketrec.pages import read_cursor
from pocketrec.phrases import LANGUAGES, describe
from pocketrec.results import Reason
from pocketrec.times import as_text, period

WISHES = json.loads(GOLDEN.read_text(encoding="utf-8"))["cases"]
OVERLAY = json.loads((Path(__file__).parent / "golden" / "overlay.json").read_text(encoding="utf-8"))
VALUES = json.loads((Path(__file__).parent / "golden" / "values.json").read_text(encoding="utf-8"))


def numbers(value):
    """All numbers of plain JSON, and the rest of it."""
    if isinstance(value, float):
        return [value], "number"
    if isinstance(value, list | dict):
        parts = [numbers(part) for part in (value.values() if isinstance(value, dict) else value)]
        return [n for found, _ in parts for n in found], [rest for _, rest in parts]
    return [], value


@pytest.mark.parametrize("added", [False, True])
def test_golden_calls(tmp_path, added):
    listed, expected_all = (overlay_calls(), OVERLAY["cases"]) if added else (calls(), WISHES)
    assert len(listed) == len(expected_all)
    with pocketrec.open(PACKAGE, engine="numpy") as films:
        films.add_items(OVERLAY["items"] if added else [])
        for call, expected in zip(listed, expected_all, strict=True):
            found = json.loads(json.dumps(answer(films, call, tmp_path)))
            for key in ("results", "unknown"):
                (ours, rest), (theirs, other) = numbers(found[key]), numbers(expected[key])
                assert rest == other
                np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
            if expected["next"] is not None:  # a cursor of before still leads on
                films.more(expected["next"])


def test_the_golden_calls_try_everything():
    kinds = {reason[0] for call in WISHES for page in call["results"] for item in page for reason in item[3]}
    assert kinds == {"item", "word", "popularity", "boost"}
    options = {key for call in WISHES for key in call["options"]}
    assert options >= {
        "filter",
        "profile",
        "diversity",
        "distinct",
        "max_per",
        "min_share",
        "explain",
        "exclude",
        "weights",
    }
    assert max(len(call["results"]) for call in WISHES) == 3


def test_golden_values():
    for value, expected in VALUES["times"]:
        found = or_none(period, value)
        assert (None if found is None else list(found)) == expected
    for seconds, text in VALUES["texts"]:
        assert as_text(seconds) == text
    for word, expected in VALUES["filters"]:
        assert json.loads(json.dumps(or_none(parse_filter, word))) == expected
    for bits, text in VALUES["doubles"]:
        assert repr(struct.unpack(">d", bytes.fromhex(bits))[0]) == text
    for bits, text in VALUES["floats"]:
        assert repr(float(str(np.frombuffer(bytes.fromhex(bits), ">f4")[0]))) == text


def test_golden_sentences():
    assert VALUES["phrases"] == LANGUAGES
    for kind, text, contribution, language, sentence in VALUES["said"]:
        assert describe(Reason(kind, "", text, contribution, {}), language=language) == sentence


def test_golden_cursors():
    for case in VALUES["cursors"]:
        state, _, request = read_cursor(case["cursor"])
        assert state == json.loads(case["json"])[0]
        assert request.k == json.loads(case["json"])[3][2]


@pytest.mark.parametrize("name", VALUES["bad_cursors"])
def test_a_bad_cursor_is_refused(name):
    with pytest.raises(pocketrec.UsageError, match="no cursor of a page"):
        read_cursor(VALUES["bad_cursors"][name])


def test_the_golden_overlay_and_its_broken_copies(tmp_path):
    path = tmp_path / "films.overlay"
    good = base64.b64decode(OVERLAY["file"])

    def unpacked(text):
        return zlib.decompress(base64.b64decode(text))

    with pocketrec.open(PACKAGE, engine="numpy", overlay=path) as films:
        films.add_items(OVERLAY["items"])
        kinds = films.catalogue.attributes
    assert path.read_bytes() == good
    for name, data in OVERLAY["refused_files"].items():
        path.write_bytes(unpacked(data))
        with pytest.raises(DataError, match="is no overlay, or it is damaged"):
            pocketrec.open(PACKAGE, engine="numpy", overlay=path)
        assert path.read_bytes() == unpacked(data), name
    for name, data in OVERLAY["remade_files"].items():
        path.write_bytes(unpacked(data))
        with pocketrec.open(PACKAGE, engine="numpy", overlay=path) as films:
            films.remove_items(["nothing"])
            assert [item.item for item in films.added_items] == [item["item"] for item in OVERLAY["items"]]
        assert name.startswith("attributes") or path.read_bytes() == good, name
    for item, kept in OVERLAY["odd"]:
        assert AddedItem.of(item, kinds).as_dict() == kept
    for item in OVERLAY["refused_items"]:
        with pytest.raises(UsageError):
            AddedItem.of(item, kinds)
