"""Teachers that are a bare transformer: a BERT-family encoder or a GPT-family decoder, with a declared pooling.

Source: last token with a one-word prompt: Jiang et al. 2023, "Scaling sentence embeddings with large language models".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketrec_export.batched_teacher import BATCH, BatchedTeacher, padded_limit

POOLINGS = ("mean", "cls", "last")
ONE_WORD = 'This sentence: "{text}" means in one word: "'
"""The prompt of a decoder whose last token is to sum the text up."""


@dataclass(frozen=True)
class Recipe:
    """How a transformer's token vectors become a text's vector.

    Attributes:
        pooling: ``"mean"`` of the token vectors, the first (``"cls"``), or the ``"last"``.
        before: put before each text.
        after: put after it; the text alone is cut to the limit.
    """

    pooling: str = "mean"
    before: str = ""
    after: str = ""


PROMPTED = Recipe("last", *ONE_WORD.split("{text}"))
"""Of decoders: their last token has seen the whole text, and the prompt asks it to sum the text up."""

Tokens = Callable[[Sequence[str]], list[list[int]]]
"""Token ids of texts, without special tokens."""


class TransformerTeacher(BatchedTeacher):
    """A transformer as a ``Teacher``.

    Args:
        model: a ``transformers`` model whose output has ``last_hidden_state``, or that is that.
        tokens: its tokenizer.
        name: for the model card.
        sha256: of what decides the vectors.
        recipe: pooling and prompt.
        special: ids before and after the tokens, such as those of ``[CLS]`` and ``[SEP]``.
        pad: id that fills a batch.
        pieces: see `Teacher.vocabulary`.
        cache: folder of vectors.
        max_tokens: most tokens of a text, prompt and special tokens included.
        say: told one line when the cache is damaged.
    """

    def __init__(
        self,
        model: Any,
        tokens: Tokens,
        *,
        name: str,
        sha256: str,
        recipe: Recipe,
        special: tuple[Sequence[int], Sequence[int]] = ((), ()),
        pad: int = 0,
        pieces: list[str] | None = None,
        cache: Path | None = None,
        max_tokens: int = 128,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.name, self.sha256 = name, sha256
        self._model = model.float().eval()
        self._tokens, self._recipe, self._pad, self._pieces = tokens, recipe, pad, pieces
        self.size_bytes = 4 * sum(weight.numel() for weight in model.parameters())
        limit = min(max_tokens, padded_limit(getattr(model.config, "max_position_embeddings", None), max_tokens))
        before, after = (tokens([text])[0] if text else [] for text in (recipe.before.strip(), recipe.after))
        self._around = ([*special[0], *before], [*after, *special[1]])
        self._room = max(1, limit - sum(map(len, self._around)))
        self.recipe = {"teacher": name, "sha256": sha256, "max_tokens": limit, **asdict(recipe)}
        self._begin(cache, say)

    def vocabulary(self) -> list[str] | None:
        """Pieces in id order that a student can read, or None."""
        return self._pieces

    def piece_embeddings(self) -> NDArray[np.float32]:
        """The input embedding table float32[V, E], a copy; a row for each piece of the vocabulary."""
        table: Any = self._model.get_input_embeddings().weight
        rows = table.detach().numpy()
        return np.array(rows[: len(self._pieces)] if self._pieces is not None else rows, np.float32)

    def _tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        before, after = self._around
        return [[*before, *ids[: self._room], *after] for ids in self._tokens(texts)]

    def _forward(self, ids: Sequence[Sequence[int]], length: int) -> NDArray[np.float32]:
        import torch

        tokens = torch.full((BATCH, length), self._pad)
        mask = torch.zeros((BATCH, length), dtype=torch.int64)
        mask[:, 0] = 1  # also in rows that only fill the batch: attention over nothing is not a number
        for row, values in enumerate(ids):
            tokens[row, : len(values)] = torch.tensor(values)
            mask[row, : len(values)] = 1
        with torch.inference_mode():
            hidden = self._model(input_ids=tokens, attention_mask=mask).last_hidden_state.float()
            unit = torch.nn.functional.normalize(pooled(hidden, mask, self._recipe.pooling), dim=1)
        return np.asarray(unit.numpy()[: len(ids)], np.float32)


def pooled(hidden: Any, mask: Any, pooling: str) -> Any:
    """Text vectors [N, E] of token vectors [N, T, E] and the mask [N, T] of tokens, padded at their end."""
    import torch

    if pooling == "cls":
        return hidden[:, 0]
    if pooling == "last":
        return hidden[torch.arange(len(hidden)), mask.sum(dim=1) - 1]
    weight = mask[:, :, None].float()
    return (hidden * weight).sum(dim=1) / weight.sum(dim=1)
