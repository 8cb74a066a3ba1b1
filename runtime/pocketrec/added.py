"""Items that are added on the device: what is kept of them, and their attributes as columns like the package's own."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketrec.errors import UsageError
from pocketrec.folding import Folding
from pocketrec.layout import NO_BOOLEAN, NO_TIME
from pocketrec.manifest import AttributeInfo
from pocketrec.times import instant

MAX_ID_BYTES = 4096
MAX_TITLE, MAX_TEXT, MAX_CATEGORY = 1_000, 20_000, 200
"""Characters of each that are kept; what is longer is cut, as in a build."""
MAX_CATEGORIES = 64
Value = list[str] | float | bool | int


@dataclass(frozen=True, slots=True)
class AddedItem:
    """An item that is not in the package.

    Attributes:
        item: external id.
        title: "" where there is none.
        text: what is said of it, "" if nothing.
        attributes: attribute -> value, of those that it has; a date in seconds since 1970.
    """

    item: str
    title: str = ""
    text: str = ""
    attributes: Mapping[str, Value] = field(default_factory=dict)

    def encoder_text(self, folded: Folding) -> str:
        """What the text encoder and the word table read, as in a build.

        Args:
            folded: of the package: a text that begins with the title, as ``folded`` compares, stands alone.
        """
        title, text = self.title or self.item, self.text
        if folded(text[: len(title)]) == folded(title):
            return text
        categories = self.attributes.get("category", [])
        rest = text or ", ".join(categories if isinstance(categories, list) else [])
        if not rest:
            return title
        return f"{title} {rest}" if title.endswith((".", "!", "?")) else f"{title}. {rest}"

    def as_dict(self) -> dict[str, Any]:
        """The item as plain JSON values, as :meth:`of` reads it."""
        return {"item": self.item, "title": self.title, "text": self.text, **self.attributes}

    @classmethod
    def of(cls, value: object, kinds: Mapping[str, str]) -> AddedItem:
        """The item that a caller wrote.

        Args:
            value: a mapping with ``item`` and, where there are, ``title``, ``text`` and attributes.
            kinds: attribute -> kind, of the package. ``category`` is kept even if the package has none.

        Raises:
            UsageError: no mapping, no id, or a key or value that cannot be.
        """
        if isinstance(value, AddedItem):
            value = value.as_dict()
        if not isinstance(value, Mapping):
            raise UsageError(f"an item to add is a mapping with the keys item, title, text; got {value!r:.80}")
        item = value.get("item")
        if isinstance(item, bool) or not isinstance(item, (str, int, np.integer)) or not _size(str(item)) > 0:
            raise UsageError(f"an item to add needs an id under 'item', a string or an integer; got {item!r:.80}")
        if _size(str(item)) > MAX_ID_BYTES:
            raise UsageError(f"the id {str(item)!r:.80} has more than {MAX_ID_BYTES:,} bytes")
        known = {"category": "category", **kinds}
        attributes: dict[str, Value] = {}
        for key, content in value.items():
            if key in ("item", "title", "text") or content is None:
                continue
            if key not in known:
                listed = ", ".join(("item", "title", "text", *known))
                raise UsageError(f"item {str(item)!r:.80} has the key {key!r:.80}; this package knows {listed}")
            attributes[str(key)] = _READ[known[key]](f"{key} of item {str(item)!r:.80}", content)
        return cls(str(item), _text(value, "title", MAX_TITLE), _text(value, "text", MAX_TEXT), attributes)


def _size(text: str) -> int:
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        return 0


def _text(value: Mapping[Any, Any], key: str, limit: int) -> str:
    text = value.get(key)
    if text is None:
        return ""
    if not isinstance(text, str):
        raise UsageError(f"the {key} of item {str(value.get('item'))!r:.80} is {type(text).__name__}; expected text")
    return text[:limit].encode("utf-8", "replace").decode().strip()


def _categories(what: str, value: object) -> list[str]:
    listed = value.split("|") if isinstance(value, str) else list(value) if isinstance(value, Iterable) else [None]
    names = [name for name in listed if isinstance(name, str)]
    if len(names) < len(listed):
        raise UsageError(f"{what} is {value!r:.80}; expected a text or a list of texts")
    kept = (name[:MAX_CATEGORY].encode("utf-8", "replace").decode().strip() for name in names[:MAX_CATEGORIES])
    return list(dict.fromkeys(filter(None, kept)))


def _number(what: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not math.isfinite(value):
        raise UsageError(f"{what} is {value!r:.80}; expected a finite number")
    return float(value)


def _boolean(what: str, value: object) -> bool:
    if not isinstance(value, (bool, np.bool_)):
        raise UsageError(f"{what} is {value!r:.80}; expected True or False")
    return bool(value)


def _date(what: str, value: object) -> int:
    try:
        return instant(value)
    except UsageError as error:
        raise UsageError(f"{what}: {error}") from None


_READ: Mapping[str, Callable[[str, object], Value]] = {
    "category": _categories,
    "number": _number,
    "boolean": _boolean,
    "date": _date,
}


class AddedColumns:
    """The catalogue arrays of added items, by the names that a package gives its own."""

    def __init__(self, items: Sequence[AddedItem], attributes: Sequence[AttributeInfo]) -> None:
        self._attributes = tuple(attributes)
        self._names = {
            "catalogue/id": Names([item.item for item in items]),
            "catalogue/title": Names([item.title for item in items]),
        }
        self._arrays: dict[str, NDArray[Any]] = {}
        for info in attributes:
            self._add(info, [item.attributes.get(info.name) for item in items])

    @property
    def attributes(self) -> tuple[AttributeInfo, ...]:
        """Those of the package."""
        return self._attributes

    def strings(self, prefix: str) -> Names:
        """A column of texts."""
        return self._names[prefix]

    def array(self, name: str) -> NDArray[Any]:
        """A column of numbers."""
        return self._arrays[name]

    def _add(self, info: AttributeInfo, values: Sequence[Any]) -> None:
        if info.kind == "category":
            lists = [value or [] for value in values]
            names = Names(list(dict.fromkeys(name for names in lists for name in names)))
            self._names[f"{info.prefix}_name"] = names
            self._arrays[f"{info.prefix}.start"] = np.cumsum([0, *map(len, lists)])
            index = [names.find(name) for names_ in lists for name in names_]
            self._arrays[f"{info.prefix}.index"] = np.array(index, np.int64)
            return
        missing, dtype = _EMPTY[info.kind]
        filled = [missing if value is None else value for value in values]
        self._arrays[f"{info.prefix}.value"] = np.array(filled, dtype)


_EMPTY: Mapping[str, tuple[Any, str]] = {
    "number": (math.nan, "float64"),
    "boolean": (NO_BOOLEAN, "uint8"),
    "date": (NO_TIME, "int64"),
}


class Names:
    """Texts by row, and rows by text, like a string table of a package."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts
        self._rows = {text: row for row, text in enumerate(texts)}

    def __len__(self) -> int:
        return len(self._texts)

    def __getitem__(self, row: int) -> str:
        return self._texts[row]

    def find(self, key: str) -> int:
        """The row of a text, or -1."""
        return self._rows.get(key, -1)
