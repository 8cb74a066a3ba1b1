"""What a device needs to place a new text among the items: the text -> factor matrix and the means of both encoders.

The device reads a new item's text with the student, which imitates the teacher on short texts: its first `TOKENS`
pieces. Its vectors of the warm items' texts are what the matrix is fitted on, by ridge regression, so that it knows the
student's own mistakes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pocketrec.likeness import WordLikeness
from pocketrec.placing import ColdInfo, centered

from pocketrec_export.full_model import FullModel
from pocketrec_export.items import Items
from pocketrec_export.lexical import lexical_arrays, lexical_budget
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


@dataclass(frozen=True)
class DeviceTexts:
    """Item texts as a device reads and compares them.

    Attributes:
        info: how texts are placed.
        texts: I texts.
        vectors: float32[I, D] by the student; zero rows beyond the anchors.
        anchors: float32[A, D], the catalogue's vectors of the anchors, centered.
        center: float32[2, D], see `placing`.
        words: compares words; None where the catalogue has none.
    """

    info: ColdInfo
    texts: Sequence[str]
    vectors: NDArray[np.float32]
    anchors: NDArray[np.float32]
    center: NDArray[np.float32]
    words: WordLikeness | None

    def likeness(self, rows: NDArray[np.int64]) -> NDArray[np.float32] | None:
        """float32[R, A]: how alike items and anchors are in their words."""
        if self.words is None:
            return None
        return self.words.of([self.texts[row] for row in rows.tolist()], len(self.anchors))


def device_texts(
    model: FullModel, student: Student, items: Items, texts: Sequence[str], *, anchors: int
) -> DeviceTexts | None:
    """The texts of a catalogue; None where no item is warm and has a text.

    Args:
        model: as stored, over I items, the first ``anchors`` of them warm.
        student: the encoder of the device.
        items: I of them.
        texts: what encoders read of each.
        anchors: how many items new texts are compared with.
    """
    if model.text is None or anchors == 0:
        return None
    vectors = np.zeros_like(model.text)
    vectors[:anchors] = encode(student.tokens, student.vocabulary, texts[:anchors], limit=TOKENS)
    own = model.text[:anchors]
    said = np.any(vectors[:anchors] != 0, axis=1) & np.any(own != 0, axis=1)
    if not said.any():
        return None
    center = np.stack([vectors[:anchors][said].mean(axis=0), own[said].mean(axis=0)])
    arrays = lexical_arrays(items, budget=lexical_budget(len(items)))
    words = WordLikeness(arrays.__getitem__, len(items)) if arrays else None
    return DeviceTexts(ColdInfo(anchors, tokens=TOKENS), texts, vectors, centered(own, center[1]), center, words)


def matrix(model: FullModel, texts: DeviceTexts, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """The text -> factor matrix float32[D + 1, d], fitted on some warm items."""
    assert model.factors is not None
    said = rows[np.any(texts.vectors[rows] != 0, axis=1)]
    return _affine(texts.vectors[said], model.factors.table[said]).astype(np.float32)


def placement(model: FullModel, texts: DeviceTexts, scales: tuple[float, float]) -> Placement:
    """What goes into the package; ``scales`` is what factors and neighbours are multiplied with."""
    arrays = {"cold/center": texts.center}
    if model.factors is not None:
        arrays["cold/factors"] = matrix(model, texts, np.arange(len(texts.anchors)))
    return Placement(asdict(replace(texts.info, factors=scales[0], neighbours=scales[1])), arrays)


def _affine(x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.float64]:
    """float64 [D + 1, d]: what (x, 1) is multiplied with to come near y; only the rows of x are shrunk."""
    left, right = x.astype(np.float64), y.astype(np.float64)
    centers = left.mean(axis=0), right.mean(axis=0)
    left, right = left - centers[0], right - centers[1]
    gram = left.T @ left
    gram[np.diag_indices_from(gram)] += RIDGE * np.trace(gram) / len(gram) + 1e-9
    slope = np.linalg.solve(gram, left.T @ right)
    return np.concatenate([slope, (centers[1] - centers[0] @ slope)[None]])
