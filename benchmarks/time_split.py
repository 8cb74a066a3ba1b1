"""A global time split: package and full model against tuned baselines, and what recency is worth.

usage: python benchmarks/time_split.py DATA [--sets NAME ...] [--preset quick] [--threads N]

DATA holds one folder a set with interactions.parquet (with timestamps) and items.parquet. The split is that of
`pocketrec split --by time`: the latest 10 % of the positives are test, the 10 % before them validation; see
docs/EVALUATION.md. Popularity that fades with age is one of the tuned baselines.

Three uses of recency are tried besides, each with the half-life that is best on validation users (none is allowed):
histories whose weights decay, popularity that decays (with the blend fitted again), and both.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from machine import save
from numpy.typing import NDArray
from pocketrec.opening import open_package
from pocketrec_export.baselines import rank_with_scorer
from pocketrec_export.bootstrap import paired
from pocketrec_export.comparison import Comparison
from pocketrec_export.dataset import Dataset, Heldout, make_dataset
from pocketrec_export.divide import divide
from pocketrec_export.evaluate import load_full, tuned_baselines
from pocketrec_export.full_model import FullModel
from pocketrec_export.heldout import Bench
from pocketrec_export.metrics import Figures, figures, summarize
from pocketrec_export.pipeline import build
from pocketrec_export.rankings import Rankings, Weights, facts_of, rank_with_full, rank_with_package
from pocketrec_export.read import Interactions, read_interactions
from pocketrec_export.recent import HALF_LIVES, aged
from pocketrec_export.split_files import read_split
from scipy.sparse import csr_matrix

SETS = ("ml-latest-small", "movietweetings")
KEYS = ("ndcg10", "recall20", "ndcg100", "mrr")
DAY = 86_400
CHOICES: tuple[float | None, ...] = (None, *HALF_LIVES)
"""Days; None: no decay."""


def main() -> int:
    """Split, build and measure every set, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--work", type=Path, default=Path("build/time_split"))
    args = parser.parse_args()
    rows = [measure(args, name) for name in args.sets]
    print("\n".join(table(rows)))
    print(f"\nwrote {save('time_split', rows)}")
    return 0


def measure(args: argparse.Namespace, name: str) -> dict[str, Any]:
    """One set: split, build, compare, try recency."""
    source, items = args.data / name / "interactions.parquet", args.data / name / "items.parquet"
    work = args.work / name
    work.mkdir(parents=True, exist_ok=True)
    parts, package, full_folder = work / "split.parquet", work / "x.pocketrec", work / "full"
    split = divide(source, out=parts, by="time", overwrite=True).as_dict()
    del split["path"]
    started = time.perf_counter()
    report = build(
        source,
        items,
        out=package,
        split=parts,
        preset=args.preset,
        save_full=full_folder,
        cache=args.work.parent / "quality" / "cache",
        threads=args.threads,
        overwrite=True,
    )
    seconds = time.perf_counter() - started
    events = read_interactions(source)
    with open_package(package) as recommender:
        catalogue = recommender.catalogue
        dataset = make_dataset(events, read_split(parts), catalogue=[catalogue.id(i) for i in range(len(catalogue))])
        full = load_full(full_folder, dataset, split["sha256"])
        facts = facts_of(recommender, dataset)

        def scored(ranked: Rankings, users: Heldout = dataset.test) -> Figures:
            return figures(ranked, users.targets, missing=users.missing, facts=facts)

        def rank_package(users: Heldout, weights: Weights | None) -> Rankings:
            eligible = dataset.train_items
            return rank_with_package(recommender, users, items=dataset.items, eligible=eligible, weights=weights)

        package_figures = scored(rank_package(dataset.test, None))
        full_figures = scored(rank_with_full(full, dataset.test, eligible=dataset.train_items))
        baselines, settings = measured_baselines(events, dataset, scored)
        compared = Comparison(package_figures, full_figures, baselines, settings).as_dict()
        found = recency(events, dataset, full, rank_package, scored, base=package_figures, full_base=full_figures)
    return {
        "set": name,
        "split": split,
        "compared": compared,
        "full_against_best": paired(full_figures.per_user, baselines[compared["best_baseline"]["ndcg10"]].per_user),
        "recency": found,
        "settings": report.settings,
        "bytes": report.facts["bytes"],
        "full_bytes": report.full_bytes,
        "build_s": round(seconds, 1),
    }


def measured_baselines(
    events: Interactions, dataset: Dataset, scored: Callable[..., Figures]
) -> tuple[dict[str, Figures], dict[str, dict[str, Any]]]:
    """The tuned baselines, popularity that fades among them, on the test users."""
    measured, settings = {}, {}
    for name, found in tuned_baselines(events, dataset).items():
        ranked = rank_with_scorer(found.scorer, dataset.test, eligible=dataset.train_items)
        measured[name], settings[name] = scored(ranked), found.as_dict()
    return measured, settings


def recency(
    events: Interactions,
    dataset: Dataset,
    full: FullModel,
    rank_package: Callable[[Heldout, Weights | None], Rankings],
    scored: Callable[..., Figures],
    *,
    base: Figures,
    full_base: Figures,
) -> dict[str, Any]:
    """What three uses of recency give on test users, each chosen on validation users."""

    def full_ranks(model: FullModel, users: Heldout, days: float | None) -> Rankings:
        return rank_with_full(model, users, eligible=dataset.train_items, weights=decayed(users, days))

    def best(rank: Callable[[Heldout, float | None], Rankings], against: Figures) -> dict[str, Any]:
        tried = {
            days: float(scored(rank(dataset.validation, days), dataset.validation)["ndcg10"].mean()) for days in CHOICES
        }
        chosen = max(tried, key=lambda days: tried[days])
        measured = scored(rank(dataset.test, chosen))
        return {
            "validation_ndcg10": {str(days): value for days, value in tried.items()},
            "half_life_days": chosen,
            "test": {key: summarize(measured)[key] for key in KEYS},
            "difference": paired(measured.per_user, against.per_user)["ndcg10"],
        }

    bench = Bench(dataset.validation, eligible=dataset.train_items, train=dataset.train)
    popular = {
        days: log_popularity(dataset.train if days is None else aged(events, dataset, half_life=days))
        for days in CHOICES
    }
    refitted = {days: bench.blended(replace(full, popularity=popular[days]))[0] for days in CHOICES}
    recent = best(lambda users, days: full_ranks(refitted[days], users, None), full_base)
    model = refitted[recent["half_life_days"]]
    return {
        "package, history decays": best(lambda users, days: rank_package(users, decayed(users, days)), base),
        "full model, history decays": best(lambda users, days: full_ranks(full, users, days), full_base),
        "full model, popularity decays": recent,
        "full model, both decay": best(lambda users, days: full_ranks(model, users, days), full_base),
    }


def decayed(users: Heldout, half_life_days: float | None) -> Weights | None:
    """Weights of the histories, halved for each half-life before the period that is asked about.

    However old, none becomes zero: the item would count as not seen and be recommended.
    """
    if half_life_days is None or users.time is None or users.since is None:
        return None
    age = [(users.since - times) / (half_life_days * DAY) for times in users.time]
    return [np.maximum(2.0**-halvings, 1e-6).astype(np.float32) for halvings in age]


def log_popularity(train: csr_matrix) -> NDArray[np.float32]:
    """`popularity.fit` for a train matrix whose values are not all 1."""
    count = np.asarray(train.sum(axis=0)).ravel()
    return np.asarray(np.log1p(count) / np.log1p(count.max()), np.float32)


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Every model on every set, best tuned baseline marked."""
    lines = []
    for row in rows:
        compared = row["compared"]
        best = compared["best_baseline"]["ndcg10"]
        lines.append(f"{row['set']}: {compared['package']['users']:,} test users")
        models = {**compared["baselines"], "full model": compared["full"], "package": compared["package"]}
        for name, values in models.items():
            mark = " *" if name == best else ""
            lines.append(f"  {name:<20}" + "".join(f"{values[key]:9.4f}" for key in KEYS) + mark)
        for label, difference in (
            ("package - best baseline", compared["differences"][best]["ndcg10"]),
            ("full model - best baseline", row["full_against_best"]["ndcg10"]),
        ):
            low, high = difference["ci95"]
            lines.append(f"  {label}: NDCG@10 {difference['mean']:+.4f} ({low:+.4f} to {high:+.4f})")
        for name, found in row["recency"].items():
            low, high = found["difference"]["ci95"]
            lines.append(
                f"  {name}, half-life {found['half_life_days']} days: NDCG@10 {found['test']['ndcg10']:.4f}, "
                f"{found['difference']['mean']:+.4f} ({low:+.4f} to {high:+.4f})"
            )
    return lines


if __name__ == "__main__":
    sys.exit(main())
