"""Writes ``tests/golden/wordpiece.json``: hostile strings with the ids that HF ``tokenizers`` gives them.

Run from the repository root: ``python tests/make_wordpiece_golden.py``. The vocabulary is the default
teacher's, pruned to the strings themselves; it is part of the file, for readers in other languages.
"""

from __future__ import annotations

import json
import random
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

GOLDEN = Path(__file__).parent / "golden" / "wordpiece.json"
SEED = 20261124
VOCABULARY_SIZE = 6000

HANDWRITTEN = [
    "",
    " ",
    "\t\n\r\u00a0\u3000",
    "space adventure with robots",
    "Space  ADVENTURE,with(robots)!?",
    "unaffable embeddings",
    "don't stop-me_now @home #1 $5 100% a+b=c <tag> ^~`|",
    "[UNK] [CLS] [PAD] ##ing ## #",
    "\x00\x01\x7f\x80\x9f\ufffd\ufeff",
    "nul\x00in\x00side",
    "zero\u200bwidth\u200djoiner\u2060word",
    "soft\u00adhyphen",
    "line\u2028separator\u2029paragraph\u0085next",
    "vertical\x0btab form\x0cfeed file\x1cseparator",
    "İstanbul ISTANBUL ıssız",
    "ΣΊΣΥΦΟΣ Σ σς",
    "Straße STRASSE ẞ ﬁne ﬂow",
    "Amélie Ame\u0301lie AME\u0301LIE naïve café résumé Ångström Å",
    "a\u0301\u0323\u0327b\u0336 \u0301alone",
    "ö̲́ Z̸̡a̶l̷g̵o̶",
    "Jiří Menzel Dvořák Łódź Ørsted Þór Đorđe",
    "東京タワー 映画「千と千尋の神隠し」",
    "中文电影推荐，很好看。",
    "神 神 \U0002f800 \U00020000 〇 々",
    "ㄅㄆㄇ ㄱㄴㄷ 각",
    "한국어 영화 기생충 각 힣 가",
    "مرحبا بالعالم لا إله ٱ",
    "שָׁלוֹם עולם",
    "Привет, мир! Ёлка й Й",
    "नमस्ते दुनिया क़ ड़",
    "ไทย ภาษา กำ",
    "ગુજરાતી தமிழ் కన్నడ",
    "😀 👨‍👩‍👧‍👦 🇩🇪 👍🏽 ❤️ ☕",
    "robots🤖in🚀space",
    "½ ² ³ ₂ Ⅷ ① ㎏ ㍿",
    "ＦＵＬＬ ｗｉｄｔｈ ｶﾀｶﾅ",
    "𝓜𝓪𝓽𝓱 𝔸𝕃 𝟙𝟚",
    "\u037e \u1fef \u2000x\u2001y \u2126 \u212a \u212b",
    "≠ ≮ ≯ ∉ ¬ × ÷ ± § ¶ © ® ° € £ ¥",
    "« » ‹ › “ ” ‘ ’ „ … – — ― • ·",
    "\u0378\u0379\U0001fbff\U000e0080",
    "\ue000\uf8ff\U000f0000\U0010fffd",
    "\U000e0001\U000e0041\ufe0f\ufe00",
    "\u1e9e\u0130\u01c4\u01c5\u01c6 ǅ Ǆ",
    "ᲀ Ꭰ ꭰ Ა ა Ⴀ ⴀ 𐐀 𐐨",
    "x" * 99,
    "x" * 100,
    "x" * 101,
    "é" * 100,
    "é" * 101,
    "각" * 34,
    "中" * 120,
    "a" * 99 + "!" + "b" * 101,
    "!" * 150,
    "#" * 40,
    "www.example.com/path?query=1&b=2 user@mail.org C:\\dir\\file.txt",
    "1,234.56 3rd 2nd 90s mid-80s 007 2001: a space odyssey",
]
LONE_SURROGATES = ["\ud800", "a\udc00b", "space\ud83d robots", "\udfff\ud800 x\udbff"]


def hostile_strings(count: int, *, pieces: list[str], seed: int) -> list[str]:
    """Random mixtures of words and code points from every plane; the same for the same arguments."""
    rng = random.Random(seed)
    words = [piece for piece in pieces if piece.isalnum()]
    endings = [piece.removeprefix("##") for piece in pieces if piece.startswith("##")]

    def character() -> str:
        low, high = rng.choice(
            [(0, 0x80), (0, 0x250), (0, 0x3100), (0, 0xD800), (0xE000, 0x10000), (0x10000, 0x20000), (0, 0x110000)]
        )
        code = rng.randrange(low, high)
        return chr(code) if not 0xD800 <= code < 0xE000 else " "

    def part() -> str:
        kind = rng.random()
        if kind < 0.4:
            return rng.choice(words) + rng.choice(["", " ", "-", rng.choice(endings)])
        if kind < 0.5:
            return rng.choice(" \t'.,!")
        return "".join(character() for _ in range(rng.randint(1, 6)))

    return ["".join(part() for _ in range(rng.randint(1, 8))) for _ in range(count)]


def golden() -> dict[str, Any]:
    from pocketrec_export.teacher import load_teacher
    from pocketrec_export.tokenizer_tables import hf_tokenizer
    from pocketrec_export.vocabulary import prune_vocabulary, tokenize_all

    teacher = load_teacher()
    pieces = teacher.vocabulary()
    assert pieces is not None
    texts = HANDWRITTEN + hostile_strings(1600, pieces=pieces, seed=SEED)
    vocabulary = prune_vocabulary(pieces, texts, max_size=VOCABULARY_SIZE)
    tokenizer = hf_tokenizer(vocabulary)
    return {
        "provenance": {
            "oracle": "HF tokenizers: BertNormalizer, BertPreTokenizer, WordPiece",
            "versions": {"tokenizers": version("tokenizers")},
            "vocabulary": f"{teacher.name}, pruned to {len(vocabulary)} pieces",
            "command": "python tests/make_wordpiece_golden.py",
            "seed": SEED,
            "date": date.today().isoformat(),
        },
        "vocabulary": " ".join(vocabulary),
        "cases": [[text, ids] for text, ids in zip(texts, tokenize_all(tokenizer, texts), strict=True)],
        "lone_surrogates": [
            [text, ids] for text, ids in zip(LONE_SURROGATES, tokenize_all(tokenizer, LONE_SURROGATES), strict=True)
        ],
    }


if __name__ == "__main__":
    # ASCII only: every reader agrees on \u escapes, and no editor can normalize the strings.
    GOLDEN.parent.mkdir(exist_ok=True)
    GOLDEN.write_text(json.dumps(golden(), ensure_ascii=True, separators=(",", ":")) + "\n", encoding="ascii")
    print(f"{GOLDEN}: {GOLDEN.stat().st_size:,} bytes")
