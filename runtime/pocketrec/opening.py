"""From a path to a recommender."""

from __future__ import annotations

import os
import time
from importlib.resources import files
from pathlib import Path

from pocketrec.answering import Clock
from pocketrec.engine import open_engine
from pocketrec.errors import PackageError
from pocketrec.package import Package, Verify
from pocketrec.recommender import Recommender
from pocketrec.self_test import check_engine


def open_package(
    path: str | os.PathLike[str] | bytes,
    *,
    engine: str | None = None,
    verify: Verify = "full",
    threads: int = 1,
    clock: Clock | None = time.time,
    overlay: str | os.PathLike[str] | None = None,
) -> Recommender:
    """Open a package and make it ready to answer.

    Args:
        path: a ``.pocketrec`` file, memory-mapped; or its bytes.
        engine: ``"onnx"``, ``"litert"``, ``"numpy"``, or None for the fastest one installed.
        verify: ``"full"`` checks every hash now, ``"lazy"`` each part when it is first used.
        threads: threads of one call inside the engine.
        clock: what time it is, in seconds since 1970, for calls that do not say; it is asked only where items may be
            unpublished or expired. None: then these are in the results, too.
        overlay: the file that keeps the items of :meth:`Recommender.add_items`; made by the first. None keeps them
            until the package is closed.

    Raises:
        DataError: the overlay is damaged or cannot be read.
        PackageError: the file is missing, damaged, hostile or of a newer format.
        EngineError: the engine asked for is not installed or is too old, or answers the package's golden cases wrongly.
    """
    package = Package.open(path, verify=verify)
    try:
        kept = None if overlay is None else Path(overlay)
        opened = open_engine(package, engine, threads=threads)
        check_engine(package, opened)
        return Recommender(package, opened, clock=clock, overlay=kept)
    except BaseException:
        package.close()
        raise


def open_sample(*, engine: str | None = None) -> Recommender:
    """The small film package that comes with Pocketrec (CC0 data): search and similar items.

    Raises:
        PackageError: this installation lacks the file.
        EngineError: as in :func:`open_package`.
    """
    try:
        data = (files("pocketrec") / "sample.pocketrec").read_bytes()
    except FileNotFoundError as error:
        raise PackageError("this installation of pocketrec lacks sample.pocketrec; install it again") from error
    return open_package(data, engine=engine)
