"""`pocketrec bench`: parse, measure, compare, print."""

from __future__ import annotations

import argparse
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pocketrec.engine import ENGINES
from pocketrec.errors import UsageError
from pocketrec.terminal import command, print_json, print_line

GATES = ("latency", "bytes", "accuracy", "instructions")
FAILED = 3


def add_bench(commands: Any) -> None:
    """Add the command to argparse's sub-parser action."""
    parser = command(
        commands,
        "bench",
        _bench,
        "Latency, memory and size of a package; with --baseline also whether it got worse (exit code 3).",
        "pocketrec bench new.pocketrec --baseline old.pocketrec --junit bench.xml --markdown bench.md",
    )
    parser.add_argument("package", help="a .pocketrec file")
    parser.add_argument("--engine", choices=ENGINES, help="default: the fastest one installed")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="of one call (default 1)")
    parser.add_argument("--processes", type=int, default=5, metavar="N", help="new ones, one after another (default 5)")
    parser.add_argument("--blocks", type=int, default=40, metavar="N", help="of calls, in each process (default 40)")
    parser.add_argument("--history", type=int, default=30, metavar="N", help="items of a made-up history (default 30)")
    parser.add_argument("-k", type=int, default=10, help="how many results (default 10)")
    parser.add_argument("--seed", type=int, default=0, help="of requests and order (default 0)")
    parser.add_argument(
        "--instructions",
        choices=["auto", "perf", "valgrind", "off"],
        default="auto",
        help="who counts instructions; auto: perf, where the machine can; valgrind takes a minute",
    )
    gate = parser.add_argument_group("comparison")
    gate.add_argument("--baseline", metavar="OLD", help="an older package, or what bench --json printed")
    gate.add_argument("--baseline-runtime", metavar="PATH", help="folders of the pocketrec that the old one runs on")
    gate.add_argument("--gates", default=",".join(GATES), metavar="G,...", help="default: %(default)s")
    gate.add_argument("--max-regression", type=float, default=0.05, metavar="R", help="of latency (default 0.05)")
    gate.add_argument("--max-growth", type=float, default=0.01, metavar="R", help="of the file (default 0.01)")
    gate.add_argument("--max-loss", type=float, default=0.005, metavar="R", help="of NDCG and recall (default 0.005)")
    gate.add_argument("--max-instructions", type=float, default=0.03, metavar="R", help="more of them (default 0.03)")
    gate.add_argument("--interactions", metavar="F", help="measure accuracy on it, as evaluate does")
    gate.add_argument("--split", metavar="F", help="the split that both packages were built with")
    gate.add_argument("--columns", default="", metavar="ROLE=NAME,...", help="of the interactions, as in build")
    out = parser.add_argument_group("output")
    out.add_argument("--json", action="store_true", help="print JSON; a later run takes it as --baseline")
    out.add_argument("--junit", metavar="F.xml", help="write a JUnit report")
    out.add_argument("--markdown", metavar="F.md", help="write a summary for a pull request")


def _bench(args: argparse.Namespace) -> int:
    from pocketrec.bench import summary
    from pocketrec.bench.gates import Limits, judge

    gates = _checked(args)
    new, old = _figures(args, gates)
    limits = Limits(args.max_regression, args.max_growth, args.max_loss, args.max_instructions)
    outcomes = [] if old is None else judge(old, new, limits, gates)
    if args.junit:
        summary.write(args.junit, summary.junit(new, outcomes))
    if args.markdown:
        summary.write(args.markdown, summary.markdown(new, outcomes))
    if args.json:
        print_json({"package": new, "baseline": old, "outcomes": [asdict(outcome) for outcome in outcomes]})
    else:
        for line in summary.text_lines(new, outcomes):
            print_line(line)
    return FAILED if any(outcome.status == "failed" for outcome in outcomes) else 0


def _checked(args: argparse.Namespace) -> list[str]:
    """The gates asked for, in their order, after looking at all options.

    Raises:
        UsageError: an option is out of its range, or goes with another.
    """
    for name, lowest in (("threads", 1), ("processes", 1), ("blocks", 1), ("history", 1), ("k", 1)):
        if getattr(args, name) < lowest:
            raise UsageError(f"--{name} must be at least {lowest}, found {getattr(args, name)}")
    for name in ("max_regression", "max_growth", "max_loss", "max_instructions"):
        if not 0 <= getattr(args, name) <= 100:
            raise UsageError(f"--{name.replace('_', '-')} must be a share from 0 on, found {getattr(args, name)}")
    asked = [name.strip() for name in args.gates.split(",") if name.strip()]
    unknown = [name for name in asked if name not in GATES]
    if unknown or not asked:
        raise UsageError(f"--gates takes some of {', '.join(GATES)}; found {', '.join(unknown) or 'none'}")
    if bool(args.interactions) != bool(args.split):
        raise UsageError("accuracy is measured on --interactions and --split: give both, or neither")
    if args.baseline_runtime and not args.baseline:
        raise UsageError("--baseline-runtime runs the package of --baseline: give that, too")
    return [name for name in GATES if name in asked]


def _figures(args: argparse.Namespace, gates: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Figures of the package and of the baseline; cheap refusals come before the measuring."""
    from pocketrec.bench.accuracy import Accuracy, evaluated, of_manifest
    from pocketrec.bench.baseline import check_comparable, is_package, read_figures
    from pocketrec.bench.figures import figures_of
    from pocketrec.bench.instructions import Count, count_instructions
    from pocketrec.bench.requests import requests_of
    from pocketrec.bench.session import Side, measure
    from pocketrec.package import Package

    sides = [Side(Path(args.package), engine=args.engine, threads=args.threads)]
    stored = None
    if args.baseline and is_package(Path(args.baseline)):
        runtime = {"runtime": args.baseline_runtime} if args.baseline_runtime else {}
        sides.append(Side(Path(args.baseline), engine=args.engine, threads=args.threads, **runtime))
    elif args.baseline:
        stored = read_figures(Path(args.baseline))
    words = ["--interactions", args.interactions, "--split", args.split] if args.interactions else []
    words += ["--columns", args.columns] if words and args.columns else []
    session = uuid.uuid4().hex
    with ExitStack() as stack:
        packages = [stack.enter_context(Package.open(side.package)) for side in sides]
        nothing = Count(reason="not asked for")
        plain = [figures_of(one, None, nothing, None, session=session) for one in packages]
        for old in (*plain[1:], *([stored] if stored else [])):
            check_comparable(old, plain[0], ())
        requests = requests_of(packages[0], history=args.history, seed=args.seed)
        measured = (
            measure(sides, requests, k=args.k, processes=args.processes, blocks=args.blocks, seed=args.seed)
            if "latency" in gates
            else [None] * len(sides)
        )

        def accuracy(number: int) -> Accuracy | None:
            manifest = packages[number].manifest
            return evaluated(sides[number], manifest, words) if words else of_manifest(manifest)

        def count(number: int) -> Count:
            tool = args.instructions if "instructions" in gates else "off"
            return count_instructions(sides[number], requests, k=args.k, tool=tool)

        found = [
            figures_of(packages[number], measured[number], count(number), accuracy(number), session=session)
            for number in range(len(sides))
        ]
    old_figures = found[1] if len(found) > 1 else stored
    if old_figures is not None:
        check_comparable(old_figures, found[0], gates)
    return found[0], old_figures
