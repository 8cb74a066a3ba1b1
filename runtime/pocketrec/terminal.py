"""What all commands share: how one is declared, and how lines and JSON are printed safely."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable
from typing import Any, TextIO

Run = Callable[[argparse.Namespace], int]


def command(commands: Any, name: str, run: Run, summary: str, example: str) -> argparse.ArgumentParser:
    """A sub-command whose help ends with an example; ``commands`` is argparse's sub-parser action."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=summary, description=summary, epilog=f"example: {example}", allow_abbrev=False
    )
    parser.set_defaults(run=run)
    return parser


_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""What could move a terminal's cursor, hide or reverse its text, or end a line."""
_JSON_CONTROLS = {code: f"\\u{code:04x}" for code in range(0x7F, 0xA0)}


def print_line(text: str, *, file: TextIO | None = None) -> None:
    """Print one line of text that may come from an untrusted package: control characters show as escapes."""
    print(_CONTROLS.sub(lambda found: found.group().encode("unicode_escape").decode(), text), file=file)


def print_json(value: object) -> None:
    """Print one line of JSON that any reader takes, whatever the encoding of stdout."""
    unicode = (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "") == "utf8"
    print(json.dumps(value, ensure_ascii=not unicode, allow_nan=False).translate(_JSON_CONTROLS))
