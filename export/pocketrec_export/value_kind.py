"""What the value column means: a rating scale, a count, or nothing; and which rows count as liked.

The thresholds are explicit and the finding comes with its evidence, because everything later depends on it:
a rating has a low end that must not be recommended, a count does not.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pocketrec.errors import UsageError

ValueKind = Literal["rating", "count", "none"]
VALUE_CHOICES = ("auto", "rating", "count", "none")

POSITIVE_SHARE = 0.8  # of the scale's maximum: 4 of 5, 8 of 10
SCALE_MAX = 10.0  # a scale ends at 10 or below, or at 100 exactly
SCALE_DISTINCT = 21  # 0 to 10 in half steps
SCALE_TOPS = (5.0, 10.0, 100.0)
TAIL_SHARE = 0.15  # counts leave less than this share of rows in the upper half of their range
RATING_WORDS = re.compile(r"rating|stars?$|score|grade", re.IGNORECASE)
COUNT_WORDS = re.compile(r"count|quantity|qty|plays?$|clicks?$|views?$|purchases?$|units|frequency", re.IGNORECASE)


def infer_kind(values: NDArray[np.float64], *, column: str) -> tuple[ValueKind, str]:
    """Kind of a finite, non-empty value column, and the evidence as a sentence.

    In order: one single value is a count. Whole or half steps from >= 0 to at most 10 (or whole steps to
    exactly 100), or thumbs {-1, 0, 1}, look like a scale, unless they are whole numbers with most rows at
    the bottom and under 15 % in the upper half (a long tail), or the column's name says otherwise.
    Other whole numbers are counts. Anything else is ambiguous and taken as a count: then a row is kept
    when it is above zero, which loses no data, and the reason says how to choose otherwise.
    """
    distinct = np.unique(values)
    low, high = float(distinct[0]), float(distinct[-1])
    whole = bool(np.all(distinct == np.trunc(distinct)))
    half = bool(np.all(distinct * 2 == np.trunc(distinct * 2)))
    span = f"{low:g} to {high:g}"
    if len(distinct) == 1:
        return "count", f"every value is {low:g}: each row counts the same"

    thumbs = whole and low == -1 and high == 1
    short_scale = half and low >= 0 and high <= SCALE_MAX and len(distinct) <= SCALE_DISTINCT
    long_scale = whole and low >= 0 and high == 100
    if thumbs or short_scale or long_scale:
        steps = "1" if whole else "0.5"
        shape = f"values {span} in steps of {steps}"
        if RATING_WORDS.search(column) or thumbs or not whole:
            return "rating", f"{shape}: a rating scale"
        if COUNT_WORDS.search(column):
            return "count", f"{shape}, and the column is called {column!r}: counts"
        upper = float(np.mean(values > (low + high) / 2))
        at_bottom = float(np.mean(values <= low + 1 if low == 0 else values <= low))
        if high > 2 and upper < TAIL_SHARE and at_bottom >= 0.5:
            tail = f"{at_bottom:.0%} of rows at the bottom, {upper:.0%} in the upper half"
            return "count", f"whole numbers {span} with a long tail ({tail}): counts"
        if short_scale or upper >= TAIL_SHARE:
            return "rating", f"{shape}: a rating scale"
    if whole and low >= 0:
        return "count", f"whole numbers {span}, {len(distinct):,} distinct, beyond any rating scale: counts"
    if whole:
        return "count", f"whole numbers {span}: counts, negative ones taken as returns"
    return "count", (
        f"values {span} fit neither a scale nor whole counts: taken as strengths, everything above 0 counts "
        "(if they are ratings: --value rating)"
    )


@dataclass(frozen=True, slots=True)
class Scale:
    """A rating scale: ``low`` to ``high`` in steps of ``step``."""

    low: float
    high: float
    step: float

    def spans(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """bool[R]: which values lie between its ends."""
        return np.asarray((values >= self.low) & (values <= self.high), np.bool_)

    def holds(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """bool[R]: which values are one of its steps."""
        steps = values / self.step
        return np.asarray(self.spans(values) & (steps == np.trunc(steps)), np.bool_)

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g} in steps of {self.step:g}"


def scale_of(values: NDArray[np.float64], *, column: str, asked: str) -> Scale | None:
    """The rating scale that all but a few stray values are on; None where there is none or nothing strays.

    Counts have a long tail and no scale, so nothing of them is ever cut: a scale to 5, 10 or 100 is seen only where it
    ends in a crowd, not a tail. At most 1 in 200 values may be off it, and at most 1 for 20 at its very top; at least
    half are in its upper half, unless the column's name or ``asked`` says that these are ratings. A single negative
    value strays from any scale; 0 from none, because many scales begin there.

    Args:
        values: float64[R] finite.
        column: Name of the column.
        asked: "auto" or "rating"; anything else has no scale.
    """
    named = asked == "rating" or bool(RATING_WORDS.search(column))
    if asked not in ("auto", "rating") or (asked == "auto" and COUNT_WORDS.search(column)):
        return None
    distinct, count = np.unique(values, return_counts=True)
    if len(distinct) < 3 or (len(distinct) == 3 and distinct.tolist() == [-1, 0, 1]):
        return None
    for high in SCALE_TOPS:
        if distinct[0] >= 0 and distinct[-1] <= high:
            return None  # nothing strays
        for step in (1.0, 0.5):
            scale = Scale(0.0, high, step)
            on = scale.holds(distinct)
            off, top = int(count[~on].sum()), int(count[distinct == high].sum())
            upper = int(count[on & (distinct > high / 2)].sum())
            if off * 200 <= len(values) and off * 20 <= top and (named or upper * 2 >= len(values)):
                return Scale(min(float(distinct[on].min()), 1.0), high, step)
    return None


COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}
_EXPRESSION = re.compile(r"\s*value\s*(>=|<=|==|>|<)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*")


@dataclass(frozen=True, slots=True)
class Positive:
    """A condition on the value, such as ``value>=4``; ``str()`` gives its normal form."""

    comparison: str
    threshold: float

    @classmethod
    def parse(cls, expression: str) -> Positive:
        """Reads ``value OP NUMBER`` with OP one of >= > <= < ==.

        Raises:
            UsageError: Anything else.
        """
        match = _EXPRESSION.fullmatch(expression)
        if match is None or not np.isfinite(float(match[2])):
            raise UsageError(
                f"positive={expression!r}: expected 'value', one of >= > <= < ==, and a number, for example 'value>=4'"
            )
        return cls(match[1], float(match[2]))

    @classmethod
    def default(cls, kind: ValueKind, values: NDArray[np.float64]) -> Positive | None:
        """At least 80 % of the largest rating, any count above 0, no condition without values."""
        if kind == "none":
            return None
        if kind == "count":
            return cls(">", 0.0)
        top = float(values.max())
        return cls(">=", round(POSITIVE_SHARE * top, 6) if top > 0 else top)

    def __call__(self, values: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
        """bool[R]: which values satisfy the condition."""
        with np.errstate(over="ignore"):  # a threshold beyond float32 is infinite beside float32 values
            return np.asarray(COMPARE[self.comparison](values, self.threshold), dtype=np.bool_)

    def __str__(self) -> str:
        # The shortest digits that read back as the same number; `:g` would round to six of them.
        return f"value{self.comparison}{repr(self.threshold).removesuffix('.0')}"
