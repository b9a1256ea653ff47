"""What a write owes the collection that it happens in.

Owns the names that may be made, and the parent's marker: there before a member comes, and before
the last one goes. Must not know what the write is.

Invariants: a slashless x-directory becomes a proper marker before anything is written inside it;
a marker that exists is never written again, since other tools keep data in theirs; nor is one
written where a store that keeps folders would replace a file of that name by it.
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


class Parents:
    """The parents of paths below one prefix of a store."""

    def __init__(self, store: ObjectStore, view: View) -> None:
        self._store = store
        self._view = view
        self._lock = Lock()
        self._leaving: Counter[str] = Counter()
        """Keys and prefixes of resources that are on their way out of a collection."""

    def prefix(self, path: ResourcePath) -> str:
        """The prefix of the collection that ``path`` is a member of; of the root: its own."""
        return prefix_of(self._view.prefix, path[:-1])

    def require_creatable(self, path: ResourcePath) -> None:
        """Raises InvalidNameError where no resource may be made, whatever is there."""
        if not path:
            raise InvalidNameError("the root is there, and stays")
        for segment in path:
            if not is_visible(segment):
                raise InvalidNameError(f"a reserved or unusable name: {segment!r}")
        if folder_stem(path[-1]) is not None:
            raise InvalidNameError(f"names that end in {FOLDER_SUFFIX} mark folders")
        key_of(self._view.prefix, path)

    def require(self, path: ResourcePath) -> None:
        """Raises ParentMissingError unless the parent is a collection."""
        parent = self._view.find(path[:-1])
        if parent is None or not parent.is_collection:
            raise ParentMissingError(f"/{DELIMITER.join(path[:-1])} is not a collection")

    def settle(self, path: ResourcePath) -> None:
        """Gives a parent that is an x-directory object a marker instead. The parent exists."""
        parent = path[:-1]
        if parent == ROOT:
            return
        row, is_prefix = self._store.lookup(key_of(self._view.prefix, parent))
        if row is not None and not is_prefix:
            self._replace_by_marker(row)

    @contextmanager
    def leave(self, path: ResourcePath) -> Iterator[None]:
        """Around the going of the resource at ``path``: others that go see that it won't stay."""
        if len(path) < 2:
            yield
            return
        key = key_of(self._view.prefix, path)
        names = (key, key + DELIMITER, key + FOLDER_SUFFIX)
        with self._lock:
            self._leaving.update(names)
        try:
            yield
        finally:
            with self._lock:
                self._leaving.subtract(names)
                self._leaving += Counter()  # Forgets what nobody counts any more.

    def keep(self, path: ResourcePath) -> None:
        """Marks the parent if it is unmarked, and the resource at ``path``, which is leaving, its
        last member."""
        parent = path[:-1]
        if parent == ROOT:
            return
        prefix = prefix_of(self._view.prefix, parent)
        with self._lock:
            leaving = set(self._leaving)
        for page in self._store.list_objects(prefix, delimiter=DELIMITER):
            for other in (*(row.key for row in page.rows), *page.prefixes):
                if other not in leaving and not is_own(other):
                    return
        # Where a file of the parent's name hides there, no marker can be written: it shows then.
        write_marker(self._store, prefix)

    def _replace_by_marker(self, row: ObjectRow) -> None:
        self._require_still_directory(row)
        prefix = row.key + DELIMITER
        is_marked = write_marker(self._store, prefix) is not None
        self._drop(row)
        if not is_marked:
            # A store that keeps folders can't hold both. Nothing but an empty folder is at stake.
            write_marker(self._store, prefix)

    def _drop(self, row: ObjectRow) -> None:
        with suppress(NotFoundError):  # another bridge may do the same
            self._store.delete_object(row.key, version=row)

    def _require_still_directory(self, row: ObjectRow) -> None:
        """Asks past all caches: another program may have put a file there."""
        try:
            with self._store.get_object(row.key, if_match=row.etag) as reader:
                info = reader.info
        except (NotFoundError, PreconditionFailedError) as error:
            raise ParentMissingError(f"{row.key!r} is no longer a directory") from error
        if info.row.size or not is_directory_type(info.attributes.content_type):
            raise ParentMissingError(f"{row.key!r} is no longer a directory")
