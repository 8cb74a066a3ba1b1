"""Words of the command line as values of the library: histories, filters, weights."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pocketrec.errors import DataError, UsageError
from pocketrec.filters import Wanted, parse_filter
from pocketrec.times import instant

if TYPE_CHECKING:
    from pocketrec.history import HistoryLike
    from pocketrec.profile import Profile
    from pocketrec.recommender import Recommender


def ids(text: str) -> list[str]:
    """The ids of a comma-separated list."""
    return [item.strip() for item in text.split(",") if item.strip()]


def history(text: str, recommender: Recommender) -> HistoryLike:
    """An entry that is itself an id of the catalogue is one, even where it looks like ``id:weight``."""
    pairs: list[tuple[str | int, float]] = []
    for entry in ids(text):
        item, colon, weight = entry.rpartition(":")
        if not colon or recommender.catalogue.index(entry) >= 0:
            pairs.append((entry, 1.0))
            continue
        try:
            pairs.append((item, float(weight)))
        except ValueError:
            pairs.append((entry, 1.0))
    return pairs


def ratings(text: str, recommender: Recommender) -> list[tuple[str, float]]:
    """The pairs of ``id:rating,...``.

    Raises:
        UsageError: an entry without a rating.
    """
    pairs = []
    for entry in ids(text):
        item, colon, rating = entry.rpartition(":")
        try:
            pairs.append((item, float(rating)))
        except ValueError:
            colon = ""
        if not colon or recommender.catalogue.index(entry) >= 0:
            raise UsageError(f"--history {entry!r}: expected ID:RATING, for example 260:4.5")
    return pairs


def profile(path: str | None) -> Profile | None:
    """The profile of a file, as it stands now; reading waits for no writer.

    Raises:
        DataError: there is none, or it cannot be read.
    """
    from pocketrec.profile import Profile

    return None if path is None else Profile.open(path, write=False)


def json_lines(path: str, what: str) -> Iterator[tuple[int, Any]]:
    """(line number, value) of each line of a JSON Lines file that is not blank; ``-`` is stdin.

    Args:
        path: of the file.
        what: it holds, for messages.

    Raises:
        DataError: the file cannot be read, or a line is no JSON.
    """
    try:
        with open(0 if path == "-" else path, encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield number, _json(line, f"line {number} of the {what} file")
    except OSError as error:
        raise DataError(f"cannot read {what} file {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{what} file {path} is not UTF-8: byte {error.start} is invalid") from error


def _json(line: str, where: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where} is not JSON: {error}") from error


def read_histories(path: str) -> list[HistoryLike]:
    """One history a line of a JSON Lines file; ``-`` is stdin.

    Raises:
        DataError: the file cannot be read, or a line is no history.
    """
    return [_history_line(value, number) for number, value in json_lines(path, "history")]


def _history_line(value: Any, number: int) -> HistoryLike:
    if isinstance(value, dict) and "history" in value:
        value = value["history"]
    if isinstance(value, dict):
        return value
    if not isinstance(value, list):
        raise DataError(f"line {number} of the history file is {type(value).__name__}; expected a list or an object")
    return [tuple(entry) if isinstance(entry, list) else entry for entry in value]


def filters(words: Sequence[str]) -> dict[str, list[Wanted | tuple[str, Wanted]]]:
    """The filter of ``KEY=VALUE`` and ``KEY<VALUE`` words.

    Raises:
        UsageError: a word of another form.
    """
    wanted: dict[str, list[Wanted | tuple[str, Wanted]]] = {}
    for word in words:
        key, comparison = parse_filter(word)
        wanted.setdefault(key, []).append(comparison)
    return wanted


def limits(words: Sequence[str]) -> dict[str, int]:
    """Attribute -> number of ``KEY=N`` words.

    Raises:
        UsageError: a word of another form.
    """
    found = {}
    for word in words:
        key, _, number = word.rpartition("=")
        if not key or not number.isdecimal():
            raise UsageError(f"--max-per {word!r}: expected KEY=N, for example category=2")
        found[key.strip()] = int(number)
    return found


def shares(words: Sequence[str]) -> dict[str, dict[str, float]]:
    """Attribute -> value -> share of ``KEY=VALUE:SHARE`` words.

    Raises:
        UsageError: a word of another form.
    """
    found: dict[str, dict[str, float]] = {}
    for word in words:
        key, equals, rest = word.partition("=")
        value, colon, share = rest.rpartition(":")
        try:
            found.setdefault(key.strip(), {})[value.strip()] = float(share if key and equals and colon else "")
        except ValueError as error:
            raise UsageError(
                f"--min-share {word!r}: expected KEY=VALUE:SHARE, for example provider=Acme:0.2"
            ) from error
    return found


def now(text: str | None, *, option: str = "--now") -> int | None:
    """Seconds since 1970 of an option that names a time, None where it is not given.

    Raises:
        UsageError: it is no time.
    """
    try:
        return None if text is None else instant(text)
    except UsageError as error:
        raise UsageError(f"{option} {error}") from None


def weights(text: str) -> dict[str, float]:
    """Signal -> weight of ``SIGNAL=W,...``.

    Raises:
        UsageError: a weight that is no number.
    """
    found = {}
    for pair in ids(text):
        name, _, value = pair.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError as error:
            raise UsageError(f"--weights {pair!r}: expected SIGNAL=NUMBER, for example popularity=0") from error
    return found
