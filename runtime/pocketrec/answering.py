"""From the arguments of a verb to a page of results: history, query, what may be shown, and where the page stops."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pocketrec.additions import Additions
from pocketrec.catalogue import Catalogue
from pocketrec.engine import Engine
from pocketrec.errors import PackageError, UsageError
from pocketrec.filters import Filter
from pocketrec.history import NOTHING_KNOWN, History, HistoryLike, ItemId, resolve
from pocketrec.lexicon import Lexicon
from pocketrec.likeness import WordLikeness
from pocketrec.overlay import OverlayBuilder
from pocketrec.package import Package
from pocketrec.pages import Request, read_cursor, write_cursor
from pocketrec.placing import Placer
from pocketrec.profile import Profile
from pocketrec.ranking import Query, Ranker, Task, check_k
from pocketrec.results import Results
from pocketrec.stand_ins import Interests, stand_in
from pocketrec.tokenizer import tokenizer_of
from pocketrec.view import View
from pocketrec.wordpiece import MAX_CHARACTERS

Clock = Callable[[], float]
MAX_PHRASES, MAX_PHRASE = 32, 1_000
"""Interests of one call, and characters of each."""


class Answerer:
    """Answers requests. Holds no state of a call, so that threads may share it."""

    def __init__(
        self, package: Package, engine: Engine, catalogue: Catalogue, *, clock: Clock | None, overlay: Path | None
    ) -> None:
        self._package = package
        self._catalogue = catalogue
        self._clock = clock
        manifest = package.manifest
        self._tokenizer = tokenizer_of(package)
        self._lexicon = Lexicon(package) if manifest.signals.lexical else None
        self.ranker = Ranker(package, engine, catalogue, self._tokenizer, self._lexicon)
        self._placer = None
        if self._tokenizer is not None and package.has("text/value"):
            words = WordLikeness(package.array, manifest.catalogue.items) if manifest.signals.lexical else None
            self._placer = Placer(package, engine, self._tokenizer, words)
        builder = None if self._placer is None else OverlayBuilder(package, self._placer)
        self.additions = Additions(package, catalogue, builder, overlay)

    def answer(self, request: Request, known: History, view: View) -> Results:
        """One page of a request, of the items that ``known`` was resolved in.

        Raises:
            PackageError: the package only labels texts.
        """
        if not len(self._catalogue):
            raise PackageError(f"this package has no items, so it cannot {request.verb}; it labels texts: classify")
        if self._catalogue.timed:
            request = replace(request, now=self._time(request.now))
        query = self.query(request.subject) if request.verb == "search" else None
        exclude = (*id_list(request.exclude), *request.shown)
        mask = self._mask(view, request.filter, exclude, request.now, seen=None if query else known.seen)
        if query is not None and query.empty:
            check_k(request.k)
            return Results((), known.unknown, query.truncated)
        results = self.ranker.rank(
            Task(
                request.verb,
                self._standing_in(known, view, request.interests),
                query,
                mask,
                request.k,
                request.weights,
                request.explain,
                request.display,
                np.array([view.index(item) for item in request.shown], np.int64),
                view,
            )
        )
        if not results or len(results) < request.k:
            return results
        return replace(results, _next=lambda: self._cursor(request, known, results, view))

    def more(self, cursor: str, view: View) -> Results:
        """The page after the one that gave the cursor."""
        state, history, request = read_cursor(cursor)
        if state != self._state(view):
            raise UsageError("this page is of another package, or items were added since; start again from the first")
        return self.answer(request, self.resolve(view, history, False), view)

    def _cursor(self, request: Request, known: History, results: Results, view: View) -> str:
        history = list(zip(map(view.id, known.index.tolist()), known.weight.tolist(), strict=True))
        ranked = set(known.index.tolist())
        history += [(view.id(index), 0.0) for index in known.seen.tolist() if index not in ranked]
        shown = (*request.shown, *(item.item for item in results))
        return write_cursor(self._state(view), history, replace(request, shown=shown))

    def _time(self, now: float | None) -> float | None:
        return self._clock() if now is None and self._clock is not None else now

    def _state(self, view: View) -> str:
        """What a cursor goes with."""
        added = "" if view.overlay is None else f"+{view.overlay.checksum:08x}"
        return self._package.id[:32] + added

    def _standing_in(self, known: History, view: View, phrases: tuple[str, ...]) -> History:
        """The history and what is said of interests, in items that the engine knows."""
        limits = self._package.manifest.history
        interests = None
        if phrases:
            if self._placer is None:
                raise PackageError("this package holds no text encoder, so it cannot read interests")
            interests = Interests(phrases, self._placer.near(self._placer.encode(phrases), phrases))
        return stand_in(
            known,
            own=view.own,
            overlay=view.overlay,
            interests=interests,
            max_items=limits.max_items,
            max_weight=limits.max_weight,
        )

    def disliked(self, view: View, profile: Profile, now: float | None) -> list[str]:
        """Ids of the items that weigh less than nothing."""
        opinion = profile.known(view, now=self._time(now))
        return [view.id(i) for i in opinion.index[(opinion.index >= 0) & (opinion.weight < 0)].tolist()]

    def resolve(
        self,
        view: View,
        history: HistoryLike,
        strict: bool,
        *,
        profile: Profile | None = None,
        now: float | None = None,
    ) -> History:
        """What is known of the user."""
        limits = self._package.manifest.history
        return resolve(
            history,
            view,
            max_items=limits.max_items,
            max_weight=limits.max_weight,
            strict=strict,
            known=NOTHING_KNOWN if profile is None else profile.known(view, now=self._time(now)),
        )

    def _mask(
        self,
        view: View,
        filter: Filter | None,
        exclude: Sequence[str],
        now: float | None,
        *,
        seen: NDArray[np.int64] | None = None,
    ) -> NDArray[np.bool_]:
        mask = view.eligible(filter, now=now)
        if seen is not None:
            mask[seen] = False
        for item in exclude:
            index = view.index(item)
            if index >= 0:
                mask[index] = False
        return mask

    def query(self, text: str) -> Query:
        """The text as encoder and word table read it."""
        encoder = self._package.manifest.encoder
        if encoder is None and self._lexicon is None:
            raise PackageError("this package holds no texts; build it with an items table to search")
        tokens, cut = self.tokens(text)
        matches = None if self._lexicon is None else self._lexicon.match(text)
        return Query(tokens, matches, cut or (matches is not None and matches.truncated))

    def tokens(self, text: str) -> tuple[NDArray[np.int64], bool]:
        """The token ids of a text, int64[T], and whether it was cut; no words are looked up, which takes far longer."""
        if not isinstance(text, str):
            raise UsageError(f"a query is a string; got {type(text).__name__}")
        encoder, cut = self._package.manifest.encoder, len(text) > MAX_CHARACTERS
        if self._tokenizer is None or encoder is None:
            return np.empty(0, np.int64), cut
        tokens = self._tokenizer.tokenize(text, max_tokens=encoder.max_tokens + 1)
        cut |= len(tokens) > encoder.max_tokens
        return np.array(tokens[: encoder.max_tokens], np.int64), cut


def id_list(exclude: Sequence[ItemId]) -> list[str]:
    """Ids as texts.

    Raises:
        UsageError: it is a text, or no sequence.
    """
    if isinstance(exclude, (str, bytes)) or not isinstance(exclude, Iterable):
        raise UsageError(f"exclude is a sequence of ids; got {exclude!r:.80}")
    return [str(item) for item in exclude]


def phrase_list(interests: str | Sequence[str] | None) -> tuple[str, ...]:
    """What a user says, one phrase for each interest; a text is split at its commas.

    Raises:
        UsageError: it is no text or sequence of texts, or too long.
    """
    if interests is None:
        return ()
    listed = interests.split(",") if isinstance(interests, str) else interests
    if not isinstance(listed, Sequence) or not all(isinstance(phrase, str) for phrase in listed):
        raise UsageError(f"interests are a text such as 'noir films, jazz', or a list of texts; got {interests!r:.80}")
    phrases = tuple(dict.fromkeys(phrase.strip() for phrase in listed if phrase.strip()))
    if len(phrases) > MAX_PHRASES or any(len(phrase) > MAX_PHRASE for phrase in phrases):
        raise UsageError(f"expected at most {MAX_PHRASES} interests of at most {MAX_PHRASE} characters each")
    return phrases
