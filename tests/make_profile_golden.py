"""Writes tests/golden/profile.json: weights by exact fractions of a half-life, bytes by hand, and damaged files.

usage: python tests/make_profile_golden.py
"""

import json
import math
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


MAGIC, MAX_RECORD = b"PKTRPRF1", 8 + 9 + 64 + 4096
GOOD = [["tea-1", "like", NOW], ["caf\u00e9", "click", -1.5], ["x", "view", NOW + 1]]


def sealed(payload, *, length=None, crc=None):
    """A record of any payload, with a true or a false length and checksum."""
    length = len(payload) if length is None else length
    return struct.pack("<II", length, zlib.crc32(payload) if crc is None else crc) + payload


def payload(when, name, item, size=None):
    return struct.pack("<dB", when, len(name) if size is None else size) + name + item


def damage(name, data, events, lost):
    """A file; the events that stand, or None where it is no profile; how many bytes are lost, kept beside if many."""
    return {
        "name": name,
        "hex": data.hex(),
        "events": events,
        "lost_bytes": lost,
        "kept": events is not None and lost > MAX_RECORD,
    }


def damaged():
    """Files that a crash, a bad disk or an enemy left: the good events before the damage stand, and nothing else."""
    good = b"".join(record(*event) for event in GOOD)
    first = len(record(*GOOD[0]))
    false_records = {
        "a checksum of another payload": sealed(payload(NOW, b"like", b"a"), crc=0),
        "an empty payload": sealed(b""),
        "a payload that ends in its time": sealed(b"\0" * 8),
        "no name": sealed(payload(NOW, b"", b"a")),
        "no item": sealed(payload(NOW, b"like", b"")),
        "a name longer than the payload": sealed(payload(NOW, b"like", b"a", size=200)),
        "a name of 65 bytes": sealed(payload(NOW, b"n" * 65, b"a")),
        "an item of 4097 bytes": sealed(payload(NOW, b"like", b"i" * 4097)),
        "a time of the far future": sealed(payload(1e12, b"like", b"a")),
        "a time that is none": sealed(payload(math.nan, b"like", b"a")),
        "an infinite time": sealed(payload(-math.inf, b"like", b"a")),
        "an item that is not UTF-8": sealed(payload(NOW, b"like", b"\xff")),
        "a name that is half a character": sealed(payload(NOW, b"\xc3", b"a")),
        "a surrogate in UTF-8": sealed(payload(NOW, b"like", b"\xed\xa0\x80")),
        "an overlong zero": sealed(payload(NOW, b"like", b"\xc0\x80")),
        "a length beyond the file": sealed(payload(NOW, b"like", b"a"), length=200),
        "a length of 2^31": sealed(payload(NOW, b"like", b"a"), length=2**31),
        "a length of 2^32 - 1": sealed(payload(NOW, b"like", b"a"), length=2**32 - 1),
        "zeros, as a disk leaves them": b"\0" * 100,
    }
    cases = [damage(name, MAGIC + good + bad, GOOD, len(bad)) for name, bad in false_records.items()]
    cases += [damage(f"cut after {cut} bytes", (MAGIC + good)[:cut], [], 0) for cut in (1, 7)]
    cases += [damage("nothing", b"", [], 0), damage("no event", MAGIC, [], 0), damage("whole", MAGIC + good, GOOD, 0)]
    cases += [
        damage(f"torn {cut} bytes into a record", MAGIC + good[: first + cut], GOOD[:1], cut) for cut in (1, 7, 8, 20)
    ]
    many = record(*GOOD[0]) + sealed(payload(NOW, b"like", b"a"), crc=1) + record(*GOOD[1]) * 200
    cases.append(damage("damage in the middle", MAGIC + many, GOOD[:1], len(many) - first))
    alien = {"a package": b"PK\x03\x04 a package", "a text": b"{}", "a later format": b"PKTRPRF2" + good}
    cases += [damage(name, data, None, 0) for name, data in alien.items()]
    return cases


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
    data = MAGIC + b"".join(record(*event) for event in events)
    keys = ("item", "event", "when")
    export = {"format": "pocketrec profile 1", "events": [dict(zip(keys, event, strict=True)) for event in events]}
    golden = {
        "about": "tests/make_profile_golden.py; weights within 1e-12 relative, bytes exact",
        "weights": WEIGHTS,
        "cases": cases,
        "file": {"events": events, "hex": data.hex(), "export": json.dumps(export)},
        "damage": damaged(),
    }
    path = Path(__file__).parent / "golden" / "profile.json"
    path.write_text(json.dumps(golden, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
