"""The command that labels texts: one from the command line, or stdin line by line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Any

from pocketrec.classify import Alert, Classification
from pocketrec.overlay_command import open_with
from pocketrec.terminal import command, print_json, print_line


def add_classify(commands: Any) -> None:
    """Add the command."""
    parser = command(
        commands,
        "classify",
        _classify,
        "The labels of a text, with probabilities and alerts.",
        "pocketrec classify news.pocketrec 'Profit fell to EUR 2 mn' --alert 'sentiment=negative>0.8'",
    )
    parser.add_argument("package", help="a .pocketrec file made by build-classifier")
    parser.add_argument("text", nargs="?", help="what to label (default: stdin, line by line)")
    parser.add_argument(
        "--alert",
        action="append",
        default=[],
        metavar="[HEAD=]LABEL>P",
        help="say so where a label is more probable than P, as sentiment=negative>0.8",
    )
    parser.add_argument("--engine", choices=["onnx", "numpy"], help="default: the fastest one installed")
    parser.add_argument("--json", action="store_true", help="print one JSON object a text")


def _classify(args: argparse.Namespace) -> int:
    alerts = [Alert.parse(word) for word in args.alert]
    with open_with(args.package, None, engine=args.engine) as recommender:
        for text in lines_of_stdin() if args.text is None else [args.text]:
            found = recommender.classify(text, alerts=alerts)
            if args.json:
                print_json({"text": text, **found.as_dict()})
            else:
                _print(found)
            sys.stdout.flush()  # who pipes lines in wants each answer now
    return 0


def lines_of_stdin() -> Iterator[str]:
    """The lines of stdin, one for one, also blank ones; bytes that are no UTF-8 show as replacement characters."""
    with open(0, encoding="utf-8", errors="replace", closefd=False) as lines:
        for line in lines:
            yield line.rstrip("\r\n")


def _print(found: Classification) -> None:
    if found.truncated:
        print("note: the text was longer than the package reads; it was cut", file=sys.stderr)
    if not found:
        print("note: no word that the package knows", file=sys.stderr)
    words = [f"{head}={label.label} {label.probability:.3f}" for head, label in found.items()]
    words += [f"ALERT {alert}" for alert in found.alerts]
    print_line("  ".join(words) or "-")
