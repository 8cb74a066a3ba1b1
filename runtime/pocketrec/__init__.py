"""Recommendation and search from one small file, offline.

Example:
    >>> import pocketrec
    >>> with pocketrec.open_sample() as films:
    ...     len(films.search("space adventure with robots", k=5))
    5
"""

__version__ = "0.1.0"

from pocketrec.answers import Answer
from pocketrec.classify import Alert, Classification, Label
from pocketrec.errors import BusyError, DataError, EngineError, PackageError, PocketrecError, UsageError
from pocketrec.opening import open_package as open
from pocketrec.opening import open_sample
from pocketrec.phrases import describe
from pocketrec.profile import Profile
from pocketrec.recommender import Recommender
from pocketrec.results import Reason, Recommendation, Results

__all__ = [
    "Alert",
    "Answer",
    "BusyError",
    "Classification",
    "DataError",
    "EngineError",
    "Label",
    "PackageError",
    "PocketrecError",
    "Profile",
    "Reason",
    "Recommendation",
    "Recommender",
    "Results",
    "UsageError",
    "describe",
    "open",
    "open_sample",
]
