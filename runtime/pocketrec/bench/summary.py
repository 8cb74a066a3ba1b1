"""A report as text for a terminal, as Markdown for a pull request, and as JUnit XML for a CI server."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from pocketrec.bench.gates import Outcome
from pocketrec.errors import UsageError

START = {
    "process_ms": "new process to its first answers",
    "import_ms": "import",
    "open_ms": "open, all hashes checked",
    "first_answer_ms": "first answers",
}
QUANTILES = ("p50_ms", "p95_ms", "p99_ms")


def text_lines(figures: dict[str, Any], outcomes: Sequence[Outcome]) -> list[str]:
    """What the terminal shows: the package's figures, then each comparison."""
    lines = [f"{figures['name']}: {figures['items']:,} items, {figures['bytes']:,} bytes"]
    if figures["device"]:
        lines.append(describe_device(figures["device"]))
        lines += ["", f"{'':<34}{'p50':>9}{'p95':>9}{'p99':>9}  ms"]
        for verb, found in figures["latency"].items():
            lines.append(f"{_verb(verb):<34}" + "".join(f"{found[key]:9.3f}" for key in QUANTILES))
        lines += [f"{label:<34}{figures['start'][key]:9.1f}  ms" for key, label in START.items()]
        if figures["rss_mb"] is not None:
            lines.append(f"{'resident memory while answering':<34}{figures['rss_mb']:9.1f}  MB")
    for verb, count in (figures["instructions"]["per_call"] or {}).items():
        lines.append(f"{'instructions of ' + verb:<34}{count:9,.0f}")
    if figures["accuracy"]:
        for metric, value in figures["accuracy"]["figures"].items():
            lines.append(f"{metric:<34}{value:9.4f}  {figures['accuracy']['source']}")
    if outcomes:
        lines += ["", *(f"{outcome.status:<13} {outcome.name}: {explained(outcome)}" for outcome in outcomes)]
    return lines


def describe_device(device: dict[str, Any]) -> str:
    """Device and versions in one line."""
    engines = {"onnx": ("onnxruntime",), "litert": ("ai-edge-litert", "tflite-runtime")}.get(device["engine"], ())
    runtime = "".join(f", {name} {device[name]}" for name in engines if device[name])
    return (
        f"{device['cpu']}, {device['cores']} cores, {device['system']}, Python {device['python']}, "
        f"numpy {device['numpy']}{runtime}, engine {device['engine']}, threads {device['threads']}"
    )


def explained(outcome: Outcome) -> str:
    """The figures of an outcome in words."""
    if outcome.ratio is None or outcome.old is None or outcome.new is None:
        return outcome.note
    unit = f" {outcome.unit}" if outcome.unit else ""
    said = f"{_number(outcome.old)} -> {_number(outcome.new)}{unit}, {outcome.ratio - 1:+.2%}"
    if outcome.bounds:
        said += f" (95 % sure: {outcome.bounds[0] - 1:+.2%} or more, {outcome.bounds[1] - 1:+.2%} or less)"
    assert outcome.limit is not None
    said += f", limit {outcome.limit - 1:+.2%}"
    return f"{said}; {outcome.note}" if outcome.note else said


def markdown(figures: dict[str, Any], outcomes: Sequence[Outcome]) -> str:
    """A summary as GitHub shows it."""
    failed = sum(outcome.status == "failed" for outcome in outcomes)
    verdict = f"{failed} of {len(outcomes)} comparisons failed" if failed else "nothing got worse"
    lines = [f"### pocketrec bench: {_plain(figures['name'])}" + (f": {verdict}" if outcomes else ""), ""]
    if outcomes:
        lines += ["| | compared | old | new | change | 95 % sure | limit |", "|---|---|---|---|---|---|---|"]
        lines += [_row(outcome) for outcome in outcomes]
        lines.append("")
    if figures["latency"]:
        lines += ["| ms | p50 | p95 | p99 |", "|---|---|---|---|"]
        for verb, found in figures["latency"].items():
            lines.append(f"| {_verb(verb)} | " + " | ".join(f"{found[key]:.3f}" for key in QUANTILES) + " |")
        lines += ["", describe_device(figures["device"])]
    return "\n".join(lines) + "\n"


def _row(outcome: Outcome) -> str:
    mark = {"passed": "ok", "failed": "**failed**", "not measured": "not measured"}[outcome.status]
    if outcome.ratio is None or outcome.old is None or outcome.new is None or outcome.limit is None:
        return f"| {mark} | {outcome.name} | {_plain(outcome.note)} | | | | |"
    sure = f"{outcome.bounds[0] - 1:+.1%} to {outcome.bounds[1] - 1:+.1%}" if outcome.bounds else ""
    cells = [
        mark,
        outcome.name,
        f"{_number(outcome.old)} {outcome.unit}".strip(),
        f"{_number(outcome.new)} {outcome.unit}".strip(),
        f"{outcome.ratio - 1:+.2%}",
        sure,
        f"{outcome.limit - 1:+.1%}",
    ]
    return f"| {' | '.join(cells)} |"


def junit(figures: dict[str, Any], outcomes: Sequence[Outcome]) -> str:
    """JUnit XML: a test case for each comparison; what was not measured is skipped, never passed."""
    count = {status: sum(outcome.status == status for outcome in outcomes) for status in ("failed", "not measured")}
    suite = ElementTree.Element(
        "testsuite",
        name="pocketrec bench",
        tests=str(len(outcomes)),
        failures=str(count["failed"]),
        errors="0",
        skipped=str(count["not measured"]),
    )
    for outcome in outcomes:
        case = ElementTree.SubElement(suite, "testcase", classname=_xml(figures["name"]), name=outcome.name)
        if outcome.status == "failed":
            ElementTree.SubElement(case, "failure", message=_xml(explained(outcome)))
        elif outcome.status == "not measured":
            ElementTree.SubElement(case, "skipped", message=_xml(outcome.note))
        else:
            ElementTree.SubElement(case, "system-out").text = _xml(explained(outcome))
    ElementTree.indent(suite)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(suite, encoding="unicode") + "\n"


def write(path: str, text: str) -> None:
    """Write a report, whole or not at all.

    Raises:
        UsageError: it cannot be written there.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise UsageError(f"cannot write {path}: {error.strerror}") from error


def _verb(verb: str) -> str:
    return "rank (the engine alone)" if verb == "rank" else verb


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4f}"


def _plain(text: str) -> str:
    """On one line, and no table or HTML of its own: names come from an untrusted package."""
    shown = "".join(char if char.isprintable() else " " for char in text)
    return shown.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|").replace("`", "'")


def _xml(text: str) -> str:
    """Without the characters that XML cannot hold."""
    return "".join(char if char.isprintable() else " " for char in text)
