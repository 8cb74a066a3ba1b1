"""When two engines agree: the design's rule, with the numpy engine as the reference."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from pocketrec.engine import RankerInput, RankerOutput
from pocketrec.engine_numpy import NumpyEngine, Table, fold_in, quantize_query
from pocketrec.package import Package


def everything(package: Package, task: RankerInput) -> RankerOutput:
    """The numpy engine's answer for all eligible items."""
    return NumpyEngine(package).rank(replace(task, n=int(task.mask.sum())))


def quantization_gap(package: Package, task: RankerInput) -> float:
    """The design's bar: below 0.5 * max row scale * query scale * sqrt(dim), two scores may change places."""
    names = package.manifest.signals.names
    gap = 0.0
    for signal, table in (("factors", "factors"), ("content", "text"), ("semantic", "text")):
        if signal not in names:
            continue
        rows = Table(package.array(f"{table}/value"), package.array(f"{table}/scale"))
        if signal == "semantic":
            vector = task.query.sum(axis=0)
        elif signal == "content":
            vector = task.history_weight @ rows.rows(task.history_index)
        else:
            setting = package.manifest.signals.factors
            assert setting is not None
            vector = fold_in(
                rows.rows(task.history_index), task.history_weight, alpha=setting.alpha, steps=setting.steps
            )
        query_scale = float(quantize_query(vector)[1].max())
        weight = abs(float(task.weights[names.index(signal)]))
        gap += weight * 0.5 * float(rows.scale.max()) * query_scale * np.sqrt(rows.value.shape[1])
    return gap


def assert_agree(package: Package, task: RankerInput, output: RankerOutput) -> None:
    """Whatever the engine has in another order than the reference lies within the quantization gap there."""
    reference = everything(package, task)
    score = np.full(len(task.mask), -np.inf, np.float32)
    score[reference.index] = reference.score
    gap = quantization_gap(package, task) + 1e-6
    listed = score[output.index]
    lowest_so_far = np.minimum.accumulate(listed)
    assert (listed[1:] - lowest_so_far[:-1] < gap).all()
    left_out = np.setdiff1d(reference.index, output.index)
    if len(left_out):
        assert score[left_out].max() - lowest_so_far[-1] < gap
    places = np.argsort(reference.index)
    where = places[np.searchsorted(reference.index, output.index, sorter=places)]
    np.testing.assert_allclose(output.signals, reference.signals[:, where], atol=gap)
