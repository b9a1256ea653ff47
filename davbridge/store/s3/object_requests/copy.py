"""Copies of any size: CopyObject, or a multipart copy of an object over its limit. The bytes pass
through davbridge only if the store has no UploadPartCopy.

Invariant: the copy is of the version that the source row names, where the store can check it: each
request is pinned to its ETag.
"""

from datetime import datetime
from typing import NamedTuple

from botocore.exceptions import ClientError

from davbridge.config import MIB
from davbridge.errors import AccessDeniedError, NotFoundError, UnavailableError
from davbridge.paths import DELIMITER
from davbridge.store.base import NO_TIME, Attributes, Condition, ObjectRow
from davbridge.store.limits import require_size
from davbridge.store.s3.bucket.bucket import Bucket, copied_from
from davbridge.store.s3.bucket.new_objects import ENCRYPTION, STORAGE_CLASS
from davbridge.store.s3.messages.errors import ERRORS, code_of
from davbridge.store.s3.messages.headers import (
    attribute_headers,
    attributes_of,
    headers_of,
    info_of,
    parse_etag,
    size_of,
    storage_class_in,
)
from davbridge.store.s3.messages.xml import parsed, required, texts_of, time_or_none
from davbridge.store.s3.object_requests import multipart_requests
from davbridge.store.s3.object_requests.conditional_writes import (
    as_shown,
    current_headers,
    emulated_condition,
    may_have_been_done,
    new_transaction,
    put,
    refusal,
    row_of_transaction,
    store_second,
)
from davbridge.store.s3.object_requests.copied_attributes import (
    headers_of_copy,
    headers_of_replacement,
    headers_of_upload,
    headers_without_metadata,
    is_plain,
    naming_rights,
    pinned_head,
)
from davbridge.store.s3.object_requests.multipart import MultipartUpload, PartPool, SendPart
from davbridge.store.s3.object_requests.multipart_requests import MOST_PARTS, Part
from davbridge.store.s3.object_requests.reader import S3Reader
from davbridge.store.s3.object_requests.writer import S3Writer
from davbridge.store.s3.transport.transport import LONG_WORK_TIMEOUT, S3Request, S3Response

COPY_LIMIT = 5 * 1024 * MIB
"""The largest object that one CopyObject takes, on every store that follows AWS."""

COPY_PART_SIZE = 128 * MIB

COPY_PARTS_IN_FLIGHT = 8


COPY_BLOCK = 1024**2
"""Bytes that are read and written at a time if they pass through davbridge."""


class CopyLimits(NamedTuple):
    """Sizes in bytes."""

    largest_copy: int
    """Of one CopyObject."""
    part_of_copy: int
    largest_object: int
    smallest_part: int
    """Of the parts of a copy through davbridge."""


def copy_object(
    bucket: Bucket,
    pool: PartPool,
    source: ObjectRow,
    target: str,
    attributes: Attributes | None,
    condition: Condition,
    limits: CopyLimits,
) -> ObjectRow:
    """Copies by the requests that fit this object and this store."""
    if source.size == 0 and source.key.endswith(DELIMITER):
        return _copy_marker(bucket, source, target, attributes, condition)
    if source.size <= limits.largest_copy:
        with pool.full_store:
            return _copy_whole(bucket, source, target, attributes, condition)
    if not bucket.can.part_copy:
        return _copy_through_davbridge(bucket, pool, source, target, attributes, condition, limits)
    return _copy_in_parts(bucket, pool, source, target, attributes, condition, limits.part_of_copy)


def _copy_whole(
    bucket: Bucket,
    source: ObjectRow,
    target: str,
    attributes: Attributes | None,
    condition: Condition,
) -> ObjectRow:
    """One CopyObject."""
    has_look = attributes is None and not is_plain(bucket, source)
    if attributes is None:
        kept = headers_of_copy(bucket, source, target)
    else:
        kept = headers_of_replacement(bucket, source, target)
    condition = emulated_condition(bucket, target, condition, by_store=bucket.can.conditional_copy)
    transaction = new_transaction() if attributes is not None else ""
    headers = copied_from(bucket, source) | headers_of(condition)
    headers |= kept
    if attributes is not None:
        replaced = attribute_headers(attributes, transaction)
        headers |= {"x-amz-metadata-directive": "REPLACE", **replaced}
    request = S3Request(
        "CopyObject",
        "PUT",
        target,
        headers,
        read_timeout=LONG_WORK_TIMEOUT,
        has_xml_response=True,
    )
    since = store_second(bucket)
    try:
        result = parsed(_send(bucket, request).content)
        modified = time_or_none(texts_of(result).get("LastModified")) or NO_TIME
        etag = parse_etag(required(result, "ETag"))
        row = ObjectRow(target, source.size, modified, etag, storage_class_in(headers))
        row = as_shown(bucket, row, transaction)
        if not has_look:
            bucket.record_plain(row)
        return row
    except ERRORS as error:
        made = (
            _made(bucket, source, target, transaction, since) if may_have_been_done(error) else None
        )
        if made:
            return made
        raise naming_rights(refusal(error, source.key), headers) from error


def _send(bucket: Bucket, request: S3Request) -> S3Response:
    """Sends it, and once more without the storage class if the store doesn't take that: it lists
    classes that only its operators can give (MinIO, for what it has moved to another tier)."""
    try:
        return bucket.transport.send(request)
    except ClientError as error:
        if code_of(error) != "InvalidStorageClass" or STORAGE_CLASS not in request.headers:
            raise
    headers = {name: value for name, value in request.headers.items() if name != STORAGE_CLASS}
    return bucket.transport.send(request._replace(headers=headers))


def _made(
    bucket: Bucket, source: ObjectRow, target: str, transaction: str, since: datetime
) -> ObjectRow | None:
    """The copy, if it was made although the response was lost.

    A copy with its source's metadata can't have a transaction id. It is recognised by size, ETag
    and time. The time isn't before ``since``, a second that began before the request was sent: so
    equal bytes that were there before don't count. At worst it is another client's copy of the same
    bytes, made meanwhile. The copy of an object that was uploaded in parts, or is encrypted with
    KMS, may have another ETag; then the outcome isn't known. Raises UnavailableError.
    """
    if transaction:
        return row_of_transaction(bucket, target, transaction)
    headers = current_headers(bucket, target)
    if headers is None:
        return None
    row = info_of(target, size_of(target, headers), headers).row
    if row.modified < since:
        return None
    if (row.size, row.etag) == (source.size, source.etag):
        return row
    is_kms = headers.get(ENCRYPTION, "").startswith("aws:kms")
    if row.size == source.size and ("-" in source.etag or is_kms):
        raise UnavailableError(f"{target!r}: whether the copy was made isn't known")
    return None


def _copy_marker(
    bucket: Bucket,
    source: ObjectRow,
    target: str,
    attributes: Attributes | None,
    condition: Condition,
) -> ObjectRow:
    """CopyObject, or a PutObject with the same attributes: SeaweedFS can't copy a folder."""
    try:
        return _copy_whole(bucket, source, target, attributes, condition)
    except NotFoundError:
        present = attributes_of(pinned_head(bucket, source))
        extra_headers = headers_of_replacement(bucket, source, target)
        return put(bucket, target, b"", attributes or present, condition, extra_headers)


def _copy_in_parts(
    bucket: Bucket,
    pool: PartPool,
    source: ObjectRow,
    target: str,
    attributes: Attributes | None,
    condition: Condition,
    smallest_part: int,
) -> ObjectRow:
    """A multipart upload whose parts the store copies from the source."""
    if attributes is None:
        headers = headers_of_upload(bucket, source, target)
    else:
        kept = headers_of_replacement(bucket, source, target)
        headers = attribute_headers(attributes) | kept
    try:
        upload = MultipartUpload.create(bucket, pool, target, headers)
    except AccessDeniedError as error:
        raise naming_rights(error, headers) from error
    try:
        size = max(smallest_part, -(-source.size // MOST_PARTS))
        for start in range(0, source.size, size):
            span = (start, min(start + size, source.size))
            upload.add(_part_copy(bucket, source, target, span), in_flight=COPY_PARTS_IN_FLIGHT)
        return upload.complete(source.size, condition)
    except BaseException:
        upload.abort()
        raise


def _copy_through_davbridge(
    bucket: Bucket,
    pool: PartPool,
    source: ObjectRow,
    target: str,
    attributes: Attributes | None,
    condition: Condition,
    limits: CopyLimits,
) -> ObjectRow:
    require_size(source.size, limits.largest_object)
    with S3Reader.open(bucket, source.key, 0, None, source.etag) as reader:
        head = pinned_head(bucket, source)
        kept = headers_without_metadata(bucket, source, target, head)
        writer = S3Writer(
            bucket._replace(plain=None),
            pool,
            target,
            attributes or reader.info.attributes,
            condition,
            length=source.size,
            limit=limits.largest_object,
            smallest_part=limits.smallest_part,
            extra_headers=kept,
        )
        try:
            while block := reader.read(COPY_BLOCK):
                writer.write(block)
            return writer.commit()
        except BaseException:
            writer.abort()
            raise


def _part_copy(bucket: Bucket, source: ObjectRow, target: str, span: tuple[int, int]) -> SendPart:
    def send(upload_id: str, number: int) -> Part:
        return multipart_requests.copy_part(bucket, source, target, upload_id, number, span)

    return send
