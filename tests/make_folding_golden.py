"""Writes ``tests/golden/folding.json``: texts as `pocketrec.folding` compares them, with the frozen tables and without.

Run from the repository root: ``python tests/make_folding_golden.py``. The answers are this implementation's own, looked
through by hand; the file is for readers in other languages, and keeps this one from changing unnoticed.
"""

from __future__ import annotations

import json
from datetime import date
from importlib.metadata import version
from pathlib import Path

from make_analyzer_golden import TEXTS, TITLES
from make_wordpiece_golden import HANDWRITTEN, LONE_SURROGATES
from pocketrec.analyzer import Analyzer
from pocketrec.folding import folded_ascii
from pocketrec_export.tokenizer_tables import unicode_arrays

GOLDEN = Path(__file__).parent / "golden" / "folding.json"
PAIRS = [
    "Gréen  TEA!", "green tea", "Ender's Game", "enders game", "紅茶 №1", "ＦＵＬＬ width", "ﬁne", "İstanbul",
    "ﾊﾝ 한글",
    "Ⅳ. Akt", "\u0085\u00a0\u3000", "a\x00b\x1fc", "Zoë & Zoe\u0308", "`~[]{}^_", "9 ½ Weeks",
]  # fmt: skip


def main() -> None:
    """Write the file."""
    folded = Analyzer(unicode_arrays().__getitem__).folded
    texts = dict.fromkeys([*PAIRS, *TITLES, *TEXTS, *HANDWRITTEN, *LONE_SURROGATES])
    golden = {
        "provenance": {
            "tables": f"tokenizers {version('tokenizers')}, BertNormalizer and BertPreTokenizer",
            "command": "python tests/make_folding_golden.py",
            "date": date.today().isoformat(),
        },
        "texts": [{"text": text, "folded": folded(text), "ascii": folded_ascii(text)} for text in texts],
    }
    GOLDEN.write_text(json.dumps(golden, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
