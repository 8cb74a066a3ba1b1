"""Exposure, quality for groups of users, words that should not matter, and what a floor costs.

usage: python benchmarks/fairness.py DATA [--work build/quality] [--sets NAME ...] [--splits 0 1]

On the test users of each set, with the packages that quality.py left. The sets name neither providers nor groups of
users, so: a synthetic provider owns a seeded fifth of the items, the protected group is the less popular half, and
users are grouped by the length of their history. Floors are those of `min_share` (`pocketrec.rerank.choose`), over the
whole ranking; a provider's floor is its share of the items, and it is that floor which should cost at most 1 %.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pocketrec
from fold import SETS, open_fold
from machine import save
from pocketrec.rerank import Candidates, Display, choose
from pocketrec.strings import StringTable
from pocketrec_export import counterfactual, fairness
from pocketrec_export.bootstrap import paired_interval
from pocketrec_export.dataset import Dataset
from pocketrec_export.metrics import figures

FLOORS = (("synthetic provider", 0.2), ("less popular half", 0.1), ("less popular half", 0.2))
LOSS = 0.01
AS_RARE = 3
"""Unrelated words for each word of a query."""


def main() -> int:
    """Measure every set, then print the tables and the reading."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--work", type=Path, default=Path("build/quality"))
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--splits", nargs="+", type=int, default=[0, 1])
    args = parser.parse_args()
    rows = []
    for name in args.sets:
        for split in args.splits:
            recommender, dataset = open_fold(args.data / name, args.work / f"{name}-{split}" / "x.pocketrec", split)
            with recommender:
                rows.append({"set": name, "split": split} | measure(recommender, dataset))
    for name in args.sets:
        mine = [row for row in rows if row["set"] == name]
        print(f"\n{name}")
        for line in mine[0]["reading"]:
            print(f"  {line}")
        for kind in mine[0]["words"]:
            found = [row["words"][kind] for row in mine]
            swapped, synonym = (np.mean([one[key] for one in found]) for key in ("swapped", "synonym"))
            unrelated = np.mean([one.get("unrelated", np.nan) for one in found])
            print(
                f"  {kind}: exchanged {swapped:.1%}, synonym {synonym:.1%}, unrelated and as rare {unrelated:.1%}, "
                f"passed {[one['passed'] for one in found]}"
            )
        for place, (group, share) in enumerate(FLOORS):
            floors = [row["floors"][place] for row in mine]
            mean = {key: np.mean([floor[key] for floor in floors]) for key in ("before", "places", "ndcg10", "plain")}
            cost = mean["ndcg10"] / mean["plain"] - 1
            print(
                f"  floor of {share:.0%} for the {group}: {mean['before']:.1%} of places -> {mean['places']:.1%}, "
                f"NDCG@10 {cost:+.2%}{'' if cost >= -LOSS else '  (more than 1 %)'}"
            )
    print(f"\nwrote {save('fairness', rows)}")
    return 0


def measure(recommender: pocketrec.Recommender, dataset: Dataset) -> dict[str, Any]:
    """One package on its test users."""
    users, eligible = dataset.test, dataset.train_items
    ranked = rankings(recommender, dataset)
    tops = [items[:10] for items, _ in ranked]
    count = np.asarray((dataset.train > 0).sum(axis=0)).ravel()
    deciles = fairness.popularity_deciles(count, eligible)
    catalogue = recommender.catalogue
    categories = fairness.by_label([catalogue.categories(catalogue.index(item)) for item in dataset.items])
    plain = figures(tops, users.targets, missing=users.missing)["ndcg10"]
    assert len(plain) == len(users.history), "a test user has no target"
    half = np.any([deciles[str(number)] for number in range(1, 6)], axis=0)
    groups = {
        "synthetic provider": np.random.default_rng(0).random(len(eligible)) < 0.2,
        "less popular half": half,
    }
    parts: dict[str, Any] = {
        "deciles": fairness.exposure(tops, deciles, eligible),
        "items": fairness.exposure(tops, dict(list(categories.items())[:20]), eligible),
        "users": fairness.quality(plain, fairness.by_activity(users.history)),
    }
    swaps: dict[str, Any] = {}
    if recommender.package.manifest.encoder:
        for name, pairs in (("gender", counterfactual.GENDER), ("names", counterfactual.NAMES)):
            swaps[name] = counterfactual.compare(
                lambda text: [found.item for found in recommender.search(text)], pairs, as_rare=as_rare(recommender)
            )
    lines = fairness.reading(**parts, words=swaps.get("gender"))
    floors = [floor(ranked, groups[name], share, dataset) | {"group": name} for name, share in FLOORS]
    return {**parts, "words": swaps, "reading": lines, "floors": floors}


def as_rare(recommender: pocketrec.Recommender) -> Callable[[str], list[str]]:
    """A phrase to copies with another last word, of the nearest impact, that no triple names; none for an unknown."""
    array = recommender.package.array
    if not recommender.package.has("lexical/scale"):
        return lambda phrase: []
    words = list(StringTable(array("lexical/word.offset"), array("lexical/word.text")))
    scale, row = array("lexical/scale"), {word: at for at, word in enumerate(words)}
    named = {
        word.lower() for triple in (*counterfactual.GENDER, *counterfactual.NAMES) for word in " ".join(triple).split()
    }
    free = np.array([at for at, word in enumerate(words) if word not in named and word.isascii() and len(word) > 3])

    def copies(phrase: str) -> list[str]:
        *before, last = phrase.split()
        if last.lower() not in row:
            return []
        nearest = free[np.argsort(np.abs(scale[free] - scale[row[last.lower()]]), kind="stable")[:AS_RARE]]
        return [" ".join((*before, words[at])) for at in nearest.tolist()]

    return copies


def rankings(recommender: pocketrec.Recommender, dataset: Dataset) -> list[tuple[np.ndarray, np.ndarray]]:
    """Per test user all eligible items, best first, and their scores."""
    position = {item: index for index, item in enumerate(dataset.items)}
    outside = [item for item, ranked in zip(dataset.items, dataset.train_items, strict=True) if not ranked]
    every = []
    for history in dataset.test.history:
        ids = [dataset.items[i] for i in history.tolist()]
        results = recommender.recommend(ids, k=len(position), exclude=outside)
        every.append((np.array([position[r.item] for r in results]), np.array([r.score for r in results])))
    return every


def floor(
    ranked: list[tuple[np.ndarray, np.ndarray]], belongs: np.ndarray, share: float, dataset: Dataset
) -> dict[str, Any]:
    """Lists with a floor for one group, against those without."""
    display, users = Display(min_share={"group": {"in": share}}), dataset.test
    lists = []
    for items, score in ranked:
        labels = {"group": [["in"] if own else [] for own in belongs[items].tolist()]}
        lists.append(items[choose(Candidates(score, np.empty((len(items), 0)), labels=labels), 10, display)])
    found = figures(lists, users.targets, missing=users.missing)["ndcg10"]
    plain = figures([items[:10] for items, _ in ranked], users.targets, missing=users.missing)["ndcg10"]
    _, low, high = paired_interval(found, plain)
    return {
        "share": share,
        "before": float(np.mean([belongs[items[:10]].mean() for items, _ in ranked])),
        "places": float(np.mean([belongs[items].mean() for items in lists])),
        "met": bool(all(belongs[items].sum() >= int(share * len(items) + 1e-9) for items in lists)),
        "ndcg10": float(found.mean()),
        "plain": float(plain.mean()),
        "difference_ci95": [low, high],
    }


if __name__ == "__main__":
    sys.exit(main())
