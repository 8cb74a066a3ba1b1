"""Labels of texts: Banking77 (its own test texts) and Financial PhraseBank (5 folds), packages against tf-idf.

usage: python benchmarks/labels.py DATA [--sets banking77,financial-phrasebank] [--folds N] [--cache DIR]

DATA holds ``banking77/{train,test}.parquet`` and ``financial-phrasebank/sentences.parquet`` (text, category). Every
package is built by `build_classifier` on the training texts alone, its penalties and temperatures chosen on a part of
these; then it is opened and asked for each test text. Beside it tf-idf of words with logistic regression. For
PhraseBank the alert "negative" at four thresholds: how many of those it fires for are negative, and how many of the
negative it finds. Writes results/labels.json.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pocketrec
from machine import save
from numpy.typing import NDArray
from pocketrec_export.classifier import build_classifier
from pocketrec_export.label_metrics import alert_figures, label_metrics
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

SETS = ("banking77", "financial-phrasebank")
THRESHOLDS = (0.5, 0.7, 0.8, 0.9)
WATCHED = "negative"


def main() -> None:
    """Build, ask, print and save."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--folds", type=int, default=5, help="how many of the five folds (fewer: a quick look)")
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--cache", default=None, help="folder to keep the teacher's vectors in")
    args = parser.parse_args()
    rows = []
    for name in args.sets.split(","):
        found = [_measure(train, test, args) for train, test in _parts(args.data / name, args.folds)]
        rows.append(_summary(name, found))
        _print(rows[-1])
    print(save("labels", rows))


def _parts(folder: Path, folds: int) -> list[tuple[pd.DataFrame, pd.DataFrame]]:
    """Training and test texts: those of the set, or five stratified folds."""
    if (folder / "test.parquet").exists():
        return [(pd.read_parquet(folder / "train.parquet"), pd.read_parquet(folder / "test.parquet"))]
    table = pd.read_parquet(folder / "sentences.parquet")
    divided = StratifiedKFold(5, shuffle=True, random_state=0).split(table.text, table.category)
    return [(table.iloc[train], table.iloc[test]) for train, test in divided][:folds]


def _measure(train: pd.DataFrame, test: pd.DataFrame, args: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "labels.pocketrec"
        started = time.perf_counter()
        build_classifier(
            train, out=path, labels=["category"], preset=args.preset, cache=args.cache, threads=1, quiet=True
        )
        seconds = time.perf_counter() - started
        with pocketrec.open(path) as labeller:
            texts, times = list(test.text), []
            p = np.empty((len(texts), 0))
            for row, text in enumerate(texts):
                started = time.perf_counter()
                found = labeller.classify(text)["category"]
                times.append(time.perf_counter() - started)
                if row == 0:
                    labels = list(found.probabilities)
                    p = np.empty((len(texts), len(labels)))
                p[row] = list(found.probabilities.values())
        truth = np.array([labels.index(label) for label in test.category])
        return {
            **label_metrics(np.log(np.maximum(p, 1e-300)), truth),
            "bytes": path.stat().st_size,
            "classify_ms": 1000 * float(np.median(times)),
            "build_seconds": seconds,
            "tfidf_accuracy": _tfidf(train, test),
            "watched": p[:, labels.index(WATCHED)] if WATCHED in labels else None,
            "is_watched": np.asarray(test.category == WATCHED),
        }


def _tfidf(train: pd.DataFrame, test: pd.DataFrame) -> float:
    words = TfidfVectorizer(sublinear_tf=True)
    model = LogisticRegression(C=10, max_iter=1000).fit(words.fit_transform(train.text), train.category)
    return float((model.predict(words.transform(test.text)) == test.category).mean())


def _summary(name: str, found: list[dict[str, Any]]) -> dict[str, Any]:
    keys = ("accuracy", "macro_f1", "log_loss", "calibration_error", "tfidf_accuracy", "classify_ms", "build_seconds")
    row: dict[str, Any] = {"set": name, "parts": len(found)}
    row |= {key: float(np.mean([one[key] for one in found])) for key in keys}
    row["accuracy_by_part"] = [one["accuracy"] for one in found]
    row["bytes"] = max(one["bytes"] for one in found)
    if found[0]["watched"] is not None:
        p: NDArray[Any] = np.concatenate([one["watched"] for one in found])
        truth = np.concatenate([one["is_watched"] for one in found])
        row["alerts"] = [alert_figures(p, truth, threshold) for threshold in THRESHOLDS]
    return row


def _print(row: dict[str, Any]) -> None:
    print(
        f"{row['set']}: accuracy {row['accuracy']:.4f} (tf-idf {row['tfidf_accuracy']:.4f}), "
        f"macro F1 {row['macro_f1']:.4f}, calibration error {row['calibration_error']:.4f}, "
        f"{row['bytes'] / 1e6:.2f} MB, {row['classify_ms']:.3f} ms a text, built in {row['build_seconds']:.0f} s"
    )
    for alert in row.get("alerts", ()):
        print(
            f"  alert {WATCHED}>{alert['threshold']:g}: precision {alert['precision']:.3f}, "
            f"recall {alert['recall']:.3f}, fired {alert['fired']}"
        )


if __name__ == "__main__":
    main()
