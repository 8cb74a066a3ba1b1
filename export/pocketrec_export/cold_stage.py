"""The stage of a build that estimates cold items: who is cold, what is learned from, settings once, then the tables."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pocketrec_export.cold import MAX_ANCHORS, ColdSettings, Kernel, anchor_rows, cold_rows, with_cold_items
from pocketrec_export.cold_choice import Choice
from pocketrec_export.cold_device import Placement, device_texts, placement
from pocketrec_export.dataset import Dataset
from pocketrec_export.full_model import FullModel
from pocketrec_export.progress import Run
from pocketrec_export.read import Items
from pocketrec_export.texts import Texts


@dataclass(frozen=True)
class Estimated:
    """What the stage leaves.

    Attributes:
        model: with estimates for cold items.
        settings: for them; None without texts.
        placement: for items that will be added on the device; None without texts or warm items.
    """

    model: FullModel
    settings: ColdSettings | None = None
    placement: Placement | None = None


def estimate_cold(
    run: Run,
    model: FullModel,
    dataset: Dataset,
    texts: Texts | None,
    table: Items | None,
    settings: ColdSettings | None = None,
) -> Estimated:
    """Estimates for items that have a text and that nobody has chosen, now and on the device.

    Args:
        run: tells the progress.
        model: as the package stores it, with its blend.
        dataset: its train items, which come first, are warm; its validation users choose the settings.
        texts: by the teacher; without them nothing can be estimated.
        table: the words of the items.
        settings: as they were chosen before, or None.
    """
    if texts is None or table is None:
        return Estimated(model, settings)
    warm = dataset.train_items
    cold, anchors = cold_rows(model, warm), anchor_rows(model, warm)
    items = table.select(dataset.items)
    said = items.encoder_text()
    kernel = Kernel.of(texts.rows(dataset.items)[0], said, warm=np.flatnonzero(warm))
    device = device_texts(model, texts.student, items, said, anchors=min(int(warm.sum()), MAX_ANCHORS))
    if settings is None:
        with run.stage("choosing how to estimate cold items"):
            choice = Choice(model, warm=warm, anchors=anchors, validation=dataset.validation, seed=run.seed)
            settings = choice.export(kernel)
            if device is not None:
                factors, neighbours = choice.device(device)
                settings = replace(settings, device_factors=factors, device_neighbours=neighbours)
    with run.stage(f"estimating {len(cold):,} cold items"):
        filled = with_cold_items(model, kernel, cold=cold, anchors=anchors, settings=settings)
    scales = settings.device_factors, settings.device_neighbours
    return Estimated(filled, settings, None if device is None else placement(model, device, scales))
