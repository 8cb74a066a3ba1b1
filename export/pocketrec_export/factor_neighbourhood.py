"""The factor neighbourhood: item-neighbourhood filtering in the space of the factors, as it is usually published.

    x(i) = sum over j in S_u(i) of r_uj u.v_j / (|u| |v_j|) + b_i

S_u(i) are the items of the user's history that are most similar to i. In this form the similarity of i and j only
decides who is in the sum; `cosine` puts cos(v_j, v_i) in the place of u.v_j / (|u| |v_j|), which weighs it as well.
Neither is in a package: on three public sets a blend gains nothing by either (`ablation`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pocketrec_export import factors

NEAREST = 20
"""Size of S_u(i). On validation users of three public sets better than 5, but for the cosine form on a shop's."""


def scores(
    table: NDArray[np.float32],
    *,
    index: NDArray[np.int64],
    weight: NDArray[np.float32],
    alpha: float,
    cosine: bool = False,
    nearest: int = NEAREST,
    bias: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """x(i) for every item, float32[I].

    Args:
        table: whitened factors float32[I, d].
        index: int64[H] history items.
        weight: float32[H], r_uj.
        alpha: confidence of weight 1 in the fold-in that gives u.
        cosine: use cos(v_j, v_i) instead of cos(u, v_j).
        nearest: history items in S_u(i), those of the largest cos(v_j, v_i); never one whose cosine is negative.
        bias: float32[I], b_i; none by default.
    """
    result = np.zeros(len(table), np.float32) if bias is None else bias.copy()
    if len(index) == 0:
        return result
    unit = _unit(table)
    similar = unit @ unit[index].T  # [I, H]
    count = min(nearest, len(index))
    chosen = np.argpartition(-similar, count - 1, axis=1)[:, :count]
    near = np.take_along_axis(similar, chosen, axis=1)
    if cosine:
        closeness = near
    else:
        user = factors.fold_in(table, index=index, weight=weight, alpha=alpha)
        closeness = (unit[index] @ _unit(user[None, :])[0])[chosen]
    result += np.where(near > 0, weight[chosen] * closeness, 0).sum(axis=1, dtype=np.float32)
    return result


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(length > 0, length, 1), dtype=np.float32)
