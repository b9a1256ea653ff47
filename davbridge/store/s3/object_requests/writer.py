"""S3Writer: one body, cut into parts.

A body that fits one part is a single PutObject at the commit. A longer one is a multipart upload,
whose parts are sent while the next one fills.

Invariants: exactly one of commit and abort succeeds; a commit whose condition is refused keeps the
parts, so that it can be repeated under another condition; nothing is visible before the commit. A
part takes memory only for its bytes that have arrived, until the store has the part or the upload
is aborted. The memory of a body that has arrived to its announced end can't be reclaimed. A small
body that arrives in one piece needs none: it is in memory already, and waits for no other upload.
"""

from collections.abc import Mapping

from davbridge.errors import (
    PreconditionFailedError,
    TooLargeError,
    TruncatedError,
    UnavailableError,
)
from davbridge.store.base import Attributes, Condition, ObjectRow
from davbridge.store.buffers.budget import PIECE, SMALL_BODY, PartBuffer
from davbridge.store.buffers.outgoing_body import OutgoingBody
from davbridge.store.limits import require_size
from davbridge.store.s3.bucket.bucket import Bucket
from davbridge.store.s3.messages.checksums import ALGORITHM
from davbridge.store.s3.messages.errors import is_conflict
from davbridge.store.s3.messages.headers import attribute_headers
from davbridge.store.s3.object_requests.conditional_writes import put
from davbridge.store.s3.object_requests.multipart import (
    PARTS_IN_FLIGHT,
    MultipartUpload,
    PartPool,
    part_size,
)
from davbridge.store.s3.object_requests.multipart_requests import MOST_PARTS, Part, send_part

FIRST_PART = PIECE
"""Bytes of the first buffer of a body of unknown length: most such bodies are small."""


class S3Writer:
    """An upload."""

    def __init__(
        self,
        bucket: Bucket,
        pool: PartPool,
        key: str,
        attributes: Attributes,
        condition: Condition,
        *,
        length: int | None,
        limit: int,
        smallest_part: int,
        extra_headers: Mapping[str, str],
    ) -> None:
        """``extra_headers``: storage class, encryption, ACL."""
        self._bucket = bucket
        self._pool = pool
        self._key = key
        self._attributes = attributes
        self._condition = condition
        self._length = length
        self._limit = limit
        self._smallest_part = smallest_part
        self._extra_headers = extra_headers
        self._upload: MultipartUpload | None = None
        self._part: PartBuffer | None = None
        self._whole: bytes | None = None
        """The whole body, if it arrived in one piece."""
        self._parts_sent = 0
        self._written = 0
        self._is_open = True

    def write(self, data: bytes) -> None:
        self._require_open()
        require_size(self._written + len(data), self._limit)
        if self._written == 0 and len(data) == self._length and len(data) <= SMALL_BODY:
            self._whole = data
            self._written = len(data)
            return
        rest = memoryview(data)
        if self._length is not None:
            # The commit refuses a body that is too long.
            rest = rest[: max(0, self._length - self._written)]
        self._written += len(data)
        while rest:
            rest = self._part_with_room().fill(rest)
        if self._part and self._written == self._length:
            self._part.complete()

    def commit(self, condition: Condition | None = None) -> ObjectRow:
        self._require_open()
        try:
            row = self._commit(self._condition if condition is None else condition)
        except PreconditionFailedError:
            raise
        except BaseException:
            self.abort()
            raise
        self._is_open = False
        self._drop_part()
        self._bucket.record_plain(row)
        return row

    def abort(self) -> None:
        if not self._is_open:
            return
        self._is_open = False
        self._drop_part()
        if self._upload:
            self._upload.abort()

    def _commit(self, condition: Condition) -> ObjectRow:
        if self._length is not None and self._written != self._length:
            raise TruncatedError(
                f"{self._key!r}: {self._written} bytes came where {self._length} were announced"
            )
        if self._upload is None:
            body: OutgoingBody = self._part.complete() if self._part else self._whole or b""
            with self._pool.full_store:
                return put(
                    self._bucket,
                    self._key,
                    body,
                    self._attributes,
                    condition,
                    self._extra_headers,
                )
        if self._part:
            self._send_part(self._part)
        try:
            return self._upload.complete(self._written, condition)
        except PreconditionFailedError as error:
            if is_conflict(error.__cause__):  # AWS has dropped the upload: it can't be retried.
                raise UnavailableError(f"{self._key!r} is being written by others") from error
            raise

    def _part_with_room(self) -> PartBuffer:
        size = self._part_size()
        if self._part and self._part.is_full and self._part.size == size:
            # Only now is it certain that the body doesn't fit the parts so far.
            self._send_part(self._part)
            size = self._part_size()
        if self._part is None:
            is_unknown = self._length is None and self._parts_sent == 0
            first = min(size, FIRST_PART) if is_unknown else size
            self._part = self._pool.budget.buffer(first)
        elif self._part.is_full:
            self._enlarge(self._part, size)
        return self._part

    def _enlarge(self, part: PartBuffer, size: int) -> None:
        """Copies the bytes that have arrived into a larger buffer."""
        content = part.complete()
        larger = self._pool.budget.buffer(size)
        try:
            for piece in content:
                larger.fill(piece)
        except BaseException:
            larger.release()
            raise
        part.release()
        self._part = larger

    def _part_size(self) -> int:
        """The size of the part that is being filled, or of the next one."""
        largest = self._pool.budget.largest
        size = part_size(self._parts_sent, self._length, self._smallest_part, largest)
        if self._length is None:
            return size
        return min(size, self._length - self._parts_sent * size)

    def _send_part(self, part: PartBuffer) -> None:
        if self._parts_sent == MOST_PARTS:
            raise TooLargeError(f"{self._key!r} has more than {MOST_PARTS} parts")
        content = part.complete()
        if self._upload is None:
            headers = {**attribute_headers(self._attributes), **self._extra_headers}
            if self._bucket.sends_checksums:
                headers |= ALGORITHM
            self._upload = MultipartUpload.create(self._bucket, self._pool, self._key, headers)

        def send(upload_id: str, number: int) -> Part:
            return send_part(self._bucket, self._key, upload_id, number, content)

        sent = self._upload.add(send, in_flight=PARTS_IN_FLIGHT)
        sent.add_done_callback(lambda _: part.release())
        self._part = None
        self._parts_sent += 1

    def _drop_part(self) -> None:
        if self._part:
            self._part.release()
            self._part = None

    def _require_open(self) -> None:
        if not self._is_open:
            raise ValueError("the writer is committed or aborted")
