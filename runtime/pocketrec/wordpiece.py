"""Token ids of a text, as BERT's uncased WordPiece gives them, without a tokenizer library.

The Unicode rules come from tables frozen into the package, never from the device: Android releases
and Python versions disagree about what is a letter, and a query must tokenize alike everywhere. Only
code points, integers and the rules below are used, so that the Kotlin reader can mirror this page:

1. The text is cut to its first ``MAX_CHARACTERS`` code points.
2. Each code point is replaced on its own. Surrogates vanish. A Hangul syllable becomes its two or three
   jamo. Any other is looked up in ``tokenizer/map.*`` (lower case, accents off; a code point that occurs
   in several rows becomes all of them) and then treated by its own class in ``tokenizer/class.*``:
   ``KEEP``, ``DROP`` (controls, format characters, combining marks), ``SPACE``, or ``ALONE``
   (punctuation and CJK ideographs: a word by itself).
3. Words are what stands between spaces. A word longer than ``MAX_WORD`` code points is unknown.
4. A word is split greedily into the longest pieces of ``tokenizer/vocab.*``; pieces after the first
   carry the prefix ``##``. If any part has no piece, the whole word is the one unknown token.

Replacing code points one by one leaves out a single step of Unicode's NFD: the reordering of adjacent
combining marks. All but some thirty marks are dropped anyway, and no vocabulary of the BERT family has
a piece for those, so their words are unknown in either order.

Source: Devlin et al. 2019, https://github.com/google-research/bert/blob/master/tokenization.py
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketrec.characters import MAX_REMEMBERED, Replacements
from pocketrec.errors import PackageError
from pocketrec.strings import StringTable

MAX_CHARACTERS = 4096
"""Code points of a text that are looked at: enough for 256 tokens of any real text, and a bound for the
time that a hostile one can take."""

MAX_WORD = 100
"""Code points of the longest word that is split into pieces (BERT's ``max_input_chars_per_word``)."""


class WordPiece:
    """Turns texts into token ids. Safe to share between threads.

    Args:
        array: gives the package's array of a name, for example ``Package.array``.
        unknown: the piece that stands for a word which cannot be split.

    Raises:
        PackageError: the tokenizer arrays contradict each other, or the unknown piece is missing.
    """

    def __init__(self, array: Callable[[str], NDArray[Any]], *, unknown: str = "[UNK]") -> None:
        offset = array("tokenizer/vocab.offset")
        self._vocab = StringTable(offset, array("tokenizer/vocab.text"), array("tokenizer/vocab.slot"))
        self._replacement = Replacements(array)
        # UTF-8 bytes are never fewer than code points, so no longer slice can be a piece.
        self._longest = int(np.diff(offset.astype(np.int64)).max(initial=0))
        self._unknown = self._vocab.find(unknown)
        if self._unknown < 0:
            raise PackageError(f"tokenizer/vocab: expected the piece {unknown!r}, found none")
        self._words: dict[str, tuple[int, ...]] = {}

    def tokenize(self, text: str, *, max_tokens: int | None = None) -> list[int]:
        """Ids of the text's pieces in order, the first ``max_tokens`` of them; no special tokens are added.

        Every text is accepted, also one with NUL or lone surrogates; a text of spaces gives ``[]``.
        """
        ids: list[int] = []
        for word in text[:MAX_CHARACTERS].translate(self._replacement).split(" "):
            if max_tokens is not None and len(ids) >= max_tokens:
                break
            if word:
                ids.extend(self._split(word))
        return ids[:max_tokens]

    def words(self, ids: Iterable[int]) -> tuple[list[str], list[int]]:
        """The words that token ids spell, in order, and for each id the position of its word.

        Words are as the tokenizer sees them: lower case, without accents.
        """
        words: list[str] = []
        owner: list[int] = []
        for index in ids:
            piece = self._vocab[index]
            if piece.startswith("##") and words:
                words[-1] += piece[2:]
            else:
                words.append(piece)
            owner.append(len(words) - 1)
        return words, owner

    def _split(self, word: str) -> tuple[int, ...]:
        ids = self._words.get(word)
        if ids is None:
            ids = self._greedy(word)
            if len(self._words) >= MAX_REMEMBERED:
                self._words.clear()
            self._words[word] = ids
        return ids

    def _greedy(self, word: str) -> tuple[int, ...]:
        if len(word) > MAX_WORD:
            return (self._unknown,)
        ids: list[int] = []
        start = 0
        while start < len(word):
            prefix = "##" if start else ""
            for end in range(min(len(word), start + self._longest), start, -1):
                index = self._vocab.find(prefix + word[start:end])
                if index >= 0:
                    ids.append(index)
                    start = end
                    break
            else:
                return (self._unknown,)
        return tuple(ids)
