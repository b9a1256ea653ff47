"""The namespace: collections and members, and what can be done with them.

Invariants:
- Reserved and unrepresentable names are never found, and never written.
- A resource is created only in a collection that exists. A collection never vanishes because its
  last member is removed: its marker is written before that.
- Dead properties follow their resource. A new resource has none of those of an earlier one.
- ``delete``, ``copy`` and ``move`` raise if nothing was done, or if the one object concerned
  failed. They return failures if some of a tree's members failed.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import datetime

from davbridge.errors import IsACollectionError, NotFoundError
from davbridge.paths import ResourcePath
from davbridge.store.base import (
    ALWAYS,
    Attributes,
    Condition,
    ObjectInfo,
    ObjectReader,
    ObjectRow,
    ObjectStore,
)
from davbridge.tree.composition import NO_LIMITS, SYSTEM_CLOCKS, Clocks, DriveLimits, compose
from davbridge.tree.journal.entry import OperationRequest
from davbridge.tree.listing.classification import NameFilter, lists_all
from davbridge.tree.listing.members import MemberListing, ResourcePage, TreeListing
from davbridge.tree.listing.tree_walk import TreePage
from davbridge.tree.operations.preconditions import NO_PRECONDITIONS, Preconditions
from davbridge.tree.properties.client_metadata import Properties, without_client_metadata
from davbridge.tree.properties.entries import Members
from davbridge.tree.resource import Failure, Outcome, Resource, add_client_metadata
from davbridge.tree.writes.bounded_writer import FileWriter
from davbridge.tree.writes.commits import Recheck, WriteTarget, no_recheck
from davbridge.tree.writes.creation import ExclusiveAccess
from davbridge.tree.writes.quota import AccountInfo


class Namespace:
    """Resources over keys below ``prefix``, which is empty or ends in ``/``."""

    def __init__(
        self,
        store: ObjectStore,
        *,
        uncached: ObjectStore | None = None,
        prefix: str = "",
        limits: DriveLimits = NO_LIMITS,
        clocks: Clocks = SYSTEM_CLOCKS,
        is_unlisted: NameFilter = lists_all,
    ) -> None:
        """``uncached``: the same store past its cache, if it has one. ``is_unlisted``: whether
        files of this name are left out of listings."""
        parts = compose(store, uncached or store, prefix, limits, clocks, is_unlisted)
        self._store = store
        self._view = parts.view
        self._property_store = parts.property_store
        self._storage_quota = parts.storage_quota
        self._creation = parts.creation
        self._operations = parts.operations
        self._path_locks = parts.path_locks
        self._closers = parts.closers
        self.journal_scanner = parts.journal_scanner
        self.running_operations = parts.operations.running_operations

    def close(self) -> None:
        """Stops the background work. The namespace can't be used afterwards."""
        for close in self._closers:
            close()

    def find(self, path: ResourcePath) -> Resource | None:
        """What is at ``path``, or None. The resource's path is in the bucket's spelling."""
        found = self._view.find(path)
        return self._property_store.add_client_metadata(found) if found else None

    def find_current(
        self, path: ResourcePath, *, with_client_metadata: bool = False
    ) -> Resource | None:
        """As `find`, but past all caches: one request, or two ``with_client_metadata``. Without
        it, the resource has no client metadata."""
        found = self._view.find_current(path)
        if found is None or found.is_collection or not with_client_metadata:
            return found
        self._property_store.refresh(found.path)
        return self._property_store.add_client_metadata(found)

    def lookup(self, path: ResourcePath) -> Resource:
        """What is at ``path``. Raises NotFoundError."""
        return self._property_store.add_client_metadata(self._view.lookup(path))

    def members(self, collection: Resource | ResourcePath) -> Iterator[Resource]:
        """The members of a collection. Each page is listed when it is needed.

        Raises NotFoundError and NotACollectionError at the call.
        """
        path = collection.path if isinstance(collection, Resource) else collection
        listing = self.listing(path)
        return (
            add_client_metadata(
                page.resource(member), listing.properties.get(page.name_of(member), {})
            )
            for page in listing.pages
            for member in page.members
        )

    def listing(self, collection: ResourcePath) -> MemberListing:
        """The members with their properties, a page at a time. Raises as `members`."""
        path, pages = self._view.pages(collection)
        return MemberListing(path, self._property_store.of_members(path), pages)

    def tree(self, collection: ResourcePath) -> TreeListing:
        """Everything inside a collection, at any depth: one request for 1,000 keys, and one for
        each collection whose members have properties. Raises as `members`."""
        path, pages = self._view.tree(collection)
        return TreeListing(path, map(self._with_properties, pages))

    def _with_properties(self, page: TreePage) -> ResourcePage:
        properties: dict[str, Members] = {}
        resources: list[tuple[Resource, Properties]] = []
        for member in page.members:
            parent = member.parent
            if parent.prefix not in properties:
                properties[parent.prefix] = self._property_store.of_open_collection(parent)
            own = properties[parent.prefix].get(member.name, {})
            resource = add_client_metadata(Resource(member.path, member.row), own)
            resources.append((resource, without_client_metadata(own)))
        return ResourcePage(resources, page.is_last)

    def info(self, resource: Resource) -> ObjectInfo:
        """The content type and stored metadata. Raises NotFoundError and IsACollectionError."""
        return self._store.head_object(_row_of(resource).key)

    def open_reader(
        self, resource: Resource, *, start: int = 0, end: int | None = None
    ) -> ObjectReader:
        """The bytes of this version. Raises PreconditionFailedError if the object has changed."""
        row = _row_of(resource)
        return self._store.get_object(row.key, start=start, end=end, if_match=row.etag)

    def open_writer(
        self,
        path: ResourcePath,
        attributes: Attributes,
        condition: Condition = ALWAYS,
        *,
        length: int | None = None,
        existing: Resource | None = None,
        is_new: bool = False,
        recheck: Recheck = no_recheck,
    ) -> FileWriter:
        """A writer for the object at ``path``, new or not. A new version keeps the properties.

        ``existing``: what the caller has found at ``path``; ``is_new``: it has found nothing there.
        ``recheck`` is called right before the commit, while nobody else writes there.

        Raises InvalidNameError, IsACollectionError, ParentMissingError, TooLargeError and
        OutOfSpaceError before anything is written.
        """
        if existing is None and not is_new:
            existing = self._view.find(path)
        target = WriteTarget(path, condition, recheck)
        return self._creation.open_writer(target, attributes, length, existing)

    def make_collection(self, path: ResourcePath, recheck: Recheck = no_recheck) -> None:
        """Writes the directory marker.

        Raises InvalidNameError, AlreadyExistsError and ParentMissingError.
        """
        self._creation.make_collection(path, recheck)

    def without_writes(
        self, path: ResourcePath, *, is_deep: bool
    ) -> AbstractContextManager[ExclusiveAccess]:
        """Waits for writes in progress. Within the context this process writes nothing that a lock
        on ``path`` covers."""
        return self._creation.without_writes(path, is_deep=is_deep)

    def delete(
        self, path: ResourcePath, preconditions: Preconditions = NO_PRECONDITIONS
    ) -> list[Failure]:
        """Deletes a resource with everything inside.

        Raises NotFoundError, PreconditionFailedError, and InvalidNameError for the root.
        """
        return self._counted(
            self._operations.delete(OperationRequest("DELETE", path), preconditions)
        )

    def copy(
        self,
        source: ResourcePath,
        target: ResourcePath,
        preconditions: Preconditions = NO_PRECONDITIONS,
        *,
        recursive: bool = True,
    ) -> list[Failure]:
        """Copies a resource over whatever is at ``target``; without members if not ``recursive``.

        Raises NotFoundError, OverlappingPathsError, ParentMissingError, OutOfSpaceError, and
        PreconditionFailedError.
        """
        with self._storage_quota.reserve_for_operation() as reservation:
            outcome = self._operations.copy(
                OperationRequest("COPY", source, target),
                preconditions,
                recursive=recursive,
                require_room=reservation.require,
            )
            reservation.complete(outcome.added_bytes)
        return outcome.failures

    def move(
        self,
        source: ResourcePath,
        target: ResourcePath,
        preconditions: Preconditions = NO_PRECONDITIONS,
        *,
        user: str = "",
    ) -> list[Failure]:
        """Moves a resource over whatever is at ``target``. Raises as `copy`."""
        return self._counted(
            self._operations.move(OperationRequest("MOVE", source, target, user), preconditions)
        )

    def resume(
        self, request: OperationRequest, recheck: Callable[[], object] = lambda: None
    ) -> Outcome | None:
        """The outcome of the same request, if another bridge has begun it; None if none has. Waits
        for a bridge that works on it, and finishes it if that bridge is dead. ``recheck`` is called
        under the locks; what it raises is raised."""
        return self._operations.resume(request, recheck)

    def properties(self, path: ResourcePath) -> Properties:
        """The dead properties of a resource. ``path``: in the bucket's spelling."""
        return without_client_metadata(self._property_store.of(path))

    def update_properties(
        self,
        path: ResourcePath,
        changes: Mapping[str, str | None],
        *,
        modified: datetime | None = None,
        recheck: Recheck = no_recheck,
    ) -> None:
        """Sets dead properties, removes those whose value is None, and sets the time of an object's
        present version: all or none. ``recheck`` is called right before, while nobody else writes
        there.

        Raises NotFoundError and OutOfSpaceError.
        """
        with self._path_locks.hold(properties_of=[path]):
            resource = self._view.lookup(path)
            recheck(is_new=False)
            self._property_store.update(
                resource, changes, modified, lambda: self._require_there(resource)
            )

    def _require_there(self, resource: Resource) -> None:
        """Raises NotFoundError if the store doesn't have the resource any more."""
        if self._view.find_current(resource.path) is None:
            raise NotFoundError(f"nothing is at /{'/'.join(resource.path)} any more")

    @property
    def quota(self) -> int | None:
        """Bytes that the mount may hold; None: as many as the store takes."""
        return self._storage_quota.quota

    @property
    def max_file_size(self) -> int:
        """Bytes."""
        return self._storage_quota.max_file_size

    def used_bytes(self) -> int | None:
        """Bytes that the mount holds, as last counted; None before the first count. Never waits."""
        return self._storage_quota.used()

    def available_bytes(self) -> int | None:
        """The bytes left of the quota; None without one, or while the used bytes are unknown."""
        return self._storage_quota.available()

    def account_info(self) -> AccountInfo:
        """Used, quota and available bytes."""
        return self._storage_quota.account()

    def _counted(self, outcome: Outcome) -> list[Failure]:
        self._storage_quota.record_added(outcome.added_bytes)
        return outcome.failures


def _row_of(resource: Resource) -> ObjectRow:
    if resource.row is None:
        raise IsACollectionError(f"a collection is at {resource.path}")
    return resource.row
