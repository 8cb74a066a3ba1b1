"""The full model: every signal in float32, exact fold-in, its own blend. What a package is measured against.

A package holds the same signals in 8-bit tables. `package_form` puts those tables, decoded, into the same
class. What is left between the two is the 8-bit query and the budget of blocks in a call.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pocketrec.errors import DataError
from pocketrec.manifest import SIGNALS, BlendTerm
from scipy.sparse import csr_matrix

from pocketrec_export import content, factors, neighbours
from pocketrec_export.blend import weights
from pocketrec_export.quantize import dequantize_rows, quantize_rows, sparse_blocks

MAX_HISTORY = 512
MAX_WEIGHT = 8.0
_META = "full_model.json"


@dataclass(frozen=True)
class FullModel:
    """All signals over I items; a signal that is None is absent.

    Attributes:
        factors: whitened ALS factors and their alpha.
        neighbours: csr float32[I, I], source-major.
        text: float32[I, D] unit rows by the teacher.
        attributes: float32[I, A] unit rows, what the typed attributes of items say.
        popularity: float32[I].
        boost: float32[I], what was given for each item.
        blend: signal name -> weight and power; signals without a term weigh nothing.
        steps: CG steps of the fold-in; None solves exactly.
    """

    factors: factors.Factors | None = None
    neighbours: csr_matrix | None = None
    text: NDArray[np.float32] | None = None
    attributes: NDArray[np.float32] | None = None
    popularity: NDArray[np.float32] | None = None
    boost: NDArray[np.float32] | None = None
    blend: Mapping[str, BlendTerm] = field(default_factory=dict)
    steps: int | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The signals present, in the fixed order; the rows of `signals`."""
        present = {
            "factors": self.factors is not None,
            "neighbours": self.neighbours is not None,
            "content": self.text is not None,
            "attributes": self.attributes is not None,
            "popularity": self.popularity is not None,
            "boost": self.boost is not None,
        }
        return tuple(name for name in SIGNALS if present.get(name, False))

    @property
    def items(self) -> int:
        """I, the size of the catalogue."""
        whitened = self.factors.table if self.factors else None
        for table in (whitened, self.neighbours, self.text, self.attributes, self.popularity, self.boost):
            if table is not None:
                return int(table.shape[0])
        return 0

    @property
    def size_bytes(self) -> int:
        """Bytes of all tables as `save` writes them, file headers apart."""
        return sum(array.nbytes for array in self._arrays().values())

    def __repr__(self) -> str:
        return f"FullModel({self.items:,} items, signals={list(self.names)}, {self.size_bytes / 1e6:.1f} MB)"

    def signals(self, history_index: NDArray[Any], history_weight: NDArray[Any]) -> NDArray[np.float32]:
        """x_s(i) of one history, float32[S, I] in the order of `names`; unweighted.

        Args:
            history_index: int[H] distinct catalogue positions, oldest first.
            history_weight: float[H], clipped to [-8, 8]; beyond 512 items the largest |weight|, then the most
                recent, are kept.
        """
        index, weight = _limited(history_index, history_weight)
        result = np.zeros((len(self.names), self.items), dtype=np.float32)
        row = {name: result[s] for s, name in enumerate(self.names)}
        if len(index):
            if self.factors is not None:
                table, alpha = self.factors.table, self.factors.alpha
                user = factors.fold_in(table, index=index, weight=weight, alpha=alpha, steps=self.steps)
                row["factors"][:] = table @ user
            if self.neighbours is not None:
                row["neighbours"][:] = neighbours.scores(self.neighbours, index=index, weight=weight)
            if self.text is not None:
                row["content"][:] = content.scores(self.text, index=index, weight=weight)
            if self.attributes is not None:
                row["attributes"][:] = content.scores(self.attributes, index=index, weight=weight)
        for name, prior in (("popularity", self.popularity), ("boost", self.boost)):
            if prior is not None:
                row[name][:] = prior
        return result

    def scores(self, history_index: NDArray[Any], history_weight: NDArray[Any]) -> NDArray[np.float32]:
        """The blended score of every item, float32[I]."""
        vector = self.weights(float(np.abs(_limited(history_index, history_weight)[1]).sum()))
        return np.asarray(vector @ self.signals(history_index, history_weight), dtype=np.float32)

    def weights(self, total: float) -> NDArray[np.float32]:
        """Blend weights float32[S] for a history with sum |c| = `total`."""
        blend = {name: self.blend.get(name, BlendTerm(0.0, 0.0)) for name in self.names}
        return weights(blend, names=self.names, total=total)

    def boosted(self, boost: NDArray[np.float32] | None) -> FullModel:
        """The model with a boost float32[I] added to every recommendation as it stands; itself for None."""
        if boost is None:
            return self
        return replace(self, boost=boost, blend={**self.blend, "boost": BlendTerm(1.0, 0.0)})

    def recommend(
        self,
        history_index: NDArray[Any],
        history_weight: NDArray[Any],
        *,
        k: int = 10,
        eligible: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.int64]:
        """The best min(k, eligible) items outside the history, int64, ties by lower index.

        Args:
            history_index: int[H] catalogue positions, all of them left out of the answer.
            history_weight: float[H].
            k: length of the list.
            eligible: bool[I], what may be ranked; everything by default.
        """
        score = self.scores(history_index, history_weight)
        allowed = np.ones(self.items, dtype=bool) if eligible is None else eligible.copy()
        allowed[history_index] = False
        pool = np.flatnonzero(allowed)
        # A stable sort of the negated scores keeps equal scores in index order.
        return pool[np.argsort(-score[pool], kind="stable")[: max(0, k)]]

    def save(self, folder: str | Path) -> None:
        """Writes .npy files and one JSON into `folder`, which is created; files of a previous save are replaced."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for name, array in self._arrays().items():
            np.save(folder / f"{name}.npy", array, allow_pickle=False)
        meta = {
            "format": 1,
            "items": self.items,
            "arrays": sorted(self._arrays()),
            "alpha": self.factors.alpha if self.factors else None,
            "steps": self.steps,
            "blend": {n: {"weight": t.weight, "power": t.power} for n, t in self.blend.items()},
        }
        (folder / _META).write_text(json.dumps(meta, indent=1, sort_keys=True) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path) -> FullModel:
        """The model that `save` wrote.

        Raises:
            DataError: the folder lacks a file, or its files contradict each other.
        """
        folder = Path(folder)
        try:
            meta = json.loads((folder / _META).read_text(encoding="utf-8"))
            array = {n: np.load(folder / f"{n}.npy", allow_pickle=False) for n in meta["arrays"]}
            items = int(meta["items"])
            table = None
            if "neighbours_value" in array:
                parts = (array["neighbours_value"], array["neighbours_index"], array["neighbours_start"])
                table = csr_matrix(parts, shape=(items, items))
            model = cls(
                factors=factors.Factors(array["factors"], float(meta["alpha"])) if "factors" in array else None,
                neighbours=table,
                text=array.get("text"),
                attributes=array.get("attributes"),
                popularity=array.get("popularity"),
                boost=array.get("boost"),
                blend={n: BlendTerm(float(t["weight"]), float(t["power"])) for n, t in meta["blend"].items()},
                steps=meta["steps"],
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{folder}: expected a folder written by FullModel.save ({_META}, .npy): {error}"
            ) from error
        rows = {n: len(a) for n, a in array.items() if not n.startswith("neighbours")}
        if any(count != items for count in rows.values()):
            raise DataError(f"{folder}: expected {items} rows in every table, found {rows}")
        return model

    def _arrays(self) -> dict[str, NDArray[Any]]:
        result: dict[str, NDArray[Any]] = {}
        if self.factors is not None:
            result["factors"] = self.factors.table
        if self.neighbours is not None:
            result["neighbours_start"] = self.neighbours.indptr
            result["neighbours_index"] = self.neighbours.indices
            result["neighbours_value"] = self.neighbours.data
        for name in ("text", "attributes", "popularity", "boost"):
            if getattr(self, name) is not None:
                result[name] = getattr(self, name)
        return result


def package_form(model: FullModel) -> FullModel:
    """`model` as a package stores it: every table through its 8-bit codes; blend and steps are kept.

    Args:
        model: float32 tables, its texts projected to the package's width.
    """
    table = None if model.factors is None else factors.Factors(_coded(model.factors.table), model.factors.alpha)
    sparse = None if model.neighbours is None else decode_blocks(sparse_blocks(model.neighbours))
    text, attributes = (None if rows is None else _coded(rows) for rows in (model.text, model.attributes))
    return replace(model, factors=table, neighbours=sparse, text=text, attributes=attributes)


def decode_blocks(blocks: Mapping[str, NDArray[Any]]) -> csr_matrix:
    """csr float32[I, I] of the arrays that `quantize.sparse_blocks` returns; padding is left out."""
    items = len(blocks["scale"])
    row = np.repeat(np.arange(items), blocks["start"][1:] - blocks["start"][:-1])  # [NB]
    used = blocks["value"] != 0
    value = blocks["value"].astype(np.float32) * blocks["scale"][row][:, None]
    where = (np.broadcast_to(row[:, None], used.shape)[used], blocks["index"][used].astype(np.int64))
    return csr_matrix((value[used], where), shape=(items, items))


def _coded(table: NDArray[np.float32]) -> NDArray[np.float32]:
    return dequantize_rows(*quantize_rows(table))


def _limited(index: NDArray[Any], weight: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The history under the package's limits, order kept."""
    index = np.asarray(index, dtype=np.int64)
    weight = np.clip(np.asarray(weight, dtype=np.float32), -MAX_WEIGHT, MAX_WEIGHT)
    if len(index) > MAX_HISTORY:
        order = np.lexsort((-np.arange(len(index)), -np.abs(weight)))[:MAX_HISTORY]
        kept = np.sort(order)
        index, weight = index[kept], weight[kept]
    return index, weight
