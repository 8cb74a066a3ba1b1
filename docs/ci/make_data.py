"""A small fixed data set for a gate: the same bytes on every machine, nobody's data.

usage: python docs/ci/make_data.py FOLDER [--users 400] [--items 300]

Writes interactions.csv (user,item,timestamp) and items.csv (item,title,category). Users like three of twelve kinds of
things and choose four times in five among them, favorites more often. Only the standard library draws, whose generator
gives the same numbers in every version.
"""

from __future__ import annotations

import argparse
import csv
import random
from pathlib import Path

KINDS = ("tea", "lamp", "novel", "chair", "kettle", "garden", "puzzle", "jacket", "bicycle", "camera", "guitar", "tent")
LOOKS = ("green", "small", "old", "warm", "folding", "quiet", "wooden", "blue", "light", "winter", "travel", "simple")
LIKED, OWN_SHARE = 3, 0.8


def main() -> None:
    """Draw and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--users", type=int, default=400)
    parser.add_argument("--items", type=int, default=300)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    generator = random.Random(0)
    kinds = [KINDS[number % len(KINDS)] for number in range(args.items)]
    titles = [f"{generator.choice(LOOKS)} {generator.choice(LOOKS)} {kind} {n}" for n, kind in enumerate(kinds)]
    write(args.folder / "items.csv", ["item", "title", "category"], zip(range(args.items), titles, kinds, strict=True))
    rows = [row for user in range(args.users) for row in history(generator, user, kinds)]
    write(args.folder / "interactions.csv", ["user", "item", "timestamp"], rows)


def history(generator: random.Random, user: int, kinds: list[str]) -> list[tuple[int, int, int]]:
    """What one user chose: 8 to 30 items, each once."""
    liked = generator.sample(KINDS, LIKED)
    own = [item for item, kind in enumerate(kinds) if kind in liked]
    chosen: dict[int, None] = {}
    for _ in range(generator.randint(8, 30)):
        among = own if generator.random() < OWN_SHARE else range(len(kinds))
        chosen[among[int(len(among) * generator.random() ** 2)]] = None  # the first ones more often
    return [(user, item, 1_600_000_000 + 1000 * user + place) for place, item in enumerate(chosen)]


def write(path: Path, header: list[str], rows: object) -> None:
    """One CSV file."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


if __name__ == "__main__":
    main()
