"""The command line: parse, ask the library, print. Results go to stdout, notes and errors to stderr.

Commands that need the export pipeline are found through the entry-point group ``pocketrec.commands``, so the
runtime never imports it.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from importlib import metadata
from typing import Any

from pocketrec import __version__
from pocketrec.answer_command import add_answer
from pocketrec.bench.command import add_bench
from pocketrec.classify_command import add_classify
from pocketrec.errors import PocketrecError
from pocketrec.overlay_command import add_overlay
from pocketrec.profile_command import add_profile
from pocketrec.terminal import command, print_json, print_line
from pocketrec.verbs import add_verbs

DESCRIPTION = "Recommendation and search from one small file, offline."
EPILOG = "example: pocketrec search films.pocketrec 'space adventure with robots' -k 5"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 ok, 1 data, 2 usage, 3 gate failed, 4-6 baseline, 130 interrupted."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us
            setattr(sys, name, io.StringIO())
        reconfigure = getattr(getattr(sys, name), "reconfigure", None)
        if reconfigure:
            reconfigure(errors="backslashreplace")
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        args = _parser(words).parse_args(words)
        code: int = args.run(args)
        sys.stdout.flush()
        return code
    except PocketrecError as error:
        print_line(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader, for example `head`, has gone: not an error of ours
        _drop_output()
        return 0
    except OSError as error:  # a full disk, a folder that refuses
        _drop_output()
        print_line(f"error: {error}", file=sys.stderr)
        return 1


def _drop_output() -> None:
    """What stdout still holds goes nowhere, so that the interpreter does not fail on it at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pocketrec", description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("--version", action="version", version=f"pocketrec {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add in (add_verbs, add_answer, add_classify, add_profile, add_overlay, add_bench, _add_inspect, _add_verify):
        add(commands)
    if not words or words[0] not in commands.choices:
        for plugin in sorted(metadata.entry_points(group="pocketrec.commands"), key=lambda point: point.name):
            plugin.load()(commands)
    return parser


# --------------------------------------------------------------- the package


def _add_inspect(commands: Any) -> None:
    parser = command(
        commands,
        "inspect",
        _inspect,
        "What a package holds, what each part costs, and how good it is.",
        "pocketrec inspect films.pocketrec",
    )
    parser.add_argument("package", help="a .pocketrec file")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _inspect(args: argparse.Namespace) -> int:
    from pocketrec.inspection import describe_package, report_lines
    from pocketrec.package import Package

    with Package.open(args.package) as package:
        facts = describe_package(package)
    if args.json:
        print_json(facts)
        return 0
    for line in report_lines(facts):
        print_line(line)
    return 0


def _add_verify(commands: Any) -> None:
    parser = command(
        commands,
        "verify",
        _verify,
        "Check every hash, then the golden cases on each engine that is installed.",
        "pocketrec verify films.pocketrec",
    )
    parser.add_argument("package", help="a .pocketrec file")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _verify(args: argparse.Namespace) -> int:
    from pocketrec.inspection import verify_package

    facts = verify_package(args.package)
    if args.json:
        print_json(facts)
    else:
        print(f"hashes: ok, {facts['entries']} entries, {facts['bytes']:,} bytes, id {facts['id'][:16]}")
        for engine, outcome in facts["engines"].items():
            print_line(f"{engine}: {outcome['message']}")
    return 0 if all(outcome["ok"] for outcome in facts["engines"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
