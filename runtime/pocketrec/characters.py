"""What becomes of each code point: lower case, accents off, spaces and punctuation told apart, by frozen tables.

The tables come with the package, never from the device: Android releases and Python versions disagree about
what is a letter, and a text must be read alike everywhere. ``tokenizer/class.*`` gives the class of every code
point, ``tokenizer/map.*`` its replacement.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from enum import IntEnum
from typing import Any

from numpy.typing import NDArray

from pocketrec.errors import PackageError

MAX_REMEMBERED = 8192
"""Code points whose answer is kept."""


class CharacterClass(IntEnum):
    """What becomes of a code point, after its replacement."""

    KEEP = 0
    DROP = 1
    SPACE = 2
    ALONE = 3


class Replacements(dict[int, str]):
    """Maps a code point to what ``str.translate`` puts in its place; filled as code points are met.

    Args:
        array: gives the package's array of a name, for example ``Package.array``.

    Raises:
        PackageError: the arrays contradict each other.
    """

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
        if len(self) >= MAX_REMEMBERED:
            self.clear()
        self[code] = replaced = self.replace(code)
        return replaced

    def replace(self, code: int) -> str:
        """What stands for one code point; by itself, between two spaces, where it is a word of its own."""
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
