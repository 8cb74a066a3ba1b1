"""What is tried: the settings of each signal, and how many trials a preset may spend on them."""

from __future__ import annotations

from dataclasses import dataclass, field

from pocketrec_export.search import Setting, Space

SIGNALS = ("factors", "neighbours", "content", "attributes", "popularity")
"""Signals of a recommendation, each of which can be switched off."""

FACTORS: Space = {
    "dim": Setting((64,)),
    "alpha": Setting((5.0, 3.0, 10.0), low=1.0, high=40.0, log=True),
    "regularization": Setting((30.0, 10.0), low=1.0, high=100.0, log=True),
    "iterations": Setting((15,)),
}
"""Of `factors.fit`."""

POPULARITY: Space = {"half_life": Setting((0.0, 1500.0, 365.0, 90.0, 30.0, 14.0, 7.0, 3.0))}
"""Of `popularity.fit`: days, 0 for never."""
WITHOUT_TIMES: Space = {"half_life": Setting((0.0,))}

NEIGHBOURS: Space = {
    "candidates": Setting((0, 100)),
    "weak_weight": Setting((0.4, 0.0), low=0.0, high=1.0),
    "l2": Setting((1.0, 0.4, 3.0, 0.2), low=0.1, high=10.0, log=True),
    "text_weight": Setting((0.25,), low=0.02, high=2.0, log=True),
    "attribute_weight": Setting((0.0, 1.0)),
    "dropout": Setting((0.5,), low=0.0, high=2.0),
    "keep": Setting((100, 50)),
}
"""Of `Learning.neighbours`. ``weak_weight`` is what an interaction that is not positive (a low rating) counts beside a
positive 1: it still says that two items are met together. Factors and popularity see positives only.
``attribute_weight`` is what attributes in common count beside texts alike, ``text_weight`` what both together do. With
``candidates`` each target is solved on so many items only (`screening`), with 0 on all (`neighbours.fit_dense`)."""

LARGE_CANDIDATES = 200
"""Of catalogues beyond `neighbours.MAX_ITEMS`."""


@dataclass(frozen=True)
class Preset:
    """A budget.

    Attributes:
        trials: of each signal in all; every setting's own values are tried one by one in any case.
        full_dims: widths of the full model's factors.
        factors: settings of the factors.
        neighbours: settings of the neighbours.
        popularity: settings of the popularity.
    """

    trials: int = 0
    full_dims: tuple[int, ...] = (64, 128)
    factors: Space = field(default_factory=lambda: FACTORS)
    neighbours: Space = field(default_factory=lambda: NEIGHBOURS)
    popularity: Space = field(default_factory=lambda: POPULARITY)


QUICK = Preset()
FULL = Preset(trials=40, full_dims=(64, 128, 192))
PRESETS = {"quick": QUICK, "full": FULL}


def possible(space: Space, *, texts: bool, attributes: bool, weak: bool, large: bool) -> Space:
    """The neighbours' settings without those that change nothing or cannot be here.

    Args:
        space: all of them.
        texts: whether there are any.
        attributes: whether there are any, and they may take part.
        weak: whether there is anything but positives.
        large: whether the catalogue is too large for a dense solve.
    """
    fixed: dict[str, float | int] = {}
    if not texts:
        fixed["text_weight"] = 0.0
    if not (texts and attributes):
        fixed["attribute_weight"] = 0.0
    if not weak:
        fixed["weak_weight"] = 0.0
    if large:
        fixed["candidates"] = LARGE_CANDIDATES
    return {name: Setting((fixed[name],)) if name in fixed else setting for name, setting in space.items()}
