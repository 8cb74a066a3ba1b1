"""Words from reviews as item text, so that an item is found by what people say of it, and nobody by what they wrote.

A word of an item's reviews counts only if so many different users wrote it *about this item*; the words that remain say
nothing of any one of them. Only words leave this module, alphabetically, never a phrase or an order.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection
from dataclasses import replace

import numpy as np

from pocketrec_export.items import Items
from pocketrec_export.read import Interactions

MAX_WORDS = 24  # an item: those that set it apart most
MAX_REVIEW = 20_000  # characters read of one review
SHARE = 0.2  # of all items; a word of more tells none apart
_WORD = re.compile(r"[^\W\d_]{3,30}")


def review_words(events: Interactions, *, min_users: int, users: Collection[str] | None = None) -> dict[str, list[str]]:
    """Item id -> its words, alphabetical.

    Args:
        events: read with ``reviews=True``.
        min_users: how many different users must have written a word about an item; at least 2.
        users: whose reviews are read, the train users in a build; None: everybody's.
    """
    reviews = events.reviews
    if reviews is None:
        return {}
    limit = max(2, min_users)
    allowed = np.ones(len(events.users), np.bool_)
    if users is not None:
        wanted = set(users)
        allowed = np.array([user in wanted for user in events.users], np.bool_)
    writers: dict[tuple[int, str], set[int]] = defaultdict(set)
    texts = reviews.text.to_pylist()
    for user, item, text in zip(reviews.user_index.tolist(), reviews.item_index.tolist(), texts, strict=True):
        if text and allowed[user]:
            for word in set(_WORD.findall(text[:MAX_REVIEW].casefold())):
                writers[item, word].add(user)
    told: dict[int, dict[str, int]] = defaultdict(dict)
    for (item, word), who in writers.items():
        if len(who) >= limit:
            told[item][word] = len(who)
    spread: dict[str, int] = defaultdict(int)
    for words in told.values():
        for word in words:
            spread[word] += 1
    common = max(2.0, SHARE * len(told))
    return {events.items[item]: _best(words, spread, common, len(told)) for item, words in sorted(told.items())}


def _best(words: dict[str, int], spread: dict[str, int], common: float, items: int) -> list[str]:
    """The words of the largest count x log(items / items with the word), in alphabetical order."""
    weight = {word: n * np.log((1 + items) / spread[word]) for word, n in words.items() if spread[word] <= common}
    return sorted(sorted(weight, key=lambda word: (-weight[word], word))[:MAX_WORDS])


def with_review_words(items: Items, words: dict[str, list[str]]) -> Items:
    """The items, each text followed by the words that were written about it."""
    more = [" ".join(words.get(item, ())) for item in items.ids]
    texts = [" ".join(filter(None, pair)) for pair in zip(items.texts, more, strict=True)]
    return replace(items, texts=texts)
