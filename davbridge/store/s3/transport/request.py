"""A request to the store before it is signed, and its response."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from davbridge.store.buffers.request_body import RequestBody
from davbridge.store.s3.transport.connections import MAX_JOINED_BODY

_NOTHING: Mapping[str, str] = MappingProxyType({})

_EXPIRING = frozenset({"DeleteObject", "DeleteObjects", "CopyObject", "CompleteMultipartUpload"})


class S3Request(NamedTuple):
    """One of S3's operations. Names of headers are in lower case."""

    operation: str
    """As AWS calls it."""
    method: str
    key: str | None
    headers: Mapping[str, str] = _NOTHING
    query: Mapping[str, str] = _NOTHING
    body: RequestBody = b""
    read_timeout: float | None = None
    """Seconds, where the client's own don't do."""
    has_xml_response: bool = False
    """So that a 200 is a failure too, if it is empty or has an error."""
    is_repeatable: bool = True
    """Whether it may be sent again though the store may have acted on it, with no look before."""
    age: float = 0.0
    """Seconds that its signature pretends to be old: to see what the store says of one that is."""

    @property
    def is_write(self) -> bool:
        return self.method not in ("GET", "HEAD")

    @property
    def must_expire(self) -> bool:
        """Whether it could do harm when it arrives late. The parts of an upload can't, for they are
        nothing until they are completed; nor is a longer body complete unless all of it is there,
        which its sender sees to."""
        if self.operation in _EXPIRING:
            return True
        return self.operation == "PutObject" and len(self.body) <= MAX_JOINED_BODY


class S3Response(NamedTuple):
    """A 2xx, with all of its body."""

    headers: Mapping[str, str]
    content: bytes
