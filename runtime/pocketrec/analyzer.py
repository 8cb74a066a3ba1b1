"""The words of a text, for search by words: the analyzer ``words-1``.

Queries on the device and texts at export go through the same page, with the frozen Unicode tables of
``pocketrec.characters``; only code points and the rules below are used, so that other languages can mirror it:

1. The text is cut to its first ``MAX_CHARACTERS`` code points (a query) or taken whole (at export).
2. Each code point becomes: an apostrophe (``APOSTROPHES``) the mark ``'``; a symbol (``SYMBOLS``) a space; any
   other what ``pocketrec.characters`` makes of it (lower case, accents off), where punctuation is a space and
   letters that no accent rule reaches are spelled out (``SPELLED``).
3. What stands between spaces is split at ``'``. A part of one or two characters after the first joins the part
   before it, a longer one begins a word: "ender's" is "enders", "l'avventura" is "l avventura".
4. A run of ``UNSPACED`` characters (scripts that are written without spaces) is cut out and becomes its overlapping
   pairs of characters, or its one character.
5. Words longer than ``MAX_WORD`` code points are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any

from numpy.typing import NDArray

from pocketrec.characters import Replacements
from pocketrec.wordpiece import MAX_CHARACTERS

ANALYZER = "words-1"
"""Its name in the manifest; another set of rules gets another name."""
MAX_WORD = 64

APOSTROPHES = frozenset("'`\u00b4\u02b9\u02bb\u02bc\u2018\u2019\u201b\uff07")
SPELLED = {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "ς": "σ"}
SYMBOLS = (
    (0xA2, 0xA9), (0xAC, 0xAC), (0xAE, 0xB1), (0xB4, 0xB4), (0xB6, 0xB8), (0xD7, 0xD7), (0xF7, 0xF7),
    (0x20A0, 0x20CF), (0x2100, 0x214F), (0x2190, 0x245F), (0x2500, 0x2BFF), (0x3000, 0x3004),
    (0xFFE0, 0xFFEE), (0xFFFD, 0xFFFD), (0x1F000, 0x1FAFF),
)  # fmt: skip
"""First and last code point of signs, currencies, arrows, mathematics, drawings and pictographs."""
UNSPACED = (
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF),  # Thai and Lao, Burmese, Khmer
    (0x3005, 0x3007), (0x3040, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9F),  # kana and their marks
    (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x2FA1F),  # ideographs
)  # fmt: skip


class Analyzer:
    """Turns texts into words. Safe to share between threads.

    Args:
        array: gives the package's array of a name, for example ``Package.array``.

    Raises:
        PackageError: the character tables contradict each other.
    """

    def __init__(self, array: Callable[[str], NDArray[Any]]) -> None:
        self._characters = _Characters(array)

    def words(self, text: str, *, whole: bool = False) -> list[str]:
        """The words of a text in order, repeats included.

        Args:
            text: any string, also one with NUL or lone surrogates.
            whole: read beyond the first ``MAX_CHARACTERS`` code points.
        """
        read = text if whole else text[:MAX_CHARACTERS]
        parts = (part for part in read.translate(self._characters).split(" ") if part)
        return [word for part in parts for word in _split(part) if len(word) <= MAX_WORD]

    def folded(self, text: str) -> str:
        """The text in the letters of its words, apostrophes left out, with single spaces: equal for texts that differ
        only in case, accents, punctuation and spacing."""
        letters = text.translate(self._characters).replace("'", "")
        return " ".join(part for part in letters.split(" ") if part)


def _split(part: str) -> Iterator[str]:
    """Words of a text without spaces."""
    for word in _joined(part) if "'" in part else (part,):
        if word.isascii():
            yield word
        else:
            for unspaced, run in groupby(word, _is_unspaced):
                letters = "".join(run)
                yield from _pairs(letters) if unspaced else (letters,)


def _joined(part: str) -> list[str]:
    """What stands between apostrophes; one or two characters belong to what stands before them."""
    words: list[str] = []
    for piece in part.split("'"):
        if words and len(piece) <= 2:
            words[-1] += piece
        elif piece:
            words.append(piece)
    return words


def _pairs(run: str) -> list[str]:
    return [run[at : at + 2] for at in range(len(run) - 1)] or [run]


def _within(code: int, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(first <= code <= last for first, last in ranges)


def _is_unspaced(character: str) -> bool:
    return _within(ord(character), UNSPACED)


class _Characters(Replacements):
    """What ``str.translate`` puts in the place of a code point, by rule 2."""

    def replace(self, code: int) -> str:
        """What stands for one code point."""
        if chr(code) in APOSTROPHES:
            return "'"
        if _within(code, SYMBOLS):
            return " "
        text = super().replace(code)
        if not text.startswith(" "):
            return "".join(SPELLED.get(character, character) for character in text)
        alone = text.strip(" ")  # a word of its own for the tokenizer: punctuation, or an ideograph
        return alone if alone and all(map(_is_unspaced, alone)) else " "
