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

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketrec.errors import PackageError
from pocketrec.strings import StringTable

MAX_CHARACTERS = 4096
"""Code points of a text that are looked at: enough for 256 tokens of any real text, and a bound for the
time that a hostile one can take."""

MAX_WORD = 100
"""Code points of the longest word that is split into pieces (BERT's ``max_input_chars_per_word``)."""

_MAX_REMEMBERED = 8192
"""Code points and words whose answer is kept, each."""


class CharacterClass(IntEnum):
    """What becomes of a code point, after its replacement."""

    KEEP = 0
    DROP = 1
    SPACE = 2
    ALONE = 3


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
        self._replacement = _Replacements(array)
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
            if len(self._words) >= _MAX_REMEMBERED:
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


class _Replacements(dict[int, str]):
    """Maps a code point to what ``str.translate`` puts in its place; filled as code points are met."""

    def __init__(self, array: Callable[[str], NDArray[Any]]) -> None:
        super().__init__()
        start, value, code, text = (
            array(f"tokenizer/{name}") for name in ("class.start", "class.value", "map.code", "map.text")
        )
        _check(start, value, code, text)
        # Plain lists: bisect reads them ten times faster than numpy arrays.
        self._start: list[int] = start.tolist()
        self._class: list[int] = value.tolist()
        self._code: list[int] = code.tolist()
        self._text: list[int] = text.tolist()

    def __missing__(self, code: int) -> str:
        if len(self) >= _MAX_REMEMBERED:
            self.clear()
        self[code] = replaced = self._replace(code)
        return replaced

    def _replace(self, code: int) -> str:
        if 0xD800 <= code < 0xE000:
            return ""
        if 0xAC00 <= code < 0xAC00 + 11172:
            return _jamo(code - 0xAC00)
        kind = self._class[bisect_right(self._start, code) - 1]
        if kind == CharacterClass.DROP:
            return ""
        if kind == CharacterClass.SPACE:
            return " "
        rows = slice(bisect_left(self._code, code), bisect_right(self._code, code))
        text = "".join(map(chr, self._text[rows])) or chr(code)
        return f" {text} " if kind == CharacterClass.ALONE else text


def _jamo(syllable: int) -> str:
    """A Hangul syllable's leading consonant, vowel and, if it has one, trailing consonant.

    Source: The Unicode Standard, section 3.12 (21 vowels, 27 trailing consonants or none).
    """
    leading, vowel, trailing = syllable // (21 * 28), syllable // 28 % 21, syllable % 28
    text = chr(0x1100 + leading) + chr(0x1161 + vowel)
    return text + chr(0x11A7 + trailing) if trailing else text


def _check(start: NDArray[Any], value: NDArray[Any], code: NDArray[Any], text: NDArray[Any]) -> None:
    """Raises PackageError unless every code point has one class and every replacement is a character."""
    if start.ndim != 1 or start.shape != value.shape or not len(start) or start[0] != 0:
        raise PackageError("tokenizer/class: expected one value for each start, the first start being 0")
    if (start[1:] <= start[:-1]).any() or value.max() > max(CharacterClass):
        raise PackageError("tokenizer/class: expected rising starts and classes 0 to 3")
    if code.ndim != 1 or code.shape != text.shape or (code[1:] < code[:-1]).any():
        raise PackageError("tokenizer/map: expected one text for each code, codes in order")
    if ((text >= 0x110000) | ((text >= 0xD800) & (text < 0xE000))).any():
        raise PackageError("tokenizer/map.text: expected Unicode characters, found other numbers")
