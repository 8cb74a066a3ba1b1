"""From one ranking to its reasons: which rows of the tables each signal's split needs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pocketrec import reasons
from pocketrec.engine import RankerOutput
from pocketrec.history import History
from pocketrec.manifest import PRIORS, PROFILES
from pocketrec.overlay_ranking import added_parts
from pocketrec.package import Package
from pocketrec.reasons import Parts
from pocketrec.results import Reason
from pocketrec.tokenizer import Tokenizer

if TYPE_CHECKING:
    from pocketrec.ranking import Call, Query
    from pocketrec.view import View

_ENTRIES = ("index", "value")


class Explainer:
    """Works out reasons from a package's tables."""

    def __init__(self, package: Package, tokenizer: Tokenizer | None) -> None:
        self._package = package
        self._tokenizer = tokenizer
        self._signals = package.manifest.signals.names

    def reasons(self, output: RankerOutput, call: Call) -> list[tuple[Reason, ...]]:
        """Reasons of each shown item, strongest first.

        Args:
            output: K shown items.
            call: what was ranked.
        """
        task, index = call.task, output.index
        history, view = task.history, call.view
        contribution = dict(zip(self._signals, output.signals, strict=True))
        weight = dict(zip(self._signals, call.weights.tolist(), strict=True))
        words: list[str] = []
        raw: dict[str, tuple[str, NDArray[np.float64]]] = {}
        settings = self._package.manifest.signals.factors
        if settings is not None:
            shown, rows = view.dense_rows("factors", index), view.dense_rows("factors", history.index)
            raw["factors"] = "item", reasons.split_factors(shown, rows, history.weight, settings.alpha)
        if "neighbours" in weight:
            raw["neighbours"] = "item", self._neighbours(index, call)
        for signal, table in PROFILES.items():
            if signal in weight:
                rows = view.dense_rows(table, history.index) * history.weight[:, None]
                raw[signal] = "item", reasons.split_text(view.dense_rows(table, index), rows)
        if task.query is not None:
            words, by_word = self._by_word(index, task.query, call)
            raw |= {name: ("word", parts) for name, parts in by_word.items() if name in weight}
        causes, column = _causes(history, view)
        splits = {}
        for name, (kind, parts) in raw.items():
            settled = reasons.settle(parts * weight[name], contribution[name])
            splits[name] = kind, reasons.together(settled, column, len(causes)) if kind == "item" else settled
        priors = {name: contribution[name] for name in PRIORS if name in contribution}
        return reasons.assemble(reasons.Causes(causes, words), splits, priors)

    def _neighbours(self, shown: NDArray[np.int64], call: Call) -> Parts:
        """float64 [K, H]: what each history item adds to the neighbours of those shown, unweighted."""
        blocks, history = call.blocks, call.task.history
        targets, values = (self._package.array(f"neighbours/{part}")[blocks.index] for part in _ENTRIES)
        parts = reasons.split_neighbours(shown, blocks, targets, values, len(history.index))
        overlay = call.view.overlay
        return parts if overlay is None else parts + added_parts(self._package, overlay, shown, history)

    def _by_word(self, shown: NDArray[np.int64], query: Query, call: Call) -> tuple[list[str], dict[str, Parts]]:
        """The words of the query, and float64 [K, W] parts of each signal that reads them, unweighted.

        A word that the encoder and the word table both know is one cause.
        """
        found, view = call.words, call.view
        words: list[str] = []
        parts: dict[str, Parts] = {}
        if self._tokenizer is not None and len(query.tokens):
            words, owner = self._tokenizer.words(query.tokens.tolist())
            vectors = np.zeros((len(words), self._package.text_dim), np.float32)
            np.add.at(vectors, owner, self._package.dense_rows("tokens", query.tokens))
            length = float(np.linalg.norm(vectors.sum(0)))
            parts["semantic"] = reasons.split_text(view.dense_rows("text", shown), vectors / (length or 1.0))
        matches = query.matches
        if matches is not None and matches.words:
            words = words + [word for word in matches.words if word not in words]
            place = np.array([words.index(word) for word in matches.words], np.int64)
            targets, values = (self._package.array(f"lexical/{part}")[found.blocks.index] for part in _ENTRIES)
            owned = replace(found.blocks, owner=place[matches.owner[found.blocks.owner]])
            parts["lexical"] = reasons.split_neighbours(shown, owned, targets, values, len(words))
            titled = dict(zip(found.title_index.tolist(), found.title_weight.tolist(), strict=True))
            for row, item in enumerate(shown.tolist()):  # a title is all its words
                parts["lexical"][row, place] += titled.get(item, 0.0) / len(place)
            if view.overlay is not None and view.overlay.words is not None:
                term = self._package.manifest.blend[call.task.mode].get("lexical")
                added = view.overlay.words.by_word(matches, power=term.power if term else 0.0)
                for column, impacts in zip(place.tolist(), added, strict=True):
                    for row, item in enumerate(shown.tolist()):
                        parts["lexical"][row, column] += impacts.get(item - view.own, 0.0)
        return words, {name: np.pad(part, ((0, 0), (0, len(words) - part.shape[1]))) for name, part in parts.items()}


def _causes(history: History, view: View) -> tuple[list[tuple[str, str, str]], NDArray[np.int64]]:
    """What the user did or said, as (kind, id, text), and int64 [H]: which of it each history item stands for."""
    of = history.index if history.cause is None else history.cause
    distinct, first, column = np.unique(of, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    found = [
        ("item", view.id(cause), view.title(cause)) if cause >= 0 else ("interest", "", history.phrases[-1 - cause])
        for cause in distinct[order].tolist()
    ]
    return found, place[column]
