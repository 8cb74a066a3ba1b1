"""From one ranking to its reasons: which rows of the tables each signal's split needs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pocketrec import reasons
from pocketrec.catalogue import Catalogue
from pocketrec.engine import RankerOutput
from pocketrec.history import Blocks, History
from pocketrec.lexicon import WordInput
from pocketrec.manifest import PRIORS, PROFILES
from pocketrec.package import Package
from pocketrec.reasons import Parts
from pocketrec.results import Reason
from pocketrec.wordpiece import WordPiece

if TYPE_CHECKING:
    from pocketrec.ranking import Query

_ENTRIES = ("index", "value")


class Explainer:
    """Works out reasons from a package's tables."""

    def __init__(self, package: Package, catalogue: Catalogue, tokenizer: WordPiece | None) -> None:
        self._package = package
        self._catalogue = catalogue
        self._tokenizer = tokenizer
        self._signals = package.manifest.signals.names

    def reasons(
        self,
        output: RankerOutput,
        history: History,
        blocks: Blocks,
        query: Query | None,
        word_input: WordInput,
        weights: NDArray[np.float32],
    ) -> list[tuple[Reason, ...]]:
        """Reasons of each shown item, strongest first.

        Args:
            output: K shown items.
            history: H items, as ranked.
            blocks: the neighbour blocks of the call.
            query: the text searched for, or None.
            word_input: the lexical blocks and titles of the call.
            weights: float32 [S], as the engine got them.
        """
        array, index = self._package.array, output.index
        contribution = dict(zip(self._signals, output.signals, strict=True))
        weight = dict(zip(self._signals, weights.tolist(), strict=True))
        words: list[str] = []
        raw: dict[str, tuple[str, NDArray[np.float64]]] = {}
        settings = self._package.manifest.signals.factors
        if settings is not None:
            shown, rows = self._package.dense_rows("factors", index), self._package.dense_rows("factors", history.index)
            raw["factors"] = "item", reasons.split_factors(shown, rows, history.weight, settings.alpha)
        if "neighbours" in weight:
            targets = array("neighbours/index")[blocks.index]
            values = array("neighbours/value")[blocks.index]
            split = reasons.split_neighbours(index, blocks, targets, values, len(history.index))
            raw["neighbours"] = "item", split
        for signal, table in PROFILES.items():
            if signal in weight:
                rows = self._package.dense_rows(table, history.index) * history.weight[:, None]
                raw[signal] = "item", reasons.split_text(self._package.dense_rows(table, index), rows)
        if query is not None:
            words, by_word = self._by_word(index, query, word_input)
            raw |= {name: ("word", parts) for name, parts in by_word.items() if name in weight}
        splits = {
            name: (kind, reasons.settle(parts * weight[name], contribution[name]))
            for name, (kind, parts) in raw.items()
        }
        items = [(self._catalogue.id(i), self._catalogue.title(i)) for i in history.index.tolist()]
        priors = {name: contribution[name] for name in PRIORS if name in contribution}
        return reasons.assemble(reasons.Causes(items, words), splits, priors)

    def _by_word(self, shown: NDArray[np.int64], query: Query, found: WordInput) -> tuple[list[str], dict[str, Parts]]:
        """The words of the query, and float64 [K, W] parts of each signal that reads them, unweighted.

        A word that the encoder and the word table both know is one cause.
        """
        words: list[str] = []
        parts: dict[str, Parts] = {}
        if self._tokenizer is not None and len(query.tokens):
            words, owner = self._tokenizer.words(query.tokens.tolist())
            vectors = np.zeros((len(words), self._package.text_dim), np.float32)
            np.add.at(vectors, owner, self._package.dense_rows("tokens", query.tokens))
            length = float(np.linalg.norm(vectors.sum(0)))
            parts["semantic"] = reasons.split_text(self._package.dense_rows("text", shown), vectors / (length or 1.0))
        matches = query.matches
        if matches is not None and not matches.empty:
            words = words + [word for word in matches.words if word not in words]
            place = np.array([words.index(word) for word in matches.words], np.int64)
            targets, values = (self._package.array(f"lexical/{part}")[found.blocks.index] for part in _ENTRIES)
            owned = replace(found.blocks, owner=place[matches.owner[found.blocks.owner]])
            parts["lexical"] = reasons.split_neighbours(shown, owned, targets, values, len(words))
            titled = dict(zip(found.title_index.tolist(), found.title_weight.tolist(), strict=True))
            for row, item in enumerate(shown.tolist()):  # a title is all its words
                parts["lexical"][row, place] += titled.get(item, 0.0) / len(place)
        return words, {name: np.pad(part, ((0, 0), (0, len(words) - part.shape[1]))) for name, part in parts.items()}
