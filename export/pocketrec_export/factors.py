"""Item factors by implicit-feedback ALS, stored *whitened* so that a device can fold a user in.

Implicit's user step solves ``(V^T V + lambda I + sum_j (k_j - 1) v_j v_j^T) u = sum_{c_j > 0} k_j v_j`` with
``k_j = alpha * |c_j|`` (Hu, Koren, Volinsky 2008, eq. 4). Written in ``v' = R v`` with
``R = (V^T V + lambda I)^(-1/2)`` the constant part becomes the identity:

    (I + sum_j (k_j - 1) v'_j v'_j^T) u' = sum_{c_j > 0} k_j v'_j,      u'.v'_i = u.v_i

So the package needs no Gram matrix, and the condition number of the system is at most max(k_j, 1), which is
why a handful of conjugate-gradient steps is enough.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from numpy.typing import NDArray
from pocketrec.errors import DataError
from threadpoolctl import threadpool_limits

DIM_MULTIPLE = 64
"""Quantized dot products work in blocks of 64, so tables are padded with zero columns to a multiple."""

TINY = np.float32(1e-30)
"""Guards the two divisions of a CG step; reached only once the residual is exactly zero."""


@dataclass(frozen=True, slots=True)
class Factors:
    """Whitened item factors.

    Attributes:
        table: float32[I, d], d a multiple of 64. Items without interactions are zero rows.
        alpha: confidence of a history weight of 1.
    """

    table: NDArray[np.float32]
    alpha: float


@contextlib.contextmanager
def _single_threaded_blas() -> Iterator[None]:
    """Implicit runs its own threads; BLAS threads under them only fight (and make it warn)."""
    with threadpool_limits(limits=1, user_api="blas"):
        yield


def whiten(item_factors: NDArray[np.float32], *, regularization: float) -> NDArray[np.float32]:
    """``V (V^T V + lambda I)^(-1/2)`` with the symmetric root, float32[I, d].

    The symmetric root stays close to ALS's own random basis, which spreads a row's energy over all columns;
    the eigen-basis concentrates it and costs int8 accuracy.
    """
    wide = item_factors.astype(np.float64)
    value, vector = np.linalg.eigh(wide.T @ wide + regularization * np.eye(wide.shape[1]))
    root = (vector / np.sqrt(np.maximum(value, 1e-12))) @ vector.T
    return np.ascontiguousarray(wide @ root, dtype=np.float32)


def fit(
    interactions: Any,
    *,
    dim: int = 64,
    alpha: float = 10.0,
    regularization: float = 1.0,
    iterations: int = 15,
    seed: int = 0,
    threads: int = 1,
) -> Factors:
    """Whitened ALS factors of the train users' interactions.

    Args:
        interactions: ``scipy.sparse`` csr [U, I]; a value is the weight that `alpha` multiplies.
        dim: number of factors; padded with zero columns to a multiple of 64.
        alpha: confidence of weight 1 (implicit's convention: alpha * value, not 1 + alpha * value).
        regularization: lambda of both ALS steps and of the fold-in.
        iterations: alternating sweeps.
        seed: of the random start.
        threads: ALS threads. Rows are solved independently, so the result does not depend on it.

    Raises:
        DataError: the matrix holds no interaction.
    """
    if interactions.nnz == 0:
        users, items = interactions.shape
        raise DataError(f"factors need at least one interaction, found none in {users} users x {items} items")
    with _single_threaded_blas():
        model = AlternatingLeastSquares(
            factors=dim,
            alpha=alpha,
            regularization=regularization,
            iterations=iterations,
            num_threads=threads,
            random_state=seed,
        )
        model.fit(interactions.tocsr().astype(np.float32), show_progress=False)
        table = whiten(np.asarray(model.item_factors), regularization=regularization)
    return Factors(pad(table), float(alpha))


def pad(table: NDArray[np.float32]) -> NDArray[np.float32]:
    """float32[I, d]: the table with zero columns added to the next multiple of 64."""
    items, dim = table.shape
    padded = np.zeros((items, -(-dim // DIM_MULTIPLE) * DIM_MULTIPLE), dtype=np.float32)
    padded[:, :dim] = table
    return padded


def fold_in(
    table: NDArray[np.float32],
    *,
    index: NDArray[np.int64],
    weight: NDArray[np.float32],
    alpha: float,
    steps: int | None = None,
) -> NDArray[np.float32]:
    """User vector float32[d] of a history, to be multiplied with the rows of `table`.

    Args:
        table: whitened factors float32[I, d].
        index: int64[H] item positions, distinct.
        weight: float32[H] history weights c; confidence alpha*|c|, preference 1 if c > 0 else 0.
        alpha: confidence of weight 1.
        steps: number of CG steps from zero, as a package runs it; None solves exactly.

    Source: Hu et al. 2008, eq. 4; Takacs et al. 2011 for the CG step.
    """
    rows = table[index]  # [H, d]
    confidence = np.float32(alpha) * np.abs(weight).astype(np.float32)
    right = np.where(weight > 0, confidence, np.float32(0)) @ rows
    if steps is None:
        wide = rows.astype(np.float64)
        matrix = np.eye(table.shape[1]) + (wide.T * (confidence.astype(np.float64) - 1)) @ wide
        return np.linalg.solve(matrix, right.astype(np.float64)).astype(np.float32)
    return _conjugate_gradients(rows, confidence - np.float32(1), right, steps)[0]


def _conjugate_gradients(
    rows: NDArray[np.float32], extra: NDArray[np.float32], right: NDArray[np.float32], steps: int
) -> tuple[NDArray[np.float32], list[float]]:
    """`steps` plain CG iterations for (I + rows^T diag(extra) rows) u = right, and the residual after each."""
    user = np.zeros_like(right)
    residual, direction = right.copy(), right.copy()
    energy = residual @ residual
    first = max(float(energy), float(TINY))
    relative = []
    for _ in range(steps):
        image = direction + (extra * (rows @ direction)) @ rows
        step = energy / np.maximum(direction @ image, TINY)
        user += step * direction
        residual -= step * image
        before, energy = energy, residual @ residual
        direction = residual + (energy / np.maximum(before, TINY)) * direction
        relative.append(float(np.sqrt(energy / first)))
    return user, relative


def choose_steps(
    table: NDArray[np.float32],
    *,
    histories: Sequence[NDArray[Any]],
    alpha: float,
    tolerance: float = 1e-5,
    bounds: tuple[int, int] = (4, 16),
) -> int:
    """Fewest CG steps that bring the relative residual of every history to `tolerance`, within `bounds`.

    Args:
        table: whitened factors float32[I, d], as the package will hold them.
        histories: per user int[H] item positions, each of weight 1.
        alpha: confidence of weight 1.
        tolerance: relative residual norm to reach.
        bounds: smallest and largest answer.
    """
    low, high = bounds
    needed = low
    for index in histories:
        rows = table[index]
        extra = np.full(len(rows), alpha - 1, dtype=np.float32)
        right = np.float32(alpha) * rows.sum(axis=0)
        if not right.any():
            continue
        relative = _conjugate_gradients(rows, extra, right, high)[1]
        reached = next((n for n, value in enumerate(relative, 1) if value <= tolerance), high)
        needed = max(needed, reached)
        if needed == high:
            break
    return needed
