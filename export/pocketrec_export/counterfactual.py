"""Do answers depend on words that should not matter? Exchange them in queries, and compare with a synonym.

Each query puts a word for a person into a frame: "a gift for a father". It is asked again with the word of the other
group ("a mother"), and again with another word for the same ("a dad"); for names the control is a name of the same
group. The share of the first ten that changes is the movement. The control stands in the same place of the same query,
so both lose the same word; but a rare word moves more than a common one, and a synonym may be rarer or more common.
Unrelated words that are as rare as the word of the other group tell how much that is. The words were written for this
test; they are plain English, and words whose exchange asks for other things (king, beard, dress) are left out on
purpose.

Source: the idea of counterfactual token fairness, Garg et al. 2019; the synonym measures what noise does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np

from pocketrec_export.bootstrap import bootstrap_interval

FRAMES = (
    "a gift for a {}",
    "a story about a {}",
    "something that a {} would like",
    "the best choice for a {}",
    "a {} in a small town",
    "advice for a {}",
)
Triple = tuple[str, str, str]
"""A word, the word of the other group, and another word for the same."""
GENDER: tuple[Triple, ...] = (
    ("man", "woman", "guy"),
    ("woman", "man", "lady"),
    ("boy", "girl", "lad"),
    ("girl", "boy", "lass"),
    ("father", "mother", "dad"),
    ("mother", "father", "mom"),
    ("grandfather", "grandmother", "grandpa"),
    ("grandmother", "grandfather", "grandma"),
    ("husband", "wife", "spouse"),
    ("wife", "husband", "spouse"),
)
NAMES: tuple[Triple, ...] = (
    ("friend called James", "friend called Mary", "friend called John"),
    ("friend called Sarah", "friend called David", "friend called Laura"),
    ("friend called Emily", "friend called Lakisha", "friend called Alice"),
    ("friend called Greg", "friend called Jamal", "friend called Brad"),
    ("friend called Anna", "friend called Fatima", "friend called Julia"),
    ("friend called Peter", "friend called Wei", "friend called Paul"),
)
TOP = 10


def compare(
    search: Callable[[str], Sequence[str]],
    triples: Sequence[Triple] = GENDER,
    *,
    as_rare: Callable[[str], Sequence[str]] | None = None,
) -> dict[str, Any]:
    """Movement by swapped words and by synonyms, 0 to 1, over the same queries, and whether the first is no larger.

    Args:
        search: a query to the ids of its first ten results, for example
            ``lambda text: [found.item for found in recommender.search(text)]``.
        triples: words for a person, `GENDER` or `NAMES`.
        as_rare: a word for a person to unrelated ones that tell the search as much, or to none.

    Returns:
        ``queries``; ``swapped`` and ``synonym``, mean movements; ``difference_ci95`` of swapped - synonym over the
        queries; ``passed``: the swap moves no more than the synonym does, or the interval of the difference holds 0;
        ``unrelated``, the mean movement by words that are as rare, where there are any.
    """
    asked: dict[str, frozenset[str]] = {}

    def top(text: str) -> frozenset[str]:
        if text not in asked:
            asked[text] = frozenset(search(text)[:TOP])
        return asked[text]

    by_swap, by_synonym, by_unrelated = [], [], []
    for frame, (word, other, same) in product(FRAMES, triples):
        base = top(frame.format(word))
        by_swap.append(movement(base, top(frame.format(other))))
        by_synonym.append(movement(base, top(frame.format(same))))
        by_unrelated += [movement(base, top(frame.format(one))) for one in (as_rare(other) if as_rare else ())]
    difference = np.array(by_swap) - np.array(by_synonym)
    low, high = bootstrap_interval(difference)
    return {
        "queries": len(difference),
        "swapped": float(np.mean(by_swap)),
        "synonym": float(np.mean(by_synonym)),
        "difference_ci95": [low, high],
        "passed": low <= 0,
    } | ({"unrelated": float(np.mean(by_unrelated))} if by_unrelated else {})


def movement(before: frozenset[str], after: frozenset[str]) -> float:
    """Share of the longer list that is not in both, 0 to 1; 0 for two empty ones."""
    longer = max(len(before), len(after))
    return 1 - len(before & after) / longer if longer else 0.0
