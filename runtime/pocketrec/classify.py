"""Labels of a text with honest probabilities, and alerts that watch them.

The text's unit vector u comes from the engine; the rest is small and the same everywhere: head n gives
softmax(W u + b) over its labels, in float64. A text without a token known to the encoder has no labels.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pocketrec.errors import PackageError, UsageError

if TYPE_CHECKING:
    from pocketrec.heads import HeadInfo
    from pocketrec.package import Package


@dataclass(frozen=True, slots=True)
class Label:
    """The most probable label of one head.

    Attributes:
        label: its name.
        probability: 0 to 1; of texts with 0.9, about nine in ten have this label.
        probabilities: label -> probability of all labels of the head, in the package's order; they sum to 1.
    """

    label: str
    probability: float
    probabilities: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Alert:
    """A label whose probability is watched: ``sentiment=negative>0.8``.

    Attributes:
        label: the label's name.
        threshold: 0 to 1; the alert fires above it.
        head: the head's name, or None where only one head has the label.
    """

    label: str
    threshold: float
    head: str | None = None

    @classmethod
    def parse(cls, text: str) -> Alert:
        """The alert of ``[HEAD=]LABEL>THRESHOLD``.

        Example:
            >>> Alert.parse("sentiment=negative>0.8")
            Alert(label='negative', threshold=0.8, head='sentiment')

        Raises:
            UsageError: it reads otherwise, or the threshold is not from 0 to 1.
        """
        found = re.fullmatch(r"\s*(?:([^=]*)=)?(.+)>([^>]+)", text, re.DOTALL)
        try:
            threshold = float(found[3]) if found else -1.0
        except ValueError:
            threshold = -1.0
        if not found or not 0 <= threshold <= 1 or not found[2].strip() or found[1] == "":
            raise UsageError(
                f"alert {text!r:.80}: expected [HEAD=]LABEL>THRESHOLD with a threshold from 0 to 1, "
                "for example sentiment=negative>0.8"
            )
        return cls(found[2].strip(), threshold, None if found[1] is None else found[1].strip())

    def __str__(self) -> str:
        head = "" if self.head is None else f"{self.head}="
        return f"{head}{self.label}>{self.threshold:g}"


@dataclass(frozen=True, slots=True)
class Classification(Mapping[str, Label]):
    """What each head says of one text: a mapping from the head's name to its `Label`.

    Attributes:
        labels: head -> label; empty for a text that the encoder cannot read.
        alerts: those that fired, in the order in which they were given.
        truncated: whether the text was longer than the package reads.
    """

    labels: Mapping[str, Label]
    alerts: tuple[Alert, ...] = ()
    truncated: bool = False

    def __getitem__(self, head: str) -> Label:
        return self.labels[head]

    def __iter__(self) -> Iterator[str]:
        return iter(self.labels)

    def __len__(self) -> int:
        return len(self.labels)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "labels": {
                head: {
                    "label": found.label,
                    "probability": found.probability,
                    "probabilities": dict(found.probabilities),
                }
                for head, found in self.labels.items()
            },
            "alerts": [str(alert) for alert in self.alerts],
            "truncated": self.truncated,
        }


class Heads:
    """The label heads of one package. Holds no state of a call, so that threads may share it.

    Raises:
        PackageError: a head has a label twice.
    """

    def __init__(self, package: Package) -> None:
        self._heads = [_Head(package, info) for info in package.manifest.heads]

    def classify(
        self, vector: NDArray[np.float32], *, alerts: Sequence[Alert] = (), truncated: bool = False
    ) -> Classification:
        """The labels of a text by its unit vector float32 [D]; none for a vector of zeros.

        Raises:
            UsageError: an alert names a head or a label that the package lacks, or a label that several heads have.
        """
        watched = [(alert, self._watched(alert)) for alert in alerts]
        if not vector.any():
            return Classification({}, (), truncated)
        labels = {head.name: head.label(vector) for head in self._heads}
        fired = tuple(alert for alert, head in watched if labels[head].probabilities[alert.label] > alert.threshold)
        return Classification(labels, fired, truncated)

    def _watched(self, alert: Alert) -> str:
        """The name of the head that an alert watches."""
        if alert.head is not None and alert.head not in (head.name for head in self._heads):
            names = ", ".join(head.name for head in self._heads)
            raise UsageError(f"alert {str(alert)!r:.80}: no head {alert.head!r:.80}; this package has {names}")
        asked = [head for head in self._heads if alert.head in (None, head.name)]
        having = [head for head in asked if alert.label in head.labels]
        if not having:
            known = ", ".join(label for head in asked for label in head.labels[:10])
            raise UsageError(f"alert {str(alert)!r:.80}: no label {alert.label!r:.80}; there are {known:.400}")
        if len(having) > 1:
            raise UsageError(
                f"alert {str(alert)!r:.80}: {' and '.join(head.name for head in having)} have this label; "
                f"write {having[0].name}={alert}"
            )
        return having[0].name


class _Head:
    """One head's labels and its linear map."""

    def __init__(self, package: Package, info: HeadInfo) -> None:
        self.name = info.name
        self.labels = list(package.strings(f"{info.prefix}_label"))
        if len(set(self.labels)) < len(self.labels):
            raise PackageError(f"head {info.name!r:.80} has a label twice")
        self._weight = package.array(f"{info.prefix}.weight").astype(np.float64)
        self._bias = package.array(f"{info.prefix}.bias").astype(np.float64)

    def label(self, vector: NDArray[np.float32]) -> Label:
        """Its most probable label, ties by order."""
        logits = self._weight @ vector.astype(np.float64) + self._bias
        odds = np.exp(logits - logits.max())
        probability = odds / odds.sum()
        best = int(probability.argmax())
        return Label(
            self.labels[best], float(probability[best]), dict(zip(self.labels, probability.tolist(), strict=True))
        )
