"""Checksums that AWS stores with objects: sent with each write, compared with the bytes of each
read. They aren't used with other stores: many fail on them.

Invariant: reading a whole object whose bytes don't match its checksum raises FlexibleChecksumError
instead of reporting the end.
"""

import base64
import hashlib
import zlib
from collections.abc import Callable, Mapping
from typing import Protocol

from botocore.exceptions import FlexibleChecksumError

from davbridge.store.buffers.outgoing_body import OutgoingBody, buffers_of

ASK = {"x-amz-checksum-mode": "ENABLED"}
"""The header that requests them in the response to a GET."""

CRC32 = "x-amz-checksum-crc32"

ALGORITHM = {"x-amz-checksum-algorithm": "CRC32"}
"""The header with which an upload is created, so that AWS takes parts with checksums."""


class Digest(Protocol):
    """The interface of hashlib's hashes."""

    def update(self, data: bytes, /) -> None: ...

    def digest(self) -> bytes: ...


class Crc32:
    """zlib's, as a Digest."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes | memoryview, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


_KINDS: dict[str, Callable[[], Digest]] = {
    CRC32: Crc32,
    "x-amz-checksum-sha256": hashlib.sha256,
    "x-amz-checksum-sha1": lambda: hashlib.sha1(usedforsecurity=False),
}


def checksum_headers(body: OutgoingBody) -> dict[str, str]:
    """The checksum headers of a PutObject."""
    digest = Crc32()
    for buffer in buffers_of(body):
        digest.update(buffer)
    return {CRC32: _text(digest), "x-amz-sdk-checksum-algorithm": "CRC32"}


def content_md5(body: OutgoingBody) -> str:
    """The value of a Content-MD5 header."""
    digest = hashlib.md5(usedforsecurity=False)
    for buffer in buffers_of(body):
        digest.update(buffer)
    return base64.b64encode(digest.digest()).decode()


class Body(Protocol):
    """The body of a response, as it arrives."""

    @property
    def headers(self) -> Mapping[str, str]: ...

    def read(self, size: int) -> bytes: ...

    def close(self) -> None: ...


class Checked:
    """The body of a response with a whole object, compared with the checksum in its headers."""

    def __init__(self, answer: Body) -> None:
        self._answer = answer
        self._expected = ""
        self._digest: Digest | None = None
        for name, kind in _KINDS.items():
            # One with a dash is of the checksums of parts, whose sizes aren't known here.
            if "-" not in answer.headers.get(name, "-"):
                self._expected, self._digest = answer.headers[name], kind()
                break

    def read(self, size: int) -> bytes:
        """As StreamedResponse's. Raises FlexibleChecksumError instead of returning the end."""
        data = self._answer.read(size)
        if self._digest:
            self._digest.update(data)
            if size and not data and _text(self._digest) != self._expected:
                raise FlexibleChecksumError(
                    error_msg=f"expected checksum {self._expected}, got {_text(self._digest)}"
                )
        return data

    def close(self) -> None:
        self._answer.close()


def _text(digest: Digest) -> str:
    return base64.b64encode(digest.digest()).decode()
