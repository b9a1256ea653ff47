"""The commit of a new version of a file.

Owns what is settled at that moment and not before: whether it may be written, what it replaces,
and what is kept beside it. Must not know how its bytes came.

Invariants:
- While it is looked up, committed and described, nobody else in this process writes there, nor
  grants a lock.
- It replaces what was seen, or what another bridge or tool has put there meanwhile and was seen
  then; but never a collection. On a store that keeps folders a file would take the place of one. (A
  store without folders has no condition for that: there the file is committed beside a marker that
  another bridge has written since the listing.)
"""

import logging
from collections.abc import Callable
from typing import NamedTuple

from davbridge.errors import (
    IsACollectionError,
    PreconditionFailedError,
    StoreError,
    UnavailableError,
)
from davbridge.paths import ResourcePath
from davbridge.store.base import ALWAYS, Condition, ObjectRow, ObjectWriter
from davbridge.tree.listing.view import View
from davbridge.tree.path_locks import PathLocks
from davbridge.tree.properties.client_metadata import ClientMetadata
from davbridge.tree.properties.property_store import PropertyStore
from davbridge.tree.resource import Resource
from davbridge.tree.writes.parents import Parents
from davbridge.tree.writes.quota import Reservation

ATTEMPTS = 4
"""At a file that is being written by others. Then it is replaced, whichever version is there."""

Recheck = Callable[[Resource | None], object]
"""Called right before a write, when nobody else in this process can write or lock there, with what
is there then. Raises if it may not be written any more."""

_log = logging.getLogger(__name__)


def no_check(found: Resource | None) -> None:
    """Allows every write."""


class WriteTarget(NamedTuple):
    """Where a file is written, and what its client made that depend on."""

    path: ResourcePath
    condition: Condition
    recheck: Recheck


class Commits:
    """Of files below one prefix of a store."""

    def __init__(
        self, view: View, parents: Parents, property_store: PropertyStore, path_locks: PathLocks
    ) -> None:
        self._view = view
        self._parents = parents
        self._property_store = property_store
        self._path_locks = path_locks

    def commit(
        self,
        target: WriteTarget,
        writer: ObjectWriter,
        reservation: Reservation,
        client_metadata: ClientMetadata | None,
    ) -> Resource:
        """Raises IsACollectionError, OutOfSpaceError, what `WriteTarget.recheck` does,
        PreconditionFailedError where the client's condition doesn't hold, and UnavailableError
        where it came too late for a file that is there in another spelling now."""
        path = target.path
        with self._path_locks.hold(written=[path], described=[path] if client_metadata else ()):
            found = self._view.find(path)
            target.recheck(found)
            seen = _file_at(path, found)
            reservation.set_replaced_size(seen.size if seen else 0)
            if found is None:
                self.prepare_new(path)
            row, replaced = self._put(target, writer, seen)
            reservation.complete(row.size - (replaced.size if replaced else 0), row.size)
            return self._described(Resource(path, row), client_metadata or ClientMetadata(row.etag))

    def prepare_new(self, path: ResourcePath) -> None:
        """What a resource that isn't there yet needs: a parent that is marked properly, if by an
        object, and no one else's properties."""
        self._parents.normalise_marker(path)
        self._property_store.clear(path)

    def _put(
        self, target: WriteTarget, writer: ObjectWriter, seen: ObjectRow | None
    ) -> tuple[ObjectRow, ObjectRow | None]:
        """The new version, and the one that it has replaced, as far as is known."""
        if target.condition != ALWAYS:
            return writer.commit(target.condition), seen
        for _ in range(ATTEMPTS):
            try:
                return writer.commit(_still(seen)), seen
            except PreconditionFailedError:
                is_known = seen is not None
                seen = _file_at(target.path, self._view.find_current(target.path))
                if is_known and seen is None:
                    self._property_store.record_removal(target.path)
                    self.prepare_new(target.path)
        return writer.commit(ALWAYS), seen

    def _described(self, stored: Resource, client_metadata: ClientMetadata) -> Resource:
        """Keeps what was told of it. It is stored by now: a failure is none of the write's."""
        client_metadata = client_metadata._replace(etag=stored.etag)
        try:
            self._property_store.set_client_metadata(stored.path, client_metadata)
        except StoreError as error:
            _log.warning("the facts of /%s are not kept: %s", "/".join(stored.path), error)
            return stored
        return stored._replace(client_metadata=client_metadata)


def _still(seen: ObjectRow | None) -> Condition:
    """That what is replaced is what was seen."""
    if seen is None:
        return Condition(if_absent=True, is_optimistic=True)
    return Condition(if_match=seen.etag, is_optimistic=True)


def _file_at(path: ResourcePath, found: Resource | None) -> ObjectRow | None:
    """The object that a write to ``path`` replaces. Raises UnavailableError where it has come in
    another Unicode spelling since the writer was opened: who tries again writes to that."""
    if found is None:
        return None
    if found.is_collection:
        raise IsACollectionError(f"a collection is at /{'/'.join(path)}")
    if found.path != path:
        raise UnavailableError(f"a file in another spelling has come to be at {path}; try again")
    return found.row
