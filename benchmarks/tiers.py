"""What each step down costs: bits of the tables and width of the texts against ranking quality and bytes.

usage: python benchmarks/tiers.py DATA [--sets NAME ...] [--splits 0 1] [--work build/quality]

Of the full models that `quality.py` kept: the same blend with tables in float32, int8 and int4 (each rounded and back)
and texts of 32 to 384 dimensions (`text_space`), on the test users, chosen by nobody. Bytes are those of the ranking
tables: a float, a byte or half a byte a number, 4 bytes a scale; neighbours as a 2 or 4 byte index and a value. The
package's own row holds all of its bytes: query encoder, words, titles. A package stores 8 bits (tokens: 4); the rows of
int4 show what 4 would cost.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from machine import save
from numpy.typing import NDArray
from pocketrec_export.dataset import Dataset, make_dataset
from pocketrec_export.evaluate import load_full
from pocketrec_export.full_model import FullModel
from pocketrec_export.metrics import figures
from pocketrec_export.quantize import dequantize_rows, quantize_rows
from pocketrec_export.rankings import rank_with_full
from pocketrec_export.read import read_interactions
from pocketrec_export.split_files import read_split
from pocketrec_export.text_space import fit_projection, project

SETS = ("ml-latest-small", "movietweetings", "online-retail")
WIDTHS = (32, 64, 128, 256, None)
BITS = (32, 8, 4)
KEYS = ("ndcg10", "recall20", "ndcg100")


def main() -> int:
    """Measure every set and split, print the means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--splits", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--work", type=Path, default=Path("build/quality"))
    args = parser.parse_args()
    rows = [row for name in args.sets for split in args.splits for row in measure(args, name, split)]
    print("\n".join(table(rows)))
    print(f"\nwrote {save('tiers', rows)}")
    return 0


def measure(args: argparse.Namespace, name: str, split: int) -> list[dict[str, Any]]:
    """The tiers of one build."""
    import pocketrec
    from pocketrec_export.rankings import rank_with_package

    folder, work = args.data / name, args.work / f"{name}-{split}"
    parts = read_split(folder / f"split-{split}.parquet")
    with pocketrec.open(work / "x.pocketrec", clock=None) as recommender:
        info, catalogue = recommender.package.manifest.input, recommender.catalogue
        events = read_interactions(folder / "interactions.parquet", value=info.value_kind, positive=info.positive)
        dataset = make_dataset(events, parts, catalogue=[catalogue.id(index) for index in range(len(catalogue))])
        lists = rank_with_package(recommender, dataset.test, items=dataset.items, eligible=dataset.train_items)
        package = {"tier": "package", "bits": 8, "width": None, "bytes": recommender.package.size_bytes}
    rows = [package | _scored(dataset, lists)]
    model = load_full(work / "full", dataset, parts.sha256)
    for width in WIDTHS if model.text is not None else WIDTHS[-1:]:
        narrow = model if width is None else narrowed(model, width)
        for bits in BITS:
            tier = rounded(narrow, bits)
            shown = None if narrow.text is None else int(narrow.text.shape[1])
            facts = {"tier": f"{'float32' if bits == 32 else f'int{bits}'}", "bits": bits, "width": shown}
            ranked = rank_with_full(tier, dataset.test, eligible=dataset.train_items)
            rows.append(facts | {"bytes": table_bytes(narrow, bits)} | _scored(dataset, ranked))
    return [{"set": name, "split": split, **row} for row in rows]


def _scored(dataset: Dataset, lists: Any) -> dict[str, float]:
    found = figures(lists, dataset.test.targets, missing=dataset.test.missing)
    return {key: float(np.nanmean(found[key])) for key in KEYS}


def narrowed(model: FullModel, width: int) -> FullModel:
    """The model with its texts in fewer dimensions."""
    assert model.text is not None
    return replace(model, text=project(model.text, fit_projection(model.text, dim=width)))


def rounded(model: FullModel, bits: int) -> FullModel:
    """The model with every table rounded to that many bits and back."""
    if bits == 32:
        return model
    changes: dict[str, Any] = {}
    if model.factors is not None:
        changes["factors"] = replace(model.factors, table=_round_trip(model.factors.table, bits))
    for name in ("text", "attributes"):
        table = getattr(model, name)
        if table is not None:
            changes[name] = _round_trip(table, bits)
    if model.neighbours is not None:
        changes["neighbours"] = _sparse_round_trip(model.neighbours, bits)
    return replace(model, **changes)


def _round_trip(table: NDArray[np.float32], bits: int) -> NDArray[np.float32]:
    if bits == 8:
        return dequantize_rows(*quantize_rows(table))
    largest = 2 ** (bits - 1) - 1
    scale = np.abs(table).max(axis=1, keepdims=True) / largest
    rounded: NDArray[np.float32] = np.rint(table / np.where(scale > 0, scale, 1)) * scale
    return rounded.astype(np.float32)


def _sparse_round_trip(matrix: Any, bits: int) -> Any:
    """A scale for each row, as the blocks of a package have it."""
    largest = 2 ** (bits - 1) - 1
    result = matrix.copy()
    row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    peak = np.zeros(matrix.shape[0], np.float32)
    np.maximum.at(peak, row, np.abs(matrix.data))
    scale = np.where(peak > 0, peak / largest, 1)[row]
    result.data = (np.rint(matrix.data / scale) * scale).astype(np.float32)
    return result


def table_bytes(model: FullModel, bits: int) -> int:
    """Of the ranking tables at that many bits a number."""
    total = 0.0
    dense = [model.factors.table if model.factors else None, model.text, model.attributes]
    for table in dense:
        if table is not None:
            total += table.size * bits / 8 + (4 * len(table) if bits < 32 else 0)
    if model.neighbours is not None:
        index = 2 if model.items <= 65536 else 4
        total += model.neighbours.nnz * (index + bits / 8) + 4 * model.items
    for prior in (model.popularity, model.boost):
        total += 0 if prior is None else prior.nbytes
    return int(total)


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Means over the splits."""
    lines = [f"{'set':<18}{'tier':<10}{'width':>6}{'MB':>9}{'NDCG@10':>10}{'Recall@20':>11}{'NDCG@100':>10}"]
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["set"], row["tier"], row["width"]), []).append(row)
    for (name, tier, width), mine in groups.items():
        mean = {key: sum(row[key] for row in mine) / len(mine) for key in ("bytes", *KEYS)}
        cells = f"{mean['ndcg10']:10.4f}{mean['recall20']:11.4f}{mean['ndcg100']:10.4f}"
        lines.append(f"{name:<18}{tier:<10}{width or '':>6}{mean['bytes'] / 1e6:9.2f}{cells}")
    return lines


if __name__ == "__main__":
    sys.exit(main())
