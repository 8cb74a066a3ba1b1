"""Writes tests/golden/rerank.json by a plain second implementation of the rule in `pocketrec.rerank`.

usage: python tests/make_rerank_golden.py
"""

import json
import math
import random
from pathlib import Path

POOL, FACTOR, WINDOW, SAME = 100, 4, 9, 0.98


def dot(a, b):
    return math.fsum(x * y for x, y in zip(a, b, strict=True))


def unit(row):
    length = math.sqrt(dot(row, row))
    return [x / length for x in row] if length else row


def rerank(case):
    """Places in order, looking at every candidate anew for every place."""
    score, k, display = case["score"], case["k"], case["display"]
    vectors = [unit(row) for row in case["codes"]]
    shown = [unit(row) for row in case["before"]["codes"]]
    titles, before_titles = case["titles"], case["before"]["titles"]
    low = score[min(len(score), max(POOL, FACTOR * k)) - 1]
    spread = score[0] - low
    places = []
    while len(places) < k:
        so_far = [*shown, *(vectors[p] for p in places)]
        names = [*before_titles, *(titles[p] for p in places)]
        best, best_value = None, None
        options = [i for i in range(len(score)) if i not in places]
        if display["distinct"]:
            options = [
                i
                for i in options
                if (not titles[i] or titles[i] not in names) and all(dot(vectors[i], v) < SAME for v in so_far)
            ]
        for key, limit in display["max_per"].items():
            labels = case["labels"][key]
            options = [
                i for i in options if all(sum(value in labels[p] for p in places) < limit for value in labels[i])
            ]
        for key, shares in display["min_share"].items():
            for value, share in shares.items():
                labels = case["labels"][key]
                owed = math.floor(share * (len(places) + 1) + 1e-9) - sum(value in labels[p] for p in places)
                theirs = [i for i in options if value in labels[i]]
                if owed > 0 and theirs:
                    options = theirs
        for i in options:
            relevance = (score[i] - low) / spread if spread > 0 else 0.0
            alike = math.fsum(dot(vectors[i], v) for v in so_far[-WINDOW:]) / WINDOW
            value = (1 - display["diversity"]) * relevance - display["diversity"] * alike
            if best is None or value > best_value:
                best, best_value = i, value
        if best is None:
            break
        places.append(best)
    return places


def case(name, seed, *, size=30, k=10, before=0, **display):
    rng = random.Random(seed)
    topics = [[rng.randint(-60, 60) for _ in range(16)] for _ in range(5)]
    codes, titles, labels = [], [], []
    for _ in range(size + before):
        topic = rng.randrange(5)
        codes.append([max(-127, min(127, x + rng.randint(-25, 25))) for x in topics[topic]])
        titles.append(f"title {rng.randrange(size)}" if rng.random() < 0.9 else "")
        labels.append([f"c{topic}", "rare"] if rng.random() < 0.1 else [f"c{topic}"])
    for copy in range(3, size, 7):
        codes[copy] = codes[copy - 2]
    codes[size // 2] = [0] * 16  # no text
    made = {
        "name": name,
        "k": k,
        "display": {"diversity": 0.0, "distinct": False, "max_per": {}, "min_share": {}} | display,
        "score": sorted((round(rng.gauss(0, 1), 3) for _ in range(size)), reverse=True),
        "codes": codes[:size],
        "titles": titles[:size],
        "labels": {"category": labels[:size]},
        "before": {"codes": codes[size:], "titles": titles[size:]},
    }
    return made | {"places": rerank(made)}


def main():
    """Write the file."""
    cases = [
        case("nothing asked", 1),
        case("half diversity", 2, diversity=0.5),
        case("all diversity", 3, diversity=1.0),
        case("longer than the window", 4, size=60, k=25, diversity=0.6),
        case("beyond the first pool", 5, size=130, k=12, diversity=0.3),
        case("at most two of a category", 6, max_per={"category": 2}),
        case("no more than the quota allows", 7, k=20, max_per={"category": 1}),
        case("no duplicates", 8, k=20, distinct=True),
        case("a floor", 9, k=20, min_share={"category": {"rare": 0.2}}),
        case("two floors and a quota", 10, min_share={"category": {"rare": 0.1, "c4": 0.3}}, max_per={"category": 4}),
        case("everything", 11, diversity=0.4, distinct=True, max_per={"category": 3}),
        case("a second page", 12, before=14, diversity=0.5, distinct=True),
    ]
    about = "tests/make_rerank_golden.py; codes are int8, unit length before use; ties go to the earlier place"
    path = Path(__file__).parent / "golden" / "rerank.json"
    path.write_text(json.dumps({"about": about, "cases": cases}, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
