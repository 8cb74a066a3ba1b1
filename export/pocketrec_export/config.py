"""``--config build.toml``: the options of a command as a file; what stands on the command line wins.

A key is an option without its dashes (``min-users`` or ``min_users``); ``columns``, ``event_weights`` and ``clean`` are
tables. Every mistake is a UsageError that names the file and the key.
"""

from __future__ import annotations

import argparse
import difflib
import tomllib
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from pocketrec.errors import UsageError

TABLES = ("columns", "event_weights", "clean")
"""Options that are ``NAME=VALUE,...`` on the command line and a table in the file."""
_NEVER = ("help", "config")


def with_config(parser: argparse.ArgumentParser, *, also: argparse.ArgumentParser | None = None) -> None:
    """Gives the command ``--config``; keys of the command ``also`` are allowed in the file and left alone."""
    parser.add_argument("--config", metavar="F.toml", help="options as keys of a file; the command line wins")
    parse = parser.parse_known_args
    other = {} if also is None else options_of(also)

    def parse_known_args(args: Any = None, namespace: Any = None) -> Any:
        path = _config_in(args or ())
        if path is not None:
            known = options_of(parser)
            values = read_config(path, other | known)
            parser.set_defaults(**{key: value for key, value in values.items() if key in known})
            for key in values.keys() & known.keys():
                known[key].required = False
        return parse(args, namespace)

    parser.parse_known_args = parse_known_args  # type: ignore[method-assign]


def options_of(parser: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    """What a file may set: every ``--option``, by its key."""
    return {
        action.dest: action
        for action in parser._actions
        if action.dest not in _NEVER and any(name.startswith("--") for name in action.option_strings)
    }


def _config_in(words: Sequence[str]) -> str | None:
    finder = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    finder.add_argument("--config", action="append", default=[])
    found: list[str] = finder.parse_known_args(words)[0].config
    if len(found) > 1:
        raise UsageError(f"--config is given {len(found)} times; expected one file")
    return found[0] if found else None


def read_config(path: str | Path, options: Mapping[str, argparse.Action]) -> dict[str, Any]:
    """Option -> value, checked against the options.

    Raises:
        UsageError: No such file, no TOML, an unknown key, a key given twice, or a value of another type.
    """
    try:
        values = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: byte {error.start} is not UTF-8") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:  # a key twice is one, too
        raise UsageError(f"{path}: not TOML: {error}") from error
    found: dict[str, Any] = {}
    spelled: dict[str, str] = {}
    for key, value in values.items():
        option = key.replace("-", "_")
        if option not in options:
            raise UsageError(f"{path}: unknown key {key!r}{_meant(option, options)}")
        if option in found:
            raise UsageError(f"{path}: {spelled[option]} and {key} are the same key; give it once")
        found[option], spelled[option] = _checked(path, key, value, options[option]), key
    return found


def _meant(key: str, options: Mapping[str, argparse.Action]) -> str:
    near = difflib.get_close_matches(key, options, n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else f"; expected one of {', '.join(sorted(options))}"


def _checked(path: str | Path, key: str, value: Any, action: argparse.Action) -> Any:
    """The value as the command line would have it."""

    def wrong(expected: str) -> UsageError:
        return UsageError(f"{path}: {key} is {value!r}; expected {expected}")

    if action.dest in TABLES:
        if not isinstance(value, dict):
            raise wrong("a table")
        for name, entry in value.items():
            if isinstance(entry, (dict, list)):
                raise UsageError(f"{path}: {key}.{name} is {entry!r}; expected a text or a number")
        return {name: _plain(entry) for name, entry in value.items()}
    if action.nargs == 0:
        if not isinstance(value, bool):
            raise wrong("true or false")
        return value
    if isinstance(action, argparse._AppendAction):
        if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
            raise wrong("a list of texts")
        return value
    if action.type in (int, float):
        if isinstance(value, bool) or not isinstance(value, (int, float) if action.type is float else int):
            raise wrong("a number" if action.type is float else "a whole number")
        return value
    if not isinstance(value, str):
        raise wrong("a text in quotes")
    if action.choices is not None and value not in action.choices:
        raise wrong(" or ".join(map(str, action.choices)))
    return value


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, (date, datetime)) else value
