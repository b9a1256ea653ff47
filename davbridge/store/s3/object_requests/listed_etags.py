"""The ETags of listings, on a store whose listings have none, or other ones than HEAD and GET.

Everything above the S3 store pins reads and writes to the ETags of rows. So rows get the ETag of a
HEAD, where the listing's own can't be used: nothing that relies on ETags is weaker then. It costs a
HEAD for each listed object, but only one for each version of it.

Invariants: a row has the ETag of a HEAD, or none: then no read or write that is pinned to it is
carried out. What a HEAD has shown is used again only for the version that it was about: by key,
size, time and listed ETag, and only if that time was over by then, so that every later write has
another one.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock
from typing import NamedTuple

from cachetools import LRUCache

from davbridge.errors import PreconditionFailedError, StoreError, TruncatedError, UnavailableError
from davbridge.paths import DELIMITER
from davbridge.store.base import TIME_TOLERANCE, Lookup, ObjectRow, Page
from davbridge.store.s3.bucket.bucket import Bucket, head_object
from davbridge.waiting import store_wait

PARALLEL_HEADS = 16

TIME_RESOLUTION = 3.0
"""Seconds. A time in a listing, which has whole seconds, is over for certain after so many, by any
estimate of the store's clock."""


class _Known(NamedTuple):
    listed: ObjectRow
    """As the listing has it."""
    row: ObjectRow


class ListedEtags:
    """Mends the rows of listings. Safe for many threads."""

    def __init__(self, *, parallel: int = PARALLEL_HEADS, max_entries: int = 100_000) -> None:
        self._pool = ThreadPoolExecutor(parallel, "davbridge-etags")
        self._known: LRUCache[str, _Known] = LRUCache(max_entries)
        self._lock = Lock()

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def page(self, bucket: Bucket, page: Page) -> Page:
        """The page with the ETags of HEADs. Raises UnavailableError."""
        rows = self._mended(bucket, page.rows)
        return page if rows is page.rows else Page(rows, page.prefixes, page.is_last)

    def lookup(self, bucket: Bucket, found: Lookup, *, anew: bool = False) -> Lookup:
        """``anew``: what an earlier HEAD has shown isn't used. Raises UnavailableError."""
        if found.row is None:
            return found
        if anew:
            self.forget(found.row.key)
        (row,) = self._mended(bucket, (found.row,))
        return found._replace(row=row)

    @contextmanager
    def checking(self, *keys: str) -> Iterator[None]:
        """Around a request that is pinned to their ETags. If it is refused, the next listing asks
        again: some stores show other times than that of the last write."""
        try:
            yield
        except PreconditionFailedError:
            for key in keys:
                self.forget(key)
            raise

    def forget(self, key: str) -> None:
        with self._lock:
            self._known.pop(key, None)

    def _mended(self, bucket: Bucket, rows: tuple[ObjectRow, ...]) -> tuple[ObjectRow, ...]:
        """The same rows, if nothing is wrong with them."""
        if not bucket.can.etag_case:
            rows = tuple([row._replace(etag=row.etag.swapcase()) for row in rows])
        wanted = [row for row in rows if _needs_head(bucket, row)]
        if not wanted:
            return rows
        mended = {row.key: row for row in self._with_heads(bucket, wanted)}
        return tuple([mended.get(row.key, row) for row in rows])

    def _with_heads(self, bucket: Bucket, rows: Sequence[ObjectRow]) -> list[ObjectRow]:
        known = {row.key: self._known_row(row) for row in rows}
        unknown = [row for row in rows if known[row.key] is None]
        if len(unknown) < 2:
            asked = [self._ask(bucket, row) for row in unknown]
        else:
            with store_wait():
                asked = list(self._pool.map(lambda row: self._ask(bucket, row), unknown))
        return [row for row in known.values() if row] + asked

    def _known_row(self, listed: ObjectRow) -> ObjectRow | None:
        with self._lock:
            known = self._known.get(listed.key)
        return known.row if known and known.listed == listed else None

    def _ask(self, bucket: Bucket, listed: ObjectRow) -> ObjectRow:
        """The object as a HEAD shows it: a later version than the listed one, perhaps. One whose
        HEAD is refused has no ETag: it is listed, and can't be read."""
        began_at = bucket.transport.clock.read().store
        try:
            row = head_object(bucket, listed.key).row
        except (UnavailableError, TruncatedError):
            raise
        except StoreError:
            return listed._replace(etag="")
        is_listed = row.size == listed.size and abs(row.modified - listed.modified) < TIME_TOLERANCE
        is_over = began_at - listed.modified.timestamp() > TIME_RESOLUTION
        if is_listed and is_over and listed.has_time:
            with self._lock:
                self._known[listed.key] = _Known(listed, row)
        return row


def _needs_head(bucket: Bucket, row: ObjectRow) -> bool:
    """SeaweedFS lists a folder that it is about to remove without an ETag. Nothing is there."""
    if bucket.can.listed_etags:
        return not row.etag and not row.key.endswith(DELIMITER)
    return True
