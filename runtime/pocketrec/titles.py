"""When a query is the title of an item: the spellings under which a title is known, and their hash.

"Matrix, The (1999)" is typed as "the matrix", "matrix 1999" or "The Matrix (1999)". A title has several spellings, a
query one; both are lists of words by the package's analyzer. They are compared without a leading English article, and
found by the CRC-32 of their words in a sorted table of the package; then the words themselves are compared.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable

Words = list[str]

MAX_TITLE = 1000
"""Characters of the longest text that may be a title."""
_MAX_GROUPS = 3
_YEAR = re.compile(r" *\(([0-9]{4})\) *$")
_GROUP = re.compile(r" *\(([^()]*)\) *$")
_ARTICLES = "the|an?|les?|la|il|lo|gli|i|el|los|las|der|die|das|den|det|en|ett?|une?|un"
_MOVED = re.compile(rf"^(.*), ({_ARTICLES}|l')$", re.IGNORECASE)
_DROPPED = ("the", "a", "an")


def spellings(title: str, words: Callable[[str], Words]) -> list[Words]:
    """Word lists under which a title is known, none empty, none twice.

    The whole; without what stands in parentheses at its end; that by itself; each without and with the year that ends
    the title in parentheses. An article behind a comma comes first.

    Args:
        title: as in the catalogue.
        words: the analyzer.
    """
    forms, year = _forms(title, words)
    return forms + [[*form, year] for form in forms] if year else forms


def spelling(query: str, words: Callable[[str], Words]) -> Words:
    """The words of a query as those of a title; empty for a text too long to be one."""
    if len(query) > MAX_TITLE:
        return []
    name, year = _without_year(query.strip())
    form = words(_article_first(name))
    return [*form, year] if form and year else form


def title_keys(title: str, words: Callable[[str], Words]) -> list[int]:
    """The hashes under which a package's table has a title: of its spellings without year, ascending."""
    return sorted({_hash(form) for form in _forms(title, words)[0]})


def query_keys(form: Words) -> list[int]:
    """The hashes under which the table may have what a query spells: as it is, and without a year at its end."""
    dated = len(form) > 1 and len(form[-1]) == 4 and form[-1].isdecimal()
    return [_hash(form), *([_hash(form[:-1])] if dated else [])]


def _forms(title: str, words: Callable[[str], Words]) -> tuple[list[Words], str]:
    """The spellings without year, and the year, if any."""
    name, year = _without_year(title[:MAX_TITLE])
    names, groups = [name], list[str]()
    while len(groups) < _MAX_GROUPS and (found := _GROUP.search(names[-1])) and found.start() > 0:
        names.append(names[-1][: found.start()])
        groups.append(found[1].removeprefix("a.k.a. "))
    forms = [form for form in (words(_article_first(text)) for text in (*names, *groups)) if form]
    return [form for at, form in enumerate(forms) if form not in forms[:at]], year


def _hash(form: Words) -> int:
    """CRC-32 of a spelling without its leading article, words separated by a space, in UTF-8."""
    return zlib.crc32(" ".join(without_article(form)).encode())


def without_article(form: Words) -> Words:
    """The words after a leading "the", "a" or "an", if there are any."""
    return form[1:] if len(form) > 1 and form[0] in _DROPPED else form


def _without_year(text: str) -> tuple[str, str]:
    found = _YEAR.search(text)
    return (text[: found.start()], found[1]) if found and found.start() > 0 else (text, "")


def _article_first(text: str) -> str:
    found = _MOVED.match(text.strip())
    return f"{found[2]} {found[1]}" if found else text
