"""Deletes what a bridge that crashed has left: uploads with their parts, and canaries.

Invariants: an upload is aborted only if it is davbridge's own, by its mark or a canary's name, and
none of its parts is younger than the given age. Uploads of other tools, and those that may be in
progress, are never touched. An upload without parts stays: it takes no room. The present time is
the earlier one of the store's clock and this machine's: by a clock that is ahead (of a proxy, say,
that sends its own time), an upload in progress would look old.
"""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from botocore.exceptions import ClientError

from davbridge.errors import StoreError
from davbridge.store.base import ObjectRow
from davbridge.store.s3.bucket.bucket import Bucket
from davbridge.store.s3.bucket.capabilities import CANARY
from davbridge.store.s3.messages.errors import NO_SUCH_UPLOAD, code_of, translated
from davbridge.store.s3.messages.headers import date_of
from davbridge.store.s3.object_requests import multipart_requests
from davbridge.store.s3.object_requests.deletes import delete_one
from davbridge.store.s3.object_requests.listing import pages
from davbridge.store.s3.object_requests.multipart_requests import MARK, MARK_NUMBER, OpenUpload
from davbridge.store.s3.transport.transport import S3Request

_log = logging.getLogger(__name__)


class Swept(NamedTuple):
    """What was left at a key."""

    key: str
    last: datetime
    """When the last part of it was written."""
    size: int
    """Bytes."""


def sweep(bucket: Bucket, prefix: str, older_than: timedelta, *, dry_run: bool) -> Iterator[Swept]:
    """Removes what is stale below ``prefix``, unless it is a dry run. Raises StoreError."""
    with translated(prefix):
        store_time = date_of(
            bucket.transport.send(S3Request("HeadBucket", "HEAD", None)).headers, bucket.clock
        )
        newest = _before(min(store_time, bucket.clock()), older_than)
        for upload in multipart_requests.open_uploads(bucket, prefix):
            is_canary = upload.key.startswith(prefix + CANARY)
            found = _stale(bucket, upload, newest, is_own=is_canary)
            if found and not dry_run:
                multipart_requests.abort(bucket, upload.key, upload.upload_id)
            if found:
                yield found
    for canary in _canaries(bucket, prefix):
        if canary.modified < newest:
            if not dry_run:
                delete_one(bucket, canary.key)
            yield Swept(canary.key, canary.modified, canary.size)


def _before(now: datetime, age: timedelta) -> datetime:
    """The present time less ``age``; the earliest datetime if that is out of range."""
    try:
        return now - age
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)


def abort_stale(bucket: Bucket, prefix: str, older_than: timedelta) -> int:
    """The same, as far as possible. Returns how many there were, and raises nothing."""
    count = 0
    try:
        for swept in sweep(bucket, prefix, older_than, dry_run=False):
            _log.info("swept what was left unfinished at %r: %d bytes", swept.key, swept.size)
            count += 1
    except StoreError as error:
        # To list or abort uploads may well be forbidden; davbridge works without it.
        _log.info("what a crash may have left is not swept: %s", error)
    return count


def _stale(bucket: Bucket, upload: OpenUpload, newest: datetime, *, is_own: bool) -> Swept | None:
    if upload.begun >= newest:
        return None  # whatever its parts are
    size, last = 0, upload.begun
    try:
        for part in multipart_requests.parts_of(bucket, upload):
            size += part.size
            last = max(last, part.modified)
            is_own = is_own or (part.number, part.size) == (MARK_NUMBER, len(MARK))
    except ClientError as error:
        if code_of(error) == NO_SUCH_UPLOAD:
            return None  # it has just been completed, or swept by another bridge
        raise
    return Swept(upload.key, last, size) if is_own and last < newest else None


def _canaries(bucket: Bucket, prefix: str) -> Iterator[ObjectRow]:
    for page in pages(bucket, prefix + CANARY, "", 1000):
        yield from page.rows
