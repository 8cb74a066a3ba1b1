"""The public object: one open package that recommends, searches and finds similar items."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

from pocketrec.added import AddedItem
from pocketrec.answering import Answerer, Clock, id_list, phrase_list
from pocketrec.answers import Answer, best_answer
from pocketrec.catalogue import Catalogue
from pocketrec.classify import Alert, Classification, Heads
from pocketrec.engine import Engine
from pocketrec.errors import PackageError, UsageError
from pocketrec.filters import Filter
from pocketrec.history import HistoryLike, ItemId
from pocketrec.package import Package
from pocketrec.pages import Request
from pocketrec.profile import Profile
from pocketrec.ratings import RatingsLike, RatingTables, predict
from pocketrec.rerank import Display, Shares
from pocketrec.results import Results
from pocketrec.view import View


class ListOptions(TypedDict, total=False):
    """What the lists of one call have in common, see :meth:`Recommender.recommend`."""

    k: int
    filter: Filter | None
    exclude: Sequence[ItemId]
    weights: Mapping[str, float] | None
    explain: bool
    strict: bool
    now: float | None
    diversity: float
    distinct: bool
    max_per: Mapping[str, int] | None
    min_share: Shares | None


class SearchOptions(ListOptions, total=False):
    """The same of searches, see :meth:`Recommender.search`."""

    history: HistoryLike
    profile: Profile | None


class Recommender:
    """An open package. Safe to share between threads; close it, or use it in a ``with`` block.

    Items that are not published yet, or expired, at the time of a call are in none of its results.

    Example:
        >>> import pocketrec
        >>> with pocketrec.open_sample() as films:
        ...     [film.title for film in films.search("space adventure with robots", k=1)]
        ['Robots (2005)']
    """

    def __init__(
        self,
        package: Package,
        engine: Engine,
        *,
        clock: Clock | None = time.time,
        overlay: Path | None = None,
    ) -> None:
        self.package = package
        self.engine = engine
        self.catalogue = Catalogue(package)
        self.answers = Answerer(package, engine, self.catalogue, clock=clock, overlay=overlay)
        self._heads = Heads(package)
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
        interests: str | Sequence[str] | None = None,
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
            interests: what the user says interests them, "noir films, jazz" or a list: each counts as one item in the
                history, spread over the items that it is most like.
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
        said = phrase_list(interests)
        request = Request("recommend", "", k, filter, exclude, weights, explain, now, display, interests=said)
        with self._call() as view:
            known = self.answers.resolve(view, history, strict, profile=profile, now=now)
            return self.answers.answer(request, known, view)

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
        with self._call() as view:
            known = self.answers.resolve(view, history, strict, profile=profile, now=now)
            return self.answers.answer(request, known, view)

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
        with self._call() as view:
            if view.index(str(item)) < 0:
                raise UsageError(f"item {str(item)!r} is not in the catalogue of {len(view):,} items")
            disliked = [] if profile is None else self.answers.disliked(view, profile, now)
            display = Display(diversity, max_per or {}, distinct, min_share or {})
            left_out = (*id_list(exclude), *disliked)
            request = Request("similar", str(item), k, filter, left_out, None, explain, now, display)
            return self.answers.answer(request, self.answers.resolve(view, [item], True), view)

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
        with self._call() as view:
            return self.answers.more(cursor, view)

    def recommend_many(self, histories: Sequence[HistoryLike], **options: Unpack[ListOptions]) -> list[Results]:
        """:meth:`recommend` for each history, in order."""
        _check_many("recommend_many", "histories", histories, options, ListOptions.__optional_keys__)
        return [self.recommend(history, **options) for history in histories]

    def search_many(self, texts: Sequence[str], **options: Unpack[SearchOptions]) -> list[Results]:
        """:meth:`search` for each text, in order."""
        _check_many("search_many", "texts", texts, options, SearchOptions.__optional_keys__)
        return [self.search(text, **options) for text in texts]

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
            if self.package.manifest.encoder is None:
                raise PackageError("this package holds no text encoder; build it with an items table")
            return self.engine.encode(self.answers.tokens(text)[0])

    def classify(self, text: str, *, alerts: Sequence[Alert | str] = ()) -> Classification:
        """The labels of ``text``, one for each head of the package, with calibrated probabilities.

        Args:
            text: what is classified; what exceeds the package's limits is cut off and reported as ``truncated``. A
                text without any word that the encoder knows has no labels.
            alerts: labels to watch, such as ``"sentiment=negative>0.8"``; the head may be left out where only one
                has the label.

        Raises:
            PackageError: the package has no labels.
            UsageError: an alert that names what the package lacks.
        """
        with self._call():
            if not self.package.manifest.heads:
                raise PackageError("this package has no labels; make one that has with `pocketrec build-classifier`")
            watched = [Alert.parse(alert) if isinstance(alert, str) else alert for alert in alerts]
            query = self.answers.query(text)
            return self._heads.classify(self.engine.encode(query.tokens), alerts=watched, truncated=query.truncated)

    def classify_many(self, texts: Sequence[str], *, alerts: Sequence[Alert | str] = ()) -> list[Classification]:
        """:meth:`classify` for each text, in order."""
        _check_many("classify_many", "texts", texts, {}, frozenset())
        return [self.classify(text, alerts=alerts) for text in texts]

    def answer(self, text: str, *, threshold: float | None = None, exclude: Sequence[ItemId] = ()) -> Answer:
        """The answer to a question with the probability that it is right, or none where that is too small.

        Args:
            text: the question.
            threshold: least confidence, 0 to 1, in place of the package's own.
            exclude: ids of questions that do not count.

        Raises:
            PackageError: the package holds no answers.
            UsageError: a threshold outside 0 to 1.
        """
        settings = self.package.manifest.answers
        if settings is None:
            raise PackageError("this package holds no answers; make one that does with `pocketrec build-answers`")
        if threshold is not None and not 0 <= threshold <= 1:
            raise UsageError(f"threshold is {threshold}; expected 0 to 1")
        found = self.search(text, k=settings.pool, exclude=exclude)
        texts, of = self.package.strings("answers/text"), self.package.array("answers/item")
        rows = [self.catalogue.index(item.item) for item in found]
        answers = [None if row < 0 else texts[int(of[row])] for row in rows]
        return best_answer(settings, found, answers, threshold=threshold)

    # ------------------------------------------------------- items added here

    def add_items(self, items: Iterable[AddedItem | Mapping[str, Any]]) -> int:
        """Add items that the package lacks; they are recommended, searched and found similar at once.

        Args:
            items: mappings with ``item``, the id, and, where there are, ``title``, ``text`` and attributes of the
                package, such as ``category``: a text, "A|B" or a list. Titles are cut to 1,000 characters, texts to
                20,000. The id of an added item replaces it. An item without any known word is only found by filters
                and ids. At most 10,000 items can be added in all.

        Returns:
            How many are added now.

        Example:
            >>> import pocketrec
            >>> with pocketrec.open_sample() as films:
            ...     count = films.add_items([{"item": "new", "title": "Robots on Mars", "category": "Science fiction"}])
            ...     [film.item for film in films.search("robots on mars", k=1)]
            ['new']

        Raises:
            PackageError: the package holds no text encoder.
            UsageError: an id twice, or that the package has; a key or value that cannot be; too many.
            BusyError: another process is changing the overlay.
            DataError: the overlay cannot be written.
        """
        with self._call():
            return self.answers.additions.add(items)

    def remove_items(self, ids: Iterable[ItemId]) -> int:
        """Remove added items; ids of others are passed over. Returns how many are added then.

        Raises:
            BusyError, DataError: as in :meth:`add_items`.
        """
        with self._call():
            return self.answers.additions.remove(ids)

    @property
    def added_items(self) -> tuple[AddedItem, ...]:
        """The added items, in the order in which they were added."""
        return self.answers.additions.items()

    @property
    def dropped_items(self) -> tuple[str, ...]:
        """Ids that the overlay's file had and that the package now holds itself."""
        return self.answers.additions.dropped

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
    def _call(self) -> Iterator[View]:
        """Keeps the package open, and gives the items of now."""
        with self._gate:
            if self._closed:
                raise PackageError("this recommender is closed; open the package again")
            self._running += 1
        try:
            yield self.answers.additions.view
        finally:
            with self._gate:
                self._running -= 1
                self._gate.notify_all()


def _check_many(name: str, what: str, many: object, options: Mapping[str, Any], known: frozenset[str]) -> None:
    """Refuse what the single form would, also where there is nothing to do."""
    if isinstance(many, (str, bytes, Mapping)) or not isinstance(many, Sequence):
        single = name.removesuffix("_many")
        raise UsageError(f"{name} takes a sequence of {what}, got {type(many).__name__}; use {single} for a single one")
    unknown = options.keys() - known
    if unknown:
        raise TypeError(f"{name}() got an unexpected keyword argument {min(unknown)!r}")
