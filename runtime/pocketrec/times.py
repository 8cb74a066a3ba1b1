"""Times that callers write, as whole seconds since 1970 UTC: a year, a month, a day, an instant."""

from __future__ import annotations

import calendar
import datetime as dt
import math
import re

from pocketrec.errors import UsageError

LARGEST_TIME = 1 << 38
"""Bound of the absolute seconds of a time; the year 9999 lies inside, milliseconds of today do not."""

# ISO 8601 as written here, not as the library of the day reads it: every language and version takes the same texts.
_CALENDAR = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?")
_SECONDS = re.compile(r"-?[0-9]{5,12}(\.[0-9]*)?")
_INSTANT = re.compile(
    r"([0-9]{4})-?([0-9]{2})-?([0-9]{2})[Tt ]"
    r"([0-9]{2})(?::?([0-9]{2})(?::?([0-9]{2})(?:[.,][0-9]{1,9})?)?)?"
    r"(?:[Zz]|([+-])([0-9]{2})(?::?([0-9]{2}))?)?"
)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def period(value: object) -> tuple[int, int]:
    """First second of a time and the first one after it: [start, end).

    ``"2026"``, ``"2026-05"`` and ``"2026-05-31"`` (or a `datetime.date`) last a whole year, month or day. An ISO
    8601 text with a time of day, a `datetime.datetime` and a number of seconds since 1970 last one second. What has
    no zone is UTC.

    Raises:
        UsageError: it is none of these.
    """
    try:
        if isinstance(value, str):
            return _period_of_text(value.strip())
        if isinstance(value, dt.datetime):
            return _second(_seconds(value))
        if isinstance(value, dt.date):
            return _calendar(value.year, value.month, value.day)
        if not isinstance(value, bool):
            return _second(float(value))  # type: ignore[arg-type]
    except (ValueError, TypeError, OverflowError):
        pass
    raise UsageError(
        f"{value!r:.80} is no time; expected for example 2026, 2026-05-31, 2026-05-31T18:00:00Z or seconds since 1970"
    )


def instant(value: object) -> int:
    """The first second of a time; see `period`."""
    return period(value)[0]


def as_text(seconds: int) -> str:
    """ISO 8601 in UTC: only the day where the time is midnight."""
    if not -62_135_596_800 <= seconds <= 253_402_300_799:  # what the calendar of `datetime` reaches
        return f"{seconds} s"
    text = (_EPOCH + dt.timedelta(seconds=seconds)).isoformat()  # strftime would write year 999 with three digits
    return text[:10] if seconds % 86_400 == 0 else f"{text[:19]}Z"


def _period_of_text(text: str) -> tuple[int, int]:
    parts = _CALENDAR.fullmatch(text)
    if parts:
        year, month, day = (None if part is None else int(part) for part in parts.groups())
        return _calendar(year or 0, month, day)
    if _SECONDS.fullmatch(text):
        return _second(float(text))
    moment = _INSTANT.fullmatch(text)
    if moment is None:
        raise ValueError("no time")
    year, month, day, hour, minute, second = (int(part or 0) for part in moment.groups()[:6])
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError("no time of day")
    sign, hours, minutes = moment.groups()[6:]
    zone = 60 * int(hours or 0) + int(minutes or 0)
    if zone >= 24 * 60 or int(minutes or 0) > 59:
        raise ValueError("no zone")
    clock = 3600 * hour + 60 * minute + second
    start = _calendar(year, month, day)[0] + clock + (60 * zone if sign == "-" else -60 * zone)
    return start, start + 1


def _calendar(year: int, month: int | None, day: int | None) -> tuple[int, int]:
    first = dt.date(year, 1 if month is None else month, 1 if day is None else day)
    start = first.toordinal() - _EPOCH.toordinal()
    if day is not None:
        days = 1
    elif month is not None:
        days = calendar.monthrange(year, month)[1]
    else:
        days = 365 + calendar.isleap(year)
    return start * 86_400, (start + days) * 86_400


def _seconds(moment: dt.datetime) -> float:
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=dt.UTC)
    return (aware - _EPOCH) / dt.timedelta(seconds=1)


def _second(seconds: float) -> tuple[int, int]:
    if not abs(seconds) <= LARGEST_TIME:  # NaN too
        raise ValueError("beyond the range of times")
    start = math.floor(seconds)
    return start, start + 1
