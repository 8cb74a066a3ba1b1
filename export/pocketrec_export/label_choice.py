"""Fits the heads of a classifier: penalties and temperatures are chosen on texts held out, then all texts are fitted.

What is known of a token before any label is seen (``base``) is what the teacher knows of it by itself, mapped so that
sums of tokens come near the teacher's vectors of whole texts.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from pocketrec.errors import DataError
from pocketrec.wordpiece import MAX_WORD
from scipy import sparse

from pocketrec_export.batched_teacher import Progress
from pocketrec_export.label_fit import (
    F64,
    Features,
    Linear,
    features,
    fit,
    folded,
    inverse_frequency,
    log_loss,
    telling,
)
from pocketrec_export.label_fit import temperature as best_temperature
from pocketrec_export.labelled_texts import LabelledTexts
from pocketrec_export.student import PRESETS, bag_of_pieces
from pocketrec_export.teacher import Teacher
from pocketrec_export.tokenizer_tables import split_words
from pocketrec_export.unigram_tables import UnigramPieces
from pocketrec_export.vocabulary import bare, frequent_pieces, prune_vocabulary

HELD_OUT = 6
"""One text in so many chooses."""
PENALTIES = ((0.1, 0.1, True), (0.3, 0.1, False), (0.3, 0.1, True), (0.3, 0.3, True))
"""(sense, tokens, whether telling tokens have it easier), in this order. The most right on held-out texts wins, of
equals the one with the least log-loss: with three labels telling tokens help, with 77 they do not."""
_MOST_LABEL_COLUMNS = 128
_LEAST_SENSE = 60
_WORD_TEXTS = 2
_RIDGE = 1e-2  # relative to the mean eigenvalue


@dataclass(frozen=True)
class Fitted:
    """A static encoder and its heads, float32, as the package will hold them but for rounding to 8 bits.

    Attributes:
        vocabulary: T word pieces; row = token id.
        tokens: float32 [T, D].
        weights: for each head float32 [C, D], temperature folded in.
        biases: for each head float32 [C].
        held_out_logits: for each head float64 [M, C], calibrated, of texts with a label that were held out.
        held_out_labels: for each head int64 [M].
        penalties: those chosen.
    """

    vocabulary: list[str]
    tokens: NDArray[np.float32]
    weights: list[NDArray[np.float32]]
    biases: list[NDArray[np.float32]]
    held_out_logits: list[F64]
    held_out_labels: list[NDArray[np.int64]]
    penalties: tuple[float, float, bool]


def fit_heads(
    data: LabelledTexts,
    teacher: Teacher,
    *,
    dim: int | None,
    preset: str,
    seed: int,
    progress: Progress | None = None,
) -> Fitted:
    """The encoder and heads of labelled texts; the same for the same input.

    Args:
        data: N texts.
        teacher: knows words.
        dim: D; None is what the labels need.
        preset: its number of word pieces.
        seed: of what is held out.
        progress: called while the teacher encodes the texts.
    """
    pieces, added = _vocabulary(data.texts, teacher, PRESETS[preset].pieces)
    vocabulary = [*pieces, *added] if added else pieces
    labels = sum(len(head.labels) for head in data.heads)
    columns = min(labels, _MOST_LABEL_COLUMNS)
    dim = dim or -(-(_LEAST_SENSE + columns) // 64) * 64
    columns = min(columns, dim // 2)
    bags = bag_of_pieces(vocabulary, data.texts).astype(np.float64)
    bags.sum_duplicates()
    train, held_out = _divide(data, seed)
    idf = inverse_frequency(bags[train])
    base = _base(_known(teacher, pieces, added), bags, idf, teacher.encode(data.texts, progress), dim - columns)
    x = features(bags, base, idf)
    ends = np.cumsum([0, *(len(head.labels) for head in data.heads)])

    best: tuple[tuple[float, float], tuple[float, float, bool], list[float], list[F64]] | None = None
    for penalties in PENALTIES:
        logits = _fit(data, x, bags, train, penalties).logits(x.rows(held_out))
        scaled, losses, wrong, temperatures = [], [], [], []
        for head, (first, last) in zip(data.heads, pairwise(ends), strict=True):
            known = np.flatnonzero(head.index[held_out] >= 0)
            z, y = logits[known, first:last], head.index[held_out][known]
            temperatures.append(best_temperature(z, y))
            scaled.append(z / temperatures[-1])
            losses.append(log_loss(scaled[-1], y))
            wrong.append(float(np.mean(z.argmax(axis=1) != y)))
        score = (float(np.mean(wrong)), float(np.mean(losses)))
        if best is None or score < best[0]:
            best = (score, penalties, temperatures, scaled)
    assert best is not None, "there are penalties to try"
    _, penalties, temperatures, scaled = best
    everything = np.arange(len(data.texts))
    model = _fit(data, x, bags, everything, penalties)
    table, matrix = folded(model, base, idf, x.counts, dim=dim)
    heads = list(zip(pairwise(ends), temperatures, strict=True))
    return Fitted(
        vocabulary=vocabulary,
        tokens=np.asarray(table / np.linalg.norm(table, axis=1).mean(), np.float32),
        weights=[np.asarray(matrix[first:last] / t, np.float32) for (first, last), t in heads],
        biases=[np.asarray(model.bias[first:last] / t, np.float32) for (first, last), t in heads],
        held_out_logits=scaled,
        held_out_labels=[head.index[held_out][head.index[held_out] >= 0] for head in data.heads],
        penalties=penalties,
    )


def _fit(
    data: LabelledTexts,
    x: Features,
    bags: sparse.csr_array,
    rows: NDArray[np.int64],
    penalties: tuple[float, float, bool],
) -> Linear:
    targets = [head.targets()[rows] for head in data.heads]
    sense, tokens, eased = penalties
    return fit(x.rows(rows), targets, sense=sense, tokens=tokens, ease=telling(bags[rows], targets) if eased else None)


def _vocabulary(texts: list[str], teacher: Teacher, most: int) -> tuple[list[str], list[str]]:
    """The teacher's pieces, pruned, and the whole words of two texts or more that are none of them.

    A word of its own has a weight of its own: on Financial PhraseBank that is worth 1.3 points of validation accuracy.
    """
    known = teacher.vocabulary()
    if known is None:
        return frequent_pieces(texts, max_size=most), []
    pieces = prune_vocabulary(known, texts, max_size=most)
    if isinstance(pieces, UnigramPieces):
        return pieces, []
    have = set(pieces)
    count = Counter(word for text in texts for word in set(split_words(text)))
    words = [word for word in sorted(count) if count[word] >= _WORD_TEXTS and word not in have]
    return pieces, [word for word in words if len(word) <= MAX_WORD]


def _known(teacher: Teacher, pieces: list[str], added: list[str]) -> F64:
    """What the teacher knows of each piece by itself, float64 [T, E]; of an added word the mean of its pieces."""
    names = teacher.vocabulary()
    if names is None:
        known = teacher.encode([bare(piece) for piece in pieces])
    else:
        row = {piece: index for index, piece in enumerate(names)}
        known = teacher.piece_embeddings()[[row[piece] for piece in pieces]]
    if added:
        parts = bag_of_pieces(pieces, added)
        known = np.concatenate([known, (parts @ known) / np.maximum(parts.sum(axis=1), 1)[:, None]])
    return known.astype(np.float64)


def _base(known: F64, bags: sparse.csr_array, idf: F64, vectors: NDArray[np.float32], width: int) -> F64:
    """The token vectors whose unit sums come nearest to the teacher's vectors of the texts, float64 [T, width].

    What the teacher knows of tokens is mapped to its space of texts by ridge regression, without what all have in
    common, and turned to its widest directions. No label is seen, so texts that are held out may take part. On
    Banking77 that is worth two points of validation accuracy.

    Args:
        known: float64 [T, E], of `_known`.
        bags: counts [N, T].
        idf: float64 [T].
        vectors: float32 [N, E], of the texts.
        width: columns wanted.
    """
    known = known - known.mean(axis=0)
    known /= np.maximum(np.linalg.norm(known, axis=1, keepdims=True), 1e-9)
    sums = bags @ (idf[:, None] * known)
    sums /= np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)
    gram = sums.T @ sums
    gram[np.diag_indices_from(gram)] += _RIDGE * max(np.trace(gram), 1e-9) / len(gram)
    target = vectors.astype(np.float64)
    mapped = known @ np.linalg.solve(gram, sums.T @ (target - target.mean(axis=0)))
    _, axes = np.linalg.eigh(mapped.T @ mapped)
    turned = mapped @ axes[:, ::-1][:, :width]
    if turned.shape[1] < width:  # a narrow teacher: the rest stays zero
        turned = np.pad(turned, ((0, 0), (0, width - turned.shape[1])))
    return np.asarray(turned / max(float(np.linalg.norm(turned, axis=1).mean()), 1e-9))


def _divide(data: LabelledTexts, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows to fit and rows to choose by; every label has an example among the former, and no text is in both."""
    order = np.random.default_rng(seed).permutation(len(data.texts))
    chosen = np.zeros(len(order), bool)
    group = {text: number for number, text in enumerate(dict.fromkeys(data.texts[row] for row in order))}
    chosen[[row for row in order if group[data.texts[row]] % HELD_OUT == 0]] = True
    for head in data.heads:
        for label in range(len(head.labels)):
            rows = np.flatnonzero(head.index == label)
            if chosen[rows].all():
                again = data.texts[rows[0]]
                chosen[[row for row in rows if data.texts[row] == again]] = False
        if not (chosen & (head.index >= 0)).any():
            raise DataError(
                f"{data.name}: too few texts to check the labels of {head.name!r} with: "
                f"{int((head.index >= 0).sum())} have one; give 20 or more"
            )
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)
