"""What is wrong with people's data, and what is done about it: one line a rule.

Every rule that was met is counted and shown with its first cases; see `tables.Note`. What may be decided otherwise is
in `Rules`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, Literal

from pocketrec.errors import UsageError


@dataclass(frozen=True, slots=True)
class Rule:
    """What is found and what happens then; ``{...}`` is filled in where it is met."""

    what: str
    action: str

    def says(self, **about: str) -> str:
        """The rule as one sentence."""
        return f"{self.what}, {self.action}".format(**about)


REMOVED = "row removed"
OLDEST = "row taken as the oldest"
RULES: dict[str, Rule] = {
    # --- one row of the interactions at a time
    "no_id": Rule("{role} id missing", REMOVED),
    "long_id": Rule("{role} id longer than {limit} bytes", REMOVED),
    "no_value": Rule("value missing", REMOVED),
    "bad_value": Rule("value is not a number", REMOVED),
    "infinite_value": Rule("value is not finite", REMOVED),
    "huge_value": Rule("value beyond {limit}", REMOVED),
    "bad_dwell": Rule("dwell time is no number from 0 up", "taken as unknown"),
    "no_event": Rule("event type missing", "counted like {as_event}"),
    # --- what only the whole table tells
    "bad_time": Rule("{column} unreadable", OLDEST),
    "future": Rule("event later than now ({now})", OLDEST),
    "ancient": Rule("event before 1990 among later ones", OLDEST),
    "duplicate": Rule("exact duplicate (same user, item, time and all else)", "removed"),
    "off_scale": Rule("rating outside the scale {scale}", "row removed"),
    "shifted": Rule("rating ten times too large for the scale {scale}", "divided by 10"),
    "unweighted_event": Rule("event type without a weight", "counted like {as_event}"),
    "bot": Rule("user with more than {limit} rows, {times} times the 99th percentile", "all rows removed"),
    "unknown_item": Rule("item that is not in the items table", "{action}"),
    # --- the items table
    "repeated_item": Rule("repeated item id", "the first is kept"),
    "garbage_title": Rule("title that says nothing (n/a, null)", "the id stands in"),
    "garbage_text": Rule("text without a word (n/a, ---)", "emptied"),
    "same_text": Rule("text that {times} items or more share word for word", "kept"),
    "mojibake": Rule("{role} with broken characters", "kept"),
    "bad_attribute": Rule("{column} unreadable", "item taken to have none"),
    "never_expires": Rule("{column} is 0 or less", "item never expires"),
    "bad_boost": Rule("{column} is no finite number", "no boost"),
    "large_boost": Rule("{column} beyond {limit}", "cut to it"),
    # --- the users table
    "repeated_user": Rule("repeated user id", "the first is kept"),
    "no_group": Rule("{column} missing", "kept without"),
}


@dataclass(frozen=True)
class Rules:
    """The thresholds and choices of the rules, all with a default that suits most data.

    Attributes:
        now: Seconds since 1970; events later than this have a wrong clock. None: not looked at. The library never
            reads a clock; the command line passes the time of the call.
        duplicates: "remove" rows that agree in everything, where there are times finer than a day; or "keep".
        off_scale: "repair" ratings off the scale (a tenth, if that is on it; else removed), "remove", or "keep".
        bots: A user with more than this many times the rows of the user at the 99th percentile goes, if there are
            100 users or more and it has 1,000 rows or more; 0 keeps everybody.
        unknown_items: "keep" or "remove" interactions with items that the items table lacks.
    """

    now: float | None = None
    duplicates: Literal["remove", "keep"] = "remove"
    off_scale: Literal["repair", "remove", "keep"] = "repair"
    bots: float = 10.0
    unknown_items: Literal["keep", "remove"] = "keep"

    def __post_init__(self) -> None:
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                raise UsageError(f"clean: {name} is {getattr(self, name)!r}; expected {' or '.join(allowed)}")
        if not (math.isfinite(self.bots) and (self.bots == 0 or self.bots >= 1)):
            raise UsageError(f"clean: bots is {self.bots}; expected 0 (keep everybody) or a factor from 1 up")
        if self.now is not None and not math.isfinite(self.now):
            raise UsageError(f"clean: now is {self.now}; expected a time")

    @classmethod
    def of(cls, given: Mapping[str, Any] | None, *, now: float | None = None) -> Rules:
        """Rules from a mapping of names to values or their text, as a config file or a command line gives them.

        Raises:
            UsageError: An unknown name, or a value of another kind.
        """
        known = [field.name for field in fields(cls)]
        values: dict[str, Any] = {"now": now}
        for name, value in (given or {}).items():
            if name not in known:
                raise UsageError(f"clean: unknown rule {name!r}; expected one of {', '.join(known)}")
            if name == "now":
                value = moment(value)
            elif name == "bots":
                value = _number(name, value)
            values[name] = value
        return cls(**values)


CHOICES = {
    "duplicates": ("remove", "keep"),
    "off_scale": ("repair", "remove", "keep"),
    "unknown_items": ("keep", "remove"),
}


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool):
        raise UsageError(f"clean: {name} is {value!r}; expected a number")
    try:
        return float(value)
    except (TypeError, ValueError):
        raise UsageError(f"clean: {name} is {value!r}; expected a number") from None


def moment(value: Any) -> float:
    """Seconds since 1970 of a number, a date, or an ISO 8601 text; without a zone it is UTC.

    Raises:
        UsageError: Anything else.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    try:
        return float(value)
    except (TypeError, ValueError):
        pass
    try:
        when = datetime.fromisoformat(str(value))
    except ValueError:
        raise UsageError(f"{value!r} is no time; expected for example 2026-01-31 or seconds since 1970") from None
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


def day(seconds: float) -> str:
    """The UTC date of a time, for messages."""
    try:
        return datetime.fromtimestamp(seconds, UTC).date().isoformat()
    except (OverflowError, ValueError, OSError):
        return f"{seconds:.0f} s"
