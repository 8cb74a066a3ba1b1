"""`make sample`: the small package inside the wheel, from CC0 film data, for `pocketrec demo`."""

from __future__ import annotations

import sys
from importlib.resources import files
from pathlib import Path

from pocketrec.errors import PocketrecError

from pocketrec_export.demo_data import sample_items
from pocketrec_export.pipeline import build

FILMS = 1000
TEXT_DIM = 128
VOCABULARY = 4000
MAX_BYTES = 1_000_000


def main() -> int:
    """Build the sample over the committed one; returns the exit code."""
    path = Path(str(files("pocketrec") / "sample.pocketrec"))
    try:
        report = build(
            items=sample_items(FILMS),
            out=path,
            name="sample",
            text_dim=TEXT_DIM,
            vocabulary=VOCABULARY,
            cache=Path("build/cache"),
            data_license="CC0-1.0",
            attribution="Film data from Wikidata, by way of bokeh-sampledata.",
            overwrite=True,
        )
    except PocketrecError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print("\n".join(report.lines()))
    size = report.facts["bytes"]
    if size > MAX_BYTES:
        print(f"error: the sample has {size:,} bytes, expected at most {MAX_BYTES:,}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
