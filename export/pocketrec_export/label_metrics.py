"""How good labels and their probabilities are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketrec_export.label_fit import F64, log_loss

BINS = 10


def probabilities(logits: F64) -> F64:
    """Softmax over the last axis."""
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def label_metrics(logits: F64, labels: NDArray[np.int64]) -> dict[str, Any]:
    """Figures of one head on texts that it was not fitted to: logits float64 [N, C], labels int64 [N].

    Returns:
        ``accuracy``; ``macro_f1``, the mean of the labels' F1; ``log_loss``; ``calibration_error``, the mean gap
        of probability and accuracy over ten equally wide bins of probability; ``texts``, N.
    """
    p = probabilities(logits)
    said, best = p.argmax(axis=1), p.max(axis=1)
    right = said == labels
    f1 = []
    for label in np.unique(labels):
        hit = int((right & (labels == label)).sum())
        f1.append(2 * hit / (int((said == label).sum()) + int((labels == label).sum())))
    bins = np.minimum((best * BINS).astype(int), BINS - 1)
    gap = sum(abs(float((best[bins == b] - right[bins == b]).sum())) for b in range(BINS)) / len(labels)
    return {
        "accuracy": float(right.mean()),
        "macro_f1": float(np.mean(f1)),
        "log_loss": log_loss(logits, labels),
        "calibration_error": gap,
        "texts": len(labels),
    }


def alert_figures(p: NDArray[np.float64], truth: NDArray[np.bool_], threshold: float) -> dict[str, float]:
    """Precision and recall of an alert: probabilities float64 [N], whether each text has the label bool [N]."""
    fired = p > threshold
    hit = int((fired & truth).sum())
    return {
        "threshold": threshold,
        "fired": int(fired.sum()),
        "precision": hit / max(1, int(fired.sum())),
        "recall": hit / max(1, int(truth.sum())),
    }
