"""Known-item search: is the film that somebody means found, by words, by meaning, by all that search does?

usage: python benchmarks/known_item.py PACKAGE ITEMS [PACKAGE ITEMS ...]

Queries of three kinds are made from the half of the items that the build did not choose its weights on, with another
seed (`pocketrec_export.known_items`). Mean reciprocal rank of the item meant:

- ``typed``: BM25 on the words as they are typed;
- ``words``: the same with misspelled and unfinished words understood;
- ``meaning``: the semantic signal;
- ``search``: all of it, as `pocketrec search` weighs it.

With 95 % intervals of the paired difference of ``search`` to the better of ``typed`` and ``meaning``, the two plain
signals, and to ``words``. And how often an item comes first when its own title is typed, with and without a history.
Items that share a title share the first place.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pocketrec
from machine import save
from numpy.typing import NDArray
from pocketrec.recommender import Recommender
from pocketrec_export.bootstrap import paired_interval
from pocketrec_export.fusion import reciprocal_ranks, search_signals
from pocketrec_export.items import Items
from pocketrec_export.known_items import KINDS, known_items, plain_title
from pocketrec_export.read import read_items

SEED, HALF = 20261124, 1
QUERIES = 500
TITLES = 500
HISTORY = 10
WAYS = ("typed", "words", "meaning", "search")
PLAIN = ("typed", "meaning")


def measure(recommender: Recommender, items: Items, *, name: str, count: int = QUERIES) -> dict[str, Any]:
    """MRR of each kind and way, the gain of fusion, and the share of titles that come first.

    Args:
        recommender: the package.
        items: the table it was built from, in any order.
        name: of the row.
        count: queries of each kind.
    """
    catalogue = recommender.catalogue
    items = items.select([catalogue.id(index) for index in range(len(catalogue))])
    queries = known_items(items, count=count, seed=SEED, half=HALF)
    term = recommender.package.manifest.blend["search"]
    weight = {signal: term[signal].weight if signal in term else 0.0 for signal in ("semantic", "lexical")}
    ranks: dict[str, list[float]] = {way: [] for way in WAYS}
    for query in queries:
        meaning, words = search_signals(recommender, query.text)
        typed = search_signals(recommender, query.text, guess=False)[1]
        target = np.array([query.item])
        search = np.float32(weight["semantic"]) * meaning + np.float32(weight["lexical"]) * words
        for way, score in zip(WAYS, (typed, words, meaning, search), strict=True):
            ranks[way].append(float(reciprocal_ranks(score[None], target)[0]))
    kind = np.array([query.kind for query in queries])
    value = {way: np.array(listed) for way, listed in ranks.items()}
    groups = {"mix": np.ones(len(kind), np.bool_)} | {name: kind == name for name in KINDS}
    of_group = {group: {way: value[way][mine] for way in value} for group, mine in groups.items()}
    return {
        "set": name,
        "items": len(catalogue),
        "bytes": recommender.package.size_bytes,
        "lexical_bytes": sum(s for n, s in recommender.package.sizes().items() if n.startswith("lexical/")),
        "queries": {group: int(mine.sum()) for group, mine in groups.items()},
        "mrr": {group: {way: float(value[way][mine].mean()) for way in value} for group, mine in groups.items()},
        "gain": {group: _gain(ways, PLAIN) for group, ways in of_group.items()},
        "gain_over_words": {group: _gain(ways, ("words",)) for group, ways in of_group.items()},
        "title_first": {
            "without history": _titles_first(recommender, history=False),
            "with history": _titles_first(recommender, history=True),
        },
    }


def _gain(value: dict[str, NDArray[np.float64]], others: Sequence[str]) -> dict[str, Any]:
    """Search against the better of other ways: difference of the means, its 95 % interval over queries, the ratio."""
    better = max(others, key=lambda way: float(value[way].mean()))
    difference, low, high = paired_interval(value["search"], value[better], seed=SEED)
    ratio = float(value["search"].mean() / value[better].mean())
    return {"over": better, "difference": difference, "interval": [low, high], "ratio": ratio}


def _titles_first(recommender: Recommender, *, history: bool) -> float:
    """Share of titles that put an item of that title first when they are typed without year."""
    catalogue, rng = recommender.catalogue, np.random.default_rng(SEED)
    drawn = rng.choice(len(catalogue), min(TITLES, len(catalogue)), replace=False).tolist()
    first = 0
    for index in drawn:
        known = [catalogue.id(int(i)) for i in rng.choice(len(catalogue), HISTORY, replace=False)] if history else []
        typed = plain_title(catalogue.title(index)).lower()
        best = recommender.search(typed, k=1, history=known)[0]
        first += plain_title(best.title).lower() == typed
    return first / len(drawn)


def main(arguments: Sequence[str]) -> int:
    """Measure each pair of package and items; returns the exit code."""
    if not arguments or len(arguments) % 2:
        print(__doc__, file=sys.stderr)
        return 2
    rows = []
    for package, table in zip(arguments[::2], arguments[1::2], strict=True):
        with pocketrec.open(package, engine="numpy") as recommender:
            rows.append(measure(recommender, read_items(table), name=Path(package).stem))
        print(rows[-1])
    print(save("known_item", rows))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
