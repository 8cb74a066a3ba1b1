"""Which arrays a package holds: their dtypes, shapes and values, as one table.

A shape is written in symbols. Some are fixed by the manifest (I items, names of a category, d factor width, D text
width, A attribute width, B and LB block entries), the others (bytes of a blob, T tokens, W words, NB and WB blocks)
by the first array that has them; each symbol must have the same length everywhere. Arrays not in the table are passed
through unchecked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketrec.errors import PackageError
from pocketrec.manifest import PRIORS, Manifest
from pocketrec.strings import EMPTY_SLOT
from pocketrec.times import LARGEST_TIME

MAX_SCALE = float(1 << 20)
"""Largest scale of a row: far beyond what data needs, and far from where float32 sums overflow."""
NO_BOOLEAN = 2
"""Code of an item that is neither true nor false."""
NO_TIME = -(1 << 63)
"""Seconds of an item without a time."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What one array must look like; ``values`` names a check of ``VALUE_CHECKS`` and its symbol."""

    dtypes: tuple[str, ...]
    shape: tuple[str, ...]
    values: tuple[str, str] = ("any", "")


@dataclass(frozen=True, slots=True)
class Group:
    """Arrays that come together, and when the manifest makes them necessary."""

    needed: Callable[[Manifest], bool]
    rules: Mapping[str, Rule]


def _strings(prefix: str, rows: str, *, lookup: bool) -> dict[str, Rule]:
    size = f"{prefix} bytes"
    rules = {
        f"{prefix}.offset": Rule(("uint32",), (f"{rows}+1",), ("ascending", size)),
        f"{prefix}.text": Rule(("uint8",), (size,)),
    }
    if lookup:
        rules[f"{prefix}.slot"] = Rule(("uint16", "uint32"), (f"{prefix} slots",), ("slots", rows))
    return rules


def _dense(prefix: str, rows: str, dim: str) -> dict[str, Rule]:
    return {
        f"{prefix}/value": Rule(("uint8",), (rows, dim), ("dense", "")),
        f"{prefix}/scale": Rule(("float32",), (rows,), ("scale", "")),
    }


def _prior(name: str) -> Group:
    return Group(lambda m: name in m.signals, {f"{name}/value": Rule(("float32",), ("I",), ("prior", ""))})


def _sparse(prefix: str, rows: str, blocks: str, entries: str) -> dict[str, Rule]:
    return {
        f"{prefix}/start": Rule(("uint32",), (f"{rows}+1",), ("ascending", blocks)),
        f"{prefix}/index": Rule(("uint16", "uint32"), (blocks, entries), ("below", "I")),
        f"{prefix}/value": Rule(("int8",), (blocks, entries)),
        f"{prefix}/scale": Rule(("float32",), (rows,), ("scale", "")),
    }


GROUPS = (
    Group(
        lambda m: True,
        _strings("catalogue/id", "I", lookup=True) | _strings("catalogue/title", "I", lookup=False),
    ),
    Group(lambda m: "factors" in m.signals, _dense("factors", "I", "d")),
    Group(
        lambda m: "neighbours" in m.signals,
        _sparse("neighbours", "I", "NB", "B"),
    ),
    Group(lambda m: "content" in m.signals or "semantic" in m.signals, _dense("text", "I", "D")),
    Group(lambda m: "attributes" in m.signals, _dense("attributes", "I", "A")),
    Group(
        lambda m: "lexical" in m.signals,
        _strings("lexical/word", "W", lookup=False)
        | _sparse("lexical", "W", "WB", "LB")
        | {
            "lexical/title.hash": Rule(("uint32",), ("K",)),
            "lexical/title.item": Rule(("uint16", "uint32"), ("K",), ("below", "I")),
        },
    ),
    *map(_prior, PRIORS),
    Group(
        lambda m: m.ratings is not None,
        _dense("ratings", "I", "R")
        | {
            "ratings/bias": Rule(("float32",), ("I",), ("prior", "")),
            "ratings/spread": Rule(("float32",), ("2", "R"), ("spread", "")),
        },
    ),
    Group(
        lambda m: m.answers is not None,
        _strings("answers/text", "answers", lookup=False)
        | {"answers/item": Rule(("uint32",), ("I",), ("below", "answers"))},
    ),
    Group(lambda m: m.cold is not None, {"cold/center": Rule(("float32",), ("2", "D"), ("prior", ""))}),
    Group(
        lambda m: m.cold is not None and "factors" in m.signals,
        {"cold/factors": Rule(("float32",), ("D+1", "d"), ("prior", ""))},
    ),
    Group(
        lambda m: m.encoder is not None or "lexical" in m.signals,
        {  # what they say is checked by `pocketrec.characters`
            "tokenizer/class.start": Rule(("uint32",), ("class runs",)),
            "tokenizer/class.value": Rule(("uint8",), ("class runs",)),
            "tokenizer/map.code": Rule(("uint32",), ("map rows",)),
            "tokenizer/map.text": Rule(("uint32",), ("map rows",)),
        },
    ),
)


def _category(prefix: str) -> dict[str, Rule]:
    entries, names = f"{prefix} entries", f"{prefix} names"
    return {
        f"{prefix}.start": Rule(("uint32",), ("I+1",), ("ascending", entries)),
        f"{prefix}.index": Rule(("uint32",), (entries,), ("below", names)),
    } | _strings(f"{prefix}_name", names, lookup=True)


ATTRIBUTES: Mapping[str, Callable[[str], dict[str, Rule]]] = {
    "category": _category,
    "number": lambda prefix: {f"{prefix}.value": Rule(("float32", "float64"), ("I",), ("number", ""))},
    "boolean": lambda prefix: {f"{prefix}.value": Rule(("uint8",), ("I",), ("boolean", ""))},
    "date": lambda prefix: {f"{prefix}.value": Rule(("int64",), ("I",), ("time", ""))},
}
"""Kind of attribute -> the rules of its arrays, whose names begin with a prefix."""


def _tokens(manifest: Manifest) -> Group:
    table = _dense("tokens", "T", "D")
    if manifest.encoder is not None and manifest.encoder.bits == 4:
        table["tokens/value"] = Rule(("uint8",), ("T", "D/2"), ("halves", ""))
    if manifest.encoder is not None and manifest.encoder.tokenizer == "unigram":
        table["tokenizer/score"] = Rule(("float32",), ("T",), ("prior", ""))
        table["tokenizer/normal.code"] = Rule(("uint32",), ("normal rows",))  # what they say is checked by `unigram`
        table["tokenizer/normal.text"] = Rule(("uint32",), ("normal rows",))
    return Group(lambda m: m.encoder is not None, table | _strings("tokenizer/vocab", "T", lookup=True))


def _head(prefix: str) -> dict[str, Rule]:
    labels = f"{prefix} labels"
    return {
        f"{prefix}.weight": Rule(("float32",), (labels, "D"), ("prior", "")),
        f"{prefix}.bias": Rule(("float32",), (labels,), ("prior", "")),
    } | _strings(f"{prefix}_label", labels, lookup=False)


def groups_of(manifest: Manifest) -> tuple[Group, ...]:
    """The groups of one package: those of every package, its encoder's, and one for each attribute and head."""
    columns = (Group(lambda m: True, ATTRIBUTES[info.kind](info.prefix)) for info in manifest.catalogue.attributes)
    heads = (Group(lambda m: True, _head(info.prefix)) for info in manifest.heads)
    return (*GROUPS, _tokens(manifest), *columns, *heads)


def rules_of(manifest: Manifest) -> dict[str, Rule]:
    """Array name -> rule, for all arrays that this package may hold."""
    return {name: rule for group in groups_of(manifest) for name, rule in group.rules.items()}


def check_shapes(manifest: Manifest) -> dict[str, int]:
    """The length of every symbol, after checking that all needed arrays are declared and fit together.

    Raises:
        PackageError: an array is missing, or its dtype or shape contradicts the manifest or another array.
    """
    arrays = {entry.name: entry for entry in manifest.entries if entry.role == "array"}
    lengths = _manifest_lengths(manifest)
    for group in groups_of(manifest):
        if not group.needed(manifest) and arrays.keys().isdisjoint(group.rules):
            continue
        for name, rule in group.rules.items():
            if name not in arrays:
                raise PackageError(f"array {name!r} is missing")
            entry = arrays[name]
            if entry.dtype not in rule.dtypes:
                raise PackageError(f"array {name!r} is {entry.dtype}, expected {' or '.join(rule.dtypes)}")
            if len(entry.shape) != len(rule.shape):
                raise PackageError(f"array {name!r} has shape {entry.shape}, expected [{', '.join(rule.shape)}]")
            for found, symbol in zip(entry.shape, rule.shape, strict=True):
                base, _, more = symbol.partition("+")
                if found != lengths.setdefault(base, found - int(more or 0)) + int(more or 0):
                    raise PackageError(
                        f"array {name!r} has shape {entry.shape}, expected [{', '.join(rule.shape)}] "
                        f"with {base} = {lengths[base]}"
                    )
    return lengths


def _manifest_lengths(manifest: Manifest) -> dict[str, int]:
    lengths = {"I": manifest.catalogue.items, "2": 2}
    for info in manifest.catalogue.attributes:
        if info.kind == "category":
            lengths[f"{info.prefix} names"] = info.values
    if manifest.answers:
        lengths["answers"] = manifest.answers.answers
    for head in manifest.heads:
        lengths[f"{head.prefix} labels"] = head.labels
    signals, encoder = manifest.signals, manifest.encoder
    if signals.factors:
        lengths["d"] = signals.factors.dim
    if signals.neighbours:
        lengths["B"] = signals.neighbours.block
    if signals.attributes:
        lengths["A"] = signals.attributes.dim
    if signals.lexical:
        lengths["LB"] = signals.lexical.block
    if manifest.ratings:
        lengths["R"] = manifest.ratings.dim
    if signals.semantic and not encoder:
        raise PackageError("manifest: signals.semantic needs an encoder")
    if manifest.heads and not encoder:
        raise PackageError("manifest: heads need an encoder")
    if manifest.cold and not (encoder and (signals.content or signals.semantic)):
        raise PackageError("manifest: cold needs an encoder and texts of the items")
    text = {"signals.content": signals.content, "signals.semantic": signals.semantic, "encoder": encoder}
    for key, part in text.items():
        if part and part.dim != lengths.setdefault("D", part.dim):
            raise PackageError(f"manifest: {key}.dim is {part.dim}, but another text width is {lengths['D']}")
    if encoder:
        lengths["D/2"] = encoder.dim // 2
    return lengths


def check_values(name: str, array: NDArray[Any], rule: Rule | None, lengths: Mapping[str, int]) -> None:
    """Check what makes later use of an array safe: indices in range, offsets ordered, numbers finite.

    Args:
        name: of the array, for messages.
        array: in the dtype and shape of its entry.
        rule: of `rules_of`; None for an array that is passed through unchecked.
        lengths: of `check_shapes`.

    Raises:
        PackageError: a value is out of range.
    """
    if rule is not None:
        kind, symbol = rule.values
        problem = VALUE_CHECKS[kind](array, lengths.get(symbol, 0))
        if problem:
            raise PackageError(f"array {name!r}: {problem}")


def _ascending(array: NDArray[Any], total: int) -> str:
    if array[0] != 0 or array[-1] != total:
        return f"goes from {array[0]} to {array[-1]}, expected 0 to {total}"
    return "" if bool((array[1:] >= array[:-1]).all()) else "must not decrease"


def _below(array: NDArray[Any], limit: int) -> str:
    return f"holds {array.max()}, expected less than {limit}" if array.size and array.max() >= limit else ""


def _slots(array: NDArray[Any], rows: int) -> str:
    if array.size < max(2, 2 * rows) or array.size & (array.size - 1):
        return f"has {array.size} slots for {rows} rows, expected a power of two, at least twice as many"
    return _below(array[array != EMPTY_SLOT[array.dtype.name]], rows)


def _between(low: float, high: float) -> Callable[[NDArray[Any], int], str]:
    def check(array: NDArray[Any], _: int) -> str:
        good = (array >= low) & (array <= high)  # false for NaN
        return "" if bool(good.all()) else f"holds {array[~good][0]}, expected {low:g} to {high:g}"

    return check


def _dense_values(array: NDArray[Any], _: int) -> str:
    # Symmetric codes keep |code| * |code| * 64 <= 127 * 127 * 64, exact in a float32 sum.
    return "" if not array.size or array.min() >= 1 else "holds code 0, expected 1 to 255"


def _halves(array: NDArray[Any], _: int) -> str:
    zero = array.size and ((array & 15).min() == 0 or array.min() < 16)
    return "holds code 0 in half a byte, expected 1 to 15" if zero else ""


def _number(array: NDArray[Any], _: int) -> str:
    return "holds an infinite number" if np.isinf(array).any() else ""  # NaN says that an item has none


def _boolean(array: NDArray[Any], _: int) -> str:
    return _below(array, NO_BOOLEAN + 1)


def _time(array: NDArray[Any], _: int) -> str:
    # Compared from both sides, not by abs: the absolute value of the smallest integer is negative.
    good = ((array >= -LARGEST_TIME) & (array <= LARGEST_TIME)) | (array == NO_TIME)
    return "" if bool(good.all()) else f"holds {array[~good][0]}, expected seconds within 2^38"


def _spread(array: NDArray[Any], _: int) -> str:
    return _between(0, MAX_SCALE)(array[0], 0) or _between(-MAX_SCALE, MAX_SCALE)(array[1], 0)


VALUE_CHECKS: Mapping[str, Callable[[NDArray[Any], int], str]] = {
    "any": lambda array, length: "",
    "ascending": _ascending,
    "below": _below,
    "slots": _slots,
    "prior": _between(-MAX_SCALE, MAX_SCALE),
    "scale": _between(0, MAX_SCALE),
    "dense": _dense_values,
    "halves": _halves,
    "spread": _spread,
    "number": _number,
    "boolean": _boolean,
    "time": _time,
}
