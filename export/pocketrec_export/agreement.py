"""When two engines give the same list: whatever they order differently lies closer than the quantization of the query.

Two lists agree when every pair in different order differs in reference score by less than 0.5 * the largest row scale *
the query's scale * sqrt(dim), added up over the signals that are products with a table, each times its weight.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from pocketrec.engine import RankerInput
from pocketrec.engine_numpy import Table, fold_in, quantize_query
from pocketrec.manifest import PROFILES
from pocketrec.package import Package


def allowed_gap(package: Package, task: RankerInput) -> float:
    """The difference of reference scores below which two items may change places in the answer to ``task``."""
    names = package.manifest.signals.names
    tables = {"factors": "factors", "semantic": "text"} | PROFILES
    gap = 0.0
    for signal, table in tables.items():
        if signal not in names:
            continue
        rows = Table(package.array(f"{table}/value"), package.array(f"{table}/scale"))
        if signal == "semantic":
            vector = task.query.sum(axis=0)
        elif signal in PROFILES:
            vector = task.history_weight @ rows.rows(task.history_index)
        else:
            setting = package.manifest.signals.factors
            assert setting is not None, "the package has the signal"
            history = rows.rows(task.history_index)
            vector = fold_in(history, task.history_weight, alpha=setting.alpha, steps=setting.steps)
        query_scale = float(quantize_query(vector)[1].max(initial=0.0))
        weight = abs(float(task.weights[names.index(signal)]))
        gap += weight * 0.5 * float(rows.scale.max()) * query_scale * float(np.sqrt(rows.value.shape[1]))
    return gap


def worst_exchange(listed: Sequence[int], reference: Mapping[int, float]) -> float:
    """The largest difference of reference scores over the pairs that a list has in another order than the reference.

    Args:
        listed: k items in an engine's order.
        reference: item -> score, far beyond rank k; infinity where a listed item is not in it.
    """
    if any(item not in reference for item in listed):
        return float("inf")
    scores = np.array([reference[item] for item in listed])
    if not len(scores):
        return 0.0
    lowest_so_far = np.minimum.accumulate(scores)
    inside = float((scores[1:] - lowest_so_far[:-1]).max(initial=0.0))
    best = sorted(reference, key=lambda item: -reference[item])[: len(listed)]
    left_out = [reference[item] for item in best if item not in set(listed)]
    return max(inside, max(left_out, default=-np.inf) - float(lowest_so_far[-1]))
