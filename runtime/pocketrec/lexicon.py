"""What the words of a query touch: rows of the word table, known words for unknown ones, and items by their title."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pocketrec.analyzer import Analyzer
from pocketrec.history import NO_BLOCKS, Blocks, gather_blocks
from pocketrec.spelling import Spelling
from pocketrec.strings import SortedStrings
from pocketrec.titles import Words, query_keys, spelling, spellings, without_article

if TYPE_CHECKING:
    from pocketrec.package import Package

MAX_WORDS = 32
"""Different words of a query that are looked up."""
MAX_GUESSED = 8
"""Unknown ones among them for which known words are sought."""
MAX_TITLES = 32
"""Items of one title that are told apart from the rest."""
SAME_BUT_ARTICLE = 0.9
"""What a title counts for if only a leading article differs."""
LARGEST_CODE = np.float32(127)


@dataclass(frozen=True, slots=True)
class Matches:
    """What a query finds by its words.

    Attributes:
        words: W different words, in order.
        row: int64 [R], rows of the word table.
        weight: float32 [R], 1, or less for a word that was guessed.
        owner: int64 [R], the position in ``words`` that a row stands for.
        size: sum over the words of the largest impact that each can have; 1 where none has a row.
        title: the query as the words of a title.
        title_index: int64 [E], items whose title the query is.
        title_grade: float32 [E], 1, or less if only an article differs.
        truncated: whether words were left out.
    """

    words: tuple[str, ...]
    row: NDArray[np.int64]
    weight: NDArray[np.float32]
    owner: NDArray[np.int64]
    size: float
    title: tuple[str, ...]
    title_index: NDArray[np.int64]
    title_grade: NDArray[np.float32]
    truncated: bool

    @property
    def empty(self) -> bool:
        """Whether no item is found."""
        return not len(self.row) and not len(self.title_index)


@dataclass(frozen=True, slots=True)
class WordInput:
    """What the engine reads of a query's words.

    Attributes:
        blocks: of the word table; ``owner`` is a position in ``Matches.row``.
        title_index: int64 [E], items whose title the query is.
        title_weight: float32 [E], what the lexical signal adds for it.
    """

    blocks: Blocks
    title_index: NDArray[np.int64]
    title_weight: NDArray[np.float32]

    @classmethod
    def none(cls) -> WordInput:
        """Of no query."""
        return cls(NO_BLOCKS, np.empty(0, np.int64), np.empty(0, np.float32))


class Lexicon:
    """The words of a package. Safe to share between threads."""

    def __init__(self, package: Package) -> None:
        self._package = package
        self._analyzer = Analyzer(package.array)
        self._table = SortedStrings(package.array("lexical/word.offset"), package.array("lexical/word.text"))
        settings = package.manifest.signals.lexical
        assert settings is not None, "the manifest has the settings of every signal it names"
        self._settings = settings
        self._start: NDArray[np.uint32] = package.array("lexical/start")
        self._scale: NDArray[np.float32] = package.array("lexical/scale")
        self._spelling = Spelling(self._table, np.diff(self._start).astype(np.int64))
        self._titles = package.strings("catalogue/title")
        self._hash: NDArray[np.uint32] = package.array("lexical/title.hash")
        self._item: NDArray[np.unsignedinteger] = package.array("lexical/title.item")

    def match(self, text: str) -> Matches:
        """What a text finds; its last word may be unfinished if it ends the text."""
        every = list(dict.fromkeys(self._analyzer.words(text)))
        words = every[:MAX_WORDS]
        ends = bool(words) and len(every) == len(words) and not text[-1].isspace()
        found: list[tuple[int, float, int]] = []  # row, weight, owner
        guessed = 0
        for owner, word in enumerate(words):
            row = self._table.find(word)
            if row >= 0:
                found.append((row, 1.0, owner))
            elif guessed < MAX_GUESSED:
                guessed += 1
                unfinished = ends and owner == len(words) - 1
                found += [(near, weight, owner) for near, weight in self._spelling.meant(word, unfinished=unfinished)]
        row_, weight_, owner_ = (np.array([entry[at] for entry in found]) for at in range(3))
        rows, weights, owners = row_.astype(np.int64), weight_.astype(np.float32), owner_.astype(np.int64)
        largest = np.zeros(len(words), np.float32)
        np.maximum.at(largest, owners, weights * (LARGEST_CODE * self._scale[rows]))
        form = spelling(text, self._analyzer.words)
        title_index, title_grade = self._titled(form)
        return Matches(
            words=tuple(words),
            row=rows,
            weight=weights,
            owner=owners,
            size=float(largest.sum(dtype=np.float64)) or 1.0,
            title=tuple(form),
            title_index=title_index,
            title_grade=title_grade,
            truncated=len(every) > len(words),
        )

    def gather(self, matches: Matches, *, power: float) -> WordInput:
        """What the engine reads.

        Args:
            matches: of `match`.
            power: of the signal in the blend. A title is worth the same share of the score in every query, so what is
                divided by that power of the query's size is multiplied by it here.
        """
        blocks = gather_blocks(matches.row, matches.weight, self._start, self._scale, budget=self._settings.budget)
        bonus = matches.title_grade * np.float32(self._settings.title * matches.size**power)
        return WordInput(blocks, matches.title_index, bonus)

    def reached(self, words: WordInput) -> NDArray[np.bool_]:
        """Which items a query finds, bool [I]."""
        index, value = (self._package.array(f"lexical/{part}")[words.blocks.index] for part in ("index", "value"))
        mask = np.zeros(len(self._titles), np.bool_)
        mask[index[value != 0]] = mask[words.title_index] = True
        return mask

    def _titled(self, form: Words) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Items that are called so, and how exactly."""
        grades: dict[int, float] = {}
        for key in query_keys(form) if form else ():
            first = int(np.searchsorted(self._hash, np.uint32(key)))
            for at in range(first, min(first + MAX_TITLES, len(self._hash))):
                if self._hash[at] != key or len(grades) == MAX_TITLES:
                    break
                item = int(self._item[at])
                known = spellings(self._titles[item], self._analyzer.words)
                if form in known:
                    grades[item] = 1.0
                elif without_article(form) in map(without_article, known):
                    grades[item] = SAME_BUT_ARTICLE
        return np.array(list(grades), np.int64), np.array(list(grades.values()), np.float32)
