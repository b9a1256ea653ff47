"""MemoryStore: the protocol.

Invariants: nothing changes after a deadline, however long a call was delayed before; the bytes of
an object never change, so that a reader holds one version whatever happens to its key.
"""

import hashlib
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress

from davbridge import deadline
from davbridge.clock import Clock, utc_now
from davbridge.errors import (
    NotFoundError,
    PreconditionFailedError,
    StoreError,
)
from davbridge.store.base import (
    ALWAYS,
    NO_VERSIONS,
    PAGE_SIZE,
    Attributes,
    Condition,
    DeleteFailure,
    Lookup,
    ObjectInfo,
    ObjectReader,
    ObjectRow,
    ObjectWriter,
    Page,
)
from davbridge.store.limits import MAX_OBJECT_SIZE, require_key, require_size
from davbridge.store.memory.objects import SortedObjects, StoredObject
from davbridge.store.memory.streams import MemoryReader, MemoryWriter


class MemoryStore:
    """A bucket in memory."""

    def __init__(self, *, clock: Clock = utc_now, max_object_size: int = MAX_OBJECT_SIZE) -> None:
        self._clock = clock
        self._max_object_size = max_object_size
        self._lock = threading.Lock()
        self._objects = SortedObjects()

    @property
    def max_object_size(self) -> int:
        return self._max_object_size

    def list_objects(
        self, prefix: str, *, delimiter: str = "", page_size: int = PAGE_SIZE
    ) -> Iterator[Page]:
        start = prefix.encode()
        while True:
            with self._lock:
                deadline.require()
                step = self._objects.page(start, prefix.encode(), delimiter.encode(), page_size)
            yield step.page
            if step.page.is_last:
                return
            start = step.resume_at

    def lookup(self, key: str, *, bypass_cache: bool = False) -> Lookup:
        require_key(key)
        with self._lock:
            deadline.require()
            found = self._objects.get(key)
            is_prefix = self._objects.has_prefix(f"{key}/")
        return Lookup(found.info.row if found else None, is_prefix)

    def head_object(self, key: str) -> ObjectInfo:
        return self._get(key).info

    def get_object(
        self,
        key: str,
        *,
        start: int = 0,
        end: int | None = None,
        if_match: str | None = None,
    ) -> ObjectReader:
        found = self._get(key)
        if if_match is not None and found.info.row.etag != if_match:
            raise PreconditionFailedError(f"{key!r} is no longer the version asked for")
        return MemoryReader(found.info, found.body[start:end])

    def put_object(
        self, key: str, body: bytes, attributes: Attributes, condition: Condition = ALWAYS
    ) -> ObjectRow:
        require_key(key)
        require_size(len(body), self._max_object_size)
        etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
        row = ObjectRow(key, len(body), self._clock().replace(microsecond=0), etag)
        with self._lock:
            deadline.require()
            self._require(key, condition)
            self._objects.put(StoredObject(ObjectInfo(row, attributes), bytes(body)))
        return row

    def open_writer(
        self,
        key: str,
        attributes: Attributes,
        condition: Condition = ALWAYS,
        *,
        length: int | None = None,
    ) -> ObjectWriter:
        require_key(key)
        require_size(length or 0, self._max_object_size)

        def put(body: bytes, condition: Condition) -> ObjectRow:
            return self.put_object(key, body, attributes, condition)

        return MemoryWriter(put, condition, length=length, limit=self._max_object_size)

    def copy_object(
        self,
        source: ObjectRow,
        target: str,
        *,
        attributes: Attributes | None = None,
        condition: Condition = ALWAYS,
    ) -> ObjectRow:
        require_key(target)
        found = self._get(source.key)
        if found.info.row.etag != source.etag:
            raise PreconditionFailedError(f"{source.key!r} has changed")
        return self.put_object(target, found.body, attributes or found.info.attributes, condition)

    def delete_object(self, key: str, *, version: ObjectRow | None = None) -> None:
        require_key(key)
        with self._lock:
            deadline.require()
            if version and self._objects.get(key) is None:
                raise NotFoundError(f"no object {key!r}")
            self._require(key, Condition(if_match=version.etag if version else None))
            self._objects.delete(key)

    def delete_objects(
        self, keys: Sequence[str], *, versions: Mapping[str, ObjectRow] = NO_VERSIONS
    ) -> list[DeleteFailure]:
        failures = []
        for key in keys:
            try:
                with suppress(NotFoundError):
                    self.delete_object(key, version=versions.get(key))
            except StoreError as error:
                failures.append(DeleteFailure(key, error))
        return failures

    def require_deletable(self, keys: Iterable[str]) -> None:
        """Everything can be deleted."""

    def _get(self, key: str) -> StoredObject:
        require_key(key)
        with self._lock:
            deadline.require()
            found = self._objects.get(key)
        if found is None:
            raise NotFoundError(f"no object {key!r}")
        return found

    def _require(self, key: str, condition: Condition) -> None:
        present = self._objects.get(key)
        if condition.if_absent and present:
            raise PreconditionFailedError(f"{key!r} exists already")
        etag = present.info.row.etag if present else None
        if condition.if_match is not None and etag != condition.if_match:
            raise PreconditionFailedError(f"{key!r} is not the version asked for")
