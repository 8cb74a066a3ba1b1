"""The words of added items: what a query finds among them, on the scale of the package's word table.

A word counts as much as the largest impact that the table knows of it if the title has it, and `IN_TEXT` times that if
only the text or a category has it; a word that the table does not know counts like its rarest words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pocketrec.analyzer import Analyzer
from pocketrec.strings import SortedStrings
from pocketrec.titles import spellings, without_article

if TYPE_CHECKING:
    from pocketrec.added import AddedItem
    from pocketrec.lexicon import Matches
    from pocketrec.package import Package
    from pocketrec.placing import F32

IN_TEXT = 0.6
"""A title counts three times in BM25F; saturated that is 1.57 against 1."""
LARGEST_CODE = 127.0


class AddedWords:
    """The words of N added items."""

    def __init__(self, package: Package, items: Sequence[AddedItem]) -> None:
        self._analyzer = Analyzer(package.array)
        self._table = SortedStrings(package.array("lexical/word.offset"), package.array("lexical/word.text"))
        self._scale = package.array("lexical/scale")
        settings = package.manifest.signals.lexical
        assert settings is not None, "the manifest has the settings of every signal it names"
        self._title = settings.title
        self._count = len(items)
        self._unknown = LARGEST_CODE * float(self._scale.max(initial=0.0))
        self._found: dict[str, list[tuple[int, float]]] = {}
        self._titles: dict[tuple[str, ...], list[int]] = {}
        for row, item in enumerate(items):
            self._add(row, item)

    def scores(self, matches: Matches, *, power: float) -> F32:
        """The lexical signal before its weight, float32 [N]."""
        total = np.zeros(self._count, np.float32)
        for parts in self.by_word(matches, power=power):
            for row, value in parts.items():
                total[row] += np.float32(value)
        return total

    def by_word(self, matches: Matches, *, power: float) -> list[dict[int, float]]:
        """What each word of a query adds to which items; a title that the query is, is shared by its words."""
        parts: list[dict[int, float]] = []
        for owner, word in enumerate(matches.words):
            weight = {word: 1.0}
            if word not in self._found:  # what it may have been meant to be
                guessed = zip(matches.row.tolist(), matches.weight.tolist(), matches.owner.tolist(), strict=True)
                weight = {self._table[row]: share for row, share, of in guessed if of == owner}
            found: dict[int, float] = {}
            for known, share in weight.items():
                for row, impact in self._found.get(known, ()):
                    found[row] = max(found.get(row, 0.0), share * impact)
            parts.append(found)
        bonus = self._title * matches.size**power
        form = tuple(without_article(list(matches.title)))
        for row in self._titles.get(form, ()) if form else ():
            for found in parts:
                found[row] = found.get(row, 0.0) + bonus / len(parts)
        return parts

    def _add(self, row: int, item: AddedItem) -> None:
        title = set(self._analyzer.words(item.title))
        categories = item.attributes.get("category", [])
        rest = f"{item.text} {' '.join(categories if isinstance(categories, list) else [])}"
        for word in title | set(self._analyzer.words(rest)):
            self._found.setdefault(word, []).append((row, self._impact(word) * (1.0 if word in title else IN_TEXT)))
        for form in spellings(item.title, self._analyzer.words):
            self._titles.setdefault(tuple(without_article(form)), []).append(row)

    def _impact(self, word: str) -> float:
        at = self._table.find(word)
        return self._unknown if at < 0 else LARGEST_CODE * float(self._scale[at])
