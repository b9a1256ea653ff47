"""S3Store: the protocol.

Owns what the parts of the S3 store share, and puts them together: listing, reader, writer on
multipart, commits, copy and deletes; below them wire, which sends most of their requests. Must not
know how clients are built or buckets made ready (client, setup).

Invariants: those of ObjectStore, but for the order of flat listings, which is the store's own:
AWS and most others sort keys by their UTF-8 bytes, SeaweedFS sorts each folder by itself.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Self

from davbridge.errors import InvalidNameError
from davbridge.store.base import (
    ALWAYS,
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
from davbridge.store.budget import MemoryBudget
from davbridge.store.clock import Clock, utc_now
from davbridge.store.limits import MAX_OBJECT_SIZE, require_key, require_size
from davbridge.store.s3.answers import Bucket, head_request, info_of, size_of
from davbridge.store.s3.commits import put
from davbridge.store.s3.copy import (
    COPY_LIMIT,
    COPY_PART_SIZE,
    copy_in_parts,
    copy_marker,
    copy_whole,
)
from davbridge.store.s3.deletes import delete_many, delete_one
from davbridge.store.s3.errors import translated
from davbridge.store.s3.listing import look_up, pages
from davbridge.store.s3.multipart import PART_SIZE, PartPool, abort_stale
from davbridge.store.s3.reader import S3Reader
from davbridge.store.s3.wire import Wire
from davbridge.store.s3.writer import S3Writer

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PART_THREADS = 8
"""Parts that are sent at a time, over all writers and copies."""

STALE_AGE = timedelta(days=1)


class S3Store:
    """A bucket. Owns its threads, so it is closed; the client is whoever built it's to close."""

    def __init__(
        self,
        client: "S3Client",
        bucket: str,
        *,
        max_object_size: int = MAX_OBJECT_SIZE,
        part_threads: int = PART_THREADS,
        part_size: int = PART_SIZE,
        copy_limit: int = COPY_LIMIT,
        copy_part_size: int = COPY_PART_SIZE,
        budget: MemoryBudget | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self._wire = Wire(client, bucket)
        self._bucket = Bucket(client, self._wire, bucket, clock)
        self._pool = PartPool(part_threads, budget or MemoryBudget())
        self._max_object_size = max_object_size
        self._part_size = part_size
        self._copy_limit = copy_limit
        self._copy_part_size = copy_part_size

    def close(self) -> None:
        """Ends the threads, once their parts are through, and the connections."""
        self._pool.close()
        self._wire.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def max_object_size(self) -> int:
        return self._max_object_size

    def list_objects(
        self, prefix: str, *, delimiter: str = "", page_size: int = PAGE_SIZE
    ) -> Iterator[Page]:
        return pages(self._bucket, prefix, delimiter, page_size)

    def lookup(self, key: str) -> Lookup:
        require_key(key)
        return look_up(self._bucket, key)

    def head_object(self, key: str) -> ObjectInfo:
        require_key(key)
        with translated(key):
            headers = self._wire.send(head_request(key)).headers
        return info_of(key, size_of(key, headers), headers)

    def get_object(
        self,
        key: str,
        *,
        start: int = 0,
        end: int | None = None,
        if_match: str | None = None,
    ) -> ObjectReader:
        require_key(key)
        return S3Reader.open(self._bucket, key, start, end, if_match)

    def put_object(
        self, key: str, body: bytes, attributes: Attributes, condition: Condition = ALWAYS
    ) -> ObjectRow:
        self._require_writable(key)
        require_size(len(body), self._max_object_size)
        return put(self._bucket, key, body, attributes, condition)

    def open_writer(
        self,
        key: str,
        attributes: Attributes,
        condition: Condition = ALWAYS,
        *,
        length: int | None = None,
    ) -> ObjectWriter:
        self._require_writable(key)
        require_size(length or 0, self._max_object_size)
        return S3Writer(
            self._bucket,
            self._pool,
            key,
            attributes,
            condition,
            length=length,
            limit=self._max_object_size,
            smallest_part=self._part_size,
        )

    def copy_object(
        self,
        source: ObjectRow,
        target: str,
        *,
        attributes: Attributes | None = None,
        condition: Condition = ALWAYS,
    ) -> ObjectRow:
        require_key(source.key)
        self._require_writable(target)
        if source.size == 0 and source.key.endswith("/"):
            return copy_marker(self._bucket, source, target, attributes, condition)
        if source.size <= self._copy_limit:
            return copy_whole(self._bucket, source, target, attributes, condition)
        return copy_in_parts(
            self._bucket, self._pool, source, target, attributes, condition, self._copy_part_size
        )

    def delete_object(self, key: str) -> None:
        delete_one(self._bucket, key)

    def delete_objects(self, keys: Sequence[str]) -> list[DeleteFailure]:
        return delete_many(self._bucket, keys)

    def abort_stale_uploads(self, prefix: str, older_than: timedelta = STALE_AGE) -> int:
        """Aborts multipart uploads below ``prefix`` that a bridge which died has left, and tells
        how many. Younger ones may be another bridge's, under way. Best effort: logs, never raises.
        """
        return abort_stale(self._bucket, prefix, older_than)

    def _require_writable(self, key: str) -> None:
        """Raises InvalidNameError for a key that the store would take for another one."""
        require_key(key)
        if "\\" in key and self._folds_backslashes:
            raise InvalidNameError("this store can't hold names with a backslash")

    @cached_property
    def _folds_backslashes(self) -> bool:
        """Whether ``a\\b`` is written to ``a/b``, which may be anyone's, and is never found again
        as what it was. SeaweedFS does that. Asked for only once a key has a backslash."""
        with translated(self._bucket.name):
            answer = self._bucket.client.head_bucket(Bucket=self._bucket.name)
        server = answer["ResponseMetadata"]["HTTPHeaders"].get("server", "")
        return server.startswith("SeaweedFS")
