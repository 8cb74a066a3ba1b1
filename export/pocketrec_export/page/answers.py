"""Sample answers of a package for its report: histories and queries made up from the catalogue."""

from __future__ import annotations

from typing import Any

import numpy as np
from pocketrec.phrases import describe
from pocketrec.recommender import Recommender
from pocketrec.results import Results

LISTS = 3
K = 5


def sample_answers(recommender: Recommender, *, seed: int = 0) -> list[dict[str, Any]]:
    """A few recommendations, searches and similar items, as plain values.

    A history is an item and what is most similar to it; a query is a title without its last word. So they
    tell how a package answers, and nothing of a user.

    Args:
        recommender: an open package.
        seed: of the items drawn.

    Returns:
        One mapping a list: ``asked``, and ``results`` of ``title`` and ``reasons`` (at most two, in words).
    """
    catalogue = recommender.catalogue
    rng = np.random.default_rng(seed)
    personal = bool(recommender.package.manifest.blend["recommend"])
    searching = recommender.package.manifest.encoder is not None
    known = [item.item for item in recommender.recommend(k=50 * LISTS)] if personal else []
    drawn = rng.choice(len(known), min(2 * LISTS, len(known)), replace=False).tolist() if known else []
    if not drawn:
        known = [catalogue.id(index) for index in range(len(catalogue))]
        drawn = rng.choice(len(known), min(2 * LISTS, len(known)), replace=False).tolist()
    answers = []
    for item in (known[index] for index in drawn[:LISTS]):
        near = recommender.similar(item, k=K)
        history = [item, *(found.item for found in near[:2])]
        titles = ", ".join(_title(recommender, id) for id in history)
        if personal:
            answers.append(_answer(f"Who liked {titles}", recommender.recommend(history, k=K, explain=True)))
        answers.append(_answer(f"Like {_title(recommender, item)}", near))
    for item in (known[index] for index in drawn[LISTS:] if searching):
        words = _title(recommender, item).split()
        query = " ".join(words[: max(1, len(words) - 1)])
        answers.append(_answer(f"Searching “{query}”", recommender.search(query, k=K)))
    return answers


def _title(recommender: Recommender, id: str) -> str:
    return recommender.catalogue.title(recommender.catalogue.index(id))


def _answer(asked: str, results: Results) -> dict[str, Any]:
    shown = [{"title": item.title, "reasons": [describe(why) for why in item.main_reasons(2)]} for item in results]
    return {"asked": asked, "results": shown}
