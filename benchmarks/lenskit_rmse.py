"""Tune and run LensKit's biased matrix factorization for `rmse.py`, in an environment of LensKit's own.

usage: python benchmarks/lenskit_rmse.py FOLDER

FOLDER holds task.json and train, validation, both and test as Parquet files of user_id, item_id and rating. Every point
of the grid is fitted on train and scored on validation; the best, fitted on both, writes predicted.npy (NaN where it
knows no item) and chosen.json.
"""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from lenskit.als import BiasedMFScorer
from lenskit.basic import BiasScorer
from lenskit.data import ItemList, from_interactions_df


def main(folder: Path) -> None:
    """Choose on validation, then predict the test."""
    task = json.loads((folder / "task.json").read_text(encoding="utf-8"))
    parts = {name: pd.read_parquet(folder / f"{name}.parquet") for name in ("train", "validation", "both", "test")}
    train, wanted = from_interactions_df(parts["train"]), parts["validation"]
    # What LensKit does not know is predicted by biases, here by its own.
    biases = {damping: predict(BiasScorer(damping=damping), train, wanted) for damping in task["dampings"]}
    damping = min(biases, key=lambda damping: error(biases[damping], wanted, task["scale"]))
    found = []
    for values in itertools.product(*task["grid"].values()):
        settings = dict(zip(task["grid"], values, strict=True)) | {"damping": damping}
        predicted = predict(BiasedMFScorer(**settings), train, wanted)
        filled = np.where(np.isnan(predicted), biases[damping], predicted)
        found.append((error(filled, wanted, task["scale"]), settings))
        print(*found[-1], flush=True)
    best, settings = min(found, key=lambda one: one[0])
    predicted = predict(BiasedMFScorer(**settings), from_interactions_df(parts["both"]), parts["test"])
    np.save(folder / "predicted.npy", predicted)
    chosen = settings | {"validation_rmse": best}
    (folder / "chosen.json").write_text(json.dumps(chosen), encoding="utf-8")


def predict(scorer: Any, data: Any, wanted: pd.DataFrame) -> Any:
    """float64[R] ratings, NaN where the scorer has none."""
    scorer.train(data)
    result = np.full(len(wanted), np.nan)
    for user, rows in wanted.reset_index(drop=True).groupby("user_id"):
        result[rows.index] = scorer(user, ItemList(item_ids=rows["item_id"].to_numpy())).scores()
    return result


def error(predicted: Any, wanted: pd.DataFrame, scale: list[float]) -> float:
    """RMSE on the scale."""
    return float(np.sqrt(np.mean((np.clip(predicted, *scale) - wanted["rating"].to_numpy()) ** 2)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
