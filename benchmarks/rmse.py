"""Error of predicted ratings on held-out ratings, beside LensKit's biased matrix factorization tuned on the same split.

usage: python benchmarks/rmse.py RATINGS.parquet [--seeds 0 1 2] [--lenskit PYTHON] [--min-users 2]

For each seed a tenth of all ratings is the test and a tenth of the rest the validation. Every choice (width,
regularization, epochs, of ours and of LensKit's, and the damping of the biases) is made by the error on validation,
and then fitted again on train and validation together. Users and items that the fit has not seen are predicted by
the biases that are left; all predictions are cut to the scale.

LensKit runs in an environment of its own, build/lenskit, made on the first run:
  python -m venv build/lenskit && build/lenskit/bin/pip install lenskit==2025.8.1 pyarrow
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from machine import save
from numpy.typing import NDArray
from pocketrec_export.explicit import Explicit, Ratings, fit
from pocketrec_export.metrics import rmse
from pocketrec_export.rating_stage import GRIDS, folded, rating_tables

LENSKIT = ("lenskit==2025.8.1", "pyarrow")
GRID = {"embedding_size": (16, 32, 50, 100), "regularization": (0.08, 0.12, 0.16, 0.2, 0.3), "epochs": (10, 20)}
DAMPINGS = (0.5, 1.0, 2.0, 3.0, 5.0, 8.0)
MODELS = ("package", "full", "lenskit", "biases")
RESAMPLES = 2000


def main() -> int:
    """Measure every seed, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ratings", type=Path, help="user, item, value")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--min-users", type=int, default=2, help="as in build")
    parser.add_argument("--preset", choices=list(GRIDS), default="full", help="our grid (default full)")
    parser.add_argument("--lenskit", type=Path, help="a Python that has LensKit (default: build/lenskit)")
    args = parser.parse_args()
    frame = pd.read_parquet(args.ratings, columns=["user", "item", "value"])
    python = args.lenskit or _environment(Path("build/lenskit"))
    rows = []
    for seed in args.seeds:
        rows.append(measure(frame, seed, python, args.preset, args.min_users))
        print("\n".join(table(rows[-1:])), flush=True)
    print("\n".join(table(rows)))
    print(f"\nwrote {save('rmse', rows)}")
    return 0


def measure(frame: pd.DataFrame, seed: int, python: Path, preset: str, min_users: int) -> dict[str, Any]:
    """One seed."""
    users, user = np.unique(frame["user"].to_numpy(str), return_inverse=True)
    items, item = np.unique(frame["item"].to_numpy(str), return_inverse=True)
    ratings = Ratings(user, item, frame["value"].to_numpy(np.float32), len(users), len(items))
    order = np.random.default_rng(seed).permutation(len(ratings))
    tenth = len(ratings) // 10
    test, rest = ratings.take(np.sort(order[:tenth])), order[tenth:]
    validation, train = (ratings.take(np.sort(rest[part])) for part in (slice(tenth), slice(tenth, None)))
    both = ratings.take(np.sort(rest))
    scale = float(ratings.value.min()), float(ratings.value.max())
    started = time.perf_counter()
    model, settings = _ours(train, validation, both, preset, min_users)
    tables = rating_tables(model, np.arange(ratings.items), *scale)
    ours_s = time.perf_counter() - started
    damping = min(DAMPINGS, key=lambda d: rmse(np.clip(_biases(train, validation, d), *scale), validation.value))
    baseline = _biases(both, test, damping)
    lenskit, chosen = _lenskit(python, train, validation, both, test, scale)
    predicted = {
        "package": folded(tables, both, test),
        "full": model.predict(test.user, test.item),
        "lenskit": np.where(np.isnan(lenskit), baseline, lenskit),
        "biases": baseline,
    }
    errors = {name: (np.clip(value, *scale).astype(np.float64) - test.value) ** 2 for name, value in predicted.items()}
    return {
        "seed": seed,
        "ratings": {"train": len(train), "validation": len(validation), "test": len(test)},
        "rmse": {name: float(np.sqrt(error.mean())) for name, error in errors.items()},
        "against_lenskit": _interval(errors["package"], errors["lenskit"], test.user, seed),
        "against_full": _interval(errors["package"], errors["full"], test.user, seed),
        "settings": {"ours": settings, "lenskit": chosen, "biases": {"damping": damping}},
        "min_users": min_users,
        "table_bytes": sum(getattr(tables, name).nbytes for name in ("value", "scale", "bias", "spread")),
        "ours_s": round(ours_s, 1),
    }


def _ours(
    train: Ratings, validation: Ratings, both: Ratings, preset: str, min_users: int
) -> tuple[Explicit, dict[str, Any]]:
    """As the build chooses and fits: what the grid's best did on validation, on all rows."""
    found = [(fit(_shared(train, min_users), validation, dim=d, share=s), d, s) for d, s in GRIDS[preset]]
    best, dim, share = min(found, key=lambda one: min(e.validation_rmse or 0 for e in one[0].curve))
    epochs = 1 + int(np.argmin([epoch.validation_rmse or 0 for epoch in best.curve]))
    return fit(_shared(both, min_users), dim=dim, share=share, epochs=epochs), {
        "dim": dim,
        "share": share,
        "epochs": epochs,
        "validation_rmse": min(epoch.validation_rmse or 0 for epoch in best.curve),
    }


def _shared(ratings: Ratings, min_users: int) -> Ratings:
    """The ratings of items that so many users rated."""
    return ratings.take(np.bincount(ratings.item, minlength=ratings.items)[ratings.item] >= min_users)


def _biases(train: Ratings, wanted: Ratings, damping: float) -> NDArray[np.float64]:
    """mean + b_u + b_i by alternating damped means (Koren 2008, section 2.1)."""
    value, mean = train.value.astype(np.float64), float(train.value.mean(dtype=np.float64))
    user, item = np.zeros(train.users), np.zeros(train.items)
    for _ in range(20):
        item = _damped(train.item, value - mean - user[train.user], train.items, damping)
        user = _damped(train.user, value - mean - item[train.item], train.users, damping)
    result: NDArray[np.float64] = mean + user[wanted.user] + item[wanted.item]
    return result


def _damped(index: Any, rest: Any, size: int, damping: float) -> NDArray[np.float64]:
    result: NDArray[np.float64] = np.bincount(index, rest, size) / (np.bincount(index, minlength=size) + damping)
    return result


def _interval(one: Any, other: Any, user: Any, seed: int) -> dict[str, float]:
    """RMSE of the first over that of the second, and its 95 % interval over resampled users (paired)."""
    _, of = np.unique(user, return_inverse=True)
    sums = np.stack([np.bincount(of, error) for error in (one, other)], axis=1)
    draws = np.random.default_rng(seed).integers(0, len(sums), (RESAMPLES, len(sums)))
    low, high = np.quantile(np.sqrt(np.divide(*np.moveaxis(sums[draws].sum(axis=1), 1, 0))), (0.025, 0.975))
    return {"ratio": float(np.sqrt(one.sum() / other.sum())), "low": float(low), "high": float(high)}


# ------------------------------------------------------------------------------------------------- LensKit


def _environment(folder: Path) -> Path:
    python = folder / "bin" / "python"
    if not python.exists():
        print(f"making {folder} with {LENSKIT[0]}", file=sys.stderr)
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *LENSKIT], check=True)
    return python


def _lenskit(
    python: Path, train: Ratings, validation: Ratings, both: Ratings, test: Ratings, scale: tuple[float, float]
) -> tuple[NDArray[np.float64], dict[str, Any]]:
    """Its test predictions, NaN where it knows no item, and its choice; `lenskit_rmse.py` makes them."""
    with tempfile.TemporaryDirectory() as folder:
        for name, part in {"train": train, "validation": validation, "both": both, "test": test}.items():
            columns = {"user_id": part.user, "item_id": part.item, "rating": part.value.astype(np.float64)}
            pd.DataFrame(columns).to_parquet(Path(folder) / f"{name}.parquet")
        task = {"grid": GRID, "dampings": DAMPINGS, "scale": scale}
        (Path(folder) / "task.json").write_text(json.dumps(task), encoding="utf-8")
        script = Path(__file__).with_name("lenskit_rmse.py")
        subprocess.run([python, script, folder], check=True, stdout=subprocess.DEVNULL)
        return np.load(Path(folder) / "predicted.npy"), json.loads((Path(folder) / "chosen.json").read_text())


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Means over the seeds, and each seed's paired interval."""
    lines = ["model       RMSE     seeds " + ", ".join(str(row["seed"]) for row in rows)]
    for name in MODELS:
        lines.append(f"{name:<10}{np.mean([row['rmse'][name] for row in rows]):8.4f}")
    for row in rows:
        ratio = row["against_lenskit"]
        lines.append(
            f"seed {row['seed']}: package / LensKit {ratio['ratio']:.4f} ({ratio['low']:.4f} to {ratio['high']:.4f})"
        )
    return lines


if __name__ == "__main__":
    sys.exit(main())
