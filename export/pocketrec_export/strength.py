"""How much one (user, item) says: event types, time spent, repeats and age, as one confidence per pair.

A row's strength is ``w(event) f(dwell) n``, n its count; strengths of a pair add up to s, and its confidence is
log2(1 + s): one purchase 1, three of them 2, one view 0.26. With age, the confidence is multiplied by
2^(-age / half-life). Confidences weigh the train rows of factors and neighbours, scaled to mean 1.

Plain ratings, counts and rows without values all weigh 1: see `Weighting.counts`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pocketrec.errors import UsageError

EVENT_WEIGHTS: Mapping[str, float] = {
    "impression": 0.0,
    "view": 0.2,
    "click": 0.4,
    "play": 0.6,
    "like": 0.7,
    "favorite": 0.7,
    "share": 0.7,
    "wishlist": 0.7,
    "add_to_cart": 0.7,
    "purchase": 1.0,
    "rating": 1.0,
    "review": 1.0,
    "remove_from_cart": -0.5,
    "dislike": -1.0,
    "return": -1.0,
}
"""What an event counts beside a purchase. Judgment, not fitted: no open data set at hand has such types."""
SYNONYMS: Mapping[str, str] = {
    "pageview": "view",
    "page_view": "view",
    "detail_view": "view",
    "viewed": "view",
    "clicked": "click",
    "cart": "add_to_cart",
    "addtocart": "add_to_cart",
    "add": "add_to_cart",
    "basket": "add_to_cart",
    "favourite": "favorite",
    "bookmark": "favorite",
    "buy": "purchase",
    "purchased": "purchase",
    "order": "purchase",
    "transaction": "purchase",
    "checkout": "purchase",
    "sale": "purchase",
    "listen": "play",
    "watch": "play",
    "rate": "rating",
    "rated": "rating",
    "refund": "return",
    "removefromcart": "remove_from_cart",
    "show": "impression",
}
OTHER = "view"  # an event type that nobody knows counts like this one
MAX_CONFIDENCE = 8.0  # as the weights of a history
MIN_CONFIDENCE = 0.01  # of the oldest pair: it is still known to have been chosen
DAY = 86_400.0


@dataclass(frozen=True)
class Weighting:
    """How rows become confidences.

    Attributes:
        events: Weights of event types, in place of or beside `EVENT_WEIGHTS`.
        dwell_half: Time spent, in the unit of the column, that counts as 1; None is the median of the column.
        half_life: Days after which a pair counts half; None: age does not matter.
        reference: Seconds since 1970 from which age is counted; None is the newest train row. Never the clock.
        counts: Whether repeats and counts add up: "log" (see above), "off" (a pair counts once, by its strongest row),
            "auto" (log where there are event types or dwell times).
    """

    events: Mapping[str, float] = field(default_factory=dict)
    dwell_half: float | None = None
    half_life: float | None = None
    reference: float | None = None
    counts: Literal["auto", "log", "off"] = "auto"

    def __post_init__(self) -> None:
        for name, weight in self.events.items():
            if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not -100 <= weight <= 100:
                raise UsageError(f"event_weights: {name} is {weight!r}; expected a number from -100 to 100")
        for name in ("dwell_half", "half_life"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise UsageError(f"{name} is {value!r}; expected a number above 0")
        if self.counts not in ("auto", "log", "off"):
            raise UsageError(f"counts is {self.counts!r}; expected auto, log or off")

    def event_weight(self, event: str) -> float | None:
        """Weight of a normalized event type; None if nobody gave it one."""
        own = {name.casefold().replace("-", "_").replace(" ", "_"): weight for name, weight in self.events.items()}
        for name in (event, SYNONYMS.get(event, event)):
            for weights in (own, EVENT_WEIGHTS):
                if name in weights:
                    return float(weights[name])
        return None


def dwell_factor(dwell: NDArray[np.floating[Any]], half: float) -> NDArray[np.float64]:
    """``2 d / (d + half)`` in [0, 2): 0 for nothing, 1 for ``half``, 1 where unknown (NaN).

    Bounded, because a page left open overnight is no interest; rising, because time spent tells more than the click
    (Yi et al. 2014, "Beyond clicks: dwell time for personalization").
    """
    time = dwell.astype(np.float64)
    return np.where(np.isnan(time), 1.0, 2 * time / (time + half))


def confidence(total: NDArray[np.float64], strongest: NDArray[np.float64], *, counts: bool) -> NDArray[np.float32]:
    """float32[P] in [0, 8] of pairs: log2(1 + total), or the strongest row's strength if repeats do not count."""
    value = np.log2(1 + np.maximum(total, 0)) if counts else strongest
    return np.clip(value, 0, MAX_CONFIDENCE).astype(np.float32)


def train_weights(
    confidence: NDArray[np.float32] | None, stamp: NDArray[np.int64] | None, weighting: Weighting
) -> NDArray[np.float32] | None:
    """float32[T] of train rows, mean 1, decayed where asked for; None where all weigh the same.

    Args:
        confidence: float32[T] of the train rows, None if all are 1.
        stamp: int64[T] seconds, or None.
        weighting: Half-life and reference.

    Raises:
        UsageError: A half-life without times.
    """
    if weighting.half_life is not None:
        if stamp is None:
            raise UsageError("half_life is given, and the interactions have no timestamp; drop one or add the other")
        newest = float(stamp.max()) if weighting.reference is None else weighting.reference
        age = np.maximum(newest - stamp, 0) / DAY
        decay = np.exp2(-age / weighting.half_life)
        confidence = (decay if confidence is None else decay * confidence).astype(np.float32)
    if confidence is None:
        return None
    weights = np.maximum(confidence.astype(np.float64), MIN_CONFIDENCE)
    return np.asarray(weights / weights.mean(), np.float32)
