"""MemoryStore: the reference implementation of ObjectStore, for tests and for trying things out.

Owns a bucket in memory that behaves as AWS does. It keeps the same promises as the S3 store and
passes the same contract tests; where stores differ, it does what AWS documents. So it compares
ETags alone, which equal bytes share.

Invariants: the map and the sorted keys change together, under one lock, and not after a deadline,
however long a call was held before; the bytes of an object
never change, so that a reader holds one version whatever happens to its key.
"""

import hashlib
import threading
from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple, Self

from davbridge import deadline
from davbridge.clock import Clock, utc_now
from davbridge.errors import (
    NotFoundError,
    PreconditionFailedError,
    StoreError,
    TruncatedError,
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


@dataclass(frozen=True, slots=True)
class _Object:
    info: ObjectInfo
    body: bytes


class _Step(NamedTuple):
    """A page under way, and the least key, in UTF-8, that a next one could hold."""

    page: Page
    resume_at: bytes


class MemoryStore:
    """A bucket in memory."""

    def __init__(self, *, clock: Clock = utc_now, max_object_size: int = MAX_OBJECT_SIZE) -> None:
        self._clock = clock
        self._max_object_size = max_object_size
        self._lock = threading.Lock()
        self._objects: dict[bytes, _Object] = {}
        self._order: list[bytes] = []

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
                step = self._page(start, prefix.encode(), delimiter.encode(), page_size)
            yield step.page
            if step.page.is_last:
                return
            start = step.resume_at

    def lookup(self, key: str, *, past_caches: bool = False) -> Lookup:
        require_key(key)
        with self._lock:
            deadline.require()
            found = self._objects.get(key.encode())
            is_prefix = self._key_at(f"{key}/".encode(), f"{key}/".encode()) is not None
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
            self._keep(_Object(ObjectInfo(row, attributes), bytes(body)))
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
        return MemoryWriter(self, key, attributes, condition, length)

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
            if version and key.encode() not in self._objects:
                raise NotFoundError(f"no object {key!r}")
            self._require(key, Condition(if_match=version.etag if version else None))
            self._drop(key.encode())

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

    def _get(self, key: str) -> _Object:
        require_key(key)
        with self._lock:
            deadline.require()
            found = self._objects.get(key.encode())
        if found is None:
            raise NotFoundError(f"no object {key!r}")
        return found

    def _require(self, key: str, condition: Condition) -> None:
        present = self._objects.get(key.encode())
        if condition.if_absent and present:
            raise PreconditionFailedError(f"{key!r} exists already")
        etag = present.info.row.etag if present else None
        if condition.if_match is not None and etag != condition.if_match:
            raise PreconditionFailedError(f"{key!r} is not the version asked for")

    def _keep(self, kept: _Object) -> None:
        name = kept.info.row.key.encode()
        if name not in self._objects:
            insort(self._order, name)
        self._objects[name] = kept

    def _drop(self, name: bytes) -> None:
        if self._objects.pop(name, None):
            del self._order[bisect_left(self._order, name)]

    def _key_at(self, start: bytes, prefix: bytes) -> bytes | None:
        """The first key from ``start`` on, if it has the prefix."""
        at = bisect_left(self._order, start)
        if at == len(self._order) or not self._order[at].startswith(prefix):
            return None
        return self._order[at]

    def _page(self, start: bytes, prefix: bytes, delimiter: bytes, size: int) -> _Step:
        rows: list[ObjectRow] = []
        prefixes: list[str] = []
        key = self._key_at(start, prefix)
        while key is not None and len(rows) + len(prefixes) < min(size, PAGE_SIZE):
            common = _common_prefix(key, prefix, delimiter)
            if common:
                prefixes.append(common.decode())
                start = _after_all_below(common)
            else:
                rows.append(self._objects[key].info.row)
                start = key + b"\0"
            key = self._key_at(start, prefix)
        return _Step(Page(tuple(rows), tuple(prefixes), is_last=key is None), start)


def _common_prefix(key: bytes, prefix: bytes, delimiter: bytes) -> bytes:
    at = key.find(delimiter, len(prefix)) if delimiter else -1
    return key[: at + len(delimiter)] if at >= 0 else b""


def _after_all_below(prefix: bytes) -> bytes:
    """The least bytes that sort after every key with this prefix; UTF-8 never holds 0xFF."""
    return prefix[:-1] + bytes([prefix[-1] + 1])


class MemoryReader:
    """The bytes of a range of one version."""

    def __init__(self, info: ObjectInfo, body: bytes) -> None:
        self._info = info
        self._rest = memoryview(body)

    @property
    def info(self) -> ObjectInfo:
        return self._info

    def read(self, size: int) -> bytes:
        block = bytes(self._rest[:size])
        self._rest = self._rest[size:]
        return block

    def close(self) -> None:
        self._rest = memoryview(b"")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class MemoryWriter:
    """An object on its way in."""

    def __init__(
        self,
        store: MemoryStore,
        key: str,
        attributes: Attributes,
        condition: Condition,
        length: int | None,
    ) -> None:
        self._store = store
        self._key = key
        self._attributes = attributes
        self._condition = condition
        self._length = length
        self._body = bytearray()
        self._is_open = True

    def write(self, data: bytes) -> None:
        self._require_open()
        require_size(len(self._body) + len(data), self._store.max_object_size)
        self._body += data

    def commit(self, condition: Condition | None = None) -> ObjectRow:
        self._require_open()
        self._is_open = False
        if self._length is not None and self._length != len(self._body):
            raise TruncatedError(f"{len(self._body)} bytes came of {self._length}")
        condition = self._condition if condition is None else condition
        try:
            return self._store.put_object(self._key, bytes(self._body), self._attributes, condition)
        except PreconditionFailedError:
            self._is_open = True
            raise

    def abort(self) -> None:
        self._is_open = False
        self._body.clear()

    def _require_open(self) -> None:
        if not self._is_open:
            raise ValueError("the writer is committed or aborted")
