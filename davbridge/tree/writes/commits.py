"""The commit of a new version of a file: whether it may be written, and which version it replaces.

Invariants:
- From the look-up to the client metadata, nobody else in this process writes there, nor gets a
  lock.
- A commit replaces the version that was looked up, or one that another bridge or tool has written
  since and that was looked up then; after ATTEMPTS refusals, any version. What was looked up is
  never a collection. (A marker that another bridge has written since then stays, along with the
  file.)
"""

import logging
from typing import NamedTuple, Protocol

from davbridge.errors import (
    IsACollectionError,
    PreconditionFailedError,
    StoreError,
    UnavailableError,
)
from davbridge.paths import ResourcePath
from davbridge.store.base import ALWAYS, Condition, ObjectRow, ObjectWriter
from davbridge.tree.listing.view import View
from davbridge.tree.own_versions import OwnVersions
from davbridge.tree.path_locks import PathLocks
from davbridge.tree.properties.client_metadata import ClientMetadata
from davbridge.tree.properties.property_store import PropertyStore
from davbridge.tree.resource import Resource
from davbridge.tree.writes.parents import Parents
from davbridge.tree.writes.quota import Reservation

ATTEMPTS = 4
"""How often a commit tries to replace the version that was looked up, while others write the file.
After that, it replaces any version."""

_log = logging.getLogger(__name__)


class Recheck(Protocol):
    """Called right before a write, when nobody else in this process can write or lock there."""

    def __call__(self, *, is_new: bool) -> object:
        """``is_new``: nothing is there. Raises if it may not be written any more."""


def no_recheck(*, is_new: bool) -> None:
    """Allows every write."""


class WriteTarget(NamedTuple):
    """Where a file is written, and on which conditions."""

    path: ResourcePath
    condition: Condition
    recheck: Recheck


class Commits:
    """Commits files below one prefix of a store."""

    def __init__(
        self,
        view: View,
        parents: Parents,
        property_store: PropertyStore,
        path_locks: PathLocks,
        own_versions: OwnVersions,
    ) -> None:
        self._view = view
        self._parents = parents
        self._property_store = property_store
        self._path_locks = path_locks
        self._own_versions = own_versions

    def commit(
        self,
        target: WriteTarget,
        writer: ObjectWriter,
        reservation: Reservation,
        client_metadata: ClientMetadata | None,
    ) -> Resource:
        """Makes the writer's body the file's content, and stores its client metadata.

        Raises IsACollectionError, OutOfSpaceError, what `WriteTarget.recheck` raises,
        PreconditionFailedError if the client's condition doesn't hold, and UnavailableError if a
        file has appeared there in another spelling.
        """
        path = target.path
        with self._path_locks.hold(written=[path], properties_of=[path] if client_metadata else ()):
            found = self._view.find(path)
            target.recheck(is_new=found is None)
            seen = _file_at(path, found)
            reservation.set_replaced_size(seen.size if seen else 0)
            if found is None:
                self.prepare_new(path)
            row, replaced = self._put(target, writer, seen)
            self._own_versions.add(row)
            reservation.complete(row.size - (replaced.size if replaced else 0), row.size)
            return self._store_client_metadata(
                Resource(path, row), client_metadata or ClientMetadata(row.etag)
            )

    def prepare_new(self, path: ResourcePath) -> None:
        """Call it before a new resource is written: the parent gets a proper marker if it has an
        x-directory object, and properties of an earlier resource are removed."""
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
                return writer.commit(_unchanged(seen)), seen
            except PreconditionFailedError:
                is_known = seen is not None
                seen = _file_at(target.path, self._view.find_current(target.path))
                if is_known and seen is None:
                    self._property_store.record_removal(target.path)
                    self.prepare_new(target.path)
        return writer.commit(ALWAYS), seen

    def _store_client_metadata(self, stored: Resource, client_metadata: ClientMetadata) -> Resource:
        """Stores the client metadata. The file is stored by now, so a failure is only logged."""
        client_metadata = client_metadata._replace(etag=stored.etag)
        try:
            self._property_store.set_client_metadata(stored.path, client_metadata)
        except StoreError as error:
            _log.warning(
                "the time and checksum of /%s are not stored: %s", "/".join(stored.path), error
            )
            return stored
        return stored._replace(client_metadata=client_metadata)


def _unchanged(seen: ObjectRow | None) -> Condition:
    """The condition that the version that was looked up is replaced."""
    if seen is None:
        return Condition(if_absent=True, is_optimistic=True)
    return Condition(if_match=seen.etag, is_optimistic=True)


def _file_at(path: ResourcePath, found: Resource | None) -> ObjectRow | None:
    """The object that a write to ``path`` replaces. Raises UnavailableError if it has appeared in
    another Unicode spelling since the writer was opened: another attempt writes to that."""
    if found is None:
        return None
    if found.is_collection:
        raise IsACollectionError(f"a collection is at /{'/'.join(path)}")
    if found.path != path:
        raise UnavailableError(f"a file in another spelling has appeared at {path}; try again")
    return found.row
