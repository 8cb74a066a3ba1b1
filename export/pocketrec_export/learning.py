"""What signals are fitted on, and how each is fitted with given settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags

from pocketrec_export import factors, neighbours, popularity
from pocketrec_export.screening import fit_screened
from pocketrec_export.search import Settings


@dataclass(frozen=True)
class Learning:
    """All that signals are fitted on.

    Attributes:
        train: csr float32[U, I].
        text: projected item texts float32[I, D] as the package holds them, or None.
        full_text: the teacher's own item texts for the full model, or None.
        attributes: float32[I, A] unit rows, see `attribute_vectors`; or None.
        weak: csr float32[U, I], 1 for each interaction of a train user that is not positive; or None.
        age: csr float32[U, I] in the order of ``train``, days by which each interaction is older than the newest; or
            None without timestamps.
        min_users: see `neighbours.fit_dense`.
        seed: of ALS, of the draw of validation users and of the search.
        threads: ALS threads.
    """

    train: csr_matrix
    text: NDArray[np.float32] | None = None
    full_text: NDArray[np.float32] | None = None
    attributes: NDArray[np.float32] | None = None
    weak: csr_matrix | None = None
    age: csr_matrix | None = None
    min_users: int = 1
    seed: int = 0
    threads: int = 1

    @property
    def has_weak(self) -> bool:
        """Whether there are interactions that are not positive."""
        return self.weak is not None and self.weak.nnz > 0

    @property
    def warm_items(self) -> int:
        """Items that occur in train."""
        return len(np.unique(self.train.indices))

    def factors(self, settings: Settings) -> factors.Factors:
        """Fitted with these settings."""
        return factors.fit(
            self.train,
            dim=int(settings["dim"]),
            alpha=float(settings["alpha"]),
            regularization=float(settings["regularization"]),
            iterations=int(settings["iterations"]),
            seed=self.seed,
            threads=self.threads,
        )

    def popularity(self, settings: Settings) -> NDArray[np.float32]:
        """Fitted with these settings."""
        return popularity.fit(self.train, age=self.age, half_life=float(settings["half_life"]))

    def neighbours(self, settings: Settings, *, max_items: int | None = None) -> csr_matrix:
        """Fitted with these settings on all items, or on the `max_items` most popular."""
        rows = self.interactions(settings["weak_weight"])
        if max_items is not None:
            rows = _most_popular(rows, max_items)
        keep, candidates = int(settings["keep"]), int(settings["candidates"])
        options: dict[str, Any] = {name: float(settings[name]) for name in ("l2", "text_weight", "dropout")}
        options |= {"text": self.sides(settings["attribute_weight"]), "min_users": self.min_users}
        if candidates:
            return fit_screened(rows, keep=keep, candidates=max(keep, candidates), seed=self.seed, **options)
        return neighbours.prune(neighbours.fit_dense(rows, **options), keep=keep, refit=True)

    def sides(self, attribute_weight: float) -> NDArray[np.float32] | None:
        """Texts with attributes beside them, float32[I, D + A]: inner products are K_text + weight * K_attributes."""
        if self.text is None or self.attributes is None or not attribute_weight:
            return self.text
        return np.hstack((self.text, np.float32(np.sqrt(attribute_weight)) * self.attributes))

    def interactions(self, weak_weight: float) -> csr_matrix:
        """Positives, and what is not positive at a lower weight."""
        if self.weak is None or not self.has_weak or not weak_weight:
            return self.train
        # An item that nobody liked gains no neighbours from those who did not: it should not be recommended.
        liked = np.bincount(self.train.indices, minlength=self.train.shape[1]) > 0
        return csr_matrix(self.train + weak_weight * (self.weak @ diags(liked.astype(np.float32))))


def _most_popular(interactions: csr_matrix, count: int) -> csr_matrix:
    """The interactions with the `count` items that have most of them."""
    uses = np.bincount(interactions.indices, minlength=interactions.shape[1])
    kept = np.zeros(len(uses), np.float32)
    kept[np.lexsort((np.arange(len(uses)), -uses))[:count]] = 1
    result = csr_matrix(interactions @ diags(kept))
    result.eliminate_zeros()
    return result
