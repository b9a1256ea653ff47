"""S3Writer: one object on its way in.

Owns the cutting of a body into parts. A body that fits one part is a single PutObject at the
commit; a longer one is a multipart upload, whose parts leave while the next one fills. Must not
know what requests look like (s3_commits, s3_multipart).

Invariants: exactly one of commit and abort; nothing is visible before commit; memory is bounded by
the part that fills and PARTS_IN_FLIGHT others.
"""

from io import BytesIO

from davbridge.errors import TruncatedError
from davbridge.store.base import Attributes, Condition, ObjectRow
from davbridge.store.limits import require_size
from davbridge.store.s3_answers import Bucket, content_headers
from davbridge.store.s3_commits import put
from davbridge.store.s3_multipart import PARTS_IN_FLIGHT, MultipartUpload, PartPool, part_size


class S3Writer:
    """An object on its way in."""

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
    ) -> None:
        self._bucket = bucket
        self._pool = pool
        self._key = key
        self._attributes = attributes
        self._condition = condition
        self._length = length
        self._limit = limit
        self._smallest_part = smallest_part
        self._upload: MultipartUpload | None = None
        self._part = BytesIO()
        self._parts_sent = 0
        self._written = 0
        self._is_open = True

    def write(self, data: bytes) -> None:
        self._require_open()
        require_size(self._written + len(data), self._limit)
        self._written += len(data)
        rest = memoryview(data)
        while rest:
            room = self._room()
            if room == 0:
                # Only now is it certain that the body doesn't fit the parts so far.
                self._send_part()
                continue
            self._part.write(rest[:room])
            rest = rest[room:]

    def commit(self) -> ObjectRow:
        self._require_open()
        try:
            row = self._commit()
        except BaseException:
            self.abort()
            raise
        self._is_open = False
        return row

    def abort(self) -> None:
        if not self._is_open:
            return
        self._is_open = False
        self._part = BytesIO()
        if self._upload:
            self._upload.abort()

    def _commit(self) -> ObjectRow:
        if self._length is not None and self._written != self._length:
            raise TruncatedError(
                f"{self._key!r}: {self._written} bytes came where {self._length} were announced"
            )
        if self._upload is None:
            return put(self._bucket, self._key, self._part, self._attributes, self._condition)
        self._send_part()
        return self._upload.complete(self._written, self._condition)

    def _room(self) -> int:
        size = part_size(self._parts_sent, self._length, self._smallest_part)
        return size - self._part.tell()

    def _send_part(self) -> None:
        if self._upload is None:
            self._upload = MultipartUpload.create(
                self._bucket, self._pool, self._key, content_headers(self._attributes)
            )
        body, self._part = self._part, BytesIO()
        self._parts_sent += 1

        def send(upload_id: str, number: int) -> str:
            body.seek(0)
            answer = self._bucket.client.upload_part(
                Bucket=self._bucket.name,
                Key=self._key,
                UploadId=upload_id,
                PartNumber=number,
                Body=body,
            )
            return answer["ETag"]

        self._upload.add(send, in_flight=PARTS_IN_FLIGHT)

    def _require_open(self) -> None:
        if not self._is_open:
            raise ValueError("the writer is committed or aborted")
