"""S3Store: the protocol, composed of the modules below."""

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Self

from davbridge.clock import Clock, utc_now
from davbridge.config import CopiedAttribute
from davbridge.errors import InvalidNameError, StoreError, StoreSetupError
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
from davbridge.store.buffers.budget import MemoryBudget
from davbridge.store.limits import MAX_OBJECT_SIZE, require_key, require_size
from davbridge.store.s3.bucket.bucket import Bucket, head_object
from davbridge.store.s3.bucket.capabilities import ALL, UNPROBED, Capabilities
from davbridge.store.s3.bucket.features import MODERN, Features
from davbridge.store.s3.bucket.new_objects import LEFT_TO_THE_BUCKET, NewObjects
from davbridge.store.s3.bucket.plain_objects import PlainObjects
from davbridge.store.s3.messages.errors import translated
from davbridge.store.s3.object_requests.conditional_writes import put
from davbridge.store.s3.object_requests.copy import (
    COPY_LIMIT,
    COPY_PART_SIZE,
    CopyLimits,
    copy_object,
)
from davbridge.store.s3.object_requests.delete_rights import DeleteRights
from davbridge.store.s3.object_requests.deletes import delete_many, delete_one
from davbridge.store.s3.object_requests.full_store import FullStoreDetector
from davbridge.store.s3.object_requests.listed_etags import ListedEtags
from davbridge.store.s3.object_requests.listing import look_up, pages
from davbridge.store.s3.object_requests.multipart import PART_SIZE, PartPool
from davbridge.store.s3.object_requests.multipart_requests import MOST_PARTS
from davbridge.store.s3.object_requests.reader import S3Reader
from davbridge.store.s3.object_requests.sweep import Swept, abort_stale, sweep
from davbridge.store.s3.object_requests.writer import S3Writer
from davbridge.store.s3.setup.etag_checks import compare_existing
from davbridge.store.s3.setup.probe import PROBE_SECONDS, probe
from davbridge.store.s3.transport.transport import TIMING, S3Request, Timing, Transport
from davbridge.waiting import store_wait

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PART_THREADS = 8
"""How many parts are sent at a time, by all writers and copies together."""

STALE_AGE = timedelta(days=1)

_log = logging.getLogger(__name__)


class S3Store:
    """A bucket. It has threads, so it has to be closed. The client is closed by whoever built
    it."""

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
        capabilities: Capabilities = ALL,
        new_objects: NewObjects = LEFT_TO_THE_BUCKET,
        copy_without: Collection[CopiedAttribute] = (),
        features: Features = MODERN,
        clock: Clock = utc_now,
        timing: Timing = TIMING,
    ) -> None:
        self._transport = Transport(client, bucket, timing)
        self._transport.expires = capabilities.expiring
        self._bucket = Bucket(
            self._transport,
            bucket,
            clock,
            capabilities,
            new_objects,
            features,
            frozenset(copy_without),
            PlainObjects(timing.timer),
        )
        self._listed_etags = ListedEtags()
        self._delete_rights = DeleteRights(timing.timer)
        self._full_store = FullStoreDetector(lambda: self._bucket)
        self._pool = PartPool(part_threads, budget or MemoryBudget(), self._full_store)
        # A part waits in memory until the store has it, for it may have to be sent again.
        self._max_object_size = min(max_object_size, MOST_PARTS * self._pool.budget.largest)
        self._part_size = part_size
        self._copy_limits = CopyLimits(copy_limit, copy_part_size, self._max_object_size, part_size)

    @property
    def budget(self) -> MemoryBudget:
        """The memory of its uploads."""
        return self._pool.budget

    def close(self) -> None:
        """Ends the threads, once their parts are sent, and the connections."""
        self._pool.close()
        self._listed_etags.close()
        self._transport.close()

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
        for page in pages(self._bucket, prefix, delimiter, page_size):
            yield self._listed_etags.page(self._bucket, page)

    def lookup(self, key: str, *, bypass_cache: bool = False) -> Lookup:
        require_key(key)
        found = look_up(self._bucket, key)
        return self._listed_etags.lookup(self._bucket, found, anew=bypass_cache)

    def head_object(self, key: str) -> ObjectInfo:
        require_key(key)
        return head_object(self._bucket, key)

    def get_object(
        self,
        key: str,
        *,
        start: int = 0,
        end: int | None = None,
        if_match: str | None = None,
    ) -> ObjectReader:
        require_key(key)
        with self._listed_etags.checking(key):
            return S3Reader.open(self._bucket, key, start, end, if_match)

    def put_object(
        self, key: str, body: bytes, attributes: Attributes, condition: Condition = ALWAYS
    ) -> ObjectRow:
        self._require_writable(key)
        require_size(len(body), self._max_object_size)
        with self._full_store:
            extra_headers = self._bucket.new.headers(key)
            row = put(self._bucket, key, body, attributes, condition, extra_headers)
        self._bucket.record_plain(row)
        return row

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
            extra_headers=self._bucket.new.headers(key, is_file=True),
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
        with self._listed_etags.checking(source.key, target):
            return copy_object(
                self._bucket, self._pool, source, target, attributes, condition, self._copy_limits
            )

    def delete_object(self, key: str, *, version: ObjectRow | None = None) -> None:
        with self._listed_etags.checking(key), self._delete_rights.noting(key):
            delete_one(self._bucket, key, version)

    def delete_objects(
        self, keys: Sequence[str], *, versions: Mapping[str, ObjectRow] = NO_VERSIONS
    ) -> list[DeleteFailure]:
        failures = delete_many(self._bucket, keys, versions)
        self._delete_rights.note(keys, failures)
        return failures

    def require_deletable(self, keys: Iterable[str]) -> None:
        self._delete_rights.require(self._bucket, keys)

    def probe(self, prefix: str) -> None:
        """Finds out what the store can do, on canaries below ``prefix``, and logs it in one line.
        Call it before anything else. Raises StoreSetupError for a bucket that can't be used at
        all."""
        self._full_store.prefix = prefix
        try:
            probed = probe(self._bucket, prefix, PROBE_SECONDS)
        except StoreSetupError:
            raise
        except StoreError as error:
            self._use(UNPROBED)
            self.compare_etags(prefix)
            _log.warning("what the store can do is not known, for nothing can be tried: %s", error)
            return
        self._use(probed.can)
        self._bucket = self._bucket._replace(features=probed.features)
        if not probed.can.deletes:
            self._delete_rights.refused_below(prefix)
        probed.log()

    def compare_etags(self, prefix: str) -> None:
        """Instead of `probe` where nothing can be written: compares listings with HEADs, on up to
        two of the objects below ``prefix``, and logs a difference."""
        with suppress(StoreError):
            self._use(compare_existing(self._bucket, prefix))

    def _use(self, can: Capabilities) -> None:
        self._transport.expires = can.expiring
        self._bucket = self._bucket._replace(can=can)

    @property
    def is_seaweedfs(self) -> bool:
        """As far as its responses have shown by now."""
        return self._transport.server.startswith("SeaweedFS")

    @property
    def trouble(self) -> str:
        """Why the store can't be used; empty while it can, as far as is known. See health."""
        return self._transport.health.trouble

    def look(self) -> str:
        """Sends a request to find out whether the store answers; this takes as long as its retries.
        Returns why the store can't be used; empty if it can."""
        with suppress(StoreError), translated(self._bucket.name):
            self._transport.send(S3Request("HeadBucket", "HEAD", None))
        return self.trouble

    @property
    def capabilities(self) -> Capabilities:
        return self._bucket.can

    def sweep(
        self, prefix: str, older_than: timedelta = STALE_AGE, *, dry_run: bool = False
    ) -> Iterator[Swept]:
        """Removes what bridges that crashed have left below ``prefix``, one item for each step of
        the iterator. Raises StoreError.
        """
        return sweep(self._bucket, prefix, older_than, dry_run=dry_run)

    def abort_stale_uploads(self, prefix: str, older_than: timedelta = STALE_AGE) -> int:
        """The same, as far as possible. Returns how many there were; logs, and never raises."""
        return abort_stale(self._bucket, prefix, older_than)

    def _require_writable(self, key: str) -> None:
        """Raises InvalidNameError for a key that the store would change to another one."""
        require_key(key)
        if "\\" in key:
            with store_wait():
                if self._folds_backslashes:
                    raise InvalidNameError("this store can't hold names with a backslash")

    @cached_property
    def _folds_backslashes(self) -> bool:
        """Whether the store writes ``a\\b`` to ``a/b``, which may be another file, as SeaweedFS
        does. Tested only when a key has a backslash."""
        with translated(self._bucket.name):
            headers = self._transport.send(S3Request("HeadBucket", "HEAD", None)).headers
        return headers.get("server", "").startswith("SeaweedFS")
