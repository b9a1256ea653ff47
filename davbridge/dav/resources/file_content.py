"""The bytes of a file: downloads and uploads.

Invariants: what is read is one version of the object. What is written is invisible until
`Upload.finish`, which refuses a body that is shorter than its Content-Length.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from wsgidav.dav_error import HTTP_SERVICE_UNAVAILABLE, DAVError

from davbridge.dav.errors import RETRY_AFTER_HEADER, RefusalError, as_refusals
from davbridge.dav.headers.ranges import ByteRange
from davbridge.dav.headers.upload_headers import UploadHeaders
from davbridge.errors import NotFoundError, PreconditionFailedError
from davbridge.store.base import ObjectInfo, ObjectReader
from davbridge.tree.resource import Resource
from davbridge.tree.writes.bounded_writer import FileWriter

OpenRange = Callable[[ByteRange], ObjectReader]


class OutdatedVersionError(DAVError):
    """The file is another version than was listed. The cache has been invalidated."""

    def __init__(self) -> None:
        super().__init__(
            HTTP_SERVICE_UNAVAILABLE, "the file is being changed", add_headers=[RETRY_AFTER_HEADER]
        )


@contextmanager
def of_this_version() -> Iterator[None]:
    """Raises OutdatedVersionError if the file has been replaced."""
    with as_refusals():
        try:
            yield
        except (NotFoundError, PreconditionFailedError) as error:
            raise OutdatedVersionError from error


class FileContent:
    """The bytes of one version of a file, as the file-like object that WsgiDAV reads."""

    def __init__(self, open_range: OpenRange, size: int, expected: ByteRange) -> None:
        """Opens the ``expected`` range at once. Reading begins at byte 0 nevertheless. Bytes
        outside of the range can be read, too, with one more request."""
        self._open_range = open_range
        self._size = size
        self._position = 0
        """Of the next read."""
        self._range = expected
        """The rest of the open range."""
        self._reader = open_range(expected)

    @property
    def info(self) -> ObjectInfo:
        """The metadata, from when the file was opened."""
        return self._reader.info

    def seek(self, position: int) -> None:
        """The next read begins at this byte."""
        self._position = position

    @of_this_version()
    def read(self, size: int) -> bytes:
        """The next bytes, at most ``size``; ``b""`` at the end of the file."""
        if self._position >= self._size:
            return b""
        if self._position != self._range.start or not self._range.length:
            self._reader.close()
            self._range = ByteRange(self._position, self._size)
            self._reader = self._open_range(self._range)
        block = self._reader.read(size)
        self._position += len(block)
        self._range = self._range._replace(start=self._position)
        return block

    def close(self) -> None:
        self._reader.close()


class Upload:
    """The upload of a new version of a file. Raises StoreErrors, and
    RefusalErrors for a body that isn't what its headers say."""

    def __init__(self, writer: FileWriter, length: int | None, headers: UploadHeaders) -> None:
        """``length``: the body's announced length in bytes, where it was announced."""
        self._writer = writer
        self._length = length
        self._headers = headers
        self._checksum = headers.announced_checksum()
        self._written = 0

    def write(self, data: bytes) -> None:
        self._writer.write(data)
        self._written += len(data)
        if self._checksum:
            self._checksum.update(data)

    def finish(self) -> Resource:
        """Makes the new version visible, if the body is complete."""
        try:
            self._require_complete()
            return self._writer.commit(self._headers.client_metadata(self._checksum))
        except BaseException:
            self._writer.abort()  # Does nothing where commit has failed: it has aborted already.
            raise

    def abort(self) -> None:
        """Leaves the store as it was."""
        self._writer.abort()

    def _require_complete(self) -> None:
        if self._length is not None and self._written != self._length:
            raise RefusalError(400, "the body broke off")
        if self._checksum and not self._checksum.holds():
            raise RefusalError(400, f"the body's checksum is not {self._checksum}")


class WsgidavUpload:
    """An upload as the file-like object that WsgiDAV writes to."""

    def __init__(self, upload: Upload) -> None:
        self._upload = upload

    @as_refusals()
    def write(self, data: bytes) -> None:
        self._upload.write(data)

    def close(self) -> None:
        """Does nothing: `File.end_write` knows whether the body is complete."""
