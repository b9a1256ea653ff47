"""What a write has to do for the collection around it: the parent's marker, and which names may be
created.

Invariants:
- An x-directory object without a slash becomes a proper marker before anything is written inside.
- A collection whose last member is removed has a marker before that.
- A marker that exists is never replaced: other tools keep data in theirs.
- On a store that keeps folders, no marker replaces a file of that name.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock

from davbridge.errors import (
    InvalidNameError,
    NotFoundError,
    ParentMissingError,
    PreconditionFailedError,
)
from davbridge.paths import DELIMITER, ROOT, ResourcePath, is_visible, key_of, prefix_of
from davbridge.store.base import ObjectRow, ObjectStore
from davbridge.tree.listing.markers import (
    FOLDER_SUFFIX,
    folder_stem,
    is_directory_type,
    write_marker,
)
from davbridge.tree.listing.view import View
from davbridge.tree.reserved_names import is_own
from davbridge.tree.resource import Resource


class Parents:
    """The parents of paths below one prefix of a store."""

    def __init__(self, store: ObjectStore, view: View) -> None:
        self._store = store
        self._view = view
        self._lock = Lock()
        self._being_removed: Counter[str] = Counter()
        """Keys and prefixes of resources that are being deleted or moved away."""

    def prefix(self, path: ResourcePath) -> str:
        """The prefix of the collection that ``path`` is a member of; the root has its own."""
        return prefix_of(self._view.prefix, path[:-1])

    def write_path(self, path: ResourcePath, existing: Resource | None) -> ResourcePath:
        """The path to which a write to ``path`` is made: the same in the bucket's spelling.

        ``existing``: what is at ``path``. Raises InvalidNameError if no resource may have this
        path, and ParentMissingError if nothing is there and the parent isn't a collection.
        """
        path = existing.path if existing else path
        _require_creatable(path)
        if existing is None:
            parent = self._view.find(path[:-1])
            if parent is None or not parent.is_collection:
                raise ParentMissingError(f"/{DELIMITER.join(path[:-1])} is not a collection")
            path = (*parent.path, path[-1])
            key_of(self._view.prefix, path)  # Raises if it is too long.
        return path

    def normalise_marker(self, path: ResourcePath) -> None:
        """Replaces the parent by a marker, if it is an x-directory object. The parent exists."""
        parent = path[:-1]
        if parent == ROOT:
            return
        row, is_prefix = self._store.lookup(key_of(self._view.prefix, parent))
        if row is not None and not is_prefix:
            self._replace_by_marker(row)

    @contextmanager
    def removing(self, path: ResourcePath) -> Iterator[None]:
        """While the resource at ``path`` is being removed, it keeps no collection alive: of two
        members that are removed at once, each may be the last."""
        if len(path) < 2:
            yield
            return
        key = key_of(self._view.prefix, path)
        names = (key, key + DELIMITER, key + FOLDER_SUFFIX)
        with self._lock:
            self._being_removed.update(names)
        try:
            yield
        finally:
            with self._lock:
                self._being_removed.subtract(names)
                self._being_removed += Counter()  # Drops the names whose count is 0.

    def mark_before_removal_of(self, path: ResourcePath) -> None:
        """Marks the parent if nothing but resources that are being removed are in it. Call it
        within `removing`."""
        parent = path[:-1]
        if parent == ROOT:
            return
        prefix = prefix_of(self._view.prefix, parent)
        with self._lock:
            being_removed = set(self._being_removed)
        for page in self._store.list_objects(prefix, delimiter=DELIMITER):
            for other in (*(row.key for row in page.rows), *page.prefixes):
                if other not in being_removed and not is_own(other):
                    return
        # If a file of the parent's name is hidden there, this writes no marker, and the file shows.
        write_marker(self._store, prefix)

    def _replace_by_marker(self, row: ObjectRow) -> None:
        self._require_still_directory(row)
        prefix = row.key + DELIMITER
        is_marked = write_marker(self._store, prefix) is not None
        self._delete(row)
        if not is_marked:
            # A store that keeps folders can't hold both. At worst an empty folder is lost.
            write_marker(self._store, prefix)

    def _delete(self, row: ObjectRow) -> None:
        with suppress(NotFoundError):  # Another bridge may do the same.
            self._store.delete_object(row.key, version=row)

    def _require_still_directory(self, row: ObjectRow) -> None:
        """Asks past all caches, because another program may have put a file there. Raises
        ParentMissingError."""
        try:
            with self._store.get_object(row.key, if_match=row.etag) as reader:
                info = reader.info
        except (NotFoundError, PreconditionFailedError) as error:
            raise ParentMissingError(f"{row.key!r} is no longer a directory") from error
        if info.row.size or not is_directory_type(info.attributes.content_type):
            raise ParentMissingError(f"{row.key!r} is no longer a directory")


def _require_creatable(path: ResourcePath) -> None:
    """Raises InvalidNameError if no resource may have these names."""
    for segment in path:
        if not is_visible(segment):
            raise InvalidNameError(f"a reserved or unusable name: {segment!r}")
    if folder_stem(DELIMITER.join(path)) is not None:
        raise InvalidNameError(f"names that end in {FOLDER_SUFFIX} mark folders")
