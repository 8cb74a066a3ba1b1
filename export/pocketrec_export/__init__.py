"""From interactions and item texts to one offline package.

Example:
    >>> from pocketrec_export import build
    >>> report = build("ratings.csv", "films.csv", out="films.pocketrec")  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pocketrec_export.pipeline import build
    from pocketrec_export.report import BuildReport

__all__ = ["BuildReport", "build"]


def __getattr__(name: str) -> Any:
    """Import the pipeline when it is first asked for: the command line lists its commands without torch."""
    if name in __all__:
        from pocketrec_export import pipeline, report

        return pipeline.build if name == "build" else report.BuildReport
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
