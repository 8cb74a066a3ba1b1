"""Chooses settings and blends on validation users: fit candidates on train, measure, keep the best.

Each signal's settings are chosen by `search`, the factors alone, the neighbours next to the other signals under the
default blend (mean NDCG@10 + NDCG@100, the blend's own objective). Then the blend is fitted over the winners: once for
the float32 model, once for its package form. Both hold the same signals and differ by rounding and width; so what
differs between two blends, each chosen on the same few users, is mostly chance, and the package takes the full model's
blend unless its own is clearly better on its own tables.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pocketrec.manifest import BlendTerm

from pocketrec_export import factors, neighbours
from pocketrec_export.dataset import Heldout
from pocketrec_export.finder import Finder, Trial
from pocketrec_export.full_model import FullModel, package_form
from pocketrec_export.heldout import Bench
from pocketrec_export.learning import Learning
from pocketrec_export.presets import QUICK, SIGNALS, WITHOUT_TIMES, Preset, possible
from pocketrec_export.search import Settings

TUNE_ITEMS = 10_000
"""Settings of the neighbours are chosen on so many of the most popular items; they are relative to the data's own
scale, so the whole catalogue takes them over."""
FADING_GAIN = 0.02
"""Share by which popularity of late must beat popularity of all time. On six splits by user the best half-life won by
at most 0.6 % on validation users, and once lost 7 % on test users; on three splits by time it won by 47 % and more,
and by 8 % and more on test users."""


@dataclass(frozen=True)
class Tuned:
    """What `tune` chose and built.

    Attributes:
        full: the float32 model with its blend.
        stored: what the package stores, still in float32: its tables, projected texts, CG steps, and the blend
            chosen on their 8-bit form.
        settings: chosen settings of "factors", "neighbours" and "popularity", of the full model's wider
            "full_factors", and "min_users"; what `refit` reads.
        trials: everything that was tried, in order.
    """

    full: FullModel
    stored: FullModel
    settings: dict[str, Settings]
    trials: list[Trial] = field(default_factory=list)


def tune(
    learning: Learning,
    *,
    eligible: NDArray[np.bool_],
    validation: Heldout,
    signals: Sequence[str] = SIGNALS,
    preset: Preset = QUICK,
    cache: Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> Tuned:
    """Fits candidates on the train rows, chooses on `validation`, and fits both blends.

    Args:
        learning: what signals are fitted on.
        eligible: bool[I], what may be ranked.
        validation: held-out users; without any, the first value of every setting and the default blend.
        signals: which may take part, of `presets.SIGNALS`.
        preset: what to try.
        cache: a folder that remembers trials, see `search`.
        progress: told one line for each trial.
    """
    bench = Bench(validation, eligible=eligible, train=learning.train, seed=learning.seed)
    finder = Finder(learning, bench, trials=preset.trials, cache=cache, progress=progress)
    settings: dict[str, Settings] = {}
    model = FullModel(
        text=learning.text if "content" in signals else None,
        attributes=learning.attributes if "attributes" in signals else None,
    )
    if "popularity" in signals:
        model, settings["popularity"] = _with_popularity(model, learning, finder, preset)
    if "factors" in signals:
        fitted, settings["factors"] = finder.find("factors", preset.factors, learning.factors, beside=FullModel())
        model = replace(model, factors=fitted)
    if "neighbours" in signals:
        model, settings["neighbours"] = _with_neighbours(model, learning, finder, preset)

    stored = model
    coded = package_form(model)
    if coded.factors is not None:
        steps = factors.choose_steps(coded.factors.table, histories=bench.histories, alpha=coded.factors.alpha)
        settings["factors"]["steps"] = steps
        stored, coded = replace(stored, steps=steps), replace(coded, steps=steps)
    full = _widest(model, learning, bench, preset, settings, content="content" in signals)
    stored = replace(stored, blend=bench.own_or(full.blend, coded))
    # Search and similar items need texts even where recommendations do without.
    return Tuned(full, _with_text(stored, learning.text), settings, finder.trials)


def _with_popularity(
    model: FullModel, learning: Learning, finder: Finder, preset: Preset
) -> tuple[FullModel, Settings]:
    """The model with popularity of all time, or of late where that is clearly better."""
    space = preset.popularity if learning.age is not None else WITHOUT_TIMES
    prior, chosen = finder.find("popularity", space, learning.popularity, beside=FullModel())
    found = {trial.settings["half_life"]: trial.objective or 0.0 for trial in finder.trials}
    if chosen["half_life"] and found[chosen["half_life"]] < (1 + FADING_GAIN) * found[0.0]:
        chosen = {"half_life": 0.0}
        prior = learning.popularity(chosen)
    return replace(model, popularity=prior), chosen


def _with_neighbours(
    model: FullModel, learning: Learning, finder: Finder, preset: Preset
) -> tuple[FullModel, Settings]:
    """The model with neighbours chosen next to its other signals, and their settings."""
    large = learning.warm_items > neighbours.MAX_ITEMS
    table, settings = finder.find(
        "neighbours",
        possible(
            preset.neighbours,
            texts=learning.text is not None,
            attributes=model.attributes is not None,
            weak=learning.has_weak,
            large=large,
        ),
        lambda tried: learning.neighbours(tried, max_items=TUNE_ITEMS),
        beside=model,
    )
    if learning.warm_items > TUNE_ITEMS:
        table = learning.neighbours(settings)
    return replace(model, neighbours=table), settings


def refit(learning: Learning, tuned: Tuned) -> Tuned:
    """The same settings and blends with every table fitted again, for example on all rows of a build."""
    chosen, full, stored = tuned.settings, tuned.full, tuned.stored
    if stored.popularity is not None:
        popular = learning.popularity(chosen["popularity"])
        full, stored = replace(full, popularity=popular), replace(stored, popularity=popular)
    if stored.factors is not None:
        fitted = learning.factors(chosen["factors"])
        same = chosen["full_factors"]["dim"] == chosen["factors"]["dim"]
        stored = replace(stored, factors=fitted)
        full = replace(full, factors=fitted if same else learning.factors(chosen["full_factors"]))
    if stored.neighbours is not None:
        table = learning.neighbours(chosen["neighbours"])
        full, stored = replace(full, neighbours=table), replace(stored, neighbours=table)
    if full.text is not None:
        full = replace(full, text=learning.full_text)
    if stored.attributes is not None:
        full, stored = (replace(model, attributes=learning.attributes) for model in (full, stored))
    return replace(tuned, full=full, stored=_with_text(stored, learning.text))


def _with_text(stored: FullModel, text: NDArray[np.float32] | None) -> FullModel:
    blend = stored.blend if text is None or "content" in stored.blend else {**stored.blend, "content": BlendTerm(0, 0)}
    return replace(stored, text=text, blend=blend)


def _widest(
    model: FullModel,
    learning: Learning,
    bench: Bench,
    preset: Preset,
    settings: dict[str, Settings],
    *,
    content: bool,
) -> FullModel:
    """The float32 model with the teacher's texts, and factors as wide as validation wants; adds "full_factors"."""
    model = replace(model, text=learning.full_text if content else None)
    if model.factors is None:
        return bench.blended(model)[0]
    narrow = {name: value for name, value in settings["factors"].items() if name != "steps"}
    best: tuple[float, FullModel] | None = None
    for dim in preset.full_dims:
        wide = {**narrow, "dim": dim}
        fitted = model.factors if wide == narrow else learning.factors(wide)
        blended, fit = bench.blended(replace(model, factors=fitted))
        if best is None or (fit.objective or 0) > best[0]:
            best = fit.objective or 0, blended
            settings["full_factors"] = wide
    assert best is not None
    return best[1]
