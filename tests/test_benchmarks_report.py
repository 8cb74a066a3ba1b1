"""docs/benchmarks.md and its page: tables and plots of every kind of result, and the HTML of what the document uses."""

import importlib
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MACHINE = {"cpu": "A CPU", "cores": 2, "python": "3.11", "date": "2026-01-01", "command": "python x.py"}
MACHINE |= {"versions": {"numpy": "2", "onnxruntime": "1.28"}}
CUTS = {"p50_ms": 0.25, "p95_ms": 1.5, "p99_ms": 12.25}
VERB = {"failed": 0, "ratio": [0.99, 1.01], "low": [0.97, 0.99]}


def tier(name, width, size, ndcg):
    quality = {"ndcg10": ndcg, "recall20": 0.3, "ndcg100": 0.4}
    return [
        {"set": "films", "split": s, "tier": name, "bits": 8, "width": width, "bytes": size} | quality for s in (0, 1)
    ]


def grown(sweep, size):
    kept = {"items": 10_000, "users": 2_000, "events": 100_000} | {sweep: size}
    costs = {"build_s": 2e-3 * size, "peak_gb": 1e-4 * size**0.5, "bytes": 70 * size, "dense_bytes": 68 * size}
    return {"sweep": sweep, "kept": kept, **costs, "rss_mb": 60.0, "rank_p50_ms": 1e-5 * size, "recommend_p50_ms": 0.2}


ROWS = {
    "latency": [
        {"items": 10_000, "signals": "all", "engine": "onnx", "bytes": 9_300_000, "rss_mb": 77.4, "open_ms": 20.2}
        | {"times": {"rank": CUTS, "recommend": CUTS, "search": CUTS}}
    ],
    "peers": [
        {"items": 10_000, "method": method, "build_s": 0.5, "bytes": 900_000, "recall10": 0.9935, "rss_mb": 30.0} | CUTS
        for method in ("hnswlib", "**pocketrec, ranker, ONNX Runtime**")
    ],
    "peers_text": [
        {
            "method": "model2vec",
            "overlap10": 0.5,
            "mrr": 0.25,
            "encoder_bytes": 15e6,
            "items_bytes": 10e6,
            "rss_mb": 99.0,
        }
        | CUTS
    ],
    "tiers": [*tier("float32", 64, 4e6, 0.30), *tier("int8", 64, 1e6, 0.31), *tier("int4", 64, 5e5, 0.29)],
    "scale": [grown(sweep, size) for sweep in ("items", "users") for size in (1_000, 3_000, 10_000, 100_000)],
    "false_alarms": [{"slower": 0.25, "runs": 20, "failed": 20, "verbs": {"rank": VERB}}],
}


ROWS["tiers"] += tier("package", None, 2e6, 0.3)


@pytest.fixture
def results(tmp_path, monkeypatch):
    """The modules of the benchmarks, over made results."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    (tmp_path / "results").mkdir()
    for name, rows in ROWS.items():
        report = {"machine": MACHINE, "bandwidth_gb_s": 10.0, "rows": rows}
        (tmp_path / "results" / f"{name}.json").write_text(json.dumps(report))
    tables, plots = (importlib.import_module(name) for name in ("speed_tables", "plots"))
    for module in (tables, plots):
        monkeypatch.setattr(module, "HERE", tmp_path)
    monkeypatch.setattr(plots, "FOLDER", tmp_path / "plots")
    return tables, plots


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("latency", "| 10,000 | all | onnx | search | 0.250 / 1.50 / 12 | 9.3 | 77 | 20 |"),
        ("peers", "| 10,000 | hnswlib | 0.250 / 1.50 / 12 | 0.9935 | 0.9 | 30 | 0.5 |"),
        ("peers_text", "| model2vec | 0.250 / 1.50 / 12 | 50.0% | 0.2500 | 15.0 | 10.0 | 99 |"),
        ("tiers", "| films | **package, all of it** |  | 2.00 | 0.3000 | 0.3000 | 0.4000 |"),
        ("scale", "| exponent over items | | | | 1.00 | 0.50 | 1.00 | 0.00 | 1.00 | 0.00 |"),
        ("false_alarms", "| 25% | 20 | 20 | 0.990 to 1.010 | 0.970 to 0.990 |"),
    ],
)
def test_tables_show_the_results(results, name, row):
    lines = results[0].TABLES[name]()
    assert row in [line.replace("-0.00", "0.00") for line in lines]
    columns = {line.count("|") for line in lines if line.startswith("|")}
    assert len(columns) == 1, "a table whose rows differ in columns"


def test_plots_are_drawn_and_the_same_again(results):
    _, plots = results
    first = {path.name: path.read_bytes() for path in plots.draw()}
    assert set(first) == {"tiers.svg", "peers.svg", "scale.svg"}
    assert {path.name: path.read_bytes() for path in plots.draw()} == first


def test_the_document_has_a_place_for_every_table(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    document = (ROOT / "docs" / "benchmarks.md").read_text()
    for name in importlib.import_module("speed_tables").TABLES:
        assert f"<!-- {name} -->\n" in document


def test_the_page_is_the_document_in_html(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    report = importlib.import_module("report")
    monkeypatch.setattr(report, "DOCUMENT", tmp_path / "x.md")
    (tmp_path / "a.svg").write_text('<?xml version="1.0"?>\n<svg id="drawn"></svg>\n')
    text = "# A <title>\n\n<!-- t -->\n| a | b |\n|---|---|\n| 1 | **2** |\n<!-- /t -->\n\n![x](a.svg)\n\n"
    text += "- one `c`\n- two [l](other.md)\n\n```console\n$ x <y>\n```\n\nSee [h](https://example.org).\n"
    found = report.page(text)
    for part in (
        "<h1>A &lt;title&gt;</h1>",
        "<tr><td>1</td><td><b>2</b></td></tr>",
        '<svg id="drawn">',
        "<li>one <code>c</code></li><li>two l</li>",
        "<pre>$ x &lt;y&gt;\n</pre>",
        '<a href="https://example.org">h</a>',
    ):
        assert part in found
    assert "<!--" not in found
