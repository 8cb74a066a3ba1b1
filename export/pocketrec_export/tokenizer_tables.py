"""Arrays for the device's tokenizer: the vocabulary, and BERT's Unicode rules frozen as tables.

The rules are read off the HF ``tokenizers`` library, code point by code point, so the package follows
the Unicode version that the teacher was tokenized with. ``pocketrec.wordpiece`` states how the tables
are applied; together they take 30 kB.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pocketrec.characters import CharacterClass
from pocketrec.errors import DataError
from pocketrec.wordpiece import MAX_WORD
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

from pocketrec_export.unigram_tables import UNKNOWN as UNKNOWN_PIECE
from pocketrec_export.unigram_tables import UnigramPieces, UnigramTokenizer, unigram_arrays
from pocketrec_export.writer import string_table

UNKNOWN = "[UNK]"
_HANGUL = range(0xAC00, 0xAC00 + 11172)  # decomposed by arithmetic in the runtime: would be 21,000 rows here
_SURROGATES = range(0xD800, 0xE000)  # not characters: the runtime drops them


def tokenizer_arrays(vocabulary: Sequence[str]) -> dict[str, NDArray[np.generic]]:
    """All ``tokenizer/*`` arrays of a package; a piece's row is its token id.

    Raises:
        DataError: a piece occurs twice, or ``[UNK]`` is missing.
    """
    if isinstance(vocabulary, UnigramPieces):
        return {**unigram_arrays(vocabulary), **unicode_arrays()}
    if len(set(vocabulary)) != len(vocabulary) or UNKNOWN not in vocabulary:
        raise DataError(f"expected a vocabulary of distinct pieces with {UNKNOWN} among them")
    return {**string_table("tokenizer/vocab", vocabulary, lookup=True), **unicode_arrays()}


def tokenizer_facts(vocabulary: Sequence[str]) -> dict[str, str | bool]:
    """What the manifest's ``encoder`` says of the tokenizer."""
    if isinstance(vocabulary, UnigramPieces):
        return {"tokenizer": "unigram", "lowercase": False, "unknown": UNKNOWN_PIECE}
    return {"tokenizer": "wordpiece", "lowercase": True, "unknown": UNKNOWN}


def hf_tokenizer(vocabulary: Sequence[str]) -> Any:
    """The HF tokenizer with the same answers as the runtime: fast in batches, and the tests' oracle."""
    if isinstance(vocabulary, UnigramPieces):
        return UnigramTokenizer(vocabulary)
    ids = {piece: index for index, piece in enumerate(vocabulary)}
    model = WordPiece(ids, unk_token=UNKNOWN, max_input_chars_per_word=MAX_WORD)
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = _normalizer()
    tokenizer.pre_tokenizer = BertPreTokenizer()
    return tokenizer


def split_words(text: str) -> list[str]:
    """The words of a text before they are split into pieces: folded, punctuation apart."""
    folded = _normalizer().normalize_str(text)
    return [word for word, _ in BertPreTokenizer().pre_tokenize_str(folded)]


@lru_cache(maxsize=1)
def unicode_arrays() -> dict[str, NDArray[np.generic]]:
    """The frozen tables: runs of one class, and replacements, both in code point order.

    ``class.start`` uint32 and ``class.value`` uint8: the run's first code point and its class.
    ``map.code`` and ``map.text`` uint32: one row for each code point of a replacement.
    """
    starts: list[int] = []
    classes: list[int] = []
    rows: list[tuple[int, int]] = []
    for code, words in _folded():
        kind, text = _classify(chr(code), words)
        if not classes or kind != classes[-1]:
            starts.append(code)
            classes.append(kind)
        if text != chr(code) and code not in _HANGUL:
            rows.extend((code, ord(character)) for character in text)
    pairs = np.array(rows, np.uint32)
    return {
        "tokenizer/class.start": np.array(starts, np.uint32),
        "tokenizer/class.value": np.array(classes, np.uint8),
        "tokenizer/map.code": np.ascontiguousarray(pairs[:, 0]),
        "tokenizer/map.text": np.ascontiguousarray(pairs[:, 1]),
    }


def _normalizer() -> BertNormalizer:
    return BertNormalizer(clean_text=True, handle_chinese_chars=True, strip_accents=True, lowercase=True)


def _classify(character: str, words: Sequence[str]) -> tuple[CharacterClass, str]:
    """Reads a character's fate off the words that ``a`` + character + ``a`` became."""
    match words:
        case ["aa"]:
            return CharacterClass.DROP, character
        case ["a", "a"]:
            return CharacterClass.SPACE, character
        case ["a", text, "a"]:
            return CharacterClass.ALONE, text
        case [word] if word[0] == word[-1] == "a":
            return CharacterClass.KEEP, word[1:-1]
    raise AssertionError(f"U+{ord(character):04X} became {words}")


def _folded() -> Iterator[tuple[int, list[str]]]:
    """Code points in order, each with the words that HF makes of it between two letters.

    A block in which nothing changes is represented by its first code point.
    """
    codes = [code for code in range(0x110000) if code not in _SURROGATES]
    for first in range(0, len(codes), 4096):
        block = codes[first : first + 4096]
        text = " z ".join(f"a{chr(code)}a" for code in block)  # "z" by itself marks the borders
        words = split_words(text)
        if words == text.split(" ") and len(words) == 2 * len(block) - 1:
            block = block[:1]
            words = words[:1]
        units = " ".join(words).split(" z ")
        assert len(units) == len(block)
        yield from zip(block, (unit.split(" ") for unit in units), strict=True)
