"""Texts compared without case, accents, punctuation and spacing: by frozen tables, so that every device says the same.

A package with texts brings the tables. Where one has none, only ASCII letters and signs are folded, and all other
characters count as they stand.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from pocketrec.analyzer import Analyzer

if TYPE_CHECKING:
    from pocketrec.package import Package

Folding = Callable[[str], str]

_SIGNS = re.compile(r"[\x00-/:-@\[-`{-\x7f]+")
_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


def folding(package: Package) -> Folding:
    """What folds the texts of a package; titles that become equal are one title.

    Raises:
        PackageError: its character tables contradict each other.
    """
    return Analyzer(package.array).folded if package.has("tokenizer/class.start") else folded_ascii


def folded_ascii(text: str) -> str:
    """The text with ASCII letters in lower case, and one space for any ASCII signs and spaces."""
    return _SIGNS.sub(" ", text).translate(_LOWER).strip(" ")
