"""The user's own profile: what they did, kept on their device, as a history that fades with time."""

from __future__ import annotations

import math
import os
import threading
import time
import weakref
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from pocketrec.errors import UsageError
from pocketrec.event_log import Event, EventLog
from pocketrec.history import ItemId, Known

if TYPE_CHECKING:
    from pocketrec.history import Lookup

WEIGHTS: Mapping[str, float] = {
    "view": 0.5,
    "click": 1.0,
    "cart": 2.0,
    "purchase": 3.0,
    "like": 3.0,
    "skip": -0.5,
    "dislike": -3.0,
}
"""What one event of each type weighs when it happens. Judgment: an app knows better, see ``Profile.open``."""
HALF_LIFE_DAYS = 90.0
MAX_EVENTS = 10_000
DAY = 86_400.0


def decayed(
    position: NDArray[np.int64],
    weight: NDArray[np.float64],
    when: NDArray[np.float64],
    *,
    size: int,
    now: float,
    half_life_days: float,
) -> NDArray[np.float64]:
    """The weight of each item at a time: sum over its events of weight * 2^(-age / half-life).

    Args:
        position: int64 [E], the item of each event, 0 to ``size`` - 1.
        weight: float64 [E], what the event weighed when it happened.
        when: float64 [E], seconds since 1970, in any order; an event after ``now`` has age 0.
        size: how many items.
        now: seconds since 1970.
        half_life_days: positive; infinite for no decay.

    Returns:
        float64 [size], summed in the order of the events.
    """
    age = np.maximum(0.0, now - when)
    faded = weight * np.exp2(-age / (half_life_days * DAY))
    total: NDArray[np.float64] = np.bincount(position, faded, minlength=size).astype(np.float64)
    return total


class _Totals:
    """The events as columns, with each item's ids and catalogue positions looked up once."""

    def __init__(self, events: Sequence[Event], weights: Mapping[str, float]) -> None:
        self.ids: list[str] = []
        self._weights = weights
        self._place: dict[str, int] = {}
        self._position, self._weight, self._when = array("q"), array("d"), array("d")
        self._found: tuple[weakref.ref[Lookup], NDArray[np.int64]] | None = None
        for event in events:
            self.append(event)

    def append(self, event: Event) -> None:
        """Take in one more event."""
        if event.item not in self._place:
            self._place[event.item] = len(self.ids)
            self.ids.append(event.item)
        self._position.append(self._place[event.item])
        self._weight.append(self._weights.get(event.event, 0.0))
        self._when.append(event.when)

    def at(self, now: float, half_life_days: float) -> NDArray[np.float64]:
        """float64 [items], in order of first appearance."""
        return decayed(
            np.array(self._position, np.int64),
            np.array(self._weight, np.float64),
            np.array(self._when, np.float64),
            size=len(self.ids),
            now=now,
            half_life_days=half_life_days,
        )

    def index(self, catalogue: Lookup) -> NDArray[np.int64]:
        """int64 [items]: positions in a catalogue, -1 where it lacks the id; each id is looked up once."""
        held = self._found
        before = held[1] if held is not None and held[0]() is catalogue else np.empty(0, np.int64)
        if len(before) < len(self.ids):
            new = [catalogue.index(item) for item in self.ids[len(before) :]]
            before = np.concatenate((before, np.array(new, np.int64)))
            self._found = weakref.ref(catalogue), before
        return before


class Profile:
    """A user's events in one file on their device. Threads may share it; one process at a time writes it.

    Items are kept by external id, so that the profile outlives a package: what a package does not hold is
    ignored in its rankings, reported in ``Results.unknown`` and kept in the file.

    Attributes:
        path: the file.
        half_life_days: after how many days an event weighs half; infinite for ever.
        weights: what an event of each type weighs.
        lost_bytes: how many bytes of a torn tail were dropped on opening; 0 after a clean end.

    Example:
        >>> import pocketrec, tempfile
        >>> with tempfile.TemporaryDirectory() as folder, pocketrec.open_sample() as films:
        ...     with pocketrec.Profile.open(f"{folder}/me.profile") as me:
        ...         me.like(films.search("pixar animation", k=1)[0].item)
        ...         len(films.recommend(profile=me, k=3))
        3
    """

    def __init__(
        self, log: EventLog, path: Path, *, weights: Mapping[str, float], half_life_days: float, max_events: int
    ):
        self.path = path
        self.weights = weights
        self.half_life_days = half_life_days
        self.lost_bytes = log.lost_bytes
        self._log = log
        self._max_events = max_events
        self._gate = threading.Lock()
        self._totals = _Totals(log.events, weights)

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        write: bool = True,
        weights: Mapping[str, float] | None = None,
        half_life_days: float = HALF_LIFE_DAYS,
        max_events: int = MAX_EVENTS,
        durable: bool = False,
    ) -> Self:
        """Open a profile; a new one where there is none and ``write`` is set.

        Args:
            path: the file. ``path.lock`` beside it keeps a second writer out.
            write: False to read what it holds now, beside any writer.
            weights: event type -> weight, laid over `WEIGHTS`; a name that is new there is a new type.
            half_life_days: positive; ``math.inf`` for no decay.
            max_events: when the file holds as many, the oldest tenth goes.
            durable: wait for the disk after every event. Without it a crash of the program loses nothing, a
                crash of the device perhaps the last seconds.

        Raises:
            BusyError: another writer has it open.
            DataError: the file is no profile, or cannot be read or written.
            UsageError: a weight or limit outside its range.
        """
        if not half_life_days > 0:
            raise UsageError(f"half_life_days is {half_life_days!r}; expected more than 0")
        if max_events < 1:
            raise UsageError(f"max_events is {max_events!r}; expected 1 or more")
        table = {**WEIGHTS, **(weights or {})}
        for name, weight in table.items():
            if not math.isfinite(weight):
                raise UsageError(f"the weight of event {name!r} is {weight!r}; expected a finite number")
        place = Path(path)
        log = EventLog(place, write=write, durable=durable)
        return cls(log, place, weights=table, half_life_days=half_life_days, max_events=max_events)

    # ------------------------------------------------------------------ writing

    def add(self, item: ItemId, *, event: str = "click", when: float | None = None) -> None:
        """Record that the user did something with an item; the next call of a recommender knows it.

        Args:
            item: an external id, whether or not a package holds it.
            event: a key of ``weights``.
            when: seconds since 1970, in any order; the device's clock by default.

        Raises:
            UsageError: an unknown event, an id or time that cannot be, or a profile open for reading.
            DataError: it could not be written; file and profile are as before.
        """
        if event not in self.weights:
            raise UsageError(f"unknown event {event!r}; this profile knows {', '.join(self.weights)}")
        entry = Event(str(item), event, float(time.time() if when is None else when))
        with self._gate:
            if len(self._log.events) >= self._max_events:
                self._drop_oldest()
            self._log.append(entry)
            self._totals.append(entry)

    def like(self, item: ItemId, *, when: float | None = None) -> None:
        """:meth:`add` with the event ``"like"``."""
        self.add(item, event="like", when=when)

    def dislike(self, item: ItemId, *, when: float | None = None) -> None:
        """:meth:`add` with the event ``"dislike"``, whose weight is negative."""
        self.add(item, event="dislike", when=when)

    def erase(self) -> None:
        """Forget everything; an empty profile stays. Flash memory may keep old blocks until it reuses them."""
        with self._gate:
            self._log.erase()
            self._totals = _Totals((), self.weights)

    def _drop_oldest(self) -> None:
        """Make room for a tenth more: what was added first goes, whatever its clock said."""
        room = max(1, self._max_events // 10)
        kept = self._log.events[len(self._log.events) - (self._max_events - room) :]
        self._log.replace(kept)
        self._totals = _Totals(kept, self.weights)

    # ------------------------------------------------------------------ reading

    def history(self, *, now: float | None = None) -> list[tuple[str, float]]:
        """(id, weight) of every item at a time, in order of first appearance.

        Args:
            now: seconds since 1970; the device's clock by default. Events after it count as new.
        """
        with self._gate:
            return list(zip(self._totals.ids, self._totals.at(_clock(now), self.half_life_days).tolist(), strict=True))

    def known(self, catalogue: Lookup, *, now: float | None = None) -> Known:
        """:meth:`history` as the ranker reads it."""
        with self._gate:
            totals = self._totals
            index = totals.index(catalogue)
            missing = tuple(totals.ids[row] for row in np.flatnonzero(index < 0))
            return Known(index, totals.at(_clock(now), self.half_life_days), missing)

    def __len__(self) -> int:
        return len(self._log.events)

    def export(self) -> dict[str, Any]:
        """Everything the profile holds, as plain JSON values, oldest first."""
        with self._gate:
            return {"format": "pocketrec profile 1", "events": [event._asdict() for event in self._log.events]}

    # --------------------------------------------------------------- life cycle

    def close(self) -> None:
        """Let go of the file and let the next writer in; reading goes on."""
        with self._gate:
            self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Profile {str(self.path)!r}: {len(self):,} events>"


def _clock(now: float | None) -> float:
    value = float(time.time() if now is None else now)
    if not math.isfinite(value):
        raise UsageError(f"now is {now!r}; expected seconds since 1970")
    return value
