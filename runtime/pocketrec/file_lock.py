"""One writer at a time: a lock that the system drops when its process ends, however it ends."""

from __future__ import annotations

import os
import sys
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


class FileLock:
    """A lock on an empty file, held until :meth:`release`. The file stays: to delete it would race with the next.

    Raises:
        BusyError: somebody holds it, this process included.
        DataError: the file cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self._handle = -1
        try:
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise DataError(f"{path} cannot be written: {error.strerror}") from error
        try:
            _take(self._handle)
        except OSError as error:
            self.release()
            raise BusyError(f"{path} is locked: another writer is open; close it, or open for reading") from error

    def release(self) -> None:
        """Let the next writer in. Releasing twice does nothing."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
