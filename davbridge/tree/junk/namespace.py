"""A namespace that keeps new junk out of the bucket.

A new file with a name of junk is in memory, for whoever uses this bridge: it can be read, written,
locked, moved and deleted, and has properties. It costs no request but those of look-ups.

Invariants:
- No content that is in the bucket gets lost. An object that has a name of junk is found, written,
  moved and deleted in the bucket. What is moved or copied from the bucket to a name of junk stays
  in the bucket; what is moved from memory to another name is written to the bucket.
- Junk is in no listing, so that a collection with nothing else in it is empty to clients. It goes
  with its collection if that is deleted, and along with it if that is moved. It isn't copied.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import partial

from davbridge.errors import (
    AlreadyExistsError,
    NotACollectionError,
    NotFoundError,
    UnavailableError,
)
from davbridge.paths import ResourcePath
from davbridge.store.base import (
    ALWAYS,
    Attributes,
    Condition,
    ObjectInfo,
    ObjectReader,
    ObjectStore,
)
from davbridge.store.memory import MemoryReader
from davbridge.tree.composition import NO_LIMITS, SYSTEM_CLOCKS, Clocks, DriveLimits
from davbridge.tree.junk.copying import copy_file
from davbridge.tree.junk.files import MAX_FILE_BYTES, JunkFile, JunkFiles
from davbridge.tree.junk.writer import JunkWriter
from davbridge.tree.listing.members import MemberListing, TreeListing
from davbridge.tree.namespace import Namespace
from davbridge.tree.operations.preconditions import NO_PRECONDITIONS, Preconditions
from davbridge.tree.properties.client_metadata import ClientMetadata, Properties
from davbridge.tree.resource import Failure, Resource
from davbridge.tree.writes.bounded_writer import FileWriter
from davbridge.tree.writes.commits import Recheck, no_recheck
from davbridge.tree.writes.creation import ExclusiveAccess


class JunkDroppingNamespace(Namespace):
    """As Namespace; its methods say only what differs for junk."""

    def __init__(
        self,
        store: ObjectStore,
        is_junk: Callable[[str], bool],
        *,
        uncached: ObjectStore | None = None,
        prefix: str = "",
        limits: DriveLimits = NO_LIMITS,
        clocks: Clocks = SYSTEM_CLOCKS,
    ) -> None:
        """``is_junk``: whether a name is one of junk."""
        super().__init__(
            store,
            uncached=uncached,
            prefix=prefix,
            limits=limits,
            clocks=clocks,
            is_unlisted=is_junk,
        )
        self._is_junk = is_junk
        self._files = JunkFiles(prefix, clocks.timer, clocks.now)

    # Reading

    def find(self, path: ResourcePath) -> Resource | None:
        file = self._files.find(path)
        return file.resource if file else super().find(path)

    def find_current(
        self, path: ResourcePath, *, with_client_metadata: bool = False
    ) -> Resource | None:
        file = self._files.find(path)
        if file is not None:
            return file.resource
        return super().find_current(path, with_client_metadata=with_client_metadata)

    def lookup(self, path: ResourcePath) -> Resource:
        file = self._files.find(path)
        return file.resource if file else super().lookup(path)

    def listing(self, collection: ResourcePath) -> MemberListing:
        self._require_no_file(collection)
        return super().listing(collection)

    def tree(self, collection: ResourcePath) -> TreeListing:
        self._require_no_file(collection)
        return super().tree(collection)

    def _require_no_file(self, path: ResourcePath) -> None:
        if self._files.find(path):
            raise NotACollectionError(f"/{'/'.join(path)} is not a collection")

    def info(self, resource: Resource) -> ObjectInfo:
        file = self._files.version(resource)
        return file.info if file else super().info(resource)

    def open_reader(
        self, resource: Resource, *, start: int = 0, end: int | None = None
    ) -> ObjectReader:
        file = self._files.version(resource)
        if file is not None:
            return MemoryReader(file.info, file.body[start:end])
        return super().open_reader(resource, start=start, end=end)

    def properties(self, path: ResourcePath) -> Properties:
        file = self._files.find(path)
        return file.properties if file else super().properties(path)

    # Writing

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
        """New junk is written to memory, unless it is large."""
        if not self._is_junk_at(path):
            return super().open_writer(
                path,
                attributes,
                condition,
                length=length,
                existing=existing,
                is_new=is_new,
                recheck=recheck,
            )
        if self._files.find(path) is None and (stored := super().find(path)) is not None:
            return super().open_writer(
                path, attributes, condition, length=length, existing=stored, recheck=recheck
            )

        def recheck_with_condition(*, is_new: bool) -> None:
            self._files.require(path, condition)
            recheck(is_new=is_new and self._files.find(path) is None)

        # It also finds out whether the file may be created.
        large = super().open_writer(
            path,
            attributes,
            length=length if length is not None and length > MAX_FILE_BYTES else None,
            is_new=True,
            recheck=recheck_with_condition,
        )
        keep = partial(self._commit, path, attributes, recheck_with_condition)
        return JunkWriter(large, self._files, keep, lambda: self._files.remove_tree(path))

    def _commit(
        self,
        path: ResourcePath,
        attributes: Attributes,
        recheck: Recheck,
        body: bytes,
        client_metadata: ClientMetadata | None,
    ) -> Resource:
        with self._path_locks.hold(written=[path]):
            is_new = self._files.find(path) is None
            if is_new and super().find(path) is not None:
                raise UnavailableError(f"an object has appeared at {path}; try again")
            recheck(is_new=is_new)
            return self._files.put(path, body, attributes, client_metadata)

    def make_collection(self, path: ResourcePath, recheck: Recheck = no_recheck) -> None:
        if self._files.find(path):
            raise AlreadyExistsError(f"something is at {path}")
        super().make_collection(path, recheck)

    @contextmanager
    def without_writes(self, path: ResourcePath, *, is_deep: bool) -> Iterator[ExclusiveAccess]:
        with super().without_writes(path, is_deep=is_deep) as access:
            if file := self._files.find(path):
                access = access._replace(resource=file.resource)
            elif self._is_junk_at(path):
                access = access._replace(make_empty_file=partial(self._make_empty_file, path))
            yield access

    def _make_empty_file(self, path: ResourcePath, attributes: Attributes) -> bool:
        super().open_writer(path, attributes, is_new=True).abort()  # Raises if it may not be there.
        self._files.put(path, b"", attributes)
        return True

    def update_properties(
        self,
        path: ResourcePath,
        changes: Mapping[str, str | None],
        *,
        modified: datetime | None = None,
        recheck: Recheck = no_recheck,
    ) -> None:
        if self._files.find(path) is None:
            super().update_properties(path, changes, modified=modified, recheck=recheck)
            return
        with self._path_locks.hold(properties_of=[path]):
            file = self._require(path)
            recheck(is_new=False)
            self._files.change_properties(file, changes, modified)

    # Operations

    def delete(
        self, path: ResourcePath, preconditions: Preconditions = NO_PRECONDITIONS
    ) -> list[Failure]:
        if self._files.find(path) is None:
            failures = super().delete(path, preconditions)
            if not failures:
                self._files.remove_tree(path)
            return failures
        with self._path_locks.hold(written=[path]):
            preconditions.require_version(self._require(path).resource)
            preconditions.recheck(is_new=False)
            self._files.remove_tree(path)
        return []

    def copy(
        self,
        source: ResourcePath,
        target: ResourcePath,
        preconditions: Preconditions = NO_PRECONDITIONS,
        *,
        recursive: bool = True,
    ) -> list[Failure]:
        if file := self._files.find(source):
            copy_file(self, file, target, preconditions)
            return []
        preconditions = self._for_target(target, preconditions)
        failures = super().copy(source, target, preconditions, recursive=recursive)
        if not failures:
            self._files.remove_tree(target)
        return failures

    def move(
        self,
        source: ResourcePath,
        target: ResourcePath,
        preconditions: Preconditions = NO_PRECONDITIONS,
        *,
        user: str = "",
    ) -> list[Failure]:
        if file := self._files.find(source):
            copy_file(self, file, target, preconditions)
            self._files.remove_version(file)
            return []
        preconditions = self._for_target(target, preconditions)
        failures = super().move(source, target, preconditions, user=user)
        if not failures:
            self._files.move_tree(source, target)
        return failures

    def _for_target(self, target: ResourcePath, preconditions: Preconditions) -> Preconditions:
        """What is left to be checked in the bucket, where nothing is if memory has a file."""
        if file := self._files.find(target):
            preconditions.require_replaceable([file.row], is_new=False)
            return preconditions._replace(target_if_match=None)
        return preconditions

    def _require(self, path: ResourcePath) -> JunkFile:
        file = self._files.find(path)
        if file is None:
            raise NotFoundError(f"nothing is at /{'/'.join(path)} any more")
        return file

    def _is_junk_at(self, path: ResourcePath) -> bool:
        return bool(path) and self._is_junk(path[-1])
