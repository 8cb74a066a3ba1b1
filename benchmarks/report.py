"""`make benchmarks-report`: plots, the tables of all documents, and docs/benchmarks.md as one HTML page with its plots.

usage: python benchmarks/report.py [--out build/benchmarks.html]

Nothing is measured here: everything comes from `results/`.
"""

from __future__ import annotations

import argparse
import html
import re
from pathlib import Path

import plots
import tables

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"
HEAD = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Pocketrec: benchmarks</title>
<style>
body{font:16px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
table{border-collapse:collapse;display:block;overflow-x:auto;font-size:.9em}
td,th{border-bottom:1px solid #ddd;padding:.2rem .7rem;text-align:left;white-space:nowrap}
svg{max-width:100%;height:auto}code,pre{background:#f4f4f4}pre{padding:.6rem;overflow-x:auto}
</style>
"""


def main() -> None:
    """Draw, write the documents, write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("build/benchmarks.html"))
    args = parser.parse_args()
    plots.draw()
    tables.main(["--write"])
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(HEAD + page(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"wrote {args.out}")


def page(text: str) -> str:
    """The HTML of a document: headings, paragraphs, lists, tables, code blocks, images as inline SVG."""
    parts = re.split(r"```\w*\n(.*?)```", re.sub(r"<!-- /?\w+ -->\n?", "", text), flags=re.DOTALL)
    found = []
    for number, part in enumerate(parts):
        if number % 2:
            found.append(f"<pre>{html.escape(part)}</pre>")
        else:
            found += [_block(block) for block in re.split(r"\n\s*\n", part) if block.strip()]
    return "\n".join(found) + "\n"


def _block(block: str) -> str:
    lines = block.strip().splitlines()
    heading = re.match(r"(#+) (.*)", lines[0])
    if heading:
        level = len(heading[1])
        rest = "\n".join(lines[1:])
        return f"<h{level}>{_inline(heading[2])}</h{level}>" + (_block(rest) if rest.strip() else "")
    if lines[0].startswith("|"):
        return _table(lines)
    if lines[0].startswith("- "):
        items = re.split(r"(?:^|\n)- ", block.strip())[1:]
        return "<ul>" + "".join(f"<li>{_inline(item)}</li>" for item in items) + "</ul>"
    return f"<p>{_inline(block.strip())}</p>"


def _table(lines: list[str]) -> str:
    rows = [[_inline(cell.strip()) for cell in line.strip().strip("|").split("|")] for line in lines]
    head = "".join(f"<th>{cell}</th>" for cell in rows[0])
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows[2:])
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _inline(text: str) -> str:
    image = re.fullmatch(r"!\[([^\]]*)\]\(([^)]+)\)", text)
    if image:
        drawn = (DOCUMENT.parent / image[2]).read_text(encoding="utf-8")
        return drawn[drawn.index("<svg") :]
    shown = html.escape(text)
    for pattern, tag in ((r"`([^`]+)`", "code"), (r"\*\*([^*]+)\*\*", "b"), (r"\*([^*]+)\*", "i")):
        shown = re.sub(pattern, rf"<{tag}>\1</{tag}>", shown)
    shown = re.sub(r"\[([^\]]+)\]\((https?:[^)]+)\)", r'<a href="\2">\1</a>', shown)
    return re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", shown)  # the page stands alone: other files are not beside it


if __name__ == "__main__":
    main()
