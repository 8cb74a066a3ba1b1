"""What a device needs to place a new text among the items: the text -> factor matrix and the means of both encoders.

The device reads a new item's text with the student, which imitates the teacher on short texts: its first `TOKENS`
pieces. Its vectors of the warm items' texts are what the matrix is fitted on, by ridge regression, so that it knows the
student's own mistakes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pocketrec.placing import ColdInfo

from pocketrec_export.cold import ColdSettings
from pocketrec_export.full_model import FullModel
from pocketrec_export.student import Student, encode

TOKENS = 40
"""Pieces of a text: so long are the longest lessons of the student."""
RIDGE = 0.1
"""In mean eigenvalues of the vectors' covariance."""


@dataclass(frozen=True)
class Placement:
    """The manifest's ``cold``, and the arrays ``cold/*``."""

    info: Mapping[str, Any]
    arrays: Mapping[str, NDArray[np.float32]]


def placement(
    model: FullModel, student: Student, texts: Sequence[str], *, anchors: int, settings: ColdSettings
) -> Placement | None:
    """What goes into the package; None where no item is warm and has a text.

    Args:
        model: as stored, over I items, the first ``anchors`` of them warm.
        student: the encoder of the device.
        texts: of the I items, as encoders read them.
        anchors: how many items new texts are compared with.
        settings: how much estimates count.
    """
    if model.text is None or anchors == 0:
        return None
    vectors = encode(student.tokens, student.vocabulary, texts[:anchors], limit=TOKENS)
    said = np.any(vectors != 0, axis=1) & np.any(model.text[:anchors] != 0, axis=1)
    if not said.any():
        return None
    center = np.stack([vectors[said].mean(axis=0), model.text[:anchors][said].mean(axis=0)])
    arrays = {"cold/center": center}
    if model.factors is not None:
        matrix = _affine(vectors[said], model.factors.table[:anchors][said])
        arrays["cold/factors"] = (settings.factors * matrix).astype(np.float32)
    return Placement(asdict(ColdInfo(anchors, tokens=TOKENS, neighbours=settings.neighbours)), arrays)


def _affine(x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.float64]:
    """float64 [D + 1, d]: what (x, 1) is multiplied with to come near y; only the rows of x are shrunk."""
    left, right = x.astype(np.float64), y.astype(np.float64)
    centers = left.mean(axis=0), right.mean(axis=0)
    left, right = left - centers[0], right - centers[1]
    gram = left.T @ left
    gram[np.diag_indices_from(gram)] += RIDGE * np.trace(gram) / len(gram) + 1e-9
    slope = np.linalg.solve(gram, left.T @ right)
    return np.concatenate([slope, (centers[1] - centers[0] @ slope)[None]])
