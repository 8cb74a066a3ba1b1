"""The device's text encoder: one vector for each word piece, taught to answer queries as the teacher would.

A query's vector is the sum of its pieces' vectors at unit length. The catalogue keeps the teacher's own
vectors (projected), so only short texts must be imitated. The table is made in two steps:

1. A linear start. What the teacher knows of a piece by itself (its input embedding, its encoding of the
   piece as a text) is mapped by ridge regression to the vectors of whole queries. This also places pieces
   that no lesson contains.
2. Fine-tuning: each piece gets a correction, drawn back to zero, and an importance weight that is folded
   into its row. The loss is the cosine distance to the teacher plus the divergence of the two rankings of
   random catalogue items.

Source: the ranking loss follows Cao et al. 2007, "Learning to rank: from pairwise to listwise approach";
static embeddings from a sentence encoder: https://github.com/MinishLab/model2vec.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from pocketrec.errors import DataError, UsageError
from scipy import sparse

from pocketrec_export.batched_teacher import Progress
from pocketrec_export.query_texts import query_texts
from pocketrec_export.teacher import Teacher
from pocketrec_export.text_space import fit_projection, project, unit_rows
from pocketrec_export.tokenizer_tables import hf_tokenizer
from pocketrec_export.vocabulary import bare, frequent_pieces, prune_vocabulary, tokenize_all

MAX_TOKENS = 256
"""Word pieces of a query that count, here and on the device."""


@dataclass(frozen=True)
class Preset:
    """How much work goes into a student."""

    pieces: int  # rows of the token table
    lessons: int  # query texts for the teacher to encode
    epochs: int  # few: on film queries the held-out figures fall again after 3 (full) to 5 (quick)


PRESETS: Mapping[str, Preset] = {
    "quick": Preset(pieces=16_384, lessons=20_000, epochs=4),
    "full": Preset(pieces=30_000, lessons=60_000, epochs=3),
}

_HELD_OUT = 500  # lessons kept from training to measure fidelity
_SHORT_ITEM = 40  # item texts of up to so many pieces are lessons too; longer ones are unlike any query
_RIDGE = 1e-2  # relative to the mean eigenvalue
_BATCH = 256
_NEGATIVES = 1024  # random items whose ranking is imitated, beside the batch's own targets
_TEMPERATURE = 0.05
_RANKING = 0.3  # weight of the ranking loss
_SHRINK = 0.05  # weight of the squared correction
_LEARNING_RATE = 3e-3
_WEIGHT_LEARNING_RATE = 2e-2
_WARMUP = 20  # steps


@dataclass(frozen=True)
class Student:
    """A distilled encoder and the space it lives in.

    Attributes:
        tokens: float32[T, D], importance folded in.
        vocabulary: T word pieces; row = token id.
        projection: float32[E, D] from the teacher's space into the package's (``text_space.project``).
        losses: mean loss of each epoch.
        fidelity: on held-out queries, student and projected items against teacher and its own items:
            ``overlap_at_10``, the shared part of the ten nearest items; ``ndcg_at_10`` of the student's order
            with the teacher's cosine as gain.
        queries: those held-out queries.
        answers: float32[Q, E], the teacher's vectors of them.
        bits: in which a package stores a number of ``tokens``, see `tiers`.
    """

    tokens: NDArray[np.float32]
    vocabulary: list[str]
    projection: NDArray[np.float32]
    losses: tuple[float, ...]
    fidelity: Mapping[str, float]
    queries: tuple[str, ...] = ()
    answers: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    bits: int = 4

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors float32[N, D], as the device computes them but for the rounding of the table."""
        return encode(self.tokens, self.vocabulary, texts)


def distill(
    teacher: Teacher,
    items: Sequence[str],
    *,
    item_vectors: NDArray[np.float32],
    titles: Sequence[str] = (),
    dim: int = 256,
    preset: str = "quick",
    pieces: int | None = None,
    seed: int = 0,
    encode_progress: Progress | None = None,
    epoch_progress: Callable[[int, int, float], None] | None = None,
) -> Student:
    """A student of the teacher for one catalogue; the same bytes for the same input and thread count.

    Args:
        teacher: encodes the lessons.
        items: item texts.
        item_vectors: float32[I, E], the teacher's vectors of ``items``.
        titles: item titles, if known.
        dim: D, a multiple of 64; at most E.
        preset: a key of ``PRESETS``.
        pieces: the most rows of the token table; None is the preset's number.
        seed: of lessons and training.
        encode_progress: called while the teacher encodes lessons with (done, in all).
        epoch_progress: called with (epoch, epochs, mean loss).

    Raises:
        DataError: no item has a text.
        UsageError: an unknown preset, or a dim that does not fit the teacher.
    """
    if preset not in PRESETS:
        raise UsageError(f"expected a preset of {', '.join(PRESETS)}, found {preset!r}")
    if dim % 64 or not 0 < dim <= teacher.dim:
        raise UsageError(f"expected a dim of 64, 128, ... up to the teacher's {teacher.dim}, found {dim}")
    plan = PRESETS[preset]
    filled = [row for row, text in enumerate(items) if text.strip()]
    if not filled:
        raise DataError("expected item texts to learn queries from, found none")
    items, item_vectors = [items[row] for row in filled], item_vectors[filled]

    vocabulary = _vocabulary(teacher, [*items, *titles], pieces or plan.pieces)
    everyday = [piece for piece in vocabulary if piece.isalpha() and len(piece) > 2]
    queries = query_texts(items, titles=titles, words=everyday, count=plan.lessons, seed=seed)
    alone = [bare(piece) for piece in vocabulary]
    vectors = teacher.encode([*queries, *alone], encode_progress)
    piece_vectors = vectors[len(queries) :]

    projection = fit_projection(item_vectors, vectors[: len(queries)], dim=dim)
    catalogue, targets = project(item_vectors, projection), project(vectors[: len(queries)], projection)
    held_out = min(_HELD_OUT, len(queries) // 10)
    bags = bag_of_pieces(vocabulary, [*queries[held_out:], *items])
    lengths = np.diff(bags.indptr)
    lessons = np.concatenate([targets[held_out:], catalogue])
    wanted = lengths > 0
    wanted[len(queries) - held_out :] &= lengths[len(queries) - held_out :] <= _SHORT_ITEM
    bags, lessons = bags[np.flatnonzero(wanted)], lessons[wanted]

    start = _linear_start(_features(teacher, vocabulary, piece_vectors), bags, lessons)
    with _same_bytes_every_time():
        tokens, losses = _fine_tune(start, bags, lessons, catalogue, plan.epochs, seed, epoch_progress)
    answers = encode(tokens, vocabulary, queries[:held_out])
    alike = fidelity(answers, catalogue, teacher=vectors[:held_out], teacher_catalogue=item_vectors)
    return Student(tokens, vocabulary, projection, losses, alike, tuple(queries[:held_out]), vectors[:held_out])


def encode(
    tokens: NDArray[np.float32], vocabulary: Sequence[str], texts: Sequence[str], *, limit: int = MAX_TOKENS
) -> NDArray[np.float32]:
    """Unit vectors float32[N, D] of texts by a token table float32[T, D]; zero where a text has no token.

    Args:
        tokens: one row a piece.
        vocabulary: the T pieces.
        texts: N texts.
        limit: pieces of a text that are read, from its start.
    """
    return unit_rows(np.asarray(bag_of_pieces(vocabulary, texts, limit=limit) @ tokens, np.float32))


def bag_of_pieces(
    vocabulary: Sequence[str], texts: Sequence[str], *, limit: int = MAX_TOKENS
) -> sparse.csr_array[np.float32]:
    """Counts of pieces float32[N, T], in the texts' token order (a piece may have several entries)."""
    ids = [row[:limit] for row in tokenize_all(hf_tokenizer(vocabulary), texts)]
    ends = np.cumsum([0] + [len(row) for row in ids])
    flat = np.array([index for row in ids for index in row], np.int32)
    return sparse.csr_array((np.ones(len(flat), np.float32), flat, ends), shape=(len(ids), len(vocabulary)))


def fidelity(
    student: NDArray[np.float32],
    catalogue: NDArray[np.float32],
    *,
    teacher: NDArray[np.float32],
    teacher_catalogue: NDArray[np.float32],
) -> dict[str, float]:
    """How alike two encoders rank, each over its own item vectors: see ``Student.fidelity``; empty without queries.

    Args:
        student: unit vectors float32[Q, D] of queries by the student.
        catalogue: unit vectors float32[I, D] of items, as the package holds them.
        teacher: float32[Q, E], the same queries by the teacher.
        teacher_catalogue: float32[I, E], the same items.
    """
    if not len(student):
        return {}
    k = min(10, len(catalogue))
    discount = 1 / np.log2(np.arange(2, k + 2))
    overlap, ndcg = [], []
    for mine, theirs in zip(student, teacher, strict=True):
        gain = np.maximum(teacher_catalogue @ theirs, 0)
        found = np.argsort(-(catalogue @ mine), kind="stable")[:k]
        best = np.argsort(-gain, kind="stable")[:k]
        overlap.append(len(np.intersect1d(found, best)) / k)
        ideal = gain[best] @ discount
        ndcg.append(gain[found] @ discount / ideal if ideal > 0 else 1.0)
    return {"overlap_at_10": float(np.mean(overlap)), "ndcg_at_10": float(np.mean(ndcg))}


def _vocabulary(teacher: Teacher, texts: Sequence[str], size: int) -> list[str]:
    pieces = teacher.vocabulary()
    if pieces is None:
        return frequent_pieces(texts, max_size=size)
    return prune_vocabulary(pieces, texts, max_size=size)


def _features(teacher: Teacher, vocabulary: Sequence[str], piece_vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the teacher knows of each piece by itself, float32[T, features]."""
    pieces = teacher.vocabulary()
    if pieces is None:
        return piece_vectors
    row = {piece: index for index, piece in enumerate(pieces)}
    embeddings = teacher.piece_embeddings()[[row[piece] for piece in vocabulary]]
    return np.concatenate([piece_vectors, unit_rows(embeddings)], axis=1)


def _linear_start(
    features: NDArray[np.float32], bags: sparse.csr_array[np.float32], lessons: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Token table float32[T, D]: the features, mapped so that their means come near the lessons."""
    length = np.diff(bags.indptr)[:, None]
    x = np.asarray(bags @ features, np.float64) / length
    gram = x.T @ x
    gram[np.diag_indices_from(gram)] += _RIDGE * np.trace(gram) / len(gram)
    table = features @ np.linalg.solve(gram, x.T @ lessons)
    return np.asarray(table / np.linalg.norm(table, axis=1).mean(), np.float32)


def _fine_tune(
    start: NDArray[np.float32],
    bags: sparse.csr_array[np.float32],
    lessons: NDArray[np.float32],
    catalogue: NDArray[np.float32],
    epochs: int,
    seed: int,
    progress: Callable[[int, int, float], None] | None,
) -> tuple[NDArray[np.float32], tuple[float, ...]]:
    import torch
    from torch.nn.functional import log_softmax, normalize

    base, items, targets = torch.tensor(start), torch.tensor(catalogue), torch.tensor(lessons)
    correction = torch.zeros_like(base, requires_grad=True)
    weight = torch.zeros(len(base), 1, requires_grad=True)
    rates = [{"params": [correction], "lr": _LEARNING_RATE}, {"params": [weight], "lr": _WEIGHT_LEARNING_RATE}]
    optimizer = torch.optim.Adam(rates, betas=(0.9, 0.99))
    random = torch.Generator().manual_seed(seed)
    steps = epochs * -(-len(lessons) // _BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: max(0.02, 1 - step / steps) * min(1, (step + 1) / _WARMUP)
    )
    losses: list[float] = []
    for epoch in range(epochs):
        total = 0.0
        for rows in torch.split(torch.randperm(len(lessons), generator=random), _BATCH):
            batch = bags[rows.numpy()]
            ids = torch.tensor(batch.indices, dtype=torch.int64)
            owner = torch.tensor(np.repeat(np.arange(len(rows)), np.diff(batch.indptr)))
            drawn = correction[ids]
            pieces = (base[ids] + drawn) * torch.exp(weight[ids])
            student = normalize(torch.zeros(len(rows), base.shape[1]).index_add(0, owner, pieces), dim=1)
            teacher = targets[rows]
            ranked = torch.cat([items[torch.randint(len(items), (_NEGATIVES,), generator=random)], teacher])
            wanted = log_softmax(teacher @ ranked.T / _TEMPERATURE, dim=1)
            given = log_softmax(student @ ranked.T / _TEMPERATURE, dim=1)
            loss = 1 - (student * teacher).sum(dim=1).mean()
            loss = loss + _RANKING * (wanted.exp() * (wanted - given)).sum(dim=1).mean()
            loss = loss + _SHRINK * (drawn**2).sum(dim=1).mean()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            total += loss.item() * len(rows)
        losses.append(total / len(lessons))
        if progress is not None:
            progress(epoch + 1, epochs, losses[-1])
    with torch.no_grad():
        tokens = (base + correction) * torch.exp(weight)
    return tokens.numpy(), tuple(losses)


@contextmanager
def _same_bytes_every_time() -> Iterator[None]:
    """Makes torch add up gradients in a fixed order; by default its threads race for a shared row."""
    import torch

    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
