"""What a filter asks for: which attributes, compared how, with which values.

A filter is a mapping of attribute to what is wanted of it::

    {"category": ["Comedy", "Drama"], "price": ("<", 20), "year": [(">=", 1990), ("<", 2000)], "in_stock": True}

A plain value means equal. Equal values of one key are alternatives; comparisons of one key must all hold; and all
keys must. A tuple that starts with a sign is a comparison, any other tuple or list holds several wishes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from pocketrec.errors import UsageError

Wanted: TypeAlias = str | float | bool | dt.date
Filter: TypeAlias = Mapping[str, Wanted | tuple[str, Wanted] | Sequence[Wanted | tuple[str, Wanted]]]
"""Attribute to a value, a comparison ``(sign, value)``, or a sequence of these."""


SIGNS = ("=", "<", "<=", ">", ">=")
"""How a value may be compared; all but the first need an order."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What is wanted of one attribute.

    Attributes:
        key: the attribute.
        equal: values of which one must be equal; None where no plain value was given.
        comparisons: (sign, value) pairs that must all hold.
    """

    key: str
    equal: tuple[object, ...] | None
    comparisons: tuple[tuple[str, object], ...]


def conditions(filter: Filter | None) -> Iterator[Condition]:
    """A condition for each key of a filter.

    Raises:
        UsageError: it is no mapping.
    """
    filter = {} if filter is None else filter
    if not isinstance(filter, Mapping):
        raise UsageError(f"a filter is a mapping of attribute to values; got {type(filter).__name__}")
    for key, wanted in filter.items():
        pairs = [wish if _is_comparison(wish) else ("=", wish) for wish in _wishes(wanted)]
        comparisons = tuple((sign, value) for sign, value in pairs if sign != "=")
        equal = tuple(value for sign, value in pairs if sign == "=")
        yield Condition(key, equal if equal or not comparisons else None, comparisons)


def parse_filter(word: str) -> tuple[str, tuple[str, str]]:
    """``"price<20"`` as key and comparison: ``("price", ("<", "20"))``.

    The key ends at the first sign; what follows the sign is the value, as it stands.

    Raises:
        UsageError: no sign, or nothing before it.
    """
    at = min((word.find(letter) for letter in "<>=" if letter in word), default=0)
    if at < 1 or not word[:at].strip():
        raise UsageError(
            f"filter {word!r:.80}: expected KEY=VALUE or KEY<VALUE (also <=, >, >=), such as category=Comedy"
        )
    sign = word[at : at + 2] if word[at : at + 2] in SIGNS else word[at]
    return word[:at].strip(), (sign, word[at + len(sign) :].strip())


def _wishes(wanted: object) -> list[Any]:
    if isinstance(wanted, str) or _is_comparison(wanted) or not isinstance(wanted, Iterable):
        return [wanted]
    return list(wanted)


def _is_comparison(wish: object) -> bool:
    return isinstance(wish, tuple) and len(wish) == 2 and isinstance(wish[0], str) and wish[0] in SIGNS
