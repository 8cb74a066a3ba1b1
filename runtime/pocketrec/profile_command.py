"""The command ``profile``: what a user did, kept in a file of their own."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from pocketrec import arguments
from pocketrec.terminal import command, print_json, print_line

if TYPE_CHECKING:
    from pocketrec.profile import Profile


def add_profile(commands: Any) -> None:
    """Add the command and its four actions."""
    parser = command(
        commands,
        "profile",
        _show,
        "Keep what a user did with items in a file of their own; recommend, search and similar read it.",
        "pocketrec profile me.profile add tt0358082 --event like",
    )
    parser.add_argument("profile", metavar="F", help="the profile's file; `add` makes one where there is none")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    add = command(
        actions, "add", _add, "Record an event with each item.", "pocketrec profile me.profile add 260,589 --event view"
    )
    add.add_argument("items", metavar="ID[,ID...]", help="item ids")
    add.add_argument("--event", default="click", help="view, click (default), cart, purchase, like, skip or dislike")
    add.add_argument("--when", metavar="TIME", help="a date or seconds since 1970 (default: the clock)")
    show = command(
        actions, "show", _show, "What each item weighs now, strongest first.", "pocketrec profile me.profile show"
    )
    show.add_argument("-k", type=int, default=20, help="how many (default 20)")
    show.add_argument("--now", metavar="TIME", help="a date or seconds since 1970 (default: the clock)")
    show.add_argument("--json", action="store_true", help="print JSON")
    command(actions, "export", _export, "Every event as JSON.", "pocketrec profile me.profile export > me.json")
    command(actions, "erase", _erase, "Forget everything.", "pocketrec profile me.profile erase")


def _open(args: argparse.Namespace, *, write: bool) -> Profile:
    from pocketrec.profile import Profile

    profile = Profile.open(args.profile, write=write)
    if profile.lost_bytes:
        print(f"note: the file had a torn end; its last {profile.lost_bytes} bytes were left out", file=sys.stderr)
    return profile


def _add(args: argparse.Namespace) -> int:
    when = arguments.now(args.when, option="--when")
    with _open(args, write=True) as profile:
        for item in arguments.ids(args.items):
            profile.add(item, event=args.event, when=when)
        print(f"{len(profile):,} events")
    return 0


def _show(args: argparse.Namespace) -> int:
    with _open(args, write=False) as profile:
        history = sorted(profile.history(now=arguments.now(args.now)), key=lambda entry: -abs(entry[1]))
    if args.json:
        items = [{"item": item, "weight": weight} for item, weight in history]
        print_json({"events": len(profile), "half_life_days": profile.half_life_days, "items": items})
        return 0
    print(f"{len(profile):,} events with {len(history):,} items, half-life {profile.half_life_days:g} days")
    for item, weight in history[: max(0, args.k)]:
        print_line(f"{weight:8.3f}  {item}")
    return 0


def _export(args: argparse.Namespace) -> int:
    with _open(args, write=False) as profile:
        print_json(profile.export())
    return 0


def _erase(args: argparse.Namespace) -> int:
    with _open(args, write=True) as profile:
        profile.erase()
    print("erased")
    return 0
