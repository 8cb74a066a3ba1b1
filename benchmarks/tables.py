"""The README's tables, from the raw results.

usage: python benchmarks/tables.py [NAME ...]     print these tables, or all that were measured
       python benchmarks/tables.py --write        put each into the documents, between <!-- NAME --> and <!-- /NAME -->
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import list_tables
import speed_tables

HERE = Path(__file__).parent
DOCUMENTS = (HERE.parent / "README.md", *(HERE.parent / "docs" / name for name in ("RESULTS.md", "benchmarks.md")))
KEYS = ("ndcg10", "recall20", "ndcg100")


def load(name: str) -> dict[str, Any]:
    """One file of ``results/``."""
    value: dict[str, Any] = json.loads((HERE / "results" / f"{name}.json").read_text(encoding="utf-8"))
    return value


def where(result: dict[str, Any]) -> str:
    """Machine, versions and date in one sentence."""
    about = result["machine"]
    versions = ", ".join(f"{name} {about['versions'][name]}" for name in ("numpy", "onnxruntime"))
    return f"{about['cpu']}, {about['cores']} cores, Python {about['python']}, {versions}, {about['date']}."


def quality() -> list[str]:
    """Package, full model and the best tuned baseline of each column; means over the splits."""
    result, baselines = load("quality"), json.loads((HERE / "baselines.json").read_text(encoding="utf-8"))
    lines = [
        "| data | model | NDCG@10 | Recall@20 | NDCG@100 | MB | package / full |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in dict.fromkeys(row["set"] for row in result["rows"]):
        rows = [row for row in result["rows"] if row["set"] == name]
        mean = {
            "full model": {key: _mean(row["full"][key] for row in rows) for key in KEYS},
            "**package**": {key: _mean(row["package"][key] for row in rows) for key in KEYS},
        }
        mean = {"best tuned baseline": baselines[name]["best"], **mean}
        size = {
            "full model": _mean(row["full_bytes"] for row in rows),
            "**package**": _mean(row["bytes"] for row in rows),
        }
        ratio = mean["**package**"]["ndcg10"] / mean["full model"]["ndcg10"]
        for model, figures in mean.items():
            megabytes = f"{size[model] / 1e6:.1f}" if model in size else ""
            cells = " | ".join(f"{figures[key]:.4f}" for key in KEYS)
            shown = f"{ratio:.3f}" if model == "**package**" else ""
            lines.append(f"| {name} | {model} | {cells} | {megabytes} | {shown} |")
    return lines


def time_split() -> list[str]:
    """Global time split: package, full model, the baseline that validation chooses and that best on the test users."""
    lines = [
        "| data, latest share | users | model | NDCG@10 | Recall@20 | NDCG@100 | MRR | package minus it, NDCG@10 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in load("time_split")["rows"]:
        compared = row["compared"]
        baselines = compared["baselines"]
        chosen = max(baselines, key=lambda name: float(baselines[name]["validation_ndcg10"]))
        best = compared["best_baseline"]["ndcg10"]
        models = {f"best tuned baseline, by validation ({chosen})": (baselines[chosen], chosen)}
        if best != chosen:
            models[f"best tuned baseline, by test ({best})"] = (baselines[best], best)
        models |= {"full model": (compared["full"], "full"), "**package**": (compared["package"], None)}
        for label, (figures, other) in models.items():
            cells = " | ".join(f"{figures[key]:.4f}" for key in (*KEYS, "mrr"))
            shown = "" if other is None else _interval(compared["differences"][other]["ndcg10"])
            data = f"{row['set']}, {row['test_share']:.0%}"
            lines.append(f"| {data} | {compared['package']['users']:,} | {label} | {cells} | {shown} |")
    return lines


def profiles() -> list[str]:
    """A full profile, a column an engine."""
    named = {
        "add one event: p50 / p99": ("add_p50_ms", "add_p99_ms"),
        "add one event, then recommend by the profile: p50 / p99": ("both_p50_ms", "both_p99_ms"),
        "open": ("open_ms",),
        "make room in a full one": ("making_room_ms",),
    }
    return _engines("profile of 10,000 events, one thread", load("profiles")["rows"], named)


def overlay() -> list[str]:
    """1,000 items added on the device, a column an engine."""
    rows = load("overlay")["rows"]
    named = {
        "add 1,000 items with texts": ("add_ms",),
        "recommend before: p50": ("plain_p50_ms",),
        "recommend with them: p50": ("added_p50_ms",),
    }
    growth = [f"{row['growth']:+.0%}" for row in rows]
    return [*_engines("items added on the device, one thread", rows, named), f"| growth | {' | '.join(growth)} |"]


def reading() -> list[str]:
    """Reading and cleaning a large file, a row a format."""
    lines = ["| file | rows | MB | seconds | rows a second | peak memory |", "|---|---|---|---|---|---|"]
    for row in load("reading")["rows"]:
        lines.append(
            f"| {row['format']} | {row['rows_read']:,} | {row['file_mb']:.0f} | {row['read_s']:.0f} "
            f"| {row['rows_per_s']:,} | {row['peak_rss_mb']:,} MB |"
        )
    return lines


def _engines(title: str, rows: list[dict[str, Any]], named: dict[str, tuple[str, ...]]) -> list[str]:
    lines = [f"| {title} | {' | '.join(row['engine'] for row in rows)} |", "|---" * (len(rows) + 1) + "|"]
    for label, keys in named.items():
        cells = [" / ".join(f"{row[key]:.{_digits(key)}f}" for key in keys) + " ms" for row in rows]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return lines


def ablation() -> list[str]:
    """NDCG@10 on validation users: each signal alone, and the blend without it (with it, where no package holds it)."""
    rows = load("ablation")["rows"]
    lines = [
        "| data | signal | alone, validation | alone, test | blend, validation | blend, test | the blend is |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        for signal in row["signals"]:
            cells = [
                f"{signal[kind][users]['ndcg10']:.4f}" if kind in signal else ""
                for kind in ("alone", "blend")
                for users in ("validation", "test")
            ]
            name, how = signal["signal"], "without it" if signal["packaged"] else "with it"
            shown = "**the package's**" if name == "blend" else how
            lines.append(f"| {row['set']}, split {row['split']} | {name} | {' | '.join(cells)} | {shown} |")
    return lines


def _interval(difference: dict[str, Any]) -> str:
    low, high = difference["ci95"]
    return f"{difference['mean']:+.4f} ({low:+.4f} to {high:+.4f})"


def serving() -> list[str]:
    """Latency, cold start and memory, a column an engine."""
    rows = {row["engine"]: row for row in load("serving")["rows"]}
    lines = ["| one thread, median of processes | ONNX Runtime | numpy |", "|---|---|---|"]
    named = {
        "recommend, history of 30, k=10: p50 / p99": ("recommend_p50_ms", "recommend_p99_ms"),
        "search, k=10: p50 / p99": ("search_p50_ms", "search_p99_ms"),
        "similar, k=10: p50 / p99": ("similar_p50_ms", "similar_p99_ms"),
        "the factors alone in plain numpy float32: p50 / p99": ("naive_p50_ms", "naive_p99_ms"),
        "open (all hashes checked)": ("open_ms",),
        "new process to both first answers": ("process_ms",),
    }
    for label, keys in named.items():
        cells = [" / ".join(f"{rows[engine][key]:.{_digits(key)}f}" for key in keys) + " ms" for engine in rows]
        lines.append(f"| {label} | {cells[0]} | {cells[1]} |")
    memory = [f"{rows[engine]['rss_mb']:.0f} MB" for engine in rows]
    lines.append(f"| resident memory while serving | {memory[0]} | {memory[1]} |")
    return lines


def rmse() -> list[str]:
    """Predicted ratings: means over the seeds; the ratio to LensKit with the interval of its worst seed."""
    rows = load("rmse")["rows"]
    worst = max((row["against_lenskit"] for row in rows), key=lambda interval: interval["high"])
    ratio = _mean(row["rmse"]["package"] / row["rmse"]["lenskit"] for row in rows)
    lines = [f"| RMSE of held-out ratings, mean of {len(rows)} random splits | ml-latest-small |", "|---|---|"]
    named = {
        "**package**: int8 vectors, users folded in": "package",
        "full model: float32, trained users": "full",
        "LensKit 2025.8.1, biased matrix factorization, tuned": "lenskit",
        "user and item biases alone, tuned": "biases",
    }
    lines += [f"| {label} | {_mean(row['rmse'][key] for row in rows):.4f} |" for label, key in named.items()]
    interval = f"{ratio:.4f} (worst split: {worst['ratio']:.4f}, 95 % {worst['low']:.4f} to {worst['high']:.4f})"
    return [*lines, f"| package / LensKit | {interval} |"]


def known_item() -> list[str]:
    """Mean reciprocal rank of the item meant, by each signal and by search; and titles that come first."""
    named = {"slip": "title with a slip", "dropped": "two words dropped", "paraphrase": "category and maker"}
    lines = [
        "| data | queries | as typed | slips understood | meaning | search | search / better plain one | title first |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in load("known_item")["rows"]:
        for group, mrr in row["mrr"].items():
            gain = row["gain"][group]
            title = f"{row['title_first']['without history']:.1%}" if group == "mix" else ""
            cells = " | ".join(f"{mrr[way]:.4f}" for way in ("typed", "words", "meaning", "search"))
            label = f"{named.get(group, 'all')}, {row['queries'][group]:,}"
            lines.append(f"| {row['set']} | {label} | {cells} | {gain['ratio']:.3f} | {title} |")
    return lines


def encoders() -> list[str]:
    """The query encoder beside its teacher: search and answers, bytes of the table, milliseconds."""
    lines = [
        "| data | width | bits | table, MB | overlap@10 | NDCG@10 | known items / teacher | hit@1 | hit@1 / teacher "
        "| numpy, ms | ONNX, ms | teacher, ms |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in load("encoders")["rows"]:
        ranked = "hit1" not in row
        cells = [row["data"], row["dim"], row["bits"], f"{row['bytes'] / 1e6:.2f}"]
        cells += [f"{row[key]:.4f}" if ranked else "" for key in ("overlap_at_10", "ndcg_at_10")]
        cells += [f"{row['known'] / row['teacher_known']:.4f}" if ranked else ""]
        cells += ["", ""] if ranked else [f"{row['hit1']:.4f}", f"{row['hit1'] / row['teacher_hit1']:.4f}"]
        cells += [
            f"{row['ms']['numpy']:.3f}",
            f"{row['ms']['onnx']:.3f}",
            f"{row['ms']['teacher']:.1f}" if "teacher" in row["ms"] else "",
        ]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return lines


def _digits(key: str) -> int:
    return 2 if "_p" in key else 0


def _mean(values: Any) -> float:
    listed = list(values)
    return float(sum(listed) / len(listed))


def cold_items() -> list[str]:
    """See `list_tables`."""
    baselines = json.loads((HERE / "baselines.json").read_text(encoding="utf-8"))
    return list_tables.cold_items(load("cold_items")["rows"], baselines)


TABLES = {
    "quality": quality,
    "serving": serving,
    "rmse": rmse,
    "known_item": known_item,
    "encoders": encoders,
    "time_split": time_split,
    "ablation": ablation,
    "profiles": profiles,
    "overlay": overlay,
    **speed_tables.TABLES,
    "reading": reading,
    "cold_items": cold_items,
    "diversity": lambda: list_tables.diversity(load("diversity")["rows"]),
    "fairness": lambda: list_tables.fairness(load("fairness")["rows"]),
    "reasons": lambda: list_tables.reasons(load("reasons")["rows"]),
}


def written(text: str) -> str:
    """A document with the tables between its marks made anew; tables that nobody measured are left empty."""

    def table(found: re.Match[str]) -> str:
        name = found[1]
        lines = TABLES[name]() if name in measured() else ["Not measured."]
        return "\n".join([f"<!-- {name} -->", *lines, f"<!-- /{name} -->"])

    return re.sub(r"<!-- (\w+) -->\n.*?<!-- /\1 -->", table, text, flags=re.DOTALL)


def measured() -> list[str]:
    """Tables with results."""
    return [name for name in TABLES if (HERE / "results" / f"{name}.json").exists()]


def main(arguments: list[str]) -> None:
    """Print or write."""
    if arguments == ["--write"]:
        for path in DOCUMENTS:
            path.write_text(written(path.read_text(encoding="utf-8")), encoding="utf-8")
        return
    for name in arguments or measured():
        print(f"{name}: {where(load(name))}\n")
        print("\n".join(TABLES[name]()) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
