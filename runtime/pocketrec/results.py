"""What a call returns: frozen values that print well and turn into JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

WORTH_SAYING = 0.01
"""Least strength of a reason that is told, beside the strongest."""
USERS_OWN = ("item", "interest")
"""Kinds of what the user did or said; the more of it there is, the less each counts."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One cause of a recommendation.

    Attributes:
        kind: ``"item"`` (of the history), ``"interest"`` (said in words), ``"word"`` (of the query),
            ``"popularity"`` or ``"boost"``.
        id: the history item's id, the word, or ``""``.
        text: the item's title, the word, or ``""``.
        contribution: how much of the score it brings; the contributions of all causes sum to the score.
        signals: the same, by signal.
    """

    kind: str
    id: str
    text: str
    contribution: float
    signals: Mapping[str, float]

    def as_dict(self) -> dict[str, Any]:
        """The reason as plain JSON values."""
        return {
            "kind": self.kind,
            "id": self.id,
            "text": self.text,
            "contribution": self.contribution,
            "signals": dict(self.signals),
        }


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One ranked item.

    Attributes:
        item: external id.
        title: the title, or the id where there is none.
        score: bigger is better; comparable within one call.
        signals: what each signal adds to the score.
        reasons: causes, strongest first; empty unless asked for.
    """

    item: str
    title: str
    score: float
    signals: Mapping[str, float]
    reasons: tuple[Reason, ...] = ()

    def main_reasons(self, limit: int = 3) -> tuple[Reason, ...]:
        """The reasons worth saying, strongest first: at most ``limit``, each at least 1 % as strong as the first.

        Of what the user did or said, only what speaks against the item, or brings no less than an even share of what
        all of it brings: without the rest the score would not fall, as what is left would count more.
        """
        own = [reason.contribution for reason in self.reasons if reason.kind in USERS_OWN]
        even = sum(own) / len(own) * (1 - 1e-9) if own else 0.0
        return tuple(
            reason
            for reason in self.reasons[:limit]
            if abs(reason.contribution) >= WORTH_SAYING * abs(self.reasons[0].contribution)
            and not (reason.kind in USERS_OWN and 0 <= reason.contribution < even)
        )

    def as_dict(self) -> dict[str, Any]:
        """The recommendation as plain JSON values."""
        return {
            "item": self.item,
            "title": self.title,
            "score": self.score,
            "signals": dict(self.signals),
            "reasons": [reason.as_dict() for reason in self.reasons],
        }


@dataclass(frozen=True, slots=True)
class Results(Sequence[Recommendation]):
    """A ranked list, best first; with diversity or floors in the order in which it is shown.

    Attributes:
        items: the recommendations.
        unknown: history ids that the catalogue does not hold; they were ignored.
        truncated: whether the history or the query was cut to the package's limits.
    """

    items: tuple[Recommendation, ...]
    unknown: tuple[str, ...] = ()
    truncated: bool = False
    _next: Callable[[], str] | str | None = field(default=None, compare=False, repr=False)

    @property
    def next(self) -> str | None:
        """The cursor of the next page, for ``Recommender.more``; None after the last page.

        It holds the user's history: keep it on their device.
        """
        return self._next() if callable(self._next) else self._next

    def __reduce__(self) -> tuple[Any, ...]:
        return Results, (self.items, self.unknown, self.truncated, self.next)

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Recommendation]:
        return iter(self.items)

    @overload
    def __getitem__(self, position: int) -> Recommendation: ...
    @overload
    def __getitem__(self, position: slice) -> tuple[Recommendation, ...]: ...
    def __getitem__(self, position: int | slice) -> Recommendation | tuple[Recommendation, ...]:
        return self.items[position]

    def as_dict(self) -> dict[str, Any]:
        """The list as plain JSON values."""
        return {
            "results": [item.as_dict() for item in self.items],
            "unknown": list(self.unknown),
            "truncated": self.truncated,
            "next": self.next,
        }
