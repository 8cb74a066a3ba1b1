"""Charts as inline SVG whose colors are the page's: one drawing serves light and dark.

matplotlib draws with stand-in colors; each is then replaced by a CSS variable.
"""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

WIDTH_IN = 5.0
"""Drawn for a phone's width; on a wide screen two charts stand side by side, so that text keeps its size."""
COLORS = {"#010101": "var(--text)", "#020202": "var(--muted)", "#030303": "var(--line)", "#040404": "var(--c1)",
          "#050505": "var(--c2)", "#060606": "var(--c3)", "#070707": "var(--c4)"}  # fmt: skip
TEXT, MUTED, LINE, *SERIES = COLORS
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: searchable, and in the page's font
    "svg.hashsalt": "pocketrec",  # the same drawing gives the same bytes
    "font.size": 11,
    "text.color": TEXT,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": LINE,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": LINE,
    "axes.grid": True,
    "axes.axisbelow": True,
}


def bars(
    rows: Sequence[tuple[str, float]],
    *,
    label: str,
    intervals: Sequence[tuple[float, float] | None] | None = None,
    marked: Sequence[str] = (),
    fmt: str = "{:.3f}",
) -> str:
    """Horizontal bars, one a row, the first on top.

    Args:
        rows: (name, value).
        label: of the value axis.
        intervals: low and high end of each row's interval, or None.
        marked: names drawn in the accent color.
        fmt: of the number behind each bar.
    """
    names, values = [name for name, _ in rows], np.array([value for _, value in rows])
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_IN, 0.75 + 0.3 * len(rows)), layout="constrained")
        axes = figure.add_subplot()
        colors = [SERIES[0] if name in marked or not marked else SERIES[1] for name in names]
        axes.barh(np.arange(len(rows)), values, color=colors, height=0.65)
        ends = values.copy()
        for row, interval in enumerate(intervals or ()):
            if interval is not None:
                axes.plot(interval, (row, row), color=TEXT, linewidth=1)
                ends[row] = max(ends[row], interval[1])
        reach = float(max(ends.max(initial=0), 0))
        for row, (value, end) in enumerate(zip(values, ends, strict=True)):
            axes.text(max(end, 0) + 0.015 * reach, row, fmt.format(value), va="center", color=TEXT)
        axes.set_xlim(min(float(values.min(initial=0)), 0), reach * 1.18 or 1)
        axes.set_yticks(np.arange(len(rows)), names)
        axes.tick_params(axis="y", length=0, labelcolor=TEXT)
        axes.grid(visible=False, axis="y")
        axes.invert_yaxis()
        axes.set_xlabel(label)
        return _svg(figure, f"{label}: " + ", ".join(f"{name} {fmt.format(value)}" for name, value in rows))


def lines(
    series: Mapping[str, Sequence[tuple[float, float]]],
    *,
    x_label: str,
    y_label: str,
    filled: bool = False,
) -> str:
    """Curves over a common axis.

    Args:
        series: name -> (x, y) points; at most four.
        x_label: of the horizontal axis.
        y_label: of the vertical axis.
        filled: shade the area under the curves.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_IN, 2.6), layout="constrained")
        axes = figure.add_subplot()
        for color, (name, points) in zip(SERIES, series.items(), strict=False):
            x, y = np.array(points, float).T
            axes.plot(x, y, color=color, label=name, linewidth=1.8, marker="o" if len(x) < 3 else None)
            if filled:
                axes.fill_between(x, y, color=color, alpha=0.2)
        if all(float(x).is_integer() for points in series.values() for x, _ in points):
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        if len(series) > 1:
            axes.legend(frameon=False, labelcolor=TEXT)
        return _svg(figure, f"{y_label} over {x_label}: {', '.join(series)}")


def _svg(figure: Figure, description: str) -> str:
    buffer = io.StringIO()
    metadata: dict[str, Any] = {"Date": None, "Creator": None}
    figure.savefig(buffer, format="svg", transparent=True, metadata=metadata)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    for stand_in, variable in COLORS.items():
        svg = svg.replace(stand_in, variable)
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", svg)
    # Several drawings share a page: their ids must not meet.
    prefix = f"c{_number(svg):x}-"
    svg = re.sub(r'id="', f'id="{prefix}', svg)
    svg = re.sub(r'(url\(#|href="#)', rf"\1{prefix}", svg)
    width = re.search(r'viewBox="0 0 ([\d.]+) ', svg)
    assert width is not None  # matplotlib writes one
    label = description.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return re.sub(r"<svg [^>]*?(viewBox=\"[^\"]*\")[^>]*>", rf'<svg \1 role="img" aria-label="{label}">', svg, count=1)


def _number(text: str) -> int:
    """A number of the text alone: hash() differs from process to process."""
    return zlib.crc32(text.encode())
