"""The command ``overlay``: items added to a package on this device, kept in a file beside it."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from pocketrec import arguments
from pocketrec.terminal import command, print_json, print_line

if TYPE_CHECKING:
    from pocketrec.recommender import Recommender


def add_overlay(commands: Any) -> None:
    """Add the command and its three actions."""
    parser = command(
        commands,
        "overlay",
        _show,
        "Add items to a package on this device; recommend, search and similar find them with --overlay.",
        "pocketrec overlay films.pocketrec new.items add films.jsonl",
    )
    parser.add_argument("package", help="a .pocketrec file")
    parser.add_argument("overlay", metavar="F", help="the file of the added items; `add` makes one where there is none")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    add = command(
        actions,
        "add",
        _add,
        'Add the items of a JSON Lines file, {"item": ..., "title": ..., "text": ..., "category": ...} each.',
        "pocketrec overlay films.pocketrec new.items add films.jsonl",
    )
    add.add_argument("items", metavar="ITEMS.jsonl", help='"-" reads them from stdin')
    remove = command(
        actions, "remove", _remove, "Remove added items.", "pocketrec overlay films.pocketrec new.items remove n1,n2"
    )
    remove.add_argument("ids", metavar="ID[,ID...]", help="ids of added items; others are passed over")
    show = command(
        actions, "show", _show, "The added items, oldest first.", "pocketrec overlay films.pocketrec new.items show"
    )
    show.add_argument("--json", action="store_true", help="print JSON")


def open_with(package: str, overlay: str | None, *, engine: str | None = None) -> Recommender:
    """The package with its added items; says which of these the package holds itself by now."""
    from pocketrec.opening import open_package

    recommender = open_package(package, engine=engine, overlay=overlay)
    dropped = recommender.dropped_items
    if dropped:
        listed = ", ".join(dropped[:5]) + (", ..." if len(dropped) > 5 else "")
        print_line(f"note: the package holds {len(dropped):,} of the added items itself: {listed}", file=sys.stderr)
    return recommender


def _add(args: argparse.Namespace) -> int:
    items = [item for _, item in arguments.json_lines(args.items, "items")]
    with open_with(args.package, args.overlay) as recommender:
        print(f"{recommender.add_items(items):,} added items")
    return 0


def _remove(args: argparse.Namespace) -> int:
    with open_with(args.package, args.overlay) as recommender:
        print(f"{recommender.remove_items(arguments.ids(args.ids)):,} added items")
    return 0


def _show(args: argparse.Namespace) -> int:
    with open_with(args.package, args.overlay) as recommender:
        items = recommender.added_items
    if args.json:
        print_json({"items": [item.as_dict() for item in items]})
        return 0
    print(f"{len(items):,} added items")
    for item in items:
        print_line(f"{item.item}  {item.title}")
    return 0
