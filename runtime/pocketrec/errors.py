"""Every error Pocketrec raises on purpose.

::

    PocketrecError
    |-- DataError       the user's own files or frames cannot be used
    |   `-- BusyError   another writer has a profile open
    |-- PackageError    a package is damaged, hostile, of a newer format, or lacks what was asked for
    |-- EngineError     an inference engine is missing, too old, or failed
    |-- BaselineError   there is nothing to compare a package with
    |   |-- OtherDeviceError      its times are of another device, engine or version
    |   `-- OtherCatalogueError   it holds other items
    `-- UsageError      a call or a command line asks for something that cannot be (also a ValueError)

A message says what was expected, what was found, where, and what to do.
"""

from __future__ import annotations


class PocketrecError(Exception):
    """Base of all errors raised on purpose. ``exit_code`` is what the command line returns."""

    exit_code = 1


class DataError(PocketrecError):
    """Input data cannot be used as it is."""


class BusyError(DataError):
    """Another writer has the file open; wait for it, or open the file for reading."""


class PackageError(PocketrecError):
    """A package cannot be trusted, or lacks what the call needs."""


class EngineError(PocketrecError):
    """An inference engine is not installed, is older than the package's floor, or failed."""


class BaselineError(PocketrecError):
    """`pocketrec bench` has no baseline that it could compare with."""

    exit_code = 4


class OtherDeviceError(BaselineError):
    """The times of the baseline are of another device, engine or version."""

    exit_code = 5


class OtherCatalogueError(BaselineError):
    """The baseline holds other items."""

    exit_code = 6


class UsageError(PocketrecError, ValueError):
    """Arguments that contradict each other or lie outside their range."""

    exit_code = 2
