"""From one ranking to its reasons: which rows of the tables each signal's split needs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pocketrec import reasons
from pocketrec.catalogue import Catalogue
from pocketrec.engine import RankerOutput
from pocketrec.history import Blocks, History
from pocketrec.manifest import PRIORS, PROFILES
from pocketrec.package import Package
from pocketrec.results import Reason
from pocketrec.wordpiece import WordPiece


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
        tokens: NDArray[np.int64] | None,
        weights: NDArray[np.float32],
    ) -> list[tuple[Reason, ...]]:
        """Reasons of each shown item, strongest first.

        Args:
            output: K shown items.
            history: H items, as ranked.
            blocks: the neighbour blocks of the call.
            tokens: int64 [T] of the query, or None.
            weights: float32 [S], as the engine got them.
        """
        array, index = self._package.array, output.index
        contribution = dict(zip(self._signals, output.signals, strict=True))
        weight = dict(zip(self._signals, weights.tolist(), strict=True))
        words: list[str] = []
        raw: dict[str, tuple[str, NDArray[np.float64]]] = {}
        settings = self._package.manifest.signals.factors
        if settings is not None:
            shown, rows = self._rows("factors", index), self._rows("factors", history.index)
            raw["factors"] = "item", reasons.split_factors(shown, rows, history.weight, settings.alpha)
        if "neighbours" in weight:
            targets = array("neighbours/index")[blocks.index]
            values = array("neighbours/value")[blocks.index]
            split = reasons.split_neighbours(index, blocks, targets, values, len(history.index))
            raw["neighbours"] = "item", split
        for signal, table in PROFILES.items():
            if signal in weight:
                rows = self._rows(table, history.index) * history.weight[:, None]
                raw[signal] = "item", reasons.split_text(self._rows(table, index), rows)
        if "semantic" in weight and tokens is not None and self._tokenizer is not None:
            words, owner = self._tokenizer.words(tokens.tolist())
            vectors = np.zeros((len(words), self._package.text_dim), np.float32)
            np.add.at(vectors, owner, self._rows("tokens", tokens))
            length = float(np.linalg.norm(vectors.sum(0)))
            raw["semantic"] = "word", reasons.split_text(self._rows("text", index), vectors / (length or 1.0))
        splits = {
            name: (kind, reasons.settle(parts * weight[name], contribution[name]))
            for name, (kind, parts) in raw.items()
        }
        items = [(self._catalogue.id(i), self._catalogue.title(i)) for i in history.index.tolist()]
        priors = {name: contribution[name] for name in PRIORS if name in contribution}
        return reasons.assemble(reasons.Causes(items, words), splits, priors)

    def _rows(self, table: str, index: NDArray[np.int64]) -> NDArray[np.float32]:
        """float32 [R, D]: dequantized rows of a dense table."""
        value = self._package.array(f"{table}/value")[index].astype(np.float32)
        rows: NDArray[np.float32] = (value - np.float32(128)) * self._package.array(f"{table}/scale")[index][:, None]
        return rows
