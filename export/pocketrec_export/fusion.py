"""How a search weighs meaning, words and the user: chosen on queries made from the catalogue, not by judgment.

The semantic signal weighs 1, by convention. Words count as a share of what they can say (power 1 of the query's size;
powers 0 to 1 differ by less than .002 of MRR on films, and a share keeps every query on one scale); their weight is the
one with the best mean reciprocal rank of the item meant. The user's own history gets the largest share that costs at
most `HISTORY_COST` of that MRR when the history has nothing to do with the query. A title outweighs all that others can
reach. The queries mean one half of the items (`known_items`), so that figures of the other half are fair.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pocketrec.engine import RankerInput
from pocketrec.history import resolve
from pocketrec.manifest import HISTORY_SIGNALS
from pocketrec.ranking import Task
from pocketrec.recommender import Recommender

from pocketrec_export.assemble import Parts, opened
from pocketrec_export.full_model import MAX_HISTORY, MAX_WEIGHT
from pocketrec_export.items import Items
from pocketrec_export.known_items import KnownItem, known_items

QUERIES = 100
"""Of each kind."""
HALF = 0
"""The half of the items that the queries mean."""
WEIGHTS = tuple(2.0 ** (step / 2) for step in range(-6, 13))
SHARES = (0.1, 0.03, 0.01, 0.003)
HISTORY_COST = 0.01
USUAL_WEIGHT, USUAL_SHARE = 8.0, 0.03
"""What films get; for catalogues that no query can be made from."""
FEWEST_HISTORIES = 10
HISTORY_LENGTH = 10
TITLE_MARGIN = 1.25
_MAX_CELLS = 60_000_000  # float32 signal values held at once: 240 MB


@dataclass(frozen=True)
class Fusion:
    """What a search weighs.

    Attributes:
        words: weight of the lexical signal.
        history: what the terms of recommendations for a history are multiplied by.
        title: what the lexical signal adds for a title.
        mrr: of the chosen weights, of meaning alone, of words alone, on the queries; empty without any.
    """

    words: float
    history: float
    title: float
    mrr: dict[str, float]


def fused(parts: Parts, items: Items, *, seed: int) -> Parts:
    """The parts with a search blend chosen on queries made from ``items``; unchanged without a lexical signal.

    Args:
        parts: of a package.
        items: its items, in the order of its tables.
        seed: of the queries.
    """
    if "lexical" not in parts.manifest["signals"]:
        return parts
    with opened(parts, engine="numpy") as recommender:
        fusion = choose(recommender, known_items(items, count=QUERIES, seed=seed, half=HALF), seed=seed)
    signals, blend = dict(parts.manifest["signals"]), dict(parts.manifest["blend"])
    signals["lexical"] = {**signals["lexical"], "title": fusion.title}
    search = {**blend["search"], "lexical": {"weight": fusion.words, "power": 1.0}}
    for name, term in blend["recommend"].items():
        if name in search:
            search[name] = {**term, "weight": term["weight"] * fusion.history}
    return replace(parts, manifest={**parts.manifest, "signals": signals, "blend": {**blend, "search": search}})


def choose(recommender: Recommender, queries: Sequence[KnownItem], *, seed: int) -> Fusion:
    """The weights that find the items meant.

    Args:
        recommender: with a lexical signal.
        queries: and their items.
        seed: of the histories.
    """
    limit = max(1, _MAX_CELLS // (3 * len(recommender.catalogue)))
    rng = np.random.default_rng(seed)
    if len(queries) > limit:
        queries = [queries[at] for at in np.sort(rng.choice(len(queries), limit, replace=False))]
    meaning, words = (np.zeros((len(queries), len(recommender.catalogue)), np.float32) for _ in range(2))
    for row, query in enumerate(queries):
        meaning[row], words[row] = search_signals(recommender, query.text)
    user = np.stack([_personal(recommender, rng) for _ in range(max(len(queries), FEWEST_HISTORIES))])
    target = np.array([query.item for query in queries], np.int64)
    has_meaning = "semantic" in recommender.package.manifest.signals
    weight = USUAL_WEIGHT if has_meaning else 1.0
    if has_meaning and len(queries):
        tried = [mean_reciprocal_rank(meaning + np.float32(w) * words, target) for w in WEIGHTS]
        weight = WEIGHTS[int(np.argmax(tried))]
    found = meaning + np.float32(weight) * words
    best = mean_reciprocal_rank(found, target)
    kept = [
        share
        for share in SHARES
        if mean_reciprocal_rank(found + np.float32(share) * user[: len(queries)], target) >= (1 - HISTORY_COST) * best
    ]
    share = USUAL_SHARE if not len(queries) else kept[0] if kept else SHARES[-1]
    spread = float(np.ptp(user, axis=1).max(initial=0.0)) * share
    # Others reach at most 1 by words, 1 by meaning where the titled item may have -1, and the spread by the history.
    title = TITLE_MARGIN * (1 + ((2.0 if has_meaning else 0.0) + spread) / weight)
    figures = {"search": best, "meaning": mean_reciprocal_rank(meaning, target)}
    figures["words"] = mean_reciprocal_rank(words, target)
    return Fusion(weight, share, title, figures if len(queries) else {})


def search_signals(
    recommender: Recommender, text: str, *, guess: bool = True
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """x(i) of the semantic and the lexical signal, float32[I] each, the latter as a share of what the words can say.

    Titles count nothing: a query that is one needs no weights.

    Args:
        recommender: an open package.
        text: the query.
        guess: False takes words as they are typed: what a misspelled or unfinished one may mean does not count.
    """
    query = recommender.answers.query(text)
    if query.matches is not None and not guess:
        typed = query.matches.weight == 1  # a guess weighs less
        kept = {name: getattr(query.matches, name)[typed] for name in ("row", "weight", "owner")}
        query = replace(query, matches=replace(query.matches, **kept))
    everything = np.ones(len(recommender.catalogue), np.bool_)
    nobody = resolve([], recommender.catalogue, max_items=MAX_HISTORY, max_weight=MAX_WEIGHT)
    asked = recommender.answers.ranker.prepare(Task("search", nobody, query, everything, 1), n=len(everything))
    untitled = replace(asked, title_index=asked.title_index[:0], title_weight=asked.title_weight[:0], mask=everything)
    parts = _signals(recommender, untitled)
    size = 1.0 if query.matches is None else query.matches.size
    zeros = np.zeros(len(everything), np.float32)
    return parts.get("semantic", zeros), parts.get("lexical", zeros) / np.float32(size)


def mean_reciprocal_rank(score: NDArray[np.float32], target: NDArray[np.int64]) -> float:
    """Mean of 1 / rank of each row's target, ties to the lower index; 0 without rows.

    Args:
        score: float32[V, I].
        target: int64[V].
    """
    ranks = reciprocal_ranks(score, target)
    return float(ranks.mean()) if len(ranks) else 0.0


def reciprocal_ranks(score: NDArray[np.float32], target: NDArray[np.int64]) -> NDArray[np.float64]:
    """1 / rank of each row's target, float64[V]."""
    own = score[np.arange(len(target)), target][:, None]
    before = np.arange(score.shape[1]) < target[:, None]
    return np.asarray(1.0 / (1 + (score > own).sum(1) + ((score == own) & before).sum(1)), np.float64)


def _personal(recommender: Recommender, rng: np.random.Generator) -> NDArray[np.float32]:
    """What a history of random items adds to every item in recommendations, float32[I]."""
    catalogue = recommender.catalogue
    chosen = rng.choice(len(catalogue), min(HISTORY_LENGTH, len(catalogue)), replace=False)
    history = [catalogue.id(int(index)) for index in chosen]
    known = resolve(history, catalogue, max_items=MAX_HISTORY, max_weight=MAX_WEIGHT)
    everything = np.ones(len(catalogue), np.bool_)
    task = Task("recommend", known, None, everything, 1)
    parts = _signals(recommender, recommender.answers.ranker.prepare(task, n=len(everything)), weighted=True)
    total = np.zeros(len(catalogue), np.float32)
    for name in HISTORY_SIGNALS:
        total += parts.get(name, np.float32(0))
    return total


def _signals(recommender: Recommender, asked: RankerInput, *, weighted: bool = False) -> dict[str, Any]:
    """Signal name -> float32[I], in the order of the catalogue, times their weights or not."""
    names = recommender.package.manifest.signals.names
    if not weighted:
        asked = replace(asked, weights=np.ones(len(names), np.float32))
    output = recommender.engine.rank(replace(asked, n=len(asked.mask)))
    value = np.empty_like(output.signals)
    value[:, output.index] = output.signals
    return dict(zip(names, value, strict=True))
