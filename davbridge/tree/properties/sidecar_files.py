"""Heads and segments in the store: read, cached, written and deleted.

Invariants:
- A missing head costs no request: the collection's listing shows whether there is one, and its
  ETag.
- Heads are cached by key and ETag, segments by key, so neither is ever stale. The cache is bounded
  in bytes.
- Large files are read one at a time.
"""

import logging
from array import array
from collections.abc import Iterable
from contextlib import nullcontext, suppress
from hashlib import sha256
from secrets import token_hex
from threading import Lock

from cachetools import LRUCache

from davbridge.errors import InvalidNameError, NotFoundError, StoreError
from davbridge.paths import require_key_length
from davbridge.store.base import (
    ALWAYS,
    Attributes,
    Condition,
    ObjectReader,
    ObjectRow,
    ObjectStore,
)
from davbridge.tree.properties.entries import UNREADABLE, Members, Table, has_hash
from davbridge.tree.properties.sidecar_format import (
    MAX_OBJECT_BYTES,
    NO_HEAD,
    Head,
    Segment,
    decode_head,
    decode_segment,
    encode_head,
    encode_segment,
    segment_key,
)
from davbridge.tree.reads import read_all, rows_below
from davbridge.waiting import store_wait

MAX_CACHE_BYTES = 32 * 1024 * 1024

MAX_HASHES_BYTES = 8 * 1024 * 1024
"""Of the hashes of a million names. By them it is known in which segments a name isn't, even if
these don't fit in the cache."""

LARGE = 512 * 1024
"""Bytes. Reading a larger file takes several times its size: only one at a time is read."""

_ASIDE = ".damaged-"

_JSON = Attributes(content_type="application/json")
_GZIP = Attributes(content_type="application/gzip")

_log = logging.getLogger(__name__)


class SegmentGoneError(Exception):
    """A segment isn't there. As a rule, the head that names it is out of date."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


class SidecarFiles:
    """Of one store."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._lock = Lock()
        self._cache: LRUCache[tuple[str, str], Head | Table] = LRUCache(
            MAX_CACHE_BYTES // 2, lambda each: each.nbytes
        )
        self._members: LRUCache[tuple[str, str], Members] = LRUCache(
            MAX_CACHE_BYTES // 2, lambda each: each.nbytes
        )
        self._hashes: LRUCache[str, array[int]] = LRUCache(
            MAX_HASHES_BYTES, lambda hashes: 100 + 8 * len(hashes)
        )
        self._reading_large = Lock()

    # Heads

    def current(self, key: str) -> Head:
        """The version that the listing shows; from the cache if that has it."""
        try:
            require_key_length(key)
        except InvalidNameError:  # Longer than keys can be: there is none.
            return NO_HEAD
        row = self._store.lookup(key).row
        if row is None:
            return NO_HEAD
        return self.cached(row.key, row.etag) or self.fetch(key)

    def fetch(self, key: str) -> Head:
        """The store's present version, whatever the cached listing shows."""
        try:
            with self._store.get_object(key) as reader:
                row = reader.info.row
                with store_wait(), self._reading_large if row.size > LARGE else nullcontext():
                    return self.cached(row.key, row.etag) or self._read_head(row, reader)
        except NotFoundError:
            return NO_HEAD

    def cached(self, key: str, etag: str) -> Head | None:
        with self._lock:
            found = self._cache.get((key, etag))
        return found if isinstance(found, Head) else None

    def after(self, gone: SegmentGoneError, head: Head) -> Head:
        """The head to go on with where a segment of this one is gone. If the store has no other
        head, the segment counts as unreadable from now on."""
        assert head.row is not None
        self._store.lookup(head.row.key, bypass_cache=True)  # Corrects the cached listing.
        now = self.fetch(head.row.key)
        if now.row is not None and now.row.etag == head.row.etag:
            _log.warning("%r is gone: the properties in it are lost", gone.key)
            self._add(gone.key, "", UNREADABLE)
        return now

    def put_head(self, key: str, head: Head, condition: Condition) -> ObjectRow:
        """Writes a version whose ETag no other one has. Raises PreconditionFailedError."""
        require_key_length(key)
        row = self._store.put_object(key, encode_head(head, token_hex(16)), _JSON, condition)
        self._add(key, row.etag, head._replace(row=row))
        return row

    def copy_head(self, head: Head, target: str, condition: Condition) -> ObjectRow:
        """Copies a head that has no segments. Raises as `ObjectStore.copy_object`."""
        assert head.row is not None
        row = self._store.copy_object(head.row, target, condition=condition)
        self._add(target, row.etag, head._replace(row=row))
        return row

    def delete_head(self, row: ObjectRow) -> None:
        """Raises PreconditionFailedError."""
        with suppress(NotFoundError):
            self._store.delete_object(row.key, version=row)

    def set_aside(self, row: ObjectRow) -> None:
        """Copies a damaged head to a name that depends on its ETag: each version once."""
        aside = f"{row.key}{_ASIDE}{sha256(row.etag.encode()).hexdigest()[:16]}"
        self._store.copy_object(row, aside)
        _log.warning("kept the damaged properties %r as %r", row.key, aside)

    def cached_members(self, head: Head) -> Members | None:
        """What the head and its segments have together."""
        if head.row is None:
            return None
        with self._lock:
            return self._members.get((head.row.key, head.row.etag))

    def cache_members(self, head: Head, members: Members) -> None:
        if head.row is not None and members.nbytes:  # Computed outside of the lock.
            with self._lock, suppress(ValueError):  # Too large.
                self._members[head.row.key, head.row.etag] = members

    # Segments

    def segment(self, head: str, segment: Segment) -> Table:
        """Raises SegmentGoneError."""
        key = segment_key(head, segment.id)
        table = self._cached_segment(key)
        if table is None:
            with store_wait(), self._reading_large if segment.size > LARGE else nullcontext():
                table = self._cached_segment(key) or self._fetch_segment(key)
        return table

    def may_have(self, head: str, segment: Segment, name: bytes) -> bool:
        """False if the segment is known to have no entry of this encoded name."""
        with self._lock:
            hashes = self._hashes.get(segment_key(head, segment.id))
        return hashes is None or has_hash(hashes, name)

    def can_have_segments(self, head: str) -> bool:
        """Whether the names of segments are short enough for the store."""
        try:
            require_key_length(segment_key(head, token_hex(8)))
        except InvalidNameError:
            return False
        return True

    def put_segment(self, head: str, table: Table) -> tuple[Segment, ObjectRow]:
        """Writes a new segment."""
        segment_id, body = token_hex(8), encode_segment(table)
        row = self._store.put_object(segment_key(head, segment_id), body, _GZIP)
        self._add_segment(row.key, table)
        return Segment(segment_id, len(table), len(table.body)), row

    def copy_segment(self, head: str, segment: Segment, target: str) -> tuple[Segment, ObjectRow]:
        """Copies a segment to a new name beside the head ``target``. Raises SegmentGoneError."""
        copy, key = segment._replace(id=token_hex(8)), segment_key(head, segment.id)
        source = self._store.lookup(key).row
        source = source or self._store.lookup(key, bypass_cache=True).row
        if source is None:
            raise SegmentGoneError(key)
        try:
            row = self._store.copy_object(source, segment_key(target, copy.id), condition=ALWAYS)
        except NotFoundError as error:
            raise SegmentGoneError(key) from error
        if table := self._cached_segment(key):
            self._add_segment(row.key, table)
        return copy, row

    def delete_segments(self, head: str, ids: Iterable[str]) -> None:
        """Never raises a StoreError: what is left is deleted by `delete_orphans`."""
        keys = [segment_key(head, each) for each in ids]
        if not keys:
            return
        try:
            failures = self._store.delete_objects(keys)
        except StoreError as error:
            _log.warning("segments of %r are left: %s", head, error)
            return
        for failure in failures:
            _log.warning("%r is left: %s", failure.key, failure.error)

    def discard_segments(self, head: str, ids: Iterable[str]) -> None:
        """Deletes new segments after the store has refused the head that was to name them. If the
        request was sent again, the first one may have had its effect, and another bridge may have
        gone on from there: segments that the present head names stay. Never raises a StoreError."""
        new = set(ids)
        if not new:
            return
        try:
            now = self.fetch(head)
        except StoreError as error:
            _log.warning("segments of %r are left: %s", head, error)
            return
        if not now.is_damaged:
            self.delete_segments(head, sorted(new.difference(each.id for each in now.segments)))

    def orphans(self, head: str, named: Iterable[str], before: float) -> list[str]:
        """The ids of segments that are older than ``before``, by the store's clock, and that aren't
        ``named``: bridges that died have left them. None if a damaged head was set aside: it may
        name them. Costs a request."""
        rows = rows_below(self._store, head).values()
        if any(row.key.startswith(head + _ASIDE) for row in rows):
            return []
        prefix = segment_key(head, "")
        old = (row.key for row in rows if row.modified.timestamp() < before)
        ids = {key.removeprefix(prefix) for key in old if key.startswith(prefix)}
        return sorted(ids.difference(named))

    def _cached_segment(self, key: str) -> Table | None:
        with self._lock:
            found = self._cache.get((key, ""))
        return found if isinstance(found, Table) else None

    def _fetch_segment(self, key: str) -> Table:
        try:
            with self._store.get_object(key) as reader:
                body = read_all(reader, MAX_OBJECT_BYTES)
        except NotFoundError as error:
            raise SegmentGoneError(key) from error
        try:
            table = decode_segment(body)
        except ValueError:
            _log.warning("the properties in %r are damaged, and read as none", key)
            table = UNREADABLE
        self._add_segment(key, table)
        return table

    def _add_segment(self, key: str, table: Table) -> None:
        self._add(key, "", table)
        with self._lock, suppress(ValueError):  # Too large.
            self._hashes[key] = table.hashes

    def _read_head(self, row: ObjectRow, reader: ObjectReader) -> Head:
        head = decode_head(row, read_all(reader, MAX_OBJECT_BYTES))
        self._add(row.key, row.etag, head)
        return head

    def _add(self, key: str, etag: str, content: Head | Table) -> None:
        with self._lock, suppress(ValueError):  # Too large.
            self._cache[key, etag] = content
