"""Metrics by hand, as fractions of discounts, and against the reference scorer."""

import json
import os
import subprocess
import sys
import warnings
from math import log2
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pocketrec.errors import UsageError
from pocketrec_export.bootstrap import bootstrap_interval, paired, paired_interval
from pocketrec_export.dataset import make_dataset
from pocketrec_export.list_metrics import ItemFacts
from pocketrec_export.metrics import figures, hits, ndcg_at, recall_at, reciprocal_rank, rmse, summarize
from pocketrec_export.read import read_interactions
from pocketrec_export.split_files import read_split
from scipy.sparse import csr_matrix

DATA = Path(os.environ.get("POCKETREC_EVAL_DATA", Path(__file__).parents[2] / "shared" / "data"))


def lists(*values: list[int]) -> list[np.ndarray]:
    return [np.array(value, np.int64) for value in values]


def evaluated(ranked: list[np.ndarray], targets: list[np.ndarray], **options: np.ndarray) -> dict[str, object]:
    return summarize(figures(ranked, targets, **options))


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
    metrics = figures(lists([3], [3]), lists([3], [3]), missing=np.array([0, 1]))
    assert metrics["recall20"].tolist() == [1, 1 / 2]
    assert metrics["ndcg10"].tolist() == pytest.approx([1, 1 / (1 + 1 / log2(3))])
    only_missing = figures(lists([3]), lists([]), missing=np.array([2]))
    assert only_missing["ndcg10"].tolist() == [0]


def test_users_without_targets_do_not_count() -> None:
    assert evaluated(lists([1], [1]), lists([1], []))["users"] == 1
    nobody = evaluated([], [])
    assert nobody == {"users": 0, "ndcg10": None, "recall20": None, "ndcg100": None, "mrr": None, "ndcg10_ci95": None}


def test_reciprocal_rank_is_of_the_first_hit() -> None:
    hit = hits(lists([7, 5, 9], [1, 2], [3]), lists([9, 5], [4], [3]))
    assert reciprocal_rank(hit, np.array([2, 1, 1])).tolist() == [1 / 2, 0, 1]
    assert evaluated(lists([7, 5, 9], [1, 2], [3]), lists([9, 5], [4], [3]))["mrr"] == (1 / 2 + 0 + 1) / 3


def test_rmse_by_hand() -> None:
    assert rmse(np.array([3.0, 4.0, 1.0]), np.array([4.0, 4.0, 3.0])) == pytest.approx((5 / 3) ** 0.5)
    with pytest.raises(UsageError, match="1 predictions for 2 ratings"):
        rmse(np.ones(1), np.ones(2))
    with pytest.raises(UsageError, match="0 predictions for 0 ratings"):
        rmse(np.ones(0), np.ones(0))
    with pytest.raises(UsageError, match="prediction 1 is not finite"):
        rmse(np.array([1, np.nan]), np.ones(2))


# Five items over 8 train users: texts at angles 0, 90, 180 and 0 degrees and none; item 4 may not be ranked.
FACTS = ItemFacts(
    eligible=np.array([True, True, True, True, False]),
    count=np.array([8, 4, 2, 1, 0]),
    users=8,
    text=np.array([[1, 0], [0, 2], [-3, 0], [0.5, 0], [0, 0]], np.float32),
    category=csr_matrix(np.array([[1, 1, 0], [1, 0, 0], [0, 0, 1], [0, 0, 0], [1, 1, 1]], np.float32)),
)


def of_lists(*ranked: list[int], facts: ItemFacts = FACTS) -> dict[str, Any]:
    return summarize(figures(lists(*ranked), lists(*[[0]] * len(ranked)), facts=facts))


def test_diversity_by_hand() -> None:
    measured = figures(lists([0, 1, 2], [0, 3], [1], [2, 4]), lists(*[[0]] * 4), facts=FACTS)
    # Distances of (0, 1), (0, 2), (1, 2) are 1, 2, 1; items 0 and 3 say the same; one item makes no pair.
    assert measured["text_diversity"].tolist() == pytest.approx([4 / 3, 0, np.nan, np.nan], nan_ok=True)
    # Jaccard distances 1/2, 1, 1; item 3 has no category; {2} of three against {0, 1, 2}: 1 - 1/3.
    assert measured["category_diversity"].tolist() == pytest.approx([2.5 / 3, np.nan, np.nan, 2 / 3], nan_ok=True)
    summary = summarize(measured)
    assert summary["text_diversity"] == pytest.approx((4 / 3 + 0) / 2)
    assert of_lists([1])["text_diversity"] is None


def test_only_the_first_ten_ranks_count() -> None:
    many = ItemFacts(np.ones(20, bool), np.arange(1, 21), users=20)
    measured = of_lists(list(range(20)), facts=many)
    assert measured["coverage10"] == 10 / 20
    assert measured["novelty"] == pytest.approx(sum(-log2(n / 20) for n in range(1, 11)) / 10)


def test_novelty_is_mean_self_information_in_bits() -> None:
    assert of_lists([0, 1, 2])["novelty"] == (0 + 1 + 2) / 3
    assert of_lists([0, 1, 2], [3])["novelty"] == (1 + 3) / 2
    nobody = figures(lists([]), lists([0]), facts=FACTS)
    assert np.isnan(nobody["novelty"]).all()


def test_coverage_and_gini_by_hand() -> None:
    # Shown 2, 1, 1 and 0 times; the fifth item cannot be ranked and does not count.
    measured = of_lists([0, 1], [0, 2])
    assert measured["coverage10"] == 3 / 4
    assert measured["gini10"] == pytest.approx((-3 * 0 - 1 * 1 + 1 * 1 + 3 * 2) / (4 * 4))
    assert of_lists([0, 1], [2, 3])["gini10"] == 0
    assert of_lists([1], [1])["gini10"] == pytest.approx(1 - 1 / 4)
    nothing = of_lists([], [])
    assert (nothing["coverage10"], nothing["gini10"]) == (0, 0)


def test_metrics_without_their_facts_are_absent() -> None:
    bare = ItemFacts(FACTS.eligible, FACTS.count, FACTS.users)
    assert not {"text_diversity", "category_diversity"} & set(of_lists([0, 1], facts=bare))
    assert "novelty" not in evaluated(lists([0]), lists([0]))


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
    monkeypatch.setattr("pocketrec_export.bootstrap._CHUNK", 1000)
    assert bootstrap_interval(values) == pytest.approx(tuple(expected))
    # A constant gain has no spread when paired.
    mean, low, high = paired_interval(values + 0.125, values)
    assert (mean, low, high) == pytest.approx((0.125, 0.125, 0.125))


def test_paired_differences_of_every_metric() -> None:
    ours = {"a": np.array([1.0, 0.5, np.nan]), "b": np.array([np.nan] * 3), "ours_only": np.zeros(3)}
    theirs = {"a": np.array([0.5, 0.0, 1.0]), "b": np.zeros(3)}
    assert paired(ours, theirs) == {"a": {"mean": 0.5, "ci95": [0.5, 0.5]}}
    generator = np.random.default_rng(1)
    noise = {"a": generator.random(200)}
    shifted = {"a": noise["a"] + generator.normal(0.1, 0.1, 200)}
    first = paired(shifted, noise)
    assert first == paired(shifted, noise)
    low, high = first["a"]["ci95"]
    assert 0.05 < low < first["a"]["mean"] < high < 0.15
    assert paired(shifted, noise, seed=1) != first


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
