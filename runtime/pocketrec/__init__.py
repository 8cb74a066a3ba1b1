"""Recommendation and search from one small file, offline."""

__version__ = "0.1.0"
