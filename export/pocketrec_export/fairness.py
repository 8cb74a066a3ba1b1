"""Who is shown, and whom lists serve: exposure of item groups, quality for user groups, and both in plain words.

Everything is measured on the first ten ranks. An item group is named by the caller (a category, a provider, a decile of
popularity); a user group comes from the users table or from how active users are. Nothing of it enters a package.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketrec_export.bootstrap import bootstrap_interval
from pocketrec_export.list_metrics import RANKS, ItemFacts

SMALL = 20
"""Figures of a smaller group are noise: they are counted, not reported."""
DECILES = 10
Members = Mapping[str, NDArray[np.bool_]]
"""Group -> bool[I], which items belong to it; an item may belong to several."""


def exposure(ranked: Sequence[NDArray[np.integer]], members: Members, eligible: NDArray[np.bool_]) -> dict[str, Any]:
    """Group -> its share of items, of places and of exposure; ``ratio`` is exposure over items, 1 is parity.

    The exposure of rank r is 1 / log2(r + 1), summed over all lists.

    Args:
        ranked: per user item indices, best first.
        members: the groups.
        eligible: bool[I], what could have been shown.

    Source: Singh and Joachims 2018, Fairness of Exposure in Rankings, section 3.
    """
    seen, places = np.zeros(len(eligible)), np.zeros(len(eligible))
    discount = 1 / np.log2(np.arange(2, RANKS + 2))
    for items in ranked:
        top = items[:RANKS]
        seen[top] += discount[: len(top)]
        places[top] += 1
    count = max(int(eligible.sum()), 1)
    result = {}
    for name, belongs in members.items():
        own = float((belongs & eligible).sum() / count)
        share = float(seen[belongs].sum() / max(seen.sum(), 1e-300))
        result[name] = {
            "items": own,
            "places": float(places[belongs].sum() / max(places.sum(), 1)),
            "exposure": share,
            "ratio": share / own if own else None,
        }
    return result


def popularity_deciles(count: NDArray[np.integer], eligible: NDArray[np.bool_]) -> dict[str, NDArray[np.bool_]]:
    """Ten groups of equally many eligible items, by how many train users chose them: ``"1"`` the least popular.

    Args:
        count: int[I].
        eligible: bool[I]; other items are in no group. Ties are cut by position.
    """
    order = np.flatnonzero(eligible)[np.argsort(count[eligible], kind="stable")]
    groups = {}
    for number, items in enumerate(np.array_split(order, DECILES), 1):
        groups[str(number)] = np.zeros(len(eligible), np.bool_)
        groups[str(number)][items] = True
    return groups


def by_label(labels: Sequence[Sequence[str]]) -> dict[str, NDArray[np.bool_]]:
    """Groups of items by their own labels, for example categories or a provider; largest group first."""
    names = sorted({label for own in labels for label in own})
    groups = {name: np.array([name in own for own in labels], np.bool_) for name in names}
    return dict(sorted(groups.items(), key=lambda group: -int(group[1].sum())))


def by_activity(histories: Sequence[NDArray[np.integer]]) -> list[str]:
    """Each user's group where there is no users table: the half with the shorter and with the longer history."""
    lengths = np.array([len(history) for history in histories])
    middle = np.median(lengths) if len(lengths) else 0
    return ["long history" if length > middle else "short history" for length in lengths]


def quality(values: NDArray[np.float64], groups: Sequence[str]) -> dict[str, Any]:
    """Group -> users, mean and 95 % interval, and the difference to all other users with its interval.

    Args:
        values: float64[U], a metric for each user, for example NDCG@10.
        groups: U group names; ``""`` is no group.
    """
    names = np.array(groups, object)
    result: dict[str, Any] = {}
    for name in sorted(set(groups) - {""}):
        own, rest = values[names == name], values[names != name]
        result[name] = {"users": len(own)}
        if len(own) < SMALL:
            continue
        result[name] |= {"mean": float(own.mean()), "ci95": list(bootstrap_interval(own))}
        if len(rest) >= SMALL:
            low, high = _difference_interval(own, rest)
            result[name] |= {"difference": float(own.mean() - rest.mean()), "difference_ci95": [low, high]}
    return result


def _difference_interval(
    own: NDArray[np.float64], rest: NDArray[np.float64], *, resamples: int = 2000
) -> tuple[float, float]:
    """95 % interval of the difference of two independent means, by resampling each."""
    rng = np.random.default_rng(0)
    gaps = [
        own[rng.integers(0, len(own), len(own))].mean() - rest[rng.integers(0, len(rest), len(rest))].mean()
        for _ in range(resamples)
    ]
    low, high = np.quantile(gaps, [0.025, 0.975])
    return float(low), float(high)


def assess(
    ranked: Sequence[NDArray[np.integer]],
    facts: ItemFacts,
    values: NDArray[np.float64],
    groups: Mapping[str, Sequence[str]],
) -> dict[str, Any]:
    """Exposure by tenth of popularity, quality for each way of grouping users, and what both say.

    Args:
        ranked: per user item indices, best first.
        facts: of the items.
        values: float64[U], NDCG@10 of the same users.
        groups: name of a grouping -> U group names, for example the columns of the users table.
    """
    deciles = exposure(ranked, popularity_deciles(facts.count, facts.eligible), facts.eligible)
    users = {column: quality(values, names) for column, names in groups.items()}
    lines = reading(deciles=deciles)
    for found in users.values():
        lines += reading(users=found)
    return {"deciles": deciles, "users": users, "reading": lines}


def reading(
    *,
    deciles: Mapping[str, Any] | None = None,
    items: Mapping[str, Any] | None = None,
    users: Mapping[str, Any] | None = None,
    words: Mapping[str, Any] | None = None,
    metric: str = "NDCG@10",
) -> list[str]:
    """What the figures say, a sentence or two each, for people who do not know the metrics.

    Args:
        deciles: `exposure` of `popularity_deciles`.
        items: `exposure` of other groups.
        users: `quality`.
        words: `counterfactual.compare`.
        metric: what `quality` was measured in.
    """
    lines = []
    if deciles:
        top, low = deciles[str(DECILES)], sum(deciles[str(number)]["exposure"] for number in range(1, 6))
        lines.append(
            f"The most popular tenth of the items gets {top['exposure']:.0%} of what users see; the less popular half "
            f"of all items gets {low:.1%}."
        )
    if items:
        rated = {name: group for name, group in items.items() if group["ratio"] is not None}
        if rated:
            most = max(rated, key=lambda name: rated[name]["ratio"])
            least = min(rated, key=lambda name: rated[name]["ratio"])
            lines.append(
                f"For its number of items, {most!r} is shown most ({rated[most]['ratio']:.1f} times its share) and "
                f"{least!r} least ({rated[least]['ratio']:.1f} times)."
            )
    for name, group in (users or {}).items():
        if "difference" not in group:
            lines.append(f"Users in {name!r}: {group['users']}, too few to tell." if group["users"] < SMALL else "")
            continue
        low, high = group["difference_ci95"]
        if low <= 0 <= high:
            lines.append(f"Users in {name!r} are served as well as the others, as far as {group['users']} users tell.")
        else:
            better = "better" if group["difference"] > 0 else "worse"
            lines.append(
                f"Users in {name!r} are served {better} than the others: {metric} {group['mean']:.3f}, a difference of "
                f"{group['difference']:+.3f} ({low:+.3f} to {high:+.3f})."
            )
    if words:
        verdict = "no more than" if words["passed"] else "more than"
        lines.append(
            f"Exchanging gender words in queries changes {words['swapped']:.0%} of the first ten, a synonym "
            f"{words['synonym']:.0%}: {verdict} a synonym does."
        )
    return [line for line in lines if line]
