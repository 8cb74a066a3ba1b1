"""The command that answers questions: one from the command line, or stdin line by line."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from pocketrec.classify_command import lines_of_stdin
from pocketrec.overlay_command import open_with
from pocketrec.terminal import command, print_json, print_line


def add_answer(commands: Any) -> None:
    """Add the command."""
    parser = command(
        commands,
        "answer",
        _answer,
        "The answer to a question and how sure it is, or none.",
        "pocketrec answer faq.pocketrec 'my card has not come yet'",
    )
    parser.add_argument("package", help="a .pocketrec file made by build-answers")
    parser.add_argument("text", nargs="?", help="the question (default: stdin, line by line)")
    parser.add_argument("--threshold", type=float, metavar="P", help="least confidence (default: the package's own)")
    parser.add_argument("--engine", choices=["onnx", "litert", "numpy"], help="default: the fastest one installed")
    parser.add_argument("--json", action="store_true", help="print one JSON object a question")


def _answer(args: argparse.Namespace) -> int:
    with open_with(args.package, None, engine=args.engine) as recommender:
        for text in lines_of_stdin() if args.text is None else [args.text]:
            found = recommender.answer(text, threshold=args.threshold)
            if args.json:
                print_json({"text": text, **found.as_dict()})
            else:
                print_line(f"{found.confidence:.3f}  {'no answer' if found.text is None else found.text}")
            sys.stdout.flush()  # who pipes questions in wants each answer now
    return 0
