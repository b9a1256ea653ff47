"""GET and HEAD (RFC 9110 §9.3.1, §9.3.2), with ranges and conditions.

Invariants: a body is one version of the object, the one that the headers describe. It is read from
the store as the client takes it. A body that can't be completed breaks the connection.
"""

import uuid
from collections.abc import Iterator

from davbridge.dav.conditional_requests import range_applies
from davbridge.dav.context import Context
from davbridge.dav.headers.content_type import (
    SAME_SITE,
    SANDBOX,
    browser_policies,
    guess_type,
    shown_type,
)
from davbridge.dav.headers.ranges import ByteRange, parse_range, read_together
from davbridge.dav.headers.validators import entity_tag, http_date
from davbridge.dav.resources.collection import Collection
from davbridge.dav.resources.file import File
from davbridge.dav.response import Headers, Response, complete, empty, streamed
from davbridge.errors import NotFoundError, PreconditionFailedError, UnavailableError
from davbridge.store.base import ObjectInfo, ObjectReader
from davbridge.tree.resource import Resource

BLOCK_SIZE = 256 * 1024
"""Bytes that are read from the store, and sent to the client, at a time. Larger blocks take more
memory for each client, and aren't faster."""

_COLLECTION_TEXT = b"This is a WebDAV collection: open it with a WebDAV client.\n"


def get(context: Context) -> Response:
    """The object, a range of it, several, or 304; for a collection a line of text."""
    try:
        return _shown(context)
    except (PreconditionFailedError, NotFoundError):
        # The listing was older than the object. The failed read has invalidated the cache.
        return _shown_anew(context)


def _shown_anew(context: Context) -> Response:
    """What is there now, if the conditions hold for that as well."""
    context.invalidate_resource()
    try:
        return _shown(context)
    except PreconditionFailedError as error:
        raise UnavailableError("the file is being changed too fast to be read") from error


def _shown(context: Context) -> Response:
    context.require()
    not_modified = context.check_conditions()
    found = context.require()
    if isinstance(found, Collection):
        return _collection()
    return empty(304, _validators(found.resource)) if not_modified else _object(context, found)


def _collection() -> Response:
    return complete(200, "text/plain; charset=utf-8", _COLLECTION_TEXT)


def _object(context: Context, file: File) -> Response:
    request, resource = context.request, file.resource
    if request.method == "HEAD":
        return Response(200, _entity_headers(resource, file.head(), resource.size))
    ranges: list[ByteRange] = []
    if range_applies(request, resource):
        ranges = parse_range(request.header("RANGE"), resource.size)
    if len(ranges) > 1:
        return _several(file, ranges)
    part = ranges[0] if ranges else ByteRange(0, resource.size)
    reader = file.open_range(part)
    headers = _entity_headers(resource, reader.info, part.length)
    if not ranges:
        return Response(200, headers, ObjectBody(reader))
    headers.append(("Content-Range", part.content_range(resource.size)))
    return Response(206, headers, ObjectBody(reader))


def _several(file: File, ranges: list[ByteRange]) -> Response:
    """multipart/byteranges (RFC 9110 §15.3.7.2)."""
    body = RangesBody(file, ranges)
    headers = [
        ("Content-Type", f"multipart/byteranges; boundary={body.boundary}"),
        ("Content-Length", str(body.length)),
        SANDBOX,
        SAME_SITE,
        *_validators(file.resource),
    ]
    return Response(206, headers, body)


class ObjectBody:
    """A reader as the body of a response. The first block is read at once: if that fails, the
    answer still has an error status. `close` closes the reader even before the first iteration,
    where a generator's ``finally`` would not run."""

    def __init__(self, reader: ObjectReader) -> None:
        self._reader = reader
        try:
            self._first = reader.read(BLOCK_SIZE)
        except BaseException:
            reader.close()
            raise

    def __iter__(self) -> Iterator[bytes]:
        return streamed(self._blocks())

    def close(self) -> None:
        self._reader.close()

    def _blocks(self) -> Iterator[bytes]:
        block, self._first = self._first, b""
        while block:
            yield block
            block = self._reader.read(BLOCK_SIZE)


class RangesBody:
    """Several ranges as the body of a response. Those that lie close together are read from the
    store by one request. The first are opened at once, as an `ObjectBody` reads its first block."""

    def __init__(self, file: File, ranges: list[ByteRange]) -> None:
        self.boundary = uuid.uuid4().hex
        self._file = file
        self._groups = read_together(ranges)
        parts = sum(len(self._head(part)) + part.length for part in ranges)
        self.length = parts + len(self._tail)
        self._object = self._open(self._groups[0])

    def __iter__(self) -> Iterator[bytes]:
        return streamed(self._blocks())

    def close(self) -> None:
        self._object.close()

    @property
    def _tail(self) -> bytes:
        return f"\r\n--{self.boundary}--\r\n".encode()

    def _head(self, part: ByteRange) -> bytes:
        resource = self._file.resource
        return (
            f"\r\n--{self.boundary}\r\nContent-Type: {guess_type(resource.name)}\r\n"
            f"Content-Range: {part.content_range(resource.size)}\r\n\r\n"
        ).encode()

    def _open(self, group: list[ByteRange]) -> ObjectBody:
        return ObjectBody(self._file.open_range(ByteRange(group[0].start, group[-1].end)))

    def _blocks(self) -> Iterator[bytes]:
        for number, group in enumerate(self._groups):
            if number > 0:
                self._object = self._open(group)
            yield from self._parts(group)
            self._object.close()
        yield self._tail

    def _parts(self, group: list[ByteRange]) -> Iterator[bytes]:
        blocks = iter(self._object)
        block, end = b"", group[0].start
        for part in group:
            yield self._head(part)
            at = part.start
            while at < part.end:
                while end <= at:
                    block = next(blocks)
                    end += len(block)
                start = end - len(block)
                piece = block[at - start : part.end - start]
                at += len(piece)
                yield piece


def _validators(resource: Resource) -> Headers:
    checksums = (
        [("OC-Checksum", resource.client_metadata.checksums)]
        if resource.client_metadata and resource.client_metadata.checksums
        else []
    )
    return [
        *checksums,
        ("ETag", entity_tag(resource)),
        ("Last-Modified", http_date(resource.modified)),
        ("Accept-Ranges", "bytes"),
    ]


def _entity_headers(resource: Resource, info: ObjectInfo, length: int) -> Headers:
    stored = info.attributes.content_type
    kind = shown_type(stored, resource.name)
    return [
        ("Content-Type", kind),
        ("Content-Length", str(length)),
        *browser_policies(kind),
        *_validators(resource),
    ]
