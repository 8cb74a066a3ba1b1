"""Writes tests/golden/profile.json: weights by exact fractions of a half-life, and a file's bytes by hand.

usage: python tests/make_profile_golden.py
"""

import json
import struct
import zlib
from pathlib import Path

DAY = 86_400.0
NOW = 1_800_000_000.0
WEIGHTS = {"view": 0.5, "click": 1.0, "like": 3.0, "dislike": -3.0}


def weight(events, item, now, days):
    """Summed with Python's own power, event after event."""
    total = 0.0
    for id, event, when in events:
        if id == item:
            age = max(0.0, now - when)
            total += WEIGHTS.get(event, 0.0) * (1.0 if days is None else 2.0 ** (-age / (days * DAY)))
    return total


def case(name, events, *, now=NOW, days=90.0):
    items = list(dict.fromkeys(item for item, _, _ in events))
    history = [[item, weight(events, item, now, days)] for item in items]
    return {"name": name, "events": events, "now": now, "half_life_days": days, "history": history}


def record(item, event, when):
    payload = struct.pack("<dB", when, len(event.encode())) + event.encode() + item.encode()
    return struct.pack("<II", len(payload), zlib.crc32(payload)) + payload


def main():
    """Write the file."""
    cases = [
        case("nothing", []),
        case("one event now", [["a", "like", NOW]]),
        case("one half-life ago", [["a", "click", NOW - 90 * DAY]]),
        case("events of an item add up", [["a", "view", NOW - 10 * DAY], ["b", "like", NOW], ["a", "click", NOW]]),
        case("a like taken back", [["a", "like", NOW - 30 * DAY], ["a", "dislike", NOW]]),
        case("the future counts as now", [["a", "like", NOW + 500 * DAY], ["b", "like", NOW]]),
        case("out of order", [["a", "click", NOW], ["b", "click", NOW - 45 * DAY], ["c", "click", NOW - DAY]]),
        case("no decay", [["a", "click", 0.0], ["b", "dislike", NOW]], days=None),
        case("a type that is not known", [["a", "stare", NOW], ["b", "click", NOW]]),
        case("very old", [["a", "click", 0.0]], days=1.0),
    ]
    events = [["tea-1", "like", NOW], ["caf\u00e9", "click", -1.5]]
    data = b"PKTRPRF1" + b"".join(record(*event) for event in events)
    golden = {
        "about": "tests/make_profile_golden.py; weights within 1e-12 relative, bytes exact",
        "weights": WEIGHTS,
        "cases": cases,
        "file": {"events": events, "hex": data.hex()},
    }
    path = Path(__file__).parent / "golden" / "profile.json"
    path.write_text(json.dumps(golden, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
