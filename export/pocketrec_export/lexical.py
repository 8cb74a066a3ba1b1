"""The word table: how much a word of a query says for an item, worked out once, at export.

impact(w, i) = idf(w) * tf (k1 + 1) / (tf + k1), where tf weighs a word of the title `TITLE_BOOST` times as much as
one of the text or categories, each divided by its field's length norm 1 - b + b * length / mean length (BM25F).

The table has a budget in bytes. Words of titles come first, then the others, those of more items first: a name that is
in one text alone is the first to go. A word keeps its `MAX_ITEMS` largest impacts; a word in more items tells little.

Source: Robertson and Zaragoza 2009, The Probabilistic Relevance Framework: BM25 and Beyond, section 3.6.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pocketrec.analyzer import ANALYZER, Analyzer
from pocketrec.manifest import LEXICAL_BLOCK
from pocketrec.titles import title_keys
from scipy import sparse

from pocketrec_export.items import Items
from pocketrec_export.quantize import sparse_blocks
from pocketrec_export.tokenizer_tables import unicode_arrays
from pocketrec_export.writer import string_table

K1 = 1.2
TITLE_B, TEXT_B = 0.5, 0.75
"""Length norms: the usual .75 for texts; titles are short anyway, so that their length says less."""
TITLE_BOOST = 3.0
FUNCTION_WORDS = frozenset(
    ["a", "an", "and", "as", "at", "by", "for", "from", "in", "is", "it", "of", "on", "or", "the", "to", "with"]
)
FUNCTION_SHARE = 0.2
"""What is left of the impact of such a word. Texts that are no sentences, lists of names for example, make "with" as
rare as a name, and "adventure with robots" would find "Friends with Benefits". Titles are looked up whole."""
MAX_ITEMS = 128
BYTES_PER_ITEM = 80
SMALLEST_BUDGET = 64 << 10
CALL_BUDGET = 32 * MAX_ITEMS // LEXICAL_BLOCK
"""Blocks of one call: as many as a query of 32 frequent words has, so that none is cut."""
_WORD_BYTES = 12
"""Of a word, besides its letters and blocks: where both start, and its scale."""


def lexical_budget(items: int) -> int:
    """Bytes of the word table of a catalogue."""
    return max(SMALLEST_BUDGET, BYTES_PER_ITEM * items)


def lexical_settings(title: float) -> dict[str, Any]:
    """The manifest's settings of the signal; ``title`` is what an item gets for its title."""
    return {"analyzer": ANALYZER, "block": LEXICAL_BLOCK, "budget": CALL_BUDGET, "title": title}


def lexical_arrays(items: Items, *, budget: int) -> dict[str, NDArray[Any]]:
    """The ``lexical/*`` arrays and the character tables; none where titles are but ids and nothing else is said.

    Args:
        items: I titles, texts and categories.
        budget: bytes of the words and their impacts; not of the title lookup, 6 or 8 for each spelling.
    """
    characters = unicode_arrays()
    analyzer = Analyzer(characters.__getitem__)
    words, impact, of_title = _impacts(items, analyzer)
    if not words:
        return {}
    kept = _affordable(words, impact, of_title, budget)
    order = sorted(kept.tolist(), key=lambda row: words[row].encode())
    arrays = string_table("lexical/word", [words[row] for row in order], lookup=False)
    blocks = sparse_blocks(_strongest(impact[order]), block=LEXICAL_BLOCK)
    arrays |= {f"lexical/{part}": array for part, array in blocks.items()}
    return arrays | _titles(items, analyzer) | characters


def _impacts(items: Items, analyzer: Analyzer) -> tuple[list[str], sparse.csr_array[Any], NDArray[np.bool_]]:
    """Words, their impacts float64[W, I], and whether a title has them."""
    vocabulary: dict[str, int] = {}
    named = ["" if title == id else title for title, id in zip(items.titles, items.ids, strict=True)]
    rest = [
        f"{_without_title(text, title)} {' '.join(categories)}"
        for text, title, categories in zip(items.texts, items.titles, items.categories, strict=True)
    ]
    fields = [_counts([analyzer.words(text, whole=True) for text in texts], vocabulary) for texts in (named, rest)]
    shape = (len(items), len(vocabulary))
    title, text = (sparse.csr_array(field, shape=shape) for field in fields)
    of_title = np.bincount(title.indices, minlength=shape[1]) > 0
    frequency = _normed(title, TITLE_B) * TITLE_BOOST + _normed(text, TEXT_B)
    having = np.bincount(frequency.indices, minlength=shape[1])
    idf = np.log1p((len(items) - having + 0.5) / (having + 0.5))
    tf = frequency.data
    idf[[row for word, row in vocabulary.items() if word in FUNCTION_WORDS]] *= FUNCTION_SHARE
    frequency.data = idf[frequency.indices] * tf * (K1 + 1) / (tf + K1)
    return list(vocabulary), sparse.csr_array(frequency.T), of_title


def _without_title(text: str, title: str) -> str:
    return text[len(title) :] if text.casefold().startswith(title.casefold()) else text


def _counts(texts: Sequence[list[str]], vocabulary: dict[str, int]) -> tuple[Any, Any, Any]:
    """How often each text has each word, as the parts of a csr matrix; new words join the vocabulary."""
    column = [vocabulary.setdefault(word, len(vocabulary)) for words in texts for word in words]
    start = np.cumsum([0, *map(len, texts)])
    return np.ones(len(column)), np.array(column, np.int64), start


def _normed(counts: sparse.csr_array[Any], b: float) -> sparse.csr_array[Any]:
    """Counts divided by the length norm of their item."""
    counts.sum_duplicates()
    length = np.asarray(counts.sum(axis=1)).ravel()
    mean = length[length > 0].mean() if length.any() else 1.0
    counts.data /= np.repeat(1 - b + b * length / mean, np.diff(counts.indptr))
    return counts


def _affordable(
    words: Sequence[str], impact: sparse.csr_array[Any], of_title: NDArray[np.bool_], budget: int
) -> NDArray[np.int64]:
    """Rows of the words that fit, by rank; every word of a title is kept."""
    items = np.diff(impact.indptr)
    entry = 3 if impact.shape[1] <= 1 << 16 else 5
    blocks = -(-np.minimum(items, MAX_ITEMS) // LEXICAL_BLOCK)
    size = blocks * LEXICAL_BLOCK * entry + [len(word.encode()) for word in words] + _WORD_BYTES
    order = np.lexsort((np.arange(len(words)), -items, ~of_title))
    return order[(np.cumsum(size[order]) <= budget) | of_title[order]]


def _strongest(impact: sparse.csr_array[Any]) -> sparse.csr_array[Any]:
    """Each row's `MAX_ITEMS` largest impacts."""
    row = np.repeat(np.arange(impact.shape[0]), np.diff(impact.indptr))
    order = np.lexsort((impact.indices, -impact.data, row))
    rank = np.arange(len(order)) - impact.indptr[row[order]]
    kept = order[rank < MAX_ITEMS]
    return sparse.csr_array((impact.data[kept], (row[kept], impact.indices[kept])), shape=impact.shape)


def _titles(items: Items, analyzer: Analyzer) -> dict[str, NDArray[Any]]:
    """The spellings of all titles as sorted hashes, and the item of each."""
    pairs = {
        (key, item)
        for item, (title, id) in enumerate(zip(items.titles, items.ids, strict=True))
        if title != id
        for key in title_keys(title, analyzer.words)
    }
    table = np.array(sorted(pairs), np.uint32).reshape(-1, 2)
    item_type = np.uint16 if len(items) <= 1 << 16 else np.uint32
    return {"lexical/title.hash": table[:, 0].copy(), "lexical/title.item": table[:, 1].astype(item_type)}
