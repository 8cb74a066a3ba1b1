"""Texts that look like what people type, made from a catalogue: the student's lessons.

No query log is needed. Queries name a title, quote a bit of a description, combine things that items have
("jim carrey comedy"), contain slips, or use everyday words that no item text has; the five kinds below.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

SHARES = (("title", 0.15), ("span", 0.3), ("combination", 0.3), ("slip", 0.1), ("words", 0.15))
"""Kinds of texts and their shares."""

_YEAR = re.compile(r"\s*\(\d{4}\)\s*$")
_CLAUSE = re.compile(r"(?<=[.!?;:])\s+|\s*,\s+|\s+\|\s+|(?<=[。！？；：，、])")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\u0e00-\u0eff]")  # kana, Han, Thai, Lao
_LONGEST_CLAUSE = 8


def query_texts(
    items: Sequence[str], *, count: int, seed: int, titles: Sequence[str] = (), words: Sequence[str] = ()
) -> list[str]:
    """About ``count`` distinct texts in random order, the same for the same arguments.

    Args:
        items: item texts; empty ones are passed over.
        count: how many texts to make; tiny catalogues give fewer, as repeats are left out.
        seed: of the random choices.
        titles: item titles, if known apart from the texts.
        words: everyday words, for queries about what the catalogue never says.
    """
    rng = random.Random(seed)
    items = [text for text in items if text.strip()]
    titles = [title for title in titles if title.strip()] or [clauses(text)[0] for text in items]
    made: dict[str, None] = {}
    if not items:
        return []
    makers: dict[str, Callable[[], str]] = {
        "title": lambda: _title(rng, titles),
        "span": lambda: _span(rng, rng.choice(items), 1, 20),
        "combination": lambda: _combination(rng, rng.choice(items)),
        "slip": lambda: _slip(rng, _combination(rng, rng.choice(items))),
        "words": lambda: " ".join(rng.choice(words) for _ in range(rng.randint(1, 4))) if words else "",
    }
    for kind, share in SHARES:
        made.update((makers[kind](), None) for _ in range(round(count * share)))
    made.pop("", None)
    texts = list(made)
    rng.shuffle(texts)
    return texts


def _title(rng: random.Random, titles: Sequence[str]) -> str:
    title = rng.choice(titles)
    return _YEAR.sub("", title) if rng.random() < 0.5 else title


def _span(rng: random.Random, text: str, shortest: int, longest: int) -> str:
    words, between = _units(text)
    length = min(len(words), round(shortest * (longest / shortest) ** rng.random()))
    start = rng.randint(0, len(words) - length)
    return between.join(words[start : start + length])


def _units(text: str) -> tuple[list[str], str]:
    """What a text is made of, and what stands between: words, or characters where words have no spaces."""
    return (list("".join(text.split())), "") if _UNSPACED.search(text) else (text.split(), " ")


def _combination(rng: random.Random, text: str) -> str:
    """One to three clauses of an item, or single words of it, in any order: "comedy Robin Williams"."""
    if rng.random() < 0.3:
        words, between = _units(text)
        return between.join(rng.sample(words, min(len(words), rng.randint(1, 5))))
    parts = clauses(text)
    chosen = rng.sample(parts, min(len(parts), rng.randint(1, 3)))
    return " ".join(_span(rng, clause, _LONGEST_CLAUSE, _LONGEST_CLAUSE) for clause in chosen)


def _slip(rng: random.Random, text: str) -> str:
    """The text as typed in a hurry: a letter gone, doubled or swapped, or a word gone."""
    if " " in text and rng.random() < 0.3:
        words = text.split()
        del words[rng.randrange(len(words))]
        return " ".join(words)
    if len(text) < 4:
        return text
    at = rng.randint(1, len(text) - 2)
    before, here, after = text[:at], text[at], text[at + 1 :]
    return rng.choice((before + after, before + here + here + after, before + after[0] + here + after[1:]))


def clauses(text: str) -> list[str]:
    """The parts of a text between commas, bars and ends of sentences."""
    return [clause.strip(" .") for clause in _CLAUSE.split(text) if clause.strip(" .")] or [text]
