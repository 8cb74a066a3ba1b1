"""Which tokenizer a package reads texts with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from pocketrec.unigram import Unigram
from pocketrec.wordpiece import WordPiece

if TYPE_CHECKING:
    from pocketrec.package import Package


class Tokenizer(Protocol):
    """What the rest of the runtime needs of one; `WordPiece` and `Unigram` are the two."""

    def tokenize(self, text: str, *, max_tokens: int | None = None) -> list[int]:
        """Ids of the text's pieces in order, the first ``max_tokens`` of them; no special tokens are added."""
        ...

    def words(self, ids: Iterable[int]) -> tuple[list[str], list[int]]:
        """The words that token ids spell, in order, and for each id the position of its word."""
        ...


def tokenizer_of(package: Package) -> Tokenizer | None:
    """The tokenizer of the package's encoder, None where it has none.

    Raises:
        PackageError: its arrays contradict each other.
    """
    encoder = package.manifest.encoder
    if encoder is None:
        return None
    kind = Unigram if encoder.tokenizer == "unigram" else WordPiece
    return kind(package.array, unknown=encoder.unknown)
