"""Checks everything that can refuse a write before it begins; creates collections and empty files.

Invariants:
- A new resource has a parent that is a collection, and no properties of an earlier resource.
- A marker is written only where nothing is. If a file turns out to be there, which another bridge
  has written since the listing, the marker is deleted again. If that can't be found out, it is
  deleted as well.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

from davbridge.errors import (
    AlreadyExistsError,
    IsACollectionError,
    NotFoundError,
    PreconditionFailedError,
    StoreError,
)
from davbridge.paths import ResourcePath, key_of, prefix_of, require_key_length
from davbridge.store.base import IF_ABSENT, Attributes, ObjectRow, ObjectStore, is_same_version
from davbridge.tree.listing.markers import MARKER
from davbridge.tree.listing.view import View
from davbridge.tree.path_locks import LockScope, PathLocks
from davbridge.tree.resource import Resource
from davbridge.tree.writes.bounded_writer import BoundedWriter
from davbridge.tree.writes.commits import Commits, Recheck, WriteTarget
from davbridge.tree.writes.parents import Parents
from davbridge.tree.writes.quota import StorageQuota

_log = logging.getLogger(__name__)


class ExclusiveAccess(NamedTuple):
    """A path, while nobody else in this process writes there."""

    resource: Resource | None
    """What is there."""
    make_empty_file: Callable[[Attributes], bool]
    """Creates it; returns False if another bridge has created something there. Raises
    InvalidNameError and ParentMissingError."""


class Creation:
    """Creates resources below one prefix of a store."""

    def __init__(
        self,
        store: ObjectStore,
        view: View,
        parents: Parents,
        commits: Commits,
        storage_quota: StorageQuota,
        path_locks: PathLocks,
    ) -> None:
        self._store = store
        self._view = view
        self._parents = parents
        self._commits = commits
        self._storage_quota = storage_quota
        self._path_locks = path_locks

    def open_writer(
        self,
        target: WriteTarget,
        attributes: Attributes,
        length: int | None,
        existing: Resource | None,
    ) -> BoundedWriter:
        path = self._parents.write_path(target.path, existing)
        if existing is not None and existing.is_collection:
            raise IsACollectionError(f"a collection is at {path}")
        self._storage_quota.require_file_size(length or 0)
        target, key = target._replace(path=path), key_of(self._view.prefix, path)
        reservation = self._storage_quota.reserve(key, existing.size if existing else 0)
        try:
            reservation.require(length or 0)
            inner = self._store.open_writer(key, attributes, target.condition, length=length)
        except BaseException:
            reservation.release()
            raise
        return BoundedWriter(
            inner,
            self._storage_quota,
            reservation,
            length,
            lambda writer, reservation, client_metadata: self._commits.commit(
                target, writer, reservation, client_metadata
            ),
        )

    def make_collection(self, path: ResourcePath, recheck: Recheck) -> None:
        with self._path_locks.hold(written=[path]):
            if self._view.find(path) is not None:
                raise AlreadyExistsError(f"something is at {path}")
            path = self._parents.write_path(path, None)
            marker = prefix_of(self._view.prefix, path)
            require_key_length(marker)
            recheck(is_new=True)
            self._commits.prepare_new(path)
            try:
                row = self._store.put_object(marker, b"", MARKER, IF_ABSENT)
            except PreconditionFailedError as error:
                raise AlreadyExistsError(f"something is at {path}") from error
            self._require_no_file(path, row)

    @contextmanager
    def without_writes(self, path: ResourcePath, *, is_deep: bool) -> Iterator[ExclusiveAccess]:
        scope = LockScope(path, is_deep)
        if self._view.find(path) is None:  # LOCK may create a file: it waits like a write.
            path_lock = self._path_locks.hold(written=[path], locked=[scope])
        else:
            path_lock = self._path_locks.without_writes(scope)
        with path_lock:
            yield ExclusiveAccess(self._view.find(path), partial(self._make_empty_file, path))

    def _make_empty_file(self, path: ResourcePath, attributes: Attributes) -> bool:
        path = self._parents.write_path(path, None)
        self._commits.prepare_new(path)
        try:
            self._store.put_object(key_of(self._view.prefix, path), b"", attributes, IF_ABSENT)
        except PreconditionFailedError:
            return False
        return True

    def _require_no_file(self, path: ResourcePath, marker: ObjectRow) -> None:
        """Deletes the marker again if it hides a file that was written meanwhile, or if that can't
        be found out: the client gets an error then. If there are members already, the collection
        exists without a marker."""
        try:
            if self._view.hidden_file(path) is None:
                return
            inside = next(self._store.list_objects(marker.key)).rows
        except StoreError:
            self._delete_again(marker)
            raise
        if len(inside) == 1 and is_same_version(inside[0], marker):
            self._delete_again(marker)
        raise AlreadyExistsError(f"a file has been written at {path}")

    def _delete_again(self, marker: ObjectRow) -> None:
        try:
            self._store.delete_object(marker.key, version=marker)
        except (NotFoundError, PreconditionFailedError):
            return  # Another bridge has replaced or deleted it.
        except StoreError as error:
            _log.warning("the marker %r is left, and may hide a file: %s", marker.key, error)
