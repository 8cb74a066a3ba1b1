"""Answers on Banking77: the train texts are the catalogue, encoded by the teacher; test questions by the student.

usage: python benchmarks/answers.py DATA [--preset quick|full] [--teacher T] [--rows N] [--cache DIR]

DATA holds ``banking77/{train,test}.parquet`` (text, category). The package is built by `build_answers` on the train
texts. hit@1 is the share of test questions whose nearest catalogue text has their intent: by the teacher's vectors
(both sides), by the student's query vectors against the package's own table, and by the package's answers (words and
meaning, as it ships). Then the confidence: mean gap to accuracy over ten bins, and at the package's threshold the share
answered and right, and the share refused of questions whose intent is unknown (a second package is built without
every tenth intent). Writes results/answers.json.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pocketrec
from machine import save
from pocketrec_export.answers import build_answers
from pocketrec_export.teacher import load_teacher

BINS = 10


def main() -> None:
    """Build, ask, print and save."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--teacher", default=None)
    parser.add_argument("--rows", type=int, default=None, help="of each part (fewer: a quick look)")
    parser.add_argument("--cache", default=None, help="folder to keep the teacher's vectors and the student in")
    args = parser.parse_args()
    train, test = (
        pd.read_parquet(args.data / "banking77" / f"{part}.parquet").sample(frac=1, random_state=0).iloc[: args.rows]
        for part in ("train", "test")
    )
    test = test[test.category.isin(set(train.category))]
    known = _ask(train, test, args)
    hidden = set(sorted(set(train.category))[::10])
    fewer = _ask(train[~train.category.isin(hidden)], test, args)
    unknown = np.array([category in hidden for category in test.category])
    row: dict[str, Any] = {
        "preset": args.preset,
        "teacher": args.teacher or "default",
        "train": len(train),
        "test": len(test),
        **{name: float(np.mean(known[name])) for name in ("teacher_hit", "student_hit", "answer_hit")},
        "bytes": known["bytes"],
        "threshold": known["threshold"],
        "calibration_error": _gap(known["confidence"], known["answer_hit"]),
        "answered": float(known["answered"].mean()),
        "precision": float(known["answer_hit"][known["answered"]].mean()),
        "refused_of_unknown": float((~fewer["answered"][unknown]).mean()),
        "answered_of_known_beside_unknown": float(fewer["answered"][~unknown].mean()),
    }
    row["student_to_teacher"] = row["student_hit"] / row["teacher_hit"]
    print(
        f"Banking77, {row['test']:,} questions: hit@1 teacher {row['teacher_hit']:.4f}, "
        f"student {row['student_hit']:.4f} "
        f"({row['student_to_teacher']:.3f}), answers {row['answer_hit']:.4f}; calibration error "
        f"{row['calibration_error']:.4f}; at threshold {row['threshold']:.2f} answered {row['answered']:.3f}, "
        f"{row['precision']:.3f} right; refused of unknown intents {row['refused_of_unknown']:.3f}; "
        f"{row['bytes'] / 1e6:.2f} MB"
    )
    print(save("answers", [row]))


def _ask(train: pd.DataFrame, test: pd.DataFrame, args: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "faq.pocketrec"
        report = build_answers(
            train,
            out=path,
            columns={"question": "text", "answer": "category"},
            preset=args.preset,
            teacher=args.teacher,
            cache=args.cache,
            threads=1,
            quiet=True,
        )
        truth = test.category.to_numpy()
        with pocketrec.open(path) as package:
            found = [package.answer(text) for text in test.text]
            queries = np.array([package.encode(text) for text in test.text])
            rows = np.arange(len(package.catalogue))
            table = package.package.dense_rows("text", rows)
            names = list(package.package.strings("answers/text"))
            intents = np.array(names)[package.package.array("answers/item")]
            titles = [package.catalogue.title(row) for row in rows]
        size = path.stat().st_size
    teacher = load_teacher(args.teacher, cache=None if args.cache is None else Path(args.cache))
    theirs = teacher.encode(list(test.text)) @ teacher.encode(titles).T
    return {
        "teacher_hit": intents[theirs.argmax(axis=1)] == truth,
        "student_hit": intents[(queries @ table.T).argmax(axis=1)] == truth,
        "answer_hit": np.array([answer.best for answer in found]) == truth,
        "confidence": np.array([answer.confidence for answer in found]),
        "answered": np.array([answer.text is not None for answer in found]),
        "threshold": report.settings.threshold,
        "bytes": size,
    }


def _gap(confidence: np.ndarray[Any, Any], right: np.ndarray[Any, Any]) -> float:
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return sum(abs(float((confidence[bins == b] - right[bins == b]).sum())) for b in range(BINS)) / len(right)


if __name__ == "__main__":
    main()
