"""Splits as files: user, item, part in Parquet or CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pocketrec.errors import DataError, UsageError

from pocketrec_export.atomic import write_whole
from pocketrec_export.columns import id_strings, strings
from pocketrec_export.files import open_table
from pocketrec_export.split import PARTS, Split, hashed


def read_split(source: Any, *, source_name: str | None = None) -> Split:
    """A split from a file or frame with the columns user, item and part.

    Raises:
        DataError: The source cannot be read, lacks a column or an id, names an unknown part, or puts one
            (user, item) twice.
    """
    table = open_table(source, name=source_name)
    columns = {role: table.require(role, (), {})[1] for role in ("user", "item", "part")}
    ids = {role: id_strings(columns[role], column=role, table=table) for role in ("user", "item")}
    for role, values in ids.items():
        if values.null_count:
            row = table.row_number(int(np.argmax(np.asarray(pc.is_null(values)))))
            raise DataError(f"{table.name}: {values.null_count:,} rows without a {role} id, first row {row}")
    parts = strings(columns["part"])
    code = np.asarray(pc.fill_null(pc.index_in(parts, pa.array(PARTS, pa.large_string())), -1))
    if np.any(code < 0):
        row = int(np.argmax(code < 0))
        raise DataError(
            f"{table.name}: {int(np.sum(code < 0)):,} rows with an unknown part, first row "
            f"{table.row_number(row)}: {parts[row].as_py()!r}; expected {', '.join(PARTS)}"
        )
    if table.skipped:
        raise DataError(f"{table.name}: {table.notes[-1]}")
    users, user_index = np.unique(np.asarray(ids["user"].to_pylist(), object), return_inverse=True)
    items, item_index = np.unique(np.asarray(ids["item"].to_pylist(), object), return_inverse=True)
    key = user_index.astype(np.int64) * len(items) + item_index
    order = np.argsort(key, kind="stable")
    same = np.flatnonzero(key[order][1:] == key[order][:-1])
    if len(same):
        row = int(order[same[0] + 1])
        raise DataError(
            f"{table.name}: {len(same):,} repeated (user, item) rows, first row {table.row_number(row)}: "
            f"user {ids['user'][row].as_py()!r}, item {ids['item'][row].as_py()!r}; each may have one part"
        )
    return hashed(
        users.tolist(),
        items.tolist(),
        user_index[order].astype(np.int32),
        item_index[order].astype(np.int32),
        code[order].astype(np.int8),
    )


def check_split_target(path: Path, *, overwrite: bool) -> None:
    """Refuse a name that `write_split` cannot write to.

    Raises:
        UsageError: Another suffix than .parquet and .csv, no such folder, or a file that exists.
    """
    if path.suffix not in (".parquet", ".csv"):
        raise UsageError(f"{path}: a split is written as .parquet or .csv")
    if not path.parent.is_dir():
        raise UsageError(f"{path.parent} is not a folder; create it first")
    if path.is_dir() or (path.exists() and not overwrite):
        raise UsageError(f"{path} exists; not overwritten")


def write_split(split: Split, path: str | Path, *, overwrite: bool = False) -> None:
    """Writes user, item, part as Parquet (or CSV, by suffix); the file appears whole or not at all.

    Raises:
        UsageError: The file exists and ``overwrite`` is not set, or the suffix is neither.
    """
    path = Path(path)
    check_split_target(path, overwrite=overwrite)
    table = pa.table(
        {
            "user": pa.array(split.users, pa.string()).take(pa.array(split.user_index)),
            "item": pa.array(split.items, pa.string()).take(pa.array(split.item_index)),
            "part": pa.array(PARTS, pa.string()).take(pa.array(split.part)),
        }
    )

    def write(temporary: str) -> None:
        if path.suffix == ".parquet":
            pq.write_table(table, temporary, compression="zstd")
        else:
            table.to_pandas().to_csv(temporary, index=False)

    write_whole(path, write)
