"""What a new version of a file, or a new collection, needs: looked at before, and made ready.

Owns what is refused, in which order, before anything is written. Must not know how bytes come, nor
what becomes of a write.

Invariant: a resource that is new has a parent that is a proper collection, and nobody else's
properties.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager

from davbridge.errors import AlreadyExistsError, IsACollectionError
from davbridge.paths import ResourcePath, key_of, prefix_of, require_key_length
from davbridge.store.base import Attributes, Condition, ObjectRow, ObjectStore, ObjectWriter
from davbridge.tree.belongings import Belongings
from davbridge.tree.markers import MARKER
from davbridge.tree.parents import Parents
from davbridge.tree.space import Space
from davbridge.tree.view import View
from davbridge.tree.writer import BoundedWriter


class Creation:
    """Of resources below one prefix of a store."""

    def __init__(
        self,
        store: ObjectStore,
        view: View,
        parents: Parents,
        belongings: Belongings,
        space: Space,
        writing: Callable[[ResourcePath], AbstractContextManager[None]],
    ) -> None:
        """``writing``: around the commit of what is written at a path."""
        self._store = store
        self._view = view
        self._parents = parents
        self._belongings = belongings
        self._space = space
        self._writing = writing

    def open_writer(
        self, path: ResourcePath, attributes: Attributes, condition: Condition, length: int | None
    ) -> ObjectWriter:
        path = self._view.spelled(path)
        self._parents.require_creatable(path)
        existing = self._view.find(path)
        if existing is not None and existing.is_collection:
            raise IsACollectionError(f"a collection is at {path}")
        old_size = existing.size if existing else 0
        self._space.require_file_size(length or 0)
        available = self._space.require((length or 0) - old_size)
        if existing is None:
            self._prepare_new(path)
        inner = self._store.open_writer(
            key_of(self._view.prefix, path), attributes, condition, length=length
        )
        room = None if available is None else available + old_size

        def committed(row: ObjectRow) -> None:
            self._space.take(row.size - old_size)

        turn = self._writing(path)
        return BoundedWriter(inner, self._space.max_file_size, room, committed, turn)

    def make_collection(self, path: ResourcePath) -> None:
        if self._view.find(path) is not None:
            raise AlreadyExistsError(f"something is at {path}")
        path = self._view.spelled(path)
        self._parents.require_creatable(path)
        marker = prefix_of(self._view.prefix, path)
        require_key_length(marker)
        self._prepare_new(path)
        self._store.put_object(marker, b"", MARKER)

    def _prepare_new(self, path: ResourcePath) -> None:
        """What a resource that isn't there yet needs: a parent, and no one else's properties."""
        self._parents.require(path)
        self._parents.settle(path)
        self._belongings.clear(path)
