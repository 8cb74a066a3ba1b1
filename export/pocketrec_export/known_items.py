"""Queries of somebody who knows what they look for, made from the catalogue: each has the one item that it means.

Three kinds, as many of each: a title with one slip; a title, or six words of what an item says, with two words dropped;
a category and something that the text says, in words of one's own order ("steven spielberg adventure"). They stand in
for a query log that a new catalogue does not have. Items are divided by a hash of their id, so that what is chosen on
one half can be measured on the other.
"""

from __future__ import annotations

import random
import re
import string
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from pocketrec_export.items import Items
from pocketrec_export.query_texts import clauses

KINDS = ("slip", "dropped", "paraphrase")
_YEAR = re.compile(r"\s*\([0-9]{4}\)\s*$")
_MADE_BY = re.compile(r"\bDirected by (.+?)(?=, |\. (?:Written|Starring) |\.?$)")
_SHORTEST_SLIP = 4
_SPAN, _DROPPED = 6, 2
_LONGEST_CLAUSE = 4


@dataclass(frozen=True)
class KnownItem:
    """One query.

    Attributes:
        kind: of `KINDS`.
        text: what is typed.
        item: the position of the item that is meant.
    """

    kind: str
    text: str
    item: int


def known_items(items: Items, *, count: int, seed: int, half: int) -> list[KnownItem]:
    """Up to ``count`` queries of each kind, the same for the same arguments; fewer where items say too little.

    Args:
        items: the catalogue.
        count: queries of each kind.
        seed: of the random choices.
        half: 0 or 1, which half of the items may be meant.
    """
    rng = random.Random(seed)
    mine = [i for i, id in enumerate(items.ids) if zlib.crc32(id.encode()) & 1 == half and items.titles[i] != id]
    makers: dict[str, Callable[[random.Random, Items, int], str]] = {
        "slip": _slip,
        "dropped": _drop,
        "paraphrase": _paraphrase,
    }
    queries: list[KnownItem] = []
    for kind in KINDS:
        made: list[KnownItem] = []
        for item in rng.sample(mine, len(mine)):
            if len(made) == count:
                break
            text = makers[kind](rng, items, item)
            if text:
                made.append(KnownItem(kind, text, item))
        queries += made
    return queries


def plain_title(title: str) -> str:
    """The title as people say it: without the year."""
    return _YEAR.sub("", title)


def _slip(rng: random.Random, items: Items, item: int) -> str:
    """A letter of a longer word gone, doubled, changed, or in turned order with the next."""
    words = plain_title(items.titles[item]).split()
    long = [at for at, word in enumerate(words) if len(word) >= _SHORTEST_SLIP and word.isalpha()]
    if not long:
        return ""
    at = rng.choice(long)
    word = words[at]
    where = rng.randrange(1, len(word) - 1)
    before, here, after = word[:where], word[where], word[where + 1 :]
    other = rng.choice(string.ascii_lowercase.replace(here.lower(), ""))
    words[at] = rng.choice((before + after, before + here + here + after, before + other + after,
                            before + after[0] + here + after[1:]))  # fmt: skip
    return " ".join(words)


def _drop(rng: random.Random, items: Items, item: int) -> str:
    words = plain_title(items.titles[item]).split()
    if len(words) < _DROPPED + 2:
        said = re.findall(r"[\w'-]+", f"{items.titles[item]} {_text(items, item)}")
        if len(said) < _SPAN:
            return ""
        start = rng.randrange(len(said) - _SPAN + 1)
        words = said[start : start + _SPAN]
    for _ in range(_DROPPED):
        del words[rng.randrange(len(words))]
    return " ".join(words)


def _paraphrase(rng: random.Random, items: Items, item: int) -> str:
    """A category and who made it; where no maker is named, something short that the text says."""
    text, categories = _text(items, item), items.categories[item]
    makers = _MADE_BY.findall(text)
    said = makers or [part for part in clauses(text) if part and len(part.split()) <= _LONGEST_CLAUSE]
    said = [part for part in said if part not in categories]
    if not categories or not said:
        return ""
    parts = [rng.choice(categories).lower(), rng.choice(said).lower()]
    rng.shuffle(parts)
    return " ".join(parts)


def _text(items: Items, item: int) -> str:
    """What an item says besides its title."""
    text, title = items.texts[item], items.titles[item]
    return text[len(title) :].lstrip(". ") if text.casefold().startswith(title.casefold()) else text
