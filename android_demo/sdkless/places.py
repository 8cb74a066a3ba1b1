"""Where things lie, and the versions that Gradle reads too."""

from __future__ import annotations

import tomllib
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
"""The Gradle project."""
REPOSITORY = PROJECT.parent
BUILD = REPOSITORY / "build"
TOOLS = BUILD / "android-tools"
"""What pins.toml names, fetched and unpacked."""
WORK = BUILD / "android"
"""Everything on the way to an APK."""
SAMPLE = REPOSITORY / "runtime" / "pocketrec" / "sample.pocketrec"


def versions() -> dict[str, str]:
    """The versions of gradle/libs.versions.toml."""
    with (PROJECT / "gradle" / "libs.versions.toml").open("rb") as file:
        found: dict[str, str] = tomllib.load(file)["versions"]
    return found


VERSIONS = versions()
