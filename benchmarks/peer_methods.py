"""Ways to find the ten best items for a history, each as a build, a file and a call: the peers of `peers.py` and ours.

A peer gets the user's vector from the same fold-in in numpy, looks for 10 items more than the history is long, and
drops the history's; where it has a dial (how much of an index is searched), the dial is turned up on tuning queries
until recall@10 reaches 0.99. Needs the packages named in benchmarks/README.md; each is imported by the method that uses
it.
"""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

K, ALPHA, REGULARIZATION = 10, 20.0, 10.0
FULL = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)


class Data:
    """The files of one size: whitened and raw factors (mapped), histories, the reference's lists."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.white = np.load(folder / "white.npy", mmap_mode="r")
        self.histories = np.load(folder / "histories.npy")
        self.best = np.load(folder / "best.npy")

    def fold_in(self, query: int) -> Any:
        """float32[d], the exact solution."""
        rows = self.white[self.histories[query]]
        matrix = np.eye(rows.shape[1], dtype=np.float32) + np.float32(ALPHA - 1) * (rows.T @ rows)
        return np.linalg.solve(matrix, np.float32(ALPHA) * rows.sum(axis=0))


class Method:
    """One way. `build` writes what `open` reads; `dial` is what may be turned, `()` where there is nothing."""

    dials: Sequence[int] = ()
    file: str

    def build(self, data: Data, path: Path, threads: int) -> None:
        """Make the index and write it."""
        raise NotImplementedError

    def open(self, data: Data, path: Path) -> None:
        """Read the index; queries run on one thread."""
        self.data = data

    def turn(self, dial: int) -> None:
        """Set the dial."""

    def recommend(self, query: int) -> Any:
        """The 10 best items outside the history of a query."""
        history = self.data.histories[query]
        found = self.search(self.data.fold_in(query), K + len(history))
        return found[~np.isin(found, history)][:K]

    def search(self, user: Any, k: int) -> Any:
        """The k best items of a vector, best first."""
        raise NotImplementedError


class Numpy(Method):
    """One float32 matrix product, argpartition."""

    def build(self, data: Data, path: Path, threads: int) -> None:
        """The table as it is."""
        np.save(path.with_suffix(".npy"), np.asarray(data.white))
        os.replace(path.with_suffix(".npy"), path)

    def open(self, data: Data, path: Path) -> None:
        """Into memory."""
        self.data, self.table = data, np.load(path)

    def recommend(self, query: int) -> Any:
        """With the history left out before the selection."""
        score = self.table @ self.data.fold_in(query)
        score[self.data.histories[query]] = -np.inf
        best = np.argpartition(-score, K)[:K]
        return best[np.argsort(-score[best])]


class Faiss(Method):
    """An index of faiss: by its factory string, by inner product, trained on all rows."""

    def __init__(self, factory: str, dials: Sequence[int] = ()) -> None:
        self.factory, self.dials = factory, dials

    def build(self, data: Data, path: Path, threads: int) -> None:
        """Train and add."""
        import faiss

        faiss.omp_set_num_threads(threads)
        rows = np.ascontiguousarray(data.white)
        factory = self.factory.replace("{lists}", str(int(4 * len(rows) ** 0.5)))
        index = faiss.index_factory(rows.shape[1], factory, faiss.METRIC_INNER_PRODUCT)
        if "HNSW" in factory:
            index.hnsw.efConstruction = 200
        index.train(rows)
        index.add(rows)
        faiss.write_index(index, str(path))

    def open(self, data: Data, path: Path) -> None:
        """Read it back."""
        import faiss

        faiss.omp_set_num_threads(1)
        self.data, self.index = data, faiss.read_index(str(path))

    def turn(self, dial: int) -> None:
        """How many lists, candidates or refined items."""
        if "HNSW" in self.factory:
            self.index.hnsw.efSearch = dial
        elif "IVF" in self.factory:
            self.index.nprobe = dial
        else:
            self.index.k_factor = dial

    def search(self, user: Any, k: int) -> Any:
        """As faiss finds them; -1 where it found none."""
        found = self.index.search(user[None], k)[1][0]
        return found[found >= 0]


class Hnswlib(Method):
    """hnswlib, inner product, M 16."""

    dials = FULL[5:]

    def build(self, data: Data, path: Path, threads: int) -> None:
        """The graph."""
        import hnswlib

        index = hnswlib.Index(space="ip", dim=data.white.shape[1])
        index.init_index(len(data.white), ef_construction=200, M=16, random_seed=0)
        index.add_items(np.ascontiguousarray(data.white), num_threads=threads)
        index.save_index(str(path))

    def open(self, data: Data, path: Path) -> None:
        """Read it back."""
        import hnswlib

        self.data, self.index = data, hnswlib.Index(space="ip", dim=data.white.shape[1])
        self.index.load_index(str(path))
        self.index.set_num_threads(1)

    def turn(self, dial: int) -> None:
        """Candidates."""
        self.ef = dial

    def search(self, user: Any, k: int) -> Any:
        """With at least k candidates."""
        self.index.set_ef(max(self.ef, k))
        return self.index.knn_query(user[None], k=k)[0][0]


class Usearch(Method):
    """usearch, inner product; exact, or its graph (not of i8, which makes every row a unit and finds a fifth)."""

    def __init__(self, dtype: str, *, exact: bool) -> None:
        self.dtype, self.exact = dtype, exact
        self.dials = () if exact else FULL[5:]

    def build(self, data: Data, path: Path, threads: int) -> None:
        """The graph, or only the numbers."""
        if self.exact:
            table = np.asarray(data.white)
            np.save(path.with_suffix(".npy"), _as_int8(table) if self.dtype == "i8" else table.astype(np.float16))
            os.replace(path.with_suffix(".npy"), path)
            return
        from usearch.index import Index

        index = Index(ndim=data.white.shape[1], metric="ip", dtype=self.dtype, connectivity=16, expansion_add=200)
        # One factor for all changes no order of inner products, and keeps small numbers out of f16's depths.
        rows = np.asarray(data.white)
        index.add(np.arange(len(rows)), rows / np.linalg.norm(rows, axis=1).max(), threads=threads)
        index.save(str(path))

    def open(self, data: Data, path: Path) -> None:
        """Read it back."""
        self.data = data
        if self.exact:
            self.table = np.load(path)
            return
        from usearch.index import Index

        self.index = Index.restore(str(path))

    def turn(self, dial: int) -> None:
        """Candidates."""
        self.index.expansion_search = dial

    def search(self, user: Any, k: int) -> Any:
        """One thread."""
        if not self.exact:
            return self.index.search(user / np.linalg.norm(user), k, threads=1).keys.astype(np.int64)
        from usearch.index import MetricKind, search

        asked = _as_int8(user) if self.dtype == "i8" else user.astype(np.float16)
        return search(self.table, asked, k, MetricKind.IP, exact=True, threads=1).keys.astype(np.int64)


def _as_int8(table: Any) -> Any:
    """With one scale for all: usearch knows no scales of rows."""
    return np.rint(table * (127 / np.abs(table).max())).astype(np.int8)


class Implicit(Method):
    """implicit's own `recommend`, which folds the user in and scores in float32."""

    def build(self, data: Data, path: Path, threads: int) -> None:
        """A model with these item factors."""
        from implicit.cpu.als import AlternatingLeastSquares

        model = AlternatingLeastSquares(64, alpha=1.0, regularization=REGULARIZATION, num_threads=1)
        model.item_factors = np.load(data.folder / "factors.npy")
        model.user_factors = np.zeros((1, model.item_factors.shape[1]), np.float32)
        path.write_bytes(pickle.dumps(model))

    def open(self, data: Data, path: Path) -> None:
        """A file of ours, written a moment ago."""
        from scipy import sparse

        self.data, self.model = data, pickle.loads(path.read_bytes())
        ones, items = np.full(data.histories.shape[1], ALPHA, np.float32), len(data.white)
        shape = (1, items)
        self.rows = [sparse.csr_matrix((ones, h, [0, len(h)]), shape) for h in np.sort(data.histories, axis=1)]
        self.model.recommend(0, self.rows[0], N=K, recalculate_user=True)

    def recommend(self, query: int) -> Any:
        """Its own user step and its own filter."""
        return self.model.recommend(0, self.rows[query], N=K, recalculate_user=True, filter_already_liked_items=True)[0]


class Pocketrec(Method):
    """The engine's ranker over the package of these factors: fold-in, int8 scores, mask, top 10."""

    def __init__(self, engine: str, *, call: bool = False) -> None:
        self.engine, self.call = engine, call

    def build(self, data: Data, path: Path, threads: int) -> None:
        """The package was written with the data."""
        path.unlink(missing_ok=True)
        os.link(data.folder / "factors.pocketrec", path)

    def open(self, data: Data, path: Path) -> None:
        """With all checks."""
        import pocketrec
        from pocketrec.engine import RankerInput

        self.recommender = pocketrec.open(path, engine=self.engine, threads=1)
        none, nothing, ones = (
            np.empty(0, np.int64),
            np.empty(0, np.float32),
            np.ones(data.histories.shape[1], np.float32),
        )
        self.tasks = []
        self.histories = [[str(item) for item in history] for history in data.histories]
        for history in data.histories:
            mask = np.ones(len(data.white), np.bool_)
            mask[history] = False
            empty = np.empty((0, 64), np.float32)
            self.tasks.append(
                RankerInput(
                    history, ones, none, nothing, empty, none, nothing, none, nothing, mask, np.ones(1, np.float32), K
                )
            )

    def recommend(self, query: int) -> Any:
        """By the engine alone, or by the call that an app makes."""
        if self.call:
            return [int(found.item) for found in self.recommender.recommend(self.histories[query], k=K)]
        return self.recommender.engine.rank(self.tasks[query]).index


METHODS: dict[str, Method] = {
    "numpy float32": Numpy(),
    "faiss Flat float32": Faiss("Flat"),
    "faiss SQ fp16": Faiss("SQfp16"),
    "faiss SQ 8 bit": Faiss("SQ8"),
    "faiss PQ 4 bit fast scan, fp16 refine": Faiss("PQ32x4fs,Refine(SQfp16)", FULL[:9]),
    "faiss IVF float32": Faiss("IVF{lists},Flat", FULL),
    "faiss IVF SQ fp16": Faiss("IVF{lists},SQfp16", FULL),
    "faiss HNSW": Faiss("HNSW16,Flat", FULL[5:]),
    "hnswlib": Hnswlib(),
    "usearch graph f16": Usearch("f16", exact=False),
    "usearch exact f16": Usearch("f16", exact=True),
    "usearch exact i8": Usearch("i8", exact=True),
    "implicit recommend": Implicit(),
    "**pocketrec, ranker, ONNX Runtime**": Pocketrec("onnx"),
    "**pocketrec, ranker, numpy**": Pocketrec("numpy"),
    "**pocketrec, Python call, ONNX Runtime**": Pocketrec("onnx", call=True),
}
EXACT = ("numpy float32", "faiss Flat float32", "implicit recommend")
"""Those that compute every score in float32."""


def facts_of(path: Path) -> dict[str, Any]:
    """What the build of a method noted beside its file."""
    noted: dict[str, Any] = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    return noted
