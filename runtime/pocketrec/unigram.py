"""Token ids of a text by a unigram language model of pieces, as SentencePiece and XLM-R have it, without a library.

For scripts without spaces, and for teachers of many languages. The Unicode rules come from tables frozen into the
package, never from the device. Only code points, sums and the rules below are used:

1. The text is cut to its first ``MAX_CHARACTERS`` code points. Lone surrogates vanish.
2. Each code point is replaced on its own by the rows of ``tokenizer/normal.*`` that have it (width, ligatures and
   signs as NFKC has them; controls become nothing or a space); a row's text 0 is nothing.
3. Words are what stands between spaces; each begins with ``MARK``.
4. A word is split into the pieces of ``tokenizer/vocab.*`` whose scores in ``tokenizer/score`` have the largest sum, in
   float64 from left to right; of equal sums the one whose last piece is longest. A character without a piece costs the
   lowest score less ``PENALTY``; neighbouring ones are one unknown token.

Source: Kudo 2018, "Subword regularization", section 3.2 (Viterbi over a unigram language model).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketrec.characters import MAX_REMEMBERED
from pocketrec.errors import PackageError
from pocketrec.strings import StringTable
from pocketrec.wordpiece import MAX_CHARACTERS

MARK = "\u2581"
"""Begins each word, in place of the space before it."""
PENALTY = 10.0
MAX_PIECE = 64
"""Code points of a piece that is looked for: a bound for the time that a hostile vocabulary can take."""


class Unigram:
    """Turns texts into token ids. Safe to share between threads.

    Args:
        array: gives the package's array of a name, for example ``Package.array``.
        unknown: the piece that stands for characters without a piece.

    Raises:
        PackageError: the tokenizer arrays contradict each other, or the unknown piece is missing.
    """

    def __init__(self, array: Callable[[str], NDArray[Any]], *, unknown: str = "<unk>") -> None:
        offset = array("tokenizer/vocab.offset")
        self._vocab = StringTable(offset, array("tokenizer/vocab.text"), array("tokenizer/vocab.slot"))
        scores = array("tokenizer/score")
        self._scores: list[float] = scores.tolist()
        self._unknown_score = float(scores.min(initial=0)) - PENALTY
        self._normal = _Normal(array("tokenizer/normal.code"), array("tokenizer/normal.text"))
        # UTF-8 bytes are never fewer than code points, so no longer slice can be a piece.
        self._longest = min(MAX_PIECE, int(np.diff(offset.astype(np.int64)).max(initial=0)))
        self._unknown = self._vocab.find(unknown)
        if self._unknown < 0:
            raise PackageError(f"tokenizer/vocab: expected the piece {unknown!r}, found none")
        self._words: dict[str, tuple[int, ...]] = {}

    def tokenize(self, text: str, *, max_tokens: int | None = None) -> list[int]:
        """Ids of the text's pieces in order, the first ``max_tokens`` of them; no special tokens are added.

        Every text is accepted, also one with NUL or lone surrogates; a text of spaces gives ``[]``.
        """
        ids: list[int] = []
        for word in text[:MAX_CHARACTERS].translate(self._normal).split(" "):
            if max_tokens is not None and len(ids) >= max_tokens:
                break
            if word:
                ids.extend(self._split(MARK + word))
        return ids[:max_tokens]

    def words(self, ids: Iterable[int]) -> tuple[list[str], list[int]]:
        """The words that token ids spell, in order, and for each id the position of its word."""
        words: list[str] = []
        owner: list[int] = []
        for index in ids:
            piece = self._vocab[index]
            if words and not piece.startswith(MARK):
                words[-1] += piece
            else:
                words.append(piece.removeprefix(MARK))
            owner.append(len(words) - 1)
        return words, owner

    def _split(self, word: str) -> tuple[int, ...]:
        ids = self._words.get(word)
        if ids is None:
            ids = self._best(word)
            if len(self._words) >= MAX_REMEMBERED:
                self._words.clear()
            self._words[word] = ids
        return ids

    def _best(self, word: str) -> tuple[int, ...]:
        """The path of the largest sum of scores."""
        size = len(word)
        sums = [float("-inf")] * (size + 1)
        back = [(0, self._unknown)] * (size + 1)  # where the best piece that ends here begins, and which it is
        sums[0] = 0.0
        for start in range(size):
            here = sums[start]
            single = False
            for end in range(start + 1, min(size, start + self._longest) + 1):
                index = self._vocab.find(word[start:end])
                if index < 0 or index == self._unknown:
                    continue
                single = single or end == start + 1
                if here + self._scores[index] > sums[end]:
                    sums[end], back[end] = here + self._scores[index], (start, index)
            if not single and here + self._unknown_score > sums[start + 1]:
                sums[start + 1], back[start + 1] = here + self._unknown_score, (start, self._unknown)
        ids: list[int] = []
        end = size
        while end:
            end, index = back[end]
            if index != self._unknown or not ids or ids[-1] != self._unknown:
                ids.append(index)
        return tuple(reversed(ids))


class _Normal(dict[int, str]):
    """Maps a code point to what ``str.translate`` puts in its place; filled as code points are met."""

    def __init__(self, code: NDArray[Any], text: NDArray[Any]) -> None:
        super().__init__()
        if code.shape != text.shape or (code[1:] < code[:-1]).any():
            raise PackageError("tokenizer/normal: expected one text for each code, codes in order")
        if ((text >= 0x110000) | ((text >= 0xD800) & (text < 0xE000))).any():
            raise PackageError("tokenizer/normal.text: expected Unicode characters, found other numbers")
        self._code: list[int] = code.tolist()
        self._text: list[int] = text.tolist()

    def __missing__(self, code: int) -> str:
        if len(self) >= MAX_REMEMBERED:
            self.clear()
        self[code] = replaced = self._replace(code)
        return replaced

    def _replace(self, code: int) -> str:
        if 0xD800 <= code < 0xE000:
            return ""
        rows = slice(bisect_left(self._code, code), bisect_right(self._code, code))
        texts = self._text[rows]
        return "".join(chr(text) for text in texts if text) if texts else chr(code)
