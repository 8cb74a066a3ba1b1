"""Pages: a call with all that it was given, as one opaque text, so that the next page can go on from it.

A page leaves out what the pages before it showed, so nothing comes twice, whatever the engine or the reranking.
The text is URL-safe base64 of a CRC-32 and deflated JSON. It holds the user's history: it belongs on their device.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from pocketrec.errors import UsageError
from pocketrec.filters import Filter
from pocketrec.history import ItemId
from pocketrec.rerank import PLAIN, Display

MAX_CURSOR = 1 << 20
"""Characters of a cursor. It unfolds to at most 16 times as many bytes."""
VERBS = ("recommend", "search", "similar")


@dataclass(frozen=True, slots=True)
class Request:
    """What a verb was asked for, apart from what is known of the user.

    Attributes:
        verb: one of `VERBS`.
        subject: the query or the item; empty for recommend.
        k: how many.
        filter: what may be in the list.
        exclude: what must not.
        weights: in place of the package's own.
        explain: with reasons.
        now: seconds since 1970, or None for the clock.
        display: what the list should look like.
        shown: ids on the pages before, in order.
        interests: what the user says interests them.
    """

    verb: str
    subject: str
    k: int
    filter: Filter | None = None
    exclude: Sequence[ItemId] = ()
    weights: Mapping[str, float] | None = None
    explain: bool = False
    now: float | None = None
    display: Display = PLAIN
    shown: tuple[str, ...] = ()
    interests: tuple[str, ...] = ()


def write_cursor(state: str, history: Sequence[tuple[str, float]], request: Request) -> str:
    """The cursor of a request that goes on.

    Args:
        state: what the pages are of: the package, and what was added to it.
        history: (id, weight) pairs as they were ranked.
        request: with all that was shown so far.
    """
    display = [getattr(request.display, field.name) for field in fields(Display)]
    rest = [getattr(request, field.name) for field in fields(Request) if field.name != "display"]
    data = zlib.compress(json.dumps(_plain([state, history, display, rest]), separators=(",", ":")).encode())
    return base64.urlsafe_b64encode(struct.pack("<I", zlib.crc32(data)) + data).decode()


def read_cursor(text: str) -> tuple[str, list[tuple[str, float]], Request]:
    """State, history and request of a cursor.

    Raises:
        UsageError: it is none, or it was cut or changed.
    """
    if not isinstance(text, str) or len(text) > MAX_CURSOR:
        raise UsageError(f"a page is asked for by the cursor of the page before it, Results.next; got {text!r:.80}")
    try:
        state, history, display, rest = _rich(json.loads(_unfold(text)))
        request = Request(**dict(zip(_REQUEST, (*rest, Display(*display)), strict=True)))
        if request.verb not in VERBS or not all(
            isinstance(item, str) for item in (state, *request.shown, *request.interests)
        ):
            raise ValueError("its parts are others")
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError, struct.error, zlib.error) as error:
        raise UsageError(f"{text!r:.40} is no cursor of a page ({error}); start again from the first page") from error
    return state, history, request


_REQUEST = [field.name for field in fields(Request) if field.name != "display"] + ["display"]


def _unfold(text: str) -> bytes:
    raw = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
    (crc,) = struct.unpack_from("<I", raw)
    if zlib.crc32(raw[4:]) != crc:
        raise ValueError("its checksum is another")
    unfolding = zlib.decompressobj()
    data = unfolding.decompress(raw[4:], 16 * MAX_CURSOR)
    if not unfolding.eof:
        raise ValueError("it is too long")
    return data


def _plain(value: Any) -> Any:
    """Arguments as JSON: mappings and tuples are tagged, because a filter tells tuples from lists."""
    if isinstance(value, Mapping):
        return {"m": [[str(key), _plain(entry)] for key, entry in value.items()]}
    if isinstance(value, tuple):
        return {"t": [_plain(entry) for entry in value]}
    if isinstance(value, dt.date):
        return value.isoformat()
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, Iterable):
        return [_plain(entry) for entry in value]
    return value.item()  # a number of numpy


def _rich(value: Any) -> Any:
    """What `_plain` was given."""
    if isinstance(value, list):
        return [_rich(entry) for entry in value]
    if isinstance(value, dict):
        if "m" in value:
            return {key: _rich(entry) for key, entry in value["m"]}
        return tuple(_rich(entry) for entry in value["t"])
    return value
