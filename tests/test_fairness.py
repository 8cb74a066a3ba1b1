"""Exposure, groups of users and exchanged words, by hand."""

import math

import numpy as np
import pandas as pd
import pocketrec
import pytest
from pocketrec_export import build, counterfactual, fairness
from worlds import tiny_world


def mask(size, *items):
    belongs = np.zeros(size, np.bool_)
    belongs[list(items)] = True
    return belongs


def test_exposure_by_hand():
    lists = [np.array([0, 1]), np.array([0, 2]), np.array([3])]
    eligible = mask(5, 0, 1, 2, 3)
    found = fairness.exposure(lists, {"a": mask(5, 0), "b": mask(5, 1, 2, 4), "none": mask(5, 4)}, eligible)
    second = 1 / math.log2(3)
    total = 3 + 2 * second
    assert found["a"] == {
        "items": 1 / 4,
        "places": 2 / 5,
        "exposure": pytest.approx(2 / total),
        "ratio": pytest.approx(8 / total),
    }
    assert found["b"]["exposure"] == pytest.approx(2 * second / total)
    assert found["none"] == {"items": 0.0, "places": 0.0, "exposure": 0.0, "ratio": None}
    assert fairness.exposure([], {"a": mask(5, 0)}, eligible)["a"]["exposure"] == 0


def test_only_ten_ranks_are_looked_at():
    found = fairness.exposure([np.arange(12)], {"late": mask(12, 10, 11)}, np.ones(12, np.bool_))
    assert found["late"]["exposure"] == 0


def test_deciles_hold_equally_many_and_go_up():
    count = np.array([5, 0, 3, 9, 1, 1, 2, 8, 7, 4, 6, 100])
    eligible = np.ones(12, np.bool_)
    eligible[11] = False
    deciles = fairness.popularity_deciles(count, eligible)
    assert list(deciles) == [str(number) for number in range(1, 11)]
    assert sum(group.sum() for group in deciles.values()) == 11
    assert np.flatnonzero(deciles["1"]).tolist() == [1, 4]
    assert np.flatnonzero(deciles["10"]).tolist() == [3]


def test_labels_and_activity():
    groups = fairness.by_label([["x"], ["x", "y"], [], ["x"]])
    assert {name: group.tolist() for name, group in groups.items()} == {
        "x": [True, True, False, True],
        "y": [False, True, False, False],
    }
    assert list(groups) == ["x", "y"]
    histories = [np.arange(n) for n in (1, 5, 9)]
    assert fairness.by_activity(histories) == ["short history", "short history", "long history"]


def test_quality_of_groups():
    values = np.array([0.2] * 30 + [0.6] * 30 + [0.5] * 5)
    found = fairness.quality(values, ["a"] * 30 + ["b"] * 30 + ["few"] * 4 + [""])
    assert found["a"]["mean"] == pytest.approx(0.2)
    assert found["a"]["difference"] == pytest.approx(0.2 - (0.6 * 30 + 0.5 * 5) / 35)
    assert found["a"]["difference_ci95"][1] < 0 < found["b"]["difference_ci95"][0]
    assert found["few"] == {"users": 4}
    assert "" not in found
    lines = fairness.reading(users=found)
    assert "Users in 'a' are served worse" in lines[0]
    assert "Users in 'b' are served better" in lines[1]
    assert lines[2] == "Users in 'few': 4, too few to tell."
    same = fairness.quality(np.tile([0.2, 0.6], 30), ["a", "a", "b", "b"] * 15)
    assert "as well as the others" in fairness.reading(users=same)[0]


def test_the_reading_says_what_the_figures_say():
    deciles = {str(number): {"exposure": 0.01} for number in range(1, 10)} | {"10": {"exposure": 0.91}}
    items = {"A": {"ratio": 3.0}, "B": {"ratio": 0.25}, "C": {"ratio": None}}
    words = {"swapped": 0.4, "synonym": 0.5, "passed": True}
    assert fairness.reading(deciles=deciles, items=items, words=words) == [
        "The most popular tenth of the items gets 91% of what users see; the less popular half of all items gets 5.0%.",
        "For its number of items, 'A' is shown most (3.0 times its share) and 'B' least (0.2 times).",
        "Exchanging gender words in queries changes 40% of the first ten, a synonym 50%: no more than a synonym does.",
    ]
    assert fairness.reading() == []


def test_movement():
    assert counterfactual.movement(frozenset("abcd"), frozenset("abxy")) == 0.5
    assert counterfactual.movement(frozenset("ab"), frozenset()) == 1
    assert counterfactual.movement(frozenset(), frozenset()) == 0


def test_a_search_that_minds_gender_is_told_from_one_that_does_not():
    women = {other if word in ("man", "boy") else word for word, other, _ in counterfactual.GENDER} & {"woman", "girl"}

    def minds(text):
        return ["dress", "doll"] if women & set(text.split()) else ["car", "ball"]

    blind = counterfactual.compare(lambda text: ["a", "b"])
    assert (blind["swapped"], blind["synonym"], blind["passed"]) == (0, 0, True)
    assert blind["queries"] == len(counterfactual.FRAMES) * len(counterfactual.GENDER)
    found = counterfactual.compare(minds)
    assert found["swapped"] > found["synonym"]
    assert not found["passed"]
    rare = counterfactual.compare(minds, as_rare=lambda word: ["girl"] if word == "man" else [])
    assert rare["unrelated"] == 0  # a woman and a girl find the same
    assert {name: rare[name] for name in found} == found
    noisy = counterfactual.compare(lambda text: [text])  # every other query is another answer
    assert (noisy["swapped"], noisy["synonym"], noisy["passed"]) == (1, 1, True)


def test_words_of_a_package(tmp_path):
    path = tiny_world(tmp_path / "tiny.pocketrec")
    with pocketrec.open(path, engine="numpy") as recommender:
        found = counterfactual.compare(
            lambda text: [item.item for item in recommender.search(text)],
            [("green", "black", "mint"), ("short", "long", "old")],
        )
    assert found["queries"] == 12
    assert 0 <= found["swapped"] <= 1


def test_a_build_reads_the_groups_of_its_users_and_keeps_them_out_of_the_package(tmp_path):
    rng = np.random.default_rng(0)
    users = [f"u{u}" for u in range(150)]
    rows = [(user, f"i{i}") for user in users for i in rng.choice(40, 12, replace=False, p=WEIGHTS / WEIGHTS.sum())]
    frame = pd.DataFrame(rows, columns=["user", "item"])
    groups = pd.DataFrame(
        {"user": users, "region": ["northern-region" if u % 2 else "southern-region" for u in range(150)]}
    )
    report = build(
        frame, None, users=groups, out=tmp_path / "x.pocketrec", trials=2, report=tmp_path / "report", quiet=True
    )
    found = report.as_dict()["comparison"]["fairness"]
    assert sum(group["users"] for group in found["users"]["region"].values()) == 22
    assert sum(group["exposure"] for group in found["deciles"].values()) == pytest.approx(1)
    assert found["deciles"]["10"]["exposure"] > found["deciles"]["1"]["exposure"]
    page = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    assert found["reading"][0] in page
    assert b"northern-region" not in (tmp_path / "x.pocketrec").read_bytes()


WEIGHTS = np.geomspace(1, 0.05, 40)
