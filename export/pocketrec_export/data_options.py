"""Options about the data, the same for ``build`` and ``check``, and the command ``check``."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from typing import Any

from pocketrec.errors import UsageError
from pocketrec.terminal import command, print_json, print_line

from pocketrec_export.config import with_config
from pocketrec_export.rules import Rules
from pocketrec_export.strength import Weighting


def add_data_options(data: Any) -> None:
    """Adds the options to a parser or a group of one."""
    data.add_argument(
        "--interactions",
        metavar="F",
        help="user,item[,value][,timestamp][,event][,dwell]; without it: search only",
    )
    data.add_argument("--items", metavar="F", help="item,title[,text][,category], more columns; without it: no search")
    data.add_argument(
        "--attributes",
        metavar="NAME,...",
        help="which columns of the items become attributes to filter by (default: all but free text, and said)",
    )
    data.add_argument("--users", metavar="F", help="user,group,...: for reports only, never part of a package")
    data.add_argument(
        "--columns",
        default="",
        metavar="ROLE=NAME,...",
        help="for example user=customer_id,item=sku: of all files; items.item=NAME, interactions.item=NAME: of one",
    )
    data.add_argument(
        "--value",
        choices=["auto", "rating", "count", "none"],
        default="auto",
        help="what the value column means (default: inferred, and said)",
    )
    data.add_argument("--positive", metavar="EXPR", help="which rows count as liked, for example 'value>=4'")
    data.add_argument(
        "--event-weights",
        default="",
        metavar="EVENT=WEIGHT,...",
        help="what an event counts beside a purchase (1), for example view=0.1,gift=2",
    )
    data.add_argument(
        "--dwell-half", type=float, metavar="T", help="time spent that counts as 1 (default: the median of the column)"
    )
    data.add_argument("--half-life", type=float, metavar="DAYS", help="age at which a pair counts half (default: off)")
    data.add_argument(
        "--counts",
        choices=["auto", "log", "off"],
        default="auto",
        help="whether repeats and counts add up, log2(1 + n) (default: with event types only)",
    )
    data.add_argument(
        "--clean",
        default="",
        metavar="RULE=VALUE,...",
        help="duplicates=keep, off_scale=keep or remove, bots=0, unknown_items=remove, now=2026-01-31",
    )


def rules_of(args: argparse.Namespace) -> Rules:
    """The cleaning rules asked for; here, at the edge, the clock says what the future is."""
    return Rules.of(pairs("--clean", args.clean), now=time.time())


def weighting_of(args: argparse.Namespace) -> Weighting:
    """What events, time spent and age are worth."""
    weights = {}
    for name, weight in pairs("--event-weights", args.event_weights).items():
        try:
            weights[name] = float(weight)
        except ValueError:
            raise UsageError(f"--event-weights {name}={weight}: expected a number") from None
    return Weighting(events=weights, dwell_half=args.dwell_half, half_life=args.half_life, counts=args.counts)


def names(value: str | Sequence[str] | None) -> list[str] | None:
    """``"a,b"`` as a list, "" as an empty one; a list, which comes from a file, with its entries as text."""
    if value is None:
        return None
    parts = value.split(",") if isinstance(value, str) else map(str, value)
    return [part.strip() for part in parts if part.strip()]


def pairs(option: str, value: str | Mapping[str, Any]) -> dict[str, str]:
    """``"a=1,b=x"`` as a mapping; a mapping, which comes from a file, with its values as text.

    Raises:
        UsageError: An entry without ``=``, or a name twice.
    """
    if not isinstance(value, str):
        return {name: str(entry) for name, entry in value.items()}
    found: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in value.split(","))):
        name, equals, entry = (word.strip() for word in part.partition("="))
        if not equals or not name or not entry:
            raise UsageError(f"{option} {part!r}: expected NAME=VALUE, for example {_EXAMPLES[option]}")
        if name in found:
            raise UsageError(f"{option}: {name} is given twice, as {found[name]!r} and {entry!r}")
        found[name] = entry
    return found


_EXAMPLES = {"--columns": "user=customer_id", "--event-weights": "view=0.1", "--clean": "bots=0"}


def add_check(commands: Any, *, build: argparse.ArgumentParser) -> None:
    """Adds the command ``check``; a file for ``build`` serves it, too."""
    parser = command(
        commands,
        "check",
        _check,
        "What is in the data and what is wrong with them, without training anything.",
        "pocketrec check --interactions ratings.csv --items films.csv",
    )
    add_data_options(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    with_config(parser, also=build)


def _check(args: argparse.Namespace) -> int:
    from pocketrec_export.profile import profile
    from pocketrec_export.read import columns_of, read_interactions, read_items
    from pocketrec_export.users import read_users

    if args.interactions is None and args.items is None and args.users is None:
        raise UsageError("give --interactions, --items, --users, or several of them")
    columns = pairs("--columns", args.columns)
    items = (
        None
        if args.items is None
        else read_items(args.items, columns=columns_of("items", columns), attributes=names(args.attributes))
    )
    users = None if args.users is None else read_users(args.users, columns=columns_of("users", columns))
    events = None
    if args.interactions is not None:
        events = read_interactions(
            args.interactions,
            columns=columns_of("interactions", columns),
            value=args.value,
            positive=args.positive,
            rules=rules_of(args),
            weighting=weighting_of(args),
            catalogue=None if items is None else items.ids,
        )
    found = profile(events, items, users)
    if args.json:
        print_json(found.as_dict())
        return 0
    for line in found.lines():
        print_line(line)
    return 0
