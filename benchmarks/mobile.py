"""Is a package ready for phones? What ONNX Runtime's tools say, what a reduced build needs, what each format costs.

usage: python benchmarks/mobile.py build/demo.pocketrec [--processes 5]

The tools want models that stand alone, so the tables are put back into copies of the graphs for them (only there). The
operator list is written beside the package, for ONNX Runtime's `--include_ops_by_config`. Then, for each format, in
processes of their own: load, first ranking, mean of the warm ones, peak memory.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HISTORY, WARM = 30, 300
FORMATS = {"onnx": "onnx", "tflite": "litert"}


def main() -> int:
    """Check, convert, measure, print, save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=Path)
    parser.add_argument("--processes", type=int, default=5)
    parser.add_argument("--child", choices=[*FORMATS.values(), "none"], help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        print(json.dumps(child(args.package, args.child)))
        return 0
    from machine import save
    from pocketrec_export.targets import TARGETS, retarget

    with tempfile.TemporaryDirectory(prefix="pocketrec-") as folder:
        package = Path(folder) / "both.pocketrec"
        retarget(args.package, package, targets=TARGETS)
        rows: list[dict[str, Any]] = [{"check": name, **found} for name, found in tools(package, args.package).items()]
        for row in rows:
            print(f"{row['check']:<40}{'ok' if row['ok'] else 'FAILED'}  {row['said']}")
        sizes = bytes_of(package)
        for target, engine in FORMATS.items():
            runs = [measured(package, engine) for _ in range(args.processes)]
            row = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
            rows.append({"format": target, "engine": engine, "bytes": sizes[target], **row})
            print(
                f"{target:<8}{sizes[target]:>12,} bytes  load {row['load_ms']:.1f} ms  first {row['first_ms']:.2f} ms  "
                f"warm {row['warm_ms']:.3f} ms  peak {row['peak_mb']:.1f} MB above an interpreter with numpy"
            )
    print(f"wrote {save('mobile', rows)}")
    return 0 if all(row.get("ok", True) for row in rows) else 1


def tools(package: Path, beside: Path) -> dict[str, dict[str, Any]]:
    """What ONNX Runtime's tools say of graphs that stand alone."""
    found = {}
    with tempfile.TemporaryDirectory(prefix="pocketrec-") as folder:
        for name, data in standing_alone(package).items():
            (Path(folder) / f"{name}.onnx").write_bytes(data)
        for path in sorted(Path(folder).glob("*.onnx")):
            done = tool("check_onnx_model_mobile_usability", str(path))
            said = [
                line for line in (done.stdout + done.stderr).splitlines() if "partition" in line or "support" in line
            ]
            found[f"mobile usability of the {path.stem}"] = {"ok": done.returncode == 0, "said": " ".join(said)[:300]}
        done = tool("convert_onnx_models_to_ort", folder, "--optimization_style", "Fixed")
        made = sorted(path.name for path in Path(folder).glob("*.ort"))
        found["convert_onnx_models_to_ort"] = {"ok": done.returncode == 0 and bool(made), "said": ", ".join(made)}
        configs = sorted(Path(folder).glob("*.config"))
        if configs:
            target = beside.with_suffix(".required_operators.config")
            kept = [line for line in configs[0].read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
            target.write_text("\n".join(kept) + "\n", encoding="utf-8")
            found["convert_onnx_models_to_ort"]["said"] += f"; operators in {target.name}"
    return found


def tool(name: str, *words: str) -> subprocess.CompletedProcess[str]:
    """One of ``onnxruntime.tools``."""
    command = [sys.executable, "-m", f"onnxruntime.tools.{name}", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def standing_alone(path: Path) -> dict[str, bytes]:
    """The package's ONNX graphs with their tables inside, by name."""
    import onnx
    from onnx import numpy_helper
    from pocketrec.engine_onnx import _bind
    from pocketrec.onnx_guard import ExternalTable
    from pocketrec.package import Package

    found = {}
    with Package.open(path) as package:
        graphs = package.manifest.graphs.onnx
        assert graphs is not None
        for entry in filter(None, (graphs.ranker, graphs.encoder)):
            model = onnx.load_model_from_string(bytes(package.blob(entry)))
            for tensor in model.graph.initializer:
                if tensor.external_data:
                    dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).name
                    table = _bind(package, tensor.name, ExternalTable(dtype, tuple(tensor.dims)))
                    tensor.CopyFrom(numpy_helper.from_array(table.copy(), tensor.name))
            for node in model.graph.node:  # shape inference does not know what is Microsoft's own
                if node.domain:
                    width = next(t.dims[1] * (t.dims[2] if len(t.dims) > 2 else 1) for t in model.graph.initializer
                                 if t.name in node.input and t.data_type == onnx.TensorProto.UINT8)  # fmt: skip
                    rows = next((a.i for a in node.attribute if a.name == "N"), width)
                    shape = [f"rows of {node.output[0]}", rows]
                    model.graph.value_info.append(
                        onnx.helper.make_tensor_value_info(node.output[0], onnx.TensorProto.FLOAT, shape)
                    )
            found[Path(entry).stem] = model.SerializeToString()
    return found


def bytes_of(path: Path) -> dict[str, int]:
    """What each format takes: the graphs, and the tables that they use."""
    from pocketrec.inspection import describe_package
    from pocketrec.package import Package

    with Package.open(path) as package:
        targets, sizes = describe_package(package)["targets"], package.sizes()
    tables = ("factors/", "neighbours/", "text/", "attributes/", "lexical/", "popularity/", "boost/", "tokens/")
    shared = sum(size for name, size in sizes.items() if name.startswith(tables))
    return {"onnx": targets["onnx"]["bytes"] + shared, "tflite": targets["tflite"]["bytes"]}


def measured(package: Path, engine: str) -> dict[str, float]:
    """One fresh process, its memory less that of one that only imports numpy."""
    found, idle = (run(package, name) for name in (engine, "none"))
    return {**found, "peak_mb": found["peak_mb"] - idle["peak_mb"]}


def run(package: Path, engine: str) -> dict[str, float]:
    """A child's figures."""
    command = [sys.executable, __file__, str(package), "--child", engine]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


class Timed:
    """An engine that remembers what it was asked and how long the answer took."""

    name = "timed"

    def __init__(self, engine: Any) -> None:
        self._engine = engine

    def rank(self, task: Any) -> Any:
        """The engine's answer."""
        self.task, start = task, time.perf_counter()
        found = self._engine.rank(task)
        self.took_ms = 1000 * (time.perf_counter() - start)
        return found


def child(path: Path, engine: str) -> dict[str, float]:
    """Load, first ranking, mean of the warm ones, in milliseconds; peak memory in MB. History of 30, all items."""
    from pocketrec.engine import open_engine
    from pocketrec.package import Package
    from pocketrec.recommender import Recommender

    if engine == "none":
        return {"load_ms": 0.0, "first_ms": 0.0, "warm_ms": 0.0, "peak_mb": peak_mb()}
    package = Package.open(path, verify="lazy")
    start = time.perf_counter()
    timed = Timed(open_engine(package, engine))
    load = 1000 * (time.perf_counter() - start)
    recommender = Recommender(package, timed, clock=None)
    step = max(1, len(recommender.catalogue) // HISTORY)
    recommender.recommend([recommender.catalogue.id(index) for index in range(0, step * HISTORY, step)][:HISTORY], k=10)
    first, times = timed.took_ms, []
    for _ in range(WARM):
        timed.rank(timed.task)
        times.append(timed.took_ms)
    return {"load_ms": load, "first_ms": first, "warm_ms": statistics.mean(times), "peak_mb": peak_mb()}


def peak_mb() -> float:
    """The most memory that this process has had; unlike getrusage's figure it starts anew with a program."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


if __name__ == "__main__":
    sys.exit(main())
