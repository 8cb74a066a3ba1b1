"""Metrics by hand, as fractions of discounts, and against the reference scorer."""

import json
import os
import subprocess
import sys
import warnings
from math import log2
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pocketrec.errors import UsageError
from pocketrec_export.dataset import make_dataset
from pocketrec_export.metrics import (
    bootstrap_interval,
    hits,
    ndcg_at,
    paired_interval,
    recall_at,
    summarize,
    user_metrics,
)
from pocketrec_export.read import read_interactions
from pocketrec_export.split_files import read_split

DATA = Path(os.environ.get("POCKETREC_EVAL_DATA", Path(__file__).parents[2] / "shared" / "data"))


def lists(*values: list[int]) -> list[np.ndarray]:
    return [np.array(value, np.int64) for value in values]


def evaluated(ranked: list[np.ndarray], targets: list[np.ndarray], **options: np.ndarray) -> dict[str, object]:
    return summarize(user_metrics(ranked, targets, **options))


def test_ndcg_by_hand() -> None:
    # ranks 1 and 3 of 3 targets: (1 + 1/2) / (1 + 1/log2(3) + 1/2)
    hit = hits(lists([5, 9, 7]), lists([5, 7, 100]), depth=10)
    assert hit[0].tolist() == [True, False, True] + [False] * 7
    assert ndcg_at(10, hit, np.array([3]))[0] == pytest.approx((1 + 1 / 2) / (1 + 1 / log2(3) + 1 / 2))
    assert ndcg_at(1, hit, np.array([3]))[0] == 1
    assert ndcg_at(2, hit, np.array([3]))[0] == pytest.approx(1 / (1 + 1 / log2(3)))


def test_the_best_order_has_at_most_k_hits() -> None:
    ranked = [np.arange(100)]
    targets = [np.arange(40)]
    result = evaluated(ranked, targets)
    assert (result["ndcg10"], result["recall20"], result["ndcg100"]) == (pytest.approx(1), 1, pytest.approx(1))


def test_recall_divides_by_min_of_20_and_the_targets() -> None:
    hit = np.zeros((3, 100), bool)
    hit[0, [0, 19, 20]] = True
    hit[1, :5] = True
    assert recall_at(20, hit, np.array([4, 30, 0])).tolist() == [2 / 4, 5 / 20, 0]


def test_missing_targets_stay_in_the_denominator() -> None:
    metrics = user_metrics(lists([3], [3]), lists([3], [3]), missing=np.array([0, 1]))
    assert metrics.recall20.tolist() == [1, 1 / 2]
    assert metrics.ndcg10.tolist() == pytest.approx([1, 1 / (1 + 1 / log2(3))])
    only_missing = user_metrics(lists([3]), lists([]), missing=np.array([2]))
    assert only_missing.ndcg10.tolist() == [0]


def test_users_without_targets_do_not_count() -> None:
    assert evaluated(lists([1], [1]), lists([1], []))["users"] == 1
    nobody = evaluated([], [])
    assert nobody == {"users": 0, "ndcg10": None, "recall20": None, "ndcg100": None, "ndcg10_ci95": None}


def test_padding_and_short_lists_are_misses() -> None:
    matrix = np.array([[2, -1, 4], [4, -1, -1]])
    assert hits(matrix, lists([4], [0]), depth=3).tolist() == [[False, False, True], [False] * 3]
    assert hits(lists([]), lists([0]), depth=2).tolist() == [[False, False]]


def test_wrong_calls() -> None:
    with pytest.raises(UsageError, match="ranked list 1 holds an item twice"):
        hits(lists([1, 2], [3, 3]), lists([1], [1]))
    with pytest.raises(UsageError, match="1 ranked lists for 2 target sets"):
        hits(lists([1]), lists([1], [1]))
    with pytest.raises(UsageError, match="same users, got 2 and 1"):
        paired_interval(np.zeros(2), np.zeros(1))
    with pytest.raises(UsageError, match="no users"):
        bootstrap_interval(np.zeros(0))


def test_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(1).random(300)
    drawn = np.random.default_rng(0).integers(0, 300, (2000, 300))
    expected = np.quantile(values[drawn].mean(1), [0.025, 0.975])
    assert bootstrap_interval(values) == pytest.approx(tuple(expected))
    # The same draws however few fit into memory at once.
    monkeypatch.setattr("pocketrec_export.metrics._CHUNK", 1000)
    assert bootstrap_interval(values) == pytest.approx(tuple(expected))
    # A constant gain has no spread when paired.
    mean, low, high = paired_interval(values + 0.125, values)
    assert (mean, low, high) == pytest.approx((0.125, 0.125, 0.125))


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.filterwarnings("default:SKIPPED")
def test_agrees_with_the_reference_scorer(tmp_path: Path, seed: int) -> None:
    scorer = DATA.parent / "score.py"
    if not scorer.is_file() or not DATA.is_dir():
        warnings.warn(f"SKIPPED: no {scorer}; set POCKETREC_EVAL_DATA", UserWarning, stacklevel=1)
        pytest.skip(f"no {scorer}; set POCKETREC_EVAL_DATA")
    folder = DATA / "ml-latest-small"
    data = read_interactions(folder / "interactions.parquet")
    fold = make_dataset(data, read_split(folder / f"split-{seed}.parquet"))
    # Popularity with noise: random lists hit nothing and would agree on zeros.
    generator = np.random.default_rng(seed)
    popularity = np.asarray(fold.train.sum(axis=0)).ravel()
    ranked = []
    for history in fold.test.history:
        score = popularity * generator.random(len(popularity))
        score[~fold.train_items] = -np.inf
        score[history] = -np.inf
        ranked.append(np.argsort(-score)[:100])
    recommendations = pd.DataFrame(
        [(user, fold.items[i], rank + 1) for user, top in zip(fold.test.users, ranked, strict=True)
         for rank, i in enumerate(top)],
        columns=["user", "item", "rank"],
    )  # fmt: skip
    recommendations.to_parquet(tmp_path / "recs.parquet")
    output = subprocess.run(
        [sys.executable, str(scorer), str(folder), str(seed), str(tmp_path / "recs.parquet")],
        capture_output=True, text=True, check=True, timeout=300,
    ).stdout  # fmt: skip
    reference = json.loads(output)
    ours = evaluated(ranked, fold.test.targets, missing=fold.test.missing)
    assert ours["users"] == reference["users"] == 90
    assert reference["ndcg10"] > 0.02
    for key in ("ndcg10", "recall20", "ndcg100"):
        assert ours[key] == pytest.approx(reference[key], abs=0.51e-4)
    # The scorer's users come in text order as ours do, so even the bootstrap draws are the same.
    assert ours["ndcg10_ci95"] == pytest.approx(reference["ndcg10_ci95"], abs=0.51e-4)
