"""From questions and their answers, or texts and intents, to a package that answers: build, ask it, calibrate, write.

The package is that of `build` with the questions as items. Then it is asked its own questions, each left out of the
catalogue while it is asked: right where the best answer is its own. And each once more with all questions of its
answer left out, so that no answer can be right. On these a logistic regression fits the confidence, and the threshold
is the one at which most of the decisions (answer or none) are right. A question that is alone with its answer is asked
with a word missing instead of being left out.
"""

from __future__ import annotations

import json
import os
import random
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pocketrec.answers import AnswerSettings
from pocketrec.archive import MANIFEST_NAME
from pocketrec.errors import DataError, UsageError
from pocketrec.opening import open_package
from pocketrec.package import Package
from pocketrec.recommender import Recommender
from scipy import optimize

from pocketrec_export.columns import id_strings, strings
from pocketrec_export.files import open_table
from pocketrec_export.pipeline import build
from pocketrec_export.requests import check_targets
from pocketrec_export.writer import string_table, write_package

QUESTION_SYNONYMS = ("text", "query", "utterance", "title", "sentence")
ANSWER_SYNONYMS = ("intent", "label", "category", "response", "reply")
POOL = 50
ASKED = 1500
"""Questions that the package is asked to calibrate it."""
_SHRINK = 1e-3


@dataclass(frozen=True)
class AnswersReport:
    """What was built.

    Attributes:
        path: of the package.
        size_bytes: of it.
        questions: in the catalogue.
        settings: how sure answers are.
        metrics: of the questions asked to calibrate: share right, and of the decisions at the threshold.
    """

    path: Path
    size_bytes: int
    questions: int
    settings: AnswerSettings
    metrics: Mapping[str, float]

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "package": str(self.path),
            "bytes": self.size_bytes,
            "questions": self.questions,
            "answers": asdict(self.settings),
            "metrics": dict(self.metrics),
        }

    def lines(self) -> list[str]:
        """The same for a terminal."""
        return [
            f"{self.path}: {self.size_bytes:,} bytes, {self.questions:,} questions, {self.settings.answers:,} answers",
            f"of {self.metrics['asked']:.0f} of them, left out while asked: {self.metrics['right']:.1%} right; at the "
            f"threshold {self.settings.threshold:.2f} answered {self.metrics['answered']:.1%}, "
            f"{self.metrics['precision']:.1%} of these right; "
            f"{self.metrics['refused']:.1%} of those without an answer refused",
        ]


def build_answers(
    texts: Any,
    *,
    out: str | os.PathLike[str],
    columns: Mapping[str, str] | None = None,
    seed: int = 0,
    overwrite: bool = False,
    **options: Any,
) -> AnswersReport:
    """Write a package that answers questions.

    Args:
        texts: a question and an answer (or intent) column: a path, DataFrame or Arrow table.
        out: the package to write.
        columns: ``{"question": NAME, "answer": NAME}`` where they are called otherwise.
        seed: of what is asked, and of `build`.
        overwrite: replace ``out``.
        options: of `build`, such as ``teacher``, ``preset``, ``cache`` and ``quiet``.

    Raises:
        DataError: a column is missing, no question is left, or there is one answer alone.
        UsageError: see `build`.
    """
    path = Path(out)
    check_targets(path, overwrite)
    questions, answers = _read(texts, columns or {})
    names = sorted(set(answers))
    if len(names) < 2:
        raise DataError(f"expected two answers or more, found {len(names)}: there is nothing to choose from")
    items = pd.DataFrame({"item": [str(row) for row in range(len(questions))], "title": questions})
    temporary = path.with_name(f".{path.name}.questions")
    try:
        build(
            None, items, out=temporary, name=path.name.removesuffix(".pocketrec"), seed=seed, overwrite=True, **options
        )
        position = {name: row for row, name in enumerate(names)}
        of = np.array([position[answer] for answer in answers], np.uint32)
        plain = AnswerSettings(len(names), min(POOL, len(questions)), 0.0, 1.0, 1.0, 0.0)
        _rewrite(temporary, temporary, names, of, plain, {}, overwrite=True)
        with open_package(temporary) as package:
            settings, metrics = _calibrated(package, plain, questions, answers, seed)
        _rewrite(temporary, path, names, of, settings, {"answers": metrics}, overwrite=overwrite)
    finally:
        temporary.unlink(missing_ok=True)
    return AnswersReport(path, path.stat().st_size, len(questions), settings, metrics)


def _read(source: Any, columns: Mapping[str, str]) -> tuple[list[str], list[str]]:
    unknown = [role for role in columns if role not in ("question", "answer")]
    if unknown:
        raise UsageError(f"columns: unknown role {unknown[0]!r}; expected question, answer")
    table = open_table(source)
    name, asked = table.require("question", QUESTION_SYNONYMS, columns)
    other, given = table.require("answer", ANSWER_SYNONYMS, {**columns, "question": name})
    pairs = zip(strings(asked).to_pylist(), _texts(given, other, table), strict=True)
    kept = dict.fromkeys((q.strip(), a.strip()) for q, a in pairs if q and a and q.strip() and a.strip())
    if not kept:
        raise DataError(f"{table.name}: no row has both a {name!r} and an {other!r}")
    return [q for q, _ in kept], [a for _, a in kept]


def _texts(array: pa.Array, column: str, table: Any) -> list[str | None]:
    found: list[str | None] = id_strings(array, column=column, table=table).to_pylist()
    return found


def _calibrated(
    package: Recommender, plain: AnswerSettings, questions: list[str], answers: list[str], seed: int
) -> tuple[AnswerSettings, dict[str, float]]:
    rng = random.Random(seed)
    rows = rng.sample(range(len(questions)), min(ASKED, len(questions)))
    same: dict[str, list[int]] = {}
    for row, answer in enumerate(answers):
        same.setdefault(answer, []).append(row)
    x, right, could = [], [], []
    for row in rows:
        fellows = same[answers[row]]
        alone = len(fellows) == 1
        text = _shorter(rng, questions[row]) if alone else questions[row]
        for left_out, may in (([] if alone else [row], True), (fellows, False)):
            found = _features(package, text, [str(other) for other in left_out])
            if found is not None:
                x.append(found[1:])
                right.append(may and found[0] == answers[row])
                could.append(may)
    if not x:
        raise DataError("no question leads to another by its words or meaning; give questions in whole words")
    weights = _logistic(np.array(x), np.array(right, float))
    bias, score_weight, margin_weight = map(float, weights)
    fitted = replace(plain, bias=bias, score=score_weight, margin=margin_weight)
    p = np.array([fitted.confidence(score, margin) for score, margin in x])
    good, answerable = np.array(right, np.bool_), np.array(could, np.bool_)
    threshold = _threshold(p, good)
    answered = p >= threshold
    metrics = {
        "asked": float(len(rows)),
        "right": float(good[answerable].mean()) if answerable.any() else 0.0,
        "answered": float(answered[answerable].mean()) if answerable.any() else 0.0,
        "precision": float(good[answered & answerable].mean()) if (answered & answerable).any() else 0.0,
        "refused": float((~answered[~answerable]).mean()) if (~answerable).any() else 0.0,
    }
    return replace(fitted, threshold=threshold), metrics


def _features(package: Recommender, text: str, left_out: list[str]) -> tuple[str, float, float] | None:
    """The best answer, its score and its margin; None where nothing is found."""
    found = package.answer(text, exclude=left_out)
    return None if found.best == "" else (found.best, found.score, found.margin)


def _logistic(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bias and weights of a logistic regression with a little shrinkage."""
    design = np.concatenate([np.ones((len(x), 1)), x], axis=1)

    def loss(w: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        z = design @ w
        value = np.mean(np.logaddexp(0, z) - y * z) + _SHRINK * (w @ w)
        return float(value), design.T @ (1 / (1 + np.exp(-z)) - y) / len(y) + 2 * _SHRINK * w

    found = optimize.minimize(loss, np.zeros(design.shape[1]), jac=True, method="L-BFGS-B")
    return np.asarray(found.x)


def _threshold(p: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """The confidence from which on answering is right most often, and not answering where no answer would be."""
    order = np.argsort(-p, kind="stable")
    gain = np.concatenate([[0], np.cumsum(np.where(right[order], 1, -1))])
    best = int(gain.argmax())
    return float(p[order[best - 1]]) if best else 1.0


def _shorter(rng: random.Random, text: str) -> str:
    words = text.split()
    if len(words) > 1:
        del words[rng.randrange(len(words))]
    return " ".join(words)


def _rewrite(
    source: Path,
    to: Path,
    names: list[str],
    of: NDArray[np.uint32],
    settings: AnswerSettings,
    metrics: Mapping[str, Any],
    *,
    overwrite: bool,
) -> None:
    """The package at ``source`` with answers, written to ``to``."""
    with zipfile.ZipFile(source) as archive:
        manifest = json.loads(archive.read(MANIFEST_NAME))
    with Package.open(source) as package:
        entries = package.manifest.entries
        arrays = {entry.name: np.array(package.array(entry.name)) for entry in entries if entry.role == "array"}
        files = {
            entry.name: (entry.role, bytes(package.blob(entry.name))) for entry in entries if entry.role != "array"
        }
    manifest["answers"] = asdict(settings)
    manifest["metrics"] = {**manifest["metrics"], **metrics}
    arrays |= string_table("answers/text", names, lookup=False) | {"answers/item": of}
    write_package(to, manifest=manifest, arrays=arrays, files=files, overwrite=overwrite)
