"""Strict JSON: what the manifest is read with. Every wrong value is refused by its full path.

Python's parser alone takes NaN, repeated keys, numbers beyond float64 and lone surrogates, and a value of the
wrong type travels until something far away fails.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from pocketrec.errors import PackageError

LARGEST_INTEGER = 2**32 - 1
"""The default upper bound of an integer: what a uint32 holds."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


def load_object(data: bytes) -> JsonObject:
    """The object that ``data`` holds, in UTF-8.

    Raises:
        PackageError: it is nested too deeply, not JSON, or not an object; or has a key twice in one
            object, NaN, infinity or a number beyond float64.
    """

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        value = dict(pairs)
        if len(value) != len(pairs):
            raise ValueError("a key appears twice in one object")
        return value

    def constant(name: str) -> NoReturn:
        raise ValueError(f"{name} is not JSON")

    def finite(digits: str) -> float:
        value = float(digits)
        if math.isinf(value):
            raise ValueError(f"{digits[:20]} is beyond float64")
        return value

    try:
        text = data.decode("utf-8")
        value = json.loads(text, object_pairs_hook=unique, parse_constant=constant, parse_float=finite)
    except RecursionError:
        raise PackageError("manifest.json is nested too deeply") from None
    except ValueError as error:  # of JSON, of UTF-8, of an integer with thousands of digits
        raise PackageError(f"manifest.json is not valid JSON: {error}") from None
    return JsonObject(value, "")


class JsonObject:
    """A JSON object that knows its path; each getter returns a checked value or names what is wrong."""

    def __init__(self, value: object, path: str) -> None:
        if not isinstance(value, dict):
            raise PackageError(f"manifest: {path or 'the top level'} must be an object, found {_kind(value)}")
        self.value: dict[str, Any] = value
        self.path = path

    def where(self, key: str) -> str:
        """The full path of a key, for messages."""
        return f"{self.path}.{key}" if self.path else key

    def get(self, key: str) -> Any:
        """The value of a key that must be there."""
        if key not in self.value:
            raise PackageError(f"manifest: {self.where(key)} is missing")
        return self.value[key]

    def fail(self, key: str, expected: str) -> NoReturn:
        """Raise PackageError: what the key must be, and what was found."""
        found = _kind(self.value.get(key))
        raise PackageError(f"manifest: {self.where(key)} must be {expected}, found {found}")

    def object(self, key: str) -> JsonObject:
        """The object of a key."""
        return JsonObject(self.get(key), self.where(key))

    def object_or_none(self, key: str) -> JsonObject | None:
        """The object of a key, or None when it is null or missing."""
        return None if self.value.get(key) is None else self.object(key)

    def text(self, key: str) -> str:
        """A string that can be encoded."""
        value = self.get(key)
        if not isinstance(value, str):
            self.fail(key, "a string")
        if any("\ud800" <= letter <= "\udfff" for letter in value):
            self.fail(key, "text without lone surrogates")
        return value

    def text_or_none(self, key: str) -> str | None:
        """A string, or None when it is null or missing."""
        return None if self.value.get(key) is None else self.text(key)

    def choice(self, key: str, choices: tuple[str, ...]) -> str:
        """One of the strings that this runtime knows."""
        value = self.text(key)
        if value not in choices:
            self.fail(key, f"one of {', '.join(choices)} (or update pocketrec)")
        return value

    def sha256(self, key: str) -> str:
        """64 lowercase hexadecimal digits."""
        value = self.text(key)
        if not _SHA256.fullmatch(value):
            self.fail(key, "a SHA-256 of 64 lowercase hexadecimal digits")
        return value

    def boolean(self, key: str) -> bool:
        """True or False, not 1 or 0."""
        value = self.get(key)
        if not isinstance(value, bool):
            self.fail(key, "true or false")
        return value

    def integer(self, key: str, low: int, high: int = LARGEST_INTEGER) -> int:
        """An integer in [low, high]."""
        value = self.get(key)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.fail(key, f"an integer from {low} to {high}")
        return value

    def number(self, key: str, low: float, high: float) -> float:
        """An integer or float in [low, high], as a float."""
        value = self.get(key)
        # Python compares integers of any size with floats exactly.
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            self.fail(key, f"a number from {low:g} to {high:g}")
        return float(value)

    def dim(self, key: str) -> int:
        """The width of a dense table: a multiple of 64 up to 4096."""
        value = self.integer(key, 64, 4096)
        if value % 64:
            self.fail(key, "a multiple of 64")
        return value


def _kind(value: object) -> str:
    """A JSON value for a message: short values as they stand, long ones by their type."""
    names: dict[type, str] = {dict: "an object", list: "a list", str: "a long string", int: "a huge integer"}
    if isinstance(value, dict | list):
        return names[type(value)]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**40:
        return names[int]
    text = json.dumps(value)
    return text if len(text) <= 80 else names[str]
