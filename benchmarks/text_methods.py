"""The ways of `peers_text.py`, run in the peers' environment: `python text_methods.py FOLDER build|time NAME`."""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

K, WARM_UP, MAX_TOKENS = 10, 20, 128


class Vectors:
    """Query and item vectors, one float32 matrix product, argpartition."""

    def build(self, task: dict[str, Any], folder: Path) -> int:
        """Encode the items; returns the bytes of the encoder."""
        raise NotImplementedError

    def open(self, task: dict[str, Any], folder: Path) -> None:
        """Load the encoder."""
        raise NotImplementedError

    def encode(self, text: str) -> Any:
        """float32[d], a unit vector."""
        raise NotImplementedError

    def item_file(self, folder: Path) -> Path:
        """Where the item vectors lie."""
        return folder / f"{type(self).__name__}.npy"

    def load_items(self, folder: Path) -> None:
        """Into memory."""
        self.items = np.load(self.item_file(folder))

    def search(self, text: str) -> Any:
        """Indices of the K nearest items, best first."""
        score = self.items @ self.encode(text)
        best = np.argpartition(-score, K)[:K]
        return best[np.argsort(-score[best])]


class MiniLM(Vectors):
    """The teacher in ONNX Runtime; items are always encoded in float32."""

    file = "minilm.onnx"

    def build(self, task: dict[str, Any], folder: Path) -> int:
        """The graphs were exported before; items are encoded once, by the float32 graph."""
        if not self.item_file(folder).exists():
            self.open(task, folder)
            order = np.argsort([len(text) for text in task["texts"]])
            vectors = np.empty((len(order), 384), np.float32)
            for row in order:
                vectors[row] = self.encode(task["texts"][row])
            np.save(self.item_file(folder), vectors)
        return (folder / self.file).stat().st_size

    def item_file(self, folder: Path) -> Path:
        """The same for both graphs."""
        return folder / "minilm.npy"

    def open(self, task: dict[str, Any], folder: Path) -> None:
        """Tokenizer and session."""
        import onnxruntime as ort
        from tokenizers import Tokenizer

        self.tokenizer = Tokenizer.from_file(str(Path(task["teacher"]) / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(MAX_TOKENS)
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.session = ort.InferenceSession(str(folder / self.file), options, providers=["CPUExecutionProvider"])

    def encode(self, text: str) -> Any:
        """Mean of the token vectors, of unit length."""
        ids = self.tokenizer.encode(text).ids
        (hidden,) = self.session.run(None, {"input_ids": np.array([ids], np.int64)})
        mean = hidden[0].mean(axis=0)
        return mean / np.linalg.norm(mean)


class MiniLMInt8(MiniLM):
    """The same with weights in 8 bits a channel, activations quantized at run time."""

    file = "minilm-int8.onnx"


class Model2Vec(Vectors):
    """model2vec's own distillation of the teacher, 256 wide: one vector a token, no training on texts."""

    def build(self, task: dict[str, Any], folder: Path) -> int:
        """Distil, save, encode the items by it."""
        from model2vec.distill import distill

        model = distill(task["teacher"], pca_dims=256, device="cpu")
        model.save_pretrained(str(folder / "model2vec"))
        np.save(self.item_file(folder), _unit(model.encode(task["texts"]).astype(np.float32)))
        return sum(file.stat().st_size for file in (folder / "model2vec").rglob("*.safetensors"))

    def open(self, task: dict[str, Any], folder: Path) -> None:
        """The saved model."""
        from model2vec import StaticModel

        self.model = StaticModel.from_pretrained(str(folder / "model2vec"))

    def encode(self, text: str) -> Any:
        """One vector."""
        return _unit(self.model.encode(text).astype(np.float32))


class Pocketrec(Vectors):
    """A package's `search`: by meaning alone, or as it is; catalogue, titles and results included."""

    def __init__(self, engine: str, *, meaning: bool) -> None:
        self.engine, self.weights = engine, {"lexical": 0.0} if meaning else None

    def build(self, task: dict[str, Any], folder: Path) -> int:
        """Nothing to build; the encoder is the table of tokens."""
        self.open(task, folder)
        sizes = self.recommender.package.sizes()
        return sum(size for name, size in sizes.items() if name.startswith(("tokens/", "tokenizer/")))

    def open(self, task: dict[str, Any], folder: Path) -> None:
        """With all checks."""
        import pocketrec

        self.recommender = pocketrec.open(task["package"], engine=self.engine, threads=1)

    def load_items(self, folder: Path) -> None:
        """They are in the package."""

    def item_bytes(self) -> int:
        """Of the table of texts."""
        sizes = self.recommender.package.sizes()
        return sum(size for name, size in sizes.items() if name.startswith("text/"))

    def search(self, text: str) -> Any:
        """Positions in the catalogue."""
        catalogue = self.recommender.catalogue
        found = self.recommender.search(text, k=K, weights=self.weights)
        return np.array([catalogue.index(item.item) for item in found])


METHODS: dict[str, Any] = {
    "MiniLM float32, ONNX Runtime": MiniLM(),
    "MiniLM int8, ONNX Runtime": MiniLMInt8(),
    "model2vec static, 256": Model2Vec(),
    "**pocketrec, meaning alone, ONNX Runtime**": Pocketrec("onnx", meaning=True),
    "**pocketrec, meaning alone, numpy**": Pocketrec("numpy", meaning=True),
    "**pocketrec, words and meaning, ONNX Runtime**": Pocketrec("onnx", meaning=False),
}


def build(task: dict[str, Any], folder: Path, name: str) -> dict[str, Any]:
    """Bytes and quality: the teacher's ten nearest, and the item that is meant."""
    method = METHODS[name]
    encoder = method.build(task, folder)
    method.open(task, folder)
    method.load_items(folder)
    exact = METHODS["MiniLM float32, ONNX Runtime"]
    truth = folder / "truth.json"
    if not truth.exists():  # the first method is the teacher itself
        assert method is exact
        truth.write_text(json.dumps([list(map(int, method.search(text))) for text in task["queries"]]))
    wanted = json.loads(truth.read_text())
    overlap, mrr = [], []
    for text, best, meant in zip(task["queries"], wanted, task["meant"], strict=True):
        found = list(map(int, method.search(text)))
        overlap.append(len(set(found) & set(best)) / K)
        mrr.append(1 / (found.index(meant) + 1) if meant in found else 0.0)
    items = method.item_bytes() if isinstance(method, Pocketrec) else method.item_file(folder).stat().st_size
    quality = {"overlap10": statistics.fmean(overlap), "mrr": statistics.fmean(mrr), "queries": len(mrr)}
    return {"encoder_bytes": encoder, "items_bytes": items, **quality}


def timed(task: dict[str, Any], folder: Path, name: str) -> dict[str, Any]:
    """Percentiles of one process, over all queries."""
    method = METHODS[name]
    method.open(task, folder)
    method.load_items(folder)
    for text in task["queries"][:WARM_UP]:
        method.search(text)
    times = []
    for text in task["queries"]:
        started = time.perf_counter()
        method.search(text)
        times.append(1000 * (time.perf_counter() - started))
    cuts = statistics.quantiles(times, n=100)
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    memory = pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    return {"p50_ms": cuts[49], "p95_ms": cuts[94], "p99_ms": cuts[98], "rss_mb": memory}


def _unit(vectors: Any) -> Any:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(length > 0, length, 1)


if __name__ == "__main__":
    where = Path(sys.argv[1])
    given = json.loads((where / "task.json").read_text(encoding="utf-8"))
    print(json.dumps((build if sys.argv[2] == "build" else timed)(given, where, sys.argv[3])))
