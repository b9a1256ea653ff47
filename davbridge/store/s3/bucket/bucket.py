"""A bucket, and the requests and headers that several modules share."""

from typing import NamedTuple
from urllib.parse import quote

from botocore.parsers import ResponseParserError

from davbridge.clock import Clock
from davbridge.config import CopiedAttribute
from davbridge.store.base import Condition, ObjectInfo, ObjectRow
from davbridge.store.buffers.outgoing_body import OutgoingBody
from davbridge.store.s3.bucket.capabilities import ALL, Capabilities
from davbridge.store.s3.bucket.features import MODERN, Features
from davbridge.store.s3.bucket.new_objects import LEFT_TO_THE_BUCKET, NewObjects
from davbridge.store.s3.bucket.plain_objects import PlainObjects
from davbridge.store.s3.messages.checksums import checksum_headers, content_md5
from davbridge.store.s3.messages.errors import translated
from davbridge.store.s3.messages.headers import Headers, headers_of, info_of, quoted, size_of
from davbridge.store.s3.transport.transport import S3Request, S3Response, Transport


class Bucket(NamedTuple):
    """A bucket, the transport to it, and the capabilities of its store."""

    transport: Transport
    name: str
    clock: Clock
    can: Capabilities = ALL
    new: NewObjects = LEFT_TO_THE_BUCKET
    features: Features = MODERN
    copy_without: frozenset[CopiedAttribute] = frozenset()
    plain: PlainObjects | None = None
    """The objects that were written as ``new`` says. None: nothing is recorded."""

    def copies(self, attribute: CopiedAttribute) -> bool:
        """Whether copies keep this of what their sources have."""
        return attribute not in self.copy_without

    def record_plain(self, row: ObjectRow) -> None:
        if self.plain is not None:
            self.plain.add(row)

    @property
    def sends_checksums(self) -> bool:
        is_demanded = not (self.can.plain_writes or self.can.content_md5)
        return is_demanded or (self.can.checksums and self.transport.sends_checksums)

    @property
    def checks_checksums(self) -> bool:
        return self.can.checksums and self.transport.checks_checksums

    def checksum_headers(self, body: OutgoingBody) -> dict[str, str]:
        """The headers for a request with this body: what the store keeps, or demands."""
        if self.sends_checksums:
            return checksum_headers(body)
        return {} if self.can.plain_writes else {"content-md5": content_md5(body)}


def head_request(key: str, if_match: str | None = None) -> S3Request:
    return S3Request("HeadObject", "HEAD", key, headers_of(Condition(if_match=if_match)))


def head_object(bucket: Bucket, key: str) -> ObjectInfo:
    """The object as a HEAD shows it. Raises StoreError."""
    with translated(key):
        headers = bucket.transport.send(head_request(key)).headers
    return info_of(key, size_of(key, headers), headers)


def sub_resource(operation: str, key: str | None, name: str) -> S3Request:
    """A GET of what is beside an object, or of what the bucket is set to."""
    return S3Request(operation, "GET", key, query={name: ""}, has_xml_response=True)


def copied_from(bucket: Bucket, source: ObjectRow) -> dict[str, str]:
    """The headers that name the source of a copy, and its version if the store checks that."""
    headers = {"x-amz-copy-source": quote(f"{bucket.name}/{source.key}", safe="/~")}
    if bucket.can.pinned_copy:
        headers["x-amz-copy-source-if-match"] = quoted(source.etag)
    return headers


def headers_without_body(answer: S3Response) -> Headers:
    """The headers of the response to a write. Raises ResponseParserError if it has a body: then it
    comes from something else (a proxy, a network's login page), and nothing was stored."""
    if answer.content.strip():
        raise ResponseParserError("what was said isn't said of an object")
    return answer.headers
