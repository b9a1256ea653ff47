"""Copies inside the store, whatever the size.

Owns CopyObject, and the multipart copy of what is over CopyObject's limit. The bytes never come
here. Must not know why something is copied.

Invariant: the copy is of the version that the source row names, where the store can check it: each
request is pinned to its ETag.
"""

from typing import cast
from urllib.parse import quote

from davbridge.errors import NotFoundError
from davbridge.store.base import Attributes, Condition, ObjectRow
from davbridge.store.s3.answers import (
    Bucket,
    ContentHeaders,
    Headers,
    attribute_headers,
    attributes_of,
    content_headers,
    etag_of,
    head_request,
    headers_of,
    quoted,
)
from davbridge.store.s3.commits import put
from davbridge.store.s3.errors import translated
from davbridge.store.s3.multipart import MIB, MultipartUpload, PartPool, SendPart, part_size
from davbridge.store.s3.wire import LONG_WORK_TIMEOUT, Request
from davbridge.store.s3.xml import parse_time, parsed, texts_of

COPY_LIMIT = 5 * 1024 * MIB
"""The largest object that one CopyObject takes, on every store that keeps to AWS."""

COPY_PART_SIZE = 128 * MIB

CARRIED_HEADERS = {
    "cache-control": "CacheControl",
    "content-disposition": "ContentDisposition",
    "content-encoding": "ContentEncoding",
    "content-language": "ContentLanguage",
}

COPY_PARTS_IN_FLIGHT = 8


def copy_whole(
    bucket: Bucket,
    source: ObjectRow,
    target: str,
    attributes: Attributes | None,
    condition: Condition,
) -> ObjectRow:
    """One CopyObject."""
    headers = {
        "x-amz-copy-source": quote(f"{bucket.name}/{source.key}", safe="/~"),
        "x-amz-copy-source-if-match": quoted(source.etag),
        **headers_of(condition),
    }
    if attributes is not None:
        headers |= {"x-amz-metadata-directive": "REPLACE", **attribute_headers(attributes)}
    request = Request(
        "CopyObject",
        "PUT",
        target,
        headers,
        read_timeout=LONG_WORK_TIMEOUT,
        is_told_in_xml=True,
    )
    with translated(source.key):
        result = texts_of(parsed(bucket.wire.send(request).content))
        modified = parse_time(result.get("LastModified", ""))
    return ObjectRow(target, source.size, modified, etag_of(result.get("ETag", "")))


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
        return put(bucket, target, b"", attributes or present, condition)


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


def _pinned_head(bucket: Bucket, source: ObjectRow) -> Headers:
    with translated(source.key):
        return bucket.wire.send(head_request(source.key, source.etag)).headers


def _headers_of(bucket: Bucket, source: ObjectRow) -> ContentHeaders:
    """What CopyObject carries over by itself, and a multipart copy does not."""
    headers = _pinned_head(bucket, source)
    carried = {name: headers[field] for field, name in CARRIED_HEADERS.items() if field in headers}
    return cast(ContentHeaders, {**carried, **content_headers(attributes_of(headers))})


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
