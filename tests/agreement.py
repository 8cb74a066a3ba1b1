"""When two engines agree: the design's rule, with the numpy engine as the reference."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from pocketrec.engine import RankerInput, RankerOutput
from pocketrec.engine_numpy import NumpyEngine
from pocketrec.package import Package
from pocketrec_export.agreement import allowed_gap


def everything(package: Package, task: RankerInput) -> RankerOutput:
    """The numpy engine's answer for all eligible items."""
    return NumpyEngine(package).rank(replace(task, n=int(task.mask.sum())))


def assert_agree(package: Package, task: RankerInput, output: RankerOutput) -> None:
    """Whatever the engine has in another order than the reference lies within the quantization gap there."""
    reference = everything(package, task)
    score = np.full(len(task.mask), -np.inf, np.float32)
    score[reference.index] = reference.score
    gap = allowed_gap(package, task) + 1e-6
    listed = score[output.index]
    lowest_so_far = np.minimum.accumulate(listed)
    assert (listed[1:] - lowest_so_far[:-1] < gap).all()
    left_out = np.setdiff1d(reference.index, output.index)
    if len(left_out):
        assert score[left_out].max() - lowest_so_far[-1] < gap
    places = np.argsort(reference.index)
    where = places[np.searchsorted(reference.index, output.index, sorter=places)]
    np.testing.assert_allclose(output.signals, reference.signals[:, where], atol=gap)
