"""Explicit matrix factorization: rating = mean + b_u + b_i + u.v, by least squares that know how sure they are.

Plain ALS takes the factors of the other side for certain, and overfits users and items with a handful of
ratings however it is regularized. Here each row is a Gaussian posterior, and the least squares of the other
side see its covariance too (variational Bayes). The strengths of the regularization follow from the data, in
closed form, so that only the width and the number of epochs are left to choose on validation.

User u is the vector x = (b_u, 1, u) and item i is w = (1, b_i, v), so that rating - mean = x.w + noise. With
M_i = E[w w^T] all that a user needs of its items is S = sum_i M_i and t = sum_i (rating - mean) w, two sparse
products. Its free coordinates f (all but the constant c) have the covariance
(S_ff / noise + diag(precision))^-1 and the mean covariance . ((t_f - S_fc) / noise + precision prior_f). Items
alike.

Source: Lim and Teh 2007 (variational Bayesian matrix factorization); Koren et al. 2009, eq. 5 (biases).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from pocketrec.errors import DataError
from scipy.sparse import csr_matrix

USER_BIAS, ITEM_BIAS = 0, 1
"""Coordinates of the two biases; a user holds the constant 1 at ITEM_BIAS, an item at USER_BIAS."""
BIASES = 2
START = 0.05
"""Spread of the random item vectors that the first epoch starts from: small, so that biases explain what they can."""
START_SHARE, START_NOISE = 0.2, 0.6
"""The first epoch takes each bias and the vectors' product to explain a fifth of the variance; then it is learned."""
LEAST_NOISE = 1e-4
"""Floor of the noise, as a share of the ratings' variance: data that fit exactly must not divide by zero."""
LEAST_VARIANCE = 1e-6
"""Floor of a prior's variance."""
PATIENCE = 2
NOTICEABLE = 3e-4
"""The share by which an epoch must lower the validation error."""
CHUNK = 1024
"""Rows that are solved at a time: a few megabytes of matrices."""


@dataclass(frozen=True)
class Ratings:
    """Ratings as rows of three arrays, users below ``users`` and items below ``items``, each pair at most once.

    Attributes:
        user: int[R].
        item: int[R].
        value: float32[R], on the input's scale.
        users: U.
        items: I.
    """

    user: NDArray[np.integer]
    item: NDArray[np.integer]
    value: NDArray[np.float32]
    users: int
    items: int

    def __len__(self) -> int:
        return len(self.value)

    def take(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> Ratings:
        """Some of the rows, of the same users and items."""
        return Ratings(self.user[rows], self.item[rows], self.value[rows], self.users, self.items)


@dataclass(frozen=True)
class Epoch:
    """Losses after an epoch.

    Attributes:
        objective: what training minimizes: the negative variational bound, per rating. It never rises.
        train_rmse: on the ratings it learns from.
        validation_rmse: on those held out to stop by, None without.
    """

    objective: float
    train_rmse: float
    validation_rmse: float | None


@dataclass(frozen=True)
class Explicit:
    """A fitted model; users without a rating have the bias 0, items ``new_item_bias``, both the vector 0.

    Attributes:
        mean: of a rating, with all biases 0.
        user_bias: float32[U].
        user_vectors: float32[U, d].
        item_bias: float32[I].
        item_vectors: float32[I, d]; each column's mean variance stands in ``item_variance``.
        new_item_bias: of an item without any rating.
        item_variance: float32[d], how unsure an item's vector is, the mean over all ratings.
        item_covariance: float32[d], the same of vector and bias together.
        regularization: of the fold-in's user vector, noise / prior variance.
        bias_regularization: of the fold-in's user bias.
        curve: an entry an epoch.
    """

    mean: float
    user_bias: NDArray[np.float32]
    user_vectors: NDArray[np.float32]
    item_bias: NDArray[np.float32]
    item_vectors: NDArray[np.float32]
    new_item_bias: float
    item_variance: NDArray[np.float32]
    item_covariance: NDArray[np.float32]
    regularization: float
    bias_regularization: float
    curve: tuple[Epoch, ...]

    def predict(self, user: NDArray[np.integer], item: NDArray[np.integer]) -> NDArray[np.float32]:
        """float32[R], the ratings of trained users, not clipped."""
        product = np.einsum("rd,rd->r", self.user_vectors[user], self.item_vectors[item])
        result: NDArray[np.float32] = np.float32(self.mean) + self.user_bias[user] + self.item_bias[item] + product
        return result


def fit(
    train: Ratings,
    validation: Ratings | None = None,
    *,
    dim: int = 32,
    share: float = 0.3,
    epochs: int = 30,
    seed: int = 0,
    threads: int = 1,
) -> Explicit:
    """The model of the epoch with the best validation error; without validation, of the last epoch.

    Args:
        train: the ratings to learn from.
        validation: ratings held out: training stops when two epochs have not lowered their error noticeably.
        dim: d; 0 leaves the biases alone.
        share: of the ratings' variance that u.v is taken to explain, d times the prior variance of an item's
            vector: the less, the stronger the regularization.
        epochs: the most that are run.
        seed: of the random start.
        threads: rows are solved independently, so the result does not depend on it.

    Raises:
        DataError: there is no rating.
    """
    if not len(train):
        raise DataError("explicit factors need at least one rating, found none")
    training = _Training(train, dim=dim, share=share, seed=seed, threads=threads)
    curve: list[Epoch] = []
    best, lowest, since = training.model(), math.inf, 0
    for _ in range(epochs):
        objective = training.epoch()
        error = training.rmse(validation) if validation is not None and len(validation) else None
        curve.append(Epoch(objective, training.rmse(train), error))
        if error is not None and error > lowest * (1 - NOTICEABLE):
            since += 1
            if since == PATIENCE:
                break
            continue
        if error is not None or len(curve) == epochs:
            best, lowest, since = training.model(), lowest if error is None else error, 0
    return replace(best, curve=tuple(curve))


class _Side:
    """The posteriors of all rows of one side, users or items, and their prior.

    Attributes:
        count: int[N], ratings of each row.
        rated: int[M], the rows with any; the others stay at the prior.
        free: the coordinates that are learned, all but the constant one.
        mean: float32[N, D], E[x].
        moment: float32[N, D (D + 1) / 2], the upper triangles of E[x x^T].
        prior: float64[D - 1], mean of the prior of the free coordinates.
        precision: float64[D - 1], of the prior.
    """

    def __init__(self, count: NDArray[np.integer], width: int, *, constant: int) -> None:
        self.count = count
        self.rated = np.flatnonzero(count)
        self.constant = constant
        self.free = np.array([c for c in range(width) if c != constant])
        self.upper = np.triu_indices(width)
        self.mean = np.zeros((len(count), width), np.float32)
        self.mean[:, constant] = 1
        self.moment = self._outer(self.mean)
        self.prior = np.zeros(width - 1)
        self.precision = np.ones(width - 1)
        self._log_det = 0.0

    def start(self, rng: np.random.Generator) -> None:
        """Random vectors, taken for certain; without them nothing would ever leave 0."""
        self.mean[:, BIASES:] = START * rng.standard_normal((len(self.mean), self.mean.shape[1] - BIASES))
        self.moment = self._outer(self.mean)

    def solve(self, ratings: csr_matrix, pattern: csr_matrix, other: _Side, noise: float, pool: Executor) -> float:
        """The posteriors given those of the other side; returns the expected squared error, summed."""

        def chunk(first: int) -> tuple[float, float]:
            rows = self.rated[first : first + CHUNK]
            packed, t = pattern[rows] @ other.moment, (ratings[rows] @ other.mean).astype(np.float64)
            s = np.empty((len(t), *(other.mean.shape[1],) * 2))
            s[:, self.upper[0], self.upper[1]] = s[:, self.upper[1], self.upper[0]] = packed
            of_free = s[:, self.free]
            system = of_free[:, :, self.free] / noise
            system[:, range(len(self.free)), range(len(self.free))] += self.precision
            right = (t[:, self.free] - of_free[:, :, self.constant]) / noise + self.precision * self.prior
            covariance = np.linalg.inv(system)
            log_det = -float(np.linalg.slogdet(system)[1].sum())
            free = (covariance @ right[:, :, None])[:, :, 0]
            self.mean[rows[:, None], self.free] = free
            s[:] = 0
            s[:, self.free[:, None], self.free] = covariance
            self.moment[rows] = self._outer(self.mean[rows]) + s[:, self.upper[0], self.upper[1]]
            product = float((self.moment[rows] * packed).sum(axis=0, dtype=np.float64) @ self._weight())
            return product - 2 * float((free * t[:, self.free]).sum() + t[:, self.constant].sum()), log_det

        sums = list(pool.map(chunk, range(0, len(self.rated), CHUNK)))
        self._log_det = sum(part for _, part in sums)
        self.mean[np.ix_(self.count == 0, self.free)] = self.prior
        return float(ratings.data.astype(np.float64) @ ratings.data) + sum(part for part, _ in sums)

    def learn_prior(self, *, mean: Sequence[int], spread: Sequence[int]) -> None:
        """The prior that makes the posteriors of the rated rows likeliest, in the given coordinates."""
        first, second = self._sums()
        rows = len(self.rated)
        for c in mean:
            self.prior[c] = first[c] / rows
        variance = (second - 2 * self.prior * first) / rows + self.prior**2
        for c in spread:
            self.precision[c] = 1 / max(variance[c], LEAST_VARIANCE)

    def divergence(self) -> float:
        """Kullback-Leibler divergence of the rated rows' posteriors from the prior, summed."""
        first, second = self._sums()
        rows = len(self.rated)
        away = self.precision @ (second - 2 * self.prior * first + rows * self.prior**2)
        return 0.5 * float(away - self._log_det - rows * (np.log(self.precision).sum() + len(self.precision)))

    def uncertainty(self) -> NDArray[np.float64]:
        """float64[D, D], the covariance of a row, the mean over all ratings."""
        weight = self.count / self.count.sum()
        full = np.empty((self.mean.shape[1],) * 2)
        full[self.upper] = full[self.upper[::-1]] = weight @ self.moment
        wide = self.mean.astype(np.float64)
        covariance: NDArray[np.float64] = full - (wide.T * weight) @ wide
        return covariance

    def _sums(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Sums over the rated rows of E[x] and E[x^2], in the free coordinates."""
        squares = self.moment[self.rated[:, None], np.flatnonzero(self.upper[0] == self.upper[1])]
        first = self.mean[self.rated].sum(axis=0, dtype=np.float64)
        return first[self.free], squares.sum(axis=0, dtype=np.float64)[self.free]

    def _outer(self, mean: NDArray[np.float32]) -> NDArray[np.float32]:
        return mean[:, self.upper[0]] * mean[:, self.upper[1]]

    def _weight(self) -> NDArray[np.float64]:
        """How often an entry of the upper triangle stands in the matrix."""
        return np.where(self.upper[0] == self.upper[1], 1.0, 2.0)


class _Training:
    """Users, items and the noise between them."""

    def __init__(self, ratings: Ratings, *, dim: int, share: float, seed: int, threads: int) -> None:
        self.threads = threads
        self.average = float(ratings.value.mean(dtype=np.float64))
        self.of_users = _matrix(ratings, self.average)
        self.of_items = self.of_users.T.tocsr()
        self.patterns = [_pattern(matrix) for matrix in (self.of_users, self.of_items)]
        width = BIASES + dim
        self.users = _Side(np.diff(self.of_users.indptr), width, constant=ITEM_BIAS)
        self.items = _Side(np.diff(self.of_items.indptr), width, constant=USER_BIAS)
        variance = max(float(np.var(self.of_users.data, dtype=np.float64)), LEAST_VARIANCE)
        self.noise, self.least_noise = START_NOISE * variance, LEAST_NOISE * variance
        self.users.precision[0] = self.items.precision[0] = 1 / (START_SHARE * variance)
        self.items.precision[1:] = dim / (share * variance)
        self.items.start(np.random.default_rng(seed))
        with ThreadPoolExecutor(threads) as pool:
            self.users.solve(self.of_users, self.patterns[0], self.items, self.noise, pool)

    def epoch(self) -> float:
        """Items, users, then noise and priors; returns the objective."""
        with ThreadPoolExecutor(self.threads) as pool:
            self.items.solve(self.of_items, self.patterns[1], self.users, self.noise, pool)
            error = self.users.solve(self.of_users, self.patterns[0], self.items, self.noise, pool)
        rows = self.of_users.nnz
        self.noise = max(error / rows, self.least_noise)
        # The spread of the users' vectors stays 1: only its product with that of the items' means anything.
        self.users.learn_prior(mean=[0], spread=[0])
        self.items.learn_prior(mean=[0], spread=[0])
        divergence = self.users.divergence() + self.items.divergence()
        return 0.5 * (math.log(2 * math.pi * self.noise) + error / rows / self.noise) + divergence / rows

    def rmse(self, ratings: Ratings) -> float:
        """Of ratings of these users and items, not clipped."""
        total = 0.0
        for first in range(0, len(ratings), 64 * CHUNK):
            rows = slice(first, first + 64 * CHUNK)
            user, item = self.users.mean[ratings.user[rows]], self.items.mean[ratings.item[rows]]
            gap = ratings.value[rows] - self.average - np.einsum("rd,rd->r", user, item)
            total += float(gap.astype(np.float64) @ gap)
        return math.sqrt(total / len(ratings))

    def model(self) -> Explicit:
        """The model as it stands, with the columns turned so that they are unsure independently of each other."""
        unsure = self.items.uncertainty()
        variance, turn = np.linalg.eigh(unsure[BIASES:, BIASES:])
        offset = self.users.prior[0]
        return Explicit(
            mean=self.average + float(offset),
            user_bias=(self.users.mean[:, USER_BIAS] - offset).astype(np.float32),
            user_vectors=(self.users.mean[:, BIASES:] @ turn).astype(np.float32),
            item_bias=self.items.mean[:, ITEM_BIAS].copy(),
            item_vectors=(self.items.mean[:, BIASES:] @ turn).astype(np.float32),
            new_item_bias=float(self.items.prior[0]),
            item_variance=np.maximum(variance, 0).astype(np.float32),
            item_covariance=(unsure[ITEM_BIAS, BIASES:] @ turn).astype(np.float32),
            regularization=self.noise,
            bias_regularization=float(self.noise * self.users.precision[0]),
            curve=(),
        )


def _matrix(ratings: Ratings, average: float) -> csr_matrix:
    centered = (ratings.value - np.float32(average)).astype(np.float32)
    matrix = csr_matrix((centered, (ratings.user, ratings.item)), shape=(ratings.users, ratings.items))
    matrix.sort_indices()
    return matrix


def _pattern(matrix: csr_matrix) -> csr_matrix:
    return csr_matrix((np.ones_like(matrix.data), matrix.indices, matrix.indptr), shape=matrix.shape)
