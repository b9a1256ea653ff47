"""Whether a store that fails is full.

SeaweedFS (4.48) has no error for that: while no volume takes anything more, it answers every
request that brings content with the InternalError that any other fault has. So davbridge tests what
the store can still do.

Invariants: a store counts as full only if, right after such a failure, it serves the content of an
object and takes an empty one, but fails in the same way at one of a single byte. Every other
failure is reported unchanged. The test runs once in VALID seconds at the most, and only after a
failure.
"""

import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

from botocore.exceptions import ClientError

from davbridge.errors import OutOfSpaceError, StoreError, UnavailableError
from davbridge.store.base import ALWAYS, PAGE_SIZE, Attributes
from davbridge.store.s3.bucket.bucket import Bucket
from davbridge.store.s3.bucket.capabilities import CANARY
from davbridge.store.s3.messages.errors import code_of, header_of, translated
from davbridge.store.s3.object_requests.conditional_writes import put
from davbridge.store.s3.object_requests.deletes import delete_one
from davbridge.store.s3.object_requests.listing import pages
from davbridge.store.s3.transport.transport import S3Request

VALID = 5.0
"""Seconds for which a result is reused."""


class FullStoreDetector:
    """A context around writes: one that fails because the store is full raises OutOfSpaceError.

    Safe for many threads, and for writes within writes.
    """

    def __init__(
        self, bucket: Callable[[], Bucket], timer: Callable[[], float] = time.monotonic
    ) -> None:
        self.prefix = ""
        """The key at which the test writes its objects."""
        self._bucket = bucket
        self._timer = timer
        self._lock = threading.Lock()
        self._is_full = False
        self._valid_until = -1.0

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, UnavailableError) and may_be_full(error) and self._look():
            self._bucket().transport.health.answered()  # it is in no trouble otherwise
            raise OutOfSpaceError("the store has no room left") from error

    def _look(self) -> bool:
        with self._lock:
            if self._timer() >= self._valid_until:
                self._is_full = is_full(self._bucket(), self.prefix)
                self._valid_until = self._timer() + VALID
            return self._is_full


def may_be_full(error: StoreError) -> bool:
    """Whether it is the failure that SeaweedFS reports for this, and for others."""
    cause = error.__cause__
    return (
        isinstance(cause, ClientError)
        and code_of(cause) == "InternalError"
        and header_of(cause, "server").startswith("SeaweedFS")
    )


def is_full(bucket: Bucket, prefix: str) -> bool:
    """Whether the store works, but takes no content."""
    key = f"{prefix}{CANARY}{uuid.uuid4().hex}.space"
    try:
        if not _gives_content(bucket, prefix):
            return False
        put(bucket, key, b"", Attributes(), ALWAYS, bucket.new.headers(key))
        return _refuses_content(bucket, key)
    except StoreError:
        return False
    finally:
        with suppress(StoreError):  # else the sweep finds it by its name
            delete_one(bucket, key)


def _gives_content(bucket: Bucket, prefix: str) -> bool:
    """Reads a byte of any object. Raises StoreError."""
    first = next(pages(bucket, prefix, "", PAGE_SIZE))
    key = next((row.key for row in first.rows if row.size), None)
    if key is None:
        return False  # it isn't known
    with translated(key):
        request = S3Request("GetObject", "GET", key, {"range": "bytes=0-0"})
        return len(bucket.transport.send(request).content) > 0


def _refuses_content(bucket: Bucket, key: str) -> bool:
    """Raises StoreError for another refusal than that in question."""
    try:
        put(bucket, key, b"x", Attributes(), ALWAYS, bucket.new.headers(key))
    except UnavailableError as error:
        return may_be_full(error)
    return False
