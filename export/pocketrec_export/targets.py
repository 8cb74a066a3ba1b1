"""The formats that graphs are compiled into: ONNX, TFLite or both, in a new package or in one that exists."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from zipfile import ZipFile

from numpy.typing import NDArray
from pocketrec.archive import MANIFEST_NAME
from pocketrec.errors import UsageError
from pocketrec.package import Package

from pocketrec_export.graphs import encoder_graph, ranker_graph
from pocketrec_export.tflite_graphs import encoder_model, ranker_model
from pocketrec_export.writer import write_package

TARGETS = ("onnx", "tflite")
"""The numpy engine needs none of them."""
MIN_ONNXRUNTIME = "1.25"
MIN_TFLITE = {"min_litert": "2.0", "min_tflite_runtime": "2.14"}
"""The oldest runtimes that answer the golden cases; tests run on LiteRT 2.3 and tflite-runtime 2.14."""


def check_formats(targets: Sequence[str]) -> None:
    """Refuse what is no format.

    Raises:
        UsageError: an unknown target, or none.
    """
    unknown = [target for target in targets if target not in TARGETS]
    if unknown or not targets:
        raise UsageError(f"targets are {', '.join(targets) or 'none'}; expected some of {', '.join(TARGETS)}")


def retarget(
    source: str | os.PathLike[str], out: str | os.PathLike[str], *, targets: Sequence[str], overwrite: bool = False
) -> None:
    """Write a package with the same contents as another and with graphs of other formats.

    Args:
        source: a package.
        out: the file to write.
        targets: some of `TARGETS`.
        overwrite: replace ``out``.

    Raises:
        UsageError: an unknown target, or ``out`` exists.
        PackageError: ``source`` cannot be read.
    """
    check_formats(targets)
    with Package.open(source) as package:
        with ZipFile(source) as archive:
            manifest = json.loads(archive.read(MANIFEST_NAME))
        arrays = {entry.name: package.array(entry.name) for entry in package.manifest.entries if entry.role == "array"}
        files = {
            entry.name: (entry.role, bytes(package.blob(entry.name)))
            for entry in package.manifest.entries
            if entry.role not in ("array", "graph")
        }
        manifest["graphs"], graphs = graph_entries(manifest, arrays, targets=targets)
        write_package(out, manifest=manifest, arrays=arrays, files=files | graphs, overwrite=overwrite)


def targets_of(manifest: Mapping[str, Any]) -> list[str]:
    """The formats that a package has graphs of."""
    return [target for target in TARGETS if manifest["graphs"].get(target)]


def graph_entries(
    manifest: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], *, targets: Collection[str]
) -> tuple[dict[str, Any], dict[str, tuple[str, bytes]]]:
    """The manifest's ``graphs``, and the entries that it names.

    Args:
        manifest: ``signals``, ``encoder``, ``catalogue`` and ``history`` are read.
        arrays: the package's.
        targets: some of `TARGETS`.
    """
    signals, encoder = manifest["signals"], manifest["encoder"]
    items, history = manifest["catalogue"]["items"], manifest["history"]["max_items"]
    graphs: dict[str, Any] = {"onnx": None}
    entries: dict[str, bytes] = {}
    if "onnx" in targets:
        graphs["onnx"] = _named("onnx", encoder) | {"min_onnxruntime": MIN_ONNXRUNTIME}
        entries["graphs/ranker.onnx"] = ranker_graph(signals, arrays=arrays)
        if encoder is not None:
            graph = encoder_graph(len(arrays["tokens/value"]), encoder["dim"], bits=encoder.get("bits", 8))
            entries["graphs/encoder.onnx"] = graph
    if "tflite" in targets:
        graphs["tflite"] = _named("tflite", encoder) | MIN_TFLITE
        ranker = ranker_model(signals, arrays=arrays, items=items, history=history)
        entries["graphs/ranker.tflite"] = ranker
        if encoder is not None:
            model = encoder_model(arrays=arrays, tokens=encoder["max_tokens"], bits=encoder.get("bits", 8))
            entries["graphs/encoder.tflite"] = model
    return graphs, {name: ("graph", data) for name, data in entries.items()}


def _named(target: str, encoder: Mapping[str, Any] | None) -> dict[str, Any]:
    return {"ranker": f"graphs/ranker.{target}", "encoder": None if encoder is None else f"graphs/encoder.{target}"}
