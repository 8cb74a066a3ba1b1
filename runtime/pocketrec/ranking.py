"""One ranking: from a history and a query to weights, the engine's call and the list that is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from pocketrec.catalogue import Catalogue
from pocketrec.engine import Engine, RankerInput, RankerOutput
from pocketrec.errors import PackageError, UsageError
from pocketrec.explain import Explainer
from pocketrec.folding import folding
from pocketrec.history import NO_BLOCKS, Blocks, History, gather_blocks
from pocketrec.lexicon import Lexicon, Matches, WordInput
from pocketrec.manifest import HISTORY_SIGNALS
from pocketrec.overlay_ranking import merged_with_added
from pocketrec.package import Package
from pocketrec.rerank import (
    MAX_K,
    MAX_POOL,
    PLAIN,
    POOL_FACTOR,
    Candidates,
    Display,
    choose,
    pool_size,
    unit,
)
from pocketrec.results import Reason, Recommendation, Results
from pocketrec.tokenizer import Tokenizer
from pocketrec.view import View

SMALLEST_HISTORY = 1e-30
"""Histories that weigh less are taken to weigh this, so that no power of their weight overflows."""
LARGEST_WEIGHT = float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True)
class Query:
    """A text as the encoder and the word table read it.

    Attributes:
        tokens: int64 [T], at most as many as the package reads; none without an encoder.
        matches: what its words find; None without a word table.
        truncated: whether some of it was cut off.
    """

    tokens: NDArray[np.int64]
    matches: Matches | None
    truncated: bool

    @property
    def empty(self) -> bool:
        """Whether there is nothing to rank by."""
        return not len(self.tokens) and (self.matches is None or self.matches.empty)


@dataclass(frozen=True, slots=True)
class Task:
    """What one call ranks.

    Attributes:
        mode: ``"recommend"``, ``"search"`` or ``"similar"``: which blend of the package counts.
        history: what is known of the user.
        query: the text searched for, or None.
        mask: bool [I + N], what may be in the list.
        k: how many.
        weights: signal -> weight, in place of the package's own.
        explain: also work out the reasons.
        display: what the list should look like.
        before: int64 [B], what earlier pages showed, in order; not in ``mask``.
        view: the items that indices mean, the I of the package and N added ones; None: those of the package alone.
    """

    mode: str
    history: History
    query: Query | None
    mask: NDArray[np.bool_]
    k: int
    weights: Mapping[str, float] | None = None
    explain: bool = False
    display: Display = PLAIN
    before: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    view: View | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A task with all that its rankings share, whatever their length.

    Attributes:
        task: what was asked for.
        view: the items that indices mean.
        blocks: neighbour blocks of the history.
        vector: float32 [Q, D], Q 0 or 1: the query.
        words: lexical blocks and titles of the query.
        weights: float32 [S], as the engine reads them.
        eligible: how many items may be in the list.
        truncated: whether anything was cut to the package's limits.
    """

    task: Task
    view: View
    blocks: Blocks
    vector: NDArray[np.float32]
    words: WordInput
    weights: NDArray[np.float32]
    eligible: int
    truncated: bool


class Ranker:
    """Ranks with an engine. Holds no state of a call, so that threads may share it."""

    def __init__(
        self,
        package: Package,
        engine: Engine,
        catalogue: Catalogue,
        tokenizer: Tokenizer | None,
        lexicon: Lexicon | None = None,
    ) -> None:
        self._package = package
        self._lexicon = lexicon
        self._engine = engine
        self._own = View(package, catalogue)
        self._signals = package.manifest.signals.names
        self._folded = folding(package)
        self._explainer = Explainer(package, tokenizer)

    def rank(self, task: Task) -> Results:
        """The items to show: prepare, pool, arrange, present. min(k, eligible) of them unless constraints allow fewer.

        Raises:
            UsageError: ``k`` or a weight outside its range, or an unknown signal.
            PackageError: the package's scores are not finite.
        """
        check_k(task.k)
        call = self._prepare(task)
        n = min(int(task.k), call.eligible)
        shown = self._arrange(call, n) if n else None
        items = () if shown is None else self._present(call, shown)
        return Results(items, task.history.unknown, call.truncated)

    def _prepare(self, task: Task) -> Call:
        """What the engine needs to know besides n."""
        history, query, view = task.history, task.query, task.view or self._own
        weights = self._weights(task)
        blocks = self._blocks(history)
        vector = np.zeros((0, self._package.text_dim), np.float32)
        words = WordInput.none()
        if self._lexicon is not None and query is not None and query.matches is not None:
            term = self._package.manifest.blend[task.mode].get("lexical")
            words = self._lexicon.gather(query.matches, power=term.power if term else 0.0)
            if not len(query.tokens):  # nothing else tells items apart: what no word leads to is no answer
                task = replace(task, mask=task.mask & self._reached(query.matches, view, words))
        eligible = int(np.count_nonzero(task.mask))
        if query is not None and len(query.tokens) and task.k and eligible:
            vector = self._engine.encode(query.tokens)[None, :]
        truncated = any((history.truncated, blocks.truncated, words.blocks.truncated, query and query.truncated))
        return Call(task, view, blocks, vector, words, weights, eligible, truncated)

    def prepare(self, task: Task, *, n: int) -> RankerInput:
        """The engine's call for the n best items of a task, n at least 1: for who measures signals one by one."""
        return _input(self._prepare(task), n)

    def _reached(self, matches: Matches, view: View, words: WordInput) -> NDArray[np.bool_]:
        """bool [I + N], which items a query finds by its words."""
        assert self._lexicon is not None
        own, overlay = self._lexicon.reached(words), view.overlay
        if overlay is None or overlay.words is None:
            return own
        return np.concatenate((own, overlay.words.scores(matches, power=0.0) > 0))

    def _arrange(self, call: Call, n: int) -> RankerOutput:
        """At most n items of a pool, in the order in which they are shown; the pool grows while they are too few."""
        display = call.task.display
        if display.plain:
            return self._pool(call, n)
        if n > MAX_K:
            raise UsageError(f"k is {n}; a list that is rearranged holds at most {MAX_K:,}, pages go on from there")
        before = self._candidates(call, call.task.before, np.zeros(len(call.task.before)))
        most = min(call.eligible, MAX_POOL)
        size = min(pool_size(n), most)
        while True:
            pool = self._pool(call, size)
            candidates = self._candidates(call, pool.index, pool.score)
            places = choose(candidates, n, display, before=before, last=size == most)
            if size == most or len(places) == n:
                return RankerOutput(pool.index[places], pool.score[places], pool.signals[:, places])
            size = min(size * POOL_FACTOR, most)

    def _candidates(self, call: Call, index: NDArray[np.int64], score: NDArray[np.floating]) -> Candidates:
        """What arranging needs to know of items: vectors of their texts, or of their factors where there are none."""
        view, display = call.view, call.task.display
        vectors = np.empty((len(index), 0))
        if display.compares:
            table = next((name for name in ("text", "factors") if self._package.has(f"{name}/value")), None)
            if table is not None:
                vectors = unit(view.dense_rows(table, index))
            elif display.diversity:
                raise PackageError("this package holds neither texts nor factors, so diversity has nothing to compare")
        titles = [self._folded(view.title(i)) for i in index.tolist()] if display.distinct else ()
        labels = {key: [view.labels(i, key) for i in index.tolist()] for key in display.attributes}
        return Candidates(score, vectors, titles, labels)

    def _pool(self, call: Call, n: int) -> RankerOutput:
        """The n best items by score, 1 <= n <= ``call.eligible``: the engine's and, where there are any, added ones."""
        overlay = call.view.overlay
        if overlay is None:
            return self._ranked(call, n)
        own = min(n, int(np.count_nonzero(call.task.mask[: call.view.own])))
        ranked = self._ranked(call, own) if own else _nothing(len(self._signals))
        output = merged_with_added(self._package, overlay, call, ranked, n)
        if output is not ranked:
            _check_finite(output, call.task)
        return output

    def _ranked(self, call: Call, n: int) -> RankerOutput:
        """The n best items of the package, by the engine."""
        output = self._engine.rank(_input(call, n))
        _check_finite(output, call.task)
        if len(output.index) != n:
            raise PackageError(f"the engine ranked {len(output.index)} of {n} items: the package's scores overflow")
        return output

    def _present(self, call: Call, shown: RankerOutput) -> tuple[Recommendation, ...]:
        """Arrays as the values that callers see, with reasons where they were asked for."""
        why: Sequence[tuple[Reason, ...]] = [()] * len(shown.index)
        if call.task.explain:
            why = self._explainer.reasons(shown, call)
        view, columns = call.view, shown.signals.T.tolist()
        return tuple(
            Recommendation(
                view.id(index),
                view.title(index),
                score,
                dict(zip(self._signals, columns[row], strict=True)),
                why[row],
            )
            for row, (index, score) in enumerate(zip(shown.index.tolist(), shown.score.tolist(), strict=True))
        )

    def _weights(self, task: Task) -> NDArray[np.float32]:
        """float32 [S]: the weight of each signal times its power of the size of the history or of the query's words."""
        override = {} if task.weights is None else task.weights
        if not isinstance(override, Mapping):
            raise UsageError(f"weights is a mapping of signal to number; got {type(override).__name__}")
        unknown = [name for name in override if name not in self._signals]
        if unknown:
            raise UsageError(f"unknown signal {unknown[0]!r}; this package has {', '.join(self._signals)}")
        weighs = float(np.abs(task.history.weight).sum(dtype=np.float64))
        history = max(weighs, SMALLEST_HISTORY) if len(task.history.index) else 1.0
        query = 1.0 if task.query is None or task.query.matches is None else task.query.matches.size
        size = dict.fromkeys(HISTORY_SIGNALS, history) | {"lexical": query}
        terms = self._package.manifest.blend[task.mode]
        values = []
        for name in self._signals:
            term = terms.get(name)
            weight = _finite(name, override[name]) if name in override else term.weight if term else 0.0
            values.append(weight * size.get(name, 1.0) ** -(term.power if term else 0.0))
        return np.array([max(-LARGEST_WEIGHT, min(LARGEST_WEIGHT, value)) for value in values], np.float32)

    def _blocks(self, history: History) -> Blocks:
        settings, array = self._package.manifest.signals.neighbours, self._package.array
        if settings is None or not len(history.index):
            return NO_BLOCKS
        table = array("neighbours/start"), array("neighbours/scale")
        return gather_blocks(history.index, history.weight, *table, budget=settings.budget)


def _input(call: Call, n: int) -> RankerInput:
    """The call as the engine reads it."""
    task, words = call.task, call.words
    return RankerInput(
        history_index=task.history.index,
        history_weight=task.history.weight,
        block_index=call.blocks.index,
        block_weight=call.blocks.weight,
        query=call.vector,
        lexical_index=words.blocks.index,
        lexical_weight=words.blocks.weight,
        title_index=words.title_index,
        title_weight=words.title_weight,
        mask=task.mask[: call.view.own],
        weights=call.weights,
        n=n,
    )


def _check_finite(output: RankerOutput, task: Task) -> None:
    if not np.isfinite(output.score).all() or not np.isfinite(output.signals).all():
        if task.weights:
            raise UsageError(f"with weights {dict(task.weights)!r:.200} the scores overflow; use smaller ones")
        raise PackageError("the scores of this package overflow: its tables and weights are too large to be used")


def _nothing(signals: int) -> RankerOutput:
    """A list of no item."""
    return RankerOutput(np.empty(0, np.int64), np.empty(0, np.float32), np.empty((signals, 0), np.float32))


def _finite(signal: str, weight: object) -> float:
    """A weight that the caller gave, as a float that float32 can hold."""
    try:
        value = float(weight)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError) as error:
        raise UsageError(f"the weight of signal {signal!r} is {weight!r:.80}; expected a finite number") from error
    if not abs(value) <= LARGEST_WEIGHT:
        raise UsageError(f"the weight of signal {signal!r} is {weight!r}; expected a finite number of float32")
    return value


def check_k(k: int) -> None:
    """Refuse what is no number of items."""
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)):
        raise UsageError(f"k is {k!r}; expected an integer")
    if k < 0:
        raise UsageError(f"k is {k}; expected 0 or more")
