"""Which word pieces the device's student knows: the teacher's, less those the catalogue has no use for.

Every word the teacher's vocabulary can spell must remain spellable, if in shorter pieces, so a pruned
vocabulary costs fidelity on rare words and never turns one into ``[UNK]``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from pocketrec.unigram import MARK
from pocketrec.wordpiece import MAX_CHARACTERS, MAX_WORD
from tokenizers import Tokenizer

from pocketrec_export.tokenizer_tables import UNKNOWN, hf_tokenizer, split_words
from pocketrec_export.unigram_tables import UnigramPieces, prune_unigram

PREFIX = "##"
"""Marks a piece that continues a word."""

_LONGEST_INNER = 6


def prune_vocabulary(pieces: Sequence[str], texts: Sequence[str], *, max_size: int) -> list[str]:
    """The pieces to keep, in their old order, ``[UNK]`` first.

    Kept in any case: single characters, and pieces with a character that has no piece of its own. Then,
    while ``max_size`` allows, pieces by how often the texts use them, then the others from the front,
    where BERT-like vocabularies have their most frequent ones.

    Args:
        pieces: the teacher's vocabulary in id order.
        texts: all catalogue texts.
        max_size: pieces in all; exceeded only by those kept in any case.
    """
    if isinstance(pieces, UnigramPieces):
        return prune_unigram(pieces, texts, max_size=max_size)
    known = set(pieces)
    special = {piece for piece in pieces if len(piece) > 2 and piece[0] == "[" and piece[-1] == "]"}
    ordinary = [piece for piece in pieces if piece not in special]
    needed = [piece for piece in ordinary if not _spellable(piece, known)]
    counts = np.zeros(len(pieces), np.int64)
    for ids in tokenize_all(hf_tokenizer(pieces), texts):
        np.add.at(counts, ids, 1)
    count = dict(zip(pieces, counts.tolist(), strict=True))
    ranked = sorted(ordinary, key=lambda piece: -count[piece])  # stable: ties stay in vocabulary order
    kept = set(needed)
    for piece in ranked:
        if len(kept) + 1 >= max_size:
            break
        kept.add(piece)
    return [UNKNOWN] + [piece for piece in ordinary if piece in kept]


def frequent_pieces(texts: Sequence[str], *, max_size: int) -> list[str]:
    """A vocabulary cut from the texts' own words, for teachers that read another kind of token.

    All characters, then the substrings that cover most text: starts of words of any length, and inner
    parts of up to ``_LONGEST_INNER`` characters. (The trainer of HF ``tokenizers`` would do better, but
    breaks ties by hash order, so two builds of the same data would differ.)
    """
    words = Counter(word for text in texts for word in split_words(_readable(text)))
    covered: Counter[str] = Counter()
    for word, count in words.items():
        for end in range(2, min(len(word), MAX_WORD) + 1):
            covered[word[:end]] += count * end
            for start in range(max(1, end - _LONGEST_INNER), end - 1):
                covered[PREFIX + word[start:end]] += count * (end - start)
    characters = sorted({character for word in words for character in word})
    singles = characters + [PREFIX + character for character in characters]
    ranked = sorted(covered, key=lambda piece: (-covered[piece], piece))
    return [UNKNOWN, *singles, *ranked[: max(0, max_size - 1 - len(singles))]]


def bare(piece: str) -> str:
    """The piece as a text of its own, without what marks its place in a word."""
    return piece.removeprefix(PREFIX).removeprefix(MARK)


def tokenize_all(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    """Token ids of each text, without special tokens. Long texts and lone surrogates are cut as on the device."""
    encodings = tokenizer.encode_batch_fast([_readable(text) for text in texts], add_special_tokens=False)
    return [encoding.ids for encoding in encodings]


def _readable(text: str) -> str:
    return text[:MAX_CHARACTERS].encode("utf-8", "ignore").decode("utf-8")


def _spellable(piece: str, known: set[str]) -> bool:
    """Whether shorter pieces spell the same: its characters, the first as a start unless it continues."""
    text = piece.removeprefix(PREFIX) if piece != PREFIX else piece
    if len(text) == 1:
        return False
    first = PREFIX + text[0] if text != piece else text[0]
    return first in known and all(PREFIX + character in known for character in text[1:])
