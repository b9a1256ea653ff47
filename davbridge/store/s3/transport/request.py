"""A request to the store before it is signed, and its response."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from davbridge.store.buffers.outgoing_body import OutgoingBody
from davbridge.store.s3.transport.connections import MAX_JOINED_BODY

_NOTHING: Mapping[str, str] = MappingProxyType({})

_EXPIRING = frozenset({"DeleteObject", "DeleteObjects", "CopyObject", "CompleteMultipartUpload"})


class S3Request(NamedTuple):
    """One of S3's operations. Names of headers are in lower case."""

    operation: str
    """The operation's name in AWS' API."""
    method: str
    key: str | None
    headers: Mapping[str, str] = _NOTHING
    query: Mapping[str, str] = _NOTHING
    body: OutgoingBody = b""
    read_timeout: float | None = None
    """Seconds, if the client's own time limit is too short."""
    has_xml_response: bool = False
    """Then a 200 counts as a failure if it is empty or has an error."""
    is_repeatable: bool = True
    """Whether it may be sent again without a check, although the store may have carried it out."""
    age: float = 0.0
    """Seconds by which its signature is dated back, to test how the store answers an old one."""

    @property
    def is_write(self) -> bool:
        return self.method not in ("GET", "HEAD")

    @property
    def must_expire(self) -> bool:
        """Whether it could do harm if it arrived late. The parts of an upload can't: they have no
        effect until the upload is completed. Nor can a longer body: it has no effect until its
        sender has sent all of it."""
        if self.operation in _EXPIRING:
            return True
        return self.operation == "PutObject" and len(self.body) <= MAX_JOINED_BODY


class S3Response(NamedTuple):
    """A 2xx response, with its whole body."""

    headers: Mapping[str, str]
    content: bytes
