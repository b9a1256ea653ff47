"""The metadata that clients send of a file: its content type, modification time and checksum.

They come as headers of a PUT, X-OC-Mtime and OC-Checksum (ownCloud, Nextcloud, rclone, GNOME), or
as properties: Win32LastModifiedTime (Windows), lastmodified of DAV: (rclone). In a header, a value
that can't be understood is ignored: no client expects an upload to fail for it. So is a time before
1970 or after 2107, which not every client could read back. As a property, it is refused.
"""

import hashlib
import math
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple, Protocol
from xml.etree.ElementTree import fromstring

from davbridge.dav.headers.content_type import DEFAULT_TYPE, guess_type
from davbridge.dav.headers.validators import parse_date
from davbridge.store.base import DIRECTORY_TYPES, Attributes
from davbridge.tree.properties.client_metadata import ClientMetadata
from davbridge.tree.resource import is_bearable

WIN32 = "urn:schemas-microsoft-com:"

TIME_PROPERTIES = (f"{{{WIN32}}}Win32LastModifiedTime", "{DAV:}lastmodified")
"""Dead properties that set the modification time as well."""

_MEANINGLESS_TYPES = {
    "",
    DEFAULT_TYPE,
    "application/x-www-form-urlencoded",
    *DIRECTORY_TYPES,
}
"""Types that clients send of any file (curl, for one), and those that would make the object a
directory to every tool that knows the convention."""

MAX_TYPE = 255
"""Characters of a type with its parameters: with a longer one some stores refuse the object, and
some clients the answer that has it."""


def parse_mtime(text: str | None) -> datetime | None:
    """Seconds since the epoch, as X-OC-Mtime has them."""
    try:
        seconds = float(text or "")
        moment = datetime.fromtimestamp(seconds, UTC) if math.isfinite(seconds) else None
    except (ValueError, OverflowError, OSError):
        return None
    return moment if moment and is_bearable(moment) else None


def parse_time_property(text: str | None) -> datetime | None:
    """Windows writes an HTTP date, rclone seconds since the epoch."""
    date = parse_date(text or "")
    return date if date and is_bearable(date) else parse_mtime(text)


def modification_time_set_by(changes: Mapping[str, str | None]) -> datetime | None:
    """The modification time that a PROPPATCH sets, if it sets one."""
    for name in TIME_PROPERTIES:
        element = changes.get(name)
        if element is not None:
            return parse_time_property(fromstring(element).text)
    return None


def lacks_its_time(name: str, element: str) -> bool:
    """Whether a property that sets the modification time has none that clients can bear."""
    return name in TIME_PROPERTIES and parse_time_property(fromstring(element).text) is None


class UploadHeaders(NamedTuple):
    """The headers of a PUT that describe its body. None: not sent."""

    content_type: str = ""
    mtime: str | None = None
    """X-OC-Mtime."""
    checksum: str | None = None
    """OC-Checksum."""

    def attributes(self, name: str) -> Attributes:
        """What is stored with a file of this name: the client's content type if it is specific,
        else the name's; and its X-OC-Mtime."""
        sent = self.content_type.strip()
        kind = sent.partition(";")[0].strip().lower()
        is_usable = sent.isascii() and sent.isprintable() and len(sent) <= MAX_TYPE
        if kind in _MEANINGLESS_TYPES or not is_usable:
            sent = guess_type(name)
        modified = parse_mtime(self.mtime)
        # Seconds, under the key that rclone, s3fs and Cyberduck read and write.
        return Attributes(sent, {"mtime": f"{modified.timestamp():.6f}"} if modified else {})

    def announced_checksum(self) -> "Checksum | None":
        """The checksum to compare the body's with; None for an algorithm that isn't known."""
        return Checksum.announced(self.checksum)

    def client_metadata(self, checksum: "Checksum | None") -> ClientMetadata | None:
        """The time and the checksum that the client sent, if any. The ETag isn't known yet."""
        modified = parse_mtime(self.mtime)
        return ClientMetadata("", modified, str(checksum or "")) if modified or checksum else None


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def hexdigest(self) -> str: ...


class _Adler32:
    """hashlib's interface for zlib's checksum."""

    def __init__(self) -> None:
        self._value = 1

    def update(self, data: bytes, /) -> None:
        self._value = zlib.adler32(data, self._value)

    def hexdigest(self) -> str:
        return f"{self._value:08x}"


class Checksum:
    """A checksum that the client announced, and that of the body so far."""

    def __init__(self, algorithm: str, expected: str, state: _Hash) -> None:
        self._algorithm = algorithm
        self._expected = expected
        self._state = state

    @classmethod
    def announced(cls, header: str | None) -> "Checksum | None":
        """Of an OC-Checksum header, ``SHA1:…``; None for an algorithm that isn't known."""
        algorithm, _, expected = (header or "").strip().partition(":")
        state = _state_of(algorithm.upper())
        return cls(algorithm.upper(), expected.strip().lower(), state) if state else None

    def update(self, data: bytes) -> None:
        self._state.update(data)

    def holds(self) -> bool:
        return self._state.hexdigest() == self._expected

    def __str__(self) -> str:
        return f"{self._algorithm}:{self._expected}"


def _state_of(algorithm: str) -> _Hash | None:
    match algorithm:
        case "MD5":
            return hashlib.md5(usedforsecurity=False)
        case "SHA1":
            return hashlib.sha1(usedforsecurity=False)
        case "SHA256":
            return hashlib.sha256()
        case "ADLER32":
            return _Adler32()
    return None
