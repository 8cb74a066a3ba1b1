"""Commands of the export pipeline, found by the runtime through its entry point."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from pocketrec.engine import ENGINES
from pocketrec.errors import PocketrecError
from pocketrec.inspection import report_lines
from pocketrec.terminal import command, print_json, print_line

from pocketrec_export.config import with_config
from pocketrec_export.data_options import add_check, add_data_options, names, pairs, rules_of, weighting_of

if TYPE_CHECKING:
    from pocketrec_export.answers import AnswersReport
    from pocketrec_export.classifier import ClassifierReport
    from pocketrec_export.comparison import Comparison
    from pocketrec_export.divide import SplitReport
    from pocketrec_export.report import BuildReport


def add_commands(commands: Any) -> None:
    """Add the commands to argparse's sub-parser action."""
    add_check(commands, build=_add_build(commands))
    _add_split(commands)
    _add_evaluate(commands)
    _add_pack(commands)
    _add_build_classifier(commands)
    _add_build_answers(commands)


def _add_build(commands: Any) -> argparse.ArgumentParser:
    parser = command(
        commands,
        "build",
        _build,
        "Turn interactions and item texts into one package.",
        "pocketrec build --interactions ratings.csv --items films.csv --out films.pocketrec",
    )
    data = parser.add_argument_group("data (CSV, TSV, Parquet or JSON Lines)")
    add_data_options(data)
    data.add_argument("--reviews", action="store_true", help="item texts gain words that several users wrote of them")
    data.add_argument("--split", metavar="F", help="user,item,part as pocketrec split writes it")
    data.add_argument("--license", default="", metavar="TEXT", help="license of the data, kept in the package")
    data.add_argument("--attribution", default="", metavar="TEXT", help="whom to credit, kept in the package")
    model = parser.add_argument_group("model")
    model.add_argument("--preset", choices=["quick", "full"], default="quick", help="quick: minutes (default)")
    model.add_argument(
        "--trials",
        type=int,
        metavar="N",
        help="settings tried for each signal: the preset's own first, then Optuna's (default: quick 0, full 40)",
    )
    model.add_argument(
        "--signals",
        default="",
        metavar="S,...",
        help="what may take part in recommendations (default: factors,neighbours,content,attributes,popularity)",
    )
    model.add_argument(
        "--min-users",
        type=int,
        default=2,
        metavar="N",
        help="two items become neighbours only if N users chose both; protects single users (default 2)",
    )
    model.add_argument(
        "--no-predict",
        dest="predict",
        action="store_false",
        help="leave out what predicts ratings: 40 bytes an item",
    )
    model.add_argument("--teacher", metavar="T", help="a folder, GGUF file, hub id, e5 or smollm2 (default: MiniLM)")
    model.add_argument("--seed", type=int, default=0, help="the same seed and threads give the same bytes (default 0)")
    model.add_argument("--threads", type=int, metavar="N", help="threads to compute with (default: all there are)")
    out = parser.add_argument_group("output")
    out.add_argument("--out", required=True, metavar="X.pocketrec", help="where the package goes")
    out.add_argument("--name", help="the package's name (default: the file's)")
    out.add_argument(
        "--max-size",
        metavar="SIZE",
        help="6MB, 800kB: the weakest neighbours give first, then word pieces; the report says what did",
    )
    out.add_argument(
        "--max-loss",
        default="1%",
        metavar="SHARE",
        help="of the search's NDCG that storing the query encoder in fewer bits may cost (default 1%%)",
    )
    out.add_argument(
        "--targets",
        default="onnx",
        metavar="T,...",
        help="formats of graphs: onnx, tflite or both; the numpy engine needs none (default onnx)",
    )
    out.add_argument("--save-full", metavar="DIR", help="also keep the full float32 model, for evaluate")
    out.add_argument("--report", metavar="DIR", help="write the report there: index.html, and report.json")
    out.add_argument(
        "--baselines", action="store_true", help="also tune simple models, to compare with; takes a minute"
    )
    out.add_argument("--track", choices=["tensorboard", "wandb"], help="mirror the figures into runs/NAME")
    out.add_argument("--cache", metavar="DIR", help="keep the teacher's vectors and search results between builds")
    out.add_argument("--overwrite", action="store_true", help="replace X.pocketrec and the folders if they exist")
    out.add_argument("--quiet", action="store_true", help="no progress and no notes on stderr")
    out.add_argument("--json", action="store_true", help="print the report as JSON")
    with_config(parser)
    return parser


def _build(args: argparse.Namespace) -> int:
    with _needs_export():
        from pocketrec_export.pipeline import build
    report = build(
        args.interactions,
        args.items,
        out=args.out,
        name=args.name,
        columns=pairs("--columns", args.columns),
        attributes=names(args.attributes),
        value=args.value,
        positive=args.positive,
        users=args.users,
        rules=rules_of(args),
        weighting=weighting_of(args),
        reviews=args.reviews,
        split=args.split,
        preset=args.preset,
        trials=args.trials,
        signals=[name.strip() for name in args.signals.split(",")] if args.signals else None,
        min_users=args.min_users,
        predict=args.predict,
        teacher=args.teacher,
        seed=args.seed,
        threads=args.threads,
        max_size=args.max_size,
        max_loss=args.max_loss,
        targets=names(args.targets) or [],
        save_full=args.save_full,
        report=args.report,
        baselines=args.baselines,
        track=args.track,
        cache=args.cache,
        data_license=args.license,
        attribution=args.attribution,
        overwrite=args.overwrite,
        quiet=args.quiet,
    )
    return _print_report(report, args)


def _add_split(commands: Any) -> None:
    parser = command(
        commands,
        "split",
        _split,
        "Write who, or what time, is held out: a file for build --split and evaluate --split.",
        "pocketrec split --interactions ratings.csv --out split.parquet --by time",
    )
    parser.add_argument("--interactions", required=True, metavar="F", help="user,item[,value][,timestamp]")
    parser.add_argument("--out", required=True, metavar="S.parquet", help="where the split goes (.parquet or .csv)")
    parser.add_argument("--by", choices=["user", "time"], default="user", help="what is held out (default: user)")
    parser.add_argument("--seed", type=int, help="by user: of the draw (default 0)")
    parser.add_argument(
        "--test", type=float, metavar="SHARE", help="of the users (default 0.15) or of the latest positives (0.1)"
    )
    parser.add_argument("--validation", type=float, metavar="SHARE", help="the same for choosing settings")
    parser.add_argument("--history", type=float, metavar="SHARE", help="by user: of a user's positives (default 0.8)")
    parser.add_argument("--min-positives", type=int, metavar="N", help="by user: of a user that takes part (default 5)")
    parser.add_argument("--columns", default="", metavar="ROLE=NAME,...", help="as in build")
    parser.add_argument("--value", choices=["auto", "rating", "count", "none"], default="auto", help="as in build")
    parser.add_argument("--positive", metavar="EXPR", help="as in build")
    parser.add_argument("--clean", default="", metavar="RULE=VALUE,...", help="as in build")
    parser.add_argument("--overwrite", action="store_true", help="replace a file that exists")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _split(args: argparse.Namespace) -> int:
    with _needs_export():
        from pocketrec_export.divide import divide
        from pocketrec_export.read import columns_of
    report = divide(
        args.interactions,
        out=args.out,
        by=args.by,
        seed=args.seed,
        test=args.test,
        validation=args.validation,
        history=args.history,
        min_positives=args.min_positives,
        columns=columns_of("interactions", pairs("--columns", args.columns)),
        value=args.value,
        positive=args.positive,
        rules=rules_of(args),
        overwrite=args.overwrite,
    )
    return _print_report(report, args)


def _add_evaluate(commands: Any) -> None:
    parser = command(
        commands,
        "evaluate",
        _evaluate,
        "Rank for the test users of a split, with the package and with the full model.",
        "pocketrec evaluate x.pocketrec --interactions r.csv --split s.csv --full full/ --recs recs.parquet",
    )
    parser.add_argument("package", help="a package built with --split")
    parser.add_argument("--interactions", required=True, metavar="F", help="the file it was built from")
    parser.add_argument("--split", required=True, metavar="F", help="the split it was built with")
    parser.add_argument("--columns", default="", metavar="ROLE=NAME,...", help="as in build")
    parser.add_argument("--clean", default="", metavar="RULE=VALUE,...", help="as in build")
    parser.add_argument("--full", metavar="DIR", help="the full model that build kept with --save-full")
    parser.add_argument("--recs", metavar="OUT.parquet", help="write user, item, rank of the package's lists")
    parser.add_argument("--full-recs", metavar="OUT.parquet", help="the same for the full model's lists")
    parser.add_argument("--baselines", action="store_true", help="also tune popularity, kNN, ALS, EASE and RP3beta")
    parser.add_argument("--engine", choices=ENGINES, help="default: the fastest one installed")
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")
    parser.add_argument("--quiet", action="store_true", help="no progress on stderr")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _evaluate(args: argparse.Namespace) -> int:
    with _needs_export():
        from pocketrec_export.evaluate import evaluate
        from pocketrec_export.read import columns_of
    report = evaluate(
        args.package,
        args.interactions,
        split=args.split,
        columns=columns_of("interactions", pairs("--columns", args.columns)),
        full=args.full,
        rules=rules_of(args),
        recs=args.recs,
        full_recs=args.full_recs,
        baselines=args.baselines,
        quiet=args.quiet,
        engine=args.engine,
        overwrite=args.overwrite,
    )
    return _print_report(report, args)


def _add_pack(commands: Any) -> None:
    parser = command(
        commands,
        "pack",
        _pack,
        "Turn item factors that you trained elsewhere into a package.",
        "pocketrec pack --factors als.npz --items films.csv --out films.pocketrec",
    )
    parser.add_argument(
        "--factors",
        required=True,
        metavar="F",
        help=".npy [items, dim]; .npz saved by implicit's ALS; .parquet with an item column and one a dimension",
    )
    parser.add_argument("--items", metavar="F", help="item,title[,text][,category], rows in the order of the factors")
    parser.add_argument("--ids", metavar="F.txt", help="one item id a line, in the order of the factors")
    parser.add_argument("--columns", default="", metavar="ROLE=NAME,...", help="of the items file")
    parser.add_argument("--alpha", type=float, metavar="A", help="confidence of weight 1 (default: the model's own, 1)")
    parser.add_argument(
        "--regularization", type=float, metavar="L", help="of the user's fold-in (default: the model's own, 0.01)"
    )
    parser.add_argument("--no-search", action="store_true", help="use titles only, without a text encoder")
    parser.add_argument("--preset", choices=["quick", "full"], default="quick", help="of the text encoder")
    parser.add_argument("--teacher", metavar="T", help="a folder, GGUF file, hub id, e5 or smollm2 (default: MiniLM)")
    parser.add_argument("--seed", type=int, default=0, help="the same seed and threads give the same bytes (default 0)")
    parser.add_argument("--threads", type=int, metavar="N", help="threads to compute with (default: all there are)")
    parser.add_argument("--license", default="", metavar="TEXT", help="license of the data, kept in the package")
    parser.add_argument("--attribution", default="", metavar="TEXT", help="whom to credit, kept in the package")
    parser.add_argument("--out", required=True, metavar="X.pocketrec", help="where the package goes")
    parser.add_argument("--name", help="the package's name (default: the file's)")
    parser.add_argument("--cache", metavar="DIR", help="keep the teacher's vectors and search results between builds")
    parser.add_argument("--overwrite", action="store_true", help="replace X.pocketrec if it exists")
    parser.add_argument("--quiet", action="store_true", help="no progress on stderr")
    parser.add_argument("--json", action="store_true", help="print what the package holds as JSON")


def _pack(args: argparse.Namespace) -> int:
    with _needs_export():
        from pocketrec_export.own_factors import read_ids
        from pocketrec_export.pack import pack
    facts = pack(
        args.factors,
        args.items,
        out=args.out,
        ids=None if args.ids is None else read_ids(args.ids),
        alpha=args.alpha,
        regularization=args.regularization,
        search=not args.no_search,
        name=args.name,
        columns=pairs("--columns", args.columns),
        preset=args.preset,
        teacher=args.teacher,
        seed=args.seed,
        threads=args.threads,
        cache=args.cache,
        data_license=args.license,
        attribution=args.attribution,
        overwrite=args.overwrite,
        quiet=args.quiet,
    )
    if args.json:
        print_json(facts)
        return 0
    for line in report_lines(facts):
        print_line(line)
    return 0


def _add_build_classifier(commands: Any) -> None:
    parser = command(
        commands,
        "build-classifier",
        _build_classifier,
        "Turn texts with labels into a package that labels texts.",
        "pocketrec build-classifier --texts news.csv --columns text=sentence --labels sentiment --out news.pocketrec",
    )
    parser.add_argument("--texts", required=True, metavar="F", help="text,label[,label2...] (CSV, TSV, Parquet, JSONL)")
    parser.add_argument("--columns", default="", metavar="text=NAME", help="where the text column is called otherwise")
    parser.add_argument("--labels", default="", metavar="NAME,...", help="the label columns (default: all others)")
    parser.add_argument("--preset", choices=["quick", "full"], default="quick", help="how many word pieces are known")
    parser.add_argument("--dim", type=int, metavar="D", help="width of the encoder (default: what the labels need)")
    parser.add_argument("--teacher", metavar="T", help="as in build (default: MiniLM-L6)")
    parser.add_argument("--seed", type=int, default=0, help="the same seed and threads give the same bytes (default 0)")
    parser.add_argument("--threads", type=int, metavar="N", help="threads to compute with (default: all there are)")
    parser.add_argument("--license", default="", metavar="TEXT", help="license of the data, kept in the package")
    parser.add_argument("--attribution", default="", metavar="TEXT", help="whom to credit, kept in the package")
    parser.add_argument("--out", required=True, metavar="X.pocketrec", help="where the package goes")
    parser.add_argument("--name", help="the package's name (default: the file's)")
    parser.add_argument("--cache", metavar="DIR", help="keep the teacher's vectors between builds")
    parser.add_argument("--overwrite", action="store_true", help="replace X.pocketrec if it exists")
    parser.add_argument("--quiet", action="store_true", help="no progress on stderr")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def _add_build_answers(commands: Any) -> None:
    parser = command(
        commands,
        "build-answers",
        _build_answers,
        "Turn questions and their answers, or texts and intents, into a package that answers.",
        "pocketrec build-answers --texts faq.csv --columns question=title,answer=text --out faq.pocketrec",
    )
    parser.add_argument("--texts", required=True, metavar="F", help="question,answer (CSV, TSV, Parquet, JSONL)")
    parser.add_argument("--columns", default="", metavar="ROLE=NAME,...", help="question=NAME, answer=NAME")
    parser.add_argument("--preset", choices=["quick", "full"], default="quick", help="quick: minutes (default)")
    parser.add_argument("--teacher", metavar="T", help="as in build (default: MiniLM)")
    parser.add_argument("--seed", type=int, default=0, help="the same seed and threads give the same bytes (default 0)")
    parser.add_argument("--threads", type=int, metavar="N", help="threads to compute with (default: all there are)")
    parser.add_argument("--license", default="", metavar="TEXT", help="license of the data, kept in the package")
    parser.add_argument("--attribution", default="", metavar="TEXT", help="whom to credit, kept in the package")
    parser.add_argument("--out", required=True, metavar="X.pocketrec", help="where the package goes")
    parser.add_argument(
        "--cache", metavar="DIR", help="keep the teacher's vectors and the query encoder between builds"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace X.pocketrec if it exists")
    parser.add_argument("--quiet", action="store_true", help="no progress and no notes on stderr")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def _build_answers(args: argparse.Namespace) -> int:
    with _needs_export():
        from pocketrec_export.answers import build_answers
    report = build_answers(
        args.texts,
        out=args.out,
        columns=pairs("--columns", args.columns),
        preset=args.preset,
        teacher=args.teacher,
        seed=args.seed,
        threads=args.threads,
        cache=args.cache,
        data_license=args.license,
        attribution=args.attribution,
        overwrite=args.overwrite,
        quiet=args.quiet,
    )
    return _print_report(report, args)


def _build_classifier(args: argparse.Namespace) -> int:
    with _needs_export():
        from pocketrec_export.classifier import build_classifier
    report = build_classifier(
        args.texts,
        out=args.out,
        columns=pairs("--columns", args.columns),
        labels=names(args.labels) or None,
        name=args.name,
        preset=args.preset,
        teacher=args.teacher,
        dim=args.dim,
        seed=args.seed,
        threads=args.threads,
        cache=args.cache,
        data_license=args.license,
        attribution=args.attribution,
        overwrite=args.overwrite,
        quiet=args.quiet,
    )
    return _print_report(report, args)


def _print_report(
    report: AnswersReport | BuildReport | ClassifierReport | Comparison | SplitReport, args: argparse.Namespace
) -> int:
    if args.json:
        print_json(report.as_dict())
        return 0
    for line in report.lines():
        print_line(line)
    return 0


class _needs_export:
    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ModuleNotFoundError):
            raise PocketrecError(f"this command needs {error.name}: pip install 'pocketrec[export]'") from error
