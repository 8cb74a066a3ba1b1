"""Writes ``tests/golden/analyzer.json``: texts with their words, and titles with their spellings and hashes.

``hostile`` holds the words, between spaces, of the strings of ``wordpiece.json``, in their order.

Run from the repository root: ``python tests/make_analyzer_golden.py``. The words are this implementation's own, looked
through by hand; the file is for readers in other languages, and keeps this one from changing unnoticed.
"""

from __future__ import annotations

import json
from datetime import date
from importlib.metadata import version
from pathlib import Path

from make_wordpiece_golden import GOLDEN as WORDPIECE
from make_wordpiece_golden import HANDWRITTEN, LONE_SURROGATES
from pocketrec.analyzer import ANALYZER, Analyzer
from pocketrec.titles import query_keys, spelling, spellings, title_keys
from pocketrec_export.tokenizer_tables import unicode_arrays

GOLDEN = Path(__file__).parent / "golden" / "analyzer.json"

TEXTS = [
    "Ender's Game, Ender\u2019s game, ender`s game",
    "L'Avventura d'Artagnan rock'n'roll 'tis x' ''' don't they'll",
    "Straße STRASSE Æon Flux cœur Łódź Ørsted Þór Đorđe ıssız ΣΊΣΥΦΟΣ",
    "Ant-Man & the Wasp (2018)",
    "AC/DC: 50% C++ a_b 1,000 3.14 #1 ½ ² №5",
    "東京タワー tea タ 々々 ｶﾀｶﾅ",
    "千と千尋の神隠し（2001）",
    "robots🤖in🚀space ™ © € → ∞",
    "x" * 64 + " " + "y" * 65,
    "zero\u200bwidth soft\u00adhyphen",
]
TITLES = [
    "The Matrix (1999)",
    "Matrix, The (1999)",
    "the matrix",
    "matrix 1999",
    "2001: A Space Odyssey (1968)",
    "City of Lost Children, The (Cité des enfants perdus, La) (1995)",
    "Seven (a.k.a. Se7en) (1995)",
    "Haine, La (1995)",
    "A.I. Artificial Intelligence (2001)",
    "A",
    "The The",
    "(500) Days of Summer (2009)",
    "1984",
    "(1984)",
    "",
    "Birdman: Or (The Unexpected Virtue of Ignorance) (2014)",
    "七人の侍 (1954)",
    "Avventura, L' (1960)",
]


def main() -> None:
    """Write the file."""
    words = Analyzer(unicode_arrays().__getitem__).words
    cases = [{"text": text, "words": words(text)} for text in [*TEXTS, *HANDWRITTEN, *LONE_SURROGATES]]
    titles = [
        {
            "title": title,
            "spellings": spellings(title, words),
            "keys": title_keys(title, words),
            "query": spelling(title, words),
            "query_keys": query_keys(spelling(title, words)),
        }
        for title in TITLES
    ]
    golden = {
        "provenance": {
            "analyzer": ANALYZER,
            "tables": f"tokenizers {version('tokenizers')}, BertNormalizer and BertPreTokenizer",
            "command": "python tests/make_analyzer_golden.py",
            "date": date.today().isoformat(),
        },
        "texts": cases,
        "titles": titles,
        "hostile": [" ".join(words(text)) for text, _ in json.loads(WORDPIECE.read_text("ascii"))["cases"]],
    }
    GOLDEN.write_text(json.dumps(golden, indent=1) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
