"""A catalogue of 100,000 items and 2 million events, built end to end: minutes, memory, bytes, ranking quality.

usage: python benchmarks/large_build.py [--items 100000] [--events 2000000] [--users 60000] [--texts] [--threads 2]

The data are drawn with a seed: item popularity falls as a power of the rank, histories have a log-normal length, and
users choose three times in four from a few of 200 groups of items that they like. With --texts every item has a title
and a category that tell its group, encoded by the teacher (about 100 items a second); without, there are no texts.
The data are nobody's: figures of quality only show that the build learned the groups.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from machine import save
from pocketrec_export.pipeline import build

GROUPS = 200
LIKED = 4
OWN_SHARE = 0.75
WORDS = ("red", "small", "warm", "old", "quiet", "wooden", "garden", "travel", "winter", "kitchen", "music", "paper")


def main() -> int:
    """Draw, build, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--users", type=int, default=60_000)
    parser.add_argument("--texts", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, default=Path("build/large"))
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    row = measure(args)
    print("\n".join(f"{name:<22}{value}" for name, value in row.items()))
    print(f"\nwrote {save('large-build' + ('-texts' if args.texts else ''), [row])}")
    return 0


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """One build."""
    rows = draw(items=args.items, events=args.events, users=args.users, seed=args.seed)
    started = time.perf_counter()
    report = build(
        rows,
        texts(args.items, args.seed) if args.texts else None,
        out=args.work / "large.pocketrec",
        cache=args.work / "cache",
        threads=args.threads,
        seed=args.seed,
        overwrite=True,
    )
    seconds = time.perf_counter() - started
    quality = report.comparison or {}
    unit = 1e9 if sys.platform == "darwin" else 1e6  # Linux counts kilobytes
    return {
        "items": rows["item"].nunique(),
        "events": len(rows),
        "users": rows["user"].nunique(),
        "texts": args.texts,
        "threads": args.threads,
        "minutes": round(seconds / 60, 1),
        "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 2),
        "package_mb": round(report.facts["bytes"] / 1e6, 1),
        "package_ndcg10": quality.get("package", {}).get("ndcg10"),
        "full_ndcg10": quality.get("full", {}).get("ndcg10"),
        "seconds": {stage: round(value, 1) for stage, value in report.seconds.items()},
        "settings": report.settings,
    }


def groups_of(items: int, seed: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """int64[items], the group of each."""
    return np.random.default_rng(seed).integers(GROUPS, size=items)


def draw(*, items: int, events: int, users: int, seed: int) -> pd.DataFrame:
    """user, item, timestamp: distinct pairs, at most `events` of them."""
    rng = np.random.default_rng(seed + 1)
    group = groups_of(items, seed)
    chance = (np.arange(items) + 20.0) ** -0.8
    members = [np.flatnonzero(group == g) for g in range(GROUPS)]
    within = [np.cumsum(chance[m]) / chance[m].sum() for m in members]
    everywhere = np.cumsum(chance) / chance.sum()

    length = rng.lognormal(0.0, 1.0, users)
    length = np.maximum(3, np.rint(length * events * 1.12 / length.sum())).astype(np.int64)
    user = np.repeat(np.arange(users), length)
    liked = rng.integers(GROUPS, size=(users, LIKED))
    mine = liked[user, rng.integers(LIKED, size=len(user))]
    item = np.searchsorted(everywhere, rng.random(len(user)))
    own = rng.random(len(user)) < OWN_SHARE
    for g in range(GROUPS):
        chosen = np.flatnonzero(own & (mine == g))
        if len(members[g]):  # a small catalogue may lack a group
            item[chosen] = members[g][np.searchsorted(within[g], rng.random(len(chosen)))]
    item = np.minimum(item, items - 1)
    first = np.unique(user * items + item, return_index=True)[1]
    first = np.sort(rng.permutation(first)[:events])
    when = rng.integers(1_600_000_000, 1_700_000_000, size=len(first))
    return pd.DataFrame({"user": user[first], "item": item[first], "timestamp": when})


def texts(items: int, seed: int) -> pd.DataFrame:
    """item, title, category: short titles in which the words of a group are frequent."""
    rng, group = np.random.default_rng(seed + 2), groups_of(items, seed)
    own = np.random.default_rng(seed + 3).integers(len(WORDS), size=(GROUPS, 3))
    extra = rng.integers(len(WORDS), size=items)
    words = [" ".join(WORDS[w] for w in (*own[g], e)) for g, e in zip(group, extra, strict=True)]
    titles = [f"{title} no. {index}" for index, title in enumerate(words)]
    return pd.DataFrame({"item": np.arange(items), "title": titles, "category": [f"Group {g}" for g in group]})


if __name__ == "__main__":
    sys.exit(main())
