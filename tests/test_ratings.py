"""Predicted ratings on the device: by hand, on the scale, for odd histories, from hostile tables."""

import json
from contextlib import suppress

import numpy as np
import pocketrec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pocketrec import cli
from pocketrec.errors import PackageError, UsageError
from pocketrec.inspection import gap_of, predicted_case
from pocketrec.manifest import RatingSettings
from pocketrec.ratings import RatingTables
from pocketrec_export.quantize import dequantize_rows, quantize_rows
from test_hostile import edited, refused, with_array
from worlds import TINY_IDS, tiny_world

SCALE = {"dim": 1, "low": 1.0, "high": 5.0, "mean": 3.0, "regularization": 0.5, "bias_regularization": 2.0}
AXIS = np.array([[1.0]] * 4 + [[-1.0]] * 4, np.float32)
"""Teas and novels are opposites; the last item is unlike anything."""
BIAS = np.array([0.5, 0, 0, 0, 0, 0, 0, -0.5], np.float32)


def arrays(spread=((0.0,), (0.0,))):
    value, scale = quantize_rows(AXIS)
    return {
        "ratings/value": value,
        "ratings/scale": scale,
        "ratings/bias": BIAS,
        "ratings/spread": np.array(spread, np.float32),
    }


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ratings")
    return tiny_world(folder / "x.pocketrec", settings={"ratings": SCALE}, more=arrays())


@pytest.fixture
def rec(path):
    with pocketrec.open(path, engine="numpy") as recommender:
        yield recommender


def test_one_rating_by_hand(rec):
    # rest = 5 - 3 - 0.5 = 1.5; (1 + 2) b + u = 1.5 and b + (1 + 0.5) u = 1.5: b = 3/14, u = 6/7.
    tea, novel, last = rec.predict([("tea-0", 5)], ["tea-1", "book-0", "book-3"])
    assert tea == pytest.approx(3 + 3 / 14 + 6 / 7)
    assert novel == pytest.approx(3 + 3 / 14 - 6 / 7)
    assert last == pytest.approx(3 + 3 / 14 - 6 / 7 - 0.5)


def test_the_spread_damps_by_the_number_of_ratings(tmp_path):
    # One rating: (1 + 2) b + u = 1.5 and b + (1 + 0.5 + 0.25) u = 1.5 - 0.1.
    world = tiny_world(tmp_path / "x", settings={"ratings": SCALE}, more=arrays(((0.25,), (0.1,))))
    b, u = np.linalg.solve([[3, 1], [1, 1.75]], [1.5, 1.4])
    with pocketrec.open(world) as recommender:
        assert recommender.predict({"tea-0": 5}, ["book-0"]) == [pytest.approx(3 + b - u)]


def test_an_empty_history_gives_the_items_averages(rec):
    assert rec.predict([], ["tea-0", "tea-1", "book-3"]) == [3.5, 3.0, 2.5]
    assert rec.predict({}, []) == []


def test_history_forms_repeats_and_unknown_ids(rec):
    pairs = rec.predict([("tea-1", 1), ("cup", 5), ("tea-1", 4.5)], ["tea-2", "cup", "tea-2"])
    assert pairs == rec.predict({"tea-1": 4.5}, ["tea-2", "cup", "tea-2"])
    assert pairs[1] is None
    assert pairs[0] == pairs[2]
    with pytest.raises(UsageError, match="2 ids are not in the catalogue: 'cup', 'pan'"):
        rec.predict([("cup", 5)], ["tea-0", "pan"], strict=True)


def test_ratings_stay_on_the_scale(rec):
    loves = rec.predict([(item, 5) for item in TINY_IDS[:4]] + [(item, 1) for item in TINY_IDS[4:]], TINY_IDS)
    assert max(loves) == 5.0  # cut: the sum is beyond
    assert all(1 <= rating <= 5 for rating in loves)


@pytest.mark.parametrize(
    ("history", "items", "said"),
    [
        ([("tea-0", 6)], ["tea-1"], "item 'tea-0' has rating 6; ratings of this package go from 1 to 5"),
        ([("tea-0", float("nan"))], ["tea-1"], "go from 1 to 5"),
        ([("tea-0", True)], ["tea-1"], "expected a number"),
        ([("tea-0", "5")], ["tea-1"], "expected a number"),
        ([("tea-0", None)], ["tea-1"], "expected a number"),
        ([("tea-0", 10**400)], ["tea-1"], "expected a number"),
        (["tea-0"], ["tea-1"], r"a history entry is \(id, rating\); got 'tea-0'"),
        ("tea-0", ["tea-1"], "or a mapping; got 'tea-0'"),
        (3, ["tea-1"], "or a mapping; got 3"),
        ([], "tea-1", "items is a sequence of ids; got 'tea-1'"),
    ],
)
def test_bad_arguments(rec, history, items, said):
    with pytest.raises(UsageError, match=said):
        rec.predict(history, items)


def test_a_package_without_ratings_says_so(tmp_path):
    with (
        pocketrec.open(tiny_world(tmp_path / "x")) as recommender,
        pytest.raises(UsageError, match="predicts no ratings; build it from interactions whose values are ratings"),
    ):
        recommender.predict([], ["tea-0"])


def test_every_engine_predicts_the_same(path):
    answers = []
    for engine in ("numpy", "onnx"):
        with pocketrec.open(path, engine=engine, verify="lazy") as recommender:
            answers.append(recommender.predict({"tea-0": 2.0, "book-1": 4.0}, TINY_IDS))
    assert answers[0] == answers[1]


# --------------------------------------------------------------------------------------------- properties


def tables(rng, items=12, dim=3):
    value, scale = quantize_rows(rng.standard_normal((items, dim)).astype(np.float32))
    settings = RatingSettings(dim, 1.0, 5.0, 3.0, float(rng.uniform(0.1, 2)), float(rng.uniform(0.1, 2)))
    spread = np.array([rng.uniform(0, 0.3, dim), np.zeros(dim)], np.float32)
    return RatingTables(settings, value, scale, rng.uniform(-0.5, 0.5, items).astype(np.float32), spread)


@given(st.integers(0, 2**32 - 1), st.integers(0, 8))
def test_the_fold_in_minimizes_the_damped_squared_error(seed, count):
    rng = np.random.default_rng(seed)
    of, index, rating = tables(rng), rng.permutation(12)[:count], rng.uniform(1, 5, count)
    v = dequantize_rows(of.value, of.scale).astype(np.float64)[index]
    damping = np.concatenate(
        ([of.settings.bias_regularization], of.settings.regularization + count * of.spread[0].astype(np.float64))
    )

    def loss(x):
        rest = rating - 3.0 - of.bias[index] - x[0] - v @ x[1:]
        return float(rest @ rest + damping @ x**2)

    best = of.fold_in(index, rating)
    for _ in range(5):
        assert loss(best) <= loss(best + 1e-3 * rng.standard_normal(4)) + 1e-12


@given(st.integers(0, 2**32 - 1), st.integers(0, 8), st.floats(0.1, 1.5))
def test_a_better_rating_of_an_item_never_lowers_its_prediction(seed, count, more):
    rng = np.random.default_rng(seed)
    of, index = tables(rng), rng.permutation(12)[: count + 1]
    rating = rng.uniform(1, 3.5, count + 1)
    before = of.ratings(of.fold_in(index, rating), index[:1])[0]
    rating[0] += more
    assert of.ratings(of.fold_in(index, rating), index[:1])[0] >= before - 1e-9


# --------------------------------------------------------------------------------------- hostile packages


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"dim": 0}, "ratings.dim must be an integer from 1 to 4096"),
        ({"dim": 2}, r"'ratings/value' has shape \(8, 1\), expected \[I, R\] with R = 2"),
        ({"dim": 5000}, "ratings.dim"),
        ({"low": 5.0}, "ratings goes from 5 to 5, expected low < high"),
        ({"low": 1e300}, "ratings.low must be a number from"),
        ({"high": "5"}, "ratings.high must be a number"),
        ({"mean": 1e9}, "ratings.mean must be a number"),
        ({"regularization": 0}, "ratings.regularization must be a number from 1e-12"),
        ({"regularization": -1}, "ratings.regularization"),
        ({"bias_regularization": 1e13}, "ratings.bias_regularization"),
    ],
)
def test_settings_that_cannot_be(path, change, said):
    refused(edited(path.read_bytes(), lambda m: m["ratings"].update(change)), said)


def test_a_section_that_is_no_object(path):
    refused(edited(path.read_bytes(), lambda m: m.update(ratings=3)), "ratings must be an object, found 3")


@pytest.mark.parametrize(
    ("name", "array", "said"),
    [
        ("ratings/value", np.zeros((8, 1), np.uint8), "holds code 0, expected 1 to 255"),
        ("ratings/value", np.full((7, 1), 128, np.uint8), r"expected \[I, R\] with I = 8"),
        ("ratings/value", np.full((8, 1), 1, np.int8), "is int8, expected uint8"),
        ("ratings/scale", np.full(8, -1, np.float32), "holds -1.0, expected 0 to"),
        ("ratings/bias", np.full(8, np.nan, np.float32), "holds nan"),
        ("ratings/bias", np.zeros(9, np.float32), r"expected \[I\] with I = 8"),
        ("ratings/spread", np.array([[-0.1], [0]], np.float32), "holds -0.1"),
        ("ratings/spread", np.array([[0], [np.inf]], np.float32), "holds inf"),
        ("ratings/spread", np.zeros((3, 1), np.float32), r"expected \[2, R\] with 2 = 2"),
    ],
)
def test_tables_that_cannot_be(path, name, array, said):
    refused(with_array(path.read_bytes(), name, array), said)


def test_a_section_without_its_tables(tmp_path):
    some = {name: array for name, array in arrays().items() if name != "ratings/bias"}
    with pytest.raises(PackageError, match="array 'ratings/bias' is missing"):
        tiny_world(tmp_path / "x", settings={"ratings": SCALE}, more=some)


def test_the_largest_tables_give_ratings_or_an_error(path):
    data = path.read_bytes()
    largest = {"ratings/scale": np.full(8, 1 << 20, np.float32), "ratings/bias": np.full(8, 1 << 20, np.float32)}
    for name, array in largest.items():
        data = with_array(data, name, array)
    data = edited(data, lambda m: m["ratings"].update(regularization=1e-12, bias_regularization=1e-12))
    with pocketrec.open(data, engine="numpy") as recommender, suppress(PackageError):
        ratings = recommender.predict(dict.fromkeys(TINY_IDS, 5.0), TINY_IDS)
        assert all(1 <= rating <= 5 for rating in ratings)


def test_tables_without_a_solution_are_an_error():
    settings = RatingSettings(2, 1.0, 5.0, 3.0, 1e-12, 1e-12)
    huge = np.full((1, 2), 255, np.uint8), np.full(1, 1 << 20, np.float32), np.zeros(1, np.float32)
    of = RatingTables(settings, *huge, np.zeros((2, 2), np.float32))
    # A damping of 1e-12 vanishes beside 127^2 * 2^40, and two coordinates are left with one equation.
    with pytest.raises(PackageError, match="no finite rating"):
        of.fold_in(np.array([0]), np.array([5.0]))


# --------------------------------------------------------------------------------------------- command line


def test_the_command(path, capsys):
    words = ["predict", str(path), "--history", "tea-0:5", "--items", "tea-1, cup,book-0"]
    assert cli.main(words) == 0
    out = capsys.readouterr()
    assert out.out.splitlines() == ["    4.07  Black tea  [tea-1]", "    2.36  Short novel  [book-0]"]
    assert out.err == "note: not in the catalogue: cup\n"
    assert cli.main([*words, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["predictions"]
    assert [(row["item"], row["title"]) for row in rows] == [
        ("tea-1", "Black tea"),
        ("cup", None),
        ("book-0", "Short novel"),
    ]
    assert rows[0]["rating"] == pytest.approx(3 + 3 / 14 + 6 / 7)
    assert rows[1]["rating"] is None
    assert cli.main([*words, "--strict"]) == 2
    for history in ("tea-0", "tea-0:much", "tea-0:9"):
        assert cli.main(["predict", str(path), "--history", history, "--items", "tea-1"]) == 2
        assert capsys.readouterr().err.count("error: ") >= 1
    assert cli.main(["inspect", str(path)]) == 0
    assert "ratings        1 to 5, 1 dimensions" in capsys.readouterr().out


def test_golden_ratings_are_verified(path):
    with pocketrec.open(path, engine="numpy") as recommender:
        case = predicted_case(recommender, [["tea-0", 5.0]], ["tea-1", "book-0"])
        assert case["scores"] == recommender.predict({"tea-0": 5.0}, ["tea-1", "book-0"])
        assert gap_of(recommender, case) == 0
        case["scores"][1] += 0.4
        assert gap_of(recommender, case) == pytest.approx(0.1)
