"""One multipart upload, with parts on their way side by side.

Owns the upload's life: Create, the parts in flight, and exactly one of Complete and Abort. Must
not know where the parts come from: a body that is being written (writer) or another object
(copy).

Invariants: no part is in flight when Complete or Abort is sent, so that an abort leaves nothing
behind; one process sends no more parts at a time, over all uploads, than its PartPool has threads.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from botocore.exceptions import ClientError

from davbridge.store.base import Condition, ObjectRow
from davbridge.store.budget import UNIT, MemoryBudget
from davbridge.store.s3.answers import Bucket, ContentHeaders, tagged
from davbridge.store.s3.checksums import checksum_headers
from davbridge.store.s3.commits import complete, new_transaction
from davbridge.store.s3.errors import ERRORS, NO_SUCH_UPLOAD, code_of, one_line, translated
from davbridge.store.s3.wire import Request

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

MIB = 1024**2

PART_SIZE = UNIT
"""So that the buffer of a part is used again for the next."""

PLANNED_PARTS = 9000
"""Into how many parts a long body of known length is cut: under the 10,000 that S3 allows."""

PARTS_PER_SIZE = 1000
"""After how many parts the size doubles where the length is unknown: 10,000 parts hold 8 TiB."""

PARTS_IN_FLIGHT = 3
"""Of one body: at 20 ms to the store and back, what hides the wait."""

ABORT_DELAYS = (0.2, 1.0)
"""Seconds before an abort that failed is sent again; what it misses is swept at a start."""

SendPart = Callable[[str, int], str]
"""Sends the part of the upload id and part number, and gives its ETag."""

_log = logging.getLogger(__name__)


def part_size(number: int, length: int | None, smallest: int = PART_SIZE) -> int:
    """The size of the part of this number, from 0.

    Where the length is known all parts are equal, which some stores require (R2).
    """
    if length is not None:
        return max(smallest, -(-length // PLANNED_PARTS))
    return int(smallest << (number // PARTS_PER_SIZE))


class PartPool:
    """What all uploads of a store share: the threads, and the memory."""

    def __init__(self, threads: int, budget: MemoryBudget) -> None:
        self.budget = budget
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="davbridge-part")

    def submit(self, send: Callable[[], str]) -> "Future[str]":
        """Runs ``send``, once a thread is free."""
        return self._executor.submit(send)

    def close(self) -> None:
        self._executor.shutdown()


class MultipartUpload:
    """An upload that has been created. Ends with `complete` or `abort`."""

    def __init__(self, bucket: Bucket, pool: PartPool, key: str, upload_id: str, transaction: str):
        self._bucket = bucket
        self._pool = pool
        self._key = key
        self._upload_id = upload_id
        self._transaction = transaction
        self._in_flight: deque[Future[str]] = deque()
        self._etags: list[str] = []

    @classmethod
    def create(
        cls, bucket: Bucket, pool: PartPool, key: str, headers: ContentHeaders
    ) -> "MultipartUpload":
        transaction = new_transaction()
        with translated(key):
            answer = bucket.client.create_multipart_upload(
                Bucket=bucket.name,
                Key=key,
                **tagged(headers, transaction),
            )
        return cls(bucket, pool, key, answer["UploadId"], transaction)

    def add(self, send: SendPart, *, in_flight: int) -> "Future[str]":
        """Puts the next part on its way, as soon as fewer than ``in_flight`` others are.

        Raises what an earlier part failed with.
        """
        while len(self._in_flight) >= in_flight:
            self._settle_oldest()
        number = len(self._etags) + len(self._in_flight) + 1
        part = self._pool.submit(lambda: self._send(send, number))
        self._in_flight.append(part)
        return part

    def _send(self, send: SendPart, number: int) -> str:
        with translated(self._key):
            return send(self._upload_id, number)

    def _settle_oldest(self) -> None:
        self._etags.append(self._in_flight[0].result())
        self._in_flight.popleft()

    def complete(self, size: int, condition: Condition) -> ObjectRow:
        """Makes the object visible. Whoever calls this aborts if it raises."""
        while self._in_flight:
            self._settle_oldest()
        parts: list[CompletedPartTypeDef] = [
            {"PartNumber": number, "ETag": etag} for number, etag in enumerate(self._etags, 1)
        ]
        return complete(
            self._bucket, self._key, self._upload_id, parts, size, condition, self._transaction
        )

    def abort(self) -> None:
        """Leaves nothing behind, as far as the store can be reached. Raises no StoreError."""
        for part in self._in_flight:
            part.cancel()
        wait(self._in_flight)
        self._in_flight.clear()
        for delay in (*ABORT_DELAYS, None):
            try:
                abort_upload(self._bucket, self._key, self._upload_id)
                return
            except ERRORS as error:
                if delay is None:
                    _log.warning("upload of %r not aborted: %s", self._key, one_line(error))
                else:
                    time.sleep(delay)


def send_part(
    bucket: Bucket, key: str, upload_id: str, number: int, content: bytes | memoryview
) -> str:
    """Uploads a part, and gives its ETag. Raises what botocore raises."""
    headers = checksum_headers(content) if bucket.wire.sends_checksums else {}
    query = {"partNumber": str(number), "uploadId": upload_id}
    request = Request("UploadPart", "PUT", key, headers, query, content)
    return bucket.wire.send(request).headers.get("etag", "")


def abort_upload(bucket: Bucket, key: str, upload_id: str) -> None:
    """Aborts; an upload that is gone is aborted already. Raises what botocore raises."""
    try:
        bucket.client.abort_multipart_upload(Bucket=bucket.name, Key=key, UploadId=upload_id)
    except ClientError as error:
        if code_of(error) != NO_SUCH_UPLOAD:
            raise


def abort_stale(bucket: Bucket, prefix: str, older_than: timedelta) -> int:
    """Aborts the uploads below ``prefix`` begun longer ago than this; tells how many."""
    newest = bucket.clock() - older_than
    aborted = 0
    try:
        for key, upload_id in _uploads_before(bucket, prefix, newest):
            abort_upload(bucket, key, upload_id)
            aborted += 1
    except ERRORS as error:
        # To list or abort uploads may well be forbidden; davbridge works without it.
        _log.info("stale uploads are not swept: %s", one_line(error))
    if aborted:
        _log.info("aborted %d multipart uploads that were left unfinished", aborted)
    return aborted


def _uploads_before(bucket: Bucket, prefix: str, newest: datetime) -> Iterator[tuple[str, str]]:
    key_marker = upload_marker = ""
    while True:
        answer = bucket.client.list_multipart_uploads(
            Bucket=bucket.name,
            Prefix=prefix,
            EncodingType="url",
            KeyMarker=key_marker,
            UploadIdMarker=upload_marker,
        )
        decode = unquote_plus if answer.get("EncodingType") == "url" else str
        for upload in answer.get("Uploads", ()):
            if upload["Initiated"] < newest:
                yield decode(upload["Key"]), upload["UploadId"]
        if not answer.get("IsTruncated"):
            return
        key_marker = decode(answer.get("NextKeyMarker", ""))
        upload_marker = answer.get("NextUploadIdMarker", "")
