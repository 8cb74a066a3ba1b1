"""A linear classifier over token counts, in the form of a static encoder with heads.

The logits of a text are W s + V' x: s is the unit sum of what the teacher knows of each token (``base``), x the
tf-idf weights of the tokens over the same length. Both are linear, so all heads are one convex problem with two
penalties, solved by L-BFGS on hard or soft labels. `folded` then writes it as a token table whose unit sum goes
through a small matrix, which is what every engine runs: token t's row is idf_t (base_t, k V_t).

Source: Joulin et al. 2017, "Bag of tricks for efficient text classification" (linear text classifiers are hard to
beat); Guo et al. 2017, "On calibration of modern neural networks" (temperature).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, sparse

F64 = NDArray[np.float64]

ITERATIONS = 150
_PRIOR = 2.0
_SHARE = 0.25
"""Length of the label columns in a text's sum beside that of the base: long enough for 8 bits, short enough not to
change the sum's length much."""


@dataclass(frozen=True)
class Features:
    """N texts as the fit sees them.

    Attributes:
        sense: float64 [N, S], unit sums of the base, zero for a text without tokens.
        counts: float64 [N, T], tf-idf of the tokens over the length of the base's sum.
    """

    sense: F64
    counts: sparse.csr_array

    def rows(self, index: NDArray[np.int64]) -> Features:
        """Some of the texts."""
        return Features(self.sense[index], self.counts[index])


@dataclass(frozen=True)
class Linear:
    """Logits sense @ weight + counts @ tokens + bias, over the K labels of all heads side by side."""

    weight: F64
    tokens: F64
    bias: F64

    def logits(self, x: Features) -> F64:
        """float64 [N, K]."""
        found: F64 = x.sense @ self.weight + x.counts @ self.tokens + self.bias
        return found


def inverse_frequency(bags: sparse.csr_array) -> F64:
    """idf of each token, float64 [T]: log((1 + N) / (1 + texts with it)) + 1."""
    texts = np.bincount(bags.indices, minlength=bags.shape[1])
    return np.asarray(np.log((1 + bags.shape[0]) / (1 + texts)) + 1)


def telling(bags: sparse.csr_array, targets: Sequence[F64]) -> F64:
    """How much each token tells of each label by itself, float64 [T, K], about 1: the mean of 1 and the absolute
    log-ratio of how often texts with the label have it and texts with another.

    Weights of telling tokens may grow more easily; on Financial PhraseBank that is worth 0.9 points of validation
    accuracy.

    Source: Wang & Manning 2012, "Baselines and bigrams" (naive Bayes features in a linear model).

    Args:
        bags: counts [N, T].
        targets: for each head float64 [N, C], as in `fit`.
    """
    has = sparse.csr_array((bags > 0).astype(np.float64).T)
    found = []
    for target in targets:
        known = target.sum(axis=1, keepdims=True)
        mine, texts = has @ target + 1, target.sum(axis=0)
        others = has @ known + target.shape[1] - mine
        ratio = np.abs(np.log(mine / (texts + 2)) - np.log(others / (known.sum() - texts + 2)))
        found.append(0.5 + 0.5 * ratio / max(float(np.sqrt(np.mean(ratio**2))), 1e-9))
    return np.concatenate(found, axis=1)


def features(bags: sparse.csr_array, base: F64, idf: F64) -> Features:
    """What the fit sees of token counts.

    Args:
        bags: counts [N, T], each token of a text once.
        base: float64 [T, S], what is known of each token.
        idf: float64 [T].
    """
    weighted = sparse.csr_array(bags.multiply(idf[None, :]))
    total = weighted @ base
    length = np.linalg.norm(total, axis=1)
    inverse = np.divide(1.0, length, out=np.zeros_like(length), where=length > 0)
    scaled = sparse.csr_array(sparse.diags_array(inverse) @ weighted)
    return Features(total * inverse[:, None], scaled)


def fit(x: Features, targets: Sequence[F64], *, sense: float, tokens: float, ease: F64 | None = None) -> Linear:
    """The maximum of the penalized likelihood.

    Args:
        x: N texts.
        targets: for each head float64 [N, C]: rows of probabilities, zero where the text has no label of it.
        sense: penalty of ``weight``, half its squared norm times this over N.
        tokens: the same of ``tokens``, each divided by its ``ease``.
        ease: float64 [T, K], how easily each weight may grow; None is 1 for all.
    """
    count, (width, vocabulary) = len(x.sense), (x.sense.shape[1], x.counts.shape[1])
    target = np.concatenate(targets, axis=1)
    ends = np.cumsum([0, *(t.shape[1] for t in targets)])
    labels = target.shape[1]
    back = sparse.csr_array(x.counts.T)
    sizes = (width * labels, vocabulary * labels, labels)

    eased = np.ones((1, 1)) if ease is None else ease

    def parts(flat: F64) -> Linear:
        w, v, b = np.split(flat, np.cumsum(sizes)[:2])
        return Linear(w.reshape(width, labels), v.reshape(vocabulary, labels) * eased, b)

    def loss(flat: F64) -> tuple[float, F64]:
        at = parts(flat)
        logits = at.logits(x)
        error = np.empty_like(logits)
        value = 0.0
        for first, last in pairwise(ends):
            z, y = logits[:, first:last], target[:, first:last]
            z = z - z.max(axis=1, keepdims=True)
            log_sum = np.log(np.exp(z).sum(axis=1, keepdims=True))
            weight = y.sum(axis=1, keepdims=True)
            value += float((weight * log_sum).sum() - (y * z).sum())
            error[:, first:last] = weight * np.exp(z - log_sum) - y
        free = flat[sizes[0] : sizes[0] + sizes[1]]  # the tokens' weights before they are eased
        value += 0.5 * (sense * float((at.weight**2).sum()) + tokens * float(free @ free))
        slope = np.concatenate(
            [
                (x.sense.T @ error + sense * at.weight).ravel(),
                ((back @ error) * eased).ravel() + tokens * free,
                error.sum(axis=0),
            ]
        )
        return value / count, slope / count

    found = optimize.minimize(
        loss, np.zeros(sum(sizes)), jac=True, method="L-BFGS-B", options={"maxiter": ITERATIONS, "maxcor": 20}
    )
    return parts(found.x)


def folded(model: Linear, base: F64, idf: F64, counts: sparse.csr_array, *, dim: int) -> tuple[F64, F64]:
    """The model as a token table [T, dim] and a matrix [K, dim]: the unit sum of a text's rows times it, plus the
    bias, are its logits, but for the few per cent by which the label columns lengthen the sum.

    Args:
        model: of the fit.
        base: float64 [T, S].
        idf: float64 [T].
        counts: of `Features`, to measure how long label columns are.
        dim: S + R; where K exceeds R, the label columns are the R strongest directions of the tokens' weights.
    """
    rank = dim - base.shape[1]
    left, strength, right = np.linalg.svd(model.tokens, full_matrices=False)
    rank = min(rank, len(strength))
    columns, back = left[:, :rank] * strength[:rank], right[:rank]  # tokens = columns @ back
    length = np.sqrt(np.mean(((counts @ columns) ** 2).sum(axis=1)))
    share = _SHARE / length if length > 0 else 1.0
    table = np.zeros((len(base), dim))
    table[:, : base.shape[1]] = base
    table[:, base.shape[1] : base.shape[1] + rank] = columns * share
    matrix = np.zeros((model.tokens.shape[1], dim))
    matrix[:, : base.shape[1]] = model.weight.T
    matrix[:, base.shape[1] : base.shape[1] + rank] = back.T / share
    return table * idf[:, None], matrix


def temperature(logits: F64, labels: NDArray[np.int64]) -> float:
    """What logits [N, C] are divided by to be most likely, for the labels int64 [N].

    A mild prior for 1 keeps a handful of texts that happen to be right from making the heads certain of everything.

    Source: Guo et al. 2017, section 4.2.
    """

    def loss(log_t: float) -> float:
        return len(labels) * log_loss(logits / np.exp(log_t), labels) + _PRIOR * log_t**2

    found = optimize.minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded")
    return float(np.exp(found.x))


def log_loss(logits: F64, labels: NDArray[np.int64]) -> float:
    """Mean negative log-probability of the labels."""
    z = logits - logits.max(axis=1, keepdims=True)
    return float(np.mean(np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(z)), labels]))
