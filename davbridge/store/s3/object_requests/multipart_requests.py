"""The requests of a multipart upload, and the content of their responses.

davbridge recognises its own uploads by a mark. A listing of uploads doesn't show whose they are.
But a part that CompleteMultipartUpload doesn't name is discarded. Each upload of davbridge's has
such a part: MARK, under the highest part number.

Invariant: a response without a field that it must have raises ResponseParserError.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from xml.sax.saxutils import escape

from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from davbridge.store.base import Condition, ObjectRow
from davbridge.store.buffers.outgoing_body import OutgoingBody
from davbridge.store.s3.bucket.bucket import Bucket, copied_from, headers_without_body
from davbridge.store.s3.messages.checksums import CRC32
from davbridge.store.s3.messages.errors import NO_SUCH_UPLOAD, code_of
from davbridge.store.s3.messages.headers import etag_in, headers_of, parse_etag, quoted
from davbridge.store.s3.messages.listing_page import PaginationGuard
from davbridge.store.s3.messages.xml import Element, name_of, parse_time, parsed, required, texts_of
from davbridge.store.s3.transport.transport import LONG_WORK_TIMEOUT, S3Request

MARK = b"davbridge"

MARK_NUMBER = 10_000

MOST_PARTS = MARK_NUMBER - 1
"""Parts of a body: S3 allows 10,000, and one of them is the mark."""

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


class Part(NamedTuple):
    """As CompleteMultipartUpload names it."""

    etag: str
    checksum: str = ""
    """CRC32. If it was sent with the part, AWS requires it again."""


class OpenUpload(NamedTuple):
    """An upload that was neither completed nor aborted."""

    key: str
    upload_id: str
    begun: datetime


class StoredPart(NamedTuple):
    """A part that the store has."""

    number: int
    size: int
    modified: datetime


def create(bucket: Bucket, key: str, headers: Mapping[str, str]) -> str:
    """Begins an upload, and returns its id. Raises one of ERRORS, like all functions here."""
    request = S3Request("CreateMultipartUpload", "POST", key, headers, {"uploads": ""})
    request = request._replace(has_xml_response=True)
    return required(parsed(bucket.transport.send(request).content), "UploadId")


def send_part(bucket: Bucket, key: str, upload_id: str, number: int, body: OutgoingBody) -> Part:
    headers = bucket.checksum_headers(body)
    request = S3Request("UploadPart", "PUT", key, headers, _part(upload_id, number), body)
    response_headers = headers_without_body(bucket.transport.send(request))
    return Part(etag_in(response_headers), headers.get(CRC32, ""))


def copy_part(
    bucket: Bucket,
    source: ObjectRow,
    target: str,
    upload_id: str,
    number: int,
    span: tuple[int, int] | None = None,
) -> Part:
    """A part that the store copies from ``source``: the bytes of ``span``, or all."""
    headers = copied_from(bucket, source)
    if span is not None:
        headers["x-amz-copy-source-range"] = f"bytes={span[0]}-{span[1] - 1}"
    request = S3Request(
        "UploadPartCopy",
        "PUT",
        target,
        headers,
        _part(upload_id, number),
        read_timeout=LONG_WORK_TIMEOUT,
        has_xml_response=True,
    )
    return Part(parse_etag(required(parsed(bucket.transport.send(request).content), "ETag")))


def complete(
    bucket: Bucket, key: str, upload_id: str, parts: Sequence[Part], condition: Condition
) -> tuple[str, Mapping[str, str]]:
    """Completes the upload. Returns the object's ETag, and the response's headers."""
    body = "".join([_named(number, part) for number, part in enumerate(parts, 1)])
    request = S3Request(
        "CompleteMultipartUpload",
        "POST",
        key,
        {"content-type": "application/xml", **headers_of(condition)},
        {"uploadId": upload_id},
        f'<CompleteMultipartUpload xmlns="{NAMESPACE}">{body}</CompleteMultipartUpload>'.encode(),
        read_timeout=LONG_WORK_TIMEOUT,
        has_xml_response=True,
    )
    answer = bucket.transport.send(request)
    return parse_etag(required(parsed(answer.content), "ETag")), answer.headers


def abort(bucket: Bucket, key: str, upload_id: str) -> None:
    """An upload that is gone is aborted already."""
    request = S3Request("AbortMultipartUpload", "DELETE", key, query={"uploadId": upload_id})
    try:
        bucket.transport.send(request)
    except ClientError as error:
        if code_of(error) != NO_SUCH_UPLOAD:
            raise


def open_uploads(bucket: Bucket, prefix: str) -> Iterator[OpenUpload]:
    """The uploads of all programs. The request doesn't ask for encoded keys: SeaweedFS 4.48 would
    declare them encoded, and send them plain."""
    query = {"uploads": "", "prefix": prefix, "max-uploads": "1000"}
    guard = PaginationGuard()
    while True:
        root = _parsed_response(bucket, S3Request("ListMultipartUploads", "GET", None, query=query))
        head, shown = texts_of(root), ""
        for entry in _entries(root, "Upload"):
            key = required(entry, "Key")
            if not key.startswith(prefix):
                raise ResponseParserError(f"an upload that wasn't asked for: {key[:80]!r}")
            begun = parse_time(required(entry, "Initiated"))
            shown = required(entry, "UploadId")
            yield OpenUpload(key, shown, begun)
        if head.get("IsTruncated") != "true":
            return
        query["key-marker"] = head.get("NextKeyMarker", "")
        query["upload-id-marker"] = head.get("NextUploadIdMarker", "")
        guard.require((query["key-marker"], query["upload-id-marker"]), shown=shown)


def parts_of(bucket: Bucket, upload: OpenUpload) -> Iterator[StoredPart]:
    query = {"uploadId": upload.upload_id}
    guard = PaginationGuard()
    while True:
        root, number = (
            _parsed_response(bucket, S3Request("ListParts", "GET", upload.key, query=query)),
            0,
        )
        for entry in _entries(root, "Part"):
            number = _number(required(entry, "PartNumber"))
            yield StoredPart(
                number,
                _number(required(entry, "Size")),
                parse_time(required(entry, "LastModified")),
            )
        head = texts_of(root)
        if head.get("IsTruncated") != "true":
            return
        query["part-number-marker"] = head.get("NextPartNumberMarker", "")
        guard.require(query["part-number-marker"], shown=number)


def _part(upload_id: str, number: int) -> dict[str, str]:
    return {"partNumber": str(number), "uploadId": upload_id}


def _named(number: int, part: Part) -> str:
    checksum = f"<ChecksumCRC32>{part.checksum}</ChecksumCRC32>" if part.checksum else ""
    return (
        f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(quoted(part.etag))}</ETag>"
        f"{checksum}</Part>"
    )


def _parsed_response(bucket: Bucket, request: S3Request) -> Element:
    """The root of the response. Raises ResponseParserError unless it is named after the
    operation."""
    root = parsed(bucket.transport.send(request._replace(has_xml_response=True)).content)
    if not name_of(root).startswith(request.operation):
        raise ResponseParserError(f"no answer to {request.operation}: {name_of(root)[:80]}")
    return root


def _entries(root: Element, name: str) -> Iterator[Element]:
    return (child for child in root if name_of(child) == name)


def _number(text: str) -> int:
    if not text.isdecimal() or len(text) > 20:
        raise ResponseParserError(f"the answer has no number: {text[:80]!r}")
    return int(text)
