"""The command line: parse, ask the library, print. Results go to stdout, notes and errors to stderr.

Commands that need the export pipeline are found through the entry-point group ``pocketrec.commands``, so the
runtime never imports it.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from importlib import metadata
from typing import TYPE_CHECKING, Any, TextIO

from pocketrec import __version__
from pocketrec.errors import DataError, PocketrecError, UsageError

if TYPE_CHECKING:
    from pocketrec.history import HistoryLike
    from pocketrec.recommender import Recommender
    from pocketrec.results import Results

Run = Callable[[argparse.Namespace], int]
DESCRIPTION = "Recommendation and search from one small file, offline."
EPILOG = "example: pocketrec search films.pocketrec 'space adventure with robots' -k 5"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 ok, 1 data, 2 usage, 3 gate failed, 130 interrupted."""
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


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pocketrec", description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("--version", action="version", version=f"pocketrec {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add in (_add_recommend, _add_search, _add_similar, _add_inspect, _add_verify, _add_demo):
        add(commands)
    if not words or words[0] not in commands.choices:
        for plugin in sorted(metadata.entry_points(group="pocketrec.commands"), key=lambda point: point.name):
            plugin.load()(commands)
    return parser


def command(commands: Any, name: str, run: Run, summary: str, example: str) -> argparse.ArgumentParser:
    """A sub-command whose help ends with an example; ``commands`` is argparse's sub-parser action."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=summary, description=summary, epilog=f"example: {example}", allow_abbrev=False
    )
    parser.set_defaults(run=run)
    return parser


# ---------------------------------------------------------------------- verbs


def _add_recommend(commands: Any) -> None:
    parser = command(
        commands,
        "recommend",
        _recommend,
        "What a user is most likely to want next, given a history.",
        "pocketrec recommend films.pocketrec --history '1,260:2,589:-1' -k 5 --explain",
    )
    parser.add_argument("package", help="a .pocketrec file")
    parser.add_argument("--history", default="", metavar="ID[:WEIGHT],...", help="negative weights are dislikes")
    parser.add_argument(
        "--history-file",
        metavar="F.jsonl",
        help='one history a line: [id, ...], [[id, weight], ...], {"id": weight} or {"history": ...}; "-" is stdin',
    )
    _add_ranking_options(parser)


def _add_search(commands: Any) -> None:
    parser = command(
        commands,
        "search",
        _search,
        "The items nearest in meaning to a text.",
        "pocketrec search films.pocketrec 'space adventure with robots' --filter category=Comedy",
    )
    parser.add_argument("package", help="a .pocketrec file")
    parser.add_argument("text", help="what to look for")
    parser.add_argument("--history", default="", metavar="ID[:WEIGHT],...", help="makes the order personal")
    _add_ranking_options(parser)


def _add_similar(commands: Any) -> None:
    parser = command(
        commands,
        "similar",
        _similar,
        "The items nearest to one item.",
        "pocketrec similar films.pocketrec 260 -k 5",
    )
    parser.add_argument("package", help="a .pocketrec file")
    parser.add_argument("item", help="an item id")
    _add_ranking_options(parser, weights=False)


def _add_ranking_options(parser: argparse.ArgumentParser, *, weights: bool = True) -> None:
    parser.add_argument("-k", type=int, default=10, help="how many (default 10)")
    parser.add_argument(
        "--filter",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="only items with this attribute; the same key again means or, another key means and",
    )
    parser.add_argument("--exclude", default="", metavar="ID,...", help="items that must not appear")
    if weights:
        parser.add_argument("--weights", default="", metavar="SIGNAL=W,...", help="in place of the package's own")
        parser.add_argument("--strict", action="store_true", help="an unknown history id is an error")
    parser.add_argument("--explain", action="store_true", help="show why")
    _add_open_options(parser)


def _add_open_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--engine", choices=["onnx", "numpy"], help="default: the fastest one installed")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _open(args: argparse.Namespace) -> Recommender:
    from pocketrec.recommender import open_package

    return open_package(args.package, engine=args.engine)


def _recommend(args: argparse.Namespace) -> int:
    if args.history and args.history_file:
        raise UsageError("give --history or --history-file, not both")
    with _open(args) as recommender:
        histories = _read_histories(args.history_file) if args.history_file else [_history(args.history, recommender)]
        for history in histories:
            _print_results(
                recommender.recommend(
                    history,
                    k=args.k,
                    filter=_filter(args.filter),
                    exclude=_ids(args.exclude),
                    weights=_weights(args.weights),
                    explain=args.explain,
                    strict=args.strict,
                ),
                args,
            )
    return 0


def _search(args: argparse.Namespace) -> int:
    with _open(args) as recommender:
        results = recommender.search(
            args.text,
            k=args.k,
            history=_history(args.history, recommender),
            filter=_filter(args.filter),
            exclude=_ids(args.exclude),
            weights=_weights(args.weights),
            explain=args.explain,
            strict=args.strict,
        )
        _print_results(results, args)
    return 0


def _similar(args: argparse.Namespace) -> int:
    with _open(args) as recommender:
        results = recommender.similar(
            args.item,
            k=args.k,
            filter=_filter(args.filter),
            exclude=_ids(args.exclude),
            explain=args.explain,
        )
        _print_results(results, args)
    return 0


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


def _add_demo(commands: Any) -> None:
    parser = command(
        commands,
        "demo",
        _demo,
        "Search and similar items in the small film package that comes with Pocketrec.",
        "pocketrec demo 'a heist that goes wrong'",
    )
    parser.add_argument("text", nargs="?", default="space adventure with robots", help="what to look for")
    parser.add_argument("-k", type=int, default=5, help="how many (default 5)")
    _add_open_options(parser)


def _demo(args: argparse.Namespace) -> int:
    from pocketrec.recommender import open_sample

    args.explain = False
    started = time.perf_counter()
    with open_sample(engine=args.engine) as films:
        found = films.search(args.text, k=args.k)
        like = films.similar(found[0].item, k=args.k) if found else None
        elapsed_ms = 1000 * (time.perf_counter() - started)
        if args.json:
            print_json({"search": found.as_dict(), "similar": like.as_dict() if like else None})
            return 0
        data = films.package.manifest.data
        size_kb = films.package.size_bytes / 1000
        print_line(f"{len(films.catalogue):,} films, {size_kb:,.0f} kB, engine {films.engine.name}. {data.attribution}")
        print()
        print_line(f'search "{args.text}"')
        _print_results(found, args)
        if like:
            print()
            print_line(f"similar to {found[0].title}")
            _print_results(like, args)
        print(f"\nopened and answered in {elapsed_ms:.0f} ms, on this device alone", file=sys.stderr)
    return 0


# ------------------------------------------------------------ parse and print


def _ids(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def _history(text: str, recommender: Recommender) -> HistoryLike:
    """An entry that is itself an id of the catalogue is one, even where it looks like ``id:weight``."""
    pairs: list[tuple[str | int, float]] = []
    for entry in _ids(text):
        item, colon, weight = entry.rpartition(":")
        if not colon or recommender.catalogue.index(entry) >= 0:
            pairs.append((entry, 1.0))
            continue
        try:
            pairs.append((item, float(weight)))
        except ValueError:
            pairs.append((entry, 1.0))
    return pairs


def _read_histories(path: str) -> list[HistoryLike]:
    try:
        with open(0 if path == "-" else path, encoding="utf-8-sig") as lines:
            return [_history_line(line, number) for number, line in enumerate(lines, 1) if line.strip()]
    except OSError as error:
        raise DataError(f"cannot read history file {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"history file {path} is not UTF-8: byte {error.start} is invalid") from error


def _history_line(line: str, number: int) -> HistoryLike:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"line {number} of the history file is not JSON: {error}") from error
    if isinstance(value, dict) and "history" in value:
        value = value["history"]
    if isinstance(value, dict):
        return value
    if not isinstance(value, list):
        raise DataError(f"line {number} of the history file is {type(value).__name__}; expected a list or an object")
    return [tuple(entry) if isinstance(entry, list) else entry for entry in value]


def _filter(pairs: Sequence[str]) -> dict[str, list[str]]:
    wanted: dict[str, list[str]] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UsageError(f"--filter {pair!r}: expected KEY=VALUE, for example category=Comedy")
        wanted.setdefault(key.strip(), []).append(value.strip())
    return wanted


def _weights(text: str) -> dict[str, float]:
    weights = {}
    for pair in _ids(text):
        name, _, value = pair.partition("=")
        try:
            weights[name.strip()] = float(value)
        except ValueError as error:
            raise UsageError(f"--weights {pair!r}: expected SIGNAL=NUMBER, for example popularity=0") from error
    return weights


def _print_results(results: Results, args: argparse.Namespace) -> None:
    from pocketrec.reasons import describe

    if args.json:
        print_json(results.as_dict())
        return
    if results.unknown:
        print_line(f"note: not in the catalogue, ignored: {', '.join(results.unknown[:10])}", file=sys.stderr)
    if results.truncated:
        print("note: the history or the text was longer than the package reads; it was cut", file=sys.stderr)
    if not results:
        print("note: nothing matches", file=sys.stderr)
    for rank, item in enumerate(results, 1):
        print_line(f"{rank:3}  {item.score:8.4f}  {item.title}  [{item.item}]")
        if args.explain and item.reasons:
            print_line("               " + "; ".join(describe(reason) for reason in item.reasons[:3]))


if __name__ == "__main__":
    sys.exit(main())
