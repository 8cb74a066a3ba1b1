"""From texts with labels to a package that labels texts: read, teach, choose, fit, fold, quantize, calibrate, write."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from pocketrec import __version__
from pocketrec.errors import UsageError
from pocketrec.inspection import describe_package, labelled_case
from pocketrec.manifest import FORMAT
from pocketrec.opening import open_package

from pocketrec_export.assemble import Parts, with_golden
from pocketrec_export.full_model import MAX_HISTORY, MAX_WEIGHT
from pocketrec_export.graphs import encoder_graph
from pocketrec_export.label_choice import Fitted, fit_heads
from pocketrec_export.label_metrics import label_metrics
from pocketrec_export.labelled_texts import LabelledTexts, read_labelled
from pocketrec_export.presets import PRESETS
from pocketrec_export.progress import Progress, Run
from pocketrec_export.quantize import quantize_rows
from pocketrec_export.requests import check_targets
from pocketrec_export.student import MAX_TOKENS
from pocketrec_export.targets import MIN_ONNXRUNTIME
from pocketrec_export.teacher import load_teacher
from pocketrec_export.threads import available_threads, fixed_threads
from pocketrec_export.tokenizer_tables import tokenizer_arrays, tokenizer_facts
from pocketrec_export.writer import string_table

GOLDEN_TEXTS = 12


@dataclass(frozen=True)
class ClassifierReport:
    """What was built.

    Attributes:
        path: of the package.
        facts: of `inspection.describe_package`; its ``metrics`` are those of texts held out before the last fit.
        notes: what reading had to repair.
        seconds: each stage took.
    """

    path: Path
    facts: dict[str, Any]
    notes: tuple[Any, ...]
    seconds: Mapping[str, float]

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "package": str(self.path),
            "bytes": self.facts["bytes"],
            "heads": self.facts["heads"],
            "metrics": self.facts["metrics"],
            "notes": [str(note) for note in self.notes],
            "seconds": dict(self.seconds),
        }

    def lines(self) -> list[str]:
        """The same for a terminal."""
        lines = [f"{self.path}: {self.facts['bytes']:,} bytes"]
        for name, figures in self.facts["metrics"].items():
            told = ", ".join(f"{key} {value:.3f}" for key, value in figures.items() if isinstance(value, float))
            lines.append(f"{name}: {self.facts['heads'][name]} labels; on {figures['texts']:,} held-out texts {told}")
        return lines + [f"note: {note}" for note in self.notes]


def build_classifier(
    texts: Any,
    *,
    out: str | os.PathLike[str],
    columns: Mapping[str, str] | None = None,
    labels: Sequence[str] | None = None,
    name: str | None = None,
    preset: str = "quick",
    teacher: str | None = None,
    dim: int | None = None,
    seed: int = 0,
    threads: int | None = None,
    cache: str | os.PathLike[str] | None = None,
    data_license: str = "",
    attribution: str = "",
    overwrite: bool = False,
    quiet: bool = False,
) -> ClassifierReport:
    """Write a package that labels texts: a static encoder with one head for each label column.

    A sixth of the texts chooses the penalties and the temperatures and gives the figures; then all are fitted.

    Args:
        texts: a text column and label columns: a path, DataFrame or Arrow table.
        out: the package to write.
        columns: ``{"text": NAME}`` where the text column is called otherwise.
        labels: the label columns; by default all other columns.
        name: of the package; by default that of the file.
        preset: of ``PRESETS``: how many word pieces the encoder may know.
        teacher: as in `build`: what is known of words before any label is seen.
        dim: width of the encoder, a multiple of 64; None is 64 and the labels, 192 at most.
        seed: of the split. The same texts, versions, threads and seed give the same bytes.
        threads: to compute with; None is what the process may use.
        cache: folder to keep the teacher's vectors in.
        data_license: of the data, stored in the package.
        attribution: whom to credit, stored in the package.
        overwrite: replace ``out``.
        quiet: no progress on stderr.

    Raises:
        DataError: the texts cannot be used, see `labelled_texts.read_labelled`.
        UsageError: arguments that cannot be, or a file that exists.
    """
    path, count = Path(out), available_threads() if threads is None else threads
    if preset not in PRESETS:
        raise UsageError(f"preset is {preset!r}; expected one of {', '.join(PRESETS)}")
    if not 0 <= seed < 2**32 or count < 1:
        raise UsageError(f"seed is {seed}, threads is {count}; expected 0 to 4294967295, and 1 or more")
    if dim is not None and (dim % 64 or not 64 <= dim <= 4096):
        raise UsageError(f"dim is {dim}; expected 64, 128, ... up to 4096")
    check_targets(path, overwrite)
    run = Run(Progress(quiet=quiet), seed=seed, preset=preset, min_users=1, threads=count, cache=cache)
    with fixed_threads(count, torch=True):
        with run.stage("reading"):
            data = read_labelled(texts, columns=columns, labels=labels)
        with run.stage("loading the teacher"):
            of = load_teacher(teacher, cache=None if cache is None else Path(cache), say=run.progress.say)
        with run.stage(f"encoding {len(data.texts):,} texts and fitting {len(data.heads)} heads to them"):
            fitted = fit_heads(data, of, dim=dim, preset=preset, seed=seed)
        with run.stage("writing the package"):
            title = name or path.name.removesuffix(".pocketrec")
            about = {"data": {"license": data_license, "attribution": attribution}, "seed": seed}
            encoder = {"teacher": of.name, "teacher_sha256": of.sha256, "teacher_recipe": dict(of.recipe)}
            parts = _parts(fitted, data, name=title, about=about, encoder=encoder)
            parts = with_golden(parts, lambda labeller: [labelled_case(labeller, text) for text in _golden_texts(data)])
            parts.write(path, overwrite=overwrite)
    with open_package(path) as labeller:
        facts = describe_package(labeller.package)
    return ClassifierReport(path, facts, tuple(data.notes), run.seconds)


def _parts(
    fitted: Fitted, data: LabelledTexts, *, name: str, about: Mapping[str, Any], encoder: Mapping[str, Any]
) -> Parts:
    arrays: dict[str, NDArray[Any]] = string_table("catalogue/id", [], lookup=True)
    arrays |= string_table("catalogue/title", [], lookup=False)
    arrays |= tokenizer_arrays(fitted.vocabulary)
    arrays["tokens/value"], arrays["tokens/scale"] = quantize_rows(fitted.tokens)
    for number, (head, weight, bias) in enumerate(zip(data.heads, fitted.weights, fitted.biases, strict=True)):
        arrays[f"heads/{number}.weight"], arrays[f"heads/{number}.bias"] = weight, bias
        arrays |= string_table(f"heads/{number}_label", head.labels, lookup=False)
    rows, dim = arrays["tokens/value"].shape
    manifest = {
        "format": FORMAT,
        "name": name,
        "generator": f"pocketrec {__version__}",
        "catalogue": {"items": 0, "categories": 0},
        "history": {"max_items": MAX_HISTORY, "max_weight": MAX_WEIGHT},
        "signals": {},
        "blend": {"recommend": {}, "search": {}, "similar": {}},
        "encoder": {
            "kind": "static",
            "dim": dim,
            "bits": 8,
            "max_tokens": MAX_TOKENS,
            **tokenizer_facts(fitted.vocabulary),
            "normalize": True,
            **encoder,
        },
        "heads": [{"name": head.name, "labels": len(head.labels)} for head in data.heads],
        "ratings": None,
        "cold": None,
        "graphs": {
            "onnx": {"ranker": None, "encoder": "graphs/encoder.onnx", "min_onnxruntime": MIN_ONNXRUNTIME},
        },
        "input": {"value_kind": "labels", "reason": "texts with labels", "positive": None, "split_sha256": None},
        "metrics": {
            head.name: label_metrics(logits, index)
            for head, logits, index in zip(data.heads, fitted.held_out_logits, fitted.held_out_labels, strict=True)
        },
        **about,
    }
    card = _model_card(manifest).encode()
    files = {
        "graphs/encoder.onnx": ("graph", encoder_graph(rows, dim)),
        "MODEL_CARD.md": ("document", card),
    }
    return Parts(manifest, arrays, files)


def _golden_texts(data: LabelledTexts) -> list[str]:
    """Made of label names, never of somebody's text."""
    words = [" ".join(label.replace("_", " ").split()) for head in data.heads for label in head.labels]
    return [f"{word} {words[(7 * at + 3) % len(words)]}" for at, word in enumerate(words[:GOLDEN_TEXTS])]


def _model_card(manifest: Mapping[str, Any]) -> str:
    lines = [
        f"# {manifest['name']}",
        "",
        f"A {manifest['generator']} package that labels texts, offline. It holds no text that it learned from.",
        "",
    ]
    for head in manifest["heads"]:
        figures = manifest["metrics"][head["name"]]
        lines.append(f"- {head['name']}: {head['labels']} labels; accuracy {figures['accuracy']:.3f} on held-out texts")
    lines += [
        f"- What is known of words beforehand: {manifest['encoder']['teacher']}",
        f"- Data license: {manifest['data']['license'] or 'not stated'}",
        f"- Attribution: {manifest['data']['attribution'] or 'not stated'}",
        "",
        "Limits: probabilities are honest for texts like those of the data; a text of another kind gets a label, too.",
    ]
    return "\n".join(lines) + "\n"
