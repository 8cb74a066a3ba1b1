"""Item factors that somebody else trained: an array, a file, or a fitted ``implicit`` model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pocketrec.errors import DataError, UsageError

MAX_DIM = 4096
"""The widest dense table of a package."""
DEFAULT_ALPHA = 1.0
DEFAULT_REGULARIZATION = 0.01
"""What implicit's ALS is fitted with where nothing else is said."""


@dataclass(frozen=True, slots=True)
class OwnFactors:
    """Item factors as they were trained, before whitening.

    Attributes:
        table: float32 [I, d], finite.
        ids: I distinct item ids, or None where the source names none.
        alpha: confidence of one unit of history weight, where the source says it.
        regularization: of the user's least squares, where the source says it.
    """

    table: NDArray[np.float32]
    ids: list[str] | None
    alpha: float | None = None
    regularization: float | None = None


def read_factors(source: Any) -> OwnFactors:
    """The item factors of an array, a file, or a fitted model; users' factors are never looked at.

    Args:
        source: float [I, d]; a path to .npy (the same), .npz (saved by ``implicit``'s ALS) or .parquet (an
            ``item`` column, and a list column or numeric columns, one a dimension); or a model with
            ``item_factors``, such as ``implicit.als.AlternatingLeastSquares``.

    Raises:
        DataError: the source cannot be read, is not a finite matrix, or repeats an id.
        UsageError: the source is of another type.
    """
    if isinstance(source, (str, Path)):
        return _read_file(Path(source))
    if hasattr(source, "item_factors"):
        return _of_model(source)
    if isinstance(source, np.ndarray):
        return OwnFactors(_matrix(source, "the array"), None)
    raise UsageError(f"factors are an array, a path or a fitted model; got {type(source).__name__}")


def _read_file(path: Path) -> OwnFactors:
    kinds = {".npy": _read_npy, ".npz": _read_npz, ".parquet": _read_parquet, ".pq": _read_parquet}
    read = kinds.get(path.suffix.lower())
    if read is None:
        raise DataError(f"{path}: unknown kind of file; expected {', '.join(kinds)}")
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        return read(path)
    except (OSError, ValueError, EOFError, KeyError, BadZipFile, pa.ArrowException) as error:
        raise DataError(f"{path}: cannot be read as {path.suffix[1:]}: {error}") from error


def _read_npy(path: Path) -> OwnFactors:
    return OwnFactors(_matrix(np.load(path, allow_pickle=False), path.name), None)


def _read_npz(path: Path) -> OwnFactors:
    # Our own stream: numpy leaves its one open when the archive is torn.
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as saved:
        if "item_factors" not in saved:
            raise DataError(f"{path}: no array item_factors; found {', '.join(saved.files)}")
        number = {key: float(saved[key]) for key in ("alpha", "regularization") if key in saved}
        table = _matrix(saved["item_factors"], path.name)
    return OwnFactors(table, None, number.get("alpha"), number.get("regularization"))


def _read_parquet(path: Path) -> OwnFactors:
    # The file object, not the path: a path such as part=3/x.parquet would grow a column "part".
    with path.open("rb") as stream:
        table = pq.read_table(stream)
    if "item" not in table.column_names:
        raise DataError(f"{path}: no column item; found {', '.join(table.column_names)}")
    ids = [None if id is None else str(id) for id in table.column("item").to_pylist()]
    missing = ids.index(None) if None in ids else -1
    if missing >= 0:
        raise DataError(f"{path}: row {missing + 1} has no item id")
    columns = [name for name in table.column_names if name != "item"]
    lists = [name for name in columns if pa.types.is_nested(table.schema.field(name).type)]
    if len(lists) == 1:
        values = np.array(table.column(lists[0]).to_pylist(), np.float64)
    else:
        values = np.stack([np.asarray(table.column(name), np.float64) for name in columns], axis=1)
    return OwnFactors(_matrix(values, path.name), [str(id) for id in ids])


def _of_model(model: Any) -> OwnFactors:
    table = model.item_factors
    if hasattr(table, "to_numpy"):  # implicit's GPU matrices
        table = table.to_numpy()
    number = {
        key: float(value)
        for key in ("alpha", "regularization")
        if isinstance(value := getattr(model, key, None), (int, float, np.number))
    }
    name = type(model).__name__
    return OwnFactors(_matrix(np.asarray(table), name), None, number.get("alpha"), number.get("regularization"))


def _matrix(values: NDArray[Any], name: str) -> NDArray[np.float32]:
    if values.ndim != 2 or values.dtype.kind not in "fiu" or not values.size:
        raise DataError(f"{name}: expected numbers of shape [items, dim], found {values.dtype} {list(values.shape)}")
    if values.shape[1] > MAX_DIM:
        raise DataError(f"{name}: {values.shape[1]} dimensions; at most {MAX_DIM}. Are rows and columns swapped?")
    with np.errstate(over="ignore"):
        table = values.astype(np.float32)
    bad = ~np.isfinite(table).all(axis=1)
    if bad.any():
        raise DataError(f"{name}: row {int(np.argmax(bad)) + 1} is not finite in float32, as are {bad.sum():,} rows")
    return table


def match_ids(factors: OwnFactors, ids: Sequence[str] | None, names: Sequence[str] | None) -> list[str]:
    """The id of each row: as given, else as the source names them, else those of the items table.

    Args:
        factors: I rows.
        ids: given by the caller, or None.
        names: ids of the items table, or None.

    Raises:
        DataError: another number of ids than rows, no ids at all, or an id twice.
    """
    found = ids if ids is not None else factors.ids if factors.ids is not None else names
    if found is None:
        raise DataError("nothing says which item each row is: give an items table or ids")
    if len(found) != len(factors.table):
        raise DataError(
            f"{len(factors.table):,} rows of factors, but {len(found):,} ids: one id a row, in the same order"
        )
    twice = [id for id, times in Counter(found).items() if times > 1]
    if twice:
        raise DataError(f"{len(twice):,} ids occur more than once, for example {twice[0]!r}")
    return [str(id) for id in found]


def read_ids(path: str | Path) -> list[str]:
    """One id a line of a UTF-8 text file; blank lines at its end do not count.

    Raises:
        DataError: the file cannot be read, or a line is blank.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").rstrip().split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as UTF-8 lines: {error}") from error
    ids = [line.strip() for line in lines]
    if "" in ids:
        raise DataError(f"{path}: line {ids.index('') + 1} is blank; expected one item id a line")
    return ids
