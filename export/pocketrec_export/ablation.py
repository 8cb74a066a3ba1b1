"""What each signal is worth: alone, and to the blend. Chosen on validation users, shown on test users beside.

Besides the signals of the package three are measured that no package holds: both forms of the factor neighbourhood
and user-user neighbours. For them the blend is fitted again *with* the signal, for the others *without*.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray
from pocketrec.manifest import BlendTerm

from pocketrec_export import blend, factor_neighbourhood, user_neighbours
from pocketrec_export.dataset import Dataset
from pocketrec_export.full_model import FullModel
from pocketrec_export.heldout import Bench, Signal
from pocketrec_export.learning import Learning
from pocketrec_export.samples import Samples, metrics

Row = dict[str, Any]


class _History(TypedDict):
    index: NDArray[np.int64]
    weight: NDArray[np.float32]


def ablation(model: FullModel, learning: Learning, dataset: Dataset) -> list[Row]:
    """One row for the blend, one for each signal; none without validation users.

    Args:
        model: what a package holds, in its 8-bit form, with the blend that was fitted for it.
        learning: what it was fitted on.
        dataset: its validation users choose, its test users are only shown.

    Returns:
        Rows of plain JSON values: ``signal`` ("blend" first); ``packaged``, whether it has a weight; ``alone`` and
        ``blend``, mean ``ndcg10``, ``recall20`` and ``ndcg100`` of each group of users ("validation", "test"), where
        ``blend`` is fitted again without a packaged signal and with any other; ``weight``, in the package or in that.
    """
    if not len(dataset.validation):
        return []
    extra = _not_packaged(model, learning)
    groups = {"validation": dataset.validation, "test": dataset.test}
    samples: dict[str, Samples] = {}
    for name, users in groups.items():
        if len(users):
            bench = Bench(users, eligible=dataset.train_items, train=dataset.train, seed=learning.seed)
            samples[name] = bench.samples(model, beside=extra)
    chosen = samples["validation"]
    terms = {name: term for name, term in model.blend.items() if term.weight}
    rows: list[Row] = [{"signal": "blend", "packaged": True, "blend": _measured(samples, terms)}]
    for name in chosen.names:
        packaged = name in terms
        others = tuple(n for n in chosen.names if n in terms and n != name) if packaged else (*terms, name)
        row: Row = {"signal": name, "packaged": packaged}
        row["alone"] = _measured(samples, {name: BlendTerm(1.0, 0.0)})
        if others:
            again = blend.fit_again(_only(chosen, others), terms).blend
            row["blend"] = _measured(samples, again)
            row["weight"] = (terms if packaged else again)[name].weight
        rows.append(row)
    return rows


def as_report(rows: list[Row]) -> dict[str, Any] | None:
    """What a build's report draws: one bar for each signal alone and for each blend; None without rows."""
    if not rows:
        return None
    bars = [_bar("blend", rows[0]["blend"], ours=True)]
    for row in rows[1:]:
        bars.append(_bar(f"{row['signal']} alone", row["alone"]))
        if "blend" in row:
            bars.append(_bar(f"blend {'without' if row['packaged'] else 'with'} {row['signal']}", row["blend"]))
    left_out = [row["signal"] for row in rows[1:] if not row["packaged"]]
    line = "Each signal alone, and the blend fitted again without it."
    if left_out:
        line += f" Not in the package, so with it: {', '.join(left_out)}."
    return {"measure": "NDCG@10", "line": line, "rows": bars, "signals": rows}


def _bar(name: str, figures: Mapping[str, Mapping[str, float]], *, ours: bool = False) -> dict[str, Any]:
    test = figures["test"]["ndcg10"] if "test" in figures else None
    return {"name": name, "validation": figures["validation"]["ndcg10"], "test": test, "ours": ours}


def _not_packaged(model: FullModel, learning: Learning) -> dict[str, Signal]:
    def once(history: NDArray[np.int32]) -> _History:
        return {"index": history.astype(np.int64), "weight": np.ones(len(history), np.float32)}

    result: dict[str, Signal] = {"users": lambda history: user_neighbours.scores(learning.train, **once(history))}
    if model.factors is not None:
        rule = partial(factor_neighbourhood.scores, model.factors.table, alpha=model.factors.alpha)
        result["factor rule"] = lambda history: rule(**once(history))
        result["factor rule, cosine"] = lambda history: rule(cosine=True, **once(history))
    return result


def _only(samples: Samples, names: tuple[str, ...]) -> Samples:
    rows = [samples.names.index(name) for name in names]
    values = [value[rows] for value in samples.value]
    return replace(samples, names=names, value=values, deviation=samples.deviation[:, rows])


def _measured(samples: Mapping[str, Samples], terms: Mapping[str, BlendTerm]) -> dict[str, dict[str, float]]:
    names = tuple(name for name in terms if terms[name].weight)
    result = {}
    for group, users in samples.items():
        part = _only(users, names)
        vector = np.stack([blend.weights(terms, names=names, total=total) for total in part.total])
        result[group] = metrics(part, vector)
    return result
