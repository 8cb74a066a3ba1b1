"""What data look like before anything is trained on them: sizes, spans, the long tail, texts, groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketrec_export.item_columns import summaries
from pocketrec_export.read import Interactions, Items
from pocketrec_export.rules import day
from pocketrec_export.users import Users

QUANTILES = (0, 50, 90, 99, 100)
FEW = 5  # events; an item with fewer can hardly be learned from them
SMALL_GROUP = 20  # users; figures of a smaller group are noise
TOP = 12  # names shown of a long list


@dataclass(frozen=True)
class Profile:
    """Facts about the tables of a build, by table and name; all plain JSON values.

    Attributes:
        facts: "interactions", "items", "users" and "together", those that were given.
        cleaning: The same tables' findings: rule, count, examples.
    """

    facts: Mapping[str, Mapping[str, Any]]
    cleaning: Mapping[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"profile": dict(self.facts), "cleaning": dict(self.cleaning)}

    def lines(self) -> list[str]:
        """The cleaning report, then the profile, for a terminal."""
        lines = []
        for table, report in self.cleaning.items():
            kept = ""
            if "rows_read" in report:
                kept = f", {report['rows_kept']:,} of {report['rows_read']:,} rows can be used"
            lines.append(f"cleaning of {table}{kept}" + ("" if report["findings"] else ": nothing found"))
            for finding in report["findings"]:
                lines.append(f"  {finding['rule']}: {finding['count']:,}")
                lines += [f"      {example}" for example in finding["examples"]]
        for table, facts in self.facts.items():
            lines += ["", table]
            for name, value in facts.items():
                lines += [f"  {name.replace('_', ' '):<24} {text}" for text in _shown(value)]
        return lines


def _shown(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        entries = [f"{name or '(none)'} {_number(count)}" for name, count in value.items()]
        yield ", ".join(entries[:TOP]) + (f", and {len(entries) - TOP} more" if len(entries) > TOP else "")
    elif isinstance(value, list):
        yield ", ".join(map(str, value)) or "none"
    else:
        yield _number(value)


def _number(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "-"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.4g}" if isinstance(value, float) else str(value)


def profile(events: Interactions | None, items: Items | None, users: Users | None) -> Profile:
    """The facts of the tables that are there."""
    facts: dict[str, Mapping[str, Any]] = {}
    cleaning: dict[str, Any] = {}
    if events is not None:
        facts["interactions"] = _interactions(events)
        cleaning["interactions"] = events.cleaning.as_dict()
    if items is not None:
        facts["items"] = _items(items)
        cleaning["items"] = _findings(items.notes)
    if users is not None:
        facts["users"] = _users(users)
        cleaning["users"] = _findings(users.notes)
    together: dict[str, Any] = {}
    if events is not None and items is not None:
        known, met = set(items.ids), set(events.items)
        together["items_with_text_and_events"] = len(known & met)
        together["items_without_events"] = len(known - met)
        together["items_without_text"] = len(met - known)
    if events is not None and users is not None:
        together["users_with_a_group"] = len(set(users.ids) & set(events.users))
        together["users_without"] = len(set(events.users) - set(users.ids))
    if together:
        facts["together"] = together
    return Profile(facts, cleaning)


def _findings(notes: Any) -> dict[str, Any]:
    return {
        "findings": [
            {"name": n.name, "rule": n.rule, "count": n.count, "examples": list(filter(None, (n.example, *n.more)))}
            for n in notes
        ]
    }


def _interactions(events: Interactions) -> dict[str, Any]:
    by_user = np.bincount(events.user_index)
    by_item = np.bincount(events.item_index)
    cells = len(events.users) * len(events.items)
    facts: dict[str, Any] = {
        "rows_read": events.cleaning.rows_read,
        "rows_used": events.cleaning.rows_kept,
        "user_item_pairs": len(events),
        "users": len(events.users),
        "items": len(events.items),
        "density": len(events) / cells,
        "value_kind": events.value_kind,
        "why": events.value_reason,
        "positive": events.positive or "every row",
        "positive_pairs": int(events.is_positive.sum()),
    }
    if events.value_kind != "none":
        facts["values"] = _quantiles(events.value[~np.isnan(events.value)])
    if events.event_rows:
        facts["event_types"] = dict(sorted(events.event_rows.items(), key=lambda entry: -entry[1]))
    if events.confidence is not None:
        facts["confidence"] = _quantiles(events.confidence)
    if events.timestamp is not None:
        stamp = events.timestamp
        facts["first_and_last_event"] = [day(float(stamp.min())), day(float(stamp.max()))]
        facts["days"] = float(stamp.max() - stamp.min()) / 86_400
    facts["pairs_per_user"] = _quantiles(by_user)
    facts["pairs_per_item"] = _quantiles(by_item)
    facts["long_tail"] = {
        "share of the top 1 % of items": _top_share(by_item, 0.01),
        "of the top 10 %": _top_share(by_item, 0.1),
        "Gini": _gini(by_item),
    }
    facts[f"items_with_fewer_than_{FEW}"] = int(np.sum(by_item < FEW))
    facts[f"users_with_fewer_than_{FEW}"] = int(np.sum(by_user < FEW))
    return facts


def _items(items: Items) -> dict[str, Any]:
    categories = Counter(name for names in items.categories for name in names)
    facts: dict[str, Any] = {
        "items": len(items),
        "with_text": sum(map(bool, items.texts)),
        "title_characters": _quantiles(np.array([len(title) for title in items.titles])),
    }
    if any(items.texts):
        facts["text_characters"] = _quantiles(np.array([len(text) for text in items.texts if text]))
    facts["with_category"] = sum(map(bool, items.categories))
    if categories:
        facts["distinct_categories"] = len(categories)
        facts["categories"] = dict(categories.most_common())
    if items.columns:
        facts["attributes"] = [
            f"{column.name} ({column.kind}, {int(column.known().sum()):,} items)" for column in items.columns
        ]
    facts |= {f"attribute_{name}": text for name, text in summaries(items.columns).items()}
    if items.boost is not None:
        facts["with_boost"] = int(np.count_nonzero(items.boost))
    return facts


def _users(users: Users) -> dict[str, Any]:
    facts: dict[str, Any] = {"users": len(users)}
    for column in users.groups:
        sizes = users.sizes(column)
        facts[f"group_{column}"] = sizes
        small = [name for name, size in sizes.items() if name and size < SMALL_GROUP]
        if small:
            facts[f"fewer_than_{SMALL_GROUP}_in"] = [*facts.get(f"fewer_than_{SMALL_GROUP}_in", []), *small]
    return facts


def _quantiles(values: NDArray[Any]) -> dict[str, float]:
    """Smallest, median, 90th and 99th percentile, largest."""
    if not len(values):
        return {}
    names = ("min", "median", "p90", "p99", "max")
    return {name: round(float(v), 4) for name, v in zip(names, np.percentile(values, QUANTILES), strict=True)}


def _top_share(count: NDArray[Any], share: float) -> float:
    top = max(1, round(share * len(count)))
    return round(float(np.sort(count)[::-1][:top].sum() / count.sum()), 4)


def _gini(count: NDArray[Any]) -> float:
    """0 where all items are met equally often, near 1 where one item is met alone."""
    ordered = np.sort(count).astype(np.float64)
    rank = np.arange(1, len(ordered) + 1)
    return round(float((2 * rank - len(ordered) - 1) @ ordered / (len(ordered) * ordered.sum())), 4)
