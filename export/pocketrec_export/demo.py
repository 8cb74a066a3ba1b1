"""`make demo`: films and ratings from two installed packages to a package that recommends and searches."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import numpy as np
from pocketrec import cli
from pocketrec.errors import PocketrecError

from pocketrec_export import demo_data
from pocketrec_export.pipeline import build
from pocketrec_export.read import read_interactions

BUILD = Path("build")
QUERY = "space adventure with robots"
HISTORY_LENGTH = 30
MAX_SIZE = "7.5MB"
"""A fifteenth of the full model."""


def main() -> int:
    """Make the data, build, then ask the package what a user would; returns the first exit code that is not 0."""
    try:
        return _demo(BUILD / "demo-data", BUILD / "demo.pocketrec")
    except PocketrecError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)  # what is whole stays: the data, vectors, perhaps the package
        return 130


def _demo(data: Path, package: Path) -> int:
    code = demo_data.main([str(data)])
    if code:
        return code
    report = build(
        data / "interactions.csv",
        data / "items.csv",
        out=package,
        max_size=MAX_SIZE,
        save_full=BUILD / "demo-full",
        cache=BUILD / "cache",
        data_license=demo_data.MOVIELENS_LICENSE,
        attribution="MovieLens latest-small 2016 (GroupLens); film data from Wikidata (CC0)",
        overwrite=True,
    )
    history = _history(data / "interactions.csv")
    for arguments in (
        ["recommend", str(package), "--history", ",".join(history), "--explain"],
        ["search", str(package), QUERY],
        ["similar", str(package), history[-1], "-k", "5"],
    ):
        print(f"\n$ pocketrec {shlex.join(arguments)}", flush=True)
        code = cli.main(arguments)
        if code:
            return code
    print()
    print("\n".join(report.lines()))
    return 0


def _history(path: Path) -> list[str]:
    """The most recent films that one user liked: the user whose number of likes is nearest to 30."""
    rows = read_interactions(path)
    assert rows.timestamp is not None
    liked = np.bincount(rows.user_index[rows.is_positive], minlength=len(rows.users))
    mine = np.flatnonzero((rows.user_index == int(np.abs(liked - HISTORY_LENGTH).argmin())) & rows.is_positive)
    recent = mine[np.argsort(rows.timestamp[mine], kind="stable")][-HISTORY_LENGTH:]
    return [rows.items[index] for index in rows.item_index[recent]]


if __name__ == "__main__":
    sys.exit(main())
