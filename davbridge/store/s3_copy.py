"""Copies inside the store, whatever the size.

Owns CopyObject, and the multipart copy of what is over CopyObject's limit. The bytes never come
here. Must not know why something is copied.

Invariant: the copy is of the version that the source row names, where the store can check it: each
request is pinned to its ETag.
"""

from io import BytesIO
from typing import TYPE_CHECKING, Literal, cast

from davbridge.errors import NotFoundError
from davbridge.store.base import Attributes, Condition, ObjectRow
from davbridge.store.s3_answers import (
    Bucket,
    ContentHeaders,
    attributes_of,
    content_headers,
    etag_of,
    headers_of,
    quoted,
    to_the_second,
)
from davbridge.store.s3_commits import put
from davbridge.store.s3_errors import translated
from davbridge.store.s3_multipart import MIB, MultipartUpload, PartPool, SendPart, part_size

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import HeadObjectOutputTypeDef

COPY_LIMIT = 5 * 1024 * MIB
"""The largest object that one CopyObject takes, on every store that keeps to AWS."""

COPY_PART_SIZE = 128 * MIB

CARRIED_HEADERS = ("CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage")

COPY_PARTS_IN_FLIGHT = 8


class _Replacement(ContentHeaders, total=False):
    MetadataDirective: Literal["REPLACE"]


def copy_whole(
    bucket: Bucket,
    source: ObjectRow,
    target: str,
    attributes: Attributes | None,
    condition: Condition,
) -> ObjectRow:
    """One CopyObject."""
    replacement: _Replacement = {}
    if attributes is not None:
        replacement = {"MetadataDirective": "REPLACE", **content_headers(attributes)}
    with translated(source.key):
        answer = bucket.client.copy_object(
            Bucket=bucket.name,
            Key=target,
            CopySource={"Bucket": bucket.name, "Key": source.key},
            CopySourceIfMatch=quoted(source.etag),
            **headers_of(condition),
            **replacement,
        )
    result = answer["CopyObjectResult"]
    modified = to_the_second(result["LastModified"])
    return ObjectRow(target, source.size, modified, etag_of(result["ETag"]))


def copy_marker(
    bucket: Bucket,
    source: ObjectRow,
    target: str,
    attributes: Attributes | None,
    condition: Condition,
) -> ObjectRow:
    """CopyObject, or else the same by hand: SeaweedFS finds no source that is a folder."""
    try:
        return copy_whole(bucket, source, target, attributes, condition)
    except NotFoundError:
        present = attributes_of(_pinned_head(bucket, source))
        return put(bucket, target, BytesIO(), attributes or present, condition)


def copy_in_parts(
    bucket: Bucket,
    pool: PartPool,
    source: ObjectRow,
    target: str,
    attributes: Attributes | None,
    condition: Condition,
    smallest_part: int,
) -> ObjectRow:
    """A multipart upload whose parts the store copies from the source."""
    headers = _headers_of(bucket, source) if attributes is None else content_headers(attributes)
    upload = MultipartUpload.create(bucket, pool, target, headers)
    try:
        size = part_size(0, source.size, smallest_part)
        for start in range(0, source.size, size):
            upload.add(
                _part_copy(bucket, source, target, start, min(start + size, source.size)),
                in_flight=COPY_PARTS_IN_FLIGHT,
            )
        return upload.complete(source.size, condition)
    except BaseException:
        upload.abort()
        raise


def _pinned_head(bucket: Bucket, source: ObjectRow) -> "HeadObjectOutputTypeDef":
    with translated(source.key):
        return bucket.client.head_object(
            Bucket=bucket.name, Key=source.key, IfMatch=quoted(source.etag)
        )


def _headers_of(bucket: Bucket, source: ObjectRow) -> ContentHeaders:
    """What CopyObject carries over by itself, and a multipart copy does not."""
    answer = _pinned_head(bucket, source)
    carried = {name: value for name, value in answer.items() if name in CARRIED_HEADERS}
    return cast(ContentHeaders, {**carried, **content_headers(attributes_of(answer))})


def _part_copy(bucket: Bucket, source: ObjectRow, target: str, start: int, end: int) -> SendPart:
    def send(upload_id: str, number: int) -> str:
        answer = bucket.client.upload_part_copy(
            Bucket=bucket.name,
            Key=target,
            UploadId=upload_id,
            PartNumber=number,
            CopySource={"Bucket": bucket.name, "Key": source.key},
            CopySourceIfMatch=quoted(source.etag),
            CopySourceRange=f"bytes={start}-{end - 1}",
        )
        return answer["CopyPartResult"]["ETag"]

    return send
