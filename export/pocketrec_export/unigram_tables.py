"""Unigram pieces on this side of the border: the arrays of a package, a fast tokenizer for batches, and pruning.

`UnigramPieces` goes wherever a list of WordPiece pieces goes (a student's vocabulary), and carries what else a unigram
model needs: each piece's score, and what becomes of each code point. ``pocketrec.unigram`` states how they are applied.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pocketrec.errors import DataError
from pocketrec.unigram import MARK
from pocketrec.wordpiece import MAX_CHARACTERS
from tokenizers import Tokenizer
from tokenizers.models import Unigram

from pocketrec_export.writer import string_table

UNKNOWN = "<unk>"
_NOTHING = 0  # in place of a code point: U+0000 itself becomes nothing, so it is free


class UnigramPieces(list[str]):
    """T pieces in id order, ``<unk>`` among them.

    Attributes:
        scores: float32 [T], log-probabilities.
        normal: code point -> what stands for it, where that is another.
    """

    def __init__(self, pieces: Iterable[str], scores: NDArray[np.float32], normal: Mapping[int, str]) -> None:
        super().__init__(pieces)
        if len(scores) != len(self) or len(set(self)) != len(self) or UNKNOWN not in self:
            raise DataError(f"expected a score for each of distinct pieces with {UNKNOWN} among them")
        self.scores, self.normal = np.asarray(scores, np.float32), dict(normal)

    def take(self, rows: NDArray[np.int64]) -> UnigramPieces:
        """Some of them, in the order of ``rows``."""
        return UnigramPieces([self[row] for row in rows], self.scores[rows], self.normal)


@dataclass(frozen=True)
class Encoding:
    """Token ids of one text, as HF's own class has them."""

    ids: list[int]


class UnigramTokenizer:
    """Tokenizes in batches by the HF library, with the runtime's answers; also the tests' oracle for segmentation."""

    def __init__(self, pieces: UnigramPieces) -> None:
        self._normal = pieces.normal
        table = [(piece, float(score)) for piece, score in zip(pieces, pieces.scores, strict=True)]
        self._words = Tokenizer(Unigram(table, unk_id=pieces.index(UNKNOWN), byte_fallback=False))

    def encode_batch_fast(self, texts: Sequence[str], *, add_special_tokens: bool = False) -> list[Encoding]:
        """The ids of each text."""
        lists = [self._marked(text) for text in texts]
        distinct = list(dict.fromkeys(word for words in lists for word in words))
        encoded = self._words.encode_batch_fast(distinct, add_special_tokens=False)
        ids = dict(zip(distinct, (encoding.ids for encoding in encoded), strict=True))
        return [Encoding([index for word in words for index in ids[word]]) for words in lists]

    def _marked(self, text: str) -> list[str]:
        readable = text[:MAX_CHARACTERS].encode("utf-8", "ignore").decode("utf-8")
        return [MARK + word for word in readable.translate(self._normal).split(" ") if word]


def unigram_arrays(pieces: UnigramPieces) -> dict[str, NDArray[np.generic]]:
    """The ``tokenizer/*`` arrays that a unigram encoder has beside the Unicode tables; row = token id."""
    rows = [(code, ord(to)) for code, text in sorted(pieces.normal.items()) for to in text or chr(_NOTHING)]
    pairs = np.array(rows, np.uint32).reshape(-1, 2)
    return {
        **string_table("tokenizer/vocab", pieces, lookup=True),
        "tokenizer/score": pieces.scores,
        "tokenizer/normal.code": np.ascontiguousarray(pairs[:, 0]),
        "tokenizer/normal.text": np.ascontiguousarray(pairs[:, 1]),
    }


def prune_unigram(pieces: UnigramPieces, texts: Sequence[str], *, max_size: int) -> UnigramPieces:
    """The pieces to keep, in their old order, ``<unk>`` first.

    Kept in any case: the single characters that the texts use. Then, while ``max_size`` allows, pieces by how often
    the texts use them, then single characters and pieces by their scores.

    Args:
        pieces: the teacher's.
        texts: of the domain.
        max_size: pieces in all; exceeded only by those kept in any case.
    """
    counts = np.zeros(len(pieces), np.int64)
    for encoding in UnigramTokenizer(pieces).encode_batch_fast(texts):
        np.add.at(counts, encoding.ids, 1)
    seen = {character for text in texts for character in text.translate(pieces.normal)} | {MARK}
    special = np.array([len(piece) > 2 and piece[0] == "<" and piece[-1] == ">" for piece in pieces])
    needed = np.array([piece in seen or piece.removeprefix(MARK) in seen for piece in pieces])
    single = np.array([len(piece.removeprefix(MARK)) <= 1 for piece in pieces])
    # lexsort: the last key first; within equal counts the characters, then the likelier pieces.
    order = np.lexsort((np.arange(len(pieces)), -pieces.scores, ~single, -counts, ~needed))
    order = order[~special[order]]
    size = max(int((needed & ~special).sum()), max_size - 1)
    kept = np.sort(order[:size])
    return pieces.take(np.concatenate([[pieces.index(UNKNOWN)], kept]))


def fields(pieces: UnigramPieces) -> dict[str, Any]:
    """Plain JSON values that `from_fields` turns back into the same pieces."""
    return {"pieces": list(pieces), "scores": pieces.scores.tolist(), "normal": list(map(list, pieces.normal.items()))}


def from_fields(value: Mapping[str, Any]) -> UnigramPieces:
    """The pieces that `fields` was given."""
    return UnigramPieces(value["pieces"], np.array(value["scores"], np.float32), dict(value["normal"]))
