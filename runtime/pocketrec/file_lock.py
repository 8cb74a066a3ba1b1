"""One writer at a time: a lock that the system drops when its process ends, however it ends."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from pocketrec.errors import BusyError, DataError

if sys.platform == "win32":
    import msvcrt

    def _take(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _take(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the one that other languages' runtimes see


_GATE = threading.Lock()
_HELD: set[str] = set()
"""Locks of this process, by path: closing a second handle of such a file would let go of what others see."""


class FileLock:
    """A lock on an empty file, held until :meth:`release`. The file stays: to delete it would race with the next.

    Raises:
        BusyError: somebody holds it, this process included.
        DataError: the file cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self._handle, self._name = -1, os.path.realpath(path)
        with _GATE:
            if self._name in _HELD:
                raise _busy(path)
            try:
                handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            except OSError as error:
                raise DataError(f"{path} cannot be written: {error.strerror}") from error
            try:
                _take(handle)
            except OSError as error:
                os.close(handle)
                raise _busy(path) from error
            self._handle = handle
            _HELD.add(self._name)

    def release(self) -> None:
        """Let the next writer in. Releasing twice does nothing."""
        with _GATE:
            if self._handle >= 0:
                os.close(self._handle)
                self._handle = -1
                _HELD.discard(self._name)


def _busy(path: Path) -> BusyError:
    return BusyError(f"{path} is locked: another writer is open; close it, or open for reading")
