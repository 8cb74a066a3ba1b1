"""The public object: one open package that recommends, searches and finds similar items."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.resources import files
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from pocketrec import reasons
from pocketrec.catalogue import Catalogue, Filter
from pocketrec.engine import Engine, RankerInput, RankerOutput, open_engine
from pocketrec.errors import PackageError, UsageError
from pocketrec.history import Blocks, History, HistoryLike, ItemId, gather_blocks, resolve
from pocketrec.manifest import HISTORY_SIGNALS
from pocketrec.package import Package, Verify
from pocketrec.results import Reason, Recommendation, Results
from pocketrec.wordpiece import MAX_CHARACTERS, WordPiece

SMALLEST_HISTORY = 1e-30
"""Histories that weigh less are taken to weigh this, so that no power of their weight overflows."""
LARGEST_WEIGHT = float(np.finfo(np.float32).max)
_NO_BLOCKS = Blocks(np.empty(0, np.int64), np.empty(0, np.float32), np.empty(0, np.int64), False)


class Recommender:
    """An open package. Safe to share between threads; close it, or use it in a ``with`` block.

    Example:
        >>> import pocketrec
        >>> with pocketrec.open_sample() as films:
        ...     [film.title for film in films.search("space adventure with robots", k=1)]
        ['Robots (2005)']
    """

    def __init__(self, package: Package, engine: Engine) -> None:
        self.package = package
        self.engine = engine
        self.catalogue = Catalogue(package)
        manifest = package.manifest
        self._signals = manifest.signals.names
        text = manifest.signals.content or manifest.signals.semantic
        self._dim = text.dim if text else 0
        self._tokenizer = WordPiece(package.array, unknown=manifest.encoder.unknown) if manifest.encoder else None
        self._gate = threading.Condition()
        self._running = 0
        self._closed = False

    def __repr__(self) -> str:
        return (
            f"<Recommender {self.package.manifest.name!r}: {len(self.catalogue):,} items, "
            f"signals {', '.join(self._signals)}, engine {self.engine.name}>"
        )

    # ------------------------------------------------------------------ verbs

    def recommend(
        self,
        history: HistoryLike = (),
        *,
        k: int = 10,
        filter: Filter | None = None,
        exclude: Sequence[ItemId] = (),
        weights: Mapping[str, float] | None = None,
        explain: bool = False,
        strict: bool = False,
    ) -> Results:
        """The items this user is most likely to want next; what the history holds is left out.

        Args:
            history: ids, (id, weight) pairs, or a mapping of id to weight. A bare id weighs 1, a negative
                weight is a dislike. An empty history gives the most popular items.
            k: how many; all eligible items if there are fewer.
            filter: attribute -> value or values. Values of one key are alternatives, keys add up.
            exclude: ids that must not appear; unknown ids are ignored.
            weights: signal -> weight, in place of the package's own.
            explain: also work out the reasons.
            strict: raise on unknown history ids instead of reporting them in ``Results.unknown``.

        Returns:
            min(k, eligible) distinct items, scores non-increasing, ties by catalogue order.

        Raises:
            UsageError: an argument outside its range, an unknown signal or attribute, or (``strict``) an
                unknown id.
        """
        with self._call():
            known = self._resolve(history, strict)
            mask = self._mask(filter, exclude, seen=known.seen)
            return self._rank("recommend", known, None, mask, k, weights, explain)

    def search(
        self,
        text: str,
        *,
        k: int = 10,
        history: HistoryLike = (),
        filter: Filter | None = None,
        exclude: Sequence[ItemId] = (),
        weights: Mapping[str, float] | None = None,
        explain: bool = False,
        strict: bool = False,
    ) -> Results:
        """The items whose text is nearest in meaning to ``text``; a history makes the order personal.

        Args:
            text: the query. One without any word gives an empty result; what exceeds the package's token
                limit is cut off and reported in ``Results.truncated``.
            k: how many; all eligible items if there are fewer.
            history: as in :meth:`recommend`; its items may appear in the result.
            filter: as in :meth:`recommend`.
            exclude: as in :meth:`recommend`.
            weights: as in :meth:`recommend`.
            explain: also work out the reasons.
            strict: as in :meth:`recommend`.

        Raises:
            PackageError: the package holds no text encoder.
            UsageError: as in :meth:`recommend`.
        """
        with self._call():
            query = self._encode(text)
            known = self._resolve(history, strict)
            mask = self._mask(filter, exclude)
            if not len(query.tokens):
                _check_k(k)
                return Results((), known.unknown, query.truncated)
            return self._rank("search", known, query, mask, k, weights, explain)

    def similar(
        self,
        item: ItemId,
        *,
        k: int = 10,
        filter: Filter | None = None,
        exclude: Sequence[ItemId] = (),
        explain: bool = False,
    ) -> Results:
        """The items nearest to one item, by who liked it and by what its text says.

        Raises:
            UsageError: the catalogue does not hold ``item``, or as in :meth:`recommend`.
        """
        with self._call():
            if self.catalogue.index(str(item)) < 0:
                raise UsageError(f"item {str(item)!r} is not in the catalogue of {len(self.catalogue):,} items")
            known = self._resolve([item], True)
            mask = self._mask(filter, exclude, seen=known.seen)
            return self._rank("similar", known, None, mask, k, None, explain)

    def recommend_many(
        self,
        histories: Sequence[HistoryLike],
        *,
        k: int = 10,
        filter: Filter | None = None,
        exclude: Sequence[ItemId] = (),
        weights: Mapping[str, float] | None = None,
        explain: bool = False,
        strict: bool = False,
    ) -> list[Results]:
        """:meth:`recommend` for each history, in order."""
        return [
            self.recommend(
                history, k=k, filter=filter, exclude=exclude, weights=weights, explain=explain, strict=strict
            )
            for history in histories
        ]

    def search_many(
        self,
        texts: Sequence[str],
        *,
        k: int = 10,
        history: HistoryLike = (),
        filter: Filter | None = None,
        exclude: Sequence[ItemId] = (),
        weights: Mapping[str, float] | None = None,
        explain: bool = False,
        strict: bool = False,
    ) -> list[Results]:
        """:meth:`search` for each text, in order."""
        if isinstance(texts, str):
            raise UsageError("search_many takes a sequence of texts; use search for a single one")
        return [
            self.search(
                text,
                k=k,
                history=history,
                filter=filter,
                exclude=exclude,
                weights=weights,
                explain=explain,
                strict=strict,
            )
            for text in texts
        ]

    def encode(self, text: str) -> NDArray[np.float32]:
        """The query vector of ``text``: float32 [D], unit length, or zeros where it holds no word.

        Raises:
            PackageError: the package holds no text encoder.
        """
        with self._call():
            return self.engine.encode(self._encode(text).tokens)

    # ------------------------------------------------------------- life cycle

    def close(self) -> None:
        """Wait for running calls, then release the engine and the file. Closing twice does nothing."""
        with self._gate:
            if self._closed:
                return
            self._closed = True
            self._gate.wait_for(lambda: self._running == 0)
        self.engine.close()
        self.package.close()

    def __enter__(self) -> Recommender:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _call(self) -> Iterator[None]:
        with self._gate:
            if self._closed:
                raise PackageError("this recommender is closed; open the package again")
            self._running += 1
        try:
            yield
        finally:
            with self._gate:
                self._running -= 1
                self._gate.notify_all()

    # ---------------------------------------------------------------- ranking

    def _resolve(self, history: HistoryLike, strict: bool) -> History:
        limits = self.package.manifest.history
        return resolve(
            history,
            self.catalogue,
            max_items=limits.max_items,
            max_weight=limits.max_weight,
            strict=strict,
        )

    def _mask(
        self, filter: Filter | None, exclude: Sequence[ItemId], *, seen: NDArray[np.int64] | None = None
    ) -> NDArray[np.bool_]:
        if isinstance(exclude, (str, bytes)) or not isinstance(exclude, Iterable):
            raise UsageError(f"exclude is a sequence of ids; got {exclude!r:.80}")
        mask = self.catalogue.eligible(filter)
        if seen is not None:
            mask[seen] = False
        for item in exclude:
            index = self.catalogue.index(str(item))
            if index >= 0:
                mask[index] = False
        return mask

    def _encode(self, text: str) -> _Query:
        encoder = self.package.manifest.encoder
        if self._tokenizer is None or encoder is None:
            raise PackageError("this package holds no text encoder; build it with an items table to search")
        if not isinstance(text, str):
            raise UsageError(f"a query is a string; got {type(text).__name__}")
        tokens = self._tokenizer.tokenize(text, max_tokens=encoder.max_tokens + 1)
        cut = len(tokens) > encoder.max_tokens or len(text) > MAX_CHARACTERS
        return _Query(np.array(tokens[: encoder.max_tokens], np.int64), cut)

    def _weights(self, task: str, history: History, override: Mapping[str, float] | None) -> NDArray[np.float32]:
        """float32 [S]: the weight of each signal times its power of the history's size."""
        override = {} if override is None else override
        if not isinstance(override, Mapping):
            raise UsageError(f"weights is a mapping of signal to number; got {type(override).__name__}")
        unknown = [name for name in override if name not in self._signals]
        if unknown:
            raise UsageError(f"unknown signal {unknown[0]!r}; this package has {', '.join(self._signals)}")
        size = max(float(np.abs(history.weight).sum()), SMALLEST_HISTORY)
        terms = self.package.manifest.blend[task]
        values = []
        for name in self._signals:
            term = terms.get(name)
            weight = _finite(name, override[name]) if name in override else term.weight if term else 0.0
            power = term.power if term and name in HISTORY_SIGNALS and len(history.index) else 0.0
            values.append(weight * size**-power)
        return np.array([max(-LARGEST_WEIGHT, min(LARGEST_WEIGHT, value)) for value in values], np.float32)

    def _rank(
        self,
        task: str,
        history: History,
        query: _Query | None,
        mask: NDArray[np.bool_],
        k: int,
        override: Mapping[str, float] | None,
        explain: bool,
    ) -> Results:
        weights = self._weights(task, history, override)
        _check_k(k)
        blocks = self._blocks(history)
        truncated = history.truncated or blocks.truncated or (query is not None and query.truncated)
        n = min(int(k), int(np.count_nonzero(mask)))
        if n == 0:
            return Results((), history.unknown, truncated)
        vector = np.zeros((0, self._dim), np.float32)
        if query is not None:
            vector = self.engine.encode(query.tokens)[None, :]
        output = self.engine.rank(
            RankerInput(
                history_index=history.index,
                history_weight=history.weight,
                block_index=blocks.index,
                block_weight=blocks.weight,
                query=vector,
                mask=mask,
                weights=weights,
                n=n,
            )
        )
        if len(output.index) != n or not np.isfinite(output.score).all() or not np.isfinite(output.signals).all():
            if override:
                raise UsageError(f"with weights {dict(override)!r:.200} the scores overflow; use smaller ones")
            raise PackageError("the scores of this package overflow: its tables and weights are too large to be used")
        why: Sequence[tuple[Reason, ...]] = [()] * n
        if explain:
            why = self._explain(output, history, blocks, query, weights)
        ids, titles = self.catalogue.id, self.catalogue.title
        columns = output.signals.T.tolist()
        shown = [
            Recommendation(
                ids(index),
                titles(index),
                score,
                dict(zip(self._signals, columns[row], strict=True)),
                why[row],
            )
            for row, (index, score) in enumerate(zip(output.index.tolist(), output.score.tolist(), strict=True))
        ]
        return Results(tuple(shown), history.unknown, truncated)

    def _blocks(self, history: History) -> Blocks:
        settings = self.package.manifest.signals.neighbours
        if settings is None or not len(history.index):
            return _NO_BLOCKS
        array = self.package.array
        return gather_blocks(history, array("neighbours/start"), array("neighbours/scale"), budget=settings.budget)

    # ---------------------------------------------------------------- reasons

    def _explain(
        self,
        output: RankerOutput,
        history: History,
        blocks: Blocks,
        query: _Query | None,
        weights: NDArray[np.float32],
    ) -> list[tuple[Reason, ...]]:
        array, index = self.package.array, output.index
        contribution = dict(zip(self._signals, output.signals, strict=True))
        weight = dict(zip(self._signals, weights.tolist(), strict=True))
        words: list[str] = []
        raw: dict[str, tuple[str, NDArray[np.float64]]] = {}
        settings = self.package.manifest.signals.factors
        if settings is not None:
            shown, rows = self._rows("factors", index), self._rows("factors", history.index)
            raw["factors"] = "item", reasons.split_factors(shown, rows, history.weight, settings.alpha)
        if "neighbours" in weight:
            targets = array("neighbours/index")[blocks.index]
            values = array("neighbours/value")[blocks.index]
            split = reasons.split_neighbours(index, blocks, targets, values, len(history.index))
            raw["neighbours"] = "item", split
        if "content" in weight:
            rows = self._rows("text", history.index) * history.weight[:, None]
            raw["content"] = "item", reasons.split_text(self._rows("text", index), rows)
        if "semantic" in weight and query is not None and self._tokenizer is not None:
            words, owner = self._tokenizer.words(query.tokens.tolist())
            vectors = np.zeros((len(words), self._dim), np.float32)
            np.add.at(vectors, owner, self._rows("tokens", query.tokens))
            length = float(np.linalg.norm(vectors.sum(0)))
            raw["semantic"] = "word", reasons.split_text(self._rows("text", index), vectors / (length or 1.0))
        splits = {
            name: (kind, reasons.settle(parts * weight[name], contribution[name]))
            for name, (kind, parts) in raw.items()
        }
        items = [(self.catalogue.id(i), self.catalogue.title(i)) for i in history.index.tolist()]
        return reasons.assemble(reasons.Causes(items, words), splits, contribution.get("popularity"))

    def _rows(self, table: str, index: NDArray[np.int64]) -> NDArray[np.float32]:
        """float32 [R, D]: dequantized rows of a dense table."""
        value = self.package.array(f"{table}/value")[index].astype(np.float32)
        rows: NDArray[np.float32] = (value - np.float32(128)) * self.package.array(f"{table}/scale")[index][:, None]
        return rows


class _Query:
    """Token ids of a query, and whether some were cut off."""

    __slots__ = ("tokens", "truncated")

    def __init__(self, tokens: NDArray[np.int64], truncated: bool) -> None:
        self.tokens = tokens
        self.truncated = truncated


def _finite(signal: str, weight: object) -> float:
    """A weight that the caller gave, as a float that float32 can hold."""
    try:
        value = float(weight)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError) as error:
        raise UsageError(f"the weight of signal {signal!r} is {weight!r:.80}; expected a finite number") from error
    if not abs(value) <= LARGEST_WEIGHT:
        raise UsageError(f"the weight of signal {signal!r} is {weight!r}; expected a finite number of float32")
    return value


def _check_k(k: int) -> None:
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)):
        raise UsageError(f"k is {k!r}; expected an integer")
    if k < 0:
        raise UsageError(f"k is {k}; expected 0 or more")


def open_package(
    path: str | os.PathLike[str] | bytes,
    *,
    engine: str | None = None,
    verify: Verify = "full",
    threads: int = 1,
) -> Recommender:
    """Open a package and make it ready to answer.

    Args:
        path: a ``.pocketrec`` file, memory-mapped; or its bytes.
        engine: ``"onnx"``, ``"numpy"``, or None for the fastest one installed.
        verify: ``"full"`` checks every hash now, ``"lazy"`` each part when it is first used.
        threads: threads of one call inside the engine.

    Raises:
        PackageError: the file is missing, damaged, hostile or of a newer format.
        EngineError: the engine asked for is not installed or is too old.
    """
    package = Package.open(path, verify=verify)
    try:
        return Recommender(package, open_engine(package, engine, threads=threads))
    except BaseException:
        package.close()
        raise


def open_sample(*, engine: str | None = None) -> Recommender:
    """The small film package that comes with Pocketrec (CC0 data): search and similar items.

    Raises:
        PackageError: this installation lacks the file.
        EngineError: as in :func:`open_package`.
    """
    try:
        data = (files("pocketrec") / "sample.pocketrec").read_bytes()
    except FileNotFoundError as error:
        raise PackageError("this installation of pocketrec lacks sample.pocketrec; install it again") from error
    return open_package(data, engine=engine)
