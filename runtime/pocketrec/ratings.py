"""Ratings a user would give: the fold-in of explicit factors, and the prediction. Plain float64, no engine.

A package holds no user, so the user is solved from the ratings given. With z = (1, v) of the H rated items,
x = (b_u, u) is the solution of

    (sum z z^T + H diag(0, variance) + diag(bias_regularization, regularization, ...)) x
        = sum z (rating - mean - b_i) - H (0, covariance)

The two terms with H say how unsure the item vectors are themselves: without them a long history would trust
vectors that were learned from a handful of ratings. Source: Lim and Teh 2007.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketrec.catalogue import Catalogue
from pocketrec.errors import PackageError, UsageError
from pocketrec.manifest import RatingSettings
from pocketrec.package import Package

RatingsLike = Sequence[tuple[str | int, float]] | Mapping[str, float] | Mapping[int, float]
"""(id, rating) pairs or a mapping of id to rating."""

ZERO_POINT = 128


@dataclass(frozen=True, slots=True)
class RatingTables:
    """What predicts ratings of I items.

    Attributes:
        settings: scale, mean and damping.
        value: uint8[I, d], item vectors with zero point 128.
        scale: float32[I], of each row.
        bias: float32[I], of each item.
        spread: float32[2, d], mean variance of the item vectors, and their mean covariance with the bias.
    """

    settings: RatingSettings
    value: NDArray[np.uint8]
    scale: NDArray[np.float32]
    bias: NDArray[np.float32]
    spread: NDArray[np.float32]

    @classmethod
    def of(cls, package: Package) -> RatingTables:
        """Those of a package.

        Raises:
            UsageError: it has none.
        """
        if package.manifest.ratings is None:
            raise UsageError(
                "this package predicts no ratings; build it from interactions whose values are ratings (--value rating)"
            )
        arrays = (package.array(f"ratings/{name}") for name in ("value", "scale", "bias", "spread"))
        return cls(package.manifest.ratings, *arrays)

    def fold_in(self, index: NDArray[np.int64], rating: NDArray[np.float64]) -> NDArray[np.float64]:
        """float64[1 + d]: the bias and the vector of the user who gave these ratings; zeros without any.

        Args:
            index: int64[H] catalogue positions, distinct.
            rating: float64[H], on the input's scale.

        Raises:
            PackageError: the tables admit no finite solution.
        """
        z = self._rows(index)
        settings, count, (variance, covariance) = self.settings, len(index), self.spread.astype(np.float64)
        system = z.T @ z
        system[np.diag_indices_from(system)] += np.concatenate(
            ([settings.bias_regularization], settings.regularization + count * variance)
        )
        right = (rating - settings.mean - self.bias[index]) @ z
        right[1:] -= count * covariance
        try:
            return _finite(np.linalg.solve(system, right).astype(np.float64))
        except np.linalg.LinAlgError:
            return _finite(np.full(len(right), math.nan))

    def ratings(self, user: NDArray[np.float64], index: NDArray[np.int64]) -> NDArray[np.float64]:
        """float64[N]: what a folded-in user would give these items, within the scale.

        Raises:
            PackageError: a rating is not finite.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            raw = self.settings.mean + self.bias[index] + self._rows(index) @ user
        return np.clip(_finite(raw), self.settings.low, self.settings.high)

    def _rows(self, index: NDArray[np.int64]) -> NDArray[np.float64]:
        """float64[N, 1 + d]: a one, then the item's vector."""
        vectors = (self.value[index].astype(np.float64) - ZERO_POINT) * self.scale[index, None]
        return np.concatenate((np.ones((len(index), 1)), vectors), axis=1)


def predict(
    tables: RatingTables, catalogue: Catalogue, history: RatingsLike, items: Sequence[str | int], *, strict: bool
) -> list[float | None]:
    """As `Recommender.predict`."""
    index, rating, unknown = _resolve(history, catalogue, tables.settings)
    if isinstance(items, (str, bytes)) or not isinstance(items, Iterable):
        raise UsageError(f"items is a sequence of ids; got {items!r:.80}")
    wanted = [str(item) for item in items]
    rows = np.array([catalogue.index(item) for item in wanted], np.int64)
    unknown += [item for item, row in zip(wanted, rows, strict=True) if row < 0]
    if strict and unknown:
        listed = ", ".join(repr(item) for item in unknown[:5])
        raise UsageError(f"{len(unknown)} ids are not in the catalogue: {listed}; pass strict=False to ignore")
    found = iter(tables.ratings(tables.fold_in(index, rating), rows[rows >= 0]).tolist())
    return [next(found) if row >= 0 else None for row in rows]


def _resolve(
    history: RatingsLike, catalogue: Catalogue, settings: RatingSettings
) -> tuple[NDArray[np.int64], NDArray[np.float64], list[str]]:
    """Positions and ratings of the known items, each item's last rating; and the unknown ids."""
    known: dict[int, float] = {}
    unknown: dict[str, None] = {}
    for item, rating in _pairs(history):
        if not settings.low <= rating <= settings.high:
            raise UsageError(
                f"item {item!r} has rating {rating:g}; ratings of this package go from "
                f"{settings.low:g} to {settings.high:g}"
            )
        index = catalogue.index(item)
        if index < 0:
            unknown[item] = None
        else:
            known[index] = rating
    return np.array(list(known), np.int64), np.array(list(known.values()), np.float64), list(unknown)


def _pairs(history: RatingsLike) -> Iterable[tuple[str, float]]:
    if isinstance(history, (str, bytes)) or not isinstance(history, Iterable):
        raise UsageError(f"a history is (id, rating) pairs or a mapping; got {history!r:.80}")
    for entry in history.items() if isinstance(history, Mapping) else history:
        if not isinstance(entry, tuple) or len(entry) != 2:
            raise UsageError(f"to predict ratings, a history entry is (id, rating); got {entry!r:.80}")
        item, rating = entry
        if isinstance(rating, (bool, str, bytes)):
            raise UsageError(f"item {str(item)!r:.80} has rating {rating!r:.80}; expected a number")
        try:
            number = float(rating)
        except (TypeError, ValueError, OverflowError):
            raise UsageError(f"item {str(item)!r:.80} has rating {rating!r:.80}; expected a number") from None
        yield str(item), number


def _finite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    if not np.isfinite(values).all():
        raise PackageError("the package's rating tables give no finite rating; it is not to be trusted")
    return values
