"""The public object: one open package that recommends, searches and finds similar items."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.resources import files
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from pocketrec.catalogue import Catalogue
from pocketrec.engine import Engine, open_engine
from pocketrec.errors import PackageError, UsageError
from pocketrec.filters import Filter
from pocketrec.history import NOTHING_KNOWN, History, HistoryLike, ItemId, resolve
from pocketrec.lexicon import Lexicon
from pocketrec.package import Package, Verify
from pocketrec.pages import Request, read_cursor, write_cursor
from pocketrec.profile import Profile
from pocketrec.ranking import Query, Ranker, Task, check_k
from pocketrec.ratings import RatingsLike, RatingTables, predict
from pocketrec.rerank import Display, Shares
from pocketrec.results import Results
from pocketrec.wordpiece import MAX_CHARACTERS, WordPiece

Clock = Callable[[], float]


class Recommender:
    """An open package. Safe to share between threads; close it, or use it in a ``with`` block.

    Items that are not published yet, or expired, at the time of a call are in none of its results.

    Example:
        >>> import pocketrec
        >>> with pocketrec.open_sample() as films:
        ...     [film.title for film in films.search("space adventure with robots", k=1)]
        ['Robots (2005)']
    """

    def __init__(self, package: Package, engine: Engine, *, clock: Clock | None = time.time) -> None:
        self.package = package
        self.engine = engine
        self.catalogue = Catalogue(package)
        self._clock = clock
        manifest = package.manifest
        self._tokenizer = WordPiece(package.array, unknown=manifest.encoder.unknown) if manifest.encoder else None
        self._lexicon = Lexicon(package) if manifest.signals.lexical else None
        self._ranker = Ranker(package, engine, self.catalogue, self._tokenizer, self._lexicon)
        self._gate = threading.Condition()
        self._running = 0
        self._closed = False

    def __repr__(self) -> str:
        return (
            f"<Recommender {self.package.manifest.name!r}: {len(self.catalogue):,} items, "
            f"signals {', '.join(self.package.manifest.signals.names)}, engine {self.engine.name}>"
        )

    # ------------------------------------------------------------------ verbs

    def recommend(
        self,
        history: HistoryLike = (),
        *,
        k: int = 10,
        profile: Profile | None = None,
        filter: Filter | None = None,
        exclude: Sequence[ItemId] = (),
        weights: Mapping[str, float] | None = None,
        explain: bool = False,
        strict: bool = False,
        now: float | None = None,
        diversity: float = 0.0,
        distinct: bool = False,
        max_per: Mapping[str, int] | None = None,
        min_share: Shares | None = None,
    ) -> Results:
        """The items this user is most likely to want next; what the history holds is left out.

        Args:
            history: ids, (id, weight) pairs, or a mapping of id to weight. A bare id weighs 1, a negative
                weight is a dislike. An empty history gives the most popular items.
            k: how many; all eligible items if there are fewer.
            profile: the user's profile, whose items count as if they came before those of the history.
            filter: attribute -> value, ``(sign, value)`` or a list of them, for example ``{"category": ["A", "B"],
                "price": ("<", 20)}``. Values of one key are alternatives; comparisons and keys must all hold; an
                item without a value does not match. Dates are texts such as "2026-05-31", or `datetime` values.
            exclude: ids that must not appear; unknown ids are ignored.
            weights: signal -> weight, in place of the package's own.
            explain: also work out the reasons.
            strict: raise on unknown history ids instead of reporting them in ``Results.unknown``.
            diversity: 0 to 1: how much it counts that an item is unlike those before it; 0.5 is a good start. Scores
                need not fall from place to place then.
            distinct: leave out items with the title or the text of an earlier one.
            max_per: attribute -> how many items of one value the list may hold, for example ``{"category": 2}``.
            min_share: attribute -> value -> the least share of the places for items with it, for example
                ``{"provider": {"Small Press": 0.2}}``: of the first r places at least floor(share * r).
            now: seconds since 1970, at which items are published or expired and the profile is read; the device's
                clock by default.

        Returns:
            min(k, eligible) distinct items, scores non-increasing, ties by catalogue order. `Results.next` leads to
            the next page, see :meth:`more`.

        Raises:
            UsageError: an argument outside its range, an unknown signal or attribute, or (``strict``) an
                unknown id.
        """
        display = Display(diversity, max_per or {}, distinct, min_share or {})
        request = Request("recommend", "", k, filter, exclude, weights, explain, now, display)
        with self._call():
            return self._answer(request, self._resolve(history, strict, profile=profile, now=now))

    def search(
        self,
        text: str,
        *,
        k: int = 10,
        history: HistoryLike = (),
        profile: Profile | None = None,
        filter: Filter | None = None,
        exclude: Sequence[ItemId] = (),
        weights: Mapping[str, float] | None = None,
        explain: bool = False,
        strict: bool = False,
        now: float | None = None,
        diversity: float = 0.0,
        distinct: bool = False,
        max_per: Mapping[str, int] | None = None,
        min_share: Shares | None = None,
    ) -> Results:
        """The items whose text is nearest to ``text`` by words and meaning; a history makes the order personal.

        An item whose title is ``text`` comes first. A package without a text encoder finds only items that one of the
        words leads to.

        Args:
            text: the query; a word may have a slip, and the last be unfinished. One without any word gives an empty
                result; what exceeds the package's limits is cut off and reported in ``Results.truncated``.
            k: how many; all eligible items if there are fewer.
            history: as in :meth:`recommend`; its items may appear in the result.
            profile: as in :meth:`recommend`; its items may appear in the result.
            filter: as in :meth:`recommend`.
            exclude: as in :meth:`recommend`.
            weights: as in :meth:`recommend`.
            explain: also work out the reasons.
            strict: as in :meth:`recommend`.
            now: as in :meth:`recommend`.
            diversity: as in :meth:`recommend`.
            distinct: as in :meth:`recommend`.
            max_per: as in :meth:`recommend`.
            min_share: as in :meth:`recommend`.

        Raises:
            PackageError: the package holds neither a text encoder nor words.
            UsageError: as in :meth:`recommend`.
        """
        display = Display(diversity, max_per or {}, distinct, min_share or {})
        request = Request("search", text, k, filter, exclude, weights, explain, now, display)
        with self._call():
            return self._answer(request, self._resolve(history, strict, profile=profile, now=now))

    def similar(
        self,
        item: ItemId,
        *,
        k: int = 10,
        profile: Profile | None = None,
        filter: Filter | None = None,
        exclude: Sequence[ItemId] = (),
        explain: bool = False,
        now: float | None = None,
        diversity: float = 0.0,
        distinct: bool = False,
        max_per: Mapping[str, int] | None = None,
        min_share: Shares | None = None,
    ) -> Results:
        """The items nearest to one item, by who liked it and by what its text says.

        A profile leaves out what its user dislikes, and changes nothing else: who looks at an item wants to see
        what is like it, known or not.

        Raises:
            UsageError: the catalogue does not hold ``item``, or as in :meth:`recommend`.
        """
        with self._call():
            if self.catalogue.index(str(item)) < 0:
                raise UsageError(f"item {str(item)!r} is not in the catalogue of {len(self.catalogue):,} items")
            disliked = [] if profile is None else self._disliked(profile, now)
            display = Display(diversity, max_per or {}, distinct, min_share or {})
            left_out = (*_ids(exclude), *disliked)
            request = Request("similar", str(item), k, filter, left_out, None, explain, now, display)
            return self._answer(request, self._resolve([item], True))

    def more(self, cursor: str) -> Results:
        """The next page of a list, from ``Results.next`` of the page before; no item comes twice.

        History, profile, filters, weights and time stay as they were at the first page, whatever the user did since.
        Quotas and floors hold for each page; diversity and ``distinct`` look back at the pages before.

        Example:
            >>> import pocketrec
            >>> with pocketrec.open_sample() as films:
            ...     first = films.search("robots", k=2)
            ...     second = films.more(first.next)
            ...     len({film.item for film in (*first, *second)})
            4

        Raises:
            UsageError: no cursor, or one of another package.
        """
        state, history, request = read_cursor(cursor)
        if state != self._state():
            raise UsageError("this page is of another package, or items were added since; start again from the first")
        with self._call():
            return self._answer(request, self._resolve(history, False))

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
        now: float | None = None,
    ) -> list[Results]:
        """:meth:`recommend` for each history, in order."""
        return [
            self.recommend(
                history, k=k, filter=filter, exclude=exclude, weights=weights, explain=explain, strict=strict, now=now
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
        now: float | None = None,
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
                now=now,
            )
            for text in texts
        ]

    def predict(self, history: RatingsLike, items: Sequence[ItemId], *, strict: bool = False) -> list[float | None]:
        """The rating that this user would give each item, on the scale of the input.

        Unlike in :meth:`recommend`, where a weight says how much an item counts, the history's numbers are
        ratings: on a scale of 1 to 5 a 2 is a bad film here, and a film that counts twice there.

        Args:
            history: (id, rating) pairs or a mapping of id to rating; of a repeated id the last rating counts,
                unknown ids are ignored. An empty history gives each item's average over users.
            items: ids, also of items that the history rates.
            strict: raise on unknown ids.

        Returns:
            For each of the items a number within the scale, or None where the catalogue lacks it. An item that
            nobody rated gets the mean, moved by how strictly this user rates.

        Raises:
            UsageError: the package was not built from ratings, a rating is outside the scale, or (``strict``)
                an id is unknown.
        """
        with self._call():
            return predict(RatingTables.of(self.package), self.catalogue, history, items, strict=strict)

    def encode(self, text: str) -> NDArray[np.float32]:
        """The query vector of ``text``: float32 [D], unit length, or zeros where it holds no word.

        Raises:
            PackageError: the package holds no text encoder.
        """
        with self._call():
            if self._tokenizer is None:
                raise PackageError("this package holds no text encoder; build it with an items table")
            return self.engine.encode(self._query(text).tokens)

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

    # ------------------------------------------------------- from arguments to arrays

    def _answer(self, request: Request, known: History) -> Results:
        """One page."""
        if request.now is None and self.catalogue.timed and self._clock is not None:
            request = replace(request, now=self._clock())
        query = self._query(request.subject) if request.verb == "search" else None
        exclude = (*_ids(request.exclude), *request.shown)
        mask = self._mask(request.filter, exclude, request.now, seen=None if query else known.seen)
        if query is not None and query.empty:
            check_k(request.k)
            return Results((), known.unknown, query.truncated)
        results = self._ranker.rank(
            Task(
                request.verb,
                known,
                query,
                mask,
                request.k,
                request.weights,
                request.explain,
                request.display,
                np.array([self.catalogue.index(item) for item in request.shown], np.int64),
            )
        )
        if not results or len(results) < request.k:
            return results
        return replace(results, _next=lambda: self._cursor(request, known, results))

    def _cursor(self, request: Request, known: History, results: Results) -> str:
        history = list(zip(map(self.catalogue.id, known.index.tolist()), known.weight.tolist(), strict=True))
        ranked = set(known.index.tolist())
        history += [(self.catalogue.id(index), 0.0) for index in known.seen.tolist() if index not in ranked]
        shown = (*request.shown, *(item.item for item in results))
        return write_cursor(self._state(), history, replace(request, shown=shown))

    def _state(self) -> str:
        """What a cursor goes with."""
        return self.package.id[:32]

    def _disliked(self, profile: Profile, now: float | None) -> list[str]:
        opinion = profile.known(self.catalogue, now=now)
        return [self.catalogue.id(i) for i in opinion.index[(opinion.index >= 0) & (opinion.weight < 0)].tolist()]

    def _resolve(
        self, history: HistoryLike, strict: bool, *, profile: Profile | None = None, now: float | None = None
    ) -> History:
        limits = self.package.manifest.history
        return resolve(
            history,
            self.catalogue,
            max_items=limits.max_items,
            max_weight=limits.max_weight,
            strict=strict,
            known=NOTHING_KNOWN if profile is None else profile.known(self.catalogue, now=now),
        )

    def _mask(
        self,
        filter: Filter | None,
        exclude: Sequence[str],
        now: float | None,
        *,
        seen: NDArray[np.int64] | None = None,
    ) -> NDArray[np.bool_]:
        mask = self.catalogue.eligible(filter, now=now)
        if seen is not None:
            mask[seen] = False
        for item in exclude:
            index = self.catalogue.index(item)
            if index >= 0:
                mask[index] = False
        return mask

    def _query(self, text: str) -> Query:
        """The text as encoder and word table read it."""
        encoder = self.package.manifest.encoder
        if encoder is None and self._lexicon is None:
            raise PackageError("this package holds no texts; build it with an items table to search")
        if not isinstance(text, str):
            raise UsageError(f"a query is a string; got {type(text).__name__}")
        tokens: list[int] = []
        cut = len(text) > MAX_CHARACTERS
        if self._tokenizer is not None and encoder is not None:
            tokens = self._tokenizer.tokenize(text, max_tokens=encoder.max_tokens + 1)
            cut |= len(tokens) > encoder.max_tokens
            tokens = tokens[: encoder.max_tokens]
        matches = None if self._lexicon is None else self._lexicon.match(text)
        return Query(np.array(tokens, np.int64), matches, cut or (matches is not None and matches.truncated))


def _ids(exclude: Sequence[ItemId]) -> list[str]:
    if isinstance(exclude, (str, bytes)) or not isinstance(exclude, Iterable):
        raise UsageError(f"exclude is a sequence of ids; got {exclude!r:.80}")
    return [str(item) for item in exclude]


def open_package(
    path: str | os.PathLike[str] | bytes,
    *,
    engine: str | None = None,
    verify: Verify = "full",
    threads: int = 1,
    clock: Clock | None = time.time,
) -> Recommender:
    """Open a package and make it ready to answer.

    Args:
        path: a ``.pocketrec`` file, memory-mapped; or its bytes.
        engine: ``"onnx"``, ``"numpy"``, or None for the fastest one installed.
        verify: ``"full"`` checks every hash now, ``"lazy"`` each part when it is first used.
        threads: threads of one call inside the engine.
        clock: what time it is, in seconds since 1970, for calls that do not say; it is asked only where items may be
            unpublished or expired. None: then these are in the results, too.

    Raises:
        PackageError: the file is missing, damaged, hostile or of a newer format.
        EngineError: the engine asked for is not installed or is too old.
    """
    package = Package.open(path, verify=verify)
    try:
        return Recommender(package, open_engine(package, engine, threads=threads), clock=clock)
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
