"""S3Reader: the bytes of one version of an object, resumed if a connection breaks.

Invariants: every byte comes from the version that the first response named, by its ETag; `read`
returns ``b""`` only after all bytes. It counts them, because a body that is cut short looks like a
complete one.
"""

import logging
import re
import time
from types import TracebackType
from typing import NamedTuple, Self

from botocore.exceptions import BotoCoreError, FlexibleChecksumError

from davbridge.errors import PreconditionFailedError, StoreError, TruncatedError, UnavailableError
from davbridge.store.base import Condition, ObjectInfo
from davbridge.store.s3.bucket.bucket import Bucket
from davbridge.store.s3.messages.checksums import ASK, Checked
from davbridge.store.s3.messages.errors import one_line, translated
from davbridge.store.s3.messages.headers import Headers, headers_of, info_of, size_of
from davbridge.store.s3.transport.connections import StreamedResponse
from davbridge.store.s3.transport.transport import S3Request
from davbridge.waiting import store_wait

RESUMPTIONS = 3
"""How often in a row a stream is resumed without PROGRESS, or a PAUSE, in between."""

PROGRESS = 1024**2

PAUSE = 10.0
"""Seconds. Some stores drop the connection of a client that reads nothing for so long, such as a
player that is paused. Then the stream is resumed, however often that happens."""

_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})", re.ASCII)

_log = logging.getLogger(__name__)


class _Opened(NamedTuple):
    body: StreamedResponse | Checked
    info: ObjectInfo
    start: int


class S3Reader:
    """The bytes of one version, or of a range of it. Made by `open`."""

    def __init__(self, bucket: Bucket, opened: _Opened, end: int | None) -> None:
        self._bucket = bucket
        self._info = opened.info
        self._body = opened.body
        self._position = opened.start
        size = opened.info.row.size
        self._end = size if end is None else min(end, size)
        self._resumed_at = self._position
        self._tries = RESUMPTIONS
        self._given_at = time.monotonic()
        self._has_paused = False
        if self._position >= self._end:
            self._finish()

    @classmethod
    def open(
        cls, bucket: Bucket, key: str, start: int, end: int | None, if_match: str | None
    ) -> "S3Reader":
        return cls(bucket, _open(bucket, key, start, end, if_match), end)

    @property
    def info(self) -> ObjectInfo:
        return self._info

    def read(self, size: int) -> bytes:
        wanted = min(size, self._end - self._position)
        if time.monotonic() - self._given_at > PAUSE:
            self._has_paused = True
        while wanted > 0:
            block, cause = self._next(wanted)
            if block:
                if self._position + len(block) == self._end:
                    self._finish()
                self._position += len(block)
                self._given_at = time.monotonic()
                return block
            self._resume(cause)
        return b""

    def close(self) -> None:
        self._body.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _next(self, size: int) -> tuple[bytes, Exception | None]:
        try:
            with store_wait():
                return self._body.read(size), None
        except BotoCoreError as error:
            return b"", error

    def _finish(self) -> None:
        """Reads the end of the body, at which the checksum is compared."""
        try:
            with store_wait():
                self._body.read(1)
        except FlexibleChecksumError as error:
            raise TruncatedError(f"{self._info.row.key!r} came damaged") from error
        except BotoCoreError:
            _log.debug("nothing was due after %r, and the connection broke", self._info.row.key)
        self._body.close()

    def _resume(self, cause: Exception | None) -> None:
        self._body.close()
        row = self._info.row
        if self._has_paused or self._position - self._resumed_at >= PROGRESS:
            self._has_paused = False
            self._tries = RESUMPTIONS
        if self._tries == 0:
            raise TruncatedError(f"{row.key!r} broke off at byte {self._position}") from cause
        self._tries -= 1
        self._resumed_at = self._position
        reason = one_line(cause) if cause else "the body ended early"
        _log.info("reading %r is resumed at byte %d: %s", row.key, self._position, reason)
        try:
            opened = _open(self._bucket, row.key, self._position, self._end, row.etag)
        except StoreError as error:
            raise TruncatedError(f"the rest of {row.key!r} can't be had: {error}") from error
        self._body = opened.body


def _open(bucket: Bucket, key: str, start: int, end: int | None, if_match: str | None) -> _Opened:
    is_range = start > 0 or end is not None
    headers = headers_of(Condition(if_match=if_match))
    if is_range:
        headers["range"] = f"bytes={start}-{'' if end is None else end - 1}"
    elif bucket.checks_checksums:
        headers |= ASK
    with translated(key):
        answer = bucket.transport.open(S3Request("GetObject", "GET", key, headers))
    try:
        info = info_of(key, _whole_size(answer.headers, key, start, end), answer.headers)
        # A store, or a cache before it, may ignore If-Match.
        if if_match not in (None, info.row.etag):
            raise PreconditionFailedError(f"{key!r} is another version")
    except StoreError:
        answer.close()
        raise
    return _Opened(answer if is_range else Checked(answer), info, start)


def _whole_size(headers: Headers, key: str, start: int, end: int | None) -> int:
    """The size of the whole object. Raises UnavailableError where the range is another one."""
    served = headers.get("content-range", "")
    if not served:
        if start > 0:
            raise UnavailableError(f"{key!r}: the store ignored the range")
        return size_of(key, headers)
    matched = _CONTENT_RANGE.fullmatch(served)
    if matched:
        first, last, size = map(int, matched.groups())
        length = headers.get("content-length", str(last + 1 - first))
        if start == first <= last < min(end or size, size) and length == str(last + 1 - first):
            return size
    raise UnavailableError(f"{key!r}: the store answered another range: {served[:80]}")
