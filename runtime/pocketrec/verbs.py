"""The commands that answer: recommend, search, similar, more, predict, demo."""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING, Any

from pocketrec import arguments
from pocketrec.engine import ENGINES
from pocketrec.errors import UsageError
from pocketrec.overlay_command import open_with
from pocketrec.terminal import command, print_json, print_line

if TYPE_CHECKING:
    from pocketrec.recommender import Recommender
    from pocketrec.results import Results


def add_verbs(commands: Any) -> None:
    """Add the commands that answer."""
    for add in (_add_recommend, _add_search, _add_similar, _add_more, _add_predict, _add_demo):
        add(commands)


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
    parser.add_argument("--interests", metavar="WORDS,...", help='in words, for example "noir films, jazz"')
    _add_ranking_options(parser)


def _add_search(commands: Any) -> None:
    parser = command(
        commands,
        "search",
        _search,
        "The items nearest in meaning to a text.",
        "pocketrec search films.pocketrec 'space adventure with robots' --filter category=Comedy --filter 'year>=1990'",
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


def _add_more(commands: Any) -> None:
    parser = command(
        commands,
        "more",
        _more,
        'The next page of a list: "next" in what --json printed of the page before.',
        'pocketrec more films.pocketrec "$(pocketrec search films.pocketrec robots --json | jq -r .next)"',
    )
    parser.add_argument("package", help="a .pocketrec file")
    parser.add_argument("cursor", help='a cursor; "-" reads it from stdin')
    _add_added(parser)
    _add_language(parser)
    _add_open_options(parser)


def _add_ranking_options(parser: argparse.ArgumentParser, *, weights: bool = True) -> None:
    parser.add_argument("-k", type=int, default=10, help="how many (default 10)")
    parser.add_argument(
        "--filter",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="only such items, also KEY<VALUE, <=, >, >=; values of one key are alternatives, all else must hold",
    )
    parser.add_argument(
        "--now", metavar="TIME", help="when it is, for items not yet published or expired (default: the clock)"
    )
    parser.add_argument("--exclude", default="", metavar="ID,...", help="items that must not appear")
    parser.add_argument("--profile", metavar="F", help="the user's profile, see `pocketrec profile`")
    if weights:
        parser.add_argument("--weights", default="", metavar="SIGNAL=W,...", help="in place of the package's own")
        parser.add_argument("--strict", action="store_true", help="an unknown history id is an error")
    _add_added(parser)
    parser.add_argument("--explain", action="store_true", help="show why")
    _add_language(parser)
    parser.add_argument("--diversity", type=float, default=0.0, metavar="0..1", help="how unlike the items should be")
    parser.add_argument("--distinct", action="store_true", help="leave out items with the title or text of another")
    parser.add_argument(
        "--max-per", action="append", default=[], metavar="KEY=N", help="at most N items of each value, as category=2"
    )
    parser.add_argument(
        "--min-share",
        action="append",
        default=[],
        metavar="KEY=VALUE:S",
        help="at least this share of the places, as provider=Acme:0.2",
    )
    _add_open_options(parser)


def _add_added(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--overlay", metavar="F", help="items added on this device, see `pocketrec overlay`")


def _add_language(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--lang", default="en", metavar="L", help="language of --explain: en (default) or zh")


def _add_open_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--engine", choices=ENGINES, help="default: the fastest one installed")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _open(args: argparse.Namespace) -> Recommender:
    return open_with(args.package, getattr(args, "overlay", None), engine=args.engine)


def _recommend(args: argparse.Namespace) -> int:
    if args.history and args.history_file:
        raise UsageError("give --history or --history-file, not both")
    with _open(args) as recommender:
        histories = (
            arguments.read_histories(args.history_file)
            if args.history_file
            else [arguments.history(args.history, recommender)]
        )
        for history in histories:
            _print_results(
                recommender.recommend(
                    history,
                    k=args.k,
                    interests=args.interests,
                    profile=arguments.profile(args.profile),
                    filter=arguments.filters(args.filter),
                    exclude=arguments.ids(args.exclude),
                    now=arguments.now(args.now),
                    weights=arguments.weights(args.weights),
                    explain=args.explain,
                    strict=args.strict,
                    diversity=args.diversity,
                    distinct=args.distinct,
                    max_per=arguments.limits(args.max_per),
                    min_share=arguments.shares(args.min_share),
                ),
                args,
            )
    return 0


def _search(args: argparse.Namespace) -> int:
    with _open(args) as recommender:
        results = recommender.search(
            args.text,
            k=args.k,
            history=arguments.history(args.history, recommender),
            profile=arguments.profile(args.profile),
            filter=arguments.filters(args.filter),
            exclude=arguments.ids(args.exclude),
            now=arguments.now(args.now),
            weights=arguments.weights(args.weights),
            explain=args.explain,
            strict=args.strict,
            diversity=args.diversity,
            distinct=args.distinct,
            max_per=arguments.limits(args.max_per),
            min_share=arguments.shares(args.min_share),
        )
        _print_results(results, args)
    return 0


def _similar(args: argparse.Namespace) -> int:
    with _open(args) as recommender:
        results = recommender.similar(
            args.item,
            k=args.k,
            profile=arguments.profile(args.profile),
            filter=arguments.filters(args.filter),
            exclude=arguments.ids(args.exclude),
            now=arguments.now(args.now),
            explain=args.explain,
            diversity=args.diversity,
            distinct=args.distinct,
            max_per=arguments.limits(args.max_per),
            min_share=arguments.shares(args.min_share),
        )
        _print_results(results, args)
    return 0


def _add_predict(commands: Any) -> None:
    parser = command(
        commands,
        "predict",
        _predict,
        "The ratings that a user would give, from ratings given, on the scale of the package's data.",
        "pocketrec predict films.pocketrec --history '1:4.5,260:5,589:1' --items 480,2571",
    )
    parser.add_argument("package", help="a .pocketrec file that was built from ratings")
    parser.add_argument("--history", default="", metavar="ID:RATING,...", help="without it: the items' averages")
    parser.add_argument("--items", required=True, metavar="ID,...", help="what to predict")
    parser.add_argument("--strict", action="store_true", help="an unknown id is an error")
    _add_open_options(parser)


def _predict(args: argparse.Namespace) -> int:
    with _open(args) as recommender:
        items, catalogue = arguments.ids(args.items), recommender.catalogue
        ratings = recommender.predict(arguments.ratings(args.history, recommender), items, strict=args.strict)
        rows = [
            {
                "item": item,
                "title": None if rating is None else catalogue.title(catalogue.index(item)),
                "rating": rating,
            }
            for item, rating in zip(items, ratings, strict=True)
        ]
    if args.json:
        print_json({"predictions": rows})
        return 0
    for row in rows:
        if row["rating"] is None:
            print_line(f"note: not in the catalogue: {row['item']}", file=sys.stderr)
        else:
            print_line(f"{row['rating']:8.2f}  {row['title']}  [{row['item']}]")
    return 0


def _more(args: argparse.Namespace) -> int:
    args.explain = True  # reasons are there if the first page asked for them
    with _open(args) as recommender:
        _print_results(recommender.more(sys.stdin.read().strip() if args.cursor == "-" else args.cursor), args)
    return 0


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
    from pocketrec.opening import open_sample

    args.explain, args.lang = False, "en"
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


def _print_results(results: Results, args: argparse.Namespace) -> None:
    from pocketrec.phrases import describe, phrases

    language = phrases(args.lang)
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
            print_line(
                "               " + "; ".join(describe(reason, language=language) for reason in item.main_reasons())
            )
