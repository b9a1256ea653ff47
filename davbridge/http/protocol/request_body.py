"""wsgi.input: the body of one request, received when the application reads it.

Implements the framing of bodies (RFC 9112 §6.2, §7.1), and 100 Continue.

Invariants:
- ``b""`` is returned only when the whole body has been read. A body that ends early, for whatever
  reason, raises IncompleteBodyError, at this read and at every later one.
- No more bytes are held than were asked for.
- Once `is_complete` is true, the next byte of the connection is the first of the next request.
"""

import contextlib
import io
import re
from abc import abstractmethod
from collections.abc import Callable

from davbridge.http.errors import IncompleteBodyError, MalformedBodyError
from davbridge.http.protocol.request_head import is_field
from davbridge.http.protocol.streams import LineTooLongError, SocketReader

READ_BYTES = 256 * 1024

MAX_CHUNK_LINE = 1024
MAX_EXTENSIONS = 16 * 1024
"""Bytes of chunk extensions in one body. No client needs them; they could multiply the traffic."""
MAX_TRAILER = 8 * 1024

_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})([ \t]*;[\t -~\x80-\xff]*)?\r\n")


_LAST_CHUNK = b"0\r\n\r\n"
"""As it mostly is: without extensions and trailer fields."""


class RequestBody(io.RawIOBase):
    """The body of a request. Calls ``send_continue`` before it waits for the first byte."""

    def __init__(self, reader: SocketReader, send_continue: Callable[[], None]) -> None:
        super().__init__()
        self._reader = reader
        reader.timeout.begin_request()
        self._send_continue: Callable[[], None] | None = send_continue
        self._failure: IncompleteBodyError | None = None

    @property
    @abstractmethod
    def is_complete(self) -> bool:
        """Whether all of the body has been read, its last framing byte included."""

    @property
    @abstractmethod
    def remaining(self) -> int | None:
        """Bytes still to come; None if the length isn't known."""

    @abstractmethod
    def _next(self, limit: int) -> bytes:
        """The next bytes, at most ``limit``; ``b""`` at the end. Raises what the socket raises."""

    @property
    def is_broken(self) -> bool:
        """Whether reading has failed. Then nothing more can be read from the connection."""
        return self._failure is not None

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """``size`` bytes, or fewer at the end; all of the rest if it is None or negative."""
        wanted = size if size is not None and size >= 0 else None
        block = self._guarded(READ_BYTES if wanted is None else wanted)
        if not block or len(block) == wanted:
            return block
        data = bytearray(block)
        while wanted is None or len(data) < wanted:
            block = self._guarded(READ_BYTES if wanted is None else wanted - len(data))
            if not block:
                break
            data += block
        return bytes(data)

    def readall(self) -> bytes:
        return self.read()

    def _guarded(self, limit: int) -> bytes:
        if self._failure is not None:
            raise self._failure
        if not limit or self.is_complete:
            return b""
        try:
            if self._send_continue is not None:
                send_continue, self._send_continue = self._send_continue, None
                send_continue()
            return self._next(limit)
        except IncompleteBodyError as error:
            self._failure = error
            raise
        except OSError as error:
            self._failure = IncompleteBodyError(f"the body stopped before its end: {error}")
            raise self._failure from error

    def _receive(self, limit: int) -> bytes:
        received = self._reader.read_some(limit)
        if not received:
            raise IncompleteBodyError("the client closed before the end of the body")
        return received


class KnownLengthBody(RequestBody):
    """A body of Content-Length bytes."""

    def __init__(
        self, reader: SocketReader, send_continue: Callable[[], None], length: int
    ) -> None:
        super().__init__(reader, send_continue)
        self._remaining = length

    @property
    def is_complete(self) -> bool:
        return not self._remaining

    @property
    def remaining(self) -> int:
        return self._remaining

    def _next(self, limit: int) -> bytes:
        received = self._receive(min(limit, self._remaining))
        self._remaining -= len(received)
        return received


class ChunkedBody(RequestBody):
    """A body in the chunked coding. Chunk extensions and trailer fields are ignored."""

    def __init__(self, reader: SocketReader, send_continue: Callable[[], None]) -> None:
        super().__init__(reader, send_continue)
        self._chunk_left = 0
        self._extensions = MAX_EXTENSIONS
        self._is_complete = False

    @property
    def is_complete(self) -> bool:
        return self._is_complete

    @property
    def remaining(self) -> int | None:
        return 0 if self._is_complete else None

    def _next(self, limit: int) -> bytes:
        if not self._chunk_left:
            self._chunk_left = self._chunk_size()
            if not self._chunk_left:
                self._skip_trailer()
                self._is_complete = True
                return b""
        received = self._receive(min(limit, self._chunk_left))
        self._chunk_left -= len(received)
        if not self._chunk_left:
            self._end_chunk()
        return received

    def skip_end(self) -> None:
        """Takes the end of the body, if nothing else is left and it has arrived. Never waits."""
        if self._chunk_left or self.is_broken:
            return
        with contextlib.suppress(OSError):  # the next use of the connection raises it again
            if self._reader.is_empty:
                self._reader.fill(0.0)
        if self._reader.take_through(_LAST_CHUNK, len(_LAST_CHUNK)) is not None:
            self._is_complete = True

    def _chunk_size(self) -> int:
        match = _CHUNK_LINE.fullmatch(self._line(MAX_CHUNK_LINE))
        if match is None:
            raise MalformedBodyError("malformed chunk size")
        size, extension = match.groups()
        self._extensions -= len(extension or b"")
        if self._extensions < 0:
            raise MalformedBodyError("too many chunk extensions")
        return int(size, 16)

    def _end_chunk(self) -> None:
        if self._line(2) != b"\r\n":
            raise MalformedBodyError("a chunk is longer than its size")

    def _skip_trailer(self) -> None:
        left = MAX_TRAILER
        while (line := self._line(left)) != b"\r\n":
            left -= len(line)
            if not is_field(line):
                raise MalformedBodyError("malformed trailer field")

    def _line(self, limit: int) -> bytes:
        try:
            line = self._reader.read_line(limit)
        except LineTooLongError as error:
            raise MalformedBodyError("a line of the chunked coding is too long") from error
        if not line.endswith(b"\n"):
            raise IncompleteBodyError("the client closed before the end of the body")
        return line
