"""What was added to an open package: one overlay at a time, its file, and its one writer."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pocketrec.added import AddedItem
from pocketrec.errors import PackageError, UsageError
from pocketrec.file_lock import FileLock
from pocketrec.overlay import MAX_ITEMS, OverlayBuilder, changed
from pocketrec.overlay_file import Stored, check_ids, read_overlay, write_overlay
from pocketrec.view import View

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pocketrec.catalogue import Catalogue
    from pocketrec.overlay import Overlay
    from pocketrec.package import Package


class Additions:
    """The added items of an open package. Readers take :attr:`view` once a call; a change puts another in its place.

    Args:
        package: what is added to.
        catalogue: its items.
        builder: makes overlays; None where the package has no text encoder, so that nothing can be added.
        path: where the items are kept; None keeps them until the package is closed.

    Attributes:
        view: the items of now.
        dropped: ids that the file had and the package now has itself.

    Raises:
        DataError: the file is damaged, or cannot be read.
    """

    def __init__(
        self, package: Package, catalogue: Catalogue, builder: OverlayBuilder | None, path: Path | None
    ) -> None:
        self._package, self._catalogue, self._builder, self._path = package, catalogue, builder, path
        self._writing = threading.Lock()
        self._mark: object = None
        self.dropped: tuple[str, ...] = ()
        self.view = View(package, catalogue)
        if path is not None:
            self._refresh()

    def add(self, items: Iterable[AddedItem | Mapping[str, Any]]) -> int:
        """Add items; one with the id of an added one takes its place. How many are added now."""
        if isinstance(items, (str, bytes, Mapping)) or not isinstance(items, Iterable):
            raise UsageError(f"add_items takes a sequence of items; got {type(items).__name__}")
        kinds = self._catalogue.attributes
        new = [AddedItem.of(item, kinds) for item in items]
        check_ids(new)
        for item in new:
            if self._catalogue.index(item.item) >= 0:
                raise UsageError(f"item {item.item!r:.80} is in the package already; only new ids can be added")
        return self._change(new, ())

    def remove(self, ids: Iterable[object]) -> int:
        """Remove added items; an id that is none is passed over. How many are added then."""
        if isinstance(ids, (str, bytes)) or not isinstance(ids, Iterable):
            raise UsageError(f"remove_items takes a sequence of ids; got {ids!r:.80}")
        return self._change((), [str(id) for id in ids])

    def items(self) -> tuple[AddedItem, ...]:
        """The added items, in the order in which they were added."""
        overlay = self.view.overlay
        return () if overlay is None else overlay.items

    def _change(self, new: Sequence[AddedItem], removed: Sequence[str]) -> int:
        if self._builder is None:
            raise PackageError("this package holds no text encoder, so nothing can be added; build it with item texts")
        with self._one_writer():
            overlay = changed(self._builder, self.view.overlay, new, removed)
            if overlay is not None and len(overlay) > MAX_ITEMS:
                raise UsageError(f"{len(overlay):,} added items; at most {MAX_ITEMS:,} fit, so build a package of them")
            if self._path is not None:
                items, vectors = ((), None) if overlay is None else (overlay.items, overlay.placed.vectors)
                write_overlay(self._path, Stored(self._encoder(), items, vectors))
                self._mark = _mark(self._path)
            self._show(overlay)
            return 0 if overlay is None else len(overlay)

    @contextmanager
    def _one_writer(self) -> Iterator[None]:
        """One thread and, where there is a file, one process changes it, from what it holds now."""
        with self._writing:
            lock = None if self._path is None else FileLock(self._path.with_name(self._path.name + ".lock"))
            try:
                if self._path is not None and _mark(self._path) != self._mark:
                    self._refresh()
                yield
            finally:
                if lock is not None:
                    lock.release()

    def _refresh(self) -> None:
        """What the file holds."""
        assert self._path is not None
        self._mark = _mark(self._path)
        stored = read_overlay(self._path, self._catalogue.attributes)
        if stored is None or not stored.items:
            self._show(None)
            return
        if self._builder is None:
            raise PackageError("this package holds no text encoder, so it cannot take an overlay")
        fresh = [row for row, item in enumerate(stored.items) if self._catalogue.index(item.item) < 0]
        self.dropped = tuple(item.item for item in stored.items if self._catalogue.index(item.item) >= 0)
        items = [stored.items[row] for row in fresh]
        vectors = stored.vectors
        if vectors is not None and (stored.encoder != self._encoder() or vectors.shape[1] != self._package.text_dim):
            vectors = None
        placed = self._builder.place(items, None if vectors is None else vectors[fresh])
        self._show(self._builder.overlay(items, placed) if items else None)

    def _show(self, overlay: Overlay | None) -> None:
        self.view = View(self._package, self._catalogue, overlay)

    def _encoder(self) -> str:
        """What vectors depend on."""
        encoder, cold = self._package.manifest.encoder, self._package.manifest.cold
        return f"{encoder.fingerprint if encoder else ''}/{cold.tokens if cold else ''}"


def _mark(path: Path) -> object:
    """Changes when the file does."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size
