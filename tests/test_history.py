import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pocketrec.catalogue import Catalogue
from pocketrec.errors import UsageError
from pocketrec.history import History, Known, gather_blocks, resolve
from pocketrec.package import Package
from worlds import tiny_world


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    with Package.open(tiny_world(tmp_path_factory.mktemp("world") / "tiny.pocketrec")) as package:
        yield Catalogue(package)


def read(history, catalogue, *, max_items=512, strict=False):
    return resolve(history, catalogue, max_items=max_items, max_weight=8.0, strict=strict)


@pytest.mark.parametrize(
    "history",
    [
        ["tea-1", "book-2", "tea-1"],
        [("tea-1", 2), ("book-2", 1.0)],
        [["tea-1", 2], "book-2"],
        {"tea-1": 2, "book-2": np.float32(1)},
    ],
)
def test_every_form_gives_the_same_history(history, catalogue):
    known = read(history, catalogue)
    assert known.index.tolist() == [1, 6]
    assert known.weight.tolist() == [2.0, 1.0]
    assert known.index.dtype == np.int64
    assert known.weight.dtype == np.float32


def test_weights_add_up_are_clipped_and_zero_removes(catalogue):
    known = read([("tea-0", 7), ("tea-0", 5), ("tea-1", -20), ("tea-2", 1), ("tea-2", -1)], catalogue)
    assert known.index.tolist() == [0, 1]
    assert known.weight.tolist() == [8.0, -8.0]
    assert known.seen.tolist() == [0, 1, 2]


def test_unknown_ids_are_reported_once_and_raise_when_strict(catalogue):
    known = read(["x", "tea-0", "x", "y"], catalogue)
    assert known.unknown == ("x", "y")
    assert known.index.tolist() == [0]
    with pytest.raises(UsageError, match="2 history ids are not in the catalogue: 'x', 'y'"):
        read(["x", "tea-0", "y"], catalogue, strict=True)


def test_a_long_history_keeps_the_largest_weights_then_the_most_recent(catalogue):
    known = read([("tea-0", 1), ("tea-1", -3), ("tea-2", 1), ("tea-3", 1)], catalogue, max_items=3)
    assert known.index.tolist() == [1, 2, 3]
    assert known.truncated
    assert known.seen.tolist() == [0, 1, 2, 3]
    assert not read(["tea-0", "tea-1", "tea-2"], catalogue, max_items=3).truncated


@pytest.mark.parametrize(
    ("history", "said"),
    [
        ("tea-0", "got str"),
        (b"tea-0", "got bytes"),
        (7, "got int"),
        ([None], "history\\[0\\] is None"),
        ([True], "history\\[0\\] is True"),
        ([("tea-0", "many")], "the weight of history\\[0\\] is 'many'"),
        ([("tea-0", math.nan)], "expected a finite number"),
        ([("tea-0", math.inf)], "expected a finite number"),
        ([("tea-0", 10**400)], "expected a number"),
        ([("tea-0", 1, 2)], "expected an id"),
    ],
)
def test_what_is_not_a_history_is_refused(history, said, catalogue):
    with pytest.raises(UsageError, match=said):
        read(history, catalogue)


NONE = np.empty(0, np.int64)
START = np.array([0, 2, 2, 5, 6], np.uint32)  # rows of 2, 0, 3 and 1 blocks
SCALE = np.array([0.5, 1.0, 2.0, 4.0], np.float32)


def test_blocks_come_in_history_order_with_the_scale_of_their_row():
    history = History(np.array([2, 1, 0]), np.array([1, 1, -2], np.float32), NONE)
    blocks = gather_blocks(history.index, history.weight, START, SCALE, budget=10)
    assert blocks.index.tolist() == [2, 3, 4, 0, 1]
    assert blocks.weight.tolist() == [2, 2, 2, -1, -1]
    assert blocks.owner.tolist() == [0, 0, 0, 2, 2]
    assert not blocks.truncated


def test_over_budget_the_weakest_item_loses_its_last_blocks_first():
    history = History(np.array([2, 0, 3]), np.array([1, 3, 1], np.float32), NONE)
    blocks = gather_blocks(history.index, history.weight, START, SCALE, budget=4)
    # Item 0 weighs most and keeps both; of the two that weigh 1 the later, item 3, goes first.
    assert blocks.index.tolist() == [2, 0, 1, 5]
    assert blocks.truncated


PAIRS = st.tuples(st.integers(0, 3), st.floats(-8, 8, width=32).filter(bool))


@given(st.lists(PAIRS, max_size=4, unique_by=lambda pair: pair[0]), st.integers(1, 8))
def test_blocks_never_exceed_the_budget_and_are_those_of_their_owner(pairs, budget):
    index = np.array([i for i, _ in pairs], np.int64)
    history = History(index, np.array([w for _, w in pairs], np.float32), NONE)
    blocks = gather_blocks(history.index, history.weight, START, SCALE, budget=budget)
    wanted = int((START[index + 1].astype(int) - START[index]).sum())
    assert len(blocks.index) == min(budget, wanted)
    assert blocks.truncated == (wanted > budget)
    for block, owner in zip(blocks.index, blocks.owner, strict=True):
        assert START[index[owner]] <= block < START[index[owner] + 1]


class Numbered:
    """Item ``iN`` is at N."""

    def index(self, id):
        return int(id[1:]) if id.startswith("i") and int(id[1:]) < 40 else -1


GOLDEN = json.loads((Path(__file__).parent / "golden" / "history.json").read_text(encoding="utf-8"))


def test_golden_histories():
    for case in GOLDEN["histories"]:
        index, weight = zip(*case["known"], strict=True) if case["known"] else ((), ())
        unknown = tuple(f"k{place}" for place, held in enumerate(index) if held < 0)
        known = Known(np.array(index, np.int64), np.array(weight, np.float64), unknown)
        pairs = [tuple(pair) for pair in case["history"]]
        limits = {"max_items": case["max_items"], "max_weight": case["max_weight"]}
        found = resolve(pairs, Numbered(), **limits, known=known)
        assert found.index.tolist() == case["index"]
        assert found.weight.tolist() == case["weight"]
        assert found.seen.tolist() == case["seen"]
        assert list(found.unknown) == case["unknown"]
        assert found.truncated == case["truncated"]


def test_golden_blocks():
    for case in GOLDEN["blocks"]:
        rows, weights = np.array(case["rows"], np.int64), np.array(case["weights"], np.float32)
        start, scale = np.array(case["start"], np.uint32), np.array(case["scale"], np.float32)
        found = gather_blocks(rows, weights, start, scale, budget=case["budget"])
        for key in ("index", "weight", "owner"):
            assert getattr(found, key).tolist() == case[key]
        assert found.truncated == case["truncated"]
